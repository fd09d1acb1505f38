//! Orders, alone and with what their description needs.

use chancery_domain::Timestamp;
use chancery_domain::certificates::{CertificateId, CertificateSummary};
use chancery_domain::checklists::VettingKind;
use chancery_domain::contacts::ContactId;
use chancery_domain::issuances::{Issuance, IssuanceId};
use chancery_domain::ledger::Posting;
use chancery_domain::money::{Currency, Money};
use chancery_domain::names::DomainName;
use chancery_domain::orders::{Failure as OrderFailure, NameCounts, Order, OrderId, OrderState};
use chancery_domain::organizations::OrganizationId;
use chancery_domain::products::Term;
use chancery_domain::resellers::ResellerId;
use chancery_domain::stages::Stage;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;
use crate::{certificates, issuances};

/// An order, its latest issuance, and the certificate in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrderFile {
    /// The order.
    pub order: Order,
    /// Its latest issuance.
    pub issuance: Issuance,
    /// The latest certificate that was issued under it.
    pub certificate: Option<CertificateSummary>,
}

/// The columns of an order, in the order [`read_order`] takes them.
macro_rules! file_query {
    ($condition:literal) => {
        concat!(
            "select o.id, o.reseller_id, o.product_key, o.product_name, o.term_years, o.names,
                o.administrator_id, o.technical_id, o.issuance_id, o.amount, o.currency, o.state,
                o.settled_at, o.expires_at, o.reason, o.special_instruction, o.created_at,
                o.modified_at, o.version, o.organization_id, o.certificate_id, o.paid_names,
                o.paid_wildcards, o.reuse_key, o.renews_id, o.renewed_by_id, o.carry_until, o.stage,
                o.vetting_kind, o.reuse_refused, o.companion, o.use_prevalidated,
                i.id, i.order_id, i.reseller_id, i.csr, i.spki, i.method, i.controls, i.looks,
                i.looked_at, i.validate_by, i.state, i.certificate_id, i.reason, i.created_at,
                i.modified_at, i.version, i.purpose, i.amount, i.currency, i.sign_from,
                c.id, c.not_before, c.not_after, c.signed_at, c.revoked_at, c.revocation_reason
            from orders o
            join issuances i on i.id = o.issuance_id
            left join certificates c on c.id = o.certificate_id
            where ",
            $condition
        )
    };
}

const ISSUANCE_COLUMNS: usize = 32;
const CERTIFICATE_COLUMNS: usize = 52;

/// Which orders an operator wants to see; a part that is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct OrderListFilter {
    /// This reseller's.
    pub reseller: Option<ResellerId>,
    /// With this name among theirs.
    pub name: Option<DomainName>,
    /// In this stage, as it is on record.
    pub stage: Option<Stage>,
    /// With smaller ids.
    pub before: Option<OrderId>,
}

/// An order on an operator's list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedOrder {
    /// Its id.
    pub id: OrderId,
    /// Whose it is.
    pub reseller: ResellerId,
    /// The first of its names.
    pub common_name: String,
    /// How the product was called.
    pub product_name: String,
    /// How far it has come, as it is on record.
    pub stage: Stage,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When its term ends, once it has begun.
    pub expires_at: Option<Timestamp>,
    /// What was charged and not given back.
    pub price: Money,
}

impl Change {
    /// Inserts an order just placed, as the next of its reseller's, with its charge, and counts it. Refused
    /// as `balance` if the reseller's would fall below zero. `row_ids` are for the two ledger entries.
    pub fn place_order(&mut self, order: &Order, charge: &Posting, row_ids: [i64; 2]) {
        const ACCOUNT: &str = "
            update resellers set balance = balance + $1, order_count = order_count + 1
            where id = $2 and balance + $1 >= 0";
        let reseller = order.reseller.0;
        // Sets that move one balance meet at its row: let them travel together.
        self.lane(reseller);
        let account = values![charge.balance_change(), reseller];
        self.expect_one(ACCOUNT, account, Failure::Refused("balance"));
        if charge.amount.minor > 0 {
            self.enter(charge, row_ids);
        }
        self.insert_order(order);
        self.note_further_names(order);
    }

