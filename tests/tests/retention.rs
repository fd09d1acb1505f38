//! What would grow for ever is removed when it has outlived its use, and what auditors need stays.

use chancery_app::AccessFilter;
use chancery_domain::observations::Outcome;
use chancery_testkit::{TestServer, on_both_engines};

on_both_engines!(old_looks_and_trails_go_and_what_proved_a_name_stays);

const DAY: i64 = 86_400;

async fn old_looks_and_trails_go_and_what_proved_a_name_stays(server: &mut TestServer) {
    let panel = server.panel().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    // Some looks in vain, then the proof.
    panel.look(&placed.id).await;
    server.world().advance(600).await;
    panel.publish(&placed.data).await;
    panel.look(&placed.id).await;
    panel.finish(&placed.id).await;
    server.app().settle_access_trail().await.unwrap();
    let outcomes = async |server: &TestServer| {
        let id = chancery_domain::orders::OrderId(placed.id.parse().unwrap());
        let file = server.operations().order_file(id).await.unwrap();
        let looks = server
            .operations()
            .observations(file.issuance.id)
            .await
            .unwrap();
        looks.iter().map(|look| look.outcome).collect::<Vec<_>>()
    };
    let before = outcomes(server).await;
    assert!(
        before.contains(&Outcome::Proved) && before.len() > 1,
        "{before:?}"
    );
    let trail = async |server: &TestServer| {
        let all = AccessFilter::default();
        server
            .operations()
            .access_trail(&all, 100)
            .await
            .unwrap()
            .len()
    };
    assert!(trail(server).await > 0);

    server.world().advance(89 * DAY).await;
    assert_eq!(outcomes(server).await.len(), before.len());
    server.world().advance(3 * DAY).await;
    assert_eq!(outcomes(server).await, [Outcome::Proved]);
    assert_eq!(trail(server).await, 0);
    // The order's history is its history.
    let id = chancery_domain::orders::OrderId(placed.id.parse().unwrap());
    let history = server.operations().order_history(id).await.unwrap();
    assert!(history.len() > 3, "{history:?}");
}
