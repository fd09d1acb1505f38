//! Answers and refusals, as the document tells them.

use serde_json::{Map, Value, json};

use crate::envelope::{DONE_CODE, DONE_MESSAGE};

/// The content type of the document's answers; parameters do not count there.
const JSON: &str = "application/json";

/// A status of refusals.
pub(crate) struct Refused {
    pub(crate) status: u16,
    /// Its name in the document.
    name: &'static str,
    /// What its sub codes end in.
    pub(crate) numbers: &'static [&'static str],
    meaning: &'static str,
    /// The end of a sub code, and a text that goes with it.
    example: (&'static str, &'static str),
}

/// What may stop a request.
pub(crate) const REFUSALS: [Refused; 10] = [
    Refused {
        status: 400,
        name: "BadRequest",
        numbers: &["2400", "4000", "4002", "5001"],
        meaning: "`…2400`: a rule of business, told in the text; what is not there, or is another's, too. \
            `…4000`: faults of fields, in a list. `…4002`: the body cannot be read. `…5001`: there is no such \
            reseller.",
        example: ("2400", "Order not found."),
    },
    Refused {
        status: 401,
        name: "Unauthorized",
        numbers: &["4010"],
        meaning: "The token is missing, wrong, expired or revoked: sign in again.",
        example: (
            "4010",
            "Invalid or expired token. Reason: Provided token isn't active",
        ),
    },
    Refused {
        status: 403,
        name: "Forbidden",
        numbers: &["0004", "4030"],
        meaning: "`…0004`: the credential may not be used from this address. `…4030`: its scope is too small, or the \
            reseller is suspended.",
        example: (
            "0004",
            "Forbidden access with current ip address: 203.0.113.7",
        ),
    },
    Refused {
        status: 404,
        name: "NotFound",
        numbers: &["4040"],
        meaning: "Nothing is served at the path, as happens where a part of it is empty.",
        example: ("4040", "No static resource ssl/v2/nothing."),
    },
    Refused {
        status: 405,
        name: "MethodNotAllowed",
        numbers: &["4050"],
        meaning: "Something is served at the path, by other methods.",
        example: ("4050", "Request method 'PATCH' is not supported."),
    },
    Refused {
        status: 408,
        name: "RequestTimeout",
        numbers: &["4080"],
        meaning: "The body did not arrive in time.",
        example: ("4080", "Request body did not arrive in time."),
    },
    Refused {
        status: 413,
        name: "ContentTooLarge",
        numbers: &["4130"],
        meaning: "The body is longer than is taken: 256 KiB, and 1 MiB for a download's form.",
        example: ("4130", "Request body is too large."),
    },
    Refused {
        status: 429,
        name: "TooManyRequests",
        numbers: &["4290"],
        meaning: "There were too many calls, or too many wrong passwords.",
        example: (
            "4290",
            "Too many requests: there may be 5000 a day. Try again in 3600 seconds.",
        ),
    },
    Refused {
        status: 500,
        name: "InternalServerError",
        numbers: &["5000", "5001"],
        meaning: "`…5000`: a fault of ours. `RES5001`, of the token call alone: the user name or the password \
            is wrong.",
        example: ("5000", "Unknown error occurred."),
    },
    Refused {
        status: 503,
        name: "Busy",
        numbers: &["5030", "5031", "5032"],
        meaning: "`…5030`: others changed the same at once, send the request again. `…5031`: the platform is not \
            available at the moment; the message says so where it cannot tell whether the request was done. `…5032`: there are too many requests at once.",
        example: (
            "5030",
            "Others changed the same at once. Please send the request again.",
        ),
    },
];

/// A success, around data and an example of them where there are any.
pub(super) fn success(data: Option<(Value, Value)>) -> Value {
    let mut schema = json!({
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": { "const": DONE_CODE },
            "message": { "const": DONE_MESSAGE },
        },
    });
    let mut example = json!({ "code": DONE_CODE, "message": DONE_MESSAGE });
    if let Some((of_data, data)) = data {
        schema["required"] = json!(["code", "message", "data"]);
        schema["properties"]["data"] = of_data;
        example["data"] = data;
    }
    json!({
        "description": "It is done.",
        "content": { JSON: { "schema": schema, "example": example } },
    })
}

