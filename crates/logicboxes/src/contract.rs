//! What the dialect promises, as an OpenAPI 3.1 document tells it: its JSON form, as far as it can be described.
//!
//! Paths, HTTP methods and scopes come from the table of routes; what methods take and give is told here, beside
//! an example, and tests hold the examples against the schemas. [`openapi`] gives the dialect's part; the server
//! makes one document of all its dialects.

pub(crate) mod contacts;
pub(crate) mod customers;
pub(crate) mod resellers;

use chancery_domain::contact_types::ContactType;
use chancery_domain::postal_codes::is_often_absent;
use serde_json::{Map, Value as Json, json};

use crate::auth;
use crate::parameters::Parameters;
use crate::routes::{Row, table};

/// What the document tells of a method, beside what the table does.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    tag: &'static str,
    id: &'static str,
    summary: &'static str,
    text: &'static str,
    parameters: &'static [Parameter],
    answer: fn() -> Json,
    example: fn() -> Json,
}

/// A parameter of a method.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    name: &'static str,
    presence: Presence,
    kind: Kind,
    text: &'static str,
}

/// Whether a parameter has to be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Presence {
    /// It may be left out.
    Optional,
    /// It has to be there.
    Required,
    /// It is a company, which has to be there unless the contact type that comes with it may do without.
    ByType,
    /// It is a company, which has to be there unless the contact's type may do without: only who has the contact
    /// can say.
    ByContact,
    /// It is a postal code, which has to be there unless addresses in the country that comes with it often have none.
    ByCountry,
}

/// What a parameter is.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Text.
    Text,
    /// One of these texts.
    OneOf(fn() -> Vec<&'static str>),
    /// Some of these texts, by repeating the parameter.
    SomeOf(fn() -> Vec<&'static str>),
    /// A whole number.
    Integer,
    /// A whole number, not less than the first, and not more than the last if there is one.
    Within(i64, Option<i64>),
    /// `true` or `false`.
    Boolean,
    /// Whole numbers, by repeating the parameter.
    Integers,
}

/// A parameter that has to be there.
pub(crate) const fn required(name: &'static str, kind: Kind, text: &'static str) -> Parameter {
    Parameter {
        name,
        presence: Presence::Required,
        kind,
        text,
    }
}

/// A postal code, which has to be there unless the country's addresses often have none.
pub(crate) const fn postal_code(text: &'static str) -> Parameter {
    Parameter {
        presence: Presence::ByCountry,
        ..required("zipcode", Kind::Text, text)
    }
}

/// A parameter that may be there.
pub(crate) const fn optional(name: &'static str, kind: Kind, text: &'static str) -> Parameter {
    let parameter = required(name, kind, text);
    Parameter {
        presence: Presence::Optional,
        ..parameter
    }
}

impl Operation {
    /// A method under a heading, by its name for programs and for people, with a sentence or more; what it
    /// answers, as a schema, and an example of that.
    pub(crate) const fn new(
        tag: &'static str,
        id: &'static str,
        summary: &'static str,
        text: &'static str,
        answer: fn() -> Json,
        example: fn() -> Json,
    ) -> Self {
        Self {
            tag,
            id,
            summary,
            text,
            parameters: &[],
            answer,
            example,
        }
    }

    /// It takes parameters, beside the credential.
    pub(crate) const fn takes(self, parameters: &'static [Parameter]) -> Self {
        Self { parameters, ..self }
    }

    /// The first parameter, in the order in which they are told, that has to be there and is not.
    pub(crate) fn missing(&self, given: &Parameters) -> Option<&'static str> {
        let is_needed = |parameter: &Parameter| match parameter.presence {
            Presence::Optional | Presence::ByContact => false,
            Presence::Required => true,
            Presence::ByCountry => {
                let country = given.optional("country").unwrap_or_default();
                !country.is_some_and(|country| is_often_absent(country.trim()))
            }
            Presence::ByType => {
                let kind = given.optional("type").unwrap_or_default();
                let kind = kind.and_then(ContactType::parse);
                kind.is_none_or(|kind| kind.rules().company.required)
            }
        };
        let mut missing = self.parameters.iter().filter(|one| !given.has(one.name));
        missing.find(|one| is_needed(one)).map(|one| one.name)
    }

    /// Where a parameter stands among all.
    pub(crate) fn place(&self, name: &str) -> usize {
        let place = self.parameters.iter().position(|one| one.name == name);
        place.unwrap_or(self.parameters.len())
    }
}

