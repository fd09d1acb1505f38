//! Persons are erased from the command line, once nothing needs them, and nothing of them is left.

use std::fs;

use chancery_testkit::{Engine, LogicBoxes, order_for};
use serde_json::{Value, json};

use crate::programs::{Installation, on_both_engines};

on_both_engines!(
    an_erased_person_leaves_no_trace,
    an_erased_customer_leaves_no_trace,
    who_is_needed_is_not_erased
);

/// What is nowhere else.
const TRACES: [&str; 10] = [
    "Zaphod Unforgettable",
    "zaphod unforgettable",
    "Unforgettable Former",
    "Heartofgold Holdings",
    "heartofgold",
    "remember-me",
    "42 Nowhere Lane",
    "5550199042",
    "GB424242424",
    "192.0.2.142",
];

const PERSON: [(&str, &str); 10] = [
    ("name", "Zaphod Unforgettable"),
    ("company", "Heartofgold Holdings"),
    ("email", "remember-me@shop.example"),
    ("address-line-1", "42 Nowhere Lane"),
    ("city", "London"),
    ("country", "GB"),
    ("zipcode", "SW1A 1AA"),
    ("phone-cc", "44"),
    ("phone", "5550199042"),
    ("customer-id", "2001"),
];

/// How the same person signs up.
const CUSTOMER: [(&str, &str); 13] = [
    ("username", "remember-me@shop.example"),
    ("passwd", "correct horse 42"),
    ("name", "Zaphod Unforgettable"),
    ("company", "Heartofgold Holdings"),
    ("address-line-1", "42 Nowhere Lane"),
    ("city", "London"),
    ("state", "Greater London"),
    ("country", "GB"),
    ("zipcode", "SW1A 1AA"),
    ("phone-cc", "44"),
    ("phone", "5550199042"),
    ("lang-pref", "en"),
    ("vat-id", "GB424242424"),
];

const DAY: i64 = 24 * 60 * 60;

async fn client(home: &Installation, server: &crate::programs::Running) -> LogicBoxes {
    let add = [
        "credential",
        "add",
        "--reseller",
        "2001",
        "--kind",
        "logicboxes",
        "--json",
    ];
    let made = home.json(&add);
    let [user_id, key] =
        ["username", "password"].map(|name| made[name].as_str().unwrap().to_owned());
    LogicBoxes::new(server.http(), &user_id, &key)
}

async fn add(client: &LogicBoxes) -> String {
    let parameters = [&PERSON[..], &[("type", "Contact")]].concat();
    client.done("contacts/add", &parameters).await.to_string()
}

fn erase<'a>(contact: &'a str, reason: &'a str) -> [&'a str; 9] {
    [
        "contact",
        "erase",
        "--contact",
        contact,
        "--operator",
        "olga",
        "--reason",
        reason,
        "--json",
    ]
}

fn erase_customer<'a>(customer: &'a str, reason: &'a str) -> [&'a str; 9] {
    let mut arguments = erase(customer, reason);
    arguments[0] = "customer";
    arguments[2] = "--customer";
    arguments
}

fn show(home: &Installation, contact: &str) -> Value {
    home.json(&["contact", "show", "--contact", contact, "--json"])
}

fn traces_in(octets: &[u8]) -> Vec<&'static str> {
    let is_in = |trace: &&str| {
        octets
            .windows(trace.len())
            .any(|window| window == trace.as_bytes())
    };
    TRACES.into_iter().filter(is_in).collect()
}

