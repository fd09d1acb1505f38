//! Pre-validations: domains that resellers prove ahead of any order.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Authorization, Method};
use chancery_domain::issuances::NameControl;
use chancery_domain::names::DomainName;
use chancery_domain::prevalidations::{Prevalidation, PrevalidationId, PrevalidationState};
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select id, reseller_id, controls, looks, looked_at, validate_by, state, created_at,
                modified_at, version
            from prevalidations where ",
            $condition
        )
    };
}

impl Change {
    /// Inserts a pre-validation; a conflict if the reseller has one of the domain that is not dropped.
    pub fn insert_prevalidation(&mut self, new: &Prevalidation) {
        const SQL: &str = "
            insert into prevalidations (id, reseller_id, domain, method, controls, looks, looked_at,
                validate_by, state, created_at, modified_at, version)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        self.expect_one(
            SQL,
            values![
                new.id.0,
                new.reseller.0,
                new.domain().as_str(),
                new.method().as_str(),
                to_json(&new.control),
                new.looks,
                new.looked_at,
                new.validate_by,
                new.state.as_str(),
                new.created_at,
                new.modified_at,
                new.version,
            ],
            conflict(new.id),
        );
    }

    /// Saves a pre-validation that moved, unless someone moved it first.
    pub fn save_prevalidation(&mut self, moved: &Prevalidation) {
        const SQL: &str = "
            update prevalidations
            set method = $1, controls = $2, looks = $3, looked_at = $4, validate_by = $5, state = $6,
                modified_at = $7, version = version + 1
            where id = $8 and version = $9";
        self.expect_one(
            SQL,
            values![
                moved.method().as_str(),
                to_json(&moved.control),
                moved.looks,
                moved.looked_at,
                moved.validate_by,
                moved.state.as_str(),
                moved.modified_at,
                moved.id.0,
                moved.version,
            ],
            conflict(moved.id),
        );
    }

    /// Keeps a proof, found for a pre-validation.
    pub fn insert_prevalidated(
        &mut self,
        id: i64,
        reseller: ResellerId,
        of: PrevalidationId,
        proved: &Authorization,
    ) {
        const SQL: &str = "
            insert into authorizations (id, reseller_id, issuance_id, domain, base_domain, method,
                obtained_at, prevalidation_id)
            values ($1, $2, $3, $4, $5, $6, $7, $3)";
        let domain = &proved.domain;
        let base = domain.base_domain().unwrap_or_else(|| domain.clone());
        self.execute(
            SQL,
            values![
                id,
                reseller.0,
                of.0,
                domain.as_str(),
                base.as_str(),
                proved.method.as_str(),
                proved.obtained_at,
            ],
        );
    }

    /// Drops all that was proved for a pre-validation.
    pub fn drop_prevalidated(&mut self, held: &Prevalidation, now: Timestamp) {
        const SQL: &str = "
            update authorizations set dropped_at = $1
            where reseller_id = $2 and prevalidation_id = $3 and dropped_at is null";
        self.lane(held.reseller.0);
        self.execute(SQL, values![now, held.reseller.0, held.id.0]);
    }
}

impl Store {
    /// Any pre-validation, for the platform's own work.
    pub async fn prevalidation(
        &self,
        id: PrevalidationId,
    ) -> Result<Option<Prevalidation>, StoreError> {
        const SQL: &str = select!("id = $1");
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read).transpose()
    }

    /// A reseller's pre-validation that is not dropped.
    pub async fn prevalidation_of(
        &self,
        reseller: ResellerId,
        id: PrevalidationId,
    ) -> Result<Option<Prevalidation>, StoreError> {
        const SQL: &str = select!("id = $1 and reseller_id + 0 = $2 and state <> 'dropped'");
        let row = self.query_one(SQL, values![id.0, reseller.0]).await?;
        row.as_ref().map(read).transpose()
    }

    /// A reseller's pre-validation of a domain, unless it is dropped.
    pub async fn prevalidation_of_domain(
        &self,
        reseller: ResellerId,
        domain: &DomainName,
    ) -> Result<Option<Prevalidation>, StoreError> {
        const SQL: &str = select!("reseller_id = $1 and domain = $2 and state <> 'dropped'");
        let row = self
            .query_one(SQL, values![reseller.0, domain.as_str()])
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// A reseller's pre-validations that are not dropped, the newest first, before this one.
    pub async fn prevalidations(
        &self,
        reseller: ResellerId,
        before: Option<PrevalidationId>,
        limit: i64,
    ) -> Result<Vec<Prevalidation>, StoreError> {
        const SQL: &str = select!(
            "reseller_id = $1 and id < $2 and state <> 'dropped' order by id desc limit $3"
        );
        let before = before.map_or(i64::MAX, |id| id.0);
        let rows = self.scan(SQL, values![reseller.0, before, limit]).await?;
        rows.iter().map(read).collect()
    }

    /// What was proved for a reseller's pre-validations, of one domain or of all, and not dropped since.
    pub async fn prevalidated(
        &self,
        reseller: ResellerId,
        domain: Option<&DomainName>,
    ) -> Result<Vec<(PrevalidationId, Authorization)>, StoreError> {
        const SQL: &str = "
            select prevalidation_id, domain, method, max(obtained_at) from authorizations
            where reseller_id = $1 and prevalidation_id is not null and dropped_at is null
                and (cast($2 as text) is null or base_domain = $2)
            group by prevalidation_id, domain, method";
        let base = domain.map(|domain| domain.base_domain().unwrap_or_else(|| domain.clone()));
        let base = base.as_ref().map(DomainName::as_str);
        let rows = self.query(SQL, values![reseller.0, base]).await?;
        let read = |row: &Row| {
            let proved = Authorization {
                domain: row.domain_name(1)?,
                method: row.parsed(2, Method::parse)?,
                obtained_at: row.timestamp(3)?,
            };
            Ok((PrevalidationId(row.int(0)?), proved))
        };
        rows.iter().map(read).collect()
    }

    /// How many pre-validations of a reseller are not dropped.
    pub async fn count_prevalidations(&self, reseller: ResellerId) -> Result<i64, StoreError> {
        const SQL: &str = "
            select count(*) from prevalidations where reseller_id = $1 and state <> 'dropped'";
        let row = self.query_one(SQL, values![reseller.0]).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }
}

fn conflict(id: PrevalidationId) -> Failure {
    Failure::Conflict {
        what: "domain",
        id: id.0,
    }
}

fn read(row: &Row) -> Result<Prevalidation, StoreError> {
    let control: NameControl = row.json(2)?;
    Ok(Prevalidation {
        id: PrevalidationId(row.int(0)?),
        reseller: ResellerId(row.int(1)?),
        control,
        looks: row.small(3)?,
        looked_at: row.opt_timestamp(4)?,
        validate_by: row.timestamp(5)?,
        state: row.parsed(6, PrevalidationState::parse)?,
        created_at: row.timestamp(7)?,
        modified_at: row.timestamp(8)?,
        version: row.int(9)?,
    })
}
