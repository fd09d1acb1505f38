//! One connection to the server, with the statements prepared on it.

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::Severity;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::outages::is_outage;
use super::{statements, tls};
use crate::changes::{Expectation, StatementKey};
use crate::errors::{BoxedError, StoreError};
use crate::store::StoreSettings;
use crate::values::{Row, Value};

/// How long it may take to open a connection, at most.
const OPENS_WITHIN: Duration = Duration::from_secs(5);

/// What can go wrong on a connection.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection is gone, or as good as gone. What was under way may or may not have happened.
    Lost(BoxedError),
    /// The server refused one statement; the connection is fine.
    Refused(tokio_postgres::Error),
    /// The statement and its values do not fit; nothing was sent.
    Unfit(BoxedError),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        match error
            .as_db_error()
            .and_then(tokio_postgres::error::DbError::parsed_severity)
        {
            Some(Severity::Fatal | Severity::Panic) | None => Self::Lost(error.into()),
            Some(_) => Self::Refused(error),
        }
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost(source) => match source.downcast_ref() {
                Some(error) if !is_outage(error) => Self::Database(source),
                _ => Self::Unavailable(source),
            },
            Trouble::Unfit(source) => Self::Database(source),
            Trouble::Refused(error) => Self::database(error),
        }
    }
}

/// Knows how to open connections.
pub(super) struct Connector {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
    answer_within: Duration,
    reconnect_within: Duration,
    closed: AtomicBool,
}

impl Connector {
    pub(super) fn new(
        config: &tokio_postgres::Config,
        root_certificates: Option<&Path>,
        settings: &StoreSettings,
    ) -> Result<Self, StoreError> {
        let mut config = config.clone();
        if config.get_application_name().is_none() {
            config.application_name("chancery");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(settings.reconnect_within);
        }
        let tls = match config.get_ssl_mode() {
            SslMode::Require => Some(tls::connector(root_certificates)?),
            // Unverified encryption keeps out nobody who can reach in: it is verified, or it is off.
            _ => {
                config.ssl_mode(SslMode::Disable);
                None
            }
        };
        Ok(Self {
            config,
            tls,
            answer_within: settings.answer_within,
            reconnect_within: settings.reconnect_within,
            closed: AtomicBool::new(false),
        })
    }

    /// Opens a connection, or says why not.
    pub(super) async fn connect(&self) -> Result<Connection, Trouble> {
        if self.is_closed() {
            return Err(Trouble::Lost("the store is closed".into()));
        }
        let opening = async {
            match &self.tls {
                Some(tls) => {
                    let (client, driver) = self.config.connect(tls.clone()).await?;
                    Ok(self.start(client, driver))
                }
                None => {
                    let (client, driver) = self.config.connect(NoTls).await?;
                    Ok(self.start(client, driver))
                }
            }
        };
        // The driver's own limit covers the socket only, not the conversation that follows.
        match timeout(self.answer_within.min(OPENS_WITHIN), opening).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err::<_, tokio_postgres::Error>(error)) => Err(Trouble::Lost(error.into())),
            Err(elapsed) => Err(Trouble::Lost(elapsed.into())),
        }
    }

    /// Opens a connection, trying again for a while.
    pub(super) async fn connect_patiently(&self) -> Result<Connection, Trouble> {
        let deadline = Instant::now() + self.reconnect_within;
        let mut pause = Duration::from_millis(20);
        loop {
            match self.connect().await {
                Err(_) if Instant::now() + pause < deadline && !self.is_closed() => {
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                outcome => return outcome,
            }
        }
    }

    /// Opens no connection any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn start<T>(&self, client: Client, driver: tokio_postgres::Connection<Socket, T>) -> Connection
    where
        T: tokio_postgres::tls::TlsStream + Unpin + Send + 'static,
    {
        let driver = tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a database connection was lost"
                );
            }
        });
        Connection {
            client,
            driver: Driver(driver),
            statements: Mutex::default(),
            answer_within: self.answer_within,
        }
    }
}

pub(super) struct Connection {
    client: Client,
    driver: Driver,
    statements: Mutex<HashMap<(StatementKey, u64), Statement>>,
    answer_within: Duration,
}

/// Ends the connection with its owner, even in the middle of a conversation.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A statement ready to be sent.
pub(super) struct Ready<'a> {
    pub(super) sql: &'static str,
    pub(super) statement: Statement,
    pub(super) values: &'a [Value],
    pub(super) expect: Expectation,
}

type Reply<'a> =
    Pin<Box<dyn Future<Output = Result<Option<Vec<Row>>, tokio_postgres::Error>> + Send + 'a>>;

/// Where a transaction stopped.
pub(super) struct Stopped {
    /// The position of the statement; their number means `commit`, `None` means before the first.
    pub(super) at: Option<usize>,
    pub(super) trouble: Trouble,
    /// The rows that had come back by then.
    pub(super) answers: Vec<Option<Vec<Row>>>,
}

