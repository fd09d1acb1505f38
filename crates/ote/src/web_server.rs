//! The web server of the OTE world: plain HTTP, files only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, HOST, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;

use crate::errors::OteError;
use crate::listening::{self, Listening};
use crate::owner_names::OwnerName;
use crate::web_files::{WebFile, WebFiles};

/// Serves `files` at `listen`.
pub async fn start(listen: SocketAddr, files: Arc<WebFiles>) -> Result<Listening, OteError> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(OteError::io(format!(
            "the OTE web server cannot listen on {listen}"
        )))?;
    let local_addr = listener.local_addr().map_err(OteError::io(
        "the OTE web server cannot learn its own address",
    ))?;
    let (stop, mut stopping) = listening::channel();
    let router = Router::new().fallback(serve).with_state(files);
    let task = tokio::spawn(async move {
        let server = axum::serve(listener, router);
        // Not axum's graceful end: it would wait for clients that keep idle connections open.
        tokio::select! {
            () = stopping.asked() => {}
            _ = server => {}
        }
    });
    Ok(Listening::new(local_addr, stop, vec![task]))
}

async fn serve(State(files): State<Arc<WebFiles>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response();
    }
    match find(&files, &request) {
        Some(file) => answer(file),
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}

fn find(files: &WebFiles, request: &Request) -> Option<WebFile> {
    let authority = request.headers().get(HOST)?.to_str().ok()?;
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let path = percent_decode_str(request.uri().path())
        .decode_utf8()
        .ok()?;
    files.find(&OwnerName::parse(host).ok()?, &path)
}

fn answer(file: WebFile) -> Response {
    let mut response = Response::new(Body::from(file.body));
    *response.status_mut() =
        StatusCode::from_u16(file.head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&file.head.content_type) {
        headers.insert(CONTENT_TYPE, kind);
    }
    if let Some(location) = file
        .head
        .location
        .and_then(|text| HeaderValue::from_str(&text).ok())
    {
        headers.insert(LOCATION, location);
    }
    response
}
