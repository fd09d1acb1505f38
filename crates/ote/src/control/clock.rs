//! `/ote/clock` and `/ote/jobs/run`: what only the platform itself can do.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use chancery_domain::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::{Control, Document, Platform, Raw, Refusal, SetClock};

/// `POST /ote/clock`: one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    advance_seconds: Option<i64>,
    set: Option<String>,
}

pub(super) async fn show<P: Platform>(State(control): State<Arc<Control<P>>>) -> Document {
    clock_document(control.platform.now())
}

pub(super) async fn set<P: Platform>(
    State(control): State<Arc<Control<P>>>,
    body: Raw,
) -> Result<Document, Refusal> {
    let to = target(body.parse()?, control.platform.now()).map_err(Refusal::bad)?;
    let now = control.platform.set_clock(to).await.map_err(Refusal::bad)?;
    Ok(clock_document(now))
}

pub(super) async fn run_jobs<P: Platform>(
    State(control): State<Arc<Control<P>>>,
) -> Result<Document, Refusal> {
    match control.platform.run_jobs().await {
        Ok(ran) => Ok(Document(json!({ "ran": ran }))),
        Err(why) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why)),
    }
}

fn target(asked: Move, now: Timestamp) -> Result<SetClock, String> {
    let backward = || {
        Err(format!(
            "the clock only goes forward, and it is {now} already"
        ))
    };
    match asked {
        Move {
            advance_seconds: Some(seconds),
            set: None,
        } => {
            let by = SignedDuration::from_secs(seconds);
            if by.is_negative() {
                return backward();
            }
            match now.checked_add(by) {
                Ok(_) => Ok(SetClock::Advance(by)),
                Err(_) => Err(format!("{seconds} seconds from now is beyond the calendar")),
            }
        }
        Move {
            advance_seconds: None,
            set: Some(text),
        } => match text.parse::<Timestamp>() {
            Ok(to) if to < now => backward(),
            Ok(to) => Ok(SetClock::To(to)),
            Err(_) => Err(format!(
                "'{text}' is not a time such as 2027-01-31T12:00:00Z (RFC 3339)"
            )),
        },
        Move { .. } => Err("either 'advance_seconds' or 'set' is needed".to_owned()),
    }
}

fn clock_document(now: Timestamp) -> Document {
    Document(json!({ "now": now.to_string() }))
}
