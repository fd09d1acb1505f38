//! Change sets: everything one decision writes, complete before any of it is sent.
//!
//! A [`Change`] is a list of statements with what each expects of the database. `Store::commit` applies all
//! of it or nothing, and answers when it is safe on disk. Because a set is complete, the engines may send
//! it in one round trip and let many sets share one flush; no caller can hold a transaction open across a
//! wait, for there is no transaction to hold.

use chancery_domain::issuances::IssuanceId;
use chancery_domain::money::Money;
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;

use crate::values::Value;

/// What a caller is told when an expectation does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// Someone else changed the thing first.
    Conflict {
        /// The noun.
        what: &'static str,
        /// Its id.
        id: i64,
    },
    /// A condition with a name, for example `balance`.
    Refused(&'static str),
}

/// What a statement expects, besides not failing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Expectation {
    /// Any number of rows may change.
    Any,
    /// Exactly so many rows change, and no unique key or check is violated; else the set fails with this.
    Rows(u64, Failure),
    /// A `select` finds exactly so many rows; else the set fails with this.
    Found(u64, Failure),
    /// The statement's rows are part of the answer.
    Answer,
}

/// One statement of a set.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value>,
    pub(crate) expect: Expectation,
}

/// What the log says of a change set once it is safe on disk: something happened to an order or a balance.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// What, in a few words or by the word of the event.
    pub what: &'static str,
    /// To which order.
    pub order: Option<OrderId>,
    /// Whose.
    pub reseller: ResellerId,
    /// In which run of it.
    pub issuance: Option<IssuanceId>,
    /// How much money moved.
    pub amount: Option<Money>,
}

impl Told {
    /// Writes it to the log.
    pub(crate) fn write(self) {
        let Self {
            what,
            order,
            reseller,
            issuance,
            amount,
        } = self;
        let what = what.replace('_', " ");
        tracing::info!(
            order.id = order.map(|order| order.0),
            reseller.id = reseller.0,
            issuance.id = issuance.map(|issuance| issuance.0),
            amount = amount.map(|amount| amount.to_string()),
            "{what}"
        );
    }
}

/// A change set under construction. Nouns add their statements in their own files.
#[derive(Debug, Default)]
pub struct Change {
    pub(crate) statements: Vec<Statement>,
    pub(crate) lane: Option<i64>,
    pub(crate) told: Vec<Told>,
}

impl Change {
    /// An empty set.
    pub fn new() -> Self {
        Self {
            statements: Vec::with_capacity(12),
            lane: None,
            told: Vec::new(),
        }
    }

    /// Has the log say something once the set is safe on disk, and not before.
    pub fn tell(&mut self, told: Told) {
        self.told.push(told);
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Names what the set will fight over, the reseller whose balance it changes or whose things it names.
    ///
    /// Sets of one lane are applied one after the other, whichever process sends them: a statement sees all that
    /// earlier sets of its lane have done, and nothing of it changes before the set is applied. What
    /// [`Change::expect_found`] finds stays true by that, as long as whoever could change it names the same lane.
    /// Such sets are also sent together instead of waiting for each other's row locks. The first name given counts.
    pub fn lane(&mut self, key: i64) -> &mut Self {
        self.lane.get_or_insert(key);
        self
    }

    /// Adds a statement that may change any number of rows.
    pub fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> &mut Self {
        self.add(sql, values, Expectation::Any)
    }

    /// Adds a statement that must change exactly one row, or else the whole set fails with `failure`; so
    /// does a unique key or a check that stands in its way.
    pub fn expect_one(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        failure: Failure,
    ) -> &mut Self {
        self.expect_rows(sql, values, 1, failure)
    }

    /// Adds a statement that must change exactly `rows` rows. It must not have a `returning` of its own.
    pub fn expect_rows(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        rows: u64,
        failure: Failure,
    ) -> &mut Self {
        self.add(sql, values, Expectation::Rows(rows, failure))
    }

    /// Adds a `select` that must find exactly `rows` rows, or else the whole set fails with `failure`. The set must
    /// have a lane, or another could change what is found.
    pub fn expect_found(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        rows: u64,
        failure: Failure,
    ) -> &mut Self {
        debug_assert!(
            self.lane.is_some(),
            "another set may change what this one finds"
        );
        self.add(sql, values, Expectation::Found(rows, failure))
    }

    /// The same of what changes hardly ever, without a lane: another set that is applied at the same moment may
    /// change it.
    pub(crate) fn expect_seen(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
        rows: u64,
        failure: Failure,
    ) -> &mut Self {
        self.add(sql, values, Expectation::Found(rows, failure))
    }

    /// Adds a statement with `returning`, whose rows `commit` hands back.
    pub fn query(&mut self, sql: &'static str, values: Vec<Value>) -> &mut Self {
        self.add(sql, values, Expectation::Answer)
    }

    /// Adds everything of another set, after what is here.
    pub fn append(&mut self, mut other: Self) -> &mut Self {
        self.statements.append(&mut other.statements);
        self.told.append(&mut other.told);
        self.lane = self.lane.or(other.lane);
        self
    }

    fn add(&mut self, sql: &'static str, values: Vec<Value>, expect: Expectation) -> &mut Self {
        self.statements.push(Statement {
            sql,
            values,
            expect,
        });
        self
    }
}

/// Finds a statement's prepared form without reading its text: a `'static` text never moves.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct StatementKey(usize, usize);

impl StatementKey {
    pub(crate) fn of(sql: &'static str) -> Self {
        Self(sql.as_ptr() as usize, sql.len())
    }
}
