//! Two servers on one PostgreSQL: what one of them had under way when it was killed, the other takes over.

use std::time::{Duration, Instant};

use chancery_store::{DatabaseUrl, Row, Store, StoreSettings};
use chancery_testkit::{Engine, run};
use serde_json::json;

use crate::evidence::Evidence;
use crate::programs::Installation;

/// Names at servers that say nothing: their checks are under way for a while.
const SILENT: usize = 12;

/// Within so long, nothing waits for a dead server any more.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(30);

/// The runs some process is at work on: id, attempt and holder.
async fn held(store: &Store) -> Vec<[i64; 3]> {
    let sql = "select id, attempt, holder from jobs where holder is not null order by id";
    let rows = store.scan(sql, Vec::new()).await.unwrap();
    let run = |row: &Row| [0, 1, 2].map(|column| row.int(column).unwrap());
    rows.iter().map(run).collect()
}

#[test]
fn a_killed_server_is_succeeded_by_the_other_within_half_a_minute() {
    run(async |_| succeed().await);
}

async fn succeed() {
    let home = Installation::new(Engine::Postgres).await;
    // Silence is told after a long while only, so that the checks are under way when the server dies.
    let patient = [("CHANCERY_DNS_TIMEOUT_SECONDS", "10")];
    let first = home.serve_with(&patient).await;
    let url = DatabaseUrl::parse(&home.database_url()).unwrap();
    let store = Store::open(&url, &StoreSettings::default()).await.unwrap();
    let panel = first.panel(&home.data()).await;
    let mut silent = Vec::new();
    for number in 0..SILENT {
        let name = format!("silent{number}.test");
        let record = format!("_dnsauth.{name}");
        let silence = json!({ "drop": true });
        first.world().put_dns_set(&record, "TXT", &silence).await;
        let order = panel.order("ssl123", "dns", &[&name]).await;
        silent.push(panel.place(&order).await.id);
    }
    first.world().advance_clock(60).await;
    while held(&store).await.len() < SILENT {
        tokio::task::yield_now().await;
    }

    let second = home.serve().await;
    let left = held(&store).await;
    assert!(left.len() >= SILENT, "what is at work stays its own");
    let others = second.panel(&home.data()).await;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    let placed = panel.place(&order).await;
    first.kill().await;

    let killed = Instant::now();
    others.publish(&placed.data).await;
    loop {
        let now = held(&store).await;
        if !left.iter().any(|run| now.contains(run)) {
            break;
        }
        assert!(killed.elapsed() < TAKEN_OVER_WITHIN, "{now:?}");
        tokio::task::yield_now().await;
    }
    others.finish(&placed.id).await;
    second.world().run_due_jobs().await;
    for id in silent {
        let looked = others.auth_info(&id).await;
        assert_eq!(others.statuses(&id).await.0, "IN_PROCESS", "{looked}");
        assert!(looked.to_string().contains("time"), "{looked}");
    }
    Evidence::examine(&home.database_url()).await;
    store.close().await;
    second.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}
