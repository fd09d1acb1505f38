//! The peer: `cfssl serve` of Debian's golang-cfssl, with a P-256 CA, storing what it signs in SQLite.
//!
//! Left to itself, its SQLite does not flush a commit while there is a log; asked to, it does.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::http::request;
use crate::load::{self, Measured, Repeat};

/// The table as cfssl's own migrations make it. The journal is the one that suits it best: with the default
/// one, its connections lock each other out.
const SCHEMA: &str = "
    pragma journal_mode = wal;
    create table certificates (
        serial_number blob not null, authority_key_identifier blob not null, ca_label blob,
        status blob not null, reason int, expiry timestamp, revoked_at timestamp, pem blob not null,
        primary key (serial_number, authority_key_identifier));
    create table ocsp_responses (
        serial_number blob not null, authority_key_identifier blob not null, body blob not null,
        expiry timestamp, primary key (serial_number, authority_key_identifier),
        foreign key (serial_number, authority_key_identifier)
            references certificates (serial_number, authority_key_identifier));";

/// How hard it tries to keep what it signed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Durability {
    /// A power loss takes the last certificates.
    AsItComes,
    /// Each commit is flushed, as ours are.
    Full,
}

/// Certificates signed and stored.
pub(crate) fn measure(
    folder: &Path,
    csrs: &[String],
    connections: usize,
    durability: Durability,
    time: Duration,
) -> Result<Measured> {
    let folder = folder.join(match durability {
        Durability::AsItComes => "cfssl",
        Durability::Full => "cfssl-durable",
    });
    std::fs::create_dir(&folder)?;
    let database = folder.join("certs.db");
    Connection::open(&database)?.execute_batch(SCHEMA)?;
    let server = Cfssl::start(&folder, durability)?;
    let clients = (0..connections)
        .map(|at| {
            let body = json!({ "certificate_request": csrs[at % csrs.len()] });
            let body = body.to_string().into_bytes();
            Repeat(request("POST", "/api/v1/cfssl/sign", "", &body))
        })
        .collect();
    let (measured, _) = load::block_on(load::run(server.address, clients, time))?;
    let kept: i64 =
        Connection::open(&database)?
            .query_row("select count(*) from certificates", [], |row| row.get(0))?;
    ensure!(
        kept == measured.count as i64,
        "cfssl signed {} certificates and stored {kept}",
        measured.count
    );
    Ok(measured)
}

/// The version, as the program tells it.
pub(crate) fn version() -> Result<String> {
    let output = Command::new("cfssl").arg("version").output();
    let output = output.context("cfssl is not installed (on Debian: golang-cfssl)")?;
    let text = String::from_utf8(output.stdout)?;
    let version = text.lines().find_map(|line| line.strip_prefix("Version: "));
    Ok(version.unwrap_or("of unknown version").trim().to_owned())
}

struct Cfssl {
    child: Child,
    address: SocketAddr,
}

impl Cfssl {
    fn start(folder: &Path, durability: Durability) -> Result<Self> {
        let write = |name: &str, value: &Value| {
            std::fs::write(folder.join(name), value.to_string()).context(name.to_owned())
        };
        let key = json!({ "algo": "ecdsa", "size": 256 });
        write("csr.json", &json!({ "CN": "Bench CA", "key": key }))?;
        let made = Command::new("cfssl")
            .args(["genkey", "-loglevel=4", "-initca", "csr.json"])
            .current_dir(folder)
            .output()?;
        let made: Value = serde_json::from_slice(&made.stdout).context("cfssl genkey")?;
        for (name, member) in [("ca.pem", "cert"), ("ca-key.pem", "key")] {
            let text = made[member].as_str().context(member)?;
            std::fs::write(folder.join(name), text)?;
        }
        let source = match durability {
            Durability::AsItComes => "certs.db",
            Durability::Full => "file:certs.db?_synchronous=FULL",
        };
        let file = json!({ "driver": "sqlite3", "data_source": source });
        write("db.json", &file)?;
        let profile = json!({ "expiry": "2160h", "usages": ["digital signature", "server auth"] });
        write("config.json", &json!({ "signing": { "default": profile } }))?;

        // Free now; nothing else here asks for a port in between.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let port = address.port().to_string();
        let child = Command::new("cfssl")
            .args(["serve", "-loglevel=3", "-address=127.0.0.1", "-port", &port])
            .args(["-ca=ca.pem", "-ca-key=ca-key.pem", "-config=config.json"])
            .arg("-db-config=db.json")
            .current_dir(folder)
            .stdout(Stdio::null())
            .spawn()?;
        let server = Self { child, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                bail!("cfssl does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Cfssl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
