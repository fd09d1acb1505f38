//! An open connection that writes, with the row that counts its groups.

use std::collections::BTreeSet;

use tokio_postgres::error::SqlState;

use super::connection::{Connection, Stopped, Trouble};
use crate::changes::{Expectation, Failure, Statement};
use crate::errors::{BoxedError, StoreError};
use crate::reading::to_json;
use crate::values;
use crate::values::Row;
use crate::waiting::Waiting;

/// An open connection with its row in `commit_lanes`.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) token: String,
    pub(super) committed: i64,
}

/// Why a group was not applied, as far as its connection can tell.
pub(super) enum Stop {
    /// The server refused it, because of the set at this place or of none in particular.
    Set { at: Option<usize>, refusal: Refusal },
    /// Nothing was sent.
    NotSent(BoxedError),
    /// There was no transaction to abort.
    Begin(BoxedError),
    /// The connection is gone.
    Lost {
        error: BoxedError,
        answers: Vec<Option<Vec<Row>>>,
    },
}

/// What the server said against a set.
pub(super) struct Refusal {
    pub(super) error: StoreError,
    /// Whether the same set may well succeed if it is tried again.
    pub(super) chance: bool,
}

impl Stop {
    fn not_sent(trouble: Trouble) -> Self {
        Self::NotSent(Box::new(StoreError::from(trouble)))
    }

    /// Reads the place where a transaction stopped: first the session's own statements, then those of the
    /// sets, then `commit`.
    fn read(stopped: Stopped, own: usize, group: &[Waiting]) -> Self {
        let Stopped {
            at,
            trouble,
            mut answers,
        } = stopped;
        let error = match trouble {
            Trouble::Refused(error) => error,
            Trouble::Lost(error) | Trouble::Unfit(error) => {
                answers.drain(..answers.len().min(own));
                return Self::Lost { error, answers };
            }
        };
        let mut statements = group.iter().enumerate().flat_map(|(place, set)| {
            set.change
                .statements
                .iter()
                .map(move |statement| (place, statement.expect))
        });
        match at {
            None => Self::Begin(error.into()),
            Some(0) => Self::NotSent(error.into()),
            Some(at) => match at.checked_sub(own).and_then(|at| statements.nth(at)) {
                Some((place, expect)) => Self::Set {
                    at: Some(place),
                    refusal: Refusal::read(error, expect),
                },
                None => Self::Set {
                    at: None,
                    refusal: Refusal::read(error, Expectation::Any),
                },
            },
        }
    }
}

impl Refusal {
    fn read(error: tokio_postgres::Error, expect: Expectation) -> Self {
        let code = error.code();
        let chance = code.is_some_and(|code| {
            [
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::T_R_DEADLOCK_DETECTED,
            ]
            .contains(code)
        });
        let expected = code.is_some_and(|code| {
            [
                SqlState::DIVISION_BY_ZERO,
                SqlState::UNIQUE_VIOLATION,
                SqlState::CHECK_VIOLATION,
            ]
            .contains(code)
        });
        let error = match expect {
            Expectation::Rows(_, failure) | Expectation::Found(_, failure) if expected => {
                failure.into()
            }
            Expectation::Rows(..)
            | Expectation::Found(..)
            | Expectation::Any
            | Expectation::Answer => StoreError::database(error),
        };
        Self { error, chance }
    }
}

impl Session {
    pub(super) async fn start(connection: Connection) -> Result<Self, Trouble> {
        connection.give_up_idle_transactions().await?;
        const SQL: &str = "
            insert into commit_lanes (token, committed)
            values (cast(gen_random_uuid() as text), 0) returning token";
        let rows = connection.query(SQL, &[]).await?;
        let token = rows.first().and_then(|row| row.string(0).ok());
        let token = token.ok_or_else(|| Trouble::Unfit("a lane got no token".into()))?;
        Ok(Self {
            connection,
            token,
            committed: 0,
        })
    }

    pub(super) async fn end(self) {
        const SQL: &str = "delete from commit_lanes where token = $1";
        // A row left behind harms nobody.
        let _ = self.connection.query(SQL, &values![self.token]).await;
        self.connection.close().await;
    }

    /// Sends a group and reads its answers, one for each statement.
    pub(super) async fn send(&mut self, group: &[Waiting]) -> Result<Vec<Option<Vec<Row>>>, Stop> {
        const COUNT: &str =
            "update commit_lanes set committed = $1 where token = $2 and committed = $3";
        // Who fights over the same rows, in this process or another, comes one after the other.
        const HOLD: &str = "
            select count(pg_advisory_xact_lock(held.key)) from (
                select cast(value as bigint) as key from jsonb_array_elements_text(cast(cast($1 as text) as jsonb))
                order by 1) held";
        let held = values![to_json(&lanes(group))];
        let count = values![self.committed + 1, self.token.as_str(), self.committed];
        let statements = group
            .iter()
            .map(|set| set.change.statements.len())
            .sum::<usize>();
        let mut wanted = Vec::with_capacity(statements + 2);
        let expect = Expectation::Rows(1, Failure::Refused("lane"));
        for (sql, values, expect) in [(COUNT, &count, expect), (HOLD, &held, Expectation::Any)] {
            let ready = self.connection.ready(sql, values, expect).await;
            wanted.push(ready.map_err(Stop::not_sent)?);
        }
        let own = wanted.len();
        for (at, set) in group.iter().enumerate() {
            for statement in &set.change.statements {
                let Statement {
                    sql,
                    values,
                    expect,
                } = statement;
                match self.connection.ready(sql, values, *expect).await {
                    Ok(ready) => wanted.push(ready),
                    Err(Trouble::Lost(error)) => return Err(Stop::NotSent(error)),
                    Err(trouble) => {
                        let refusal = Refusal {
                            error: trouble.into(),
                            chance: false,
                        };
                        return Err(Stop::Set {
                            at: Some(at),
                            refusal,
                        });
                    }
                }
            }
        }
        match self.connection.transaction(&wanted).await {
            Ok(mut answers) => {
                self.committed += 1;
                answers.drain(..own);
                Ok(answers)
            }
            Err(stopped) => Err(Stop::read(stopped, own, group)),
        }
    }
}

/// What the sets of a group fight over, each once.
fn lanes(group: &[Waiting]) -> BTreeSet<i64> {
    group.iter().filter_map(|set| set.change.lane).collect()
}
