//! A request and its answer for every endpoint of the dialect: `docs/api/webnic-examples.md` is what a server said
//! to them, and each run asks again. `UPDATE_EXAMPLES=1` writes the page anew.
//!
//! What is new each time is made up on the page: tokens, what is to be published to prove a name, the time of day.
//! The server begins at a day that the page keeps, so that its dates stay true to each other.

use std::collections::BTreeMap;
use std::fs;

use chancery_testkit::{
    Engine, Http, Logs, Panel, Reply, TestServer, Wire, csr, repository_root, run,
};
use chancery_webnic::routes;
use serde_json::Value;

#[test]
fn the_page_of_examples_is_what_a_server_says_on_sqlite() {
    run(async |logs| the_page_is_what_is_said(Engine::Sqlite, logs).await);
}

#[test]
fn the_page_of_examples_is_what_a_server_says_on_postgres() {
    run(async |logs| the_page_is_what_is_said(Engine::Postgres, logs).await);
}

const HEAD: &str = "# The WebNIC dialect by example

One request for every endpoint, and its answer. This page is compared with what a server says whenever the tests run, and
written by them: `UPDATE_EXAMPLES=1 cargo test -p chancery-tests examples`. What the fields mean is in
[webnic.md](webnic.md).

Tokens, the values to be published and the times of day are made up; PEM is shortened, and so are lists of products.
";

async fn the_page_is_what_is_said(engine: Engine, logs: Logs) {
    let begin = "2027-05-03T09:30:00Z".parse().unwrap();
    let mut server = TestServer::start_at(engine, logs, begin).await;
    let page = page(&mut server).await;
    server.finish().await;
    let file = repository_root().join("docs/api/webnic-examples.md");
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let differs = kept
        .lines()
        .zip(page.lines())
        .find(|(kept, said)| kept != said);
    assert_eq!(differs, None, "UPDATE_EXAMPLES=1 writes the page anew");
    assert_eq!(
        kept.len(),
        page.len(),
        "UPDATE_EXAMPLES=1 writes the page anew"
    );
}

#[test]
fn the_table_links_to_the_examples_and_says_what_is_served() {
    let served: Vec<String> = routes()
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let page = fs::read_to_string(repository_root().join("docs/api/webnic-examples.md")).unwrap();
    let rows = rows();
    assert_eq!(rows.len(), 41);
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row.number, at + 1);
        let is_served = served.contains(&row.route);
        assert_eq!(row.served.starts_with("since "), is_served, "{}", row.route);
        let heading = format!("\n## {}\n", row.title);
        assert_eq!(page.contains(&heading), is_served, "{}", row.title);
        let kept = |letter: &char| letter.is_ascii_alphanumeric() || " -".contains(*letter);
        let anchor: String = row.title.to_lowercase().chars().filter(kept).collect();
        let link = format!("webnic-examples.md#{}", anchor.replace(' ', "-"));
        assert_eq!(
            row.link.as_deref(),
            is_served.then_some(&link[..]),
            "{}",
            row.title
        );
    }
}

/// A row of the table of endpoints in `docs/api/webnic.md`.
struct Row {
    number: usize,
    title: String,
    /// Where its example is.
    link: Option<String>,
    /// Method and path.
    route: String,
    served: String,
}

fn rows() -> Vec<Row> {
    let documentation = fs::read_to_string(repository_root().join("docs/api/webnic.md")).unwrap();
    let lines = documentation.lines().filter(|line| line.starts_with("| "));
    lines
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let number = cells[1].parse().ok()?;
            let linked = cells[2].strip_prefix('[').and_then(|cell| {
                let (title, link) = cell.strip_suffix(')')?.split_once("](")?;
                Some((title.to_owned(), link.to_owned()))
            });
            let (title, link) = linked.unzip();
            let route = cells[3].trim_matches('`').split('?').next()?.to_owned();
            Some(Row {
                number,
                title: title.unwrap_or_else(|| cells[2].to_owned()),
                link,
                route,
                served: cells[4].to_owned(),
            })
        })
        .collect()
}

/// The page while it is written.
struct Book {
    rows: Vec<Row>,
    http: Http,
    examples: BTreeMap<usize, String>,
    /// What is new each time, and what stands for it.
    made_up: Vec<(String, String)>,
}