    /// Has an order found by its further names, too: those it has now, beside those it has had.
    pub fn note_further_names(&mut self, order: &Order) {
        const SQL: &str = "
            insert into order_names (reseller_id, ordinal, name)
            select reseller_id, ordinal, $1 from orders where id = $2
            on conflict (reseller_id, ordinal, name) do nothing";
        for name in order.names[1..].iter().chain(&order.companion) {
            self.execute(SQL, values![name.as_str(), order.id.0]);
        }
    }

    fn insert_order(&mut self, order: &Order) {
        const SQL: &str = "
            insert into orders (id, reseller_id, product_key, product_name, term_years, common_name,
                names, administrator_id, technical_id, issuance_id, amount, currency, state,
                settled_at, expires_at, reason, special_instruction, created_at, modified_at, version,
                organization_id, certificate_id, paid_names, paid_wildcards, reuse_key, renews_id,
                renewed_by_id, carry_until, stage, vetting_kind, reuse_refused, companion,
                use_prevalidated, ordinal)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33,
                (select order_count from resellers where id = $2))";
        let state = StateColumns::from(&order.state);
        self.execute(
            SQL,
            values![
                order.id.0,
                order.reseller.0,
                &order.product_key,
                &order.product_name,
                i64::from(order.term.0),
                order.common_name().as_str(),
                to_json(&order.names),
                order.administrator.0,
                order.technical.0,
                order.issuance.0,
                order.price.minor,
                order.price.currency.as_str(),
                state.word,
                state.settled_at,
                state.expires_at,
                state.reason,
                order.special_instruction.as_deref(),
                order.created_at,
                order.modified_at,
                order.version,
                order.organization.map(|id| id.0),
                order.certificate.map(|id| id.0),
                order.paid.names,
                order.paid.wildcards,
                order.reuse_key == Some(true),
                order.renews.map(|id| id.0),
                order.renewed_by.map(|id| id.0),
                order.carry_until,
                order.stage.as_str(),
                order.vetting.map(VettingKind::as_str),
                order.reuse_key == Some(false),
                order.companion.as_ref().map(DomainName::as_str),
                order.use_prevalidated,
            ],
        );
        self.count_placed(order);
    }

    /// Saves an order that moved, unless someone moved it first. `before` is the stage it was read at, which
    /// it is counted under until now.
    pub fn save_order(&mut self, order: &Order, before: Stage) {
        const SQL: &str = "
            update orders
            set issuance_id = $1, state = $2, settled_at = $3, expires_at = $4, reason = $5,
                modified_at = $6, names = $7, amount = $8, certificate_id = $9, paid_names = $10,
                paid_wildcards = $11, reuse_key = $12, renewed_by_id = $13, stage = $14,
                reuse_refused = $15, companion = $16, use_prevalidated = $17,
                certificate_expires_at = (select not_after from certificates where id = $9),
                version = version + 1
            where id = $18 and version = $19";
        let state = StateColumns::from(&order.state);
        self.expect_one(
            SQL,
            values![
                order.issuance.0,
                state.word,
                state.settled_at,
                state.expires_at,
                state.reason,
                order.modified_at,
                to_json(&order.names),
                order.price.minor,
                order.certificate.map(|id| id.0),
                order.paid.names,
                order.paid.wildcards,
                order.reuse_key == Some(true),
                order.renewed_by.map(|id| id.0),
                order.stage.as_str(),
                order.reuse_key == Some(false),
                order.companion.as_ref().map(DomainName::as_str),
                order.use_prevalidated,
                order.id.0,
                order.version,
            ],
            conflict(order.id),
        );
        if before != order.stage {
            self.count_move(order, before);
        }
    }
}

impl Store {
    /// A reseller's order.
    pub async fn find_order(
        &self,
        reseller: ResellerId,
        id: OrderId,
    ) -> Result<Option<OrderFile>, StoreError> {
        // The sum keeps PostgreSQL from an index on resellers: what is planned while the tables are empty
        // would go through all of a reseller's orders later.
        const SQL: &str = file_query!("o.id = $1 and o.reseller_id + 0 = $2");
        let row = self.query_one(SQL, values![id.0, reseller.0]).await?;
        row.as_ref().map(read_file).transpose()
    }

    /// The newest of a reseller's orders with a common name.
    pub async fn find_order_by_name(
        &self,
        reseller: ResellerId,
        name: &DomainName,
    ) -> Result<Option<OrderFile>, StoreError> {
        const SQL: &str = file_query!(
            "o.reseller_id = $1 and o.common_name = $2
                order by o.ordinal desc limit 1"
        );
        let row = self
            .query_one(SQL, values![reseller.0, name.as_str()])
            .await?;
        row.as_ref().map(read_file).transpose()
    }

