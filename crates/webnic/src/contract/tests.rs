//! The document, held against the table of routes, the reading of bodies, and itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::body::{FromMembers, Members, taken_members};
use crate::routes::routes;
use crate::{
    contacts, csrs, domains, orders, organizations, revocations, search, tokens, validations,
};

#[test]
fn every_route_is_in_the_document_and_nothing_else() {
    let document = openapi();
    let served: BTreeSet<String> = routes()
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let mut told = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            told.insert(format!("{} {path}", method.to_ascii_uppercase()));
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(ids.insert(id.clone()), "{id} is told twice");
            assert!(!operation["description"].as_str().unwrap().is_empty() || id == "createToken");
            let variables = path.matches('{').count();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let in_path = parameters.filter(|parameter| parameter["in"] == "path");
            assert_eq!(in_path.count(), variables, "{method} {path}");
        }
    }
    assert_eq!(told, served);
}

#[test]
fn aliases_are_marked() {
    let document = openapi();
    let first = &document["paths"]["/ssl/v2/contact/info"]["get"];
    let alias = &document["paths"]["/ssl/v2/contact/{contactId}"]["get"];
    assert_eq!(first.get("deprecated"), None);
    assert_eq!(alias["deprecated"], true);
    let text = "Another name of `GET /ssl/v2/contact/info`. Needs the scope `read`.";
    assert_eq!(alias["description"], text);
    assert_eq!(alias["parameters"][0]["in"], "path");
    assert_eq!(alias["security"][0]["token"][0], "read");
}

/// Every object in a document, by its place.
fn objects<'a>(value: &'a Value, place: &str, found: &mut Vec<(String, &'a Map<String, Value>)>) {
    match value {
        Value::Object(members) => {
            found.push((place.to_owned(), members));
            for (name, member) in members {
                objects(member, &format!("{place}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                objects(item, &format!("{place}/{at}"), found);
            }
        }
        _ => {}
    }
}

/// Holds a value against a schema of the document.
fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let faults = validator.iter_errors(value);
    faults
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect()
}

#[test]
fn examples_are_as_their_schemas_say() {
    let document = openapi();
    let mut found = Vec::new();
    objects(&document, "", &mut found);
    let mut held = 0;
    for (place, object) in found {
        let (Some(schema), Some(example)) = (object.get("schema"), object.get("example")) else {
            continue;
        };
        held += 1;
        let faults = faults(&document, schema, example);
        assert!(faults.is_empty(), "{place}: {faults:#?}");
    }
    assert!(held > 60, "{held}");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = openapi();
    let mut found = Vec::new();
    objects(&document, "", &mut found);
    for (place, object) in found {
        if let Some(reference) = object.get("$ref") {
            let pointer = reference.as_str().unwrap().trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{place}: {reference}");
        }
    }
}

/// The names of all members in a schema, those of members, too.
fn members(schema: &Value) -> BTreeSet<String> {
    let mut found = Vec::new();
    objects(schema, "", &mut found);
    let properties = found
        .iter()
        .filter_map(|(_, object)| object.get("properties")?.as_object());
    properties
        .flat_map(|properties| properties.keys().cloned())
        .collect()
}

/// Reads a body that has all members there are, and compares those that were asked for.
fn reads_what_is_told<T: FromMembers>(body: &Value) {
    let _ = taken_members();
    let read = Members::parse(body.to_string().as_bytes()).and_then(T::from_members);
    assert!(read.is_ok(), "{}: {body}", T::NAME);
    assert_eq!(taken_members(), members(&T::schema()), "{}", T::NAME);
    let schema = T::schema();
    let faults = faults(&openapi(), &schema, body);
    assert!(faults.is_empty(), "{}: {faults:#?}", T::NAME);
}

#[test]
fn bodies_are_read_as_they_are_told() {
    let person = json!({
        "company": "Shop Ltd", "firstName": "Ann", "lastName": "Example", "address1": "1 Market Street",
        "address2": "Floor 2", "city": "Kuala Lumpur", "state": "Selangor", "countryCode": "MY",
        "zip": "50000", "phoneNumber": "+60.123456789", "faxNumber": "+60.123456780",
        "email": "ann@shop.example", "jobTitle": "CEO",
    });
    let approvers = json!([{ "name": "shop.example", "email": "admin@shop.example" }]);
    let order = json!({
        "productKey": "ssl123", "term": 1, "csr": "…", "sanfield": ["www.shop.example"], "authType": "email",
        "administratorContactId": "SSL1T", "technicalContactId": "SSL1T", "shipmentContactId": "SSL1T",
        "organizationId": "8", "approverEmail": approvers, "reuseKey": true, "usePrevalidated": true,
        "specialInstruction": "call",
    });
    let search = json!({
        "filters": [{ "field": "company", "operator": "LIKE", "value": "jim" }],
        "pagination": { "page": 1, "pageSize": "20" }, "sort": { "field": "dtcreate", "order": "ASC" },
    });
    reads_what_is_told::<tokens::SignIn>(&json!({ "username": "a", "password": "b" }));
    reads_what_is_told::<contacts::CreateContacts>(
        &json!({ "administrator": person, "technical": person }),
    );
    reads_what_is_told::<csrs::GenerateCsr>(&json!({
        "commonName": "shop.example", "organization": "a", "organizationUnit": "b", "city": "c", "state": "d",
        "countryCode": "MY", "email": "a@shop.example", "sanfield": [], "keySize": "384",
    }));
    reads_what_is_told::<csrs::DecodeCsr>(&json!({ "csr": "…" }));
    reads_what_is_told::<orders::PlaceOrder>(&order);
    reads_what_is_told::<orders::Renew>(&order);
    reads_what_is_told::<orders::Reissue>(&order);
    reads_what_is_told::<revocations::Revoke>(&json!({ "reason": 4, "serial": "0a0b" }));
    let submitted = json!({ "validations": [{ "type": "OV" }, "EV"], "type": "OV" });
    reads_what_is_told::<organizations::Submit>(&submitted);
    let organization = json!({ "organization": person, "technicalContactId": "SSL1T" });
    reads_what_is_told::<organizations::Told>(&organization);
    reads_what_is_told::<search::Search>(&search);
    let domain =
        json!({ "domain": "shop.example", "authType": "email", "approverEmail": approvers });
    reads_what_is_told::<domains::ValidateDomain>(&domain);
    reads_what_is_told::<validations::ChangeMethod>(&order);
    reads_what_is_told::<validations::ChangeApprovers>(&order);
}

#[test]
fn what_may_be_left_out_is_not_null() {
    let document = openapi();
    let schemas = &document["components"]["schemas"];
    let order = &schemas["Order"];
    assert_eq!(order["properties"]["specialInstruction"]["type"], "string");
    let nullable = &order["properties"]["dtsettle"];
    assert!(nullable.to_string().contains("null"), "{nullable}");
    assert_eq!(schemas["OrderStatus"]["enum"][1], "IN_PROCESS");
}
