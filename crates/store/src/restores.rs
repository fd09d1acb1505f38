//! What a restored database lacks and the record beside it knows: numbers, certificates, revocations. And the pulse by
//! which a restored database is told from one that went on.

use std::collections::BTreeMap;

use chancery_domain::Timestamp;
use chancery_domain::certificates::CertificateId;

use crate::certificates::{RevokedEntry, reason};
use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

macro_rules! lost {
    ($condition:literal) => {
        concat!(
            "select issuer, serial, order_id, reseller_id, names, spki_sha256, not_after, signed_at, found_at,
                revoked_at, revocation_reason
            from lost_certificates where ",
            $condition
        )
    };
}

const PULSE: &str = "pulse";
const LATEST_TIME: &str = "latest_time";

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
    /// When it was revoked and why, if it was.
    pub revoked: Option<(Timestamp, Option<u8>)>,
}

/// What one beat of the pulse found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pulse {
    /// How many beats there were, of all processes together.
    pub count: i64,
    /// The latest time that any process has seen.
    pub latest: Timestamp,
}

impl Change {
    /// Lets a sequence go on at `next` at the earliest.
    pub fn raise_sequence(&mut self, name: &str, next: i64) {
        const SQL: &str = "update sequences set next = $1 where name = $2 and next < $1";
        self.execute(SQL, values![next, name]);
    }

    /// Lets the pulse go on above `count`.
    pub fn raise_pulse(&mut self, count: i64) {
        const SQL: &str = "
            insert into meta (key, value) values ($1, $2)
            on conflict (key) do update set value = excluded.value
            where cast(meta.value as bigint) < $3";
        self.execute(SQL, values![PULSE, count.to_string(), count]);
    }

    /// Takes this for the latest time seen, whatever was seen before.
    pub fn set_latest_time(&mut self, now: Timestamp) {
        self.set_meta(LATEST_TIME, &now.as_microsecond().to_string());
    }

    /// Puts a lost certificate on record. One that is there becomes revoked if it is not yet.
    pub fn insert_lost_certificate(&mut self, lost: &LostCertificate) {
        const SQL: &str = "
            insert into lost_certificates (issuer, serial, order_id, reseller_id, names, spki_sha256,
                not_after, signed_at, found_at, revoked_at, revocation_reason)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            on conflict (issuer, serial) do update
            set revoked_at = excluded.revoked_at, revocation_reason = excluded.revocation_reason
            where lost_certificates.revoked_at is null";
        let (revoked_at, reason) = lost.revoked.unzip();
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
                revoked_at,
                reason.flatten().map(i64::from),
            ],
        );
    }

    /// Revokes a lost certificate; only once.
    pub fn revoke_lost_certificate(
        &mut self,
        lost: &LostCertificate,
        at: Timestamp,
        reason: Option<u8>,
    ) {
        const SQL: &str = "
            update lost_certificates set revoked_at = $1, revocation_reason = $2
            where issuer = $3 and serial = $4 and revoked_at is null";
        let values = values![
            at,
            reason.map(i64::from),
            &lost.issuer,
            lost.serial.as_slice()
        ];
        let failure = Failure::Conflict {
            what: "lost certificate",
            id: 0,
        };
        self.expect_one(SQL, values, failure);
    }

    /// Has a reservation given up for a fresh one when it comes to be signed: its bytes were signed before.
    pub fn outdate_reservation(&mut self, id: CertificateId) {
        const SQL: &str =
            "update certificates set reserved_at = 0 where id = $1 and state = 'reserved'";
        self.execute(SQL, values![id.0]);
    }
}

impl Store {
    /// Counts one more beat of the pulse and keeps the time, if it is later than any before.
    pub async fn pulse(&self, now: Timestamp) -> Result<Pulse, StoreError> {
        const COUNT: &str = "
            insert into meta (key, value) values ($1, '1')
            on conflict (key) do update set value = cast(cast(meta.value as bigint) + 1 as text)
            returning value";
        const TIME: &str = "
            insert into meta (key, value) values ($1, $2)
            on conflict (key) do update
            set value = case when cast(meta.value as bigint) < $3 then excluded.value else meta.value end
            returning value";
        let micros = now.as_microsecond();
        let mut change = Change::new();
        change.query(COUNT, values![PULSE]);
        change.query(TIME, values![LATEST_TIME, micros.to_string(), micros]);
        let answers = self.commit(change).await?;
        let number = |at: usize| {
            let row = answers.get(at).and_then(|rows| rows.first());
            let row = row.ok_or_else(|| StoreError::database("the pulse was not answered"))?;
            row.parsed(0, |text| text.parse::<i64>().ok())
        };
        let latest = Timestamp::from_microsecond(number(1)?).map_err(StoreError::database)?;
        Ok(Pulse {
            count: number(0)?,
            latest,
        })
    }

    /// The latest time that any process has seen; none before the first start of this release.
    pub async fn latest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let micros = self.meta(LATEST_TIME).await?;
        let read = |text: String| {
            let micros = text.parse().map_err(StoreError::database)?;
            Timestamp::from_microsecond(micros).map_err(StoreError::database)
        };
        micros.map(read).transpose()
    }

    /// How many beats the pulse has had.
    pub async fn pulse_count(&self) -> Result<i64, StoreError> {
        let count = self.meta(PULSE).await?;
        let count = count.map_or(Ok(0), |text| text.parse());
        count.map_err(StoreError::database)
    }

    /// The next number of each sequence, by its name.
    pub async fn sequence_numbers(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let rows = self
            .query("select name, next from sequences", Vec::new())
            .await?;
        rows.iter()
            .map(|row| Ok((row.string(0)?, row.int(1)?)))
            .collect()
    }

    /// The id and the state's word of the certificate with a serial number.
    pub async fn certificate_by_serial(
        &self,
        issuer: &str,
        serial: &[u8],
    ) -> Result<Option<(CertificateId, String)>, StoreError> {
        const SQL: &str = "select id, state from certificates where issuer = $1 and serial = $2";
        let row = self.query_one(SQL, values![issuer, serial]).await?;
        let read = |row: Row| Ok((CertificateId(row.int(0)?), row.string(1)?));
        row.map(read).transpose()
    }

    /// The lost certificate with a serial number.
    pub async fn lost_certificate(
        &self,
        issuer: &str,
        serial: &[u8],
    ) -> Result<Option<LostCertificate>, StoreError> {
        const SQL: &str = lost!("issuer = $1 and serial = $2");
        let row = self.query_one(SQL, values![issuer, serial]).await?;
        row.as_ref().map(read_lost).transpose()
    }

    /// The lost certificates that had not expired at `not_after_from`, the first found first.
    pub async fn lost_certificates(
        &self,
        not_after_from: Timestamp,
    ) -> Result<Vec<LostCertificate>, StoreError> {
        const SQL: &str = lost!("not_after >= $1 order by found_at, issuer, serial");
        let rows = self.scan(SQL, values![not_after_from]).await?;
        rows.iter().map(read_lost).collect()
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
        let entry = |row: &Row| Ok((row.bytes(0)?.to_vec(), row.timestamp(1)?, reason(row, 2)?));
        rows.iter().map(entry).collect()
    }
}

fn read_lost(row: &Row) -> Result<LostCertificate, StoreError> {
    let revoked_at = row.opt_timestamp(9)?;
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
        revoked: match revoked_at {
            Some(at) => Some((at, reason(row, 10)?)),
            None => None,
        },
    })
}
