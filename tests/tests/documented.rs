//! The examples of the contract's public pages: their requests as they are printed there, and their answers field
//! by field, in order and in kind. What no two servers share (ids, dates) has the printed form.
//!
//! `tests/data/webnic` holds what the pages print.

use std::fs;

use chancery_testkit::{
    Panel, Reply, TestServer, Wire, on_both_engines, order_for, repository_root,
};
use serde_json::json;

on_both_engines!(
    a_token_is_told_as_documented,
    contacts_are_created_as_documented,
    an_organization_is_created_and_changed_as_documented,
    a_price_is_told_as_documented,
    an_order_is_shown_as_documented,
);

/// What a page prints.
fn printed(name: &str) -> String {
    let file = repository_root().join("tests/data/webnic").join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

async fn send(panel: &Panel, method: &str, path: &str, body: String) -> Reply {
    let http = panel.http.with_header("content-type", "application/json");
    http.send(method, path, body).await
}

/// What differs from server to server and from day to day.
const OF_THE_SERVER: [&str; 14] = [
    "id",
    "orderId",
    "resid",
    "contactId",
    "organizationId",
    "digicertOrganizationId",
    "admid",
    "tecid",
    "dtcreate",
    "dtmodify",
    "dtsettle",
    "dtorderexpire",
    "dtcertexpire",
    "access_token",
];

/// Every field at its place with its value; ids and dates in the printed form.
fn reproduces(documented: &Wire, ours: &Wire) {
    let comparable = |wire: &Wire| -> Vec<(String, String)> {
        let comparable = |(path, value): (String, String)| {
            let key = path.rsplit('.').next().unwrap_or_default();
            let kind = match OF_THE_SERVER.contains(&key) {
                true => Wire::parse(&value).outline(),
                false => value,
            };
            (path, kind)
        };
        wire.leaves().into_iter().map(comparable).collect()
    };
    assert_eq!(comparable(documented), comparable(ours));
}

/// The page prints a request and the answer to another: the details must be those of the request, where it has
/// them, and as printed where it has not.
fn with_details_of(mut answer: Wire, request: &Wire) -> Wire {
    let asked = request.get("organization").clone();
    let Wire::Object(asked) = asked else {
        panic!("{asked}")
    };
    let details = member(member(&mut answer, "data"), "details");
    for (key, value) in asked {
        // A blank is nothing.
        *member(details, &key) = match value {
            Wire::Text(text) if text.is_empty() => Wire::Bare("null".to_owned()),
            value => value,
        };
    }
    answer
}

fn member<'a>(object: &'a mut Wire, key: &str) -> &'a mut Wire {
    let Wire::Object(members) = object else {
        panic!("{object}")
    };
    let found = members.iter_mut().find(|(name, _)| name == key);
    &mut found.unwrap().1
}

async fn a_token_is_told_as_documented(server: &mut TestServer) {
    let panel = server.panel().await;
    let [username, password] = panel.credential();
    let body =
        format!("{{\n    \"username\": \"{username}\",\n    \"password\": \"{password}\"\n}}");
    let http = server
        .http()
        .with_header("content-type", "application/json");
    let reply = http.send("POST", "/reseller/v2/api-user/token", body).await;
    let documented = concat!(
        r#"{"code":"1000","message":"Command completed successfully.","#,
        r#""data":{"access_token":"eyJhbGciOiJ…","expires_in":3600}}"#
    );
    reproduces(&Wire::parse(documented), &reply.wire());
    let token = reply.data()["access_token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("eyJhbGciOi"), "{token}");
}

async fn contacts_are_created_as_documented(server: &mut TestServer) {
    let panel = server.panel().await;
    let request = printed("create-contact.request.json");
    let reply = send(&panel, "POST", "/ssl/v2/contact/create", request).await;
    reproduces(
        &Wire::parse(&printed("create-contact.answer.json")),
        &reply.wire(),
    );
}

async fn an_organization_is_created_and_changed_as_documented(server: &mut TestServer) {
    let panel = server.panel().await;
    let request = printed("create-organization.request.json");
    let reply = send(
        &panel,
        "POST",
        "/ssl/v2/organization/create",
        request.clone(),
    )
    .await;
    // A comma is missing on the page.
    let answer = printed("create-organization.answer.json");
    let answer = answer.replace("}\n        \"dtcreate\"", "},\n        \"dtcreate\"");
    let answer = with_details_of(Wire::parse(&answer), &Wire::parse(&request));
    reproduces(&answer, &reply.wire());

    let id = reply.data()["organizationId"].to_string();
    let [_, technical] = panel.contacts().await;
    let request = printed("update-organization-contact.request.json");
    let request = request.replace("SSL10619T", &technical);
    let path = format!("/ssl/v2/organization/{id}/contact/update");
    let reply = send(&panel, "PUT", &path, request.clone()).await;
    // The page leaves out a fraction of nothing; here it has its six digits always.
    let answer = printed("update-organization-contact.answer.json");
    let answer = answer.replace("04:10:05Z", "04:10:05.000000Z");
    let answer = with_details_of(Wire::parse(&answer), &Wire::parse(&request));
    reproduces(&answer, &reply.wire());
    assert_eq!(reply.data()["tecid"], json!(technical));
}

async fn a_price_is_told_as_documented(server: &mut TestServer) {
    let panel = server.panel().await;
    let path = "/ssl/v2/products/pricing?productKey=ssl123&term=1&commonSAN=2&wildcardSAN=1";
    let documented = concat!(
        r#"{"code":"1000","message":"Command completed successfully.","data":{"price":50.0,"currency":"USD","#,
        r#""term":1,"termType":"year","priceBreakdown":{"baseCertPrice":10.0,"commonSANPrice":20.0,"#,
        r#""wildcardSANPrice":20.0}}}"#
    );
    assert_eq!(panel.http.get(path).await.text(), documented);
}

/// The product of the example.
const RAPID_SSL: &str = r#"
    [[product]]
    key = "rapidssl"
    name = "RapidSSL"
    provider = "Chancery"
    validation = "DV"
    wildcard = true
    further-names = true
    max-names = 2
    methods = ["dns"]
    price = [{ currency = "USD", term = 1, base = "10.00", name = "0.00" }]
"#;

async fn an_order_is_shown_as_documented(server: &mut TestServer) {
    let catalogue = server.folder().join("catalogue.toml");
    fs::write(&catalogue, RAPID_SSL).unwrap();
    server
        .restart_with(|config| config.catalogue = Some(catalogue))
        .await;
    let panel = server.panel().await;
    assert_eq!(
        server
            .http()
            .send("PUT", "/ote/zones/webnic.cc", "")
            .await
            .status
            / 100,
        2
    );
    let [administrator, technical] = panel.contacts().await;
    let names = ["*.webnic.cc", "webnic.cc"];
    let order = order_for("rapidssl", "dns", &names, &administrator, &technical);
    let placed = panel.place(&order).await;
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    let path = format!("/ssl/v2/orders/info?orderId={}", placed.id);
    let mut reply = panel.http.get(&path).await.wire();
    // The plan and what follows it are ours, and come after all that is documented.
    let Wire::Object(members) = member(&mut reply, "data") else {
        panic!("{path}")
    };
    let ours = members.iter().position(|(name, _)| name == "plan");
    members.truncate(ours.unwrap());
    reproduces(&Wire::parse(&printed("order-info.answer.json")), &reply);
    let ids = ["admid", "tecid", "orderId"].map(|key| reply.get("data").get(key).to_string());
    assert_eq!(
        ids,
        [administrator, technical, placed.id].map(|id| format!("\"{id}\""))
    );
}
