//! The contract: one OpenAPI 3.1 document of all dialects, and of what is for everyone, at `/openapi.json`, and a page that shows it at
//! `/docs`. All of the page is in this program, and its policy lets it reach nothing else.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Map, Value, json};

use crate::public_contract;

/// What every part tells of itself: `tags`, `paths` and `components`.
fn parts() -> Vec<Value> {
    vec![
        chancery_webnic::openapi(),
        chancery_logicboxes::openapi(),
        public_contract::openapi(),
    ]
}

const ABOUT: &str = "\
Ordering, validating, issuing and delivering TLS certificates, over the WebNIC RESTful v2 dialect; contacts and \
customers also over the LogicBoxes dialect, below `/api/`, where every call carries its credential.

In the WebNIC dialect, sign in with `POST /reseller/v2/api-user/token` and send the token with every other request. \
`HEAD` is answered wherever `GET` is. Members of a body that are null or blank are taken as absent, and unknown ones \
are ignored; numbers in bodies may come as strings. Operations marked as deprecated are other names of those beside \
them, for clients that were told so.";

/// The document.
pub fn openapi() -> Value {
    let mut tags = Vec::new();
    let mut paths = Map::new();
    let mut components: Map<String, Value> = Map::new();
    for mut part in parts() {
        tags.extend(
            part["tags"]
                .as_array_mut()
                .map(std::mem::take)
                .unwrap_or_default(),
        );
        join(&mut paths, &mut part["paths"]);
        for (kind, named) in members(&mut part["components"]) {
            let there = components.entry(kind.as_str()).or_insert_with(|| json!({}));
            join(members(there), named);
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chancery",
            "summary": "A platform for TLS certificates",
            "description": ABOUT,
            "license": { "name": "Apache License 2.0", "identifier": "Apache-2.0" },
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": "/", "description": "Where this document is from." }],
        "tags": tags,
        "paths": paths,
        "components": components,
    });
    name_requests(&mut document);
    document
}

fn members(object: &mut Value) -> &mut Map<String, Value> {
    object.as_object_mut().expect("all parts tell objects here")
}

/// Adds what a part has, by name. Two parts must not call different things the same.
fn join(there: &mut Map<String, Value>, more: &mut Value) {
    for (name, thing) in std::mem::take(members(more)) {
        let before = there.insert(name.clone(), thing);
        assert!(
            before.is_none() || before.as_ref() == there.get(&name),
            "{name} is two things"
        );
    }
}

/// Adds to every answer the header that all of them have.
fn name_requests(document: &mut Value) {
    let of_paths = members(&mut document["paths"]).values_mut();
    let mut answers: Vec<&mut Value> = of_paths
        .flat_map(|path| members(path).values_mut())
        .flat_map(|operation| members(&mut operation["responses"]).values_mut())
        .filter(|answer| answer.get("$ref").is_none())
        .collect();
    for answer in &mut answers {
        answer["headers"]["X-Request-Id"] = request_id();
    }
    for answer in members(&mut document["components"]["responses"]).values_mut() {
        answer["headers"]["X-Request-Id"] = request_id();
    }
}

fn request_id() -> Value {
    json!({
        "description": "The request, as the log of the server names it.",
        "required": true,
        "schema": { "type": "string" },
    })
}

/// The document as it is sent.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| openapi().to_string());

/// What the page may do: show what is here.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const PAGE: &str = include_str!("../assets/docs/page.html");
const START: &str = include_str!("../assets/docs/start.js");
const BUNDLE: &str = include_str!("../assets/docs/swagger-ui-bundle.js");
const STYLE: &str = include_str!("../assets/docs/swagger-ui.css");

const JSON: &str = "application/json";
const HTML: &str = "text/html;charset=UTF-8";
const SCRIPT: &str = "text/javascript;charset=UTF-8";
const CSS: &str = "text/css;charset=UTF-8";

/// The document and its page, for everyone.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/openapi.json", get(async || sent(JSON, DOCUMENT.as_str())))
        .route("/docs", get(async || sent(HTML, PAGE)))
        .route("/docs/start.js", get(async || sent(SCRIPT, START)))
        .route(
            "/docs/swagger-ui-bundle.js",
            get(async || sent(SCRIPT, BUNDLE)),
        )
        .route("/docs/swagger-ui.css", get(async || sent(CSS, STYLE)))
}

/// A new version of the program may have another text under the same URL, so caches have to ask.
fn sent(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let header = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    let headers = [
        header(CONTENT_TYPE, kind),
        header(CACHE_CONTROL, "no-cache"),
        header(X_CONTENT_TYPE_OPTIONS, "nosniff"),
        header(REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_whole_and_says_what_every_answer_has() {
        let document = openapi();
        assert_eq!(document["openapi"], "3.1.0");
        let header = "/paths/~1ssl~1v2~1orders~1info/get/responses/200/headers/X-Request-Id";
        assert_eq!(document.pointer(header), Some(&request_id()));
        let header = "/components/responses/BadRequest/headers/X-Request-Id";
        assert_eq!(document.pointer(header), Some(&request_id()));
    }

    #[test]
    #[should_panic(expected = "Order is two things")]
    fn two_parts_must_not_call_different_things_the_same() {
        let mut there = Map::new();
        join(&mut there, &mut json!({ "Order": { "type": "object" } }));
        join(&mut there, &mut json!({ "Order": { "type": "object" } }));
        join(&mut there, &mut json!({ "Order": { "type": "string" } }));
    }

    #[test]
    fn the_page_names_nothing_that_is_not_here() {
        for (place, _) in PAGE
            .match_indices("src=\"")
            .chain(PAGE.match_indices("href=\""))
        {
            let (_, rest) = PAGE[place..].split_once('"').unwrap_or_default();
            let (target, _) = rest.split_once('"').unwrap_or_default();
            let is_here =
                target.starts_with("docs/") || ["data:,", "openapi.json"].contains(&target);
            assert!(is_here, "{target}");
        }
    }
}
