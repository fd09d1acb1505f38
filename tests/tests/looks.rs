//! Checks of domain control: when they come, whom they wait for, and whom they must not hold up.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chancery_domain::SignedDuration;
use chancery_ote::RecordKind;
use chancery_testkit::{Panel, PlacedOrder, TestServer, on_both_engines, order_for};
use serde_json::json;
use tokio::net::UdpSocket;

use crate::database::{ask, int};
use crate::production::Outside;

on_both_engines!(
    two_thousand_silent_names_hold_up_nobody_elses_order,
    two_thousand_domains_at_a_silent_server_hold_up_nobody_elses_order,
    all_names_of_a_long_list_are_looked_for_at_each_time,
    a_silent_name_slows_no_look_at_the_others,
    looks_come_each_minute_at_first_and_each_hour_after_a_day,
    silent_servers_are_asked_less_and_wait_apart,
    asking_about_an_order_brings_its_next_look_forward,
    a_look_under_way_is_made_once_though_the_clock_moves,
);

/// Orders of silent names, and how many names each has.
const SILENT_ORDERS: usize = 400;
const NAMES_EACH: usize = 5;

/// How many checks may be under way that are answered promptly, as far as anybody knows.
const PLACES: usize = 64;

/// What a resolver was asked about proofs.
#[derive(Default)]
struct Asked {
    /// What it was silent about.
    silent: HashSet<Vec<u8>>,
    /// What it has passed on, and of how many things it had been silent before.
    passed_on: HashMap<Vec<u8>, usize>,
}

/// A resolver that passes questions on, but says nothing about names with this word in them.
async fn silent_about(word: &'static str, resolver: SocketAddr) -> (SocketAddr, Arc<Mutex<Asked>>) {
    let asked: Arc<Mutex<Asked>> = Arc::default();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let collected = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut packet = [0; 4_096];
        loop {
            let (size, from) = socket.recv_from(&mut packet).await.unwrap();
            // A question follows the twelve octets of the header (RFC 1035 §4.1.1).
            let question = &packet[12..size];
            let words = question.windows(word.len());
            let is_silent = words.into_iter().any(|at| at == word.as_bytes());
            if question.starts_with(b"\x08_dnsauth") {
                let mut asked = collected.lock().unwrap();
                let before = asked.silent.len();
                match is_silent {
                    true => drop(asked.silent.insert(question.to_vec())),
                    false => drop(asked.passed_on.entry(question.to_vec()).or_insert(before)),
                }
            }
            if is_silent {
                continue;
            }
            let behind = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            behind.connect(resolver).await.unwrap();
            behind.send(&packet[..size]).await.unwrap();
            let size = behind.recv(&mut packet).await.unwrap();
            socket.send_to(&packet[..size], from).await.unwrap();
        }
    });
    (address, asked)
}

impl Asked {
    /// Of how many things the resolver had been silent when it was first asked about a name with this label.
    fn silent_before(&self, label: &str) -> usize {
        let has_label = |question: &[u8]| {
            let mut words = question.windows(label.len());
            words.any(|word| word == label.as_bytes())
        };
        let counts = (self.passed_on.iter()).filter(|(question, _)| has_label(question));
        *counts.map(|(_, count)| count).min().unwrap()
    }
}

async fn two_thousand_silent_names_hold_up_nobody_elses_order(server: &mut TestServer) {
    let names = |order: usize, at: usize| format!("host{at}.silent{order}.com");
    nobody_is_held_up_by(server, names).await;
}

async fn two_thousand_domains_at_a_silent_server_hold_up_nobody_elses_order(
    server: &mut TestServer,
) {
    let names = |order: usize, at: usize| format!("silent{order}x{at}.com");
    nobody_is_held_up_by(server, names).await;
}

