//! From where a credential may be used, and for what: at once, and whatever a client says of itself.

use chancery_domain::access::{Access, Networks, Scope};
use chancery_testkit::{Panel, TestServer, csr, on_both_engines};
use serde_json::json;

on_both_engines!(
    a_change_of_access_holds_for_tokens_that_are_out_there,
    a_reissue_needs_the_scope_to_spend_where_it_costs,
    without_trusted_proxies_a_client_is_where_it_connects_from,
    behind_a_trusted_proxy_a_client_is_where_the_proxy_says,
);

const BALANCE: &str = "/reseller/v2/balance";

fn from(networks: &str) -> Access {
    Access {
        scope: Scope::Money,
        allowed: Networks::parse(networks).unwrap(),
    }
}

async fn a_change_of_access_holds_for_tokens_that_are_out_there(server: &mut TestServer) {
    let panel = server.panel_with(Access::default()).await;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    let operations = server.operations();
    let [username, _] = panel.credential();

    operations.set_scope(username, Scope::Orders).await.unwrap();
    let refused = panel.http.post("/ssl/v2/orders/new", &order).await;
    refused.refusal().is(
        403,
        "SSL4030",
        "Forbidden: the credential has the scope 'orders', this needs 'money'.",
    );
    operations.set_scope(username, Scope::Money).await.unwrap();
    panel.place(&order).await;

    let elsewhere = Networks::parse("203.0.113.0/24").unwrap();
    operations.set_allowed(username, &elsewhere).await.unwrap();
    let refused = panel.http.get(BALANCE).await.refusal();
    refused.is(
        403,
        "RES0004",
        "Forbidden access with current ip address: 127.0.0.1",
    );
    // A token can be had from anywhere, and is good for nothing there.
    let again = panel.again().await;
    assert_eq!(again.http.get(BALANCE).await.status, 403);
    let here = Networks::parse("203.0.113.0/24, 127.0.0.0/8").unwrap();
    operations.set_allowed(username, &here).await.unwrap();
    assert_eq!(again.http.get(BALANCE).await.status, 200);
}

async fn a_reissue_needs_the_scope_to_spend_where_it_costs(server: &mut TestServer) {
    let owner = server.panel().await;
    let manager = server
        .panel_with(Access {
            scope: Scope::Orders,
            ..Access::default()
        })
        .await;
    let id = owner
        .issue("dv-multi", &["shop.test", "www.shop.test"])
        .await;
    let cents = owner.cents().await;
    let path = format!("/ssl/v2/orders/{id}/reissue");
    let names = ["www.shop.test", "one.shop.test", "two.shop.test"];
    let body = json!({ "csr": csr(&["shop.test"]), "sanfield": names });
    let refusal = manager.http.post(&path, &body).await.refusal();
    refusal.is(
        403,
        "SSL4030",
        "Forbidden: the credential has the scope 'orders', this needs 'money'.",
    );
    assert_eq!(owner.cents().await, cents);
    assert_eq!(owner.statuses(&id).await.0, "COMPLETED");

    let body = json!({ "csr": csr(&["shop.test"]), "sanfield": names[..2] });
    manager.http.post(&path, &body).await.data();
    server.world().run_due_jobs().await;
    assert_eq!(owner.statuses(&id).await.0, "COMPLETED");
    assert_eq!(owner.cents().await, cents);
    let body = json!({ "csr": csr(&["shop.test"]), "sanfield": names });
    owner.http.post(&path, &body).await.data();
    assert_eq!(owner.cents().await, cents - 800);
}

/// What the balance answers to a client with these headers: the status, and the address it was taken for.
async fn seen(panel: &Panel, headers: &[(&str, &str)]) -> (u16, String) {
    let with =
        |http: chancery_testkit::Http, (name, value): &(&str, &str)| http.with_header(name, value);
    let http = headers.iter().fold(panel.http.clone(), with);
    let reply = http.get(BALANCE).await;
    if reply.status == 200 {
        return (200, String::new());
    }
    let message = reply.refusal().message;
    let address = message.strip_prefix("Forbidden access with current ip address: ");
    let address = address.unwrap_or_else(|| panic!("{message}"));
    (reply.status, address.to_owned())
}

async fn without_trusted_proxies_a_client_is_where_it_connects_from(server: &mut TestServer) {
    let panel = server.panel_with(from("203.0.113.7")).await;
    let here = (403, "127.0.0.1".to_owned());
    for header in [
        ("x-forwarded-for", "203.0.113.7"),
        ("forwarded", "for=203.0.113.7"),
        ("x-real-ip", "203.0.113.7"),
        ("true-client-ip", "203.0.113.7"),
        ("cf-connecting-ip", "203.0.113.7"),
    ] {
        assert_eq!(seen(&panel, &[header]).await, here, "{header:?}");
    }
}

async fn behind_a_trusted_proxy_a_client_is_where_the_proxy_says(server: &mut TestServer) {
    let trust = |config: &mut chancery_server::config::Config| {
        config.trusted_proxies = Some("127.0.0.1, 10.0.0.0/8".to_owned());
    };
    server.restart_with(trust).await;
    let panel = server.panel_with(from("203.0.113.7, 2001:db8::/32")).await;
    let ok = (200, String::new());
    let at = |address: &str| (403, address.to_owned());
    for (list, wanted) in [
        ("203.0.113.7", ok.clone()),
        ("198.51.100.1, 203.0.113.7", ok.clone()),
        ("198.51.100.1, 203.0.113.7, 10.0.0.2", ok.clone()),
        ("::ffff:203.0.113.7", ok.clone()),
        ("2001:db8::7", ok.clone()),
        // The client's own invention stands left of what the proxy adds.
        ("203.0.113.7, 198.51.100.1", at("198.51.100.1")),
        ("203.0.113.7, 198.51.100.1, 10.0.0.2", at("198.51.100.1")),
        ("203.0.113.7, unknown", at("127.0.0.1")),
    ] {
        let header = ("x-forwarded-for", list);
        assert_eq!(seen(&panel, &[header]).await, wanted, "{list}");
    }
    let lines = [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-for", "198.51.100.1"),
    ];
    assert_eq!(seen(&panel, &lines).await, at("198.51.100.1"));
    let other = [("forwarded", "for=203.0.113.7")];
    assert_eq!(seen(&panel, &other).await, at("127.0.0.1"));
}
