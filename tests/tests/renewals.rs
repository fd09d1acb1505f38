//! Renewals and reissues: linked, paid for once, and never at the cost of the certificate in force.

use chancery_domain::{SignedDuration, Timestamp};
use chancery_testkit::{TestServer, csr, on_both_engines};
use futures_util::future::join_all;
use serde_json::{Value, json};

on_both_engines!(
    a_renewal_is_linked_both_ways_and_keeps_what_was_left,
    a_renewal_opens_ninety_days_before_the_end_and_is_refused_with_the_date_before,
    all_that_is_left_of_a_term_is_carried_over,
    a_renewal_asked_for_often_is_one_order,
    a_renewal_that_comes_to_nothing_can_be_tried_again,
    only_an_issued_order_is_renewed_and_not_for_ever,
    a_reissue_leaves_the_old_certificate_until_it_is_superseded,
    names_added_by_a_reissue_are_paid_for_once,
    a_reissue_that_is_not_proved_leaves_everything_as_it_was,
    sending_the_csr_in_use_is_asking_for_its_key,
    other_names_under_the_key_in_use_need_no_csr,
    another_reissue_takes_the_place_of_one_under_way,
    the_same_reissue_asks_for_another_certificate_a_day_later,
    a_reissue_without_a_csr_certifies_a_key_that_may_be_again,
    a_repeated_renewal_with_another_key_is_told_of_the_first,
    approvers_stay_as_they_were,
    what_is_wrong_with_a_renewal_or_reissue_is_told_at_once,
);

const DAY: i64 = 86_400;

fn instant(value: &Value) -> Timestamp {
    let text = value.as_str().unwrap_or_else(|| panic!("{value}"));
    text.parse().unwrap()
}

fn renew_path(id: &str) -> String {
    format!("/ssl/v2/orders/{id}/renew")
}

fn reissue_path(id: &str) -> String {
    format!("/ssl/v2/orders/{id}/reissue")
}

fn renewal_of(data: &Value) -> String {
    data["renewOrder"]["orderId"].as_str().unwrap().to_owned()
}

async fn a_renewal_is_linked_both_ways_and_keeps_what_was_left(server: &mut TestServer) {
    let old = server
        .panel()
        .await
        .issue("ssl123", &["shop.test", "www.shop.test"])
        .await;
    server.world().advance(340 * DAY).await;
    let panel = server.panel().await;
    let before = panel.cents().await;
    let asked = json!({ "term": 1, "csr": csr(&["shop.test"]) });
    let data = panel.http.post(&renew_path(&old), &asked).await.data();
    let frame = &data["renewOrder"];
    assert_eq!(frame["commonName"]["name"], "shop.test");
    assert_eq!(frame["san"][0]["name"], "www.shop.test");
    assert_eq!(panel.cents().await, before - 2000);
    let new = renewal_of(&data);
    panel.publish(frame).await;
    panel.finish(&new).await;
    let (old, new) = (panel.info(&old).await, panel.info(&new).await);
    assert_eq!(
        (&old["renewedBy"], &new["renews"]),
        (&new["orderId"], &old["orderId"])
    );
    assert_eq!(
        (&old["renewal"], &new["renewal"]),
        (&json!(false), &json!(true))
    );
    let planned = old["plan"]["certificates"].as_array().unwrap();
    assert!(
        planned
            .iter()
            .all(|certificate| certificate["status"] != "PLANNED"),
        "{old:#}"
    );
    // A year from the old order's end, since what was left of it is added.
    let (ended, ends) = (
        instant(&old["dtorderexpire"]),
        instant(&new["dtorderexpire"]),
    );
    let days = ends.duration_since(ended).as_secs_f64() / 86_400.0;
    assert!((364.9..366.1).contains(&days), "{days} days");
}

