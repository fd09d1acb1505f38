//! The answers a test gets, held against the document the server gives of itself.
//!
//! Every client of the test kit has its answers looked at here, so the whole suite is a test of the document,
//! too. In a test an answer may have no member that the document does not have; clients are promised less.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::http::Reply;

/// What is promised, read once.
static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

struct Contract {
    document: Value,
    /// What was needed so far, by method, path and status.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Fails the test where an answer is not as the document says. Paths that are in no document are not looked at,
/// nor are methods that a path does not take.
pub(crate) fn hold(method: &str, target: &str, reply: &Reply) {
    let path = target.split('?').next().unwrap_or_default();
    let Some((template, operation)) = CONTRACT.operation(method, path) else {
        return;
    };
    let told = |what: &str| {
        panic!(
            "{method} {target}: {} {what}: {}",
            reply.status,
            reply.text()
        )
    };
    let status = reply.status.to_string();
    let Some(answer) = operation["responses"].get(&status) else {
        return told("is no status the document has");
    };
    let answer = CONTRACT.resolved(answer);
    for (name, header) in answer["headers"].as_object().into_iter().flatten() {
        if header["required"] == true && !reply.headers.contains_key(name) {
            told(&format!("lacks the header {name}"));
        }
    }
    let kind = reply
        .header("content-type")
        .split(';')
        .next()
        .unwrap_or_default();
    if answer.get("content").is_none() && reply.body.is_empty() {
        return;
    }
    let Some(content) = answer["content"].get(kind) else {
        return told(&format!(
            "is of a content type the document does not have, {kind}"
        ));
    };
    let Some(schema) = content.get("schema") else {
        return;
    };
    if !kind.ends_with("json") {
        return;
    }
    let validator = CONTRACT.validator(format!("{method} {template} {status}"), schema);
    let body = reply.json();
    let faults: Vec<String> = validator
        .iter_errors(&body)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    if !faults.is_empty() {
        told(&format!("is not as the document says: {faults:#?}"));
    }
}

impl Contract {
    fn read() -> Self {
        let mut document = chancery_server::openapi();
        close(&mut document);
        Self {
            document,
            validators: Mutex::default(),
        }
    }

    /// The operation behind a path; of two that fit the one with fewer variables.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let segments = |path: &str| -> Vec<String> {
            let parts = path.split('/').filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        let asked = segments(path);
        let fits = |template: &str| {
            let wanted = segments(template);
            let is_it =
                |(wanted, asked): (&String, &String)| wanted.starts_with('{') || wanted == asked;
            wanted.len() == asked.len() && wanted.iter().zip(&asked).all(is_it)
        };
        let paths = self.document["paths"].as_object().unwrap();
        let found = paths.iter().filter(|(template, _)| fits(template));
        let (template, methods) =
            found.min_by_key(|(template, _)| template.matches('{').count())?;
        let operation = methods.get(method.to_ascii_lowercase())?;
        Some((template, operation))
    }

    /// What a reference leads to.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value.get("$ref") else {
            return value;
        };
        let pointer = reference.as_str().unwrap().trim_start_matches('#');
        self.document.pointer(pointer).unwrap()
    }

    fn validator(&self, name: String, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let made = validators.entry(name).or_insert_with(|| {
            let components = &self.document["components"];
            let schema = json!({ "allOf": [schema], "components": components });
            Arc::new(jsonschema::draft202012::new(&schema).unwrap())
        });
        Arc::clone(made)
    }
}

/// Lets objects have no members but those that are told.
fn close(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("type") == Some(&json!("object")) && object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_with_and_without_variables() {
        let found = |method, path| {
            CONTRACT
                .operation(method, path)
                .map(|(template, _)| template)
        };
        let contact = "/ssl/v2/contact/{contactId}";
        assert_eq!(found("GET", "/ssl/v2/contact/SSL1T"), Some(contact));
        assert_eq!(
            found("GET", "//ssl/v2/contact/info"),
            Some("/ssl/v2/contact/info")
        );
        assert_eq!(found("PATCH", "/ssl/v2/contact/info"), None);
        assert_eq!(found("GET", "/nowhere"), None);
    }

    #[test]
    fn what_is_not_told_is_noticed() {
        let (_, operation) = CONTRACT.operation("GET", "/reseller/v2/balance").unwrap();
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let validator = CONTRACT.validator("a test".to_owned(), schema);
        let balance = |amount: Value| {
            json!({
                "code": "1000",
                "message": "Command completed successfully.",
                "data": { "balance": [amount] },
            })
        };
        assert!(validator.is_valid(&balance(json!({ "amount": 1.0, "currency": "USD" }))));
        for wrong in [
            json!({ "amount": "1.0", "currency": "USD" }),
            json!({ "amount": 1.0 }),
            json!({ "amount": 1.0, "currency": "USD", "more": 1 }),
        ] {
            assert!(!validator.is_valid(&balance(wrong)));
        }
    }
}
