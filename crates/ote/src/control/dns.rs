//! `/ote/zones` and `/ote/dns`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Control, Document, Params, Platform, Raw, Refusal};
use crate::owner_names::OwnerName;
use crate::records::{RecordKind, RecordSetText};
use crate::zones::PlacedRecordSet;

pub(super) async fn list_zones<P: Platform>(State(control): State<Arc<Control<P>>>) -> Document {
    let zones = control.world.zones.zones();
    Document(
        zones
            .iter()
            .map(|zone| Value::from(zone.to_string()))
            .collect(),
    )
}

pub(super) async fn add_zone<P: Platform>(
    State(control): State<Arc<Control<P>>>,
    params: Params,
) -> Result<Document, Refusal> {
    let zone = OwnerName::parse(params.part("zone"))?;
    control.world.zones.add_zone(&zone)?;
    Ok(Document(json!({ "zone": zone.to_string() })))
}

pub(super) async fn list<P: Platform>(State(control): State<Arc<Control<P>>>) -> Document {
    Document(control.world.zones.records().iter().map(view).collect())
}

pub(super) async fn put<P: Platform>(
    State(control): State<Arc<Control<P>>>,
    params: Params,
    body: Raw,
) -> Result<Document, Refusal> {
    let (name, kind) = place(&params)?;
    let set: RecordSetText = body.parse()?;
    control.world.zones.put(&name, kind, set.clone())?;
    Ok(Document(view(&PlacedRecordSet { name, kind, set })))
}

pub(super) async fn delete<P: Platform>(
    State(control): State<Arc<Control<P>>>,
    params: Params,
) -> Result<StatusCode, Refusal> {
    let (name, kind) = place(&params)?;
    control.world.zones.delete(&name, kind)?;
    Ok(StatusCode::NO_CONTENT)
}

fn place(params: &Params) -> Result<(OwnerName, RecordKind), Refusal> {
    Ok((
        OwnerName::parse(params.part("name"))?,
        RecordKind::parse(params.part("type"))?,
    ))
}

fn view(placed: &PlacedRecordSet) -> Value {
    let PlacedRecordSet { name, kind, set } = placed;
    let mut view = json!({ "name": name.to_string(), "type": kind.as_str(), "ttl": set.ttl });
    if let Some(code) = &set.rcode {
        view["rcode"] = json!(code);
    } else if set.drop {
        view["drop"] = json!(true);
    } else {
        view["values"] = json!(set.values);
    }
    view
}
