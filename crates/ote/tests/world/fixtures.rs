//! A running OTE world, the production clients pointed at it, and servers that misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Challenge, RecordType};
use chancery_domain::names::DomainName;
use chancery_domain::observations::Observation;
use chancery_ote::{
    Listening, OteWorld, OwnerName, RecordKind, RecordSetText, WebFile, WebHead, dns_server,
    web_server,
};
use chancery_outside::dcv::Dcv;
use chancery_outside::dns::{Resolver, ResolverSettings};
use chancery_outside::probe::{HttpProbe, ProbePolicy};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The value every challenge of the tests wants.
pub const VALUE: &str = "3F2A9C51D8E04B7796A1C0DE55AA77BB";

pub const ANY_PORT: &str = "127.0.0.1:0";

/// A port nobody listens on: no test is given one below 1024.
pub const NOBODY: &str = "127.0.0.1:1";

/// Long enough for loopback on a busy machine, short enough to wait for.
pub const PATIENCE: Duration = Duration::from_millis(1500);

pub struct Outside {
    pub world: OteWorld,
    pub dns: Listening,
    pub web: Listening,
}

impl Outside {
    pub async fn start() -> Self {
        let world = OteWorld::in_memory();
        let any = address(ANY_PORT);
        let dns = dns_server::start(any, Arc::clone(&world.zones))
            .await
            .expect("a DNS server");
        let web = web_server::start(any, Arc::clone(&world.web))
            .await
            .expect("a web server");
        Self { world, dns, web }
    }

    pub fn put(&self, name: &str, kind: &str, json: &str) {
        let set: RecordSetText = serde_json::from_str(json).expect("a record set");
        let kind = RecordKind::parse(kind).expect("a record type");
        self.world
            .zones
            .put(&owner(name), kind, set)
            .expect("a record that fits");
    }

    pub fn put_values(&self, name: &str, kind: &str, values: &[&str]) {
        self.put(
            name,
            kind,
            &serde_json::json!({ "values": values }).to_string(),
        );
    }

    pub fn put_file(&self, host: &str, path: &str, body: &str) {
        let file = WebFile {
            head: WebHead::default(),
            body: body.to_owned().into(),
        };
        self.world
            .web
            .put(&owner(host), path, file)
            .expect("a file that fits");
    }

    pub fn put_redirect(&self, host: &str, path: &str, status: u16, location: &str) {
        let location = Some(location.to_owned());
        let head = WebHead {
            status,
            location,
            ..WebHead::default()
        };
        let file = WebFile {
            head,
            body: "moved".into(),
        };
        self.world
            .web
            .put(&owner(host), path, file)
            .expect("a file that fits");
    }

    pub fn resolver(&self) -> Resolver {
        resolver(self.dns.local_addr())
    }

    /// The clients as OTE mode wires them.
    pub fn dcv(&self) -> Dcv {
        self.dcv_with(ProbePolicy::loopback(self.web.local_addr().port(), 1))
    }

    pub fn dcv_with(&self, policy: ProbePolicy) -> Dcv {
        Dcv::new(self.resolver(), HttpProbe::new(self.resolver(), policy))
    }

    pub async fn look_for_txt(&self, name: &str) -> Observation {
        look(
            &self.dcv(),
            name,
            &dns_challenge(name, RecordType::Txt, VALUE),
        )
        .await
    }

    pub async fn look_for_file(&self, name: &str) -> Observation {
        look(&self.dcv(), name, &file_challenge()).await
    }
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().expect("a socket address")
}

pub fn owner(name: &str) -> OwnerName {
    OwnerName::parse(name).expect("a name")
}

pub fn domain(name: &str) -> DomainName {
    DomainName::parse(name).expect("a domain name")
}

/// A client of an OTE server, as OTE mode wires it.
pub fn resolver(server: SocketAddr) -> Resolver {
    let settings = ResolverSettings {
        servers: vec![server],
        timeout: PATIENCE,
        attempts: 1,
        recursive: false,
    };
    Resolver::new(&settings).expect("a resolver")
}

/// A client of recursive resolvers, as production wires it.
pub fn recursive(servers: &[SocketAddr]) -> Resolver {
    let settings = ResolverSettings {
        servers: servers.to_vec(),
        timeout: PATIENCE,
        attempts: 1,
        recursive: true,
    };
    Resolver::new(&settings).expect("a resolver")
}

pub fn dns_challenge(name: &str, record_type: RecordType, value: &str) -> Challenge {
    let host = format!("_dnsauth.{}", domain(name).host_str());
    Challenge::Dns {
        record_type,
        host,
        value: value.to_owned(),
    }
}

pub fn file_challenge() -> Challenge {
    Challenge::File {
        file_name: "fileauth.txt".to_owned(),
        value: VALUE.to_owned(),
    }
}

pub const FILE_PATH: &str = "/.well-known/pki-validation/fileauth.txt";

pub async fn look(dcv: &Dcv, name: &str, challenge: &Challenge) -> Observation {
    dcv.look(&domain(name), challenge, Timestamp::UNIX_EPOCH)
        .await
}

/// A web server that sends `answer` to whoever asks, then `then`s.
pub async fn scripted_server(answer: Vec<u8>, then: Then) -> SocketAddr {
    let listener = TcpListener::bind(ANY_PORT).await.expect("a listener");
    let local_addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(play(stream, answer.clone(), then));
        }
    });
    local_addr
}

/// What a scripted server does after its answer.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Then {
    Close,
    Stall,
}

async fn play<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: Vec<u8>, then: Then) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        request.push(byte);
    }
    let _ = stream.write_all(&answer).await;
    let _ = stream.flush().await;
    if then == Then::Stall {
        std::future::pending::<()>().await;
    }
    let _ = stream.shutdown().await;
}

/// The same over TLS, with a certificate that nobody would trust.
pub async fn scripted_tls_server(answer: Vec<u8>) -> SocketAddr {
    let signed = rcgen::generate_simple_self_signed(vec!["wrong.test".to_owned()])
        .expect("a self-signed certificate");
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the default protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .expect("a certificate with its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(ANY_PORT).await.expect("a listener");
    let local_addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    play(stream, answer, Then::Close).await;
                }
            });
        }
    });
    local_addr
}

/// An answer with a body and its length.
pub fn ok_answer(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
