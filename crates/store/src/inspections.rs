//! Looking a database over for damage: what the engine itself finds, references that lead nowhere, rows that contradict
//! each other, certificates one by one. Only reads.

use chancery_domain::certificates::{Certificate, CertificateId};

use crate::certificates;
use crate::errors::StoreError;
use crate::store::{Engine, Store};
use crate::values;
use crate::values::Row;

/// How many examples of one fault are told.
const EXAMPLES: usize = 20;

/// What must not be found, and a query that finds it: the ids, a few at most.
const FAULTS: &[(&str, &str)] = &[
    (
        "order without its run",
        "select o.id from orders o
         where not exists (select 1 from issuances i where i.id = o.issuance_id and i.order_id = o.id)
         order by o.id limit 21",
    ),
    (
        "order whose certificate is not there or not signed",
        "select o.id from orders o
         where o.certificate_id is not null and not exists (
             select 1 from certificates c
             where c.id = o.certificate_id and c.order_id = o.id and c.signed_at is not null)
         order by o.id limit 21",
    ),
    (
        "order in its term without a certificate",
        "select id from orders where state = 'active' and certificate_id is null order by id limit 21",
    ),
    (
        "order of a reseller that is not there",
        "select o.id from orders o
         where not exists (select 1 from resellers r where r.id = o.reseller_id) order by o.id limit 21",
    ),
    (
        "order whose contacts are not there",
        "select o.id from orders o
         where not exists (select 1 from contacts c where c.id = o.administrator_id)
             or not exists (select 1 from contacts c where c.id = o.technical_id)
         order by o.id limit 21",
    ),
    (
        "order whose organization is not there",
        "select o.id from orders o
         where o.organization_id is not null
             and not exists (select 1 from organizations g where g.id = o.organization_id)
         order by o.id limit 21",
    ),
    (
        "run whose certificate is not there",
        "select i.id from issuances i
         where i.state in ('signing', 'issued')
             and not exists (select 1 from certificates c where c.id = i.certificate_id and c.issuance_id = i.id)
         order by i.id limit 21",
    ),
    (
        "run that is to be signed, for which no job waits",
        "select i.id from issuances i
         where i.state = 'signing'
             and not exists (select 1 from jobs j where j.kind = 'sign' and j.subject = i.id)
         order by i.id limit 21",
    ),
    (
        "run that is to be validated, for which no job waits",
        "select i.id from issuances i join orders o on o.issuance_id = i.id
         where i.state = 'validating'
             and not exists (select 1 from jobs j where j.kind = 'poll_dcv' and j.subject = i.id)
         order by i.id limit 21",
    ),
    (
        "certificate of an order that is not there",
        "select c.id from certificates c
         where not exists (select 1 from orders o where o.id = c.order_id) order by c.id limit 21",
    ),
    (
        "certificate of an issuing CA that is not there",
        "select c.id from certificates c
         where not exists (select 1 from authorities a where a.issuer = c.issuer)
             and not exists (select 1 from issuing_cas s where s.issuer = c.issuer)
         order by c.id limit 21",
    ),
    (
        "line of history of an order that is not there",
        "select e.id from events e
         where not exists (select 1 from orders o where o.id = e.order_id) order by e.id limit 21",
    ),
    (
        "ledger posting that does not sum to zero",
        "select posting_id from ledger_entries group by posting_id
         having sum(amount) <> 0 or min(currency) <> max(currency) order by posting_id limit 21",
    ),
    (
        "ledger entry of a reseller or an order that is not there, or in another currency than the reseller's",
        "select l.id from ledger_entries l
         where (l.reseller_id is not null
                 and not exists (
                     select 1 from resellers r where r.id = l.reseller_id and r.currency = l.currency))
             or (l.order_id is not null and not exists (select 1 from orders o where o.id = l.order_id))
         order by l.id limit 21",
    ),
    (
        "contact of a customer that is not there",
        "select c.id from contacts c
         where c.customer_id <> 0
             and not exists (select 1 from customers k where k.id = c.customer_id) order by c.id limit 21",
    ),
    (
        "order with a number that will be given out again",
        "select id from orders where id >= (select next from sequences where name = 'order') order by id limit 21",
    ),
    (
        "contact with a number that will be given out again",
        "select id from contacts where id >= (select next from sequences where name = 'contact')
         order by id limit 21",
    ),
    (
        "customer with a number that will be given out again",
        "select id from customers where id >= (select next from sequences where name = 'customer')
         order by id limit 21",
    ),
    (
        "organization with a number that will be given out again",
        "select id from organizations where id >= (select next from sequences where name = 'organization')
         order by id limit 21",
    ),
    (
        "reseller with a number that will be given out again",
        "select id from resellers where id >= (select next from sequences where name = 'reseller')
         order by id limit 21",
    ),
];

impl Store {
    /// What the engine finds wrong with its own structures. On PostgreSQL that is for its own tools (`amcheck`).
    pub async fn engine_faults(&self) -> Result<Vec<String>, StoreError> {
        if self.engine() == Engine::Postgres {
            return Ok(Vec::new());
        }
        let mut faults = Vec::new();
        for row in self.scan("pragma integrity_check", Vec::new()).await? {
            let found = row.string(0)?;
            if found != "ok" {
                faults.push(format!("the file is damaged: {found}"));
            }
        }
        for row in self.scan("pragma foreign_key_check", Vec::new()).await? {
            let (table, parent) = (row.string(0)?, row.string(2)?);
            faults.push(format!(
                "a row of {table} names a row of {parent} that is not there"
            ));
        }
        Ok(faults)
    }

    /// References that lead nowhere, and rows that contradict others, in sentences.
    pub async fn reference_faults(&self) -> Result<Vec<String>, StoreError> {
        let mut faults = Vec::new();
        for (what, sql) in FAULTS {
            let rows = self.scan(sql, Vec::new()).await?;
            let ids = rows.iter().take(EXAMPLES).map(|row| row.int(0));
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            faults.extend(ids.iter().map(|id| format!("{what}: {id}")));
            if rows.len() > EXAMPLES {
                faults.push(format!("{what}: and more"));
            }
        }
        Ok(faults)
    }

    /// Certificates by id after `after`, `limit` at most; in the place of one that cannot be read, why.
    pub async fn each_certificate(
        &self,
        after: CertificateId,
        limit: i64,
    ) -> Result<Vec<(CertificateId, Result<Certificate, StoreError>)>, StoreError> {
        let rows = self
            .scan(certificates::PAGE, values![after.0, limit])
            .await?;
        let read = |row: &Row| Ok((CertificateId(row.int(0)?), certificates::read(row)));
        rows.iter().map(read).collect()
    }

    /// The secrets that wait sealed for a message, with what each belongs to.
    pub async fn sealed_messages(
        &self,
    ) -> Result<Vec<(String, &'static str, Vec<u8>)>, StoreError> {
        const APPROVALS: &str = "
            select issuance_id, sealed_token from approvals where sent_at is null and approved_at is null";
        const PASSWORDS: &str = "
            select id, sealed_password from password_mails where length(sealed_password) > 0";
        let mut found = Vec::new();
        for (sql, of, context) in [
            (APPROVALS, "the approval mail of run", "approval"),
            (PASSWORDS, "the password mail", "password mail"),
        ] {
            for row in self.scan(sql, Vec::new()).await? {
                let what = format!("{of} {}", row.int(0)?);
                found.push((what, context, row.bytes(1)?.to_vec()));
            }
        }
        Ok(found)
    }
}
