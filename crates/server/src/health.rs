//! `GET /health`: whether this process does its work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chancery_app::App;
use serde::Serialize;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// 200 when the database can be written and the worker is alive; else 503 with the reason.
pub(crate) async fn health(State(app): State<App>) -> Response {
    let reason = match app.check_writable().await {
        Err(error) => {
            tracing::error!(%error, "the database cannot be written");
            Some("the database cannot be written".to_owned())
        }
        Ok(()) if !app.is_worker_alive() => Some("the worker does not run".to_owned()),
        Ok(()) => None,
    };
    match reason {
        None => Json(Health {
            status: "ok",
            reason: None,
        })
        .into_response(),
        some => {
            let body = Json(Health {
                status: "failing",
                reason: some,
            });
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}
