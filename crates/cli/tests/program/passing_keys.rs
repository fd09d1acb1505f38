//! A subscriber's key that passed through to be packed is nowhere afterwards: in no table, no line of the log at
//! its most talkative, and no file; nor is the password. Whether the downloads succeeded does not matter.
//!
//! The same for the key of a LogicBoxes credential and a customer's password, which travel in query strings, and for
//! the tokens and passwords that a customer is given.
//!
//! The search is tried out last, on traces laid on purpose.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use chancery_pki::pem;
use chancery_testkit::{Engine, Key, LogicBoxes, Panel, World, csr_with_key};
use tokio::io::AsyncWriteExt as _;

use crate::programs::{Installation, Running, on_both_engines};

on_both_engines!(
    a_key_leaves_no_trace,
    what_is_in_a_query_string_leaves_no_trace,
    what_customers_sign_in_with_leaves_no_trace
);

const PASSWORD: &str = "Nobody-Will-Ever-Read-This-Password-0815-4711";

async fn a_key_leaves_no_trace(engine: Engine) {
    let home = Installation::new(engine).await;
    let temporary = home.folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let variables = [
        ("CHANCERY_LOG", "trace"),
        ("TMPDIR", temporary.to_str().unwrap()),
    ];
    let server = home.serve_with(&variables).await;
    let panel = server.panel(&home.data()).await;

    let mut traces = Traces::default();
    traces.add(PASSWORD.as_bytes());
    let other = csr_with_key(&["other.test"], Key::P256);
    let other = other.private_key_pem.expose();
    traces.add(&secret_part(other));
    let mut keys = Vec::new();
    for kind in [Key::P256, Key::Rsa2048] {
        let made = csr_with_key(&["shop.test"], kind);
        let key = made.private_key_pem.expose().to_owned();
        traces.add(&secret_part(&key));
        let id = panel
            .issue_for("dv-single", &["shop.test"], &made.csr_pem)
            .await;
        download(&panel, &server, &id, &key, other).await;
        keys.push(key);
    }

    let places = Places {
        home: &home,
        temporary: &temporary,
    };
    assert_eq!(places.with(&traces), [""; 0]);
    assert_eq!(
        fs::read_dir(&temporary).unwrap().count(),
        0,
        "temporary files"
    );
    plant(&panel, &home, &temporary, &keys[0]).await;
    let mut expected = vec!["log", "table", "data/planted", "tmp/planted"];
    if engine == Engine::Sqlite {
        expected.push("data/chancery.db");
    }
    let found = places.with(&traces);
    for place in expected {
        let is_found = found.iter().any(|found| found.starts_with(place));
        assert!(
            is_found,
            "the search does not find what is in {place}: {found:?}"
        );
    }

    fs::remove_file(temporary.join("planted")).unwrap();
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn what_is_in_a_query_string_leaves_no_trace(engine: Engine) {
    let home = Installation::new(engine).await;
    let temporary = home.folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let variables = [
        ("CHANCERY_LOG", "trace"),
        ("TMPDIR", temporary.to_str().unwrap()),
    ];
    let server = home.serve_with(&variables).await;
    // Shows that the tables are read, and brings the talkative parts to talk.
    let panel = server.panel(&home.data()).await;
    panel.issue("dv-single", &["shop.test"]).await;
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
    let mut traces = Traces::default();
    traces.add(key.as_bytes());
    traces.add(PASSWORD.as_bytes());

    let kind = "application/x-www-form-urlencoded";
    for (method, parameters) in [
        ("contacts/dotca/registrantagreement", ""),
        ("contacts/details", "&contact-id=x"),
        (
            "customers/signup",
            "&username=ann@shop.test&passwd={password}&name=Ann+Example&company=Shop&address-line-1=1+High+Street\
             &city=London&state=Not+Applicable&country=GB&zipcode=SW1A+1AA&phone-cc=44&phone=2079460000&lang-pref=en",
        ),
        (
            "customers/generate-token",
            "&username=ann@shop.test&passwd={password}&ip=192.0.2.1",
        ),
        (
            "customers/change-password",
            "&customer-id=2001&new-passwd={password}",
        ),
        ("none", "&passwd={password}"),
    ] {
        let parameters = parameters.replace("{password}", PASSWORD);
        for credential in [
            format!("auth-userid={user_id}&api-key={key}"),
            format!("auth-userid={user_id}&auth-password={key}"),
            format!("auth-userid={user_id}&api-key={key}%zz"),
            format!("auth-userid=1&api-key={key}"),
            format!("auth-userid={user_id}&api-key={key}&api-key={PASSWORD}"),
        ] {
            let form = format!("{credential}{parameters}");
            let path = format!("/api/{method}.json");
            let http = server.http().with_header("content-type", kind);
            for (method, query, body) in [
                ("GET", &form[..], ""),
                ("POST", &form, ""),
                ("POST", "", &form),
                ("PUT", &form, ""),
            ] {
                let reply = http
                    .send(method, &format!("{path}?{query}"), body.to_owned())
                    .await;
                assert!([200, 404, 500].contains(&reply.status), "{}", reply.text());
            }
            let doubled = format!("//api//{method}.xml?{form}");
            http.get(&doubled).await;
        }
    }
    // The password was taken and is known again.
    let path = "/api/customers/generate-token.json?username=ann@shop.test&ip=192.0.2.1";
    let query = format!("&auth-userid={user_id}&api-key={key}&passwd={PASSWORD}");
    assert_eq!(
        server.http().get(&format!("{path}{query}")).await.status,
        200
    );
    let places = Places {
        home: &home,
        temporary: &temporary,
    };
    assert_eq!(places.with(&traces), [""; 0]);
    server
        .http()
        .get(&format!("/api/{PASSWORD}.json"))
        .await
        .json();
    assert_eq!(places.with(&traces), ["log"]);
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

async fn what_customers_sign_in_with_leaves_no_trace(engine: Engine) {
    const ANOTHER: &str = "Another-Password-That-Nobody-Will-Ever-Read-0815";
    let home = Installation::new(engine).await;
    let temporary = home.folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let variables = [
        ("CHANCERY_LOG", "trace"),
        ("TMPDIR", temporary.to_str().unwrap()),
    ];
    let server = home.serve_with(&variables).await;
    // Brings the talkative parts to talk.
    let panel = server.panel(&home.data()).await;
    panel.issue("dv-single", &["shop.test"]).await;
    let kind = ["--kind", "logicboxes", "--json"];
    let made = home.json(&[&["credential", "add", "--reseller", "2001"], &kind[..]].concat());
    let [user_id, key] = ["username", "password"].map(|name| made[name].as_str().unwrap());
    let client = LogicBoxes::new(server.http(), user_id, key);

    let id = client
        .done(
            "customers/signup",
            &[
                ("username", "ann@shop.test"),
                ("passwd", PASSWORD),
                ("name", "Ann Example"),
                ("company", "Shop Ltd"),
                ("address-line-1", "1 Market Street"),
                ("city", "London"),
                ("state", "Not Applicable"),
                ("country", "GB"),
                ("zipcode", "SW1A 1AA"),
                ("phone-cc", "44"),
                ("phone", "2079460000"),
                ("lang-pref", "en"),
            ],
        )
        .await
        .to_string();
    let signing_in = [
        ("username", "ann@shop.test"),
        ("passwd", PASSWORD),
        ("ip", "192.0.2.1"),
    ];
    let token = client.done("customers/generate-token", &signing_in).await;
    let token = token.as_str().unwrap();
    client
        .done("customers/authenticate-token", &[("token", token)])
        .await;
    let lent = client
        .done("customers/temp-password", &[("customer-id", &id)])
        .await;
    client
        .done("customers/forgot-password", &signing_in[..1])
        .await;
    let world = World::new(server.http());
    world.run_due_jobs().await;
    let mailed = world.mail(&world.mails().await[0]["id"]).await;
    let mut lines = mailed["text"].as_str().unwrap().lines().map(str::trim);
    let mailed = lines.find(|line| line.len() == 16 && !line.contains(' '));
    let another = [("customer-id", &id[..]), ("new-passwd", ANOTHER)];
    client.done("customers/change-password", &another).await;

    let mut traces = Traces::default();
    for secret in [PASSWORD, ANOTHER, token] {
        traces.add(secret.as_bytes());
    }
    let places = Places {
        home: &home,
        temporary: &temporary,
    };
    assert_eq!(places.with(&traces), [""; 0]);
    for secret in [lent.as_str().unwrap(), mailed.unwrap()] {
        let has_it = |octets: &[u8]| octets.windows(16).any(|part| part == secret.as_bytes());
        assert!(!has_it(&fs::read(home.log()).unwrap()) && !has_it(&home.tables()));
    }
    server.stop().await;
    assert_eq!(home.logged_errors(), [""; 0]);
    home.remove().await;
}

/// Sends the key in all the ways that work and in those that do not.
async fn download(panel: &Panel, server: &Running, id: &str, key: &str, other: &str) {
    let password = ("pfxPassword", PASSWORD.as_bytes());
    let own = ("privateKey", key.as_bytes());
    for (format, legacy) in [
        ("PFX", "false"),
        ("PFX", "true"),
        ("P12", "false"),
        ("JKS", "false"),
    ] {
        let parts = [own, password, ("legacy", legacy.as_bytes())];
        let reply = panel.download_with(id, format, &parts).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    // Formats that need no key are given one all the same.
    let reply = panel.download_with(id, "ZIP", &[own, password]).await;
    assert_eq!(reply.status, 200);

    let damaged = key.replacen('A', "B", 1);
    let in_json = serde_json::json!({ "privateKey": key, "pfxPassword": PASSWORD }).to_string();
    let padding = vec![b'x'; 1024 * 1024];
    for format in ["PFX", "JKS"] {
        for parts in [
            &[("privateKey", other.as_bytes()), password][..],
            &[("privateKey", damaged.as_bytes()), password],
            &[("privateKey", in_json.as_bytes()), password],
            &[own],
            &[own, ("pfxPassword", format!("{PASSWORD}\n").as_bytes())],
            &[own, ("pfxPassword", PASSWORD.repeat(9).as_bytes())],
            &[own, password, ("legacy", PASSWORD.as_bytes())],
            &[own, password, ("bundle", key.as_bytes())],
            &[own, password, (PASSWORD, key.as_bytes()), ("bundle", b"x")],
            &[own, password, ("more", &padding)],
        ] {
            // What is damaged may by chance be read; what matters is where it goes.
            let reply = panel.download_with(id, format, parts).await;
            assert!([200, 400, 413].contains(&reply.status), "{}", reply.text());
        }
        let path = format!("/ssl/v2/orders/{id}/download/format/{format}");
        for kind in [
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=no",
        ] {
            let http = panel.http.with_header("content-type", kind);
            let reply = http.send("POST", &path, in_json.clone()).await;
            assert_eq!(reply.status, 400, "{}", reply.text());
        }
        let stranger = server.http().with_token("none");
        assert_eq!(
            stranger.send("POST", &path, key.to_owned()).await.status,
            401
        );
        cut_off(panel, &path, key).await;
    }
    for (id, format) in [("1", "PFX"), (id, "doc")] {
        let reply = panel.download_with(id, format, &[own, password]).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
    }
}

/// A client that goes away in the middle of its form.
async fn cut_off(panel: &Panel, path: &str, key: &str) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n\
         --x\r\nContent-Disposition: form-data; name=\"privateKey\"\r\n\r\n{key}",
        panel.token
    );
    let mut connection = panel.http.open_raw(head.as_bytes()).await;
    connection.shutdown().await.unwrap();
    // The server closes when it is done with it.
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut connection, &mut rest).await;
}

