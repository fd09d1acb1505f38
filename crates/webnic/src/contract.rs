//! What the dialect promises, as an OpenAPI 3.1 document tells it.
//!
//! Paths, methods and scopes come from the table of routes, answers from the types that are written, refusals
//! from the table of them. Bodies are read by hand, member by member; so their schemas are written by hand,
//! and tests hold them against the reading (`docs/adr/0009-contract-document.md`).
//!
//! [`openapi`] gives the dialect's part; the server makes one document of all its dialects.

pub(crate) mod account;
pub(crate) mod contacts;
pub(crate) mod csrs;
pub(crate) mod domains;
pub(crate) mod downloads;
mod fields;
pub(crate) mod orders;
pub(crate) mod organizations;
pub(crate) mod products;
mod responses;
#[cfg(test)]
mod tests;
pub(crate) mod validations;

use std::collections::BTreeMap;

use chancery_domain::fields::Field;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

#[cfg(test)]
pub(crate) use self::responses::{REFUSALS, Refused};
use crate::routes::{Route, Row, table};

/// A body, as the document tells it.
pub(crate) trait Described {
    /// The name of its schema.
    const NAME: &'static str;

    /// The schema.
    fn schema() -> Value;
}

/// What the document tells of a route, beside what the table does.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    tag: &'static str,
    id: &'static str,
    summary: &'static str,
    text: &'static str,
    query: &'static [Parameter],
    is_repeatable: bool,
    taken: Taken,
    answer: Answer,
}

/// A parameter of a query: its name, and whether it has to be there.
type Parameter = (&'static str, bool);

/// An example.
type Example = fn() -> Value;

#[derive(Clone, Copy)]
enum Taken {
    Nothing,
    Json {
        name: &'static str,
        schema: fn() -> Value,
        example: Example,
        is_required: bool,
    },
    Form(fn() -> Value),
}

#[derive(Clone, Copy)]
enum Answer {
    /// The envelope alone.
    Done,
    /// The envelope around data.
    Data(fn(&mut SchemaGenerator) -> Schema, Example),
    /// A file, of one of these content types.
    File(fn() -> Vec<&'static str>),
}

impl Operation {
    /// An operation under a heading, by its name for programs and for people, with a sentence or more.
    const fn new(
        tag: &'static str,
        id: &'static str,
        summary: &'static str,
        text: &'static str,
    ) -> Self {
        Self {
            tag,
            id,
            summary,
            text,
            query: &[],
            is_repeatable: false,
            taken: Taken::Nothing,
            answer: Answer::Done,
        }
    }

    const fn query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    /// It takes an `Idempotency-Key`.
    const fn repeatable(self) -> Self {
        Self {
            is_repeatable: true,
            ..self
        }
    }

    const fn takes<T: Described>(self, example: Example) -> Self {
        let taken = Taken::Json {
            name: T::NAME,
            schema: T::schema,
            example,
            is_required: true,
        };
        Self { taken, ..self }
    }

    /// It takes a body, or none.
    const fn may_take<T: Described>(self, example: Example) -> Self {
        let taken = Taken::Json {
            name: T::NAME,
            schema: T::schema,
            example,
            is_required: false,
        };
        Self { taken, ..self }
    }

    const fn takes_form(self, schema: fn() -> Value) -> Self {
        let taken = Taken::Form(schema);
        Self { taken, ..self }
    }

    const fn answers<T: JsonSchema>(self, example: Example) -> Self {
        let answer = Answer::Data(SchemaGenerator::subschema_for::<T>, example);
        Self { answer, ..self }
    }

    const fn answers_file(self, kinds: fn() -> Vec<&'static str>) -> Self {
        let answer = Answer::File(kinds);
        Self { answer, ..self }
    }
}

/// The dialect's part of an OpenAPI 3.1 document: `tags`, `paths` and `components`.
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|all| {
        all.definitions_path = "/components/schemas".into();
        all.meta_schema = None;
    });
    let settings = settings.with_transform(AbsentIsNotNull);
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in table() {
        let Row {
            route, operation, ..
        } = row;
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
        }
        let names = names.entry(operation.id).or_default();
        let told = operation.document(&route, names, &mut generator);
        names.push(format!("{} {}", route.method, route.path));
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = told;
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Refusal".to_owned(), responses::refusal());
    json!({
        "tags": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "What signing in gives.",
            } },
            "responses": responses::refusals(),
            "schemas": schemas,
        },
    })
}