async fn a_renewal_opens_ninety_days_before_the_end_and_is_refused_with_the_date_before(
    server: &mut TestServer,
) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let info = panel.info(&id).await;
    let end = instant(&info["dtorderexpire"]);
    let opens = end - SignedDuration::from_hours(24 * 90);
    let before = panel.cents().await;
    let asked = json!({ "term": 1 });
    let refusal = (panel.http.post(&renew_path(&id), &asked).await).refusal();
    let text = format!("The order can be renewed from {opens} on.");
    refusal.is(400, "SSL2400", &text);
    assert_eq!(panel.cents().await, before);
    assert_eq!(info["dtrenewable"], json!(opens.to_string()));

    let now: Timestamp = server.world().now().await.parse().unwrap();
    let wait = opens.duration_since(now).as_secs();
    server.world().advance(wait - 1_800).await;
    let panel = server.panel().await;
    let refusal = (panel.http.post(&renew_path(&id), &asked).await).refusal();
    refusal.is(400, "SSL2400", &text);
    server.world().advance_clock(1_801).await;
    panel.http.post(&renew_path(&id), &asked).await.data();
    assert_eq!(panel.cents().await, before - 1000);
}

async fn all_that_is_left_of_a_term_is_carried_over(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let old = panel.issue("ssl123", &["shop.test"]).await;
    let data = panel
        .http
        .post(&renew_path(&old), &json!({ "term": 1 }))
        .await;
    let new = renewal_of(&data.data());
    panel.world.run_due_jobs().await;
    let end = async |id: &str| instant(&panel.info(id).await["dtorderexpire"]);
    let gained = end(&new).await.duration_since(end(&old).await).as_secs() / DAY;
    // A whole year on top of nearly a whole year.
    assert!((364..=366).contains(&gained), "{gained} days");
}

async fn a_renewal_asked_for_often_is_one_order(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let old = panel.issue("ssl123", &["shop.test"]).await;
    let before = panel.cents().await;
    let (path, asked) = (renew_path(&old), json!({ "term": 1 }));
    let replies = join_all((0..8).map(|_| panel.http.post(&path, &asked))).await;
    let new = renewal_of(&replies[0].data());
    for reply in &replies {
        assert_eq!(renewal_of(&reply.data()), new);
    }
    assert_eq!(panel.cents().await, before - 1000);
    let refusal = panel
        .http
        .post(&path, &json!({ "term": 2 }))
        .await
        .refusal();
    let text = format!("The order was renewed by order {new} already.");
    refusal.is(400, "SSL2400", &text);

    // Under a key too, and across a restart; under another path the key is another request's.
    let other = panel.issue("ssl123", &["kiosk.test"]).await;
    let keyed = panel.http.with_header("idempotency-key", "r-1");
    let asked = json!({ "term": 1 });
    let first = keyed.post(&renew_path(&other), &asked).await;
    server.restart().await;
    let panel = server.panel().await;
    let keyed = panel.http.with_header("idempotency-key", "r-1");
    let again = keyed.post(&renew_path(&other), &asked).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let other = keyed.post(&renew_path(&old), &asked).await.refusal();
    other.is(
        400,
        "SSL2400",
        "The Idempotency-Key was used for another request already.",
    );
}

async fn a_renewal_that_comes_to_nothing_can_be_tried_again(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let old = panel.issue("ssl123", &["shop.test"]).await;
    server.world().advance(250 * DAY).await;
    let panel = server.panel().await;
    let before = panel.cents().await;
    let asked = json!({ "term": 1 });
    let data = panel.http.post(&renew_path(&old), &asked).await.data();
    panel.cancel(&renewal_of(&data)).await.data();
    assert_eq!(panel.cents().await, before);
    assert_eq!(panel.info(&old).await["renewedBy"], Value::Null);

    let data = panel.http.post(&renew_path(&old), &asked).await.data();
    let expired = renewal_of(&data);
    server.world().advance(31 * DAY).await;
    let panel = server.panel().await;
    assert_eq!(panel.statuses(&expired).await.0, "EXPIRED");
    assert_eq!(panel.cents().await, before);

    let data = panel.http.post(&renew_path(&old), &asked).await.data();
    let new = renewal_of(&data);
    panel.publish(&data["renewOrder"]).await;
    panel.finish(&new).await;
    assert_eq!(panel.info(&old).await["renewedBy"], json!(new));
}

