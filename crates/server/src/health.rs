//! `GET /health`: whether this process does its work.
//!
//! Looking means a write to the disk, and anyone may ask: so many askers share one look, and none waits long.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chancery_app::App;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long what was seen is told again.
const FRESH: Duration = Duration::from_secs(1);

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The route.
pub(crate) fn router(app: App) -> Router {
    let state = Arc::new((app, LastLook::default()));
    Router::new()
        .route("/health", get(health))
        .with_state(state)
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// 200 when the database can be written and the worker is alive; else 503 with the reason.
async fn health(State(state): State<Arc<(App, LastLook)>>) -> Response {
    let (app, last) = &*state;
    let reason = last.look(|| look(app)).await;
    let (code, status) = match reason {
        None => (StatusCode::OK, "ok"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    (code, Json(Health { status, reason })).into_response()
}

/// What is wrong, if anything is.
async fn look(app: &App) -> Option<&'static str> {
    const UNWRITABLE: &str = "the database cannot be written";
    match timeout(PATIENCE, app.check_writable()).await {
        Ok(Ok(())) if app.is_worker_alive() => None,
        Ok(Ok(())) => Some("the worker does not run"),
        Ok(Err(error)) => {
            tracing::error!(%error, "{UNWRITABLE}");
            Some(UNWRITABLE)
        }
        Err(error) => {
            tracing::error!(%error, "{UNWRITABLE}");
            Some(UNWRITABLE)
        }
    }
}

/// What was seen last, and when. Whoever comes while someone looks waits for what is seen.
#[derive(Default)]
struct LastLook(Mutex<Option<(Instant, Option<&'static str>)>>);

impl LastLook {
    async fn look<F: Future<Output = Option<&'static str>>>(
        &self,
        look: impl FnOnce() -> F,
    ) -> Option<&'static str> {
        let mut last = self.0.lock().await;
        match *last {
            Some((at, seen)) if at.elapsed() < FRESH => seen,
            _ => {
                let seen = look().await;
                *last = Some((Instant::now(), seen));
                seen
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_askers_share_one_look() {
        let last = LastLook::default();
        let looks = Cell::new(0);
        let ask = || {
            last.look(|| async {
                looks.set(looks.get() + 1);
                tokio::time::sleep(FRESH * 2).await;
                Some("nothing works")
            })
        };
        let (one, other) = tokio::join!(ask(), ask());
        assert_eq!((one, other, looks.get()), (Some("nothing works"), one, 1));
        tokio::time::advance(FRESH).await;
        ask().await;
        assert_eq!(looks.get(), 2);
    }
}
