//! What a restored database is told by from one that went on: its numbers, its certificates, its pulse. Certificates
//! that it lost are in [`crate::lost_certificates`].

use std::collections::BTreeMap;

use chancery_domain::Timestamp;
use chancery_domain::certificates::CertificateId;

use crate::certificates::reason;
use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

const PULSE: &str = "pulse";
const LATEST_TIME: &str = "latest_time";

/// What one beat of the pulse found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pulse {
    /// How many beats there were, of all processes together.
    pub count: i64,
    /// The latest time that any process has seen.
    pub latest: Timestamp,
}

/// A certificate that was looked for by its serial number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SerialFound {
    /// Its id.
    pub id: CertificateId,
    /// The word of its state.
    pub state: String,
    /// Why it was revoked, where a reason is told.
    pub reason: Option<u8>,
    /// SHA-256 of its key.
    pub spki_sha256: Vec<u8>,
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

    /// The certificate with a serial number, as far as a restore goes by it.
    pub async fn certificate_by_serial(
        &self,
        issuer: &str,
        serial: &[u8],
    ) -> Result<Option<SerialFound>, StoreError> {
        const SQL: &str = "
            select id, state, revocation_reason, spki_sha256 from certificates
            where issuer = $1 and serial = $2";
        let row = self.query_one(SQL, values![issuer, serial]).await?;
        let read = |row: Row| {
            Ok(SerialFound {
                id: CertificateId(row.int(0)?),
                state: row.string(1)?,
                reason: reason(&row, 2)?,
                spki_sha256: row.bytes(3)?.to_vec(),
            })
        };
        row.map(read).transpose()
    }
}