async fn only_an_issued_order_is_renewed_and_not_for_ever(server: &mut TestServer) {
    let panel = server.panel().await;
    let open = panel
        .place(&panel.order("ssl123", "dns", &["open.test"]).await)
        .await;
    let asked = json!({ "term": 1 });
    let refusal = panel
        .http
        .post(&renew_path(&open.id), &asked)
        .await
        .refusal();
    refusal.is(400, "SSL2400", "Action prohibited for 'PENDING' status.");
    let refusal = panel.http.post(&renew_path("4711"), &asked).await.refusal();
    refusal.is(400, "SSL2400", "Order not found.");
    let others = server.another_panel("100.00").await;
    let foreign = others
        .http
        .post(&renew_path(&open.id), &asked)
        .await
        .refusal();
    foreign.is(400, "SSL2400", "Order not found.");

    let old = panel.issue("ssl123", &["shop.test"]).await;
    server.world().advance(400 * DAY).await;
    let panel = server.panel().await;
    let refusal = panel.http.post(&renew_path(&old), &asked).await.refusal();
    refusal.is(400, "SSL2400", "Action prohibited for 'EXPIRED' status.");
    let refusal = (panel
        .http
        .post(&reissue_path(&old), &json!({ "csr": csr(&["shop.test"]) })))
    .await
    .refusal();
    refusal.is(400, "SSL2400", "Action prohibited for 'EXPIRED' status.");
}

async fn a_reissue_leaves_the_old_certificate_until_it_is_superseded(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let old = panel.verify(&id, &["shop.test"]).await;
    // A name that was not proved yet makes it wait.
    let names = ["shop.test", "new.example.com"];
    let asked = json!({ "csr": csr(&names[..1]), "sanfield": names[1..] });
    let data = panel.http.post(&reissue_path(&id), &asked).await.data();
    assert_eq!(data["orderId"], json!(id));
    assert_eq!(data["commonName"]["status"], "VALIDATED");
    assert_eq!(data["san"][0]["status"], "PENDING");
    let info = panel.info(&id).await;
    assert_eq!(info["orderStatus"], "PENDING_REISSUE");
    assert_eq!(info["reissue"], json!(true));
    assert_eq!(
        info["sanfield"],
        json!([]),
        "the certificate in force is shown"
    );
    let still = panel.verify(&id, &["shop.test"]).await;
    assert_eq!(still.serial(), old.serial());

    panel.publish(&data).await;
    panel.finish(&id).await;
    let new = panel.verify(&id, &names).await;
    assert_ne!(new.serial(), old.serial());
    let info = panel.info(&id).await;
    assert_eq!(info["sanfield"], json!(["new.example.com"]));
    assert_eq!(info["plan"]["certificates"][0]["status"], "PAST");
    assert_eq!(info["plan"]["certificates"][1]["status"], "ACTIVE");
    let http = server.http();
    server.world().advance(71 * 3_600).await;
    assert_eq!(old.revocation_reason_now(&http).await, None);
    server.world().advance(2 * 3_600).await;
    assert_eq!(
        old.revocation_reason_now(&http).await.as_deref(),
        Some("Superseded")
    );
    assert_eq!(new.revocation_reason_now(&http).await, None);
    server.panel().await.verify(&id, &names).await;
}

async fn names_added_by_a_reissue_are_paid_for_once(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test", "a.shop.test"]).await;
    let before = panel.cents().await;
    let reissue = async |further: &[&str]| {
        let asked = json!({ "csr": csr(&["shop.test"]), "sanfield": further });
        panel.http.post(&reissue_path(&id), &asked).await.data();
        panel.world.run_due_jobs().await;
        assert_eq!(panel.statuses(&id).await.0, "COMPLETED");
        before - panel.cents().await
    };
    // Everything below the proved name is proved.
    assert_eq!(reissue(&["b.shop.test", "c.shop.test"]).await, 1000);
    assert_eq!(reissue(&["d.shop.test"]).await, 1000);
    assert_eq!(reissue(&["e.shop.test", "f.shop.test"]).await, 1000);
    assert_eq!(reissue(&["*.shop.test", "f.shop.test"]).await, 3000);
    panel.verify(&id, &["any.shop.test"]).await;
    // All of it comes back.
    panel.cancel(&id).await.json();
    assert_eq!(panel.cents().await, before + 2000);
}

async fn a_reissue_that_is_not_proved_leaves_everything_as_it_was(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let old = panel.verify(&id, &["shop.test"]).await;
    let before = panel.cents().await;
    let asked = json!({ "csr": csr(&["shop.test"]), "sanfield": ["never.example.com"] });
    panel.http.post(&reissue_path(&id), &asked).await.data();
    assert_eq!(panel.cents().await, before - 1000);
    server.world().advance(31 * DAY).await;
    let panel = server.panel().await;
    assert_eq!(panel.cents().await, before);
    let completed = ("COMPLETED".to_owned(), "ACTIVE".to_owned());
    assert_eq!(panel.statuses(&id).await, completed);
    assert_eq!(panel.info(&id).await["sanfield"], json!([]));
    assert_eq!(
        panel.verify(&id, &["shop.test"]).await.serial(),
        old.serial()
    );
    assert_eq!(old.revocation_reason_now(&server.http()).await, None);
}

