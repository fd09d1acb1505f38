//! Whose proof it is: a proof serves its order, that order's later certificates and its renewals; other orders only
//! where an operator has said so.

use chancery_domain::reseller_settings::{ProofScope, ResellerChanges};
use chancery_testkit::{LogicBoxes, Panel, TestServer, csr, on_both_engines, order_for, with};
use serde_json::{Value, json};

use crate::logicboxes_contacts::DOCUMENTED;
use crate::logicboxes_customers::ANN;

on_both_engines!(
    a_proof_serves_no_other_order,
    a_proof_serves_reissues_of_its_order,
    a_proof_serves_renewals_of_its_order,
    proofs_of_a_customer_serve_its_other_orders_alone,
    a_reseller_may_share_all_its_proofs,
);

const DAY: i64 = 86_400;

/// Has the first reseller's orders share their proofs.
pub(crate) async fn share_proofs(server: &TestServer, scope: ProofScope) {
    let changes = ResellerChanges {
        proof_scope: Some(scope),
        ..ResellerChanges::default()
    };
    server.set_reseller(changes).await;
}

/// How the names of an order stand: `PENDING` or `VALIDATED`.
pub(crate) fn standings(data: &Value) -> Vec<String> {
    let mut names = vec![&data["commonName"]];
    names.extend(data["san"].as_array().unwrap());
    let word = |name: &Value| name["status"].as_str().unwrap().to_owned();
    names.into_iter().map(word).collect()
}

async fn placed(panel: &Panel, method: &str, names: &[&str]) -> Vec<String> {
    let order = panel.order("ssl123", method, names).await;
    standings(&panel.place(&order).await.data)
}

async fn reissued(panel: &Panel, id: &str, names: &[&str]) -> Value {
    let path = format!("/ssl/v2/orders/{id}/reissue");
    let body = json!({ "csr": csr(&names[..1]), "sanfield": names[1..] });
    panel.http.post(&path, &body).await.data()
}

async fn a_proof_serves_no_other_order(server: &mut TestServer) {
    let panel = server.panel().await;
    panel.issue("ssl123", &["shop.test", "*.shop.test"]).await;
    let names = ["shop.test", "www.shop.test"];
    for method in ["dns", "email"] {
        assert_eq!(placed(&panel, method, &names).await, ["PENDING"; 2]);
    }
    // Nor for another reseller.
    let other = server.another_panel("100.00").await;
    assert_eq!(placed(&other, "dns", &names).await, ["PENDING"; 2]);
}

async fn a_proof_serves_reissues_of_its_order(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let elsewhere = panel.issue("ssl123", &["kiosk.test"]).await;
    let names = ["shop.test", "www.shop.test", "*.shop.test", "kiosk.test"];
    let data = reissued(&panel, &id, &names).await;
    // What another order has shown does not help.
    let shown = ["VALIDATED", "VALIDATED", "VALIDATED", "PENDING"];
    assert_eq!(standings(&data), shown);
    let data = reissued(&panel, &elsewhere, &["kiosk.test", "shop.test"]).await;
    assert_eq!(standings(&data), ["VALIDATED", "PENDING"]);
}

async fn a_proof_serves_renewals_of_its_order(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    server.world().advance(330 * DAY).await;
    let panel = panel.again().await;
    // What was shown a year ago is too old: it is shown once more.
    let data = reissued(&panel, &id, &["shop.test"]).await;
    assert_eq!(standings(&data), ["PENDING"]);
    panel.publish(&data).await;
    panel.finish(&id).await;
    let renewed = async |id: &str| {
        let path = format!("/ssl/v2/orders/{id}/renew");
        let body = json!({ "term": 1, "csr": csr(&["shop.test"]) });
        let renewal = panel.http.post(&path, &body).await.data()["renewOrder"].clone();
        assert_eq!(standings(&renewal), ["VALIDATED"]);
        server.world().run_due_jobs().await;
        let id = renewal["orderId"].as_str().unwrap().to_owned();
        assert_eq!(panel.statuses(&id).await.0, "COMPLETED");
        id
    };
    let renewal = renewed(&id).await;
    // The renewal's own reissues go by what the order before it has shown.
    let data = reissued(&panel, &renewal, &["shop.test", "www.shop.test"]).await;
    assert_eq!(standings(&data), ["VALIDATED"; 2]);
}

/// A customer with a contact, who administers the orders.
async fn customer(client: &LogicBoxes, username: &str) -> String {
    let told = with(ANN, &[("username", username)]);
    let id = client.done("customers/signup", &told).await.to_string();
    let contact = with(DOCUMENTED, &[("customer-id", &id)]);
    let contact = client.done("contacts/add", &contact).await;
    format!("SSL{contact}T")
}

async fn proofs_of_a_customer_serve_its_other_orders_alone(server: &mut TestServer) {
    let (panel, client) = (server.panel().await, server.logicboxes().await);
    let ann = customer(&client, "ann@customers.example").await;
    let bob = customer(&client, "bob@customers.example").await;
    let placed = async |contact: &str| {
        let order = order_for("ssl123", "dns", &["shop.test"], contact, contact);
        panel.place(&order).await
    };
    let first = placed(&ann).await;
    panel.publish(&first.data).await;
    panel.finish(&first.id).await;
    assert_eq!(standings(&placed(&ann).await.data), ["PENDING"]);

    share_proofs(server, ProofScope::Customer).await;
    assert_eq!(standings(&placed(&ann).await.data), ["VALIDATED"]);
    assert_eq!(standings(&placed(&bob).await.data), ["PENDING"]);
    // The reseller itself orders for whomever: its contacts stand for no customer.
    let [itself, _] = panel.contacts().await;
    panel.issue("ssl123", &["other.test"]).await;
    let order = order_for(
        "ssl123",
        "dns",
        &["other.test", "shop.test"],
        &itself,
        &itself,
    );
    assert_eq!(standings(&panel.place(&order).await.data), ["PENDING"; 2]);
}

async fn a_reseller_may_share_all_its_proofs(server: &mut TestServer) {
    let panel = server.panel().await;
    panel.issue("ssl123", &["shop.test"]).await;
    share_proofs(server, ProofScope::Reseller).await;
    let names = ["shop.test", "www.shop.test"];
    assert_eq!(placed(&panel, "dns", &names).await, ["VALIDATED"; 2]);
    let other = server.another_panel("100.00").await;
    assert_eq!(placed(&other, "dns", &names).await, ["PENDING"; 2]);
    // Taken back, it holds from the next order on, and for what is not signed yet.
    let order = panel
        .order("ssl123", "dns", &["shop.test", "kiosk.test"])
        .await;
    let open = panel.place(&order).await;
    assert_eq!(standings(&open.data), ["VALIDATED", "PENDING"]);
    share_proofs(server, ProofScope::Order).await;
    assert_eq!(placed(&panel, "dns", &names).await, ["PENDING"; 2]);
    let [shop, kiosk] = &open.challenges()[..] else {
        panic!("{open:?}")
    };
    panel.world.delete_dns("_dnsauth.shop.test", "TXT").await;
    panel.publish(&json!({ "commonName": kiosk })).await;
    panel.look(&open.id).await;
    assert_eq!(panel.statuses(&open.id).await.0, "IN_PROCESS");
    let told = panel.auth_info(&open.id).await;
    assert_eq!(standings(&told), ["PENDING", "VALIDATED"]);
    panel.publish(&json!({ "commonName": shop })).await;
    panel.finish(&open.id).await;
}
