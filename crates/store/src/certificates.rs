//! Certificates: on record before they are signed.

use chancery_domain::certificates::{
    Certificate, CertificateId, CertificateLine, CertificateState, CertificateSummary,
};
use chancery_domain::issuances::IssuanceId;
use chancery_domain::names::DomainName;
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
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
                revocation_reason, revocation_asked_at, revocation_due_at, revoked_by
            from certificates where ",
            $condition
        )
    };
}

macro_rules! select_lines {
    ($condition:literal) => {
        concat!(
            "select id, order_id, reseller_id, serial, names, spki_sha256, not_before, not_after,
                signed_at, revoked_at, revocation_reason, revocation_asked_at, revocation_due_at,
                revoked_by
            from certificates
            where signed_at is not null and id > $1 and ",
            $condition,
            " order by id limit $2"
        )
    };
}

/// Which certificates are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CertificateFilter {
    /// Those of an order.
    Order(OrderId),
    /// The one with this serial, or one of each issuer: the content octets of the DER integer.
    Serial(Vec<u8>),
    /// Those with this key: SHA-256 of its `SubjectPublicKeyInfo`.
    Key([u8; 32]),
    /// Those that cover this very name. It takes a look at every certificate.
    Name(DomainName),
    /// All.
    All,
}

/// Certificates by id after `$1`, at most `$2`.
pub(crate) const PAGE: &str = select!("id > $1 order by id limit $2");

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

    /// Stores the signed bytes of a reserved certificate; only once, and neither where its key is blocked nor of an
    /// issuing CA that was revoked.
    pub fn store_signed(&mut self, id: CertificateId, der: Vec<u8>, signed_at: Timestamp) {
        const SQL: &str = "
            update certificates set state = 'issued', der = $1, signed_at = $2
            where id = $3 and state = 'reserved'
                and not exists (
                    select 1 from blocked_keys where blocked_keys.spki_sha256 = certificates.spki_sha256)
                and not exists (select 1 from revoked_cas r where r.issuer = certificates.issuer)";
        self.expect_one(SQL, values![der, signed_at, id.0], conflict(id));
    }

    /// Revokes an issued certificate; only once.
    pub fn revoke_certificate(&mut self, id: CertificateId, revocation: &Revocation) {
        const SQL: &str = "
            update certificates set state = 'revoked', revoked_at = $1, revocation_reason = $2,
                revocation_asked_at = $3, revocation_due_at = $4, revoked_by = $5
            where id = $6 and state = 'issued'";
        let values = values![
            revocation.at,
            revocation.reason.entry_code().map(i64::from),
            revocation.asked_at,
            revocation.due_at,
            revocation.by.to_string(),
            id.0,
        ];
        self.expect_one(SQL, values, conflict(id));
    }

    /// Changes the reason of a revocation to *keyCompromise*; only once (BR 7.2.2).
    pub fn amend_revocation(&mut self, id: CertificateId) {
        const SQL: &str = "
            update certificates set revocation_reason = $1
            where id = $2 and state = 'revoked' and (revocation_reason is null or revocation_reason <> $1)";
        let reason = i64::from(RevocationReason::KeyCompromise.code());
        self.expect_one(SQL, values![reason, id.0], conflict(id));
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
            select id, not_before, not_after, signed_at, revoked_at, revocation_reason from certificates
            where order_id = $1 and signed_at is not null order by signed_at, id";
        let rows = self.query(SQL, values![order.0]).await?;
        rows.iter().map(|row| summary(row, 0)).collect()
    }

    /// Certificates that were signed, in the order of their ids and beyond `after`, at most `limit`.
    pub async fn certificate_lines(
        &self,
        filter: &CertificateFilter,
        after: CertificateId,
        limit: i64,
    ) -> Result<Vec<CertificateLine>, StoreError> {
        // The serial's index begins with the issuer.
        const SERIAL: &str = select_lines!(
            "serial = $3 and issuer in (
                select issuer from authorities union all select issuer from issuing_cas)"
        );
        const NAME: &str = select_lines!("names like $3 escape '!'");
        let mut values = values![after.0, limit];
        let sql = match filter {
            CertificateFilter::All => select_lines!("1 = 1"),
            CertificateFilter::Order(order) => {
                values.push(order.0.into());
                select_lines!("order_id = $3")
            }
            CertificateFilter::Serial(serial) => {
                values.push(serial.as_slice().into());
                SERIAL
            }
            CertificateFilter::Key(hash) => {
                values.push((*hash).into());
                select_lines!("spki_sha256 = $3")
            }
            CertificateFilter::Name(name) => {
                // A name has neither quotes nor the wildcards of a pattern.
                values.push(format!("%\"{name}\"%").into());
                NAME
            }
        };
        let rows = self.scan(sql, values).await?;
        rows.iter().map(read_line).collect()
    }

    /// Certificates with this key that are in force, in the order of their ids, at most `limit`; of all resellers, or of
    /// one.
    pub async fn certificates_in_force_of_key(
        &self,
        spki_sha256: &[u8],
        reseller: Option<ResellerId>,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<CertificateLine>, StoreError> {
        const SQL: &str = select_lines!(
            "spki_sha256 = $3 and state = 'issued' and not_after >= $4 and (reseller_id = $5 or $5 = 0)"
        );
        let reseller = reseller.map_or(0, |reseller| reseller.0);
        let rows = self.scan(SQL, values![0_i64, limit, spki_sha256, now, reseller]);
        rows.await?.iter().map(read_line).collect()
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
        revocation_reason: match row.opt_timestamp(from + 4)? {
            Some(_) => Some(read_reason(row, from + 5)?),
            None => None,
        },
    })
}