async fn sending_the_csr_in_use_is_asking_for_its_key(server: &mut TestServer) {
    let panel = server.panel().await;
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["reuseKey"] = json!(false);
    let placed = panel.place(&order).await;
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    let first = panel.verify(&placed.id, &["shop.test"]).await;
    let asked = json!({ "csr": order["csr"].take() });
    panel
        .http
        .post(&reissue_path(&placed.id), &asked)
        .await
        .data();
    panel.world.run_due_jobs().await;
    let second = panel.verify(&placed.id, &["shop.test"]).await;
    assert_ne!(second.serial(), first.serial());
    // What the order says of replacements stays.
    assert_eq!(panel.info(&placed.id).await["reuseKey"], json!(false));
}

async fn other_names_under_the_key_in_use_need_no_csr(server: &mut TestServer) {
    let panel = server.panel().await;
    let mut order = panel.order("ssl123", "dns", &["shop.test"]).await;
    order["reuseKey"] = json!(false);
    let placed = panel.place(&order).await;
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    let asked = json!({ "sanfield": ["a.shop.test"] });
    panel
        .http
        .post(&reissue_path(&placed.id), &asked)
        .await
        .data();
    panel.world.run_due_jobs().await;
    panel
        .verify(&placed.id, &["shop.test", "a.shop.test"])
        .await;
    // Where neither names nor a CSR are sent, an order that says no to its key wants a CSR.
    let refusal = panel.http.post(&reissue_path(&placed.id), &json!({})).await;
    assert_eq!(refusal.refusal().about("csr"), ["'csr' is required."]);
}

async fn another_reissue_takes_the_place_of_one_under_way(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let before = panel.cents().await;
    let ask = async |further: &[&str]| {
        let asked = json!({ "csr": csr(&["shop.test"]), "sanfield": further });
        panel.http.post(&reissue_path(&id), &asked).await
    };
    let first = ask(&["one.example.com", "two.example.com"]).await.data();
    assert_eq!(panel.cents().await, before - 2000);
    let second = ask(&["one.example.com"]).await.data();
    assert_eq!(panel.cents().await, before - 1000);
    // The values of the first prove nothing any more.
    panel.publish(&first).await;
    panel.look(&id).await;
    assert_eq!(panel.statuses(&id).await.0, "PENDING_REISSUE");
    panel.publish(&second).await;
    panel.finish(&id).await;
    panel.verify(&id, &["shop.test", "one.example.com"]).await;
    assert_eq!(panel.cents().await, before - 1000);
}

async fn the_same_reissue_asks_for_another_certificate_a_day_later(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let mut asked = json!({ "csr": csr(&["shop.test"]) });
    panel.http.post(&reissue_path(&id), &asked).await.data();
    panel.world.run_due_jobs().await;
    let first = panel.verify(&id, &["shop.test"]).await;
    // At once it is a client that lost the answer; another wish is another reissue.
    panel.http.post(&reissue_path(&id), &asked).await.data();
    panel.world.run_due_jobs().await;
    assert_eq!(
        panel.verify(&id, &["shop.test"]).await.serial(),
        first.serial()
    );
    asked["reuseKey"] = json!(true);
    panel.http.post(&reissue_path(&id), &asked).await.data();
    panel.world.run_due_jobs().await;
    let second = panel.verify(&id, &["shop.test"]).await;
    assert_ne!(second.serial(), first.serial());

    server.world().advance(DAY).await;
    let panel = server.panel().await;
    panel.http.post(&reissue_path(&id), &asked).await.data();
    panel.world.run_due_jobs().await;
    let third = panel.verify(&id, &["shop.test"]).await;
    assert_ne!(third.serial(), second.serial());
}

