//! One HTTP/1.1 GET over one connection, with limits on everything that comes back.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use url::Host;

/// The largest body that is read, in bytes.
pub(crate) const BODY_LIMIT: usize = 16 * 1024;

/// The most that status line and headers may take, in bytes.
const HEAD_LIMIT: usize = 32 * 1024;

/// How the connection is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The first Location header, unprintable bytes replaced.
    pub(crate) location: Option<String>,
    /// Read for a success only; cut at [`BODY_LIMIT`].
    pub(crate) body: Vec<u8>,
    /// Whether the body ended within the limit.
    pub(crate) is_whole: bool,
}

/// Why there is no answer.
pub(crate) enum ExchangeError {
    /// The request could not be written down.
    Request,
    /// The TLS handshake failed.
    Tls(String),
    /// The other side does not speak HTTP/1.1, or hung up.
    Http(String),
}

/// Asks for `path` at `authority`. The caller bounds the time.
pub(crate) async fn get(
    stream: TcpStream,
    scheme: Scheme,
    host: &Host,
    authority: &str,
    path: &str,
) -> Result<Answer, ExchangeError> {
    let request = Request::get(path)
        .header(HOST, authority)
        .header(USER_AGENT, "Chancery domain control check")
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| ExchangeError::Request)?;
    match scheme {
        Scheme::Http => send(stream, request).await,
        Scheme::Https => {
            let name = server_name(host).ok_or(ExchangeError::Request)?;
            let connector = TlsConnector::from(Arc::clone(&TLS));
            let stream = connector
                .connect(name, stream)
                .await
                .map_err(|error| ExchangeError::Tls(error.to_string()))?;
            send(stream, request).await
        }
    }
}

async fn send<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<Answer, ExchangeError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |error: hyper::Error| ExchangeError::Http(error.to_string());
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_LIMIT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // The set ends its task when this function returns or is dropped, and the connection with it.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await.map_err(failed)?;
    read(response).await.map_err(failed)
}

async fn read(response: Response<Incoming>) -> Result<Answer, hyper::Error> {
    let location = response.headers().get(LOCATION);
    let mut answer = Answer {
        status: response.status(),
        location: location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        body: Vec::new(),
        is_whole: true,
    };
    if !answer.status.is_success() {
        return Ok(answer);
    }
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let room = BODY_LIMIT - answer.body.len();
        answer.body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            answer.is_whole = false;
            break;
        }
    }
    Ok(answer)
}

fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).ok(),
        Host::Ipv4(address) => Some(ServerName::from(std::net::IpAddr::from(*address))),
        Host::Ipv6(address) => Some(ServerName::from(std::net::IpAddr::from(*address))),
    }
}

static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = AnyCertificate {
        schemes: provider
            .signature_verification_algorithms
            .supported_schemes(),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("invariant: the built-in provider supports the default protocol versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Arc::new(config)
});

/// Accepts every certificate, and does not even check that the peer holds its key.
///
/// An applicant who asks for a certificate often has none that verifies yet, and the check does not rest on TLS:
/// it starts in plain HTTP, and what counts is that the value is served from where the name points
/// (BR 3.2.2.4.18 asks for no more).
#[derive(Debug)]
struct AnyCertificate {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