/// Lays a trace in each place that is searched.
async fn plant(panel: &Panel, home: &Installation, temporary: &Path, key: &str) {
    let mut order = panel.order("dv-single", "dns", &["planted.test"]).await;
    order["specialInstruction"] = key.into();
    panel.place(&order).await;
    let reply = panel.http.get(&format!("/ssl/v2/{PASSWORD}")).await;
    assert_eq!(reply.status, 404);
    fs::write(home.data().join("planted"), key).unwrap();
    let der = pem::decode(key, &["PRIVATE KEY"]).unwrap();
    fs::write(temporary.join("planted"), der).unwrap();
}

/// What of a PKCS #8 key is not in its certificate as well.
fn secret_part(key: &str) -> Vec<u8> {
    // After the public exponent of RSA; the scalar of a curve, without the point after it.
    const EXPONENT: &[u8] = b"\x02\x03\x01\x00\x01";
    const SCALAR: &[u8] = b"\x02\x01\x01\x04\x20";
    let der = pem::decode(key, &["PRIVATE KEY"]).unwrap();
    let after = |mark: &[u8]| {
        let at = der.windows(mark.len()).position(|window| window == mark)?;
        Some(&der[at + mark.len()..])
    };
    match (after(EXPONENT), after(SCALAR)) {
        (Some(rest), _) => rest.to_vec(),
        (None, Some(rest)) => rest[..32].to_vec(),
        (None, None) => panic!("no private key"),
    }
}

