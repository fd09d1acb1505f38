//! `/ote/web`: files and redirects.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{Control, Document, Params, Platform, Raw, Refusal};
use crate::owner_names::OwnerName;
use crate::web_files::{PlacedWebFile, WebFile, WebHead};

/// Gives the file another status than 200.
const STATUS_HEADER: &str = "x-ote-status";

/// Gives the file a Location, for redirects.
const LOCATION_HEADER: &str = "x-ote-location";

pub(super) async fn list<P: Platform>(State(control): State<Arc<Control<P>>>) -> Document {
    Document(control.world.web.files().iter().map(view).collect())
}

pub(super) async fn put<P: Platform>(
    State(control): State<Arc<Control<P>>>,
    params: Params,
    headers: HeaderMap,
    body: Raw,
) -> Result<Document, Refusal> {
    let (host, path) = place(&params)?;
    let file = WebFile {
        head: head(&headers)?,
        body: body.0,
    };
    control.world.web.put(&host, &path, file.clone())?;
    let length = file.body.len();
    Ok(Document(view(&PlacedWebFile {
        host,
        path,
        head: file.head,
        length,
    })))
}

pub(super) async fn delete<P: Platform>(
    State(control): State<Arc<Control<P>>>,
    params: Params,
) -> Result<StatusCode, Refusal> {
    let (host, path) = place(&params)?;
    control.world.web.delete(&host, &path)?;
    Ok(StatusCode::NO_CONTENT)
}

fn place(params: &Params) -> Result<(OwnerName, String), Refusal> {
    Ok((
        OwnerName::parse(params.part("host"))?,
        format!("/{}", params.part("path")),
    ))
}

fn head(headers: &HeaderMap) -> Result<WebHead, Refusal> {
    let text = |name: &str| match headers.get(name).map(|value| value.to_str()) {
        Some(Ok(text)) => Ok(Some(text.to_owned())),
        Some(Err(_)) => Err(Refusal::bad(format!("the header {name} is not plain text"))),
        None => Ok(None),
    };
    let mut head = WebHead {
        location: text(LOCATION_HEADER)?,
        ..WebHead::default()
    };
    if let Some(kind) = text(CONTENT_TYPE.as_str())? {
        head.content_type = kind;
    }
    if let Some(status) = text(STATUS_HEADER)? {
        head.status = status
            .parse()
            .map_err(|_| Refusal::bad(format!("'{status}' in {STATUS_HEADER} is not a status")))?;
    }
    Ok(head)
}

fn view(placed: &PlacedWebFile) -> Value {
    let PlacedWebFile {
        host,
        path,
        head,
        length,
    } = placed;
    let mut view = json!({
        "host": host.to_string(),
        "path": path,
        "status": head.status,
        "content_type": head.content_type,
        "length": length,
    });
    if let Some(location) = &head.location {
        view["location"] = json!(location);
    }
    view
}
