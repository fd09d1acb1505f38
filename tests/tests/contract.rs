//! The contract document and its page, as a stranger gets them; and what comes of requests that someone makes up
//! from the document who knows nothing else.

use chancery_testkit::{Engine, LogicBoxes, Panel, TestServer, on_both_engines, run, schemathesis};
use serde_json::{Value, json};

on_both_engines!(
    requests_made_up_from_the_document_get_the_answers_it_has,
    strangers_get_the_answers_the_document_has,
);

#[test]
fn the_document_and_its_page_are_for_everyone() {
    run(async |logs| {
        let server = TestServer::start(Engine::Sqlite, logs).await;
        let http = server.http();
        let document = http.get("/openapi.json").await;
        assert_eq!(document.header("content-type"), "application/json");
        assert_eq!(document.json(), chancery_server::openapi());

        let page = http.get("/docs").await;
        assert_eq!(page.header("content-type"), "text/html;charset=UTF-8");
        let mut parts = 0;
        for place in ["src=\"", "href=\"docs"] {
            for (at, _) in page.text().match_indices(place) {
                let target = page.text()[at..].split('"').nth(1).unwrap().to_owned();
                let part = http.get(&format!("/{target}")).await;
                assert_eq!(part.status, 200, "{target}");
                assert!(is_closed(part.header("content-security-policy")));
                parts += 1;
            }
        }
        assert_eq!(parts, 3);
        assert!(is_closed(page.header("content-security-policy")));
        assert_eq!(http.send("HEAD", "/docs", "").await.status, 200);
        assert_eq!(http.send("POST", "/openapi.json", "").await.status, 405);
        server.finish().await;
    });
}

/// Whether a policy lets a page reach nothing but where it is from.
fn is_closed(policy: &str) -> bool {
    let mut rules = policy.split(';').map(str::trim);
    let is_here = |source: &str| ["'none'", "'self'", "data:"].contains(&source);
    policy.contains("default-src 'none'") && rules.all(|rule| rule.split(' ').skip(1).all(is_here))
}

async fn requests_made_up_from_the_document_get_the_answers_it_has(server: &mut TestServer) {
    let panel = server.panel().await;
    let document = about_things_there(server, &panel).await;
    let authorization = format!("Authorization: Bearer {}", panel.token);
    examine(server, &document, &["--header", &authorization]);
}

async fn strangers_get_the_answers_the_document_has(server: &mut TestServer) {
    let document = chancery_server::openapi();
    examine(server, &document, &["--phases", "examples,fuzzing"]);
}

/// Lets the examiner loose with a document. Aliases are the same operations, so they are left out.
fn examine(server: &TestServer, document: &Value, more: &[&str]) {
    let file = server.folder().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let url = format!("http://{}", server.http().address());
    let mut arguments = vec![
        file.to_str().unwrap(),
        "--url",
        &url,
        "--exclude-deprecated",
    ];
    arguments.extend(more);
    let said = schemathesis(server.folder(), &arguments).unwrap_or_else(|said| panic!("{said}"));
    let passed = said.lines().find(|line| line.contains(" generated, "));
    let number: usize = passed
        .and_then(|line| line.trim().split(' ').next()?.parse().ok())
        .unwrap();
    assert!(number > 100, "{said}");
}

/// The document narrowed to things of this reseller's, so that requests made up from it succeed, too.
async fn about_things_there(server: &TestServer, panel: &Panel) -> Value {
    let mut document = chancery_server::openapi();
    let client = server.logicboxes().await;
    let things = Things::make(panel, &document).await;
    let paths = document["paths"].as_object_mut().unwrap();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object_mut().unwrap() {
            if path.starts_with("/api/") {
                sign(operation, &client);
                continue;
            }
            let Some(parameters) = operation.get_mut("parameters") else {
                continue;
            };
            let parameters = parameters.as_array_mut().unwrap();
            // Under one key each request after the first would only be refused.
            parameters.retain(|parameter| {
                parameter["name"] != "Idempotency-Key" || path.ends_with("/renew")
            });
            for parameter in parameters {
                let id = match parameter["name"].as_str().unwrap() {
                    "orderId" => things.order(path),
                    "contactId" => things.contact(method),
                    "organizationId" => things.organization.clone(),
                    _ => continue,
                };
                parameter["schema"] = json!({ "enum": [id] });
                parameter["example"] = id;
            }
        }
    }
    let text = document.to_string().replace("SSL10667T", &things.contact);
    serde_json::from_str(&text).unwrap()
}

/// Has every call of a method carry this credential.
fn sign(operation: &mut Value, client: &LogicBoxes) {
    let parameter = |name: &str, value: &str| json!({ "name": name, "in": "query", "required": true, "schema": { "enum": [value] }, "example": value });
    let credential = [
        parameter("auth-userid", &client.user_id),
        parameter("api-key", &client.key),
    ];
    let parameters = &mut operation["parameters"];
    match parameters.as_array_mut() {
        Some(parameters) => parameters.extend(credential),
        None => *parameters = json!(credential),
    }
    operation["security"] = json!([]);
}

/// What operations are about, so that one does not use up what another needs.
struct Things {
    issued: String,
    open: String,
    mailed: String,
    to_be_cancelled: String,
    contact: String,
    to_be_deleted: String,
    organization: Value,
}

impl Things {
    async fn make(panel: &Panel, document: &Value) -> Self {
        // The name of the CSR in the document's examples.
        const NAME: &str = "shop.example";
        let place = async |method| {
            let order = panel.order("ssl123", method, &[NAME]).await;
            panel.place(&order).await.id
        };
        let open = place("dns").await;
        let mailed = place("email").await;
        let to_be_cancelled = place("dns").await;
        let [contact, to_be_deleted] = panel.contacts().await;
        let create = "/paths/~1ssl~1v2~1organization~1create/post/requestBody/content";
        let examples = document.pointer(create).unwrap();
        let mut organization = examples["application/json"]["example"].clone();
        organization["technicalContactId"] = json!(contact);
        let path = "/ssl/v2/organization/create";
        let made = panel.http.post(path, &organization).await.data();
        Self {
            issued: panel.issue("ssl123", &[NAME]).await,
            open,
            mailed,
            to_be_cancelled,
            contact,
            to_be_deleted,
            organization: made["organizationId"].clone(),
        }
    }

    fn order(&self, path: &str) -> Value {
        json!(match path.rsplit('/').next() {
            Some("cancel") => &self.to_be_cancelled,
            Some("auth" | "dcv-status") => &self.open,
            Some("approver-email" | "send") => &self.mailed,
            _ => &self.issued,
        })
    }

    fn contact(&self, method: &str) -> Value {
        json!(match method {
            "delete" => &self.to_be_deleted,
            _ => &self.contact,
        })
    }
}
