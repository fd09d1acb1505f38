//! Whether the server answers at all: a slow statement is waited for, a server that is away is not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};

use super::Slot;
use super::connection::{Connector, Trouble};
use crate::errors::StoreError;

/// How long the server has to answer the simplest question, a new connection included.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1500);

/// How long an answer counts. Whoever asks meanwhile shares it.
const FRESH: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Pulse {
    slot: Slot,
    was_away: AtomicBool,
    /// Said whenever it was found away: whoever waits for an answer to what was sent before waits in vain.
    found_away: watch::Sender<()>,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Pulse {
    /// Whether the server is away, as far as was known a moment ago; where nothing is known, it is not.
    pub(super) async fn was_away(&self, connector: &Connector) -> bool {
        self.was_away.load(Ordering::Relaxed) && self.is_away(connector).await
    }

    /// Whether the server does not answer.
    pub(super) async fn is_away(&self, connector: &Connector) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, is_away)) = *last
            && at.elapsed() < FRESH
        {
            return is_away;
        }
        let is_away = !self.answers(connector).await;
        if self.was_away.swap(is_away, Ordering::Relaxed) != is_away {
            match is_away {
                true => tracing::error!("the database does not answer"),
                false => tracing::warn!("the database answers again"),
            }
        }
        if is_away {
            self.found_away.send_replace(());
        }
        *last = Some((Instant::now(), is_away));
        is_away
    }

    async fn answers(&self, connector: &Connector) -> bool {
        const SQL: &str = "select cast(1 as bigint)";
        let asking = async {
            for _ in 0..2 {
                let connection = self.slot.get(connector).await?;
                match connection.query(SQL, &[]).await {
                    // It was lost while nobody looked.
                    Err(Trouble::Lost(_)) => self.slot.forget(&connection),
                    outcome => return outcome.map(drop).map_err(Into::into),
                }
            }
            Err(StoreError::database("the connection was lost twice"))
        };
        let answers = matches!(timeout(ANSWERS_WITHIN, asking).await, Ok(Ok(())));
        if !answers {
            self.slot.clear();
        }
        answers
    }

    /// Tells whenever the server is found away.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.found_away.subscribe()
    }

    /// The connection that is asked.
    pub(super) fn slot(&self) -> &Slot {
        &self.slot
    }
}
