//! Resellers whom the operator has suspended: turned away at once, in each dialect's words, while what was
//! ordered goes on.

use chancery_domain::access::Access;
use chancery_testkit::{TestServer, on_both_engines};
use serde_json::json;

on_both_engines!(
    a_suspended_reseller_is_turned_away_at_once_and_let_in_again,
    what_a_suspended_reseller_has_ordered_goes_on,
    a_suspended_reseller_may_revoke_its_certificates_and_nothing_else,
);

const SUSPENDED: &str = "Forbidden: the reseller account is suspended. Please ask its provider.";
const BALANCE: &str = "/reseller/v2/balance";

async fn a_suspended_reseller_is_turned_away_at_once_and_let_in_again(server: &mut TestServer) {
    let panel = server.panel().await;
    let client = server.logicboxes().await;
    let other = server.another_panel("5.00").await;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    let operations = server.operations();
    let reseller = server.reseller().await.id;

    operations
        .suspend_reseller(reseller, "unpaid")
        .await
        .unwrap();
    panel
        .http
        .get(BALANCE)
        .await
        .refusal()
        .is(403, "RES4030", SUSPENDED);
    let placed = panel.http.post("/ssl/v2/orders/new", &order).await;
    placed.refusal().is(403, "SSL4030", SUSPENDED);
    let [username, _] = panel.credential();
    let http = server.http();
    // Who does not know the secret learns nothing of it.
    let guess = json!({ "username": username, "password": "guess" });
    let token = http.post("/reseller/v2/api-user/token", &guess).await;
    token.refusal().is(500, "RES5001", "Invalid password");
    assert_eq!(
        client
            .refused("contacts/search", &[("customer-id", "2001")])
            .await,
        "This reseller is suspended: your User account maybe Inactive or Suspended"
    );
    assert_eq!(other.cents().await, 500);
    // A credential made meanwhile is no way in.
    let made = server.logicboxes_of(reseller, Access::default()).await;
    let told = made
        .refused("contacts/search", &[("customer-id", "2001")])
        .await;
    assert!(told.ends_with("Inactive or Suspended"), "{told}");
    let twice = operations.suspend_reseller(reseller, "unpaid").await;
    assert!(twice.unwrap_err().to_string().contains("already"));

    operations.resume_reseller(reseller, "paid").await.unwrap();
    panel.place(&order).await;
    let history = operations.reseller_history(reseller).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|act| (act.kind.as_str(), act.detail.as_deref().unwrap_or("")))
        .filter(|(kind, _)| kind.starts_with("reseller"))
        .collect();
    assert_eq!(
        told[..2],
        [
            ("reseller_resumed", "paid"),
            ("reseller_suspended", "unpaid")
        ]
    );
}

async fn what_a_suspended_reseller_has_ordered_goes_on(server: &mut TestServer) {
    let panel = server.panel().await;
    let operations = server.operations();
    let reseller = server.reseller().await.id;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    let placed = panel.place(&order).await;
    panel.publish(&panel.auth_info(&placed.id).await).await;
    operations
        .suspend_reseller(reseller, "unpaid")
        .await
        .unwrap();
    server.world().advance(120).await;
    server.world().run_due_jobs().await;
    operations.resume_reseller(reseller, "paid").await.unwrap();
    let statuses = panel.statuses(&placed.id).await;
    assert_eq!(statuses.0, "COMPLETED", "{statuses:?}");
}

async fn a_suspended_reseller_may_revoke_its_certificates_and_nothing_else(
    server: &mut TestServer,
) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let others = server.another_panel("10.00").await;
    let foreign = others.issue("ssl123", &["other.test"]).await;
    let operations = server.operations();
    let reseller = server.reseller().await.id;
    operations
        .suspend_reseller(reseller, "unpaid")
        .await
        .unwrap();
    // Also with a token that it gets now.
    let panel = panel.again().await;
    for route in chancery_webnic::routes() {
        if route.path.ends_with("/revoke") || route.needs.is_none() {
            continue;
        }
        let path = route.path.replace("{orderId}", &id);
        let reply = panel.http.send(route.method.as_str(), &path, "{}").await;
        let code = match route.path.starts_with("/reseller/") {
            true => "RES4030",
            false => "SSL4030",
        };
        reply.refusal().is(403, code, SUSPENDED);
    }
    let path = |id: &str| format!("/ssl/v2/orders/{id}/revoke");
    let asked = json!({ "reason": "keyCompromise" });
    let theirs = panel.http.post(&path(&foreign), &asked).await;
    theirs.refusal().is(400, "SSL2400", "Order not found.");
    let revoked = panel.http.post(&path(&id), &asked).await.data();
    assert_eq!(revoked["keyBlocked"], json!(true));
    // A scope that is too small for it goes on being so.
    let limited = Access {
        scope: chancery_domain::access::Scope::Read,
        ..Access::default()
    };
    let reader = server.panel_with(limited).await;
    let refused = reader.http.post(&path(&id), &asked).await.refusal();
    assert!(refused.message != SUSPENDED && refused.sub_code == "SSL4030");
    operations.resume_reseller(reseller, "paid").await.unwrap();
    let statuses = panel.statuses(&id).await;
    assert_eq!(statuses.1, "REVOKED");
    assert_eq!(others.statuses(&foreign).await.1, "ACTIVE");
}
