//! The log: what is told, how a line looks, and how often the same is said.
//!
//! What keeps going wrong in the same way is said once a minute: a warning or an error whose text and fields are the
//! same as before is counted instead, and the count told when the minute is over.

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chancery_server::config::{Config, LogFormat};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::FilterExt as _;
use tracing_subscriber::layer::{Context, Filter, Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::log_lines::{Escapes, SafeLines};

/// How long the same is not said again.
const QUIET: Duration = Duration::from_secs(60);

/// How many different things are remembered at most.
const MOST: usize = 1024;

/// The log of this process.
pub(crate) struct Log {
    filter: Handle<EnvFilter, Registry>,
    repeats: Repeats,
}

impl Log {
    /// Begins to log as the settings say.
    pub(crate) fn start(config: &Config) -> Result<Self> {
        let (filter, handle) = reload::Layer::new(parse(&config.log)?);
        let repeats = Repeats::default();
        let is_terminal = std::io::stderr().is_terminal();
        let escapes = match config.log_format {
            LogFormat::Text if is_terminal => Escapes::Colours,
            LogFormat::Text => Escapes::Text,
            LogFormat::Json => Escapes::Json,
        };
        let lines = fmt::layer()
            .with_ansi(is_terminal)
            .with_writer(SafeLines(escapes));
        let lines = match config.log_format {
            LogFormat::Text => lines.boxed(),
            LogFormat::Json => lines.json().boxed(),
        };
        let quiet = filter.and(repeats.clone());
        tracing_subscriber::registry()
            .with(lines.with_filter(quiet))
            .init();
        Ok(Self {
            filter: handle,
            repeats,
        })
    }

    /// Changes what is told.
    pub(crate) fn change(&self, filter: &str) -> Result<()> {
        Ok(self.filter.reload(parse(filter)?)?)
    }

    /// Tells from time to time what was left out. Never ends.
    pub(crate) async fn tell_repeats(&self) {
        loop {
            tokio::time::sleep(QUIET / 6).await;
            for (line, times) in self.repeats.over(Instant::now()) {
                tracing::warn!(times, line, "said again in the last minute");
            }
        }
    }
}

/// Whether a filter can be used.
pub(crate) fn check(filter: &str) -> Result<()> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter> {
    EnvFilter::try_new(filter).context("log: not a filter")
}

/// Lets warnings and errors through that were not said lately.
#[derive(Clone, Default)]
struct Repeats(Arc<Mutex<HashMap<String, Said>>>);

struct Said {
    at: Instant,
    again: u64,
}

impl Repeats {
    fn is_due(&self, line: String, now: Instant) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = said.get_mut(&line)
            && now.duration_since(before.at) < QUIET
        {
            before.again += 1;
            return false;
        }
        if said.len() >= MOST {
            said.retain(|_, said| now.duration_since(said.at) < QUIET);
        }
        // Whoever says so much that is new is not saying the same.
        if said.len() < MOST {
            said.insert(line, Said { at: now, again: 0 });
        }
        true
    }

    /// What was left out, of all whose minute is over.
    fn over(&self, now: Instant) -> Vec<(String, u64)> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut over = Vec::new();
        said.retain(|line, said| {
            let is_over = now.duration_since(said.at) >= QUIET;
            if is_over && said.again > 0 {
                over.push((line.clone(), said.again));
            }
            !is_over
        });
        over
    }
}

impl<S: Subscriber> Filter<S> for Repeats {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if *event.metadata().level() > Level::WARN {
            return true;
        }
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.is_due(line.0, Instant::now())
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute_and_counted() {
        let repeats = Repeats::default();
        let begin = Instant::now();
        let say = |line: &str, second| {
            repeats.is_due(line.to_owned(), begin + Duration::from_secs(second))
        };
        assert!(say("disk full", 0));
        for _ in 0..84 {
            assert!(!say("disk full", 1));
        }
        assert!(say("no route", 2));
        assert!(!say("disk full", 59));
        assert_eq!(repeats.over(begin + Duration::from_secs(59)), []);
        let over = repeats.over(begin + Duration::from_secs(60));
        assert_eq!(over, [("disk full".to_owned(), 85)]);
        assert!(say("disk full", 61) && !say("disk full", 62));
    }

    #[test]
    fn who_says_much_that_is_new_is_heard() {
        let repeats = Repeats::default();
        let now = Instant::now();
        for number in 0..3 * MOST {
            assert!(repeats.is_due(number.to_string(), now));
        }
        assert!(repeats.0.lock().unwrap().len() <= MOST);
    }
}