async fn an_erased_person_leaves_no_trace(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let client = client(&home, &server).await;
    let panel = server.panel(&home.data()).await;
    let contact = add(&client).await;
    let of_contact = [("contact-id", &contact[..])];
    let order = order_for(
        "ssl123",
        "dns",
        &["shop.test"],
        &format!("SSL{contact}T"),
        &format!("SSL{contact}T"),
    );
    let placed = panel.place(&order).await;
    panel.cancel(&placed.id).await.data();
    let changed: Vec<(&str, &str)> = PERSON
        .into_iter()
        .chain(of_contact)
        .map(|(name, value)| match name {
            "name" => (name, "Zaphod Unforgettable Former"),
            _ => (name, value),
        })
        .collect();
    client.done("contacts/modify", &changed).await;
    assert!(!traces_in(&home.tables()).is_empty());
    let shown = show(&home, &contact);
    assert_eq!(shown["details"]["name"], "Zaphod Unforgettable Former");
    assert_eq!(shown["state"], "active");

    let erased = home.json(&erase(&contact, "asked for it"));
    assert_eq!(erased["state"], "erased");
    assert_eq!(
        (&erased["details"], &erased["attributes"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(traces_in(&home.tables()), [""; 0]);
    let again = home.chore(&erase(&contact, "asked again"));
    assert!(
        !again.succeeded && again.complained.contains("is erased already"),
        "{again:?}"
    );
    let history: Vec<Value> = show(&home, &contact)["history"].as_array().unwrap().clone();
    let told: Vec<(&str, &str, Option<&str>)> = history
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str();
            (
                text("actor").unwrap(),
                text("kind").unwrap(),
                text("detail"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("reseller", "created", None),
            ("reseller", "details_changed", Some("name")),
            ("operator", "deleted", None),
            ("operator", "erased", Some("olga: asked for it")),
        ]
    );
    let listed = home.chore(&[
        "contact",
        "list",
        "--reseller",
        "2001",
        "--customer",
        "2001",
    ]);
    assert!(
        listed
            .printed
            .contains(&format!("{contact}  customer 2001  Contact  erased")),
        "{listed:?}"
    );

    assert_eq!(
        client.refused("contacts/details", &of_contact).await,
        "Invalid contact-id"
    );
    let page = [
        ("customer-id", "2001"),
        ("no-of-records", "10"),
        ("page-no", "1"),
        ("status", "Deleted"),
    ];
    assert_eq!(client.done("contacts/search", &page).await["recsindb"], "0");
    let path = format!("/ssl/v2/contact/info?contactId=SSL{contact}T");
    assert_eq!(panel.http.get(&path).await.status, 400);
    let all = panel.http.post("/ssl/v2/orders/search", &json!({})).await;
    assert_eq!(all.status, 200, "{}", all.text());
    let info = panel
        .http
        .get(&format!("/ssl/v2/orders/info?orderId={}", placed.id))
        .await;
    assert_eq!(info.status, 200, "{}", info.text());

    server.stop().await;
    look_for_traces_on_disk(&home, engine);
    home.remove().await;
}

/// Looks into what is on disk once the step that the guide names is done, and into the log.
fn look_for_traces_on_disk(home: &Installation, engine: Engine) {
    if engine == Engine::Sqlite {
        let file = home.data().join("chancery.db");
        let script = "import sqlite3, sys\nsqlite3.connect(sys.argv[1]).execute('vacuum')";
        chancery_testkit::python(script, std::slice::from_ref(&file)).unwrap();
        assert_eq!(traces_in(&fs::read(file).unwrap()), [""; 0]);
    }
    assert_eq!(traces_in(home.log_text().as_bytes()), [""; 0]);
    assert_eq!(home.logged_errors(), [""; 0]);
}

async fn an_erased_customer_leaves_no_trace(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let client = client(&home, &server).await;
    let panel = server.panel(&home.data()).await;
    let customer = client.done("customers/signup", &CUSTOMER).await.to_string();
    let of_customer = [("customer-id", &customer[..])];
    let defaults = [of_customer[0], ("type", "Contact")];
    let defaults = client.done("contacts/default", &defaults).await;
    let contact = defaults["Contact"]["registrant"]
        .as_str()
        .unwrap()
        .to_owned();
    let number = format!("SSL{contact}T");
    let order = order_for("ssl123", "dns", &["shop.test"], &number, &number);
    let placed = panel.place(&order).await;
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    for _ in 0..14 {
        server.world().advance(30 * DAY).await;
    }
    assert!(!server.world().mails().await.is_empty());
    let written = String::from_utf8(home.tables()).unwrap();
    let told =
        format!(": the administrator, contact {contact}; the technical contact, contact {contact}");
    assert!(written.contains(&told), "{written}");
    // What proves it, and what is on its way to it.
    let token = [of_customer[0], ("ip", "192.0.2.142")];
    client.done("customers/generate-login-token", &token).await;
    let username = [CUSTOMER[0]];
    client.done("customers/forgot-password", &username).await;
    assert!(!traces_in(&home.tables()).is_empty());

    let refused = |why: &str| {
        let outcome = home.chore(&erase_customer(&customer, "asked for it"));
        let is_told = outcome.complained.contains(why);
        assert!(!outcome.succeeded && is_told, "{outcome:?}");
    };
    refused(&format!(
        "customer {customer} cannot be erased: contact {contact}: records of a certificate it stands behind"
    ));
    let itself = home.chore(&erase_customer("2001", "asked for it"));
    let why = "this customer is the reseller itself";
    assert!(
        !itself.succeeded && itself.complained.contains(why),
        "{itself:?}"
    );
    let alone = home.chore(&erase(&contact, "asked for it"));
    let why = "name another one, or erase the customer";
    assert!(
        !alone.succeeded && alone.complained.contains(why),
        "{alone:?}"
    );
    server.world().advance_clock(2 * 366 * DAY).await;
    let shown = home.chore(&["customer", "show", "--customer", &customer]);
    assert!(
        shown.printed.contains("VAT number: GB424242424"),
        "{shown:?}"
    );
    let found = home.chore(&[
        "contact",
        "list",
        "--reseller",
        "2001",
        "--email",
        "remember-me@",
    ]);
    assert!(found.printed.starts_with(&contact), "{found:?}");

    let erased = home.json(&erase_customer(&customer, "asked for it"));
    assert_eq!(
        (&erased["state"], &erased["profile"]),
        (&json!("erased"), &Value::Null)
    );
    assert_eq!(traces_in(&home.tables()), [""; 0]);
    refused("is erased already");
    assert_eq!(show(&home, &contact)["state"], "erased");
    let show = ["customer", "show", "--customer", &customer, "--json"];
    let history = home.json(&show)["history"].as_array().unwrap().clone();
    let last = history.last().unwrap();
    assert_eq!(
        (&last["kind"], &last["detail"]),
        (&json!("erased"), &json!("olga: asked for it"))
    );
    let listed = home.chore(&["customer", "list", "--reseller", "2001"]);
    let line = format!("{customer}  reseller 2001  erased\n");
    assert!(listed.printed.contains(&line), "{listed:?}");
    let gone = client
        .refused("customers/details-by-id", &of_customer)
        .await;
    assert!(gone.starts_with("Invalid customer-id"), "{gone}");
    let page = [
        ("no-of-records", "10"),
        ("page-no", "1"),
        ("status", "Deleted"),
    ];
    assert_eq!(
        client.done("customers/search", &page).await["recsindb"],
        "0"
    );
    // Somebody else may have the name now.
    let other = client.done("customers/signup", &CUSTOMER).await.to_string();
    home.json(&erase_customer(&other, "asked for it"));

    server.stop().await;
    look_for_traces_on_disk(&home, engine);
    home.remove().await;
}

async fn who_is_needed_is_not_erased(engine: Engine) {
    let home = Installation::new(engine).await;
    let server = home.serve().await;
    let client = client(&home, &server).await;
    let panel = server.panel(&home.data()).await;
    let contact = add(&client).await;
    let refused = |why: &str| {
        let outcome = home.chore(&erase(&contact, "asked for it"));
        let expected = format!("contact {contact} cannot be erased: {why}");
        assert!(
            !outcome.succeeded && outcome.complained.contains(&expected),
            "{outcome:?}"
        );
    };
    let roles = ["reg", "admin", "tech", "billing"].map(|role| format!("{role}-contact-id"));
    let set = async |id: &str| {
        let mut parameters = vec![("customer-id", "2001"), ("type", "Contact")];
        parameters.extend(roles.iter().map(|role| (&role[..], id)));
        client.done("contacts/modDefault", &parameters).await;
    };
    set(&contact).await;
    refused("it is a default contact of its customer's");
    set("-1").await;

    let number = format!("SSL{contact}T");
    let order = order_for("ssl123", "dns", &["shop.test"], &number, &number);
    let placed = panel.place(&order).await;
    refused("an order that is open or in its term names it");
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    refused("an order that is open or in its term names it");
    let over_a_year = 400 * 24 * 60 * 60;
    server.world().advance_clock(over_a_year).await;
    refused("records of a certificate it stands behind are kept until");
    server.world().advance_clock(2 * over_a_year).await;
    assert_eq!(
        home.json(&erase(&contact, "asked for it"))["state"],
        "erased"
    );
    server.stop().await;
    home.remove().await;
}