async fn nobody_is_held_up_by(server: &mut TestServer, silent: impl Fn(usize, usize) -> String) {
    let outside = Outside::start().await;
    let (resolver, asked) = silent_about("silent", outside.resolver()).await;
    outside
        .surround(server, resolver, |config| {
            config.rates.limited = Some(false);
            config.limits.looks = PLACES;
        })
        .await;
    let flooding = server.another_panel("5000000.00").await;
    place_silent_orders(&flooding, silent).await;
    let other = server.another_panel("1000.00").await;
    let app = server.app();
    for name in ["shop1.com", "shop2.com"] {
        let placed = place_shown(&outside, &other, name).await;
        let before = asked.lock().unwrap().silent.len();
        app.advance_clock(SignedDuration::from_secs(7))
            .await
            .unwrap();
        while other.statuses(&placed.id).await.0 != "COMPLETED" {}
        // It did not wait for its turn behind the others, whose places are given back every two seconds.
        let (label, _) = name.split_once('.').unwrap();
        let waited = asked.lock().unwrap().silent_before(label);
        let waited = waited.saturating_sub(before);
        assert!(waited <= 2 * PLACES, "{waited} names before {name}");
        while asked.lock().unwrap().silent.len() < PLACES / 2 {
            tokio::task::yield_now().await;
        }
    }
    // Neither does a message wait.
    let by_mail = other.order("ssl123", "email", &["mail.com"]).await;
    other.place(&by_mail).await;
    while outside.mails() == 0 {
        tokio::task::yield_now().await;
    }
    // Who stops the server does not wait for the silent either.
    server.stop().await;
    outside.end().await;
}

/// Places an order whose proof is there to be seen.
async fn place_shown(outside: &Outside, panel: &Panel, name: &str) -> PlacedOrder {
    let order = panel.order("ssl123", "dns", &[name]).await;
    let placed = panel.place(&order).await;
    let asked_for = &placed.challenges()[0];
    let text = |key: &str| asked_for[key].as_str().unwrap();
    outside.publish(text("host"), RecordKind::Txt, &[text("value")]);
    placed
}

async fn place_silent_orders(panel: &Panel, name: impl Fn(usize, usize) -> String) {
    let [administrator, technical] = panel.contacts().await;
    for number in 0..SILENT_ORDERS {
        let names: Vec<String> = (0..NAMES_EACH).map(|at| name(number, at)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let order = order_for("ssl123", "dns", &names, &administrator, &technical);
        panel.place(&order).await;
    }
}

async fn observations(server: &TestServer) -> i64 {
    int(server, "select count(*) from observations").await
}

async fn looks_come_each_minute_at_first_and_each_hour_after_a_day(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    world.advance(6).await;
    assert_eq!(observations(server).await, 1);
    // A pause is up to a fifth longer than said, so that not all come together.
    for (pause, until) in [
        (60, 900),
        (300, 3_600),
        (900, 24 * 3_600),
        (3_600, 27 * 3_600),
    ] {
        let age = "select (looked_at - created_at) / 1000000 from issuances";
        let mut age = int(server, age).await;
        let before = observations(server).await;
        let began = age;
        while age < until {
            world.advance(pause / 4).await;
            age += pause / 4;
        }
        let made = observations(server).await - before;
        // Each look is seen a quarter of a pause late at worst.
        let most = (until - began) / pause + 2;
        let least = (until - began) * 2 / (pause * 3) - 1;
        assert!(
            (least..=most).contains(&made),
            "{made} each {pause} s until {until}"
        );
    }
}

async fn silent_servers_are_asked_less_and_wait_apart(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["silent.test"]).await)
        .await;
    let host = placed.challenges()[0]["host"].as_str().unwrap().to_owned();
    world
        .put_dns_set(&host, "TXT", &json!({ "drop": true }))
        .await;
    world.advance(6).await;
    let queue = "select queue from jobs where kind = 'poll_dcv'";
    assert_eq!(int(server, queue).await, 3);
    for _ in 0..40 {
        world.advance(20).await;
    }
    let made = observations(server).await;
    assert!((3..=6).contains(&made), "{made} looks in 13 minutes");

    // What answers again waits with the rest again.
    panel.publish(&json!({ "commonName": { "authType": "dns", "host": host, "recordType": "TXT", "value": "other" } }))
        .await;
    world.advance(1_100).await;
    assert_eq!(int(server, queue).await, 2);
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
}