impl Connection {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Prepares a statement, once for each connection, and checks that the values fit.
    pub(super) async fn ready<'a>(
        &self,
        sql: &'static str,
        values: &'a [Value],
        expect: Expectation,
    ) -> Result<Ready<'a>, Trouble> {
        let counted = match expect {
            Expectation::Rows(rows, _) | Expectation::Found(rows, _) => rows + 1,
            Expectation::Any | Expectation::Answer => 0,
        };
        let key = (StatementKey::of(sql), counted);
        let known = self.statements.lock().get(&key).cloned();
        let statement = match known {
            Some(statement) => statement,
            None => {
                let text = statements::text(sql, expect);
                let statement = self.within(self.client.prepare(&text)).await?;
                self.statements.lock().insert(key, statement.clone());
                statement
            }
        };
        statements::check(&statement, values).map_err(Trouble::Unfit)?;
        Ok(Ready {
            sql,
            statement,
            values,
            expect,
        })
    }

    /// Reads outside of any transaction.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, Trouble> {
        let ready = self.ready(sql, values, Expectation::Answer).await?;
        self.within(statements::query(
            &self.client,
            sql,
            &ready.statement,
            values,
        ))
        .await
    }

    /// Runs a script of several statements without values.
    pub(super) async fn run_script(&self, script: &str) -> Result<(), Trouble> {
        Ok(self.client.batch_execute(script).await?)
    }

    /// Runs a script and gives what it answers, as text; nothing is prepared.
    pub(super) async fn ask(&self, script: &str) -> Result<Vec<SimpleQueryMessage>, Trouble> {
        self.within(self.client.simple_query(script)).await
    }

    /// Has the server end a transaction that we stopped talking about, and free what it holds.
    pub(super) async fn give_up_idle_transactions(&self) -> Result<(), Trouble> {
        let limit = self.answer_within.as_millis();
        let set = format!("set idle_in_transaction_session_timeout = {limit}");
        self.within(self.client.batch_execute(&set)).await
    }

    /// Sends `begin`, the statements and `commit` at once, and reads the answers in order.
    ///
    /// All of it is handed to the connection within one poll, so dropping this future early cannot leave
    /// half a transaction with its `commit` behind.
    pub(super) async fn transaction(
        &self,
        wanted: &[Ready<'_>],
    ) -> Result<Vec<Option<Vec<Row>>>, Stopped> {
        let mut replies: Vec<Reply<'_>> = Vec::with_capacity(wanted.len() + 2);
        // Whatever the server's default is: after the wait for its lanes, a group must see what others have done.
        replies.push(self.control("begin isolation level read committed"));
        replies.extend(wanted.iter().map(|ready| self.send(ready)));
        replies.push(self.control("commit"));

        let mut early = send_all(&mut replies).await.into_iter();
        let mut answers = Vec::with_capacity(replies.len());
        // One limit for all of it: reading the clock for each statement would cost more than its answer.
        let reading = timeout(self.answer_within, async {
            for reply in replies {
                answers.push(match early.next().flatten() {
                    Some(outcome) => outcome?,
                    None => reply.await?,
                });
            }
            Ok(())
        });
        let outcome = reading
            .await
            .unwrap_or_else(|elapsed| Err(Trouble::Lost(elapsed.into())));
        // The answers of the statements lie between those of `begin` and `commit`.
        let at = answers.len().checked_sub(1);
        answers.truncate(wanted.len() + 1);
        answers.drain(..answers.len().min(1));
        match outcome {
            Ok(()) => Ok(answers),
            Err(trouble) => Err(Stopped {
                at,
                trouble,
                answers,
            }),
        }
    }

    /// Says good-bye to the server.
    pub(super) async fn close(self) {
        let Self {
            client, mut driver, ..
        } = self;
        drop(client);
        let _ = timeout(Duration::from_secs(1), &mut driver.0).await;
    }

    fn control(&self, sql: &'static str) -> Reply<'_> {
        Box::pin(async move { self.client.batch_execute(sql).await.map(|()| None) })
    }

    fn send<'a>(&'a self, ready: &'a Ready<'_>) -> Reply<'a> {
        let Ready {
            sql,
            statement,
            values,
            expect,
        } = ready;
        Box::pin(async move {
            match expect {
                Expectation::Answer => statements::query(&self.client, sql, statement, values)
                    .await
                    .map(Some),
                Expectation::Any | Expectation::Rows(..) | Expectation::Found(..) => self
                    .client
                    .execute_raw(statement, *values)
                    .await
                    .map(|_| None),
            }
        })
    }

    async fn within<T>(
        &self,
        reply: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        match timeout(self.answer_within, reply).await {
            Ok(outcome) => outcome.map_err(Trouble::from),
            Err(elapsed) => Err(Trouble::Lost(elapsed.into())),
        }
    }
}

type Early = Option<Result<Option<Vec<Row>>, tokio_postgres::Error>>;

/// Polls each reply once, in order, which sends its request. Keeps what is answered already.
async fn send_all(replies: &mut [Reply<'_>]) -> Vec<Early> {
    std::future::poll_fn(|context| {
        let early = replies
            .iter_mut()
            .map(|reply| match reply.as_mut().poll(context) {
                std::task::Poll::Ready(outcome) => Some(outcome),
                std::task::Poll::Pending => None,
            })
            .collect();
        std::task::Poll::Ready(early)
    })
    .await
}