impl Book {
    fn new(server: &TestServer, panel: &Panel) -> Self {
        let [dns, web, mail] = server.world_addresses();
        let made_up = [(dns, 8053), (web, 8081), (mail, 8025)];
        let made_up =
            made_up.map(|(address, port)| (address.to_string(), format!("127.0.0.1:{port}")));
        Self {
            rows: rows(),
            http: panel.http.clone(),
            examples: BTreeMap::new(),
            made_up: made_up.to_vec(),
        }
    }

    /// Asks for the endpoint of a row, and keeps what was said.
    async fn ask(&mut self, number: usize, path: &str, body: &str) -> Reply {
        let http = self.http.with_header("content-type", "application/json");
        let head = "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9…\n";
        let (kind, shown) = match body {
            "" => (String::new(), String::new()),
            body => (
                "Content-Type: application/json\n".to_owned(),
                format!("\n{}\n", for_people(Wire::parse(body)).pretty()),
            ),
        };
        self.ask_by(&http, number, path, &format!("{head}{kind}"), body, &shown)
            .await
    }

    /// The same with a client, a head to be shown and a body to be shown.
    async fn ask_by(
        &mut self,
        http: &Http,
        number: usize,
        path: &str,
        head: &str,
        body: &str,
        shown: &str,
    ) -> Reply {
        let row = &self.rows[number - 1];
        let (method, route) = row.route.split_once(' ').unwrap();
        let asked = path.split('?').next().unwrap();
        let is_it = |(part, asked): (&str, &str)| part.starts_with('{') || part == asked;
        let is_route = route.split('/').zip(asked.split('/')).all(is_it)
            && route.split('/').count() == asked.split('/').count();
        assert!(is_route, "{path} is not {route}");
        let reply = http.send(method, path, body.to_owned()).await;
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text());
        let example = format!(
            "\n## {}\n\n```http\n{method} {path} HTTP/1.1\n{head}{shown}```\n\n```http\n{}```\n",
            row.title,
            answer(&reply)
        );
        self.examples.insert(number, example);
        if reply.header("content-type").starts_with("application/json") {
            self.hide_values(&reply.json());
        }
        reply
    }

    /// What has to be published is new each time.
    fn hide_values(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.hide_values(item)),
            Value::Object(members) => {
                if let (Some(method), Some(value)) = (members.get("authType"), members.get("value"))
                    && method != "email"
                {
                    self.hide(value.as_str().unwrap());
                }
                if let Some(Value::String(serial)) = members.get("serial") {
                    self.hide(serial);
                }
                // The resolver of the test environment has a port of the moment.
                if let Some(Value::String(server)) = members.get("of")
                    && server.starts_with("127.0.0.1:")
                {
                    let shown = "192.0.2.53:53".to_owned();
                    self.made_up.push((server.clone(), shown));
                }
                members.values().for_each(|member| self.hide_values(member));
            }
            _ => {}
        }
    }

    fn hide(&mut self, value: &str) {
        if self.made_up.iter().all(|(known, _)| known != value) {
            let number = self.made_up.len() as u128;
            let shown = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let shown = format!("{shown:032x}")
                .chars()
                .cycle()
                .take(value.len())
                .collect();
            self.made_up.push((value.to_owned(), shown));
        }
    }

    fn page(self) -> String {
        let mut page = HEAD.to_owned() + &self.examples.into_values().collect::<String>();
        for (value, shown) in &self.made_up {
            page = page.replace(value, shown);
        }
        at_half_past_nine(&page)
    }
}

/// An answer as it stands on the wire, its body for people.
fn answer(reply: &Reply) -> String {
    let mut text = "HTTP/1.1 200 OK\n".to_owned();
    for (name, shown) in [
        ("content-type", "Content-Type"),
        ("content-disposition", "Content-Disposition"),
    ] {
        let value = reply.header(name);
        if !value.is_empty() {
            text.push_str(&format!("{shown}: {value}\n"));
        }
    }
    let body = match reply.header("content-type").starts_with("application/json") {
        true => for_people(reply.wire()).pretty() + "\n",
        false => short_pem(&reply.text()),
    };
    format!("{text}\n{body}")
}

