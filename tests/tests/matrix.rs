//! Who may do what: every route of the dialect, asked by everyone there is.
//!
//! The routes come from the dialect's own table. A route without a row here fails, and so does a row without a
//! route. What is refused has no effect: the owner asks last, about the very things that the others asked about.

use std::collections::BTreeSet;

use chancery_domain::access::{Access, Networks, Scope};
use chancery_testkit::{Panel, Reply, TestServer, csr, on_both_engines, order_for};
use chancery_webnic::{Route, routes};
use serde_json::json;

on_both_engines!(everyone_asks_for_everything);

/// What a row is about, made anew for each who may use it up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum About {
    /// Nothing that belongs to anyone.
    Nothing,
    /// A contact that no order needs.
    Contact,
    /// An organization.
    Organization,
    /// An order to be proved by DNS.
    Order,
    /// An order to be approved by mail.
    MailedOrder,
    /// An order with its certificate.
    IssuedOrder,
    /// A domain to be proved ahead of any order.
    Domain,
    /// A proof on record.
    Proof,
}

/// How a route is asked for. Words in braces stand for the thing that the row is about.
struct Row {
    route: &'static str,
    about: About,
    query: &'static str,
    body: Body,
}

#[derive(Clone, Copy)]
enum Body {
    None,
    Json(&'static str),
    Form(&'static str),
}

const fn row(route: &'static str, about: About, query: &'static str, body: Body) -> Row {
    Row {
        route,
        about,
        query,
        body,
    }
}

const CONTACT: &str = r#"{"administrator": {
    "company": "Shop Ltd", "firstName": "Ann", "lastName": "Example", "address1": "1 Market Street",
    "city": "Kuala Lumpur", "state": "Selangor", "countryCode": "MY", "zip": "50000",
    "phoneNumber": "+60.123456789", "email": "ann@shop.example"}}"#;

const ORGANIZATION: &str = r#"{"organization": {
    "company": "Company of {commonName}", "firstName": "Ann", "lastName": "Example",
    "address1": "1 Market Street", "city": "Kuala Lumpur", "state": "Selangor", "countryCode": "MY",
    "zip": "50000", "phoneNumber": "+60.123456789", "email": "ann@shop.example", "jobTitle": "CEO"}}"#;