/// An answer that is a bare number.
pub(crate) fn integer() -> Json {
    json!({ "type": "integer" })
}

/// An answer that is a bare boolean.
pub(crate) fn boolean() -> Json {
    json!({ "type": "boolean" })
}

/// An answer that is a text.
pub(crate) fn text() -> Json {
    json!({ "type": "string" })
}

/// An answer that is a map of texts: those that are always there, and those that may be.
pub(crate) fn texts(always: &[&str], sometimes: &[&str]) -> Json {
    let all = always.iter().chain(sometimes);
    let properties: Map<String, Json> = all.map(|key| ((*key).to_owned(), text())).collect();
    json!({ "type": "object", "properties": properties, "required": always, "additionalProperties": text() })
}

/// An answer that is a map by ids or types, each with one of these.
pub(crate) fn map_of(schema: &Json) -> Json {
    json!({ "type": "object", "additionalProperties": schema })
}

/// The dialect's part of an OpenAPI 3.1 document: `tags`, `paths` and `components`.
pub fn openapi() -> Json {
    let mut paths = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    for Row {
        route, operation, ..
    } in table()
    {
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
        }
        let method = route.method.as_str().to_ascii_lowercase();
        let told = operation.document(&method, &route.needs.to_string());
        paths.insert(format!("/api/{}.json", route.path), json!({ method: told }));
    }
    json!({
        "tags": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "auth-userid": key(auth::USER_ID, "The number of a credential."),
                "api-key": key(auth::KEY, "Its secret. The older name `auth-password` is taken, too."),
            },
            "responses": { "LogicBoxesError": error(), "LogicBoxesAway": away() },
            "schemas": { "LogicBoxesError": error_schema() },
        },
    })
}

fn key(name: &str, text: &str) -> Json {
    json!({ "type": "apiKey", "in": "query", "name": name, "description": text })
}

fn error() -> Json {
    json!({
        "description": "The call was refused; the message says why.",
        "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/LogicBoxesError" },
            "example": { "status": "ERROR", "message": "{telnocc=TelephoneNo Country Code is invalid}" },
        } },
    })
}

fn away() -> Json {
    json!({
        "description": "The platform is not available at the moment, or there are too many requests at once.",
        "headers": { "Retry-After": {
            "description": "When to try again, in seconds.",
            "schema": { "type": "integer", "minimum": 1 },
        } },
        "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/LogicBoxesError" },
            "example": {
                "status": "ERROR",
                "message": "The platform is not available at the moment. Please try again later",
            },
        } },
    })
}

fn error_schema() -> Json {
    let mut schema = texts(&["status", "message"], &[]);
    schema["properties"]["status"] = json!({ "const": "ERROR" });
    schema
}

impl Operation {
    fn document(&self, method: &str, scope: &str) -> Json {
        let text = format!("{} Needs the scope `{scope}`.", self.text);
        let mut told = json!({
            "tags": [self.tag],
            "operationId": self.id,
            "summary": self.summary,
            "description": text.trim_start(),
            "responses": {
                "200": {
                    "description": "Done.",
                    "content": { "application/json": {
                        "schema": (self.answer)(),
                        "example": (self.example)(),
                    } },
                },
                "500": { "$ref": "#/components/responses/LogicBoxesError" },
                "503": { "$ref": "#/components/responses/LogicBoxesAway" },
            },
            "security": [{ "auth-userid": [scope], "api-key": [scope] }],
        });
        if method == "get" {
            let parameters: Vec<Json> = self.parameters.iter().map(Parameter::in_query).collect();
            told["parameters"] = parameters.into();
        } else if !self.parameters.is_empty() {
            told["requestBody"] = self.form();
        }
        told
    }

