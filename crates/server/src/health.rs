//! `GET /health`, `/health/ready`, `/health/live`: whether this process does its work, and for operators what is wrong.
//!
//! Strangers learn one word. Operators are those whose address is in `health.operators`, as far as the connection shows
//! it: what came through a proxy that is not trusted comes from nobody in particular.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chancery_app::{App, AppError, HealthCheck, HealthState};
use serde::Serialize;

use crate::reloads::Reloadable;

/// What a proxy leaves in a request that it passes on.
const PROXIED: [&str; 4] = ["x-forwarded-for", "forwarded", "via", "x-real-ip"];

/// Whether a request came through a proxy that is not believed: its sender may be anybody.
#[derive(Clone, Copy)]
pub(crate) struct ThroughStrangers;

/// Whether headers tell of a proxy on the way.
pub(crate) fn tell_of_a_proxy(headers: &HeaderMap) -> bool {
    PROXIED.iter().any(|name| headers.contains_key(*name))
}

/// The routes.
pub(crate) fn router(app: App, operators: Arc<Reloadable>) -> Router {
    Router::new()
        .route("/health", get(ready))
        .route("/health/ready", get(ready))
        .route("/health/live", get(live))
        .with_state((app, operators))
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

/// 200 as long as the process answers at all: whoever asks restarts it otherwise, and a restart brings no database back.
async fn live() -> Response {
    let health = Health {
        status: HealthState::Good.as_str(),
        checks: Vec::new(),
    };
    Json(health).into_response()
}

/// 200 when requests can be answered and jobs run; else 503. Operators are told of each thing how it stands.
async fn ready(
    State((app, operators)): State<(App, Arc<Reloadable>)>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    through: Option<axum::Extension<ThroughStrangers>>,
) -> Response {
    let is_operator =
        through.is_none() && operators.read(|networks| networks.contains(client.ip()));
    let checks = match is_operator {
        true => app.health().await,
        false => app.readiness().await,
    };
    let state = HealthState::of(&checks);
    let health = Health {
        status: state.as_str(),
        checks: match is_operator {
            true => checks.into_iter().map(Check::from).collect(),
            false => Vec::new(),
        },
    };
    match state {
        HealthState::Good | HealthState::Warning => Json(health).into_response(),
        HealthState::Failing => {
            let later = [("retry-after", AppError::AWAY_SECONDS.to_string())];
            (StatusCode::SERVICE_UNAVAILABLE, later, Json(health)).into_response()
        }
    }
}

impl From<HealthCheck> for Check {
    fn from(check: HealthCheck) -> Self {
        Self {
            name: check.name,
            status: check.state.as_str(),
            detail: check.detail,
        }
    }
}
