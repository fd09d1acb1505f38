//! Contacts: made, looked up, kept while an order needs them, and deleted.

use chancery_testkit::{TestServer, on_both_engines};
use serde_json::{Value, json};

on_both_engines!(contacts_live_and_die);

async fn contacts_live_and_die(server: &mut TestServer) {
    let panel = server.panel().await;
    let [administrator, technical] = panel.contacts().await;
    let path = format!("/ssl/v2/contact/info?contactId={administrator}");
    let found = panel.http.get(&path).await.data();
    assert_eq!(found["contactId"], json!(administrator));
    assert_eq!(found["contactType"], "administrator");
    assert_eq!(found["details"]["faxNumber"], Value::Null);
    let order =
        chancery_testkit::order_for("ssl123", "dns", &["shop.test"], &administrator, &technical);
    let placed = panel.place(&order).await;
    let delete = format!("/ssl/v2/contact?contactId={administrator}");
    let in_use = format!("Contact ID [{administrator}] in use.");
    panel
        .http
        .delete(&delete)
        .await
        .refusal()
        .is(400, "SSL2400", &in_use);
    panel.cancel(&placed.id).await.data();
    assert_eq!(panel.http.delete(&delete).await.status, 200);
    let missing = format!("Contact not found: {administrator}");
    panel
        .http
        .get(&path)
        .await
        .refusal()
        .is(400, "SSL2400", &missing);
    panel
        .http
        .delete(&delete)
        .await
        .refusal()
        .is(400, "SSL2400", &missing);
    let refusal = panel
        .http
        .post("/ssl/v2/orders/new", &order)
        .await
        .refusal();
    refusal.is(400, "SSL2400", &missing);

    let wrong = json!({ "administrator": { "firstName": "", "email": "no" }, "technical": 5 });
    let refusal = panel
        .http
        .post("/ssl/v2/contact/create", &wrong)
        .await
        .refusal();
    refusal.is(400, "SSL4000", "Field validation error.");
    assert!(refusal.fields.len() > 5, "{refusal:?}");
}