/// Without what only fills the page: the inside of PEM, and all but two products.
fn for_people(wire: Wire) -> Wire {
    match wire {
        Wire::Bare(word) => Wire::Bare(word),
        Wire::Text(text) => Wire::Text(match text.starts_with("eyJ") {
            true => "eyJhbGciOiJIUzI1NiJ9…".to_owned(),
            false => short_pem(&text),
        }),
        Wire::List(items) => {
            let is_product =
                |item: &Wire| matches!(item, Wire::Object(members) if members[0].0 == "productKey");
            let is_long = items.len() > 2 && items.iter().all(is_product);
            let shown = if is_long { 2 } else { items.len() };
            let mut shown: Vec<Wire> = items.into_iter().take(shown).map(for_people).collect();
            if is_long {
                shown.push(Wire::Bare("…".to_owned()));
            }
            Wire::List(shown)
        }
        Wire::Object(members) => {
            let members = members.into_iter();
            Wire::Object(
                members
                    .map(|(key, value)| (key, for_people(value)))
                    .collect(),
            )
        }
    }
}

/// PEM with its lines of base64 left out.
fn short_pem(text: &str) -> String {
    let mut short = String::new();
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        if line.starts_with("-----END") {
            inside = false;
            short.push_str("…\n");
        }
        if !inside {
            short.push_str(line);
        }
        if line.starts_with("-----BEGIN") {
            inside = true;
        }
    }
    short
}

/// Every moment at half past nine (UTC) of its day: how long the test took is of no interest.
fn at_half_past_nine(page: &str) -> String {
    const FORM: &str = "0000-00-00T00:00:00";
    let mut fixed = String::new();
    let mut rest = page;
    while let Some(at) = rest.find('T') {
        let start = at.checked_sub("0000-00-00".len());
        let moment = start.and_then(|start| rest.get(start..start + FORM.len()));
        let is_moment = moment.is_some_and(|moment| {
            let mut pairs = moment.chars().zip(FORM.chars());
            pairs.all(|(letter, form)| letter == form || (form == '0' && letter.is_ascii_digit()))
        });
        if !is_moment {
            let (done, after) = rest.split_at(at + 1);
            fixed.push_str(done);
            rest = after;
            continue;
        }
        fixed.push_str(&rest[..=at]);
        rest = &rest[at + "T00:00:00".len()..];
        let digits = rest.strip_prefix('.').map_or(0, |fraction| {
            fraction.len()
                - fraction
                    .trim_start_matches(|digit: char| digit.is_ascii_digit())
                    .len()
        });
        let fraction = if digits > 0 { ".123456" } else { "" };
        rest = &rest[digits + usize::from(digits > 0)..];
        let hour = if rest.starts_with("+08:00") {
            "17"
        } else {
            "09"
        };
        fixed.push_str(&format!("{hour}:30:00{fraction}"));
    }
    fixed + rest
}

fn escaped(pem: &str) -> String {
    pem.replace('\n', "\\n")
}

async fn page(server: &mut TestServer) -> String {
    let panel = server.panel().await;
    let mut book = Book::new(server, &panel);
    account(&mut book, server, &panel).await;
    let [administrator, technical] = people(&mut book).await;
    organizations(&mut book, server, &technical).await;
    products(&mut book).await;
    server.renew_at_once().await;
    let order = validations(&mut book, &panel, &administrator, &technical).await;
    let kiosk = issued(&mut book, &panel, &administrator).await;
    book.ask(11, &format!("/ssl/v2/orders/{order}/cancel"), "")
        .await;
    domains(&mut book).await;
    found_again(&mut book).await;
    let reason = r#"{"reason":"cessationOfOperation"}"#;
    book.ask(34, &format!("/ssl/v2/orders/{kiosk}/revoke"), reason)
        .await;
    let [unused, _] = panel.contacts().await;
    book.ask(33, &format!("/ssl/v2/contact?contactId={unused}"), "")
        .await;
    book.page()
}

