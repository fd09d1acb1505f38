//! What a program that revokes certificates, proves domains ahead and changes settings knows of them, whenever the
//! server is killed.

use std::sync::Arc;

use chancery_testkit::{Panel, Reply, csr};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// What was acknowledged.
pub enum Done {
    /// The certificate of an order is revoked.
    Revoked {
        order: String,
        /// Whose key is compromised, if it is: the CSR with it.
        compromised: Option<String>,
    },
    /// Whether the key of an order is used again.
    ReusesKey { order: String, reuses: bool },
    /// A domain is being proved; whether it was dropped then, or nothing if no answer came.
    Domain {
        id: String,
        is_dropped: Option<bool>,
    },
}

/// Programs at the same time.
const CLIENTS: usize = 3;

/// Acts from several programs at once until no answer comes. What is `wanted`, an order for `proved.test`, is signed as
/// it is placed.
pub async fn act_until_killed(panel: &Panel, wanted: &Arc<Value>, round: usize) -> Vec<Done> {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (panel, who) = (panel.clone(), format!("r{round}-c{number}"));
        let wanted = Arc::clone(wanted);
        clients.spawn(async move {
            let mut done = Vec::new();
            for turn in 0.. {
                let went_on = match (number + turn) % CLIENTS {
                    0 => revoke(&panel, &wanted, turn % 2 == 0, &mut done).await,
                    1 => set(&panel, &wanted, turn % 2 == 0, &mut done).await,
                    _ => prove_ahead(&panel, &format!("{who}-{turn}.test"), &mut done).await,
                };
                if went_on.is_none() {
                    break;
                }
            }
            done
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

/// An answer; `None` where none came.
async fn ask(panel: &Panel, method: &str, path: &str, body: &Value) -> Option<Reply> {
    let http = panel.http.with_header("content-type", "application/json");
    http.try_send(method, path, body.to_string()).await.ok()
}

async fn place(panel: &Panel, order: &Value, csr: &str) -> Option<String> {
    let mut order = order.clone();
    order["csr"] = json!(csr);
    let reply = ask(panel, "POST", "/ssl/v2/orders/new", &order).await?;
    Some(reply.data()["orderId"].as_str().unwrap().to_owned())
}

async fn revoke(
    panel: &Panel,
    wanted: &Value,
    is_compromised: bool,
    done: &mut Vec<Done>,
) -> Option<()> {
    let csr = csr(&["proved.test"]);
    let order = place(panel, wanted, &csr).await?;
    let path = format!("/ssl/v2/orders/{order}/revoke");
    let reason = if is_compromised { 1 } else { 4 };
    loop {
        let reply = ask(panel, "POST", &path, &json!({ "reason": reason })).await?;
        match reply.status {
            200 => break,
            // It is being signed.
            400 | 503 => tokio::task::yield_now().await,
            _ => panic!("{}", reply.text()),
        }
    }
    done.push(Done::Revoked {
        order,
        compromised: is_compromised.then_some(csr),
    });
    Some(())
}

async fn set(panel: &Panel, wanted: &Value, reuses: bool, done: &mut Vec<Done>) -> Option<()> {
    let order = place(panel, wanted, &csr(&["proved.test"])).await?;
    let path = format!("/ssl/v2/orders/{order}/reuse-key");
    let reply = ask(panel, "PUT", &path, &json!({ "reuseKey": reuses })).await?;
    reply.data();
    done.push(Done::ReusesKey { order, reuses });
    Some(())
}

async fn prove_ahead(panel: &Panel, domain: &str, done: &mut Vec<Done>) -> Option<()> {
    let asked = json!({ "domain": domain, "authType": "dns" });
    let reply = ask(panel, "POST", "/ssl/v2/domains/validate", &asked).await?;
    let id = reply.data()["domainId"].as_str().unwrap().to_owned();
    let dropped = ask(
        panel,
        "DELETE",
        &format!("/ssl/v2/domains/{id}"),
        &Value::Null,
    )
    .await;
    let is_dropped = dropped.as_ref().map(|reply| {
        reply.data();
        true
    });
    done.push(Done::Domain { id, is_dropped });
    dropped.map(drop)
}

/// Everything is what was acknowledged of it.
pub async fn check(panel: &Panel, done: &[Done]) {
    for done in done {
        match done {
            Done::Revoked { order, compromised } => {
                assert_eq!(panel.statuses(order).await.1, "REVOKED", "{order}");
                if let Some(csr) = compromised {
                    let body = json!({ "csr": csr });
                    let decoded = panel.http.post("/ssl/v2/decode-csr", &body).await;
                    assert_eq!(decoded.refusal().about("csr").len(), 1, "{order}");
                }
            }
            Done::ReusesKey { order, reuses } => {
                let info = panel.info(order).await;
                assert_eq!(info["reuseKey"], json!(reuses), "{info:#}");
            }
            Done::Domain { id, is_dropped } => {
                let path = format!("/ssl/v2/domains/{id}/info");
                let is_gone = panel.http.get(&path).await.status != 200;
                assert_eq!(is_dropped.unwrap_or(is_gone), is_gone, "domain {id}");
            }
        }
    }
}