fn conflict(id: CertificateId) -> Failure {
    Failure::Conflict {
        what: "certificate",
        id: id.0,
    }
}

pub(crate) fn reason(row: &Row, column: usize) -> Result<Option<u8>, StoreError> {
    row.opt_int(column)?.map(|_| row.small(column)).transpose()
}

fn read_reason(row: &Row, column: usize) -> Result<RevocationReason, StoreError> {
    let code = reason(row, column)?.unwrap_or_default();
    RevocationReason::from_code(code)
        .ok_or_else(|| row.corrupt(column, "nobody revokes for this reason"))
}

/// Reads the five columns of a revocation, from that of its time on.
pub(crate) fn read_revocation(row: &Row, from: usize) -> Result<Option<Revocation>, StoreError> {
    let Some(at) = row.opt_timestamp(from)? else {
        return Ok(None);
    };
    let asked_at = row.opt_timestamp(from + 2)?.unwrap_or(at);
    Ok(Some(Revocation {
        at,
        reason: read_reason(row, from + 1)?,
        by: match row.opt_text(from + 4)? {
            Some(_) => row.parsed(from + 4, Requester::parse)?,
            // Releases before revoked of themselves only.
            None => Requester::Platform,
        },
        asked_at,
        due_at: row.opt_timestamp(from + 3)?.unwrap_or(asked_at),
    }))
}

fn read_line(row: &Row) -> Result<CertificateLine, StoreError> {
    Ok(CertificateLine {
        id: CertificateId(row.int(0)?),
        order: OrderId(row.int(1)?),
        reseller: ResellerId(row.int(2)?),
        serial: row.bytes(3)?.to_vec(),
        names: row.json(4)?,
        spki_sha256: row.bytes(5)?.to_vec(),
        validity: Validity {
            not_before: row.timestamp(6)?,
            not_after: row.timestamp(7)?,
        },
        signed_at: row.timestamp(8)?,
        revocation: read_revocation(row, 9)?,
    })
}

pub(crate) fn read(row: &Row) -> Result<Certificate, StoreError> {
    const STATE: usize = 12;
    let columns = (
        row.text(STATE)?,
        row.opt_bytes(13)?.map(<[u8]>::to_vec),
        row.opt_timestamp(14)?,
        read_revocation(row, 15)?,
    );
    let state = match columns {
        ("reserved", None, None, None) => CertificateState::Reserved,
        ("abandoned", None, None, None) => CertificateState::Abandoned,
        ("issued", Some(der), Some(signed_at), None) => CertificateState::Issued { der, signed_at },
        ("revoked", Some(der), Some(signed_at), Some(revocation)) => CertificateState::Revoked {
            der,
            signed_at,
            revocation,
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
