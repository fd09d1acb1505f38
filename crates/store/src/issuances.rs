//! Issuances: one row each; the names to be proved are one JSON list, read and written whole.

use chancery_domain::authorizations::Method;
use chancery_domain::certificates::CertificateId;
use chancery_domain::issuances::{Issuance, IssuanceId, IssuanceState, Purpose};
use chancery_domain::money::{Currency, Money};
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// The columns of an issuance, in the order [`read`] takes them.
macro_rules! issuance_columns {
    () => {
        "select i.id, i.order_id, i.reseller_id, i.csr, i.spki, i.method, i.controls, i.looks,
            i.looked_at, i.validate_by, i.state, i.certificate_id, i.reason, i.created_at,
            i.modified_at, i.version, i.purpose, i.amount, i.currency, i.sign_from "
    };
}

impl Change {
    /// Inserts an issuance just begun.
    pub fn insert_issuance(&mut self, issuance: &Issuance) {
        const SQL: &str = "
            insert into issuances (id, order_id, reseller_id, csr, spki, method, controls, looks,
                looked_at, validate_by, state, certificate_id, reason, created_at, modified_at,
                version, purpose, amount, currency, sign_from)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19, $20)";
        let (state, certificate, reason) = state_columns(&issuance.state);
        self.execute(
            SQL,
            values![
                issuance.id.0,
                issuance.order.0,
                issuance.reseller.0,
                issuance.csr.as_slice(),
                issuance.spki.as_slice(),
                issuance.method.as_str(),
                to_json(&issuance.names),
                issuance.looks,
                issuance.looked_at,
                issuance.validate_by,
                state,
                certificate,
                reason,
                issuance.created_at,
                issuance.modified_at,
                issuance.version,
                issuance.purpose.as_str(),
                issuance.price.minor,
                issuance.price.currency.as_str(),
                issuance.sign_from,
            ],
        );
    }

    /// Saves an issuance that moved, unless someone moved it first.
    pub fn save_issuance(&mut self, issuance: &Issuance) {
        const SQL: &str = "
            update issuances
            set method = $1, controls = $2, looks = $3, looked_at = $4, state = $5,
                certificate_id = $6, reason = $7, modified_at = $8, version = version + 1
            where id = $9 and version = $10";
        let (state, certificate, reason) = state_columns(&issuance.state);
        self.expect_one(
            SQL,
            values![
                issuance.method.as_str(),
                to_json(&issuance.names),
                issuance.looks,
                issuance.looked_at,
                state,
                certificate,
                reason,
                issuance.modified_at,
                issuance.id.0,
                issuance.version,
            ],
            Failure::Conflict {
                what: "issuance",
                id: issuance.id.0,
            },
        );
    }
}

impl Store {
    /// The runs of an order that were charged for and not given back, the oldest first.
    pub async fn charged_issuances(&self, order: OrderId) -> Result<Vec<Issuance>, StoreError> {
        const SQL: &str = concat!(
            issuance_columns!(),
            "from issuances i where i.order_id = $1 and i.amount > 0 and not exists (
                select 1 from ledger_entries e
                where e.issuance_id = i.id and e.kind = 'refund' and e.account = 'reseller')
            order by i.created_at, i.id"
        );
        let rows = self.query(SQL, values![order.0]).await?;
        rows.iter().map(|row| read(row, 0)).collect()
    }

    /// An issuance.
    pub async fn issuance(&self, id: IssuanceId) -> Result<Option<Issuance>, StoreError> {
        const SQL: &str = concat!(issuance_columns!(), "from issuances i where i.id = $1");
        let row = self.query_one(SQL, values![id.0]).await?;
        row.map(|row| read(&row, 0)).transpose()
    }
}

type StateColumns<'a> = (&'static str, Option<i64>, Option<&'a str>);

fn state_columns(state: &IssuanceState) -> StateColumns<'_> {
    match state {
        IssuanceState::Validating => ("validating", None, None),
        IssuanceState::Signing { certificate } => ("signing", Some(certificate.0), None),
        IssuanceState::Issued { certificate } => ("issued", Some(certificate.0), None),
        IssuanceState::Rejected { reason } => ("rejected", None, Some(reason)),
        IssuanceState::Cancelled => ("cancelled", None, None),
    }
}

/// Reads an issuance whose columns begin at `from`.
pub(crate) fn read(row: &Row, from: usize) -> Result<Issuance, StoreError> {
    let state_column = from + 10;
    let columns = (
        row.text(state_column)?,
        row.opt_int(from + 11)?,
        row.opt_string(from + 12)?,
    );
    let state = match columns {
        ("validating", None, None) => IssuanceState::Validating,
        ("signing", Some(id), None) => IssuanceState::Signing {
            certificate: CertificateId(id),
        },
        ("issued", Some(id), None) => IssuanceState::Issued {
            certificate: CertificateId(id),
        },
        ("rejected", None, Some(reason)) => IssuanceState::Rejected { reason },
        ("cancelled", None, None) => IssuanceState::Cancelled,
        _ => return Err(row.corrupt(state_column, "the state does not fit its certificate")),
    };
    Ok(Issuance {
        id: IssuanceId(row.int(from)?),
        order: OrderId(row.int(from + 1)?),
        reseller: ResellerId(row.int(from + 2)?),
        csr: row.bytes(from + 3)?.to_vec(),
        spki: row.bytes(from + 4)?.to_vec(),
        method: row.parsed(from + 5, Method::parse)?,
        names: row.json(from + 6)?,
        looks: row.small(from + 7)?,
        looked_at: row.opt_timestamp(from + 8)?,
        validate_by: row.timestamp(from + 9)?,
        state,
        created_at: row.timestamp(from + 13)?,
        modified_at: row.timestamp(from + 14)?,
        version: row.int(from + 15)?,
        purpose: row.parsed(from + 16, Purpose::parse)?,
        price: Money {
            minor: row.int(from + 17)?,
            currency: row.parsed(from + 18, |text| Currency::parse(text).ok())?,
        },
        sign_from: row.opt_timestamp(from + 19)?,
    })
}
