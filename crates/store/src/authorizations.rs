//! Authorizations: names proved, kept with whose they are, to be used again.
//!
//! A dropped one stays on record and is found by nobody who looks for something to use.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Authorization, Method, ProofId, RecordedProof};
use chancery_domain::contacts::ContactId;
use chancery_domain::customers::CustomerId;
use chancery_domain::issuances::IssuanceId;
use chancery_domain::names::DomainName;
use chancery_domain::orders::OrderId;
use chancery_domain::prevalidations::PrevalidationId;
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::as_keys;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// Whose proofs are looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holder {
    /// Those obtained for an order, or for an order that it renews, near or far.
    Order(OrderId),
    /// Those obtained for orders of the customer whom a contact belongs to. The reseller itself, who orders for
    /// whomever, is no customer here.
    CustomerOf(ContactId),
    /// All of a reseller's.
    Reseller(ResellerId),
    /// Those that a reseller obtained ahead of any order.
    Ahead(ResellerId),
}

/// Which proofs a list has.
#[derive(Clone, Debug, Default)]
pub struct ProofFilter {
    /// Those of names at or below a registered domain.
    pub base_domain: Option<DomainName>,
    /// Those of an order.
    pub order: Option<OrderId>,
    /// Those obtained at or after a moment.
    pub since: Option<Timestamp>,
    /// Those on record before this one, the newest first.
    pub before: Option<ProofId>,
}

impl Change {
    /// Keeps a proof, found for an issuance of an order. Whose it is besides is read from that order.
    pub fn insert_authorization(
        &mut self,
        id: i64,
        (reseller, order): (ResellerId, OrderId),
        issuance: IssuanceId,
        proved: &Authorization,
    ) {
        const SQL: &str = "
            insert into authorizations (id, reseller_id, issuance_id, domain, base_domain, method,
                obtained_at, order_id, customer_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, (
                select c.customer_id from orders o join contacts c on c.id = o.administrator_id
                where o.id = $8 and c.customer_id <> 0 and c.customer_id <> o.reseller_id))";
        let domain = &proved.domain;
        let base = domain.base_domain().unwrap_or_else(|| domain.clone());
        self.execute(
            SQL,
            values![
                id,
                reseller.0,
                issuance.0,
                domain.as_str(),
                base.as_str(),
                proved.method.as_str(),
                proved.obtained_at,
                order.0,
            ],
        );
    }

    /// Drops a proof, and with it what was shown before of the same domain by the same method for the same order or
    /// those it renews: an older one would only take its place.
    pub fn drop_proof(&mut self, proof: &RecordedProof, now: Timestamp) {
        const SQL: &str = "
            with recursive lineage (id) as (
                select cast($7 as bigint)
                union
                select o.renews_id from orders o join lineage l on o.id = l.id where o.renews_id is not null)
            update authorizations set dropped_at = $1
            where reseller_id = $2 and base_domain = $3 and domain = $4 and method = $5
                and obtained_at <= $6 and coalesce(order_id, 0) in (select id from lineage) and dropped_at is null";
        let domain = &proof.proved.domain;
        self.lane(proof.reseller.0);
        let base = domain.base_domain().unwrap_or_else(|| domain.clone());
        self.execute(
            SQL,
            values![
                now,
                proof.reseller.0,
                base.as_str(),
                domain.as_str(),
                proof.proved.method.as_str(),
                proof.proved.obtained_at,
                proof.order.map_or(0, |id| id.0),
            ],
        );
    }

    /// Expects that none of these proofs of a reseller was dropped; a conflict otherwise. Drops name the same lane.
    pub fn expect_undropped(
        &mut self,
        reseller: ResellerId,
        issuance: IssuanceId,
        proofs: &[Authorization],
    ) {
        const SQL: &str = "
            select 1 from authorizations
            where reseller_id = $1 and base_domain in (select key from json_each($2)) and dropped_at is not null
                and domain || ' ' || method || ' ' || cast(obtained_at as text) in (select key from json_each($3))";
        let words = proofs.iter().map(|proof| {
            let (domain, method) = (&proof.domain, proof.method.as_str());
            format!("{domain} {method} {}", proof.obtained_at.as_microsecond())
        });
        let words: Vec<String> = words.collect();
        let values = values![
            reseller.0,
            base_domains(proofs),
            as_keys(words.iter().map(String::as_str)),
        ];
        let failure = Failure::Conflict {
            what: "proof",
            id: issuance.0,
        };
        self.lane(reseller.0);
        self.expect_found(SQL, values, 0, failure);
    }
}

