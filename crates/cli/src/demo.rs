//! `chancery demo`: from nothing to a verified certificate, on a running OTE server.
//!
//! It is an ordinary client: everything goes over HTTP, through the dialect a reseller's panel speaks and
//! the OTE control surface.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chancery_domain::Timestamp;
use chancery_domain::names::DomainName;
use chancery_domain::resellers::CredentialKind;
use chancery_pki::certificate::CertificateInfo;
use chancery_pki::csr::{CsrSubject, generate_csr};
use chancery_pki::keys::KeyAlgorithm;
use chancery_pki::pem;
use chancery_server::OteCredential;
use hyper::Method;
use indicatif::{ProgressBar, ProgressStyle};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};

use crate::arguments::DemoFlags;
use crate::http_client::HttpClient;

const STEPS: u64 = 9;

/// Carries one order through and says what it does.
pub(crate) async fn demo(asked: &DemoFlags) -> Result<()> {
    let name = DomainName::parse(&asked.name).context("--name")?;
    let mut client = HttpClient::new(&asked.url)?;
    let steps = Steps::new();

    steps.begin("Signing in");
    client.token = Some(sign_in(&client, asked).await?);

    steps.begin("Creating a contact");
    let contact = create_contact(&client).await?;
    steps.say(&format!("contact {contact}"));

    steps.begin(&format!("Making a key and a CSR for {name}"));
    let subject = CsrSubject {
        common_name: name.clone(),
        organization: None,
        organization_unit: None,
        city: None,
        state: None,
        country: None,
        email: None,
        names: vec![name.clone()],
    };
    let made = generate_csr(&subject, KeyAlgorithm::P256)?;

    steps.begin("Placing an order, to be validated by DNS");
    let order = json!({
        "productKey": if name.is_wildcard() { "dv-wildcard" } else { "ssl123" },
        "term": 1,
        "csr": made.csr_pem,
        "authType": "dns",
        "administratorContactId": contact,
    });
    let placed = client
        .json(Method::POST, "/ssl/v2/orders/new", &order)
        .await?;
    let order = text(&placed, "/data/orderId")?;
    steps.say(&format!("order {order}"));

    steps.begin("Publishing the record in the OTE world's DNS");
    publish(&client, &placed, &steps).await?;

    steps.begin("Waiting for the platform to see it and to issue");
    wait_for_issue(&client, order, &steps).await?;

    steps.begin("Downloading the certificate");
    let (content_type, form) = bundle_form();
    let path = format!("/ssl/v2/orders/{order}/download/format/PEM");
    let bundle = client
        .send(Method::POST, &path, &content_type, form)
        .await?;
    let bundle = std::str::from_utf8(&bundle)?;

    steps.begin("Verifying the chain");
    verify(&client, bundle, &name).await?;

    steps.begin("Done");
    steps.finish();
    println!("{bundle}");
    println!("{name}: OK");
    Ok(())
}

async fn sign_in(client: &HttpClient, asked: &DemoFlags) -> Result<String> {
    let credential = match (&asked.username, &asked.password) {
        (Some(username), Some(password)) => OteCredential {
            username: username.clone(),
            password: password.clone(),
        },
        _ => OteCredential::find(&asked.data, CredentialKind::Webnic)?.with_context(|| {
            let data = asked.data.display();
            format!("{data} holds no credential: name the server's data folder with --data")
        })?,
    };
    let body = json!({ "username": credential.username, "password": credential.password });
    let answer = client
        .json(Method::POST, "/reseller/v2/api-user/token", &body)
        .await?;
    Ok(text(&answer, "/data/access_token")?.to_owned())
}

async fn create_contact(client: &HttpClient) -> Result<String> {
    let body = json!({ "administrator": {
        "company": "Shop Ltd", "firstName": "Sam", "lastName": "Shop",
        "address1": "1 High Street", "city": "Kuala Lumpur", "state": "Selangor",
        "countryCode": "MY", "zip": "57100", "phoneNumber": "+60.6506503",
        "email": "sam@shop.example",
    }});
    let answer = client
        .json(Method::POST, "/ssl/v2/contact/create", &body)
        .await?;
    Ok(text(&answer, "/data/0/contactId")?.to_owned())
}

