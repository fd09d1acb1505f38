//! Resellers, their credentials and their balance.

use chancery_domain::Timestamp;
use chancery_domain::access::{Access, Networks, Scope};
use chancery_domain::customers::{Customer, CustomerId};
use chancery_domain::money::{Currency, Money};
use chancery_domain::resellers::{Credential, CredentialKind, Reseller, ResellerId};

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

const NO_CREDENTIAL: Failure = Failure::Conflict {
    what: "credential",
    id: 0,
};

impl Change {
    /// Inserts a reseller, with nothing to spend, and the customer that it is itself.
    pub fn insert_reseller(&mut self, reseller: &Reseller) {
        const SQL: &str = "
            insert into resellers (id, name, currency, balance, created_at, settings, version)
            values ($1, $2, $3, 0, $4, $5, $6)";
        self.execute(
            SQL,
            values![
                reseller.id.0,
                &reseller.name,
                reseller.currency.as_str(),
                reseller.created_at,
                to_json(&reseller.settings),
                reseller.version,
            ],
        );
        let itself = Customer {
            id: CustomerId::itself(reseller.id),
            reseller: reseller.id,
            profile: None,
            created_at: reseller.created_at,
            modified_at: reseller.created_at,
            deleted_at: None,
            temporary_until: None,
            version: 1,
        };
        self.insert_customer(&itself, None);
    }

    /// Saves a reseller's name and settings, unless someone changed them since it was read.
    pub fn set_reseller_settings(&mut self, reseller: &Reseller) {
        const SQL: &str = "
            update resellers set name = $1, settings = $2, version = version + 1
            where id = $3 and version = $4";
        let failure = Failure::Conflict {
            what: "reseller",
            id: reseller.id.0,
        };
        self.expect_one(
            SQL,
            values![
                &reseller.name,
                to_json(&reseller.settings),
                reseller.id.0,
                reseller.version,
            ],
            failure,
        );
    }

    /// Inserts a credential.
    pub fn insert_credential(&mut self, credential: &Credential) {
        const SQL: &str = "
            insert into credentials (
                username, reseller_id, secret_hash, scope, allowed, created_at, kind
            )
            values ($1, $2, $3, $4, $5, $6, $7)";
        self.execute(
            SQL,
            values![
                &credential.username,
                credential.reseller.0,
                credential.secret_hash,
                credential.access.scope.as_str(),
                to_json(&credential.access.allowed),
                credential.created_at,
                credential.kind.as_str(),
            ],
        );
    }

    /// Changes what a credential may be used for; a conflict if there is none, or it is revoked.
    pub fn set_scope(&mut self, username: &str, scope: Scope) {
        const SQL: &str = "
            update credentials set scope = $1 where username = $2 and revoked_at is null";
        self.expect_one(SQL, values![scope.as_str(), username], NO_CREDENTIAL);
    }

    /// Changes from where a credential may be used; a conflict if there is none, or it is revoked.
    pub fn set_allowed(&mut self, username: &str, allowed: &Networks) {
        const SQL: &str = "
            update credentials set allowed = $1 where username = $2 and revoked_at is null";
        self.expect_one(SQL, values![to_json(allowed), username], NO_CREDENTIAL);
    }

    /// Revokes a credential; a conflict if there is none, or it is revoked already.
    pub fn revoke_credential(&mut self, username: &str, now: Timestamp) {
        const SQL: &str = "
            update credentials set revoked_at = $1 where username = $2 and revoked_at is null";
        self.expect_one(SQL, values![now, username], NO_CREDENTIAL);
    }
}

impl Store {
    /// A reseller.
    pub async fn reseller(&self, id: ResellerId) -> Result<Option<Reseller>, StoreError> {
        const SQL: &str = "
            select id, name, currency, created_at, settings, version from resellers where id = $1";
        let row = self.query_one(SQL, values![id.0]).await?;
        row.map(|row| read_reseller(&row, 0)).transpose()
    }

    /// All resellers, in the order they came.
    pub async fn resellers(&self) -> Result<Vec<Reseller>, StoreError> {
        const SQL: &str = "
            select id, name, currency, created_at, settings, version from resellers order by id";
        let rows = self.scan(SQL, Vec::new()).await?;
        rows.iter().map(|row| read_reseller(row, 0)).collect()
    }

    /// What a reseller may spend.
    pub async fn balance(&self, id: ResellerId) -> Result<Option<Money>, StoreError> {
        const SQL: &str = "select balance, currency from resellers where id = $1";
        let money = |row: Row| {
            let currency = row.parsed(1, |text| Currency::parse(text).ok())?;
            Ok(Money {
                minor: row.int(0)?,
                currency,
            })
        };
        self.query_one(SQL, values![id.0])
            .await?
            .map(money)
            .transpose()
    }

    /// A credential and whose it is.
    pub async fn credential(
        &self,
        username: &str,
    ) -> Result<Option<(Credential, Reseller)>, StoreError> {
        const SQL: &str = "
            select c.username, c.reseller_id, c.secret_hash, c.scope, c.allowed, c.created_at,
                c.revoked_at, c.kind, r.id, r.name, r.currency, r.created_at, r.settings, r.version
            from credentials c join resellers r on r.id = c.reseller_id
            where c.username = $1";
        let both = |row: Row| Ok((read_credential(&row)?, read_reseller(&row, 8)?));
        self.query_one(SQL, values![username])
            .await?
            .map(both)
            .transpose()
    }

    /// A reseller's credentials, revoked ones among them.
    pub async fn credentials(&self, reseller: ResellerId) -> Result<Vec<Credential>, StoreError> {
        const SQL: &str = "
            select username, reseller_id, secret_hash, scope, allowed, created_at, revoked_at, kind
            from credentials where reseller_id = $1 order by created_at, username";
        let rows = self.query(SQL, values![reseller.0]).await?;
        rows.iter().map(read_credential).collect()
    }
}

fn read_reseller(row: &Row, from: usize) -> Result<Reseller, StoreError> {
    Ok(Reseller {
        id: ResellerId(row.int(from)?),
        name: row.string(from + 1)?,
        currency: row.parsed(from + 2, |text| Currency::parse(text).ok())?,
        created_at: row.timestamp(from + 3)?,
        settings: row.json(from + 4)?,
        version: row.int(from + 5)?,
    })
}

fn read_credential(row: &Row) -> Result<Credential, StoreError> {
    Ok(Credential {
        username: row.string(0)?,
        reseller: ResellerId(row.int(1)?),
        secret_hash: row.array(2)?,
        access: Access {
            scope: row.parsed(3, Scope::parse)?,
            allowed: row.json(4)?,
        },
        created_at: row.timestamp(5)?,
        revoked_at: row.opt_timestamp(6)?,
        kind: row.parsed(7, CredentialKind::parse)?,
    })
}