async fn account(book: &mut Book, server: &TestServer, panel: &Panel) {
    let [username, password] = panel.credential();
    let credential = format!(r#"{{"username":"{username}","password":"{password}"}}"#);
    book.made_up
        .push((username.to_owned(), "api-3f9c2a7d51e8b604".to_owned()));
    book.made_up
        .push((password.to_owned(), "YourApiSecret".to_owned()));
    let http = server
        .http()
        .with_header("content-type", "application/json");
    let shown = format!("\n{}\n", Wire::parse(&credential).pretty());
    let head = "Content-Type: application/json\n";
    book.ask_by(
        &http,
        1,
        "/reseller/v2/api-user/token",
        head,
        &credential,
        &shown,
    )
    .await;
    book.ask(2, "/reseller/v2/balance", "").await;
    let names = r#"{"commonName":"shop.example","organization":"Shop Ltd","countryCode":"MY","keySize":256}"#;
    let made = book.ask(3, "/ssl/v2/generate-csr", names).await.data();
    let csr = escaped(made["csr"].as_str().unwrap());
    book.ask(4, "/ssl/v2/decode-csr", &format!(r#"{{"csr":"{csr}"}}"#))
        .await;
}

/// Creates an administrator and a technical contact.
async fn people(book: &mut Book) -> [String; 2] {
    let person = |name: &str, email: &str| {
        format!(
            r#"{{"company":"Shop Ltd","firstName":"{name}","lastName":"Example","address1":"1 Market Street",
            "city":"Kuala Lumpur","state":"Selangor","countryCode":"MY","zip":"50000",
            "phoneNumber":"+60.123456789","email":"{email}@shop.example"}}"#
        )
    };
    let both = format!(
        r#"{{"administrator":{},"technical":{}}}"#,
        person("Ann", "ann"),
        person("Bob", "bob")
    );
    let made = book.ask(32, "/ssl/v2/contact/create", &both).await.data();
    let ids = [0, 1].map(|at| made[at]["contactId"].as_str().unwrap().to_owned());
    book.ask(
        31,
        &format!("/ssl/v2/contact/info?contactId={}", ids[0]),
        "",
    )
    .await;
    ids
}

async fn organizations(book: &mut Book, server: &TestServer, technical: &str) {
    let organization = |job: &str, more: &str| {
        format!(
            r#"{{"organization":{{"company":"Shop Ltd","firstName":"Ann","lastName":"Example",
            "address1":"1 Market Street","address2":"","city":"Kuala Lumpur","state":"Selangor","countryCode":"MY",
            "zip":"50000","phoneNumber":"+60.123456789","email":"ann@shop.example","jobTitle":"{job}"}}{more}}}"#
        )
    };
    let made = book
        .ask(25, "/ssl/v2/organization/create", &organization("CEO", ""))
        .await;
    let path = format!("/ssl/v2/organization/{}", made.data()["organizationId"]);
    let search = r#"{"filters":[{"field":"company","operator":"LIKE","value":"shop"}],
        "pagination":{"page":1,"pageSize":100}}"#;
    book.ask(26, "/ssl/v2/organization/search", search).await;
    let named = format!(r#","technicalContactId":"{technical}""#);
    let update = organization("Owner", &named);
    book.ask(28, &format!("{path}/contact/update"), &update)
        .await;
    book.ask(27, &format!("{path}/info"), "").await;
    book.ask(29, &format!("{path}/validation/submit"), r#"{"type":"OV"}"#)
        .await;
    server.world().advance(10).await;
    book.ask(30, &format!("{path}/validation/status"), "").await;
}

async fn products(book: &mut Book) {
    book.ask(20, "/ssl/v2/products/list", "").await;
    book.ask(21, "/ssl/v2/products/list/price", "").await;
    book.ask(22, "/ssl/v2/products/rules?productKey=ssl123", "")
        .await;
    book.ask(23, "/ssl/v2/products/info?productKey=ssl123", "")
        .await;
    let price = "/ssl/v2/products/pricing?productKey=ssl123&term=1&commonSAN=2&wildcardSAN=1";
    book.ask(24, price, "").await;
}

/// A domain that is asked for ahead of any order, and proofs.
async fn domains(book: &mut Book) {
    let asked = r#"{"domain":"shop.example","authType":"dns"}"#;
    let made = book.ask(36, "/ssl/v2/domains/validate", asked).await.data();
    let id = made["domainId"].as_str().unwrap().to_owned();
    book.made_up
        .push((format!("\"{id}\""), "\"4711\"".to_owned()));
    book.ask(37, "/ssl/v2/domains/list", "").await;
    let path = format!("/ssl/v2/domains/{id}");
    book.made_up
        .push((path.clone(), "/ssl/v2/domains/4711".to_owned()));
    book.ask(38, &format!("{path}/info"), "").await;
    book.ask(39, &path, "").await;
    let proofs = book.ask(40, "/ssl/v2/proofs/list", "").await.data();
    let id = proofs[0]["proofId"].as_str().unwrap();
    for (at, proof) in proofs.as_array().unwrap().iter().enumerate() {
        let shown = format!("\"{}\"", 4_720 - at);
        let id = proof["proofId"].as_str().unwrap();
        book.made_up.push((format!("\"{id}\""), shown));
    }
    let path = format!("/ssl/v2/proofs/{id}");
    book.made_up
        .push((path.clone(), "/ssl/v2/proofs/4720".to_owned()));
    book.ask(41, &path, "").await;
}

/// An order whose names are not proved. Gives its number.
async fn validations(
    book: &mut Book,
    panel: &Panel,
    administrator: &str,
    technical: &str,
) -> String {
    let csr = escaped(&csr(&["shop.example"]));
    let order = format!(
        r#"{{"productKey":"ssl123","term":1,"csr":"{csr}","sanfield":["www.shop.example"],"authType":"dns",
        "administratorContactId":"{administrator}","technicalContactId":"{technical}"}}"#
    );
    let placed = book.ask(10, "/ssl/v2/orders/new", &order).await.data();
    let id = placed["orderId"].as_str().unwrap();
    let path = format!("/ssl/v2/orders/{id}");
    panel.look(id).await;
    book.ask(14, &format!("{path}/dcv-status"), "").await;
    book.ask(16, &format!("{path}/auth/info"), "").await;
    book.ask(
        17,
        "/ssl/v2/domainValidations/approver-list?commonName=shop.example",
        "",
    )
    .await;
    let by_mail =
        r#"{"authType":"email","approverEmail":["admin@shop.example","admin@shop.example"]}"#;
    book.ask(15, &format!("{path}/auth"), by_mail).await;
    let other =
        r#"{"approverEmail":[{"domain":"shop.example","email":"hostmaster@shop.example"}]}"#;
    book.ask(18, &format!("{path}/approver-email"), other).await;
    // One message is not sent again and again.
    panel.world.run_due_jobs().await;
    panel.world.advance(600).await;
    book.ask(19, &format!("{path}/approver-email/send"), "")
        .await;
    id.to_owned()
}

