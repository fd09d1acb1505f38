//! A reseller's billing panel: signs in, makes contacts, places orders, does what the orders ask for.

use serde_json::{Value, json};

use crate::certificates::Downloaded;
use crate::http::{Http, Reply};
use crate::orders::order_for;
use crate::worlds::World;

/// A client of the WebNIC dialect that is signed in.
#[derive(Clone)]
pub struct Panel {
    /// The client, with its token.
    pub http: Http,
    /// The token.
    pub token: String,
    /// The outside world it publishes to.
    pub world: World,
    credential: [String; 2],
}

/// An order just placed, as the dialect told it.
#[derive(Clone, Debug)]
pub struct PlacedOrder {
    /// Its number.
    pub id: String,
    /// The whole `data`.
    pub data: Value,
}

impl Panel {
    /// Trades a credential for a token.
    pub async fn sign_in(http: Http, username: &str, password: &str) -> Self {
        let body = json!({ "username": username, "password": password });
        let data = http.post("/reseller/v2/api-user/token", &body).await.data();
        let token = data["access_token"].as_str().unwrap().to_owned();
        Self {
            world: World::new(http.clone()),
            http: http.with_token(&token),
            token,
            credential: [username, password].map(str::to_owned),
        }
    }

    /// What it signs in with: username and password.
    pub fn credential(&self) -> [&str; 2] {
        let [username, password] = &self.credential;
        [username, password]
    }

    /// Signs in again, as panels do when an hour has passed.
    pub async fn again(&self) -> Self {
        let [username, password] = &self.credential;
        Self::sign_in(Http::new(self.http.address()), username, password).await
    }

    /// Creates an administrator and a technical contact and gives their ids.
    pub async fn contacts(&self) -> [String; 2] {
        let body = json!({ "administrator": contact_details(), "technical": contact_details() });
        let made = self.http.post("/ssl/v2/contact/create", &body).await.data();
        [0, 1].map(|at| made[at]["contactId"].as_str().unwrap().to_owned())
    }

    /// Creates an organization of this name and gives its number.
    pub async fn organization(&self, company: &str) -> i64 {
        let mut details = contact_details();
        details["company"] = json!(company);
        details["jobTitle"] = json!("CEO");
        let body = json!({ "organization": details });
        let made = self.http.post("/ssl/v2/organization/create", &body).await;
        made.data()["organizationId"].as_i64().unwrap()
    }

    /// Changes an organization's name.
    pub async fn rename_organization(&self, id: i64, company: &str) {
        let mut details = contact_details();
        details["company"] = json!(company);
        let body = json!({ "organization": details });
        let path = format!("/ssl/v2/organization/{id}/contact/update");
        self.http.put(&path, &body).await.data();
    }

    /// Asks for an organization to be vetted: `OV` or `EV`.
    pub async fn submit_validation(&self, id: i64, kind: &str) -> Reply {
        let path = format!("/ssl/v2/organization/{id}/validation/submit");
        self.http.post(&path, &json!({ "type": kind })).await
    }

    /// `organization/{id}/validation/status`
    pub async fn validation_status(&self, id: i64) -> Value {
        let path = format!("/ssl/v2/organization/{id}/validation/status");
        self.http.get(&path).await.data()
    }

    /// The body of an order with new contacts; the first name is the common one.
    pub async fn order(&self, product: &str, method: &str, names: &[&str]) -> Value {
        let [administrator, technical] = self.contacts().await;
        order_for(product, method, names, &administrator, &technical)
    }

    /// The body of an order for a product that names an organization.
    pub async fn order_of(&self, organization: i64, product: &str, names: &[&str]) -> Value {
        let mut order = self.order(product, "dns", names).await;
        order["organizationId"] = json!(organization);
        order
    }

    /// Places an order that must be taken.
    pub async fn place(&self, order: &Value) -> PlacedOrder {
        PlacedOrder::of(&self.http.post("/ssl/v2/orders/new", order).await)
    }

    /// Places an order under an idempotency key.
    pub async fn place_under_key(&self, key: &str, order: &Value) -> Reply {
        let http = self.http.with_header("idempotency-key", key);
        http.post("/ssl/v2/orders/new", order).await
    }

    /// Places an order and carries it to its certificate by DNS records. Gives its number.
    pub async fn issue(&self, product: &str, names: &[&str]) -> String {
        self.issue_order(&self.order(product, "dns", names).await)
            .await
    }

    /// The same with a CSR of one's own.
    pub async fn issue_for(&self, product: &str, names: &[&str], csr: &str) -> String {
        let mut order = self.order(product, "dns", names).await;
        order["csr"] = json!(csr);
        self.issue_order(&order).await
    }

    async fn issue_order(&self, order: &Value) -> String {
        let placed = self.place(order).await;
        self.publish(&placed.data).await;
        self.finish(&placed.id).await;
        placed.id
    }

    /// Publishes every record and file that the names of `data` ask for.
    pub async fn publish(&self, data: &Value) {
        for asked in challenges(data) {
            let text = |key: &str| asked[key].as_str().unwrap_or_else(|| panic!("{asked}"));
            match text("authType") {
                "dns" => {
                    self.world
                        .put_dns(text("host"), text("recordType"), &[text("value")])
                        .await;
                }
                "file" => {
                    let path = format!("/.well-known/pki-validation/{}", text("fileName"));
                    self.world.put_web(text("name"), &path, text("value")).await;
                }
                other => panic!("nothing can be published for {other}"),
            }
        }
    }

