//! Certificates: on record before they are signed.

use chancery_domain::certificates::{
    Certificate, CertificateId, CertificateState, CertificateSummary,
};
use chancery_domain::issuances::IssuanceId;
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;
use chancery_domain::validity::Validity;
use chancery_domain::{SignedDuration, Timestamp};

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// A certificate's serial, when it was revoked, and the CRLReason if one was given.
pub type RevokedEntry = (Vec<u8>, Timestamp, Option<u8>);

/// How many revoked certificates are read at once.
const REVOKED_PAGE: i64 = 2_000;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select id, issuance_id, order_id, reseller_id, issuer, serial, names, spki_sha256,
                not_before, not_after, tbs, reserved_at, state, der, signed_at, revoked_at,
                revocation_reason
            from certificates where ",
            $condition
        )
    };
}

impl Change {
    /// Puts a certificate on record, not signed yet. A serial that is taken is a conflict.
    pub fn insert_certificate(&mut self, certificate: &Certificate) {
        const SQL: &str = "
            insert into certificates (id, issuance_id, order_id, reseller_id, issuer, serial, names,
                spki_sha256, not_before, not_after, tbs, reserved_at, state)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'reserved')";
        self.expect_one(
            SQL,
            values![
                certificate.id.0,
                certificate.issuance.0,
                certificate.order.0,
                certificate.reseller.0,
                &certificate.issuer,
                certificate.serial.as_slice(),
                to_json(&certificate.names),
                certificate.spki_sha256.as_slice(),
                certificate.validity.not_before,
                certificate.validity.not_after,
                certificate.tbs.as_slice(),
                certificate.reserved_at,
            ],
            conflict(certificate.id),
        );
    }

    /// Stores the signed bytes of a reserved certificate; only once.
    pub fn store_signed(&mut self, id: CertificateId, der: Vec<u8>, signed_at: Timestamp) {
        const SQL: &str = "
            update certificates set state = 'issued', der = $1, signed_at = $2
            where id = $3 and state = 'reserved'";
        self.expect_one(SQL, values![der, signed_at, id.0], conflict(id));
    }

    /// Revokes an issued certificate, for the CRLReason given; only once.
    pub fn revoke_certificate(&mut self, id: CertificateId, at: Timestamp, reason: Option<u8>) {
        const SQL: &str = "
            update certificates set state = 'revoked', revoked_at = $1, revocation_reason = $2
            where id = $3 and state = 'issued'";
        let reason = reason.map(i64::from);
        self.expect_one(SQL, values![at, reason, id.0], conflict(id));
    }

    /// Gives a reserved certificate up.
    pub fn abandon_certificate(&mut self, id: CertificateId) {
        const SQL: &str = "
            update certificates set state = 'abandoned' where id = $1 and state = 'reserved'";
        self.expect_one(SQL, values![id.0], conflict(id));
    }
}

impl Store {
    /// A certificate.
    pub async fn certificate(&self, id: CertificateId) -> Result<Option<Certificate>, StoreError> {
        const SQL: &str = select!("id = $1");
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read).transpose()
    }

    /// What descriptions say of the certificates issued under an order, the oldest first.
    pub async fn issued_certificates(
        &self,
        order: OrderId,
    ) -> Result<Vec<CertificateSummary>, StoreError> {
        const SQL: &str = "
            select id, not_before, not_after, signed_at, revoked_at from certificates
            where order_id = $1 and signed_at is not null order by signed_at, id";
        let rows = self.query(SQL, values![order.0]).await?;
        rows.iter().map(|row| summary(row, 0)).collect()
    }

    /// What an issuer has revoked and had not expired at `not_after_from`, read page by page: what is revoked
    /// meanwhile may be missing.
    pub async fn revoked_certificates(
        &self,
        issuer: &str,
        not_after_from: Timestamp,
    ) -> Result<Vec<RevokedEntry>, StoreError> {
        const SQL: &str = "
            select serial, revoked_at, revocation_reason, not_after, id from certificates
            where issuer = $1 and revoked_at is not null and (not_after, id) > ($2, $3)
            order by not_after, id limit $4";
        let mut found = Vec::new();
        let mut after = (not_after_from - SignedDuration::from_micros(1), i64::MAX);
        loop {
            let values = values![issuer, after.0, after.1, REVOKED_PAGE];
            let rows = self.scan(SQL, values).await?;
            for row in &rows {
                found.push((row.bytes(0)?.to_vec(), row.timestamp(1)?, reason(row, 2)?));
            }
            match rows.last() {
                Some(last) if rows.len() as i64 == REVOKED_PAGE => {
                    after = (last.timestamp(3)?, last.int(4)?);
                }
                _ => return Ok(found),
            }
        }
    }
}

/// Reads a summary whose columns begin at `from`.
pub(crate) fn summary(row: &Row, from: usize) -> Result<CertificateSummary, StoreError> {
    Ok(CertificateSummary {
        id: CertificateId(row.int(from)?),
        validity: Validity {
            not_before: row.timestamp(from + 1)?,
            not_after: row.timestamp(from + 2)?,
        },
        signed_at: row.timestamp(from + 3)?,
        revoked_at: row.opt_timestamp(from + 4)?,
    })
}

fn conflict(id: CertificateId) -> Failure {
    Failure::Conflict {
        what: "certificate",
        id: id.0,
    }
}

fn reason(row: &Row, column: usize) -> Result<Option<u8>, StoreError> {
    row.opt_int(column)?.map(|_| row.small(column)).transpose()
}

fn read(row: &Row) -> Result<Certificate, StoreError> {
    const STATE: usize = 12;
    let columns = (
        row.text(STATE)?,
        row.opt_bytes(13)?.map(<[u8]>::to_vec),
        row.opt_timestamp(14)?,
        row.opt_timestamp(15)?,
    );
    let state = match columns {
        ("reserved", None, None, None) => CertificateState::Reserved,
        ("abandoned", None, None, None) => CertificateState::Abandoned,
        ("issued", Some(der), Some(signed_at), None) => CertificateState::Issued { der, signed_at },
        ("revoked", Some(der), Some(signed_at), Some(revoked_at)) => CertificateState::Revoked {
            der,
            signed_at,
            revoked_at,
            reason: reason(row, 16)?,
        },
        _ => return Err(row.corrupt(STATE, "the state does not fit its bytes and dates")),
    };
    Ok(Certificate {
        id: CertificateId(row.int(0)?),
        issuance: IssuanceId(row.int(1)?),
        order: OrderId(row.int(2)?),
        reseller: ResellerId(row.int(3)?),
        issuer: row.string(4)?,
        serial: row.bytes(5)?.to_vec(),
        names: row.json(6)?,
        spki_sha256: row.bytes(7)?.to_vec(),
        validity: Validity {
            not_before: row.timestamp(8)?,
            not_after: row.timestamp(9)?,
        },
        tbs: row.bytes(10)?.to_vec(),
        reserved_at: row.timestamp(11)?,
        state,
    })
}
