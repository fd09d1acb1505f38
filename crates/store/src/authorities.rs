//! The embedded CA, its keys sealed: the root, the issuing CAs that follow each other, their revocation
//! lists.

use chancery_domain::Timestamp;
use chancery_domain::certificates::CertificateId;
use chancery_domain::names::DomainName;
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// The root and the first issuing CA as they are kept.
#[derive(Clone, Eq, PartialEq)]
pub struct AuthorityRow {
    /// The issuing CA's id.
    pub issuer: String,
    /// The root's certificate, DER.
    pub root_certificate: Vec<u8>,
    /// The root's key under the master key.
    pub root_key: Vec<u8>,
    /// The issuing CA's certificate, DER.
    pub issuing_certificate: Vec<u8>,
    /// The issuing CA's key under the master key.
    pub issuing_key: Vec<u8>,
    /// When the CA was made.
    pub created_at: Timestamp,
}

/// An issuing CA after the first, as it is kept.
#[derive(Clone, Eq, PartialEq)]
pub struct IssuingCaRow {
    /// Its place in the row: 2 for the one that followed the first; grows by one.
    pub number: i64,
    /// Its id.
    pub issuer: String,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// Its key under the master key.
    pub key: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A revocation list as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CrlRow {
    /// Whose list.
    pub issuer: String,
    /// Its number; rises with every list of its issuer.
    pub number: i64,
    /// When it was made.
    pub this_update: Timestamp,
    /// Until when it may be relied on.
    pub next_update: Timestamp,
    /// The list, DER.
    pub der: Vec<u8>,
}

/// An issuing CA that was revoked, as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RevokedCaRow {
    /// Its id.
    pub issuer: String,
    /// The serial number of its certificate.
    pub serial: Vec<u8>,
    /// When it was revoked.
    pub revoked_at: Timestamp,
    /// The CRLReason (RFC 5280 §5.3.1).
    pub reason: u8,
    /// Who did it.
    pub operator: String,
    /// When all orders with its certificates had been told to replace them.
    pub replaced_at: Option<Timestamp>,
}

/// A certificate in force of one issuing CA.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeldCertificate {
    /// Its id.
    pub id: CertificateId,
    /// Its order.
    pub order: OrderId,
    /// Whose order.
    pub reseller: ResellerId,
    /// Its serial number.
    pub serial: Vec<u8>,
    /// What it covers.
    pub names: Vec<DomainName>,
    /// Its last second.
    pub not_after: Timestamp,
    /// Whether it is the one its order delivers.
    pub is_current: bool,
}

/// What a revocation list says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CrlHead {
    /// Its number; rises with every list of its issuer.
    pub number: i64,
    /// When it was made.
    pub this_update: Timestamp,
    /// Until when it may be relied on.
    pub next_update: Timestamp,
}

impl Change {
    /// Keeps the first CA; refused as `authority` if there is one already.
    pub fn insert_authority(&mut self, row: &AuthorityRow) {
        const ONCE: &str = "insert into meta (key, value) values ('authority', $1)";
        const SQL: &str = "
            insert into authorities (issuer, root_certificate, root_key, issuing_certificate,
                issuing_key, created_at)
            values ($1, $2, $3, $4, $5, $6)";
        self.expect_one(ONCE, values![&row.issuer], Failure::Refused("authority"));
        self.execute(
            SQL,
            values![
                &row.issuer,
                row.root_certificate.as_slice(),
                row.root_key.as_slice(),
                row.issuing_certificate.as_slice(),
                row.issuing_key.as_slice(),
                row.created_at,
            ],
        );
    }

    /// Keeps the issuing CA that follows the others; a conflict if another process made it first.
    pub fn insert_issuing_ca(&mut self, row: &IssuingCaRow) {
        const SQL: &str = "
            insert into issuing_cas (number, issuer, certificate, key, created_at)
            values ($1, $2, $3, $4, $5)";
        let values = values![
            row.number,
            &row.issuer,
            row.certificate.as_slice(),
            row.key.as_slice(),
            row.created_at,
        ];
        let failure = Failure::Conflict {
            what: "issuing ca",
            id: row.number,
        };
        self.expect_one(SQL, values, failure);
    }

    /// Revokes an issuing CA; refused as `revoked ca` if it is revoked already.
    pub fn insert_revoked_ca(&mut self, row: &RevokedCaRow) {
        const SQL: &str = "
            insert into revoked_cas (issuer, serial, revoked_at, reason, operator)
            values ($1, $2, $3, $4, $5)";
        let values = values![
            &row.issuer,
            row.serial.as_slice(),
            row.revoked_at,
            i64::from(row.reason),
            &row.operator
        ];
        self.expect_one(SQL, values, Failure::Refused("revoked ca"));
    }

    /// Notes that all orders with certificates of a revoked CA were told.
    pub fn mark_ca_replaced(&mut self, issuer: &str, at: Timestamp) {
        const SQL: &str = "
            update revoked_cas set replaced_at = $1 where issuer = $2 and replaced_at is null";
        self.execute(SQL, values![at, issuer]);
    }

    /// Keeps a revocation list; a conflict if its number is taken.
    pub fn insert_crl(&mut self, row: &CrlRow) {
        const SQL: &str = "
            insert into crls (issuer, number, this_update, next_update, der)
            values ($1, $2, $3, $4, $5)";
        let values = values![
            &row.issuer,
            row.number,
            row.this_update,
            row.next_update,
            row.der.as_slice()
        ];
        self.expect_one(
            SQL,
            values,
            Failure::Conflict {
                what: "crl",
                id: row.number,
            },
        );
    }
}

