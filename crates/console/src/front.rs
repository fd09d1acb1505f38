//! The front page: what a person sees who opens the server's address.
//!
//! It tells what this is, whether it works, and where to go on. It reads nothing of anybody's, and is shown while the
//! database is away, too. Programs are told the same in JSON.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chancery_app::{App, HealthState};
use serde::Serialize;

use crate::page::{STYLE, page};

/// What the page says of this installation.
#[derive(Clone, Copy, Debug)]
pub struct Front {
    /// Whether it is a test environment, whose certificates nobody must trust.
    pub is_test_environment: bool,
}

#[derive(Template)]
#[template(path = "front.html")]
struct FrontPage {
    style: &'static str,
    is_working: bool,
    is_test_environment: bool,
}

/// The same for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sign {
    name: &'static str,
    status: &'static str,
    test_environment: bool,
    documentation: &'static str,
    openapi: &'static str,
    health: &'static str,
    root_certificate: &'static str,
    root_revocation_list: &'static str,
}

/// The front page, at `/`.
pub fn router(app: App, front: Front) -> Router {
    Router::new().route("/", get(show)).with_state((app, front))
}

async fn show(State((app, front)): State<(App, Front)>, headers: HeaderMap) -> Response {
    let state = HealthState::of(&app.readiness().await);
    let mut response = match wants_html(&headers) {
        true => front_page(front, state),
        false => sign(front, state),
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

fn front_page(front: Front, state: HealthState) -> Response {
    let template = FrontPage {
        style: STYLE,
        is_working: state != HealthState::Failing,
        is_test_environment: front.is_test_environment,
    };
    page(StatusCode::OK, &template)
}

fn sign(front: Front, state: HealthState) -> Response {
    let sign = Sign {
        name: "Chancery",
        status: match state {
            HealthState::Failing => state.as_str(),
            HealthState::Good | HealthState::Warning => HealthState::Good.as_str(),
        },
        test_environment: front.is_test_environment,
        documentation: "/docs",
        openapi: "/openapi.json",
        health: "/health",
        root_certificate: "/pki/root.crt",
        root_revocation_list: "/pki/root.crl",
    };
    let fresh = [(header::CACHE_CONTROL, "no-store")];
    (fresh, Json(sign)).into_response()
}

/// Whether whoever asks is a browser: it names HTML, which programs do not that take anything.
fn wants_html(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter();
    let mut kinds = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.any(|kind| ["text/html", "application/xhtml+xml"].contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(is_test_environment: bool, state: HealthState) -> String {
        let page = FrontPage {
            style: STYLE,
            is_working: state != HealthState::Failing,
            is_test_environment,
        };
        page.render().unwrap()
    }

    #[test]
    fn the_page_says_what_this_is_how_it_is_and_where_to_go_on() {
        let good = html(false, HealthState::Warning);
        for text in [
            "Chancery",
            "href=\"/docs\"",
            "href=\"/pki/root.crt\"",
            "href=\"/pki/root.crl\"",
            "href=\"/health\"",
            "works",
        ] {
            assert!(good.contains(text), "{text}: {good}");
        }
        assert!(!good.contains("test environment"));
        let bad = html(true, HealthState::Failing);
        assert!(bad.contains("does not work at the moment"), "{bad}");
        assert!(bad.contains("test environment"), "{bad}");
    }

    #[test]
    fn browsers_name_html_and_programs_do_not() {
        let wants = |accept: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            wants_html(&headers)
        };
        assert!(wants(Some(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        )));
        for accept in [None, Some("*/*"), Some("application/json")] {
            assert!(!wants(accept), "{accept:?}");
        }
    }
}
