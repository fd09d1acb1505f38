//! The table of paths, aliases among them.
//!
//! Paths the contract leaves open are our choice; the aliases beside them are the other names a client may
//! have been told.

use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, Request};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use chancery_app::App;
use tower::ServiceExt;

use crate::{
    balance, contacts, csrs, downloads, errors, orders, products, tokens, validations as dcv,
};

/// What every handler shares.
#[derive(Clone)]
pub(crate) struct Wire {
    app: App,
    /// How long a client may take to send a body.
    pub(crate) body_time: Duration,
}

impl FromRef<Wire> for App {
    fn from_ref(wire: &Wire) -> Self {
        wire.app.clone()
    }
}

impl Wire {
    pub(crate) fn app(&self) -> &App {
        &self.app
    }
}

/// The dialect as a service. `body_time` is how long a client may take to send a body.
///
/// It answers every path, unknown ones in the dialect's own way, and so belongs last in a server's table.
pub fn router(app: App, body_time: Duration) -> Router {
    let known = table().with_state(Wire { app, body_time });
    let once_more = known.clone().fallback(errors::unknown_path);
    known.fallback(move |request| unmatched(once_more.clone(), request))
}

fn table() -> Router<Wire> {
    Router::new()
        .route("/reseller/v2/api-user/token", post(tokens::create))
        .route("/reseller/v2/balance", get(balance::show))
        .route("/ssl/v2/contact/create", post(contacts::create))
        .route("/ssl/v2/contact/info", get(contacts::show))
        .route("/ssl/v2/contact/delete", delete(contacts::delete))
        .route("/ssl/v2/contact", delete(contacts::delete))
        .route(
            "/ssl/v2/contact/{contactId}",
            get(contacts::show).delete(contacts::delete),
        )
        .route("/ssl/v2/generate-csr", post(csrs::generate))
        .route("/ssl/v2/csr/generate", post(csrs::generate))
        .route("/ssl/v2/decode-csr", post(csrs::decode))
        .route("/ssl/v2/csr/decode", post(csrs::decode))
        .route("/ssl/v2/products/list", get(products::list))
        .route(
            "/ssl/v2/products/list/price",
            get(products::list_with_prices),
        )
        .route("/ssl/v2/products/info", get(products::info))
        .route("/ssl/v2/products/rules", get(products::rules))
        .route("/ssl/v2/products/pricing", get(products::pricing))
        .route("/ssl/v2/orders/new", post(orders::place))
        .route("/ssl/v2/orders/info", get(orders::info))
        .route("/ssl/v2/orders/{orderId}/cancel", post(orders::cancel))
        .route(
            "/ssl/v2/orders/{orderId}/download/format/{format}",
            post(downloads::download),
        )
        .route("/ssl/v2/orders/{orderId}/dcv-status", get(dcv::status))
        .route("/ssl/v2/orders/{orderId}/auth/info", get(dcv::info))
        .route(
            "/ssl/v2/orders/{orderId}/auth",
            put(dcv::change).post(dcv::change),
        )
        .route(
            "/ssl/v2/orders/{orderId}/approver-email",
            put(dcv::change_approvers),
        )
        .route(
            "/ssl/v2/orders/{orderId}/approver-email/send",
            post(dcv::resend),
        )
        .route(
            "/ssl/v2/domainValidations/approver-list",
            get(dcv::approvers),
        )
        .route(
            "/ssl/v2/domain-validations/approver-list",
            get(dcv::approvers),
        )
        .route("/ssl/v2/orders/approver-list", get(dcv::approvers))
        .method_not_allowed_fallback(errors::wrong_method)
}

/// Some clients join base and path with a doubled slash: such a path gets a second chance without it.
async fn unmatched(once_more: Router, mut request: Request) -> Response {
    match collapsed(request.uri()) {
        Some(uri) => {
            *request.uri_mut() = uri;
            once_more.oneshot(request).await.into_response()
        }
        None => errors::unknown_path(request.uri().clone())
            .await
            .into_response(),
    }
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
    fn every_path_is_in_the_documentation() {
        let documentation = include_str!("../../../docs/api/webnic.md");
        let table = include_str!("routes.rs")
            .split("fn table()")
            .nth(1)
            .unwrap();
        let table = table.split("method_not_allowed").next().unwrap();
        let paths: Vec<&str> = table.split('"').skip(1).step_by(2).collect();
        assert!(paths.len() > 25);
        for path in paths {
            assert!(documentation.contains(path), "{path}");
        }
    }
}