impl Store {
    /// The root and the first issuing CA, once there are.
    pub async fn authority(&self) -> Result<Option<AuthorityRow>, StoreError> {
        const SQL: &str = "
            select a.issuer, a.root_certificate, a.root_key, a.issuing_certificate, a.issuing_key,
                a.created_at
            from authorities a join meta m on m.key = 'authority' and m.value = a.issuer";
        let read = |row: Row| {
            Ok(AuthorityRow {
                issuer: row.string(0)?,
                root_certificate: row.bytes(1)?.to_vec(),
                root_key: row.bytes(2)?.to_vec(),
                issuing_certificate: row.bytes(3)?.to_vec(),
                issuing_key: row.bytes(4)?.to_vec(),
                created_at: row.timestamp(5)?,
            })
        };
        self.query_one(SQL, Vec::new()).await?.map(read).transpose()
    }

    /// The issuing CAs after the one with this number, in their order.
    pub async fn issuing_cas_after(&self, number: i64) -> Result<Vec<IssuingCaRow>, StoreError> {
        const SQL: &str = "
            select number, issuer, certificate, key, created_at from issuing_cas
            where number > $1 order by number";
        let read = |row: &Row| {
            Ok(IssuingCaRow {
                number: row.int(0)?,
                issuer: row.string(1)?,
                certificate: row.bytes(2)?.to_vec(),
                key: row.bytes(3)?.to_vec(),
                created_at: row.timestamp(4)?,
            })
        };
        let rows = self.query(SQL, values![number]).await?;
        rows.iter().map(read).collect()
    }

    /// The latest revocation list of an issuer.
    pub async fn latest_crl(&self, issuer: &str) -> Result<Option<CrlRow>, StoreError> {
        const SQL: &str = "
            select issuer, number, this_update, next_update, der from crls
            where issuer = $1 order by number desc limit 1";
        let read = |row: Row| {
            Ok(CrlRow {
                issuer: row.string(0)?,
                number: row.int(1)?,
                this_update: row.timestamp(2)?,
                next_update: row.timestamp(3)?,
                der: row.bytes(4)?.to_vec(),
            })
        };
        self.query_one(SQL, values![issuer])
            .await?
            .map(read)
            .transpose()
    }

    /// What the latest revocation list of an issuer says of itself.
    pub async fn crl_head(&self, issuer: &str) -> Result<Option<CrlHead>, StoreError> {
        const SQL: &str = "
            select number, this_update, next_update from crls
            where issuer = $1 order by number desc limit 1";
        let read = |row: Row| {
            Ok(CrlHead {
                number: row.int(0)?,
                this_update: row.timestamp(1)?,
                next_update: row.timestamp(2)?,
            })
        };
        self.query_one(SQL, values![issuer])
            .await?
            .map(read)
            .transpose()
    }

    /// Drops up to `limit` revocation lists, the oldest first, but the last `keep` of each issuer. Answers how
    /// many were dropped.
    pub async fn prune_crls(&self, keep: i64, limit: i64) -> Result<usize, StoreError> {
        const SQL: &str = "
            delete from crls where (issuer, number) in (
                select old.issuer, old.number from crls old
                where old.number <= coalesce((
                    select kept.number from crls kept where kept.issuer = old.issuer
                    order by kept.number desc limit 1 offset $1), -1)
                order by old.issuer, old.number limit $2)
            returning number";
        let mut change = Change::new();
        change.query(SQL, values![keep, limit]);
        let dropped = self.commit(change).await?;
        Ok(dropped.iter().map(Vec::len).sum())
    }

    /// The issuing CAs that were revoked, the first one first.
    pub async fn revoked_cas(&self) -> Result<Vec<RevokedCaRow>, StoreError> {
        const SQL: &str = "
            select issuer, serial, revoked_at, reason, operator, replaced_at from revoked_cas
            order by revoked_at, issuer";
        let read = |row: &Row| {
            Ok(RevokedCaRow {
                issuer: row.string(0)?,
                serial: row.bytes(1)?.to_vec(),
                revoked_at: row.timestamp(2)?,
                reason: row.small(3)?,
                operator: row.string(4)?,
                replaced_at: row.opt_timestamp(5)?,
            })
        };
        let rows = self.query(SQL, Vec::new()).await?;
        rows.iter().map(read).collect()
    }

    /// The issuing CA of a certificate, by its id.
    pub async fn issuer_of(&self, id: CertificateId) -> Result<Option<String>, StoreError> {
        const SQL: &str = "select issuer from certificates where id = $1";
        let row = self.query_one(SQL, values![id.0]).await?;
        row.map(|row| row.string(0)).transpose()
    }

    /// Certificates of an issuing CA that are in force at `now`, by serial number after `after`, `limit` at most.
    pub async fn certificates_in_force(
        &self,
        issuer: &str,
        now: Timestamp,
        after: &[u8],
        limit: i64,
    ) -> Result<Vec<HeldCertificate>, StoreError> {
        const SQL: &str = "
            select c.id, c.order_id, c.reseller_id, c.serial, c.names, c.not_after,
                case when exists (
                    select 1 from orders o where o.id = c.order_id and o.certificate_id = c.id)
                    then 1 else 0 end
            from certificates c
            where c.issuer = $1 and c.serial > $2 and c.state = 'issued' and c.not_after >= $3
            order by c.serial limit $4";
        let read = |row: &Row| {
            Ok(HeldCertificate {
                id: CertificateId(row.int(0)?),
                order: OrderId(row.int(1)?),
                reseller: ResellerId(row.int(2)?),
                serial: row.bytes(3)?.to_vec(),
                names: row.json(4)?,
                not_after: row.timestamp(5)?,
                is_current: row.truth(6)?,
            })
        };
        let rows = self.scan(SQL, values![issuer, after, now, limit]).await?;
        rows.iter().map(read).collect()
    }
}