/// An order with its certificate, and what is done to it.
async fn issued(book: &mut Book, panel: &Panel, administrator: &str) -> String {
    let mut order = panel
        .order("ssl123", "dns", &["kiosk.example", "www.kiosk.example"])
        .await;
    order["administratorContactId"] = administrator.into();
    order["technicalContactId"] = administrator.into();
    order["reuseKey"] = true.into();
    let placed = panel.place(&order).await;
    book.hide_values(&placed.data);
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    let path = format!("/ssl/v2/orders/{}", placed.id);
    book.ask(5, &format!("/ssl/v2/orders/info?orderId={}", placed.id), "")
        .await;
    let form =
        "--cut\r\nContent-Disposition: form-data; name=\"bundle\"\r\n\r\ntrue\r\n--cut--\r\n";
    let kind = "multipart/form-data; boundary=cut";
    let head = format!("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9…\nContent-Type: {kind}\n");
    let http = book.http.with_header("content-type", kind);
    let shown = format!("\n{}", form.replace('\r', ""));
    let download = format!("{path}/download/format/PEM");
    book.ask_by(&http, 9, &download, &head, form, &shown).await;
    let new_key = |names: &str| {
        let csr = escaped(&csr(&["kiosk.example"]));
        format!(r#"{{"csr":"{csr}"{names}}}"#)
    };
    let further = r#","sanfield":["www.kiosk.example","mail.kiosk.example"]"#;
    book.ask(13, &format!("{path}/reissue"), &new_key(further))
        .await;
    panel.world.run_due_jobs().await;
    book.ask(35, &format!("{path}/reuse-key"), r#"{"reuseKey":false}"#)
        .await;
    book.ask(12, &format!("{path}/renew"), &new_key(r#","term":1"#))
        .await;
    panel.world.run_due_jobs().await;
    placed.id
}

/// All of them, found and counted.
async fn found_again(book: &mut Book) {
    book.ask(6, "/ssl/v2/orders/statistics", "").await;
    let months = "/ssl/v2/orders/statistics/graph?from=2027-04&to=2027-05";
    book.ask(7, months, "").await;
    let search = r#"{"filters":[{"field":"commonName","operator":"LIKE","value":"kiosk"},
        {"field":"orderStatus","operator":"EQUAL","value":"COMPLETED"}],"pagination":{"page":1,"pageSize":100}}"#;
    book.ask(8, "/ssl/v2/orders/search", search).await;
}
