//! TLS on the way a redirect leads. It is a way and not a proof: nothing is concluded from it.

use std::io;
use std::sync::{Arc, LazyLock};

use chancery_domain::findings::TlsTrouble;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::excerpts::shown;
use crate::legacy_suites;

/// Sets TLS up with whoever is there.
pub(crate) async fn connect(
    stream: TcpStream,
    name: ServerName<'static>,
) -> Result<TlsStream<TcpStream>, TlsTrouble> {
    let connector = TlsConnector::from(Arc::clone(&CONFIG));
    connector
        .connect(name, stream)
        .await
        .map_err(|error| trouble(&error))
}

/// What went wrong, by the server's alert or by what it did.
fn trouble(error: &io::Error) -> TlsTrouble {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::AlertReceived(alert)) => match alert {
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                TlsTrouble::NoCommonSuite
            }
            AlertDescription::ProtocolVersion => TlsTrouble::NoCommonVersion,
            AlertDescription::UnrecognisedName => TlsTrouble::UnknownName,
            other => TlsTrouble::Other(shown(&format!("the server sent the alert {other:?}"))),
        },
        Some(Error::PeerIncompatible(why)) => match why {
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
                TlsTrouble::NoCommonVersion
            }
            PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon => {
                TlsTrouble::NoCommonSuite
            }
            other => TlsTrouble::Other(shown(&format!("{other:?}"))),
        },
        Some(Error::InvalidMessage(_)) => TlsTrouble::NotTls,
        Some(other) => TlsTrouble::Other(shown(&other.to_string())),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => TlsTrouble::BrokenOff,
            _ => TlsTrouble::Other(shown(&error.to_string())),
        },
    }
}

static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.extend(legacy_suites::SUITES.iter());
    let mut schemes = provider
        .signature_verification_algorithms
        .supported_schemes();
    // Servers of the time of the legacy suites sign with these; no signature is checked anyway.
    schemes.extend([
        SignatureScheme::RSA_PKCS1_SHA1,
        SignatureScheme::ECDSA_SHA1_Legacy,
    ]);
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("invariant: the built-in provider supports the default protocol versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate { schemes }))
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
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