/// Where a server leaves things.
struct Places<'a> {
    home: &'a Installation,
    temporary: &'a Path,
}

impl Places<'_> {
    /// The places where there are traces.
    fn with(&self, traces: &Traces) -> Vec<String> {
        let mut places = vec![
            ("log".to_owned(), fs::read(self.home.log()).unwrap()),
            ("table".to_owned(), self.home.tables()),
        ];
        collect(&self.home.data(), "data", &mut places);
        collect(self.temporary, "tmp", &mut places);
        let log = String::from_utf8_lossy(&places[0].1).into_owned();
        assert!(log.contains("TRACE"), "the log is at its most talkative");
        assert!(
            places[1].1.windows(9).any(|window| window == b"shop.test"),
            "the tables were read"
        );
        places.retain(|(_, content)| traces.are_in(content));
        places.into_iter().map(|(name, _)| name).collect()
    }
}

/// Reads every file below a folder.
fn collect(folder: &Path, name: &str, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{name}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &name, places);
        } else {
            places.push((name, fs::read(entry.path()).unwrap()));
        }
    }
}

/// How long a piece of a secret is searched for; chance does not bring that much of one about.
const LENGTH: usize = 24;

/// Every piece of some secrets, in every dress that software writes octets in.
#[derive(Default)]
struct Traces {
    pieces: HashSet<[u8; LENGTH]>,
    /// Whether a piece begins with these two octets: most of what is searched is passed over by this.
    begins: HashSet<[u8; 2]>,
}