/// The base domains of proofs, as one value.
fn base_domains(proofs: &[Authorization]) -> String {
    let base = |proof: &Authorization| proof.domain.base_domain();
    let bases = proofs
        .iter()
        .map(|proof| base(proof).unwrap_or_else(|| proof.domain.clone()));
    let bases: Vec<DomainName> = bases.collect();
    as_keys(bases.iter().map(DomainName::as_str))
}

/// When the oldest of proofs was obtained.
fn oldest(proofs: &[Authorization]) -> Timestamp {
    let times = proofs.iter().map(|proof| proof.obtained_at);
    times.min().unwrap_or(Timestamp::MAX)
}

/// Each domain and method once, at its latest; a thousand at most. What covers more than its own name comes first,
/// then the latest.
macro_rules! held {
    ($with:literal, $whose:literal) => {
        concat!(
            $with,
            "select domain, method, max(obtained_at) from authorizations where ",
            $whose,
            " and base_domain = $2 and obtained_at >= $3 and dropped_at is null
            group by domain, method
            order by case method when 'file' then 1 else 0 end, max(obtained_at) desc limit 1000"
        )
    };
}

impl Store {
    /// What was proved about a base domain since a moment, by its holder: each domain and method once, at its
    /// latest. A thousand at most; what covers more than its own name comes first, then the latest.
    pub async fn authorizations(
        &self,
        holder: Holder,
        base_domain: &DomainName,
        since: Timestamp,
    ) -> Result<Vec<Authorization>, StoreError> {
        const OF_ORDER: &str = held!(
            "with recursive lineage (id) as (
                select cast($1 as bigint)
                union
                select o.renews_id from orders o join lineage l on o.id = l.id where o.renews_id is not null)
            ",
            "order_id in (select id from lineage)"
        );
        const OF_CUSTOMER: &str = held!(
            "",
            "customer_id = (
                select c.customer_id from contacts c
                where c.id = $1 and c.customer_id <> 0 and c.customer_id <> c.reseller_id)"
        );
        const OF_RESELLER: &str = held!("", "reseller_id = $1");
        const AHEAD: &str = held!("", "reseller_id = $1 and prevalidation_id is not null");
        let (sql, id) = match holder {
            Holder::Order(id) => (OF_ORDER, id.0),
            Holder::CustomerOf(id) => (OF_CUSTOMER, id.0),
            Holder::Reseller(id) => (OF_RESELLER, id.0),
            Holder::Ahead(id) => (AHEAD, id.0),
        };
        let rows = self
            .query(sql, values![id, base_domain.as_str(), since])
            .await?;
        rows.iter().map(|row| read(row, 0)).collect()
    }

    /// Those of a reseller's proofs that were dropped, and others of the same domains. When they were dropped does not
    /// matter: clocks of several servers differ.
    pub async fn dropped_proofs(
        &self,
        reseller: ResellerId,
        proofs: &[Authorization],
    ) -> Result<Vec<Authorization>, StoreError> {
        const SQL: &str = "
            select domain, method, obtained_at from authorizations
            where reseller_id = $1 and base_domain in (select key from json_each($2)) and obtained_at >= $3
                and dropped_at is not null";
        let values = values![reseller.0, base_domains(proofs), oldest(proofs)];
        let rows = self.query(SQL, values).await?;
        rows.iter().map(|row| read(row, 0)).collect()
    }

    /// Those of a reseller's proofs that may be used by a run, and others of the same domains: what the run has obtained
    /// itself, and what these holders have, unless it was dropped.
    pub async fn serving_proofs(
        &self,
        (reseller, issuance): (ResellerId, IssuanceId),
        holders: &[Holder],
        proofs: &[Authorization],
    ) -> Result<Vec<Authorization>, StoreError> {
        const SQL: &str = "
            with recursive lineage (id) as (
                select cast($5 as bigint)
                union
                select o.renews_id from orders o join lineage l on o.id = l.id where o.renews_id is not null)
            select domain, method, obtained_at from authorizations
            where reseller_id = $1 and base_domain in (select key from json_each($2)) and obtained_at >= $3
                and dropped_at is null
                and (issuance_id = $4 or order_id in (select id from lineage)
                    or customer_id = (
                        select c.customer_id from contacts c
                        where c.id = $6 and c.customer_id <> 0 and c.customer_id <> c.reseller_id)
                    or cast($7 as bigint) = 1
                    or (cast($8 as bigint) = 1 and prevalidation_id is not null))";
        let (mut order, mut contact, mut all, mut ahead) = (0, 0, 0, 0);
        for holder in holders {
            match holder {
                Holder::Order(id) => order = id.0,
                Holder::CustomerOf(id) => contact = id.0,
                Holder::Reseller(_) => all = 1,
                Holder::Ahead(_) => ahead = 1,
            }
        }
        let (bases, since) = (base_domains(proofs), oldest(proofs));
        let values = values![
            reseller.0, bases, since, issuance.0, order, contact, all, ahead
        ];
        let rows = self.query(SQL, values).await?;
        rows.iter().map(|row| read(row, 0)).collect()
    }

    /// A reseller's proof that was not dropped.
    pub async fn proof(
        &self,
        reseller: ResellerId,
        id: ProofId,
    ) -> Result<Option<RecordedProof>, StoreError> {
        const SQL: &str = "
            select id, reseller_id, order_id, customer_id, domain, method, obtained_at,
                prevalidation_id
            from authorizations where id = $1 and reseller_id = $2 and dropped_at is null";
        let row = self.query_one(SQL, values![id.0, reseller.0]).await?;
        row.as_ref().map(read_recorded).transpose()
    }

    /// A reseller's proofs that were not dropped, the newest first.
    pub async fn proofs(
        &self,
        reseller: ResellerId,
        filter: &ProofFilter,
        limit: i64,
    ) -> Result<Vec<RecordedProof>, StoreError> {
        const ALL: &str = "
            select id, reseller_id, order_id, customer_id, domain, method, obtained_at,
                prevalidation_id
            from authorizations
            where reseller_id = $1 and id < $2 and obtained_at >= $3 and dropped_at is null
            order by id desc limit $4";
        const OF_DOMAIN: &str = "
            select id, reseller_id, order_id, customer_id, domain, method, obtained_at,
                prevalidation_id
            from authorizations
            where reseller_id = $1 and id < $2 and obtained_at >= $3 and dropped_at is null
                and base_domain = $5 and (cast($6 as bigint) = 0 or order_id = $6)
            order by id desc limit $4";
        const OF_ORDER: &str = "
            select id, reseller_id, order_id, customer_id, domain, method, obtained_at,
                prevalidation_id
            from authorizations
            where reseller_id + 0 = $1 and id < $2 and obtained_at >= $3 and dropped_at is null
                and order_id = $5
            order by id desc limit $4";
        let before = filter.before.map_or(i64::MAX, |id| id.0);
        let since = filter.since.unwrap_or(Timestamp::UNIX_EPOCH);
        let mut values = values![reseller.0, before, since, limit];
        let sql = match (&filter.base_domain, filter.order) {
            (None, None) => ALL,
            (None, Some(order)) => {
                values.extend(values![order.0]);
                OF_ORDER
            }
            (Some(base), order) => {
                values.extend(values![base.as_str(), order.map_or(0, |id| id.0)]);
                OF_DOMAIN
            }
        };
        let rows = self.scan(sql, values).await?;
        rows.iter().map(read_recorded).collect()
    }
}

fn read(row: &Row, from: usize) -> Result<Authorization, StoreError> {
    Ok(Authorization {
        domain: row.domain_name(from)?,
        method: row.parsed(from + 1, Method::parse)?,
        obtained_at: row.timestamp(from + 2)?,
    })
}

fn read_recorded(row: &Row) -> Result<RecordedProof, StoreError> {
    Ok(RecordedProof {
        id: ProofId(row.int(0)?),
        reseller: ResellerId(row.int(1)?),
        prevalidation: row.opt_int(7)?.map(PrevalidationId),
        order: row.opt_int(2)?.map(OrderId),
        customer: row.opt_int(3)?.map(CustomerId),
        proved: read(row, 4)?,
    })
}
