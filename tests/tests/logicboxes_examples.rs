//! A request and its answer for every method of the dialect: `docs/api/logicboxes-examples.md` is what a server said
//! to them, and each run asks again. `UPDATE_EXAMPLES=1` writes the page anew.
//!
//! What is new each time is made up on the page: keys, passwords, tokens and the second of the day. The server begins
//! at a day that the page keeps.

use std::fs;

use chancery_logicboxes::routes;
use chancery_testkit::{
    Engine, LogicBoxes, Logs, TestServer, Wire, encoded, repository_root, run, with,
};

use crate::logicboxes_customers::ANN;

#[test]
fn the_page_of_examples_is_what_a_server_says_on_sqlite() {
    run(async |logs| the_page_is_what_is_said(Engine::Sqlite, logs).await);
}

#[test]
fn the_page_of_examples_is_what_a_server_says_on_postgres() {
    run(async |logs| the_page_is_what_is_said(Engine::Postgres, logs).await);
}

const PAGE: &str = "docs/api/logicboxes-examples.md";

const HEAD: &str = "# The LogicBoxes dialect by example

One request for every method, and its answer. This page is compared with what a server says whenever the tests run, and
written by them: `UPDATE_EXAMPLES=1 cargo test -p chancery-tests logicboxes_examples`. What methods take and answer is in
[logicboxes.md](logicboxes.md).

Keys, passwords, tokens and the second of the day are made up; answers stand on one line where they are sent, with `=`,
`<`, `>`, `&` and `'` escaped, and long texts are shortened.
";

async fn the_page_is_what_is_said(engine: Engine, logs: Logs) {
    let server = TestServer::start_at(engine, logs, "2027-05-03T09:30:00Z".parse().unwrap()).await;
    let page = page(&server).await;
    server.finish().await;
    let file = repository_root().join(PAGE);
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let lines = kept.lines().zip(page.lines());
    let differs = lines.into_iter().find(|(kept, said)| kept != said);
    assert_eq!(differs, None, "UPDATE_EXAMPLES=1 writes the page anew");
    assert_eq!(
        kept.len(),
        page.len(),
        "UPDATE_EXAMPLES=1 writes the page anew"
    );
}

#[test]
fn every_method_has_an_example() {
    let page = fs::read_to_string(repository_root().join(PAGE)).unwrap();
    for route in routes() {
        let heading = format!("\n## {}\n", route.path);
        assert!(page.contains(&heading), "{} has no example", route.path);
    }
}

/// A contact as an example has it.
const CONTACT: &[(&str, &str)] = &[
    ("name", "Ann Example"),
    ("company", "Shop Ltd"),
    ("email", "ann@shop.example"),
    ("address-line-1", "1 Market Street"),
    ("city", "Kuala Lumpur"),
    ("country", "MY"),
    ("zipcode", "50000"),
    ("phone-cc", "60"),
    ("phone", "123456789"),
];

async fn page(server: &TestServer) -> String {
    let mut book = Book {
        client: server.logicboxes().await,
        examples: Vec::new(),
    };
    customers(&mut book).await;
    contacts(&mut book).await;
    access(&mut book).await;
    let place = |method: &str| routes().iter().position(|route| route.path == method);
    book.examples.sort_by_key(|(method, _)| place(method));
    let examples = book.examples.into_iter().map(|(_, example)| example);
    HEAD.to_owned() + &examples.collect::<String>()
}

async fn customers(book: &mut Book) {
    let id = book.ask("customers/signup", ANN).await;
    let bob = with(ANN, &[("username", "bob@shop.example")]);
    book.ask("customers/v2/signup", &bob).await;
    let username = [("username", "ann@shop.example")];
    book.ask("customers/details", &username).await;
    let of_customer = [("customer-id", &id[..])];
    book.ask("customers/details-by-id", &of_customer).await;
    let page = [("no-of-records", "10"), ("page-no", "1"), ("name", "ann")];
    book.ask("customers/search", &page).await;
    let moved = with(ANN, &[("customer-id", &id), ("city", "Leeds")]);
    let moved: Vec<_> = moved
        .into_iter()
        .filter(|(name, _)| *name != "passwd")
        .collect();
    book.ask("customers/modify", &moved).await;
}

async fn contacts(book: &mut Book) {
    let of_customer = [("customer-id", "10000001"), ("type", "Contact")];
    let contact = book
        .ask("contacts/add", &[CONTACT, &of_customer].concat())
        .await;
    let of_contact = [("contact-id", &contact[..])];
    book.ask("contacts/details", &of_contact).await;
    let page = [
        ("customer-id", "10000001"),
        ("no-of-records", "10"),
        ("page-no", "1"),
        ("name", "exam"),
    ];
    book.ask("contacts/search", &page).await;
    book.ask("contacts/default", &of_customer).await;
    let roles = ["reg", "admin", "tech", "billing"].map(|role| format!("{role}-contact-id"));
    let nobody = |role: &String| role.starts_with("tech") || role.starts_with("billing");
    let roles = roles.iter().map(|role| match nobody(role) {
        true => (&role[..], "-1"),
        false => (&role[..], &contact[..]),
    });
    let defaults: Vec<(&str, &str)> = of_customer.into_iter().chain(roles).collect();
    book.ask("contacts/modDefault", &defaults).await;
    let moved = [CONTACT, &of_contact].concat();
    let moved = with(&moved, &[("address-line-1", "2 Market Street")]);
    book.ask("contacts/modify", &moved).await;
    let attributes = [
        ("product-key", "domus"),
        ("attr-name1", "purpose"),
        ("attr-value1", "P1"),
        ("attr-name2", "category"),
        ("attr-value2", "C11"),
    ];
    let attributes = [&of_contact[..], &attributes].concat();
    book.ask("contacts/set-details", &attributes).await;
    let criteria = [
        ("eligibility-criteria", "APP_PREF_NEXUS"),
        ("eligibility-criteria", "CPR"),
    ];
    let criteria = [&of_contact[..], &criteria].concat();
    book.ask("contacts/validate-registrant", &criteria).await;
    let sponsor = [CONTACT, &of_customer[..1]].concat();
    let sponsor = book.ask("contacts/coop/add-sponsor", &sponsor).await;
    book.ask("contacts/sponsors", &of_customer[..1]).await;
    book.ask("contacts/delete", &[("contact-id", &sponsor)])
        .await;
    book.ask("contacts/dotca/registrantagreement", &[]).await;
}