    fn form(&self) -> Json {
        let properties = self.parameters.iter().map(|parameter| {
            let mut schema = parameter.schema();
            schema["description"] = json!(parameter.text);
            (parameter.name.to_owned(), schema)
        });
        let properties: Map<String, Json> = properties.collect();
        let required = self.parameters.iter().filter(|one| one.is_required());
        let required: Vec<&str> = required.map(|one| one.name).collect();
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        json!({
            "required": !required.is_empty(),
            "content": { "application/x-www-form-urlencoded": { "schema": schema } },
        })
    }
}

impl Parameter {
    /// It has to be there, or not, by the contact type that comes with it.
    pub(crate) const fn by_type(self) -> Self {
        let presence = Presence::ByType;
        Self { presence, ..self }
    }

    /// It has to be there, or not, by the type of the contact that it is about.
    pub(crate) const fn by_contact(self) -> Self {
        let presence = Presence::ByContact;
        Self { presence, ..self }
    }

    fn is_required(&self) -> bool {
        self.presence == Presence::Required
    }

    fn in_query(&self) -> Json {
        json!({
            "name": self.name,
            "in": "query",
            "required": self.is_required(),
            "description": self.text,
            "schema": self.schema(),
        })
    }

    fn schema(&self) -> Json {
        match self.kind {
            Kind::Text => text(),
            Kind::OneOf(names) => json!({ "enum": names() }),
            Kind::SomeOf(names) => json!({ "type": "array", "items": { "enum": names() } }),
            Kind::Within(least, None) => json!({ "type": "integer", "minimum": least }),
            Kind::Within(least, most) => {
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Kind::Integer => integer(),
            Kind::Boolean => boolean(),
            Kind::Integers => json!({ "type": "array", "items": integer() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_of_their_schemas() {
        for Row { operation, .. } in table() {
            let (schema, example) = ((operation.answer)(), (operation.example)());
            assert!(jsonschema::is_valid(&schema, &example), "{}", operation.id);
        }
    }

    #[test]
    fn what_is_missing_is_told_in_documented_order() {
        let missing = |operation: &Operation, query: &str| {
            operation.missing(&Parameters::merge(Some(query), None, b"").unwrap())
        };
        for Row { operation, .. } in table() {
            let is_needed = |one: &&Parameter| {
                one.is_required() || [Presence::ByType, Presence::ByCountry].contains(&one.presence)
            };
            let required = operation.parameters.iter().filter(is_needed);
            let mut query = String::new();
            for parameter in required {
                assert_eq!(
                    missing(operation, &query),
                    Some(parameter.name),
                    "{}",
                    operation.id
                );
                // What is there, counts as there, be it what it may.
                query += &format!("&{}=%ff", parameter.name);
            }
            assert_eq!(missing(operation, &query), None, "{}", operation.id);
        }
        for (kind, first) in [
            ("", "company"),
            ("type=Contact", "company"),
            ("type=Kontakt", "company"),
            ("type=EsContact", "email"),
            (
                "type=EsContact&email=a&address-line-1=a&city=a&country=ie",
                "phone-cc",
            ),
            (
                "type=EsContact&email=a&address-line-1=a&city=a&country=es",
                "zipcode",
            ),
        ] {
            let query = format!("name=a&{kind}");
            assert_eq!(missing(&contacts::ADD, &query), Some(first), "{kind}");
        }
        assert_eq!(
            missing(&contacts::MODIFY, "contact-id=1&name=a"),
            Some("email")
        );
        assert_eq!(
            missing(&contacts::ADD_SPONSOR, "name=a&type=EsContact"),
            Some("company")
        );
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut ids: Vec<&str> = table().iter().map(|row| row.operation.id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
