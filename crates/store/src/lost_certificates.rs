//! Certificates that were signed and that a restored database does not have: known from the record beside it, so that
//! they can be revoked and stay on revocation lists.

use chancery_domain::Timestamp;
use chancery_domain::revocations::{Revocation, RevocationReason};

use crate::certificates::{RevokedEntry, read_revocation, reason};
use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select issuer, serial, order_id, reseller_id, names, spki_sha256, not_after, signed_at, found_at,
                revoked_at, revocation_reason, revocation_asked_at, revocation_due_at, revoked_by
            from lost_certificates where ",
            $condition
        )
    };
}

/// A certificate that was signed and is not in the database any more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LostCertificate {
    /// The issuing CA's id.
    pub issuer: String,
    /// Its serial number.
    pub serial: Vec<u8>,
    /// The order it was signed for, if that is known. The database may lack it, too.
    pub order: Option<i64>,
    /// Whose order that was.
    pub reseller: Option<i64>,
    /// What it covers, if that is known.
    pub names: Vec<String>,
    /// SHA-256 of its key, if that is known.
    pub spki_sha256: Option<Vec<u8>>,
    /// Its last second; that of its issuer where it is not known.
    pub not_after: Timestamp,
    /// When it was signed, if that is known.
    pub signed_at: Option<Timestamp>,
    /// When it was put on record here.
    pub found_at: Timestamp,
    /// That it was revoked, if it was.
    pub revocation: Option<Revocation>,
}

/// Which lost certificates are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LostFilter {
    /// All of them.
    All,
    /// Those with a serial number: one of each issuer at most.
    Serial(Vec<u8>),
    /// Those with a key, SHA-256 of its `SubjectPublicKeyInfo`.
    Key([u8; 32]),
    /// Those of an order.
    Order(i64),
}

impl Change {
    /// Puts a lost certificate on record. One that is there becomes revoked, compromised, or known by its order, if
    /// that is news.
    pub fn insert_lost_certificate(&mut self, lost: &LostCertificate) {
        const SQL: &str = "
            insert into lost_certificates (issuer, serial, order_id, reseller_id, names, spki_sha256, not_after,
                signed_at, found_at, revoked_at, revocation_reason, revocation_asked_at, revocation_due_at, revoked_by)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            on conflict (issuer, serial) do update
            set order_id = coalesce(lost_certificates.order_id, excluded.order_id),
                reseller_id = coalesce(lost_certificates.reseller_id, excluded.reseller_id),
                names = case when lost_certificates.signed_at is null
                    then excluded.names else lost_certificates.names end,
                spki_sha256 = coalesce(lost_certificates.spki_sha256, excluded.spki_sha256),
                not_after = case when lost_certificates.signed_at is null
                    then excluded.not_after else lost_certificates.not_after end,
                signed_at = coalesce(lost_certificates.signed_at, excluded.signed_at),
                revoked_at = coalesce(lost_certificates.revoked_at, excluded.revoked_at),
                revocation_reason = case
                    when lost_certificates.revoked_at is null or excluded.revocation_reason = 1
                    then excluded.revocation_reason else lost_certificates.revocation_reason end,
                revocation_asked_at = coalesce(lost_certificates.revocation_asked_at, excluded.revocation_asked_at),
                revocation_due_at = coalesce(lost_certificates.revocation_due_at, excluded.revocation_due_at),
                revoked_by = coalesce(lost_certificates.revoked_by, excluded.revoked_by)";
        let revocation = lost.revocation.as_ref();
        let code = revocation.and_then(|revocation| revocation.reason.entry_code());
        self.execute(
            SQL,
            values![
                &lost.issuer,
                lost.serial.as_slice(),
                lost.order,
                lost.reseller,
                to_json(&lost.names),
                lost.spki_sha256.clone(),
                lost.not_after,
                lost.signed_at,
                lost.found_at,
                revocation.map(|revocation| revocation.at),
                code.map(i64::from),
                revocation.map(|revocation| revocation.asked_at),
                revocation.map(|revocation| revocation.due_at),
                revocation.map(|revocation| revocation.by.to_string()),
            ],
        );
    }