impl Traces {
    fn add(&mut self, secret: &[u8]) {
        assert!(secret.len() >= LENGTH);
        self.add_dressed(secret);
        for start in 0..secret.len() {
            let rest = &secret[start..];
            let joined = |write: fn(&u8) -> String| rest.iter().map(write).collect::<String>();
            self.add_piece(joined(|octet| format!("{octet:02x}")).as_bytes());
            self.add_piece(joined(|octet| format!("{octet:02X}")).as_bytes());
            self.add_piece(joined(|octet| format!("{octet}, ")).as_bytes());
            let whole = rest.len() - rest.len() % 3;
            let base64 = pem::encode("", &rest[..whole.min(LENGTH)]);
            self.add_piece(base64.lines().nth(1).unwrap_or_default().as_bytes());
        }
        if let Ok(text) = std::str::from_utf8(secret) {
            let units = |order: fn(u16) -> [u8; 2]| {
                text.encode_utf16().flat_map(order).collect::<Vec<u8>>()
            };
            self.add_dressed(&units(u16::to_be_bytes));
            self.add_dressed(&units(u16::to_le_bytes));
        }
    }

    fn add_dressed(&mut self, octets: &[u8]) {
        for piece in octets.windows(LENGTH) {
            self.add_piece(piece);
        }
    }

    fn add_piece(&mut self, octets: &[u8]) {
        if let Some(piece) = octets.first_chunk() {
            self.pieces.insert(*piece);
            self.begins.insert([octets[0], octets[1]]);
        }
    }

    fn are_in(&self, octets: &[u8]) -> bool {
        let mut begins = vec![false; 1 << 16];
        for begin in &self.begins {
            begins[usize::from(u16::from_be_bytes(*begin))] = true;
        }
        octets.windows(LENGTH).any(|window| {
            let begin = u16::from_be_bytes([window[0], window[1]]);
            begins[usize::from(begin)] && self.pieces.contains(window)
        })
    }
}

#[test]
fn pieces_are_known_in_every_dress() {
    let mut traces = Traces::default();
    let secret: Vec<u8> = (0..64_u8).map(|octet| octet.wrapping_mul(37)).collect();
    traces.add(&secret);
    traces.add(b"a password of some length");
    let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
    for shift in 0..3 {
        let shifted = [&[0; 3][..shift], &secret].concat();
        let text = pem::encode("PRIVATE KEY", &shifted);
        assert!(traces.are_in(text.as_bytes()), "{text}");
    }
    for text in [
        format!("\\\\x00{hex}"),
        hex.to_uppercase(),
        format!("{secret:?}"),
        "it was: a password of some length.".to_owned(),
    ] {
        assert!(traces.are_in(text.as_bytes()), "{text}");
    }
    let wide: Vec<u8> = "a password of some length"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(traces.are_in(&wide));
    assert!(!traces.are_in(b"a passphrase of some length, or a password of another"));
    assert!(!traces.are_in(&secret[..LENGTH - 1]));
}