    /// Any order, for the platform's own work.
    pub async fn order_file(&self, id: OrderId) -> Result<Option<OrderFile>, StoreError> {
        const SQL: &str = file_query!("o.id = $1");
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read_file).transpose()
    }

    /// The order of an issuance with that issuance, unless a later one has taken its place.
    pub async fn file_of_issuance(&self, id: IssuanceId) -> Result<Option<OrderFile>, StoreError> {
        const SQL: &str = file_query!("i.id = $1 and o.id = i.order_id");
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read_file).transpose()
    }

    /// Orders of whichever reseller's that a filter lets through, the newest first.
    pub async fn list_orders(
        &self,
        filter: &OrderListFilter,
        most: i64,
    ) -> Result<Vec<ListedOrder>, StoreError> {
        const SQL: &str = "
            select id, reseller_id, common_name, product_name, stage, created_at, expires_at, amount,
                currency
            from orders
            where id < $1 and (cast($2 as bigint) = 0 or reseller_id = $2)
                and (cast($3 as text) = '' or replace(names, $3, '') <> names)
                and (cast($4 as text) = '' or stage = $4)
            order by id desc limit $5";
        // As it stands among others in the column.
        let name = filter.name.as_ref().map(|name| format!("\"{name}\""));
        let values = values![
            filter.before.map_or(i64::MAX, |id| id.0),
            filter.reseller.map_or(0, |reseller| reseller.0),
            name.unwrap_or_default(),
            filter.stage.map_or("", Stage::as_str),
            most,
        ];
        let rows = self.scan(SQL, values).await?;
        let read = |row: &Row| {
            Ok(ListedOrder {
                id: OrderId(row.int(0)?),
                reseller: ResellerId(row.int(1)?),
                common_name: row.string(2)?,
                product_name: row.string(3)?,
                stage: row.parsed(4, Stage::parse)?,
                created_at: row.timestamp(5)?,
                expires_at: row.opt_timestamp(6)?,
                price: Money {
                    minor: row.int(7)?,
                    currency: row.parsed(8, |text| Currency::parse(text).ok())?,
                },
            })
        };
        rows.iter().map(read).collect()
    }

    /// How many orders of a reseller's there are.
    pub async fn orders_placed(&self, reseller: ResellerId) -> Result<i64, StoreError> {
        const SQL: &str = "select order_count from resellers where id = $1";
        let row = self.query_one(SQL, values![reseller.0]).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// A reseller's orders in their term that say nothing of key reuse, and so go by its setting: each with its
    /// ordinal, by ordinals after `after`, `limit` at most.
    pub async fn orders_by_default_key_reuse(
        &self,
        reseller: ResellerId,
        now: Timestamp,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, OrderId)>, StoreError> {
        const SQL: &str = "
            select ordinal, id from orders
            where reseller_id = $1 and ordinal > $2 and state = 'active' and expires_at > $3
                and reuse_key = 0 and reuse_refused = 0
            order by ordinal limit $4";
        let rows = self
            .scan(SQL, values![reseller.0, after, now, limit])
            .await?;
        let read = |row: &Row| Ok((row.int(0)?, OrderId(row.int(1)?)));
        rows.iter().map(read).collect()
    }

    /// Whether a contact stands behind an order that is open, or whose term has not ended.
    pub async fn is_contact_in_use(
        &self,
        reseller: ResellerId,
        contact: ContactId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            select 1 from orders
            where reseller_id = $1 and (administrator_id = $2 or technical_id = $2)
                and (state = 'open' or (state = 'active' and expires_at > $3))
            limit 1";
        let rows = self.scan(SQL, values![reseller.0, contact.0, now]).await?;
        Ok(!rows.is_empty())
    }
}

fn conflict(id: OrderId) -> Failure {
    Failure::Conflict {
        what: "order",
        id: id.0,
    }
}

struct StateColumns<'a> {
    word: &'static str,
    settled_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    reason: Option<&'a str>,
}

