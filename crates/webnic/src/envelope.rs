//! The envelope around every answer: `code`, `message`, and `data` where there is something to say.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The content type of every answer in JSON; clients have been seen with exactly this spelling.
const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");

/// What `code` and `message` are in every success.
pub(crate) const DONE_CODE: &str = "1000";
pub(crate) const DONE_MESSAGE: &str = "Command completed successfully.";

/// An answer to a request that succeeded, written out already, so that views may borrow.
#[derive(Debug)]
pub(crate) struct Envelope(Vec<u8>);

#[derive(Serialize)]
struct Success<'a, T: ?Sized> {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a T>,
}

impl Envelope {
    /// Success, with something to tell.
    pub(crate) fn of<T: Serialize + ?Sized>(data: &T) -> Self {
        Self::write(Some(data))
    }

    /// Success, with nothing to tell: `data` is left out, as it is never null.
    pub(crate) fn done() -> Self {
        Self::write::<()>(None)
    }

    fn write<T: Serialize + ?Sized>(data: Option<&T>) -> Self {
        let success = Success {
            code: DONE_CODE,
            message: DONE_MESSAGE,
            data,
        };
        Self(to_json(&success))
    }
}

impl IntoResponse for Envelope {
    fn into_response(self) -> Response {
        json(StatusCode::OK, self.0)
    }
}

/// Writes a view as JSON.
pub(crate) fn to_json<T: Serialize>(view: &T) -> Vec<u8> {
    serde_json::to_vec(view).expect("views have text keys and do not fail")
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    answer(status, JSON, body)
}

/// An answer, with the headers that all answers carry: they are for one reader and one moment.
pub(crate) fn answer(status: StatusCode, content_type: HeaderValue, body: Vec<u8>) -> Response {
    const NO_STORE: HeaderValue =
        HeaderValue::from_static("no-cache, no-store, max-age=0, must-revalidate");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(9);
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::EXPIRES, HeaderValue::from_static("0"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_come_in_the_documented_order() {
        let text = String::from_utf8(Envelope::of(&[1, 2]).0).unwrap();
        let documented =
            r#"{"code":"1000","message":"Command completed successfully.","data":[1,2]}"#;
        assert_eq!(text, documented);
        let text = String::from_utf8(Envelope::done().0).unwrap();
        assert_eq!(
            text,
            r#"{"code":"1000","message":"Command completed successfully."}"#
        );
    }

    #[test]
    fn every_answer_carries_the_headers() {
        let response = Envelope::done().into_response();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/json;charset=UTF-8");
        assert_eq!(
            header("cache-control"),
            "no-cache, no-store, max-age=0, must-revalidate"
        );
        assert_eq!(header("pragma"), "no-cache");
        assert_eq!(header("expires"), "0");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
    }
}