#[rustfmt::skip]
const ROWS: &[Row] = {
    use About::{Contact, Domain, IssuedOrder, MailedOrder, Nothing, Order, Organization, Proof};
    use Body::{Form, Json, None};
    &[
        row("POST /reseller/v2/api-user/token", Nothing, "",
            Json(r#"{"username": "{username}", "password": "{password}"}"#)),
        row("GET /reseller/v2/balance", Nothing, "", None),
        row("POST /ssl/v2/contact/create", Nothing, "", Json(CONTACT)),
        row("GET /ssl/v2/contact/info", Contact, "?contactId={contactId}", None),
        row("GET /ssl/v2/contact/{contactId}", Contact, "", None),
        row("DELETE /ssl/v2/contact", Contact, "?contactId={contactId}", None),
        row("DELETE /ssl/v2/contact/delete", Contact, "?contactId={contactId}", None),
        row("DELETE /ssl/v2/contact/{contactId}", Contact, "", None),
        row("POST /ssl/v2/generate-csr", Nothing, "", Json(r#"{"commonName": "shop.test", "keySize": 256}"#)),
        row("POST /ssl/v2/csr/generate", Nothing, "", Json(r#"{"commonName": "shop.test", "keySize": 256}"#)),
        row("POST /ssl/v2/decode-csr", Nothing, "", Json(r#"{"csr": "{csr}"}"#)),
        row("POST /ssl/v2/csr/decode", Nothing, "", Json(r#"{"csr": "{csr}"}"#)),
        row("GET /ssl/v2/products/list", Nothing, "", None),
        row("GET /ssl/v2/products/list/price", Nothing, "", None),
        row("GET /ssl/v2/products/info", Nothing, "?productKey=ssl123", None),
        row("GET /ssl/v2/products/rules", Nothing, "?productKey=ssl123", None),
        row("GET /ssl/v2/products/pricing", Nothing, "?productKey=ssl123&term=1", None),
        row("POST /ssl/v2/organization/create", Nothing, "", Json(ORGANIZATION)),
        row("POST /ssl/v2/organization/search", Organization, "",
            Json(r#"{"filters": [{"field": "organizationId", "operator": "EQUAL", "value": "{organizationId}"}]}"#)),
        row("GET /ssl/v2/organization/info", Organization, "?organizationId={organizationId}", None),
        row("GET /ssl/v2/organization/{organizationId}/info", Organization, "", None),
        row("PUT /ssl/v2/organization/{organizationId}/contact/update", Organization, "", Json(ORGANIZATION)),
        row("POST /ssl/v2/organization/{organizationId}/contact/update", Organization, "", Json(ORGANIZATION)),
        row("POST /ssl/v2/organization/{organizationId}/validation/submit", Organization, "", Json(r#"{"type": "OV"}"#)),
        row("POST /ssl/v2/organization/{organizationId}/validation", Organization, "", Json(r#"{"type": "EV"}"#)),
        row("GET /ssl/v2/organization/{organizationId}/validation/status", Organization, "", None),
        row("POST /ssl/v2/orders/new", Contact, "",
            Json(r#"{"productKey": "ssl123", "term": 1, "csr": "{csr}", "authType": "dns",
                "administratorContactId": "{contactId}", "technicalContactId": "{contactId}"}"#)),
        row("POST /ssl/v2/orders/{orderId}/renew", IssuedOrder, "", Json(r#"{"term": 1, "csr": "{csr}"}"#)),
        row("POST /ssl/v2/orders/{orderId}/reissue", IssuedOrder, "", Json(r#"{"csr": "{csr}"}"#)),
        row("PUT /ssl/v2/orders/{orderId}/reuse-key", Order, "", Json(r#"{"reuseKey": true}"#)),
        row("GET /ssl/v2/orders/info", Order, "?orderId={orderId}", None),
        row("POST /ssl/v2/orders/search", Nothing, "",
            Json(r#"{"filters": [{"field": "commonName", "operator": "LIKE", "value": "shop"}]}"#)),
        row("GET /ssl/v2/orders/statistics", Nothing, "", None),
        row("GET /ssl/v2/orders/statistics/graph", Nothing, "", None),
        row("POST /ssl/v2/orders/{orderId}/cancel", Order, "", Json("[]")),
        row("POST /ssl/v2/orders/{orderId}/revoke", IssuedOrder, "", Json(r#"{"reason": "superseded"}"#)),
        row("POST /ssl/v2/orders/{orderId}/download/format/{format}", IssuedOrder, "",
            Form("--cut\r\nContent-Disposition: form-data; name=\"bundle\"\r\n\r\ntrue\r\n--cut--\r\n")),
        row("GET /ssl/v2/orders/{orderId}/dcv-status", Order, "", None),
        row("GET /ssl/v2/orders/{orderId}/auth/info", Order, "", None),
        row("PUT /ssl/v2/orders/{orderId}/auth", Order, "", Json(r#"{"authType": "file"}"#)),
        row("POST /ssl/v2/orders/{orderId}/auth", Order, "", Json(r#"{"authType": "file"}"#)),
        row("PUT /ssl/v2/orders/{orderId}/approver-email", MailedOrder, "",
            Json(r#"{"approverEmail": "hostmaster@{commonName}"}"#)),
        row("POST /ssl/v2/orders/{orderId}/approver-email/send", MailedOrder, "", None),
        row("POST /ssl/v2/domains/validate", Nothing, "", Json(r#"{"domain": "{commonName}", "authType": "dns"}"#)),
        row("GET /ssl/v2/domains/list", Nothing, "", None),
        row("GET /ssl/v2/domains/{domainId}/info", Domain, "", None),
        row("DELETE /ssl/v2/domains/{domainId}", Domain, "", None),
        row("GET /ssl/v2/proofs/list", Nothing, "", None),
        row("DELETE /ssl/v2/proofs/{proofId}", Proof, "", None),
        row("GET /ssl/v2/domainValidations/approver-list", Nothing, "?commonName=shop.test", None),
        row("GET /ssl/v2/domain-validations/approver-list", Nothing, "?commonName=shop.test", None),
        row("GET /ssl/v2/orders/approver-list", Nothing, "?commonName=shop.test", None),
    ]
};

/// What the words in braces stand for.
#[derive(Clone, Default)]
struct Words(Vec<(&'static str, String)>);

impl Words {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }

    /// The words back in their braces, so that answers about different things compare. Numbers of
    /// organizations, domains and proofs are too short to be told from other numbers, and stay.
    fn mask(&self, text: &str) -> String {
        let is_long = |name: &str| !["organizationId", "domainId", "proofId"].contains(&name);
        let long = self.0.iter().filter(|(name, _)| is_long(name));
        long.fold(text.to_owned(), |text, (name, value)| {
            text.replace(value, &format!("{{{name}}}"))
        })
    }
}

impl Row {
    /// Whether it finds things, or none.
    fn is_search(&self) -> bool {
        self.route.ends_with("/search")
    }

    async fn ask(&self, panel: &Panel, words: &Words) -> Reply {
        let (method, path) = self.route.split_once(' ').unwrap();
        let path = words.fill(&format!("{path}{}", self.query));
        let (kind, body) = match self.body {
            Body::None => ("application/json", String::new()),
            Body::Json(body) => ("application/json", words.fill(body)),
            Body::Form(body) => ("multipart/form-data; boundary=cut", body.to_owned()),
        };
        let http = panel.http.with_header("content-type", kind);
        http.send(method, &path, body).await
    }
}

/// Those who ask.
struct Askers<'a> {
    server: &'a TestServer,
    /// May do everything; the things are theirs.
    owner: Panel,
    /// May do everything, too, with things of their own.
    other: Panel,
    nobody: Panel,
    expired: Panel,
    blocked: Panel,
    /// Of a reseller that was suspended after signing in.
    suspended: Panel,
    reader: Panel,
    manager: Panel,
    /// How many things were made.
    made: usize,
}

impl<'a> Askers<'a> {
    async fn new(server: &'a TestServer) -> Self {
        let expired = server.panel().await;
        server.world().advance(3601).await;
        let owner = server.panel().await;
        let mut nobody = owner.clone();
        nobody.http = server.http();
        let with = async |scope, allowed: &str| {
            let allowed = Networks::parse(allowed).unwrap();
            server.panel_with(Access { scope, allowed }).await
        };
        let suspended = server.another_panel("1000.00").await;
        let operations = server.operations();
        let reseller = operations.resellers().await.unwrap().pop().unwrap();
        let done = operations.suspend_reseller(reseller.id, "unpaid").await;
        done.unwrap();
        Self {
            suspended,
            other: server.another_panel("1000.00").await,
            blocked: with(Scope::Money, "192.0.2.1, 2001:db8::/32").await,
            reader: with(Scope::Read, "").await,
            manager: with(Scope::Orders, "").await,
            server,
            owner,
            nobody,
            expired,
            made: 0,
        }
    }

    /// Makes what a row is about.
    async fn make(&mut self, about: About) -> Words {
        self.made += 1;
        let name = format!("shop{}.test", self.made);
        let csr = csr(&[&name]).replace('\n', "\\n");
        let [username, password] = self.owner.credential();
        let words = Words::default()
            .with("csr", csr)
            .with("username", username)
            .with("password", password)
            .with("format", "PEM")
            .with("commonName", &name);
        let order = match about {
            About::Nothing => return words,
            About::Contact => {
                return words.with("contactId", &self.owner.contacts().await[0]);
            }
            About::Organization => {
                let body = serde_json::from_str(&words.fill(ORGANIZATION)).unwrap();
                let reply = self.owner.http.post("/ssl/v2/organization/create", &body);
                let id = reply.await.data()["organizationId"].to_string();
                return words.with("organizationId", id);
            }
            About::Domain => {
                let body = json!({ "domain": name, "authType": "dns" });
                let reply = self.owner.http.post("/ssl/v2/domains/validate", &body);
                let id = reply.await.data()["domainId"].clone();
                return words.with("domainId", id.as_str().unwrap());
            }
            About::Proof => {
                self.owner.issue("ssl123", &[&name]).await;
                let path = format!("/ssl/v2/proofs/list?domain={name}");
                let id = self.owner.http.get(&path).await.data()[0]["proofId"].clone();
                return words.with("proofId", id.as_str().unwrap());
            }
            About::Order => self.place("dns", &name).await,
            About::MailedOrder => self.place("email", &name).await,
            About::IssuedOrder => self.owner.issue("ssl123", &[&name]).await,
        };
        words.with("orderId", order)
    }

    async fn place(&self, method: &str, name: &str) -> String {
        let [administrator, technical] = self.owner.contacts().await;
        let order = order_for("ssl123", method, &[name], &administrator, &technical);
        self.owner.place(&order).await.id
    }
}

/// The same words for things that nobody ever had.
fn unknown(words: &Words) -> Words {
    let with_other = |(name, value): &(&'static str, String)| match *name {
        "orderId" => (*name, "4000000001".to_owned()),
        "contactId" => (*name, "SSL4000001T".to_owned()),
        "domainId" | "proofId" => (*name, "40000001".to_owned()),
        "organizationId" => (*name, "4000001".to_owned()),
        _ => (*name, value.clone()),
    };
    Words(words.0.iter().map(with_other).collect())
}

/// The status and, of a refusal, the sub code.
fn told(reply: &Reply) -> (u16, String) {
    match reply.status {
        200 => (200, String::new()),
        status => (status, reply.refusal().sub_code),
    }
}

async fn everyone_asks_for_everything(server: &mut TestServer) {
    server.renew_at_once().await;
    let table = routes();
    let name = |route: &Route| format!("{} {}", route.method, route.path);
    let served: BTreeSet<String> = table.iter().map(name).collect();
    let asked: BTreeSet<String> = ROWS.iter().map(|row| row.route.to_owned()).collect();
    let without_row: Vec<&String> = served.difference(&asked).collect();
    let without_route: Vec<&String> = asked.difference(&served).collect();
    assert!(
        without_row.is_empty() && without_route.is_empty(),
        "routes without a row: {without_row:#?}, rows without a route: {without_route:#?}"
    );
    assert_eq!((table.len(), ROWS.len()), (served.len(), asked.len()));

    let mut askers = Askers::new(server).await;
    for row in ROWS {
        let route = table.iter().find(|route| name(route) == row.route).unwrap();
        match route.needs {
            Some(needed) => ask_for(&mut askers, row, needed).await,
            None => everyone_may(&mut askers, row).await,
        }
    }
}

/// A route where one signs in: it is open from everywhere, whatever else is sent.
async fn everyone_may(askers: &mut Askers<'_>, row: &Row) {
    let words = askers.make(row.about).await;
    for panel in [
        &askers.nobody,
        &askers.expired,
        &askers.blocked,
        &askers.reader,
    ] {
        let reply = row.ask(panel, &words).await;
        assert_eq!(told(&reply).0, 200, "{}: {}", row.route, reply.text());
    }
}

async fn ask_for(askers: &mut Askers<'_>, row: &Row, needed: Scope) {
    let words = askers.make(row.about).await;
    let family = match row.route.contains(" /reseller/") {
        true => "RES",
        false => "SSL",
    };
    let refused = |status: u16, number: &str| (status, format!("{family}{number}"));
    let may = (200, String::new());
    let is = |who: &str, reply: &Reply, wanted: &(u16, String)| {
        let route = row.route;
        assert_eq!(&told(reply), wanted, "{route}, {who}: {}", reply.text());
    };

    let reply = row.ask(&askers.nobody, &words).await;
    is("nobody", &reply, &refused(401, "4010"));
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    let reply = row.ask(&askers.expired, &words).await;
    is("expired", &reply, &refused(401, "4010"));

    let reply = row.ask(&askers.blocked, &words).await;
    is("blocked address", &reply, &refused(403, "0004"));
    let address = "Forbidden access with current ip address: 127.0.0.1";
    assert_eq!(reply.refusal().message, address);

    // Nothing but revoking certificates of its own.
    let wanted = match row.route.ends_with("/revoke") {
        true => refused(400, "2400"),
        false => refused(403, "4030"),
    };
    let reply = row.ask(&askers.suspended, &words).await;
    is("suspended", &reply, &wanted);

    let of_scope = |held: Scope| match held.includes(needed) {
        true => may.clone(),
        false => refused(403, "4030"),
    };
    let reply = row.ask(&askers.reader, &words).await;
    is("read only", &reply, &of_scope(Scope::Read));
    if needed != Scope::Orders {
        let reply = row.ask(&askers.manager, &words).await;
        is("orders only", &reply, &of_scope(Scope::Orders));
    }

    // Another's things are not there: the answer is the one about things that never were.
    let of_other = row.ask(&askers.other, &words).await;
    let text = words.mask(&of_other.text());
    if row.about == About::Nothing {
        is("another reseller", &of_other, &may);
    } else {
        let nowhere = unknown(&words);
        let never = row.ask(&askers.other, &nowhere).await;
        let told = |reply: &Reply, text: String| (reply.status, reply.headers.len(), text);
        let of_never = told(&never, nowhere.mask(&never.text()));
        assert_eq!(told(&of_other, text.clone()), of_never, "{}", row.route);
        let wanted = match row.is_search() {
            true => may.clone(),
            false => refused(400, "2400"),
        };
        is("another reseller", &of_other, &wanted);
    }

    let reply = row.ask(&askers.owner, &words).await;
    is("the owner", &reply, &may);
    if row.about != About::Nothing {
        assert_ne!(words.mask(&reply.text()), text, "{}", row.route);
    }
    if needed == Scope::Orders {
        // What the owner did is done: another one of the kind.
        let words = askers.make(row.about).await;
        let reply = row.ask(&askers.manager, &words).await;
        is("orders only", &reply, &may);
    }
    askers.server.world().run_due_jobs().await;
}
