//! TLS towards PostgreSQL: on when the URL says `sslmode=require`, and then always verified.
//!
//! libpq encrypts without looking at the certificate unless told `verify-full`; here `require` means what
//! `verify-full` means there. Roots come from the file `sslrootcert` names, or else from the system.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::errors::StoreError;

pub(super) fn connector(roots: Option<&Path>) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(StoreError::database)?
        .with_root_certificates(match roots {
            Some(file) => roots_of(file)?,
            None => roots_of_system()?,
        })
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots_of(file: &Path) -> Result<RootCertStore, StoreError> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(StoreError::database)? {
        store
            .add(certificate.map_err(StoreError::database)?)
            .map_err(StoreError::database)?;
    }
    if store.is_empty() {
        return Err(StoreError::database(
            "the file that sslrootcert names holds no certificate",
        ));
    }
    Ok(store)
}

fn roots_of_system() -> Result<RootCertStore, StoreError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(StoreError::database(
            "this system has no root certificates: name a file with sslrootcert",
        ));
    }
    Ok(store)
}