async fn a_reissue_without_a_csr_certifies_a_key_that_may_be_again(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let first = panel.verify(&id, &["shop.test"]).await;
    let asked = json!({ "reuseKey": false });
    let refusal = panel.http.post(&reissue_path(&id), &asked).await;
    assert_eq!(refusal.refusal().about("csr"), ["'csr' is required."]);
    let asked = json!({});
    for _ in 0..2 {
        panel.http.post(&reissue_path(&id), &asked).await.data();
        panel.world.run_due_jobs().await;
    }
    let second = panel.verify(&id, &["shop.test"]).await;
    assert_ne!(second.serial(), first.serial());
    let info = panel.info(&id).await;
    let issued = info["plan"]["certificates"].as_array().unwrap().iter();
    let issued = issued.filter(|planned| planned["status"] != "PLANNED");
    assert_eq!(issued.count(), 2, "{info:#}");
}

async fn a_repeated_renewal_with_another_key_is_told_of_the_first(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let old = panel.issue("ssl123", &["shop.test", "a.shop.test"]).await;
    let asked = json!({ "term": 1, "csr": csr(&["shop.test"]), "sanfield": ["a.shop.test"] });
    let new = renewal_of(&panel.http.post(&renew_path(&old), &asked).await.data());
    let again = panel.http.post(&renew_path(&old), &asked).await.data();
    assert_eq!(renewal_of(&again), new);
    let text = format!("The order was renewed by order {new} already.");
    let mut other = asked.clone();
    other["csr"] = json!(csr(&["shop.test"]));
    let refusal = panel.http.post(&renew_path(&old), &other).await.refusal();
    refusal.is(400, "SSL2400", &text);
    let mut fewer = asked.clone();
    fewer["sanfield"] = json!([]);
    let refusal = panel.http.post(&renew_path(&old), &fewer).await.refusal();
    refusal.is(400, "SSL2400", &text);
}

async fn approvers_stay_as_they_were(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let mut order = panel.order("ssl123", "email", &["shop.test"]).await;
    order["approverEmail"] = json!(["postmaster@shop.test"]);
    let placed = panel.place(&order).await;
    panel.world.run_due_jobs().await;
    let link = server.world().approval_links("@shop.test").await.remove(0);
    assert_eq!(server.http().send("POST", &link, "").await.status, 200);
    panel.finish(&placed.id).await;
    // Once the proof is too old to be used again.
    server.world().advance(201 * DAY).await;
    let panel = server.panel().await;
    let asked = json!({ "csr": csr(&["shop.test"]) });
    let data = (panel.http.post(&reissue_path(&placed.id), &asked).await).data();
    assert_eq!(data["commonName"]["value"], "postmaster@shop.test");
    let asked = json!({ "term": 1 });
    let data = (panel.http.post(&renew_path(&placed.id), &asked).await).data();
    let frame = &data["renewOrder"]["commonName"];
    assert_eq!(frame["value"], "postmaster@shop.test");
}

async fn what_is_wrong_with_a_renewal_or_reissue_is_told_at_once(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let id = panel.issue("ssl123", &["shop.test"]).await;
    let before = panel.cents().await;
    let bad = json!({ "csr": "x", "authType": "fax", "reuseKey": "perhaps" });
    for path in [renew_path(&id), reissue_path(&id)] {
        let refusal = panel.http.post(&path, &bad).await.refusal();
        assert_eq!(
            (refusal.status, &refusal.sub_code[..]),
            (400, "SSL4000"),
            "{refusal:?}"
        );
        for field in ["csr", "authType", "reuseKey"] {
            assert_eq!(refusal.about(field).len(), 1, "{field}: {refusal:?}");
        }
    }
    let refusal = panel
        .http
        .post(&renew_path(&id), &json!({}))
        .await
        .refusal();
    assert_eq!(refusal.about("term"), ["'term' is required."]);
    let other = json!({ "csr": csr(&["other.test"]) });
    let refusal = panel.http.post(&reissue_path(&id), &other).await.refusal();
    assert!(refusal.about("csr")[0].contains("shop.test"), "{refusal:?}");
    let many: Vec<String> = (0..200).map(|n| format!("n{n}.shop.test")).collect();
    let asked = json!({ "csr": csr(&["shop.test"]), "sanfield": many });
    let refusal = panel.http.post(&reissue_path(&id), &asked).await.refusal();
    assert_eq!(refusal.about("sanfield").len(), 1, "{refusal:?}");
    assert_eq!(panel.cents().await, before);
    assert_eq!(panel.statuses(&id).await.0, "COMPLETED");
}
