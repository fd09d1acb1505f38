//! The resellers who place orders: each with money, a contact, and control of one domain shown for real.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chancery_domain::Timestamp;
use chancery_domain::names::DomainName;
use chancery_pki::csr::{CsrSubject, generate_csr};
use chancery_pki::keys::KeyAlgorithm;
use serde_json::{Value, json};

use crate::chancery::Installation;
use crate::http::{HttpConnection, request};

const PATIENCE: Duration = Duration::from_secs(60);

/// A reseller, signed in.
pub(crate) struct Reseller {
    username: String,
    password: String,
    /// The header line that carries the token.
    token: String,
    contact: String,
    /// When it was added, by the server's clock.
    pub(crate) since: Timestamp,
}

/// CSRs to order with, made beforehand: P-256, each with a name and a key of its own.
pub(crate) struct Csrs {
    /// Below a domain whose control is shown.
    pub(crate) proved: Vec<String>,
    /// Below a domain whose control nobody ever shows.
    pub(crate) unproved: Vec<String>,
}

impl Csrs {
    pub(crate) fn make(count: usize) -> Result<Self> {
        let pool = |domain: &str| {
            (0..count)
                .map(|n| csr(&format!("host-{n}.{domain}")))
                .collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            proved: pool(PROVED)?,
            unproved: pool("unproved.example")?,
        })
    }
}

const PROVED: &str = "proved.example";

pub(crate) fn csr(name: &str) -> Result<String> {
    let name = DomainName::parse(name)?;
    let subject = CsrSubject {
        common_name: name.clone(),
        organization: None,
        organization_unit: None,
        city: None,
        state: None,
        country: None,
        email: None,
        names: vec![name],
    };
    Ok(generate_csr(&subject, KeyAlgorithm::P256)?.csr_pem)
}

impl Reseller {
    /// Adds resellers by the operator's chores; the server runs meanwhile.
    pub(crate) fn add_all(
        installation: &Installation,
        address: SocketAddr,
        count: usize,
    ) -> Result<Vec<Self>> {
        (0..count)
            .map(|_| {
                let made = ["reseller", "add", "--name", "Bench", "--currency", "USD"];
                let id = &installation.chore(&[&made[..], &["--json"]].concat())?["resellerId"];
                let id = id.to_string();
                // Its orders are issued on what one of them has shown.
                let set = [
                    "reseller",
                    "set",
                    "--reseller",
                    &id,
                    "--proof-scope",
                    "reseller",
                ];
                let by = ["--yes", "--operator", "bench", "--json"];
                installation.chore(&[&set[..], &by].concat())?;
                let amount = ["--amount", "100000000.00", "--json"];
                let credit = ["balance", "credit", "--reseller", &id];
                installation.chore(&[&credit[..], &amount].concat())?;
                let made =
                    installation.chore(&["credential", "add", "--reseller", &id, "--json"])?;
                crate::load::block_on(Self::sign_in(address, &made))
            })
            .collect()
    }

    async fn sign_in(address: SocketAddr, credential: &Value) -> Result<Self> {
        let mut reseller = Self {
            username: text(credential, "/username")?,
            password: text(credential, "/password")?,
            token: String::new(),
            contact: String::new(),
            since: Timestamp::UNIX_EPOCH,
        };
        let mut connection = HttpConnection::open(address).await?;
        let answer = connection.json(&reseller.token_request()).await?;
        let token = text(&answer, "/data/access_token")?;
        reseller.token = format!("authorization: Bearer {token}\r\n");
        let body = json!({ "administrator": {
            "company": "Bench Ltd", "firstName": "Ben", "lastName": "Chmark",
            "address1": "1 High Street", "city": "Kuala Lumpur", "state": "Selangor",
            "countryCode": "MY", "zip": "57100", "phoneNumber": "+60.6506503",
            "email": "ben@proved.example",
        }});
        let asked = reseller.post("/ssl/v2/contact/create", &body);
        let answer = connection.json(&asked).await?;
        reseller.contact = text(&answer, "/data/0/contactId")?;
        reseller.since = text(&answer, "/data/0/dtcreate")?.parse()?;
        Ok(reseller)
    }

    /// Trades the credential for a token.
    pub(crate) fn token_request(&self) -> Vec<u8> {
        let body = json!({ "username": self.username, "password": self.password });
        let body = body.to_string().into_bytes();
        request("POST", "/reseller/v2/api-user/token", "", &body)
    }

    /// Places an order, to be proved by DNS.
    pub(crate) fn order_request(&self, csr_pem: &str) -> Vec<u8> {
        self.order_for_names(csr_pem, &[])
    }

    /// The same for further names.
    pub(crate) fn order_for_names(&self, csr_pem: &str, further: &[String]) -> Vec<u8> {
        let mut body = json!({
            "productKey": "ssl123",
            "term": 1,
            "csr": csr_pem,
            "authType": "dns",
            "administratorContactId": self.contact,
        });
        if !further.is_empty() {
            body["sanfield"] = json!(further);
        }
        self.post("/ssl/v2/orders/new", &body)
    }

    /// Asks for an order.
    pub(crate) fn info_request(&self, order: u64) -> Vec<u8> {
        let path = format!("/ssl/v2/orders/info?orderId={order}");
        self.get(&path)
    }

    /// Shows control of the domain below which the proved names lie, by its DNS, in OTE mode's world.
    pub(crate) async fn prove(&self, address: SocketAddr) -> Result<()> {
        let mut connection = HttpConnection::open(address).await?;
        let asked = self.order_request(&csr(PROVED)?);
        let placed = connection.json(&asked).await?;
        let (host, kind) = (
            text(&placed, "/data/commonName/host")?,
            text(&placed, "/data/commonName/recordType")?,
        );
        let record = json!({ "values": [text(&placed, "/data/commonName/value")?], "ttl": 60 });
        let record = record.to_string().into_bytes();
        let path = format!("/ote/dns/{host}/{kind}");
        connection.json(&request("PUT", &path, "", &record)).await?;

        let order = text(&placed, "/data/orderId")?;
        let path = format!("/ssl/v2/orders/{order}/dcv-status");
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let asked = request("GET", &path, &self.token, &[]);
            let answer = connection.json(&asked).await?;
            if answer["data"]["orderStatus"] == "COMPLETED" {
                return Ok(());
            }
            connection
                .json(&request("POST", "/ote/jobs/run", "", &[]))
                .await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("control of {PROVED} was not seen");
    }

    /// Asks for what a path has.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        request("GET", path, &self.token, &[])
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Vec<u8> {
        request("POST", path, &self.token, body.to_string().as_bytes())
    }
}

pub(crate) fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    let found = found.with_context(|| format!("the answer has no {pointer}: {value}"))?;
    Ok(found.to_owned())
}