/// What ends with a password and with a customer comes last.
async fn access(book: &mut Book) {
    const IP: (&str, &str) = ("ip", "192.0.2.1");
    let of_customer = [("customer-id", "10000001")];
    book.ask("customers/generate-login-token", &[of_customer[0], IP])
        .await;
    let username = ("username", "ann@shop.example");
    let password = ("passwd", "a pass word");
    let token = book
        .ask("customers/generate-token", &[username, password, IP])
        .await;
    let token = token.trim_matches('"');
    for method in [
        "customers/authenticate-token",
        "customers/authenticate-token-without-history",
    ] {
        book.ask(method, &[("token", token)]).await;
    }
    book.ask("customers/temp-password", &of_customer).await;
    book.ask("customers/forgot-password", &[username]).await;
    for method in ["customers/change-password", "customers/v2/change-password"] {
        let asked = [of_customer[0], ("new-passwd", "another pass word")];
        book.ask(method, &asked).await;
    }
    book.ask("customers/delete", &of_customer).await;
    book.ask("resellers/details", &[]).await;
}

/// The page while it is written.
struct Book {
    client: LogicBoxes,
    /// Each method's example.
    examples: Vec<(&'static str, String)>,
}

impl Book {
    /// Calls a method, keeps what was said, and gives it as it was sent.
    async fn ask(&mut self, method: &'static str, parameters: &[(&str, &str)]) -> String {
        let reply = self.client.call(method, parameters).await;
        assert_eq!(reply.status, 200, "{method}: {}", reply.text());
        let table = routes();
        let route = table.iter().find(|route| route.path == method).unwrap();
        let credential = format!("auth-userid={}&api-key=…", self.client.user_id);
        let form = match parameters {
            [] => credential,
            _ => format!("{credential}&{}", encoded(&told(method, parameters))),
        };
        let request = match route.method.as_str() {
            "GET" => format!("GET /api/{method}.json?{form}"),
            _ => format!(
                "POST /api/{method}.json\nContent-Type: application/x-www-form-urlencoded\n\n{form}"
            ),
        };
        let answer = made_up(method, shortened(Wire::parse(&reply.text()))).pretty();
        let example =
            format!("\n## {method}\n\n```http\n{request}\n```\n\n```json\n{answer}\n```\n");
        self.examples.push((method, example));
        reply.text()
    }
}

const TOKEN: &str = "0b9d7c1e-52a4-4c3f-9f0e-6d1a2b3c4d5e";

/// Parameters with a made-up token.
fn told<'a>(method: &str, parameters: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    match method {
        "customers/authenticate-token" | "customers/authenticate-token-without-history" => {
            vec![("token", TOKEN)]
        }
        _ => parameters.to_vec(),
    }
}

/// An answer with everything made up that is new each time.
fn made_up(method: &str, answer: Wire) -> Wire {
    match (method, answer) {
        ("customers/generate-token" | "customers/generate-login-token", _) => {
            Wire::Text(TOKEN.to_owned())
        }
        ("customers/temp-password", _) => Wire::Text("x7qm2v9kd4hw8ztb".to_owned()),
        (_, answer) => at_begin(answer),
    }
}

/// The moment the server began.
const SECONDS: &str = "1809336600";

/// An answer with all its moments at the one the server began.
fn at_begin(answer: Wire) -> Wire {
    match answer {
        Wire::Object(members) => {
            let members = members.into_iter().map(|(key, value)| {
                let value = match key.rsplit('.').next() {
                    // Of an action that was taken, the number of its line in the history.
                    Some("eaqid") if value != Wire::Text("0".to_owned()) => {
                        Wire::Text("4711".to_owned())
                    }
                    Some("creationdt") => Wire::Text(SECONDS.to_owned()),
                    Some("timestamp") => Wire::Text("2027-05-03 09:30:00.000000+00".to_owned()),
                    _ => at_begin(value),
                };
                (key, value)
            });
            Wire::Object(members.collect())
        }
        Wire::List(items) => Wire::List(items.into_iter().map(at_begin).collect()),
        leaf => leaf,
    }
}

/// An answer without the rest of long texts.
fn shortened(answer: Wire) -> Wire {
    match answer {
        Wire::Object(members) => {
            let members = members.into_iter();
            Wire::Object(
                members
                    .map(|(key, value)| (key, shortened(value)))
                    .collect(),
            )
        }
        Wire::List(items) => Wire::List(items.into_iter().map(shortened).collect()),
        Wire::Text(text) if text.chars().count() > 100 => {
            Wire::Text(text.chars().take(60).chain(['…']).collect())
        }
        leaf => leaf,
    }
}
