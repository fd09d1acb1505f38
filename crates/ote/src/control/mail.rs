//! `/ote/mail`: what the platform sent.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Control, Document, Params, Platform, Refusal};
use crate::mailbox::StoredMail;

pub(super) async fn list<P: Platform>(State(control): State<Arc<Control<P>>>) -> Document {
    Document(
        control
            .world
            .mailbox
            .messages()
            .iter()
            .map(|mail| summary(mail))
            .collect(),
    )
}

pub(super) async fn show<P: Platform>(
    State(control): State<Arc<Control<P>>>,
    params: Params,
) -> Result<Document, Refusal> {
    let id = params.part("id");
    let mail = id
        .parse()
        .ok()
        .and_then(|id| control.world.mailbox.find(id))
        .ok_or_else(|| {
            Refusal::new(StatusCode::NOT_FOUND, format!("there is no message '{id}'"))
        })?;
    let mut view = summary(&mail);
    view["raw"] = json!(String::from_utf8_lossy(&mail.raw));
    view["text"] = json!(mail.text);
    Ok(Document(view))
}

pub(super) async fn clear<P: Platform>(
    State(control): State<Arc<Control<P>>>,
) -> Result<Document, Refusal> {
    let removed = control.world.mailbox.clear()?;
    Ok(Document(json!({ "deleted": removed })))
}

fn summary(mail: &StoredMail) -> Value {
    json!({
        "id": mail.id,
        "from": mail.from,
        "to": mail.to,
        "subject": mail.subject,
        "date": mail.date,
    })
}