async fn publish(client: &HttpClient, placed: &Value, steps: &Steps) -> Result<()> {
    let dcv = &placed["data"]["commonName"];
    let Some(host) = dcv["host"].as_str() else {
        steps.say("nothing to publish: the name was proved before");
        return Ok(());
    };
    let (kind, value) = (text(dcv, "/recordType")?, text(dcv, "/value")?);
    steps.say(&format!("{host} {kind} {value}"));
    let record = json!({ "values": [value], "ttl": 60 });
    client
        .json(Method::PUT, &format!("/ote/dns/{host}/{kind}"), &record)
        .await?;
    Ok(())
}

/// Asks for the status, which makes the platform look; lets the due jobs run in between.
async fn wait_for_issue(client: &HttpClient, order: &str, steps: &Steps) -> Result<()> {
    let path = format!("/ssl/v2/orders/{order}/dcv-status");
    for _ in 0..60 {
        let status = client.json(Method::GET, &path, &Value::Null).await?;
        let word = text(&status, "/data/orderStatus")?;
        match word {
            "COMPLETED" => return Ok(()),
            "PENDING" | "IN_PROCESS" | "PROCESSED" => steps.say(&format!("order is {word}")),
            other => bail!("the order is {other}"),
        }
        client
            .json(Method::POST, "/ote/jobs/run", &Value::Null)
            .await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let path = format!("/ssl/v2/orders/{order}/auth/info");
    let info = client.json(Method::GET, &path, &Value::Null).await?;
    bail!("the order was not issued: {}", info["data"]["observations"])
}

/// A form that asks for the chain too.
fn bundle_form() -> (String, Vec<u8>) {
    let boundary = "chancery-demo";
    let form = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"bundle\"\r\n\r\ntrue\r\n--{boundary}--\r\n"
    );
    (
        format!("multipart/form-data; boundary={boundary}"),
        form.into_bytes(),
    )
}

/// Verifies the chain up to the platform's root as a TLS client would (RFC 5280 §6), by the OTE clock.
async fn verify(client: &HttpClient, bundle: &str, name: &DomainName) -> Result<()> {
    let mut chain = certificates(bundle)?;
    ensure!(
        chain.len() >= 2,
        "the download holds {} certificates",
        chain.len()
    );
    let leaf = chain.remove(0);
    let root = client
        .send(Method::GET, "/pki/root.crt", "", Vec::new())
        .await?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec()))?;
    let clock = client.json(Method::GET, "/ote/clock", &Value::Null).await?;
    let now: Timestamp = text(&clock, "/now")?.parse()?;
    let seconds = u64::try_from(now.as_second())?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let host = match name.is_wildcard() {
        true => format!("www.{}", name.host_str()),
        false => name.to_string(),
    };
    WebPkiServerVerifier::builder(Arc::new(roots))
        .build()?
        .verify_server_cert(&leaf, &chain, &ServerName::try_from(host)?, &[], now)
        .context("the chain does not verify")?;
    let info = CertificateInfo::parse(&leaf)?;
    ensure!(
        info.dns_names.iter().any(|held| held == name.as_str()),
        "the name is not covered"
    );
    Ok(())
}

fn certificates(bundle: &str) -> Result<Vec<CertificateDer<'static>>> {
    const END: &str = "-----END CERTIFICATE-----";
    bundle
        .split_inclusive(END)
        .filter(|part| part.contains(END))
        .map(|part| Ok(CertificateDer::from(pem::decode(part, &["CERTIFICATE"])?)))
        .collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.with_context(|| format!("the answer has no {pointer}: {value}"))
}

/// Lines that stay, and on a terminal a bar below them that moves.
struct Steps {
    bar: ProgressBar,
}

impl Steps {
    fn new() -> Self {
        let bar = ProgressBar::new(STEPS);
        let style = ProgressStyle::with_template("{bar:20.cyan/blue} {pos}/{len}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar }
    }

    fn begin(&self, what: &str) {
        self.print(what);
        self.bar.inc(1);
    }

    fn say(&self, what: &str) {
        self.print(&format!("  {what}"));
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// The bar prints nothing where there is no terminal.
    fn print(&self, line: &str) {
        if self.bar.is_hidden() {
            println!("{line}");
        } else {
            self.bar.println(line);
        }
    }
}