impl Operation {
    /// The operation at one of its routes; `others` are those before it.
    fn document(&self, route: &Route, others: &[String], generator: &mut SchemaGenerator) -> Value {
        let mut text = self.text.to_owned();
        if let Some(first) = others.first() {
            text = format!("Another name of `{first}`.");
        }
        if let Some(scope) = route.needs {
            text.push_str(&format!(" Needs the scope `{scope}`."));
        }
        let id = match others.len() {
            0 => self.id.to_owned(),
            number => format!("{}Alias{number}", self.id),
        };
        let mut told = json!({
            "tags": [self.tag],
            "operationId": id,
            "summary": self.summary,
            "description": text.trim_start(),
        });
        if !others.is_empty() {
            told["deprecated"] = json!(true);
        }
        let parameters = self.parameters(route.path);
        if !parameters.is_empty() {
            told["parameters"] = parameters.into();
        }
        if let Some(body) = self.body(generator) {
            told["requestBody"] = body;
        }
        told["responses"] = responses::of(self.answer(generator), route.needs.is_some());
        told["security"] = match route.needs {
            Some(scope) => json!([{ "token": [scope.to_string()] }]),
            None => json!([]),
        };
        told
    }

    /// Those of the path, then those of the query that are not in the path, then the header.
    fn parameters(&self, path: &str) -> Vec<Value> {
        let parts = path.split(['{', '}']).skip(1).step_by(2);
        let in_path: Vec<&str> = parts.collect();
        let is_in_path = |name: &str| in_path.contains(&name);
        let of_query = self.query.iter().filter(|(name, _)| !is_in_path(name));
        let mut parameters: Vec<Value> = in_path
            .iter()
            .map(|name| parameter(name, "path", true))
            .collect();
        parameters.extend(of_query.map(|(name, required)| parameter(name, "query", *required)));
        if self.is_repeatable {
            let mut schema = fields::schema(Field::RepeatKey);
            schema["pattern"] = json!("^[!-~]+$");
            parameters.push(json!({
                "name": "Idempotency-Key",
                "in": "header",
                "description": schema["description"].take(),
                "schema": { "type": "string", "maxLength": schema["maxLength"], "pattern": schema["pattern"] },
            }));
        }
        parameters
    }

    fn body(&self, generator: &mut SchemaGenerator) -> Option<Value> {
        match self.taken {
            Taken::Nothing => None,
            Taken::Json {
                name,
                schema,
                example,
                is_required,
            } => {
                generator
                    .definitions_mut()
                    .entry(name)
                    .or_insert_with(schema);
                Some(json!({
                    "required": is_required,
                    "content": { "application/json": {
                        "schema": { "$ref": format!("#/components/schemas/{name}") },
                        "example": example(),
                    } },
                }))
            }
            Taken::Form(schema) => Some(json!({
                "required": false,
                "content": { "multipart/form-data": { "schema": schema() } },
            })),
        }
    }

    fn answer(&self, generator: &mut SchemaGenerator) -> Value {
        match self.answer {
            Answer::Done => responses::success(None),
            Answer::Data(schema, example) => {
                let schema = schema(generator).to_value();
                responses::success(Some((schema, example())))
            }
            Answer::File(kinds) => responses::file(&kinds()),
        }
    }
}

fn parameter(name: &str, place: &str, is_required: bool) -> Value {
    let mut parameter = fields::parameter(name).expect("fields.rs has every parameter");
    parameter["in"] = json!(place);
    parameter["required"] = json!(is_required);
    parameter
}

/// A member of an answer may be null or may be absent, but never both: what serde may skip is not null.
#[derive(Clone)]
struct AbsentIsNotNull;

impl Transform for AbsentIsNotNull {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let required = schema.get("required").cloned().unwrap_or_default();
        let is_required = |name: &String| {
            let mut names = required.as_array().into_iter().flatten();
            names.any(|required| required == name)
        };
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            if !is_required(name) {
                without_null(property);
            }
        }
    }
}

/// Takes null out of what a value may be, as schemars writes it for an `Option`.
fn without_null(property: &mut Value) {
    if let Some(Value::Array(types)) = property.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = &types[..] {
            property["type"] = only.clone();
        }
    }
    if let Some(Value::Array(any)) = property.get_mut("anyOf") {
        any.retain(|schema| schema["type"] != "null");
        if let [only] = &any[..] {
            *property = only.clone();
        }
    }
}
