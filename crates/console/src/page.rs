//! What every page has in common: its style and the headers that fence it in.

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The style of every page. The policy below lets in exactly this text and nothing else.
pub(crate) const STYLE: &str = include_str!("../templates/style.css");

const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");

/// No script, no frame, no picture, nothing from elsewhere; forms go back where they came from.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::try_from(policy).expect("a policy is ASCII")
});

/// Renders a page. Its address may be a secret, so nothing keeps it and no referrer tells it.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    let html = template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page was not rendered");
        String::new()
    });
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Template)]
    #[template(source = "<p>{{ text }}</p>", ext = "html")]
    struct Paragraph {
        text: &'static str,
    }

    #[test]
    fn a_page_is_fenced_in() {
        let response = page(StatusCode::OK, &Paragraph { text: "<b>" });
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        assert!(
            policy.contains("form-action 'self'; frame-ancestors 'none'"),
            "{policy}"
        );
    }
}