    /// Lets some seconds pass and asks for the status, which makes the platform look for proofs; and does
    /// what follows from them.
    pub async fn look(&self, id: &str) {
        self.world.advance_clock(10).await;
        self.dcv_status(id).await;
        self.world.run_due_jobs().await;
    }

    /// Has the platform look for proofs, and expects the order to be completed.
    pub async fn finish(&self, id: &str) {
        self.look(id).await;
        let info = self.info(id).await;
        let why = self.auth_info(id).await;
        assert_eq!(info["orderStatus"], "COMPLETED", "{info:#} {why:#}");
        assert_eq!(info["certStatus"], "ACTIVE", "{info:#}");
    }

    /// `orders/info`
    pub async fn info(&self, id: &str) -> Value {
        self.http
            .get(&format!("/ssl/v2/orders/info?orderId={id}"))
            .await
            .data()
    }

    /// The pair of statuses of an order.
    pub async fn statuses(&self, id: &str) -> (String, String) {
        let info = self.info(id).await;
        let text = |key: &str| info[key].as_str().unwrap().to_owned();
        (text("orderStatus"), text("certStatus"))
    }

    /// `orders/{id}/dcv-status`
    pub async fn dcv_status(&self, id: &str) -> Value {
        self.http
            .get(&format!("/ssl/v2/orders/{id}/dcv-status"))
            .await
            .data()
    }

    /// `orders/{id}/auth/info`
    pub async fn auth_info(&self, id: &str) -> Value {
        self.http
            .get(&format!("/ssl/v2/orders/{id}/auth/info"))
            .await
            .data()
    }

    /// `orders/{id}/auth`
    pub async fn change_method(&self, id: &str, body: &Value) -> Reply {
        self.http
            .put(&format!("/ssl/v2/orders/{id}/auth"), body)
            .await
    }

    /// `orders/{id}/cancel`
    pub async fn cancel(&self, id: &str) -> Reply {
        self.http
            .post(&format!("/ssl/v2/orders/{id}/cancel"), &json!([]))
            .await
    }

    /// `orders/{id}/download/format/{format}`, as the panels do it.
    pub async fn download(&self, id: &str, format: &str, bundle: Option<bool>) -> Reply {
        let bundle = bundle.map(|bundle| bundle.to_string());
        let part = bundle.as_ref().map(|bundle| ("bundle", bundle.as_bytes()));
        let parts: Vec<_> = part.into_iter().collect();
        self.download_with(id, format, &parts).await
    }

    /// The same with these parts in the form; `privateKey` is sent as a file.
    pub async fn download_with(&self, id: &str, format: &str, parts: &[(&str, &[u8])]) -> Reply {
        let path = format!("/ssl/v2/orders/{id}/download/format/{format}");
        let http = self
            .http
            .with_header("content-type", "multipart/form-data; boundary=cut");
        http.send("POST", &path, form(parts)).await
    }

    /// The certificate with its chain, PEM.
    pub async fn certificate(&self, id: &str) -> String {
        let reply = self.download(id, "PEM", Some(true)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text()
    }

    /// Downloads the certificate and all its URLs name, and has OpenSSL verify it for these hosts.
    pub async fn verify(&self, id: &str, hosts: &[&str]) -> Downloaded {
        let downloaded = Downloaded::of(&self.http, &self.certificate(id).await).await;
        downloaded.verify(&self.world.now().await, hosts);
        downloaded
    }

    /// The balance, in cents.
    pub async fn cents(&self) -> i64 {
        let data = self.http.get("/reseller/v2/balance").await.data();
        cents(&data["balance"][0]["amount"].to_string())
    }
}

impl PlacedOrder {
    /// Reads the answer to a placed order.
    pub fn of(reply: &Reply) -> Self {
        let data = reply.data();
        let id = data["orderId"]
            .as_str()
            .unwrap_or_else(|| panic!("{data}"))
            .to_owned();
        Self { id, data }
    }

    /// What has to be shown for the common name, then for each further name.
    pub fn challenges(&self) -> Vec<Value> {
        challenges(&self.data)
    }
}

fn challenges(data: &Value) -> Vec<Value> {
    let further = data["san"].as_array().into_iter().flatten();
    std::iter::once(&data["commonName"])
        .chain(further)
        .cloned()
        .collect()
}

/// A multipart form with the boundary `cut`.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, content) in parts {
        let file = match *name {
            "privateKey" => "; filename=\"shop.key\"\r\nContent-Type: application/octet-stream",
            _ => "",
        };
        let head =
            format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        form.extend(head.as_bytes());
        form.extend(*content);
        form.extend(b"\r\n");
    }
    form.extend(b"--cut--\r\n");
    form
}

/// An amount as the dialect writes it, in cents.
pub fn cents(amount: &str) -> i64 {
    let (whole, part) = amount.split_once('.').unwrap();
    format!("{whole}{part:0<2}").parse().unwrap()
}

/// A person as the documentation's example has one.
fn contact_details() -> Value {
    json!({
        "company": "Shop Ltd", "firstName": "Ann", "lastName": "Example",
        "address1": "1 Market Street", "address2": "", "city": "Kuala Lumpur",
        "state": "Selangor", "countryCode": "MY", "zip": "50000",
        "phoneNumber": "+60.123456789", "faxNumber": null, "email": "ann@shop.example",
    })
}
