//! Organizations: one for each company and address, changed in the open, found again.

use chancery_testkit::{Panel, TestServer, on_both_engines};
use futures_util::future::join_all;
use serde_json::{Value, json};

on_both_engines!(
    a_change_is_told_and_kept,
    the_same_company_and_address_are_one_organization,
    organizations_change_and_stay_apart,
    organizations_are_searched,
    anothers_organization_is_not_there,
);

const CREATE: &str = "/ssl/v2/organization/create";
const SEARCH: &str = "/ssl/v2/organization/search";

fn update_path(id: &Value) -> String {
    format!("/ssl/v2/organization/{id}/contact/update")
}

fn documented() -> Value {
    json!({
        "company": "Jim Test - 20250421",
        "firstName": "Test 2",
        "lastName": "Jim",
        "address1": "L4-E-2, HIVE 5, Mranti - test3",
        "address2": "Test",
        "city": "Bukit Jalil",
        "state": "Selangor",
        "countryCode": "my",
        "zip": "57100",
        "phoneNumber": "+020.6506501",
        "email": "wj.jimsac@webnic.cc",
        "jobTitle": "Engineer"
    })
}

/// The documented organization, with some members changed.
fn but(changes: &Value) -> Value {
    let mut organization = documented();
    for (key, value) in changes.as_object().unwrap() {
        organization[key] = value.clone();
    }
    organization
}

async fn create(panel: &Panel, organization: &Value) -> Value {
    let body = json!({ "organization": organization });
    panel.http.post(CREATE, &body).await.data()
}

async fn a_change_is_told_and_kept(server: &mut TestServer) {
    let panel = server.panel().await;
    let made = create(&panel, &documented()).await;
    let [_, technical] = panel.contacts().await;
    let body = json!({
        "organization": but(&json!({ "company": "Nelson Solutions", "address2": "" })),
        "technicalContactId": technical,
    });
    let path = update_path(&made["organizationId"]);
    let changed = panel.http.put(&path, &body).await.data();
    assert_eq!(changed["details"]["company"], "Nelson Solutions");
    assert_eq!(changed["details"]["address2"], Value::Null);
    assert_eq!(changed["tecid"], json!(technical));
    assert_eq!(changed["dtcreate"], made["dtcreate"]);
    assert!(changed["dtmodify"].as_str() > made["dtmodify"].as_str());
    for path in [
        "/ssl/v2/organization/1/info",
        "/ssl/v2/organization/info?organizationId=1",
    ] {
        assert_eq!(panel.http.get(path).await.data(), changed, "{path}");
    }
    // The contact is kept as long as the organization names it.
    let delete = format!("/ssl/v2/contact?contactId={technical}");
    let refusal = panel.http.delete(&delete).await.refusal();
    refusal.is(400, "SSL2400", &format!("Contact ID [{technical}] in use."));
}

async fn the_same_company_and_address_are_one_organization(server: &mut TestServer) {
    let panel = server.panel().await;
    let first = create(&panel, &documented()).await;
    let again = create(
        &panel,
        &but(&json!({
            "company": " JIM test -  20250421", "countryCode": "MY", "firstName": "Other",
            "email": "other@shop.example",
        })),
    )
    .await;
    // As it is, whoever was named this time.
    assert_eq!(again, first);
    for other in [
        json!({ "address1": "L4-E-2, HIVE 5, Mranti - test3." }),
        json!({ "address1": "L4-E-2, HIVE 5, Mranti - test3," }),
        json!({ "address2": "Test." }),
        json!({ "company": "Jim Test" }),
        json!({ "zip": "57101" }),
    ] {
        let made = create(&panel, &but(&other)).await;
        assert_ne!(made["organizationId"], first["organizationId"], "{other}");
        let again = create(&panel, &but(&other)).await;
        assert_eq!(again["organizationId"], made["organizationId"], "{other}");
    }
    let wanted = but(&json!({ "company": "At Once Ltd" }));
    let made = join_all((0..8).map(async |_| create(&panel, &wanted).await)).await;
    assert!(made.iter().all(|one| one == &made[0]), "{made:?}");
}

