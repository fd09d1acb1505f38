//! Whole terms, day by day: an order outlives many certificates, nobody ever sees an expired one, and people are
//! asked only for what only they can do.

use chancery_domain::Timestamp;
use chancery_domain::reseller_settings::ResellerChanges;
use chancery_domain::resellers::NoticeRecipients;
use chancery_testkit::{Downloaded, Panel, TestServer, csr, on_both_engines};
use serde_json::{Value, json};

on_both_engines!(
    a_year_from_today_lives_through_the_switch_to_100_days,
    a_year_from_2029_lives_on_certificates_of_47_days,
    a_year_without_key_reuse_asks_for_a_new_csr_each_time,
    what_nobody_sees_to_is_announced_and_not_twice,
    keys_are_used_again_as_the_reseller_says_unless_the_order_says_otherwise,
    notices_go_to_whom_the_reseller_says_in_its_name,
);

const DAY: i64 = 86_400;

/// Who sees to an order, and what came of it.
struct Subscriber {
    id: String,
    names: Vec<&'static str>,
    read: usize,
    subjects: Vec<String>,
    certificates: Vec<Lived>,
}

/// A certificate as it was downloaded on its first day.
struct Lived {
    from: Timestamp,
    to: Timestamp,
    files: Downloaded,
}

impl Subscriber {
    /// An order that says nothing of its key, or what is given.
    async fn order(panel: &Panel, names: &[&'static str], reuse_key: Option<bool>) -> Self {
        let mut order = panel.order("dv-multi", "dns", names).await;
        order["reuseKey"] = json!(reuse_key);
        let placed = panel.place(&order).await;
        panel.publish(&placed.data).await;
        panel.finish(&placed.id).await;
        Self {
            id: placed.id,
            names: names.to_vec(),
            read: 0,
            subjects: Vec::new(),
            certificates: Vec::new(),
        }
    }

    /// Looks after the order for a day: reads the mail, does what it asks for, and takes the certificate in
    /// force.
    async fn day(&mut self, panel: &Panel, now: Timestamp) {
        let mails = panel.world.mails().await;
        for mail in &mails[self.read..] {
            let whole = panel.world.mail(&mail["id"]).await;
            let (subject, text) = (words(&whole["subject"]), words(&whole["text"]));
            assert!(text.contains(&self.id), "the order is named: {text}");
            assert!(
                text.contains("Certificate: "),
                "so is the certificate: {text}"
            );
            if subject.starts_with("Show control") {
                let asked = panel.auth_info(&self.id).await;
                assert!(
                    text.contains(&words(&asked["commonName"]["value"])),
                    "{text}"
                );
                panel.publish(&asked).await;
                panel.look(&self.id).await;
            } else if subject.starts_with("A new CSR") {
                self.reissue(panel).await;
            }
            self.subjects.push(subject);
        }
        self.read = mails.len();
        let info = panel.info(&self.id).await;
        assert_eq!(info["certStatus"], "ACTIVE", "on {now}: {info:#}");
        let ends = instant(&info["dtcertexpire"]);
        assert!(ends > now, "it ended on {ends}, and it is {now}");
        if self.certificates.last().is_none_or(|last| last.to != ends) {
            self.take(panel, ends, now).await;
        }
    }

    async fn reissue(&self, panel: &Panel) {
        let path = format!("/ssl/v2/orders/{}/reissue", self.id);
        let before = panel.cents().await;
        let asked = json!({ "csr": csr(&self.names[..1]) });
        let data = panel.http.post(&path, &asked).await.data();
        assert_eq!(panel.cents().await, before, "it costs nothing");
        panel.publish(&data).await;
        panel.look(&self.id).await;
    }

    async fn take(&mut self, panel: &Panel, to: Timestamp, now: Timestamp) {
        let bundle = panel.certificate(&self.id).await;
        let files = Downloaded::of(&panel.http, &bundle).await;
        files.verify(&now.to_string(), &self.names);
        let [from, until] = files.validity();
        assert_eq!(until, to);
        self.certificates.push(Lived { from, to, files });
    }

    /// Holds the certificates against the caps of their days and against each other.
    fn judge(&self) {
        for lived in &self.certificates {
            let seconds = lived.to.as_second() - lived.from.as_second() + 1;
            let cap = longest_life(lived.from);
            assert!(seconds <= cap * DAY, "{} lives {seconds} s", lived.from);
        }
        for pair in self.certificates.windows(2) {
            assert!(pair[1].from < pair[0].to, "a gap after {}", pair[0].to);
            assert_ne!(pair[0].files.serial(), pair[1].files.serial());
        }
    }
}

/// The longest life, in days, of a certificate that begins at a moment: a day less than BR 6.3.2 allows.
fn longest_life(from: Timestamp) -> i64 {
    // It begins an hour before it is signed, and the day of the signing counts.
    let signed = from.as_second() + 3_600;
    let since = |date: &str| date.parse::<Timestamp>().unwrap().as_second() <= signed;
    if since("2029-03-15T00:00:00Z") {
        46
    } else if since("2027-03-15T00:00:00Z") {
        99
    } else {
        199
    }
}

/// Lives through a year of an order, a day at a time, and a day more.
async fn live(server: &TestServer, subscriber: &mut Subscriber) {
    let end = instant(&server.panel().await.info(&subscriber.id).await["dtorderexpire"]);
    loop {
        let panel = server.panel().await;
        let now: Timestamp = server.world().now().await.parse().unwrap();
        if now >= end {
            break;
        }
        subscriber.day(&panel, now).await;
        let step = (end.as_second() - now.as_second() + 1).min(DAY);
        server.world().advance(step).await;
    }
    let panel = server.panel().await;
    let expired = ("EXPIRED".to_owned(), "EXPIRED".to_owned());
    assert_eq!(panel.statuses(&subscriber.id).await, expired);
    let last = subscriber.certificates.last().unwrap();
    assert_eq!(
        last.to.as_second(),
        end.as_second(),
        "the last ends with the order"
    );
}

async fn a_year_from_today_lives_through_the_switch_to_100_days(server: &mut TestServer) {
    let panel = server.panel().await;
    let mut subscriber =
        Subscriber::order(&panel, &["shop.example.com", "www.shop.example.com"], None).await;
    let planned = panel.info(&subscriber.id).await["plan"]["certificates"].clone();
    let planned = planned.as_array().unwrap();
    assert!(planned.len() >= 3, "{planned:#?}");
    assert_eq!(planned[0]["status"], "ACTIVE");
    live(server, &mut subscriber).await;
    subscriber.judge();
    let made = i64::try_from(subscriber.certificates.len()).unwrap();
    let expected = i64::try_from(planned.len()).unwrap();
    assert!(
        (made - expected).abs() <= 1,
        "{made} made, {expected} planned"
    );
    if server.engine() == chancery_testkit::Engine::Sqlite {
        for lived in &subscriber.certificates {
            crate::foreign::lint_baseline(&lived.files);
        }
    }
    // The key is the same, the proofs were asked for again, and nothing else was wanted until the end.
    let wanted = |start: &str| {
        subscriber
            .subjects
            .iter()
            .filter(|s| s.starts_with(start))
            .count()
    };
    assert!(wanted("Show control") >= 1, "{:#?}", subscriber.subjects);
    assert_eq!(wanted("A new CSR"), 0);
    assert_eq!(wanted("The certificate for"), 0);
    assert_eq!(wanted("The order for"), 5, "{:#?}", subscriber.subjects);
}

async fn a_year_from_2029_lives_on_certificates_of_47_days(server: &mut TestServer) {
    set_clock(server, "2029-04-02T12:00:00Z").await;
    let panel = server.panel().await;
    let mut subscriber = Subscriber::order(&panel, &["shop.example.com"], None).await;
    live(server, &mut subscriber).await;
    subscriber.judge();
    assert!(
        subscriber.certificates.len() >= 11,
        "{}",
        subscriber.certificates.len()
    );
}

async fn a_year_without_key_reuse_asks_for_a_new_csr_each_time(server: &mut TestServer) {
    let panel = server.panel().await;
    let mut subscriber = Subscriber::order(&panel, &["shop.example.com"], Some(false)).await;
    live(server, &mut subscriber).await;
    subscriber.judge();
    let asked = subscriber
        .subjects
        .iter()
        .filter(|s| s.starts_with("A new CSR"))
        .count();
    assert_eq!(
        asked + 1,
        subscriber.certificates.len(),
        "{:#?}",
        subscriber.subjects
    );
    // What was replaced on request is revoked some days later.
    let second_last = subscriber.certificates.iter().nth_back(1).unwrap();
    let reason = second_last
        .files
        .revocation_reason_now(&server.http())
        .await;
    assert_eq!(reason.as_deref(), Some("Superseded"));
}

async fn what_nobody_sees_to_is_announced_and_not_twice(server: &mut TestServer) {
    set_clock(server, "2027-04-01T12:00:00Z").await;
    let panel = server.panel().await;
    let subscriber = Subscriber::order(&panel, &["shop.example.com"], Some(false)).await;
    for _ in 0..100 {
        server.world().advance(DAY).await;
    }
    let panel = server.panel().await;
    let mut subjects = Vec::new();
    for mail in panel.world.mails().await {
        subjects.push(words(&mail["subject"]));
    }
    let name = "shop.example.com";
    let mut expected = vec![format!("A new CSR is needed for {name}")];
    for left in ["30 days", "14 days", "7 days", "3 days", "one day"] {
        expected.push(format!("The certificate for {name} ends in {left}"));
    }
    assert_eq!(subjects, expected);
    let lapsed = ("EXPIRED".to_owned(), "EXPIRED".to_owned());
    assert_eq!(panel.statuses(&subscriber.id).await, lapsed);
    assert_eq!(of_status(&panel, "EXPIRED").await, 1);
    assert_eq!(of_status(&panel, "COMPLETED").await, 0);
    assert_eq!(statistic(&panel, "expired").await, 1);
    assert_eq!(statistic(&panel, "lapsed").await, 1);
    // It is never too late within the term.
    subscriber.reissue(&panel).await;
    let issued = ("COMPLETED".to_owned(), "ACTIVE".to_owned());
    assert_eq!(panel.statuses(&subscriber.id).await, issued);
    assert_eq!(of_status(&panel, "COMPLETED").await, 1);
    assert_eq!(statistic(&panel, "expired").await, 0);
}

/// How many orders a search finds in a status.
async fn of_status(panel: &Panel, status: &str) -> u64 {
    let filter = json!({ "field": "orderStatus", "operator": "EQUAL", "value": status });
    let asked = json!({ "filters": [filter] });
    let found = panel
        .http
        .post("/ssl/v2/orders/search", &asked)
        .await
        .data();
    found["totalItems"].as_u64().unwrap()
}

async fn statistic(panel: &Panel, number: &str) -> u64 {
    let path = format!("/ssl/v2/orders/statistics?type={number}");
    panel.http.get(&path).await.data().as_u64().unwrap()
}

async fn set_clock(server: &TestServer, to: &str) {
    let moved = server
        .http()
        .post("/ote/clock", &json!({ "set": to }))
        .await;
    assert_eq!(moved.status, 200, "{}", moved.text());
    server.world().run_due_jobs().await;
}

fn instant(value: &Value) -> Timestamp {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .parse()
        .unwrap()
}

fn words(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}

/// How many certificates an order has had.
async fn issued(panel: &Panel, id: &str) -> usize {
    let info = panel.info(id).await;
    let planned = info["plan"]["certificates"].as_array().unwrap().iter();
    planned
        .filter(|certificate| certificate["status"] != "PLANNED")
        .count()
}

async fn keys_are_used_again_as_the_reseller_says_unless_the_order_says_otherwise(
    server: &mut TestServer,
) {
    set_clock(server, "2027-04-01T12:00:00Z").await;
    server
        .set_reseller(ResellerChanges {
            reuse_keys: Some(false),
            ..ResellerChanges::default()
        })
        .await;
    let panel = server.panel().await;
    let silent = Subscriber::order(&panel, &["shop.example.com"], None)
        .await
        .id;
    let willing = Subscriber::order(&panel, &["kiosk.example.com"], Some(true))
        .await
        .id;
    let late = Subscriber::order(&panel, &["store.example.com"], None)
        .await
        .id;
    let path = |id: &str| format!("/ssl/v2/orders/{id}/reuse-key");
    let told = panel.info(&silent).await;
    assert_eq!(told["reuseKey"], json!(false));
    assert_eq!(panel.info(&willing).await["reuseKey"], json!(true));

    server.world().advance(68 * DAY).await;
    let panel = server.panel().await;
    assert_eq!(issued(&panel, &silent).await, 1);
    assert_eq!(issued(&panel, &willing).await, 2);
    assert_eq!(issued(&panel, &late).await, 1);
    // An order that changes its mind is seen to at once.
    let said = panel
        .http
        .put(&path(&late), &json!({ "reuseKey": true }))
        .await;
    assert_eq!(said.data()["reuseKey"], json!(true));
    panel.world.run_due_jobs().await;
    assert_eq!(issued(&panel, &late).await, 2);
    let said = panel
        .http
        .put(&path(&late), &json!({ "reuseKey": "default" }))
        .await;
    assert_eq!(said.data()["reuseKey"], json!(false));
    let wrong = panel
        .http
        .put(&path(&late), &json!({ "reuseKey": "perhaps" }))
        .await;
    assert_eq!(wrong.refusal().about("reuseKey").len(), 1);
    let other = server.another_panel("10.00").await;
    let foreign = other
        .http
        .put(&path(&late), &json!({ "reuseKey": false }))
        .await;
    foreign.refusal().is(400, "SSL2400", "Order not found.");

    // So is a reseller's, for orders that have said nothing.
    server
        .set_reseller(ResellerChanges {
            reuse_keys: Some(true),
            ..ResellerChanges::default()
        })
        .await;
    server.world().advance(60).await;
    assert_eq!(issued(&panel, &silent).await, 2);
    panel.cancel(&silent).await;
    let over = panel
        .place(&panel.order("ssl123", "dns", &["over.example.com"]).await)
        .await
        .id;
    panel.cancel(&over).await.json();
    let refused = panel
        .http
        .put(&path(&over), &json!({ "reuseKey": true }))
        .await;
    refused
        .refusal()
        .is(400, "SSL2400", "Action prohibited for 'CANCELLED' status.");
}

async fn notices_go_to_whom_the_reseller_says_in_its_name(server: &mut TestServer) {
    set_clock(server, "2027-04-01T12:00:00Z").await;
    let wanted = |notices_to| ResellerChanges {
        notices_to: Some(notices_to),
        notice_email: Some("certificates@panel.example".to_owned()),
        notice_sender: Some("Panel & Söhne".to_owned()),
        notice_footer: Some("Panel & Söhne\n1 Harbour Road".to_owned()),
        ..ResellerChanges::default()
    };
    let own = "certificates@panel.example";
    let theirs = "ann@shop.example";
    let expected = [
        (NoticeRecipients::Reseller, &[own][..]),
        (NoticeRecipients::Administrator, &[theirs]),
        // A message each: neither sees the other's address.
        (NoticeRecipients::Both, &[theirs, own]),
        (NoticeRecipients::None, &[]),
    ];
    for (number, (notices_to, to)) in expected.into_iter().enumerate() {
        server.set_reseller(wanted(notices_to)).await;
        let panel = server.panel().await;
        panel.world.clear_mail().await;
        let name = format!("shop{number}.example.com");
        let mut order = panel.order("dv-single", "dns", &[&name]).await;
        order["reuseKey"] = json!(false);
        let placed = panel.place(&order).await;
        panel.publish(&placed.data).await;
        panel.finish(&placed.id).await;
        server.world().advance(68 * DAY).await;
        let mails = panel.world.mails().await;
        let subject = format!("A new CSR is needed for {name}");
        let told = mails
            .iter()
            .filter(|mail| mail["subject"] == json!(subject));
        let told: Vec<&Value> = told.collect();
        let mut read: Vec<String> = told.iter().map(|mail| words(&mail["to"])).collect();
        read.sort();
        assert_eq!(read, to, "{mails:#?}");
        let mut ids = std::collections::BTreeSet::new();
        for mail in told {
            let mail = panel.world.mail(&mail["id"]).await;
            let text = words(&mail["text"]);
            let text = text.replace("\r\n", "\n");
            assert!(
                text.trim_end()
                    .ends_with("\n-- \nPanel & Söhne\n1 Harbour Road"),
                "{text}"
            );
            let raw = words(&mail["raw"]);
            let from = raw.lines().find(|line| line.starts_with("From:")).unwrap();
            assert!(from.contains("=?utf-8?b?") && from.contains('<'), "{from}");
            let id = raw.lines().find(|line| line.starts_with("Message-ID:"));
            assert!(ids.insert(id.unwrap().to_owned()), "{raw}");
        }
    }
}