/// A file, of one of these content types.
pub(super) fn file(kinds: &[&str]) -> Value {
    let content: Map<String, Value> = kinds
        .iter()
        .map(|kind| ((*kind).to_owned(), json!({})))
        .collect();
    json!({
        "description": "The file.",
        "headers": { "Content-Disposition": {
            "description": "The name of the file, after the common name.",
            "schema": { "type": "string" },
            "required": true,
            "example": "attachment; filename=\"shop.example.pem\"",
        } },
        "content": content,
    })
}

/// All answers of an operation: its success, and what may stop it.
pub(super) fn of(success: Value, needs_token: bool) -> Value {
    let mut answers = Map::from_iter([("200".to_owned(), success)]);
    for Refused { status, name, .. } in REFUSALS {
        if needs_token || status != 401 {
            let reference = format!("#/components/responses/{name}");
            answers.insert(status.to_string(), json!({ "$ref": reference }));
        }
    }
    answers.into()
}

/// The frame of every refusal.
pub(super) fn refusal() -> Value {
    let named = |text: &str| json!({ "type": "string", "description": text });
    json!({
        "type": "object",
        "description": "A refusal. Faults of fields come in one of two lists, never in both.",
        "required": ["code", "message", "error"],
        "properties": {
            "code": { "const": "2400" },
            "message": { "const": "System message" },
            "error": {
                "type": "object",
                "required": ["subCode", "message"],
                "properties": {
                    "subCode": {
                        "type": "string",
                        "pattern": "^(SSL|RES)[0-9]{4}$",
                        "description": "`SSL` under `/ssl/v2`, `RES` under `/reseller/v2`, and what is wrong.",
                    },
                    "message": named("What is wrong, for people."),
                },
            },
            "validationErrors": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["field", "message"],
                    "properties": {
                        "field": named("A member, a parameter or a header; parts of members after a full stop."),
                        "message": named("What is wrong with it."),
                    },
                },
            },
            "fieldErrors": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["field", "messages"],
                    "properties": {
                        "field": named("A part of a contact or an organization, or another member."),
                        "messages": { "type": "array", "minItems": 1, "items": named("What is wrong with it.") },
                    },
                },
            },
        },
    })
}

/// The refusals by their names.
pub(super) fn refusals() -> Value {
    let named = REFUSALS.map(|refused| (refused.name.to_owned(), told(&refused)));
    Map::from_iter(named).into()
}

fn told(refused: &Refused) -> Value {
    let numbers = refused.numbers.join("|");
    let (number, message) = refused.example;
    let narrowed = json!({ "properties": { "error": { "properties": {
        "subCode": { "pattern": format!("^(SSL|RES)({numbers})$") },
    } } } });
    let mut told = json!({
        "description": refused.meaning,
        "content": { JSON: {
            "schema": { "allOf": [{ "$ref": "#/components/schemas/Refusal" }, narrowed] },
            "example": {
                "code": "2400",
                "message": "System message",
                "error": { "subCode": format!("SSL{number}"), "message": message },
            },
        } },
    });
    let header = |text: &str, schema: Value| {
        json!({
            "description": text,
            "required": true,
            "schema": schema,
        })
    };
    match refused.status {
        401 => {
            let bearer = header(
                "How to sign in (RFC 6750 §3).",
                json!({ "const": "Bearer" }),
            );
            told["headers"] = json!({ "WWW-Authenticate": bearer });
        }
        405 => {
            let methods = header("The methods there are.", json!({ "type": "string" }));
            told["headers"] = json!({ "Allow": methods });
        }
        429 | 503 => {
            let seconds = json!({ "type": "integer", "minimum": 1 });
            let seconds = header("When to try again, in seconds.", seconds);
            told["headers"] = json!({ "Retry-After": seconds });
        }
        _ => {}
    }
    told
}