async fn organizations_change_and_stay_apart(server: &mut TestServer) {
    let panel = server.panel().await;
    let first = create(&panel, &documented()).await;
    let other = create(&panel, &but(&json!({ "company": "Other Ltd" }))).await;
    let path = update_path(&first["organizationId"]);
    let into_other = json!({ "organization": but(&json!({ "company": "OTHER ltd" })) });
    let refusal = panel.http.put(&path, &into_other).await.refusal();
    let text = format!(
        "Organization [{}] has the same company and address.",
        other["organizationId"]
    );
    refusal.is(400, "SSL2400", &text);
    let renamed = json!({ "organization": but(&json!({ "company": "New Name Ltd" })) });
    let changed = panel.http.put(&path, &renamed).await.data();
    assert_eq!(changed["organizationId"], first["organizationId"]);
    assert_eq!(changed["details"]["company"], "New Name Ltd");
    // Its old name is free again.
    let anew = create(&panel, &documented()).await;
    assert_ne!(anew["organizationId"], first["organizationId"]);

    let missing = json!({ "organization": documented(), "technicalContactId": "SSL99999T" });
    let refusal = panel.http.put(&path, &missing).await.refusal();
    refusal.is(400, "SSL2400", "Contact not found: SSL99999T");
    let wrong = json!({ "organization": { "company": "-", "zip": 5 }, "technicalContactId": "me" });
    let refusal = panel.http.put(&path, &wrong).await.refusal();
    refusal.is(400, "SSL4000", "Field validation error.");
    assert!(
        refusal.about("organization.company") == ["invalid format"],
        "{refusal:?}"
    );
    assert!(refusal.fields.len() > 8, "{refusal:?}");
    let refusal = panel.http.post(CREATE, &json!({})).await.refusal();
    assert_eq!(
        refusal.about("organization"),
        ["'organization' is required."]
    );
}

async fn organizations_are_searched(server: &mut TestServer) {
    let panel = server.panel().await;
    for company in ["Alpha Ltd", "Beta Ltd", "Gamma GmbH"] {
        create(&panel, &but(&json!({ "company": company }))).await;
    }
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["details"]["company"].as_str().unwrap().to_owned())
            .collect()
    };
    let body = json!({
        "filters": [{ "field": "company", "operator": "LIKE", "value": "ltd" }],
        "pagination": { "page": 1, "pageSize": 1 }
    });
    let reply = panel.http.post(SEARCH, &body).await;
    let expected = ["pageSize", "totalPages", "totalItems", "items"];
    assert_eq!(reply.wire().get("data").keys(), expected);
    let page = reply.data();
    assert_eq!(names(&page), ["Beta Ltd"]);
    assert_eq!(page["totalPages"], 2);
    assert_eq!(page["totalItems"], 2);
    let body = json!({ "filters": [], "pagination": { "page": 9, "pageSize": 100 } });
    let page = panel.http.post(SEARCH, &body).await.data();
    assert_eq!((names(&page), &page["totalItems"]), (vec![], &json!(3)));
    for nothing in ["", "[]", "{}"] {
        let page = panel.http.send("POST", SEARCH, nothing).await.data();
        assert_eq!(names(&page), ["Gamma GmbH", "Beta Ltd", "Alpha Ltd"]);
    }
    let body = json!({ "filters": [{ "field": "x", "operator": "NEAR", "value": {} }] });
    let refusal = panel.http.post(SEARCH, &body).await.refusal();
    assert_eq!(refusal.fields.len(), 2, "{refusal:?}");
}

async fn anothers_organization_is_not_there(server: &mut TestServer) {
    let panel = server.panel().await;
    let ours = create(&panel, &documented()).await;
    let stranger = server.another_panel("0.00").await;
    let theirs = create(&stranger, &documented()).await;
    assert_ne!(theirs["organizationId"], ours["organizationId"]);
    let id = &ours["organizationId"];
    let info = format!("/ssl/v2/organization/{id}/info");
    let update = json!({ "organization": documented() });
    let refusals = [
        stranger.http.get(&info).await.refusal(),
        stranger.http.put(&update_path(id), &update).await.refusal(),
        panel
            .http
            .get("/ssl/v2/organization/99999/info")
            .await
            .refusal(),
        panel
            .http
            .get("/ssl/v2/organization/eight/info")
            .await
            .refusal(),
    ];
    for refusal in refusals {
        refusal.is(400, "SSL2400", "Organization not found");
    }
    let found = stranger.http.post(SEARCH, &json!({})).await.data();
    assert_eq!(found["totalItems"], 1);
    let missing = panel.http.get("/ssl/v2/organization/info").await.refusal();
    missing.is(400, "SSL4000", "Field validation error.");
}