    /// Revokes a lost certificate; only once.
    pub fn revoke_lost_certificate(&mut self, lost: &LostCertificate, revocation: &Revocation) {
        const SQL: &str = "
            update lost_certificates set revoked_at = $1, revocation_reason = $2, revocation_asked_at = $3,
                revocation_due_at = $4, revoked_by = $5
            where issuer = $6 and serial = $7 and revoked_at is null";
        let values = values![
            revocation.at,
            revocation.reason.entry_code().map(i64::from),
            revocation.asked_at,
            revocation.due_at,
            revocation.by.to_string(),
            &lost.issuer,
            lost.serial.as_slice()
        ];
        self.expect_one(SQL, values, CHANGED);
    }

    /// Changes the reason of a lost certificate's revocation to *keyCompromise*; only once (BR 7.2.2).
    pub fn amend_lost_revocation(&mut self, lost: &LostCertificate) {
        const SQL: &str = "
            update lost_certificates set revocation_reason = $1
            where issuer = $2 and serial = $3 and revoked_at is not null
                and (revocation_reason is null or revocation_reason <> $1)";
        let reason = i64::from(RevocationReason::KeyCompromise.code());
        let values = values![reason, &lost.issuer, lost.serial.as_slice()];
        self.expect_one(SQL, values, CHANGED);
    }
}

const CHANGED: Failure = Failure::Conflict {
    what: "lost certificate",
    id: 0,
};

impl Store {
    /// The lost certificate with a serial number.
    pub async fn lost_certificate(
        &self,
        issuer: &str,
        serial: &[u8],
    ) -> Result<Option<LostCertificate>, StoreError> {
        const SQL: &str = select!("issuer = $1 and serial = $2");
        let row = self.query_one(SQL, values![issuer, serial]).await?;
        row.as_ref().map(read).transpose()
    }

    /// The lost certificates that had not expired at `not_after_from`, the first found first.
    pub async fn lost_certificates(
        &self,
        filter: &LostFilter,
        not_after_from: Timestamp,
    ) -> Result<Vec<LostCertificate>, StoreError> {
        const ALL: &str = select!("not_after >= $1 order by found_at, issuer, serial");
        const SERIAL: &str =
            select!("not_after >= $1 and serial = $2 order by found_at, issuer, serial");
        const KEY: &str =
            select!("not_after >= $1 and spki_sha256 = $2 order by found_at, issuer, serial");
        const ORDER: &str =
            select!("not_after >= $1 and order_id = $2 order by found_at, issuer, serial");
        let (sql, values) = match filter {
            LostFilter::All => (ALL, values![not_after_from]),
            LostFilter::Serial(serial) => (SERIAL, values![not_after_from, serial.as_slice()]),
            LostFilter::Key(hash) => (KEY, values![not_after_from, *hash]),
            LostFilter::Order(order) => (ORDER, values![not_after_from, *order]),
        };
        let rows = self.scan(sql, values).await?;
        rows.iter().map(read).collect()
    }

    /// The lost certificates of an issuer that were revoked and had not expired at `not_after_from`, and whose
    /// serial numbers are on no list by themselves.
    pub async fn revoked_lost_certificates(
        &self,
        issuer: &str,
        not_after_from: Timestamp,
    ) -> Result<Vec<RevokedEntry>, StoreError> {
        const SQL: &str = "
            select serial, revoked_at, revocation_reason from lost_certificates
            where issuer = $1 and not_after >= $2 and revoked_at is not null
                and not exists (
                    select 1 from certificates c
                    where c.issuer = lost_certificates.issuer and c.serial = lost_certificates.serial
                        and c.revoked_at is not null)
            order by serial";
        let rows = self.scan(SQL, values![issuer, not_after_from]).await?;
        let entry = |row: &Row| {
            let told = reason(row, 2)?.filter(|code| *code != 0);
            Ok((row.bytes(0)?.to_vec(), row.timestamp(1)?, told))
        };
        rows.iter().map(entry).collect()
    }
}

fn read(row: &Row) -> Result<LostCertificate, StoreError> {
    Ok(LostCertificate {
        issuer: row.string(0)?,
        serial: row.bytes(1)?.to_vec(),
        order: row.opt_int(2)?,
        reseller: row.opt_int(3)?,
        names: row.json(4)?,
        spki_sha256: row.opt_bytes(5)?.map(<[u8]>::to_vec),
        not_after: row.timestamp(6)?,
        signed_at: row.opt_timestamp(7)?,
        found_at: row.timestamp(8)?,
        revocation: read_revocation(row, 9)?,
    })
}
