//! Killed at any moment, under load: whatever was acknowledged is there, once; whatever was not is there once or
//! not at all; and money and certificates agree with it.
//!
//! `TEST_KILLS` says how many kills each engine has to survive.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chancery_testkit::{Engine, Panel, PlacedOrder, order_for, run_within};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::evidence::Evidence;
use crate::programs::{Installation, Running};
use crate::{crash_contacts, crash_safety};

/// Clients that place orders at the same time.
const CLIENTS: usize = 8;

/// The most orders that are acknowledged before a kill.
const ORDERS_A_ROUND: u64 = 120;

/// A lease, and a second: what the dead held is taken over by then.
const LEASE_SECONDS: i64 = 21;

fn kills() -> usize {
    let asked = std::env::var("TEST_KILLS").ok();
    asked.map_or(5, |text| text.parse().expect("TEST_KILLS is a number"))
}

fn limit() -> Duration {
    Duration::from_secs(120) + Duration::from_secs(30) * u32::try_from(kills()).unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_on_sqlite() {
    run_within(limit(), async |_| survive(Engine::Sqlite).await);
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_on_postgres() {
    run_within(limit(), async |_| survive(Engine::Postgres).await);
}

/// What one client sent, and what it heard.
struct Sent {
    key: Option<String>,
    order: Arc<Value>,
    /// The order's number; `None` where the server died first.
    acknowledged: Option<i64>,
    /// Whether it was told that the order is cancelled.
    is_cancelled: bool,
}

/// What clients order, in turn.
#[derive(Clone)]
struct Orders {
    /// Signed as it is placed.
    proved: Arc<Value>,
    /// Looked for again and again.
    unproved: Arc<Value>,
    contacts: [String; 2],
}

impl Orders {
    fn next(&self, turn: usize, name: &str) -> Arc<Value> {
        match turn % 3 {
            0 => Arc::clone(&self.proved),
            1 => Arc::clone(&self.unproved),
            // Nobody is written to too often, so each of these has a name of its own.
            _ => {
                let [administrator, technical] = &self.contacts;
                let names = [&format!("{name}.test")[..]];
                Arc::new(order_for(
                    "ssl123",
                    "email",
                    &names,
                    administrator,
                    technical,
                ))
            }
        }
    }
}

/// All that clients know.
#[derive(Default)]
struct Memory {
    acknowledged: BTreeSet<i64>,
    cancelled: BTreeSet<i64>,
    of_keys: BTreeMap<String, i64>,
    certificates: BTreeMap<i64, String>,
    /// How many contacts were acknowledged.
    contacts: usize,
    /// How many revocations, settings and domains were.
    done: usize,
}

async fn survive(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    // What is proved now is reused below, so that orders are signed as they are placed.
    let id = home.json(&["reseller", "list", "--json"])["resellerId"].to_string();
    let share = [
        "reseller",
        "set",
        "--reseller",
        &id,
        "--proof-scope",
        "reseller",
        "--yes",
    ];
    assert!(home.chore(&share).succeeded);
    panel.issue("ssl123", &["proved.test"]).await;
    let orders = Orders {
        proved: Arc::new(
            panel
                .order("ssl123", "dns", &["proved.test", "www.proved.test"])
                .await,
        ),
        unproved: Arc::new(panel.order("ssl123", "dns", &["unproved.test"]).await),
        contacts: panel.contacts().await,
    };
    server.kill().await;
    let mut memory = Memory::default();
    for round in 0..kills() {
        if round % 4 == 3 {
            kill_at_start(&home).await;
        }
        let server = home.serve().await;
        let panel = server.panel(&home.data()).await;
        let client = server.logicboxes(&home.data());
        let (sent, contacts, done) = tokio::join!(
            place_until_killed(server, &panel, &orders, round),
            crash_contacts::add_until_killed(&client, round),
            crash_safety::act_until_killed(&panel, &orders.proved, round),
        );
        let server = home.serve().await;
        crash_contacts::check(&server.logicboxes(&home.data()), &contacts).await;
        memory.contacts += contacts.len();
        check(&home, &server, &mut memory, sent).await;
        crash_safety::check(&server.panel(&home.data()).await, &done).await;
        memory.done += done.len();
        // Not stopped well either.
        server.kill().await;
    }
    assert!(
        memory.acknowledged.len() > kills()
            && !memory.certificates.is_empty()
            && memory.contacts > kills()
            && memory.done > kills(),
        "there was no load to speak of"
    );
    let server = home.serve().await;
    let panel = server.panel(&home.data()).await;
    for id in memory.acknowledged.iter().take(200) {
        assert_eq!(
            panel.info(&id.to_string()).await["orderId"],
            Value::from(id.to_string())
        );
    }
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

/// Places orders from many clients at once, kills the server when so many were acknowledged, and some
/// thousandths of a second later.
async fn place_until_killed(
    server: Running,
    panel: &Panel,
    orders: &Orders,
    round: usize,
) -> Vec<Sent> {
    let count = Arc::new(AtomicUsize::new(0));
    let enough = usize::try_from(random(ORDERS_A_ROUND)).unwrap();
    let (told, mut reached) = tokio::sync::watch::channel(());
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (panel, orders) = (panel.clone(), orders.clone());
        let (count, told) = (Arc::clone(&count), told.clone());
        clients.spawn(async move {
            let mut sent = Vec::new();
            for number in 0.. {
                let name = format!("{round}-{client}-{number}");
                let order = orders.next(client + number, &name);
                // Every other client uses no keys.
                let key = (client % 2 == 0).then_some(name);
                let acknowledged = place(&panel, key.as_deref(), &order).await;
                // Some change their mind at once; the proved ones are signed already, or about to be.
                let is_cancelled = match acknowledged {
                    Some(id) if client % 4 == 1 => cancel(&panel, id).await,
                    _ => false,
                };
                let is_over = acknowledged.is_none();
                sent.push(Sent {
                    key,
                    order,
                    acknowledged,
                    is_cancelled,
                });
                if is_over {
                    break;
                }
                if count.fetch_add(1, Ordering::SeqCst) + 1 >= enough {
                    told.send_replace(());
                }
            }
            sent
        });
    }
    drop(told);
    if enough > 0 {
        reached.changed().await.expect("no client failed");
    }
    tokio::time::sleep(Duration::from_micros(random(4000))).await;
    server.kill().await;
    clients.join_all().await.into_iter().flatten().collect()
}

/// Places an order; `None` where no answer came. Any answer but success is a fault.
async fn place(panel: &Panel, key: Option<&str>, order: &Value) -> Option<i64> {
    let mut http = panel.http.with_header("content-type", "application/json");
    if let Some(key) = key {
        http = http.with_header("idempotency-key", key);
    }
    let reply = http
        .try_send("POST", "/ssl/v2/orders/new", order.to_string())
        .await
        .ok()?;
    Some(PlacedOrder::of(&reply).id.parse().unwrap())
}

/// Cancels an order; whether that was acknowledged.
async fn cancel(panel: &Panel, id: i64) -> bool {
    let path = format!("/ssl/v2/orders/{id}/cancel");
    let reply = panel.http.try_send("POST", &path, "").await;
    reply.is_ok_and(|reply| reply.status == 200)
}

/// Starts a server that is killed before it is ready, or just after.
async fn kill_at_start(home: &Installation) {
    let server = home.spawn();
    tokio::time::sleep(Duration::from_millis(random(150))).await;
    server.kill().await;
}

async fn check(home: &Installation, server: &Running, memory: &mut Memory, sent: Vec<Sent>) {
    let world = server.world();
    world.advance_clock(LEASE_SECONDS).await;
    let panel = server.panel(&home.data()).await;
    for Sent {
        key,
        order,
        acknowledged,
        is_cancelled,
    } in sent
    {
        if let Some(id) = acknowledged {
            assert!(memory.acknowledged.insert(id), "{id} was given out twice");
        }
        memory
            .cancelled
            .extend(acknowledged.filter(|_| is_cancelled));
        let Some(key) = key else { continue };
        // Who heard nothing asks again, and gets one order; who heard, gets the same.
        let again = place(&panel, Some(&key), &order).await.unwrap();
        assert_eq!(acknowledged.unwrap_or(again), again, "{key}");
        memory.acknowledged.insert(again);
        memory.of_keys.insert(key, again);
    }
    world.run_due_jobs().await;

    let evidence = Evidence::examine(&home.database_url()).await;
    for id in &memory.acknowledged {
        assert!(
            evidence.orders.binary_search(id).is_ok(),
            "order {id} was acknowledged and is lost"
        );
    }
    assert!(
        memory.cancelled.is_subset(&evidence.cancelled),
        "a cancellation that was acknowledged is lost"
    );
    for (key, id) in &memory.of_keys {
        assert_eq!(evidence.of_keys.get(key), Some(id), "{key}");
    }
    // What was once shown never changes and never goes.
    for (id, seen) in &memory.certificates {
        assert_eq!(
            evidence.certificates.get(id).map(|der| pem(der)).as_ref(),
            Some(seen),
            "{id}"
        );
    }
    let new = evidence
        .certificates
        .iter()
        .rev()
        .filter(|(id, _)| memory.acknowledged.contains(id));
    for (id, der) in new.take(10) {
        let shown = panel.certificate(&id.to_string()).await;
        let leaf = chancery_testkit::pem_blocks(&shown)[0].to_owned();
        assert_eq!(leaf, pem(der), "{id}");
        memory.certificates.insert(*id, leaf);
    }
}

fn pem(der: &[u8]) -> String {
    chancery_pki::pem::encode("CERTIFICATE", der)
}

/// A number below this one, by the system's randomness.
fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    u64::from_le_bytes(bytes) % below
}