impl<'a> From<&'a OrderState> for StateColumns<'a> {
    fn from(state: &'a OrderState) -> Self {
        let plain = |word| Self {
            word,
            settled_at: None,
            expires_at: None,
            reason: None,
        };
        match state {
            OrderState::Open => plain("open"),
            OrderState::Active {
                settled_at,
                expires_at,
            } => Self {
                settled_at: Some(*settled_at),
                expires_at: Some(*expires_at),
                ..plain("active")
            },
            OrderState::Cancelled => plain("cancelled"),
            OrderState::Refunded {
                settled_at,
                expires_at,
            } => Self {
                settled_at: Some(*settled_at),
                expires_at: Some(*expires_at),
                ..plain("refunded")
            },
            OrderState::Failed(OrderFailure::ValidationExpired) => plain("validation_expired"),
            OrderState::Failed(OrderFailure::IssuerRefused(reason)) => Self {
                reason: Some(reason),
                ..plain("issuer_refused")
            },
            OrderState::Failed(OrderFailure::OrganizationRejected(reason)) => Self {
                reason: Some(reason),
                ..plain("organization_rejected")
            },
        }
    }
}

fn read_state(row: &Row) -> Result<OrderState, StoreError> {
    const STATE: usize = 11;
    let columns = (
        row.text(STATE)?,
        row.opt_timestamp(12)?,
        row.opt_timestamp(13)?,
        row.opt_string(14)?,
    );
    Ok(match columns {
        ("open", None, None, None) => OrderState::Open,
        ("active", Some(settled_at), Some(expires_at), None) => OrderState::Active {
            settled_at,
            expires_at,
        },
        ("cancelled", None, None, None) => OrderState::Cancelled,
        ("refunded", Some(settled_at), Some(expires_at), None) => OrderState::Refunded {
            settled_at,
            expires_at,
        },
        ("validation_expired", None, None, None) => {
            OrderState::Failed(OrderFailure::ValidationExpired)
        }
        ("issuer_refused", None, None, Some(reason)) => {
            OrderState::Failed(OrderFailure::IssuerRefused(reason))
        }
        ("organization_rejected", None, None, Some(reason)) => {
            OrderState::Failed(OrderFailure::OrganizationRejected(reason))
        }
        _ => return Err(row.corrupt(STATE, "the state does not fit its dates")),
    })
}

fn read_order(row: &Row) -> Result<Order, StoreError> {
    let names: Vec<DomainName> = row.json(5)?;
    if names.is_empty() {
        return Err(row.corrupt(5, "an order has at least one name"));
    }
    let currency = row.parsed(10, |text| Currency::parse(text).ok())?;
    Ok(Order {
        id: OrderId(row.int(0)?),
        reseller: ResellerId(row.int(1)?),
        product_key: row.string(2)?,
        product_name: row.string(3)?,
        term: Term(row.small(4)?),
        names,
        administrator: ContactId(row.int(6)?),
        technical: ContactId(row.int(7)?),
        issuance: IssuanceId(row.int(8)?),
        price: Money {
            minor: row.int(9)?,
            currency,
        },
        state: read_state(row)?,
        special_instruction: row.opt_string(15)?,
        created_at: row.timestamp(16)?,
        modified_at: row.timestamp(17)?,
        version: row.int(18)?,
        organization: row.opt_int(19)?.map(OrganizationId),
        certificate: row.opt_int(20)?.map(CertificateId),
        paid: NameCounts {
            names: row.small(21)?,
            wildcards: row.small(22)?,
        },
        // Two columns, for the release before this one knows the first: it takes what is not allowed for refused.
        reuse_key: match (row.truth(23)?, row.truth(29)?) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        },
        companion: match row.opt_text(30)? {
            None => None,
            Some(_) => Some(row.parsed(30, |text| DomainName::parse(text).ok())?),
        },
        renews: row.opt_int(24)?.map(OrderId),
        renewed_by: row.opt_int(25)?.map(OrderId),
        carry_until: row.opt_timestamp(26)?,
        stage: row.parsed(27, Stage::parse)?,
        vetting: match row.opt_text(28)? {
            None => None,
            Some(_) => Some(row.parsed(28, VettingKind::parse)?),
        },
        use_prevalidated: row.truth(31)?,
    })
}

fn read_file(row: &Row) -> Result<OrderFile, StoreError> {
    let certificate = match row.opt_int(CERTIFICATE_COLUMNS)? {
        None => None,
        Some(_) => Some(certificates::summary(row, CERTIFICATE_COLUMNS)?),
    };
    Ok(OrderFile {
        order: read_order(row)?,
        issuance: issuances::read(row, ISSUANCE_COLUMNS)?,
        certificate,
    })
}
