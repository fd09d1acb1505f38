//! Which dialect a request is in, by its path: LogicBoxes below `/api/`, WebNIC everywhere else.
//!
//! Some clients join base and path with a doubled slash: whatever nobody else answers is looked at without it.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Response};
use chancery_app::App;
use tower::ServiceExt;

use crate::config::Config;

/// All dialects as one. It answers every path, and so belongs last in the server's table.
pub(crate) fn router(config: &Config, app: &App) -> Router {
    let body_time = Duration::from_secs(config.limits.request_seconds);
    let settings = chancery_logicboxes::Settings {
        body_time,
        strict_methods: config.logicboxes.strict_methods,
    };
    let logicboxes = chancery_logicboxes::router(app, settings);
    let webnic = chancery_webnic::router(app.clone(), body_time);
    Router::new().fallback(move |request| answer(logicboxes.clone(), webnic.clone(), request))
}

/// Answers whoever comes while there are too many others, in the dialect of the path.
pub(crate) fn overloaded(path: &str) -> Response {
    match is_logicboxes(path) {
        true => chancery_logicboxes::overloaded(path),
        false => chancery_webnic::overloaded(path),
    }
}

async fn answer(logicboxes: Router, webnic: Router, mut request: Request) -> Response {
    if let Some(uri) = collapsed(request.uri()) {
        *request.uri_mut() = uri;
    }
    let dialect = match is_logicboxes(request.uri().path()) {
        true => logicboxes,
        false => webnic,
    };
    dialect.oneshot(request).await.into_response()
}

/// Whether a path is one of the LogicBoxes dialect, be its slashes doubled or not.
pub(crate) fn is_logicboxes(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    path.starts_with('/') && parts.next() == Some("api")
}

/// The same with single slashes, if there were others.
fn collapsed(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.contains("//") {
        return None;
    }
    let mut short = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter != '/' || !short.ends_with('/') {
            short.push(letter);
        }
    }
    if let Some(query) = uri.query() {
        short.push('?');
        short.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(short).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_slashes_collapse_in_the_path_only() {
        let collapse = |text: &'static str| collapsed(&Uri::from_static(text));
        let uri = collapse("//ssl///v2/orders/info?orderId=1//2").unwrap();
        assert_eq!(uri.to_string(), "/ssl/v2/orders/info?orderId=1//2");
        assert_eq!(collapse("/ssl/v2/orders/info?u=http://x"), None);
    }

    #[test]
    fn one_dialect_is_below_api() {
        for path in ["/api", "/api/", "//api//contacts/add.json", "/api/x"] {
            assert!(is_logicboxes(path), "{path}");
        }
        for path in ["/", "/apis/x", "/ssl/api/x", "*", "api/x"] {
            assert!(!is_logicboxes(path), "{path}");
        }
    }
}
