//! What the document tells of the routes that are for everyone: health, the repository, revocation by the key's holder.

use chancery_domain::revocations::RevocationReason;
use serde_json::{Value, json};

const HEALTH: &str = "Health";
const REPOSITORY: &str = "Certificates and revocation lists";

/// `tags`, `paths` and `components` of these routes.
pub(crate) fn openapi() -> Value {
    json!({
        "tags": [
            { "name": HEALTH, "description": "Whether the server does its work." },
            {
                "name": REPOSITORY,
                "description": "What the URLs inside certificates lead to, for everyone and over plain HTTP; and \
                    revocation by whoever holds a certificate's key.",
            },
        ],
        "paths": {
            "/health": { "get": readiness("health", "Whether requests are answered and jobs run") },
            "/health/ready": { "get": readiness("healthReady", "The same as `/health`") },
            "/health/live": { "get": liveness() },
            "/pki/root.crt": { "get": root_certificate() },
            "/pki/{file}": { "get": published() },
            "/pki/revoke": { "get": help(), "post": revocation() },
        },
        "components": { "schemas": {
            "Health": health_schema(),
            "Problem": problem_schema(),
            "KeyHolderRevocation": revocation_schema(),
        } },
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn answered(description: &str, kind: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { kind: { "schema": schema } } })
}

fn octets() -> Value {
    json!({ "type": "string", "format": "binary" })
}

fn readiness(id: &str, summary: &str) -> Value {
    let schema = reference("Health");
    let description = "Strangers are told one word. Operators, by their address, are told of each thing how it stands.";
    json!({
        "operationId": id, "summary": summary, "description": description, "tags": [HEALTH], "security": [],
        "responses": {
            "200": answered("It does, perhaps with a warning.", "application/json", &schema),
            "503": answered("It does not; `Retry-After` says when to ask again.", "application/json", &schema),
        },
    })
}

fn liveness() -> Value {
    json!({
        "operationId": "healthLive", "summary": "Whether the process answers at all", "tags": [HEALTH], "security": [],
        "description": "Whoever restarts processes that hang asks here: an outage of the database is no reason to.",
        "responses": { "200": answered("It does.", "application/json", &reference("Health")) },
    })
}

fn root_certificate() -> Value {
    json!({
        "operationId": "rootCertificate", "summary": "The root certificate, DER", "tags": [REPOSITORY], "security": [],
        "responses": { "200": answered("It.", "application/pkix-cert", &octets()) },
    })
}

fn published() -> Value {
    json!({
        "operationId": "published", "tags": [REPOSITORY], "security": [],
        "summary": "An issuing CA's certificate, or the revocation list of a CA, DER",
        "parameters": [{
            "name": "file", "in": "path", "required": true, "example": "root.crl", "schema": { "type": "string" },
            "description": "`root.crl`, or the name of an issuing CA, as its certificates have it, with `.crt` or \
                `.crl`.",
        }],
        "responses": {
            "200": {
                "description": "The file. A list has an `ETag`, by which a later request is told that it is the same.",
                "content": {
                    "application/pkix-cert": { "schema": octets() },
                    "application/pkix-crl": { "schema": octets() },
                },
            },
            "304": { "description": "The list is the one that `If-None-Match` names." },
            "404": { "description": "There is no such file." },
            "503": { "description": "The database is away; what was served once is served on." },
        },
    })
}

fn help() -> Value {
    let page = answered(
        "A page for people.",
        "text/plain",
        &json!({ "type": "string" }),
    );
    json!({
        "operationId": "revokeHelp", "summary": "How to revoke a certificate with its key", "tags": [REPOSITORY],
        "security": [], "responses": { "200": page },
    })
}

fn revocation() -> Value {
    let problem = reference("Problem");
    let refused = |meaning: &str| answered(meaning, "application/problem+json", &problem);
    let jws = json!({
        "type": "object",
        "required": ["protected", "payload", "signature"],
        "properties": {
            "protected": {
                "type": "string",
                "description": "base64url of an object with `alg` (RS256, ES256 or ES384) and, if wanted, `jwk`.",
            },
            "payload": {
                "type": "string",
                "description": "base64url of an object with `certificate`, base64url of its DER, and `reason`.",
            },
            "signature": { "type": "string", "description": "base64url, by the certificate's key." },
        },
    });
    let csr = json!({
        "type": "object",
        "required": ["csr"],
        "properties": { "csr": { "type": "string", "description": "A CSR made for it, PEM." } },
    });
    json!({
        "operationId": "revokeByKey", "summary": "Revokes a certificate for whoever holds its key",
        "tags": [REPOSITORY], "security": [],
        "description": "Needs no account. The proof is a JWS (RFC 8555 §7.6, without nonce and URL), or a CSR whose \
            common name is `revoke SERIAL`, perhaps with a reason behind it, which is keyCompromise else. An ordinary \
            CSR proves nothing: others have seen it. Twice is answered as done.",
        "requestBody": {
            "required": true,
            "content": {
                "application/jose+json": { "schema": jws },
                "application/json": { "schema": { "anyOf": [jws, csr] } },
                "application/pkcs10": { "schema": { "type": "string", "description": "A CSR made for it, PEM." } },
            },
        },
        "responses": {
            "200": answered("It is revoked, or has ended.", "application/json", &reference("KeyHolderRevocation")),
            "400": refused("The proof cannot be read, or the reason or the algorithm is not taken."),
            "403": refused("It does not prove that its sender holds the key."),
            "404": refused("There is no such certificate."),
            "408": refused("The body did not arrive in time."),
            "413": refused("The proof has more than 64 KiB."),
            "429": refused("Too many requests from this address; `Retry-After` says when the next is heard."),
            "503": refused("Not possible at the moment; `Retry-After` says when to ask again."),
        },
    })
}

fn health_schema() -> Value {
    let state = json!({ "type": "string", "enum": ["ok", "warning", "failing"] });
    json!({
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": state,
            "checks": {
                "type": "array",
                "description": "For operators.",
                "items": {
                    "type": "object",
                    "required": ["name", "status"],
                    "properties": {
                        "name": { "type": "string" }, "status": state, "detail": { "type": "string" },
                    },
                },
            },
        },
    })
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457, with the types of RFC 8555 §6.7.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string" }, "title": { "type": "string" },
            "status": { "type": "integer" }, "detail": { "type": "string" },
        },
    })
}

fn revocation_schema() -> Value {
    let names = RevocationReason::ALL.map(RevocationReason::name);
    let codes = RevocationReason::ALL.map(RevocationReason::code);
    let moment = json!({ "type": "string", "format": "date-time" });
    json!({
        "type": "object",
        "required": ["serial", "status", "keyBlocked"],
        "properties": {
            "serial": { "type": "string", "description": "In hexadecimal digits, lower case." },
            "status": { "type": "string", "enum": ["revoked", "ended"] },
            "reason": { "type": "string", "enum": names },
            "reasonCode": { "type": "integer", "enum": codes },
            "revokedAt": moment,
            "requestedAt": moment,
            "dueBy": { "description": "By when it had to be revoked (BR 4.9.1.1).", "type": "string", "format": "date-time" },
            "endedAt": moment,
            "keyBlocked": { "type": "boolean", "description": "Whether the key is never certified again." },
        },
    })
}