async fn asking_about_an_order_brings_its_next_look_forward(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    for (name, question) in [
        ("info.test", "/ssl/v2/orders/info?orderId={id}"),
        ("auth.test", "/ssl/v2/orders/{id}/auth/info"),
    ] {
        let placed = panel
            .place(&panel.order("ssl123", "dns", &[name]).await)
            .await;
        let question = question.replace("{id}", &placed.id);
        // Before the first look, asking brings nothing forward: it comes in a moment, when there may be something.
        panel.http.get(&question).await.data();
        world.run_due_jobs().await;
        assert_eq!(panel.statuses(&placed.id).await.0, "PENDING");
        world.advance(6).await;
        panel.publish(&placed.data).await;
        world.advance(5).await;
        assert_eq!(observations_of(server, &placed.id).await, 1);
        panel.http.get(&question).await.data();
        while observations_of(server, &placed.id).await < 2 {}
        world.run_due_jobs().await;
        assert_eq!(panel.statuses(&placed.id).await.0, "COMPLETED");
    }
}

/// How many looks were made for an order.
pub async fn observations_of(server: &TestServer, order: &str) -> i64 {
    let rows = ask(
        server,
        "select o.id, cast(i.order_id as text) from observations o join issuances i on i.id = o.issuance_id",
    )
    .await;
    let of_order = rows.iter().filter(|row| row.text(1).unwrap() == order);
    i64::try_from(of_order.count()).unwrap()
}

async fn a_look_under_way_is_made_once_though_the_clock_moves(server: &mut TestServer) {
    // Long enough to be seen under way.
    server
        .restart_with(|config| config.dns.timeout_seconds = 10)
        .await;
    let (panel, world) = (server.panel().await, server.world());
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["silent.test"]).await)
        .await;
    let host = placed.challenges()[0]["host"].as_str().unwrap().to_owned();
    world
        .put_dns_set(&host, "TXT", &json!({ "drop": true }))
        .await;
    world.advance_clock(6).await;
    // Among the slow ones, where it has its time.
    let under_way =
        "select count(*) from jobs where kind = 'poll_dcv' and queue = 3 and holder is not null";
    while int(server, under_way).await == 0 {}
    world.advance_clock(24 * 3_600).await;
    assert_eq!(int(server, under_way).await, 1, "its lease was renewed");
    world.run_due_jobs().await;
    let attempts = "select attempt from jobs where kind = 'poll_dcv'";
    // Once among the prompt ones, broken off after a moment, and once among the slow ones.
    assert_eq!(int(server, attempts).await, 2);
    assert_eq!(observations(server).await, 1);
}

async fn all_names_of_a_long_list_are_looked_for_at_each_time(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let names: Vec<String> = (0..60).map(|at| format!("n{at}.shop.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    panel
        .place(&panel.order("ssl123", "dns", &names).await)
        .await;
    world.advance(6).await;
    let seen = "select count(distinct name) from observations";
    assert_eq!(int(server, seen).await, 60);
    world.advance(75).await;
    assert_eq!(observations(server).await, 120);
}

async fn a_silent_name_slows_no_look_at_the_others(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let names = ["shop.test", "silent.test"];
    let placed = panel
        .place(&panel.order("ssl123", "dns", &names).await)
        .await;
    let host = placed.challenges()[1]["host"].as_str().unwrap().to_owned();
    world
        .put_dns_set(&host, "TXT", &json!({ "drop": true }))
        .await;
    for _ in 0..42 {
        world.advance(20).await;
    }
    let of =
        "select sum(case when name = 'shop.test' then 1 else 0 end), count(*) from observations";
    let of = &ask(server, of).await[0];
    let (prompt, all) = (of.int(0).unwrap(), of.int(1).unwrap());
    assert!((9..=15).contains(&prompt), "{prompt} looks in 14 minutes");
    assert!((3..=6).contains(&(all - prompt)), "{} looks", all - prompt);
    // Whoever answers waits with the rest.
    assert_eq!(
        int(server, "select queue from jobs where kind = 'poll_dcv'").await,
        2
    );
    // Who asks has all names looked at.
    world.delete_dns(&host, "TXT").await;
    panel.publish(&placed.data).await;
    panel.look(&placed.id).await;
    panel.finish(&placed.id).await;
}
