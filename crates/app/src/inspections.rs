//! `database check`: looking a database over for damage.

use std::collections::HashMap;

use chancery_domain::certificates::{Certificate, CertificateId};
use chancery_issuers::issuer_id;
use chancery_pki::certificate::{CertificateInfo, Signed};
use chancery_pki::crl::read_crl;
use chancery_pki::public_keys::sha256;
use chancery_pki::sealing::MasterKey;

use crate::jobs::hex;
use crate::{AppError, Operations};

/// Certificates that are read at once.
const PAGE: i64 = 500;

/// No more faults of certificates are told than these.
const MOST: usize = 100;

impl Operations {
    /// What is damaged in the database, in sentences; nothing where all is well. Sealed secrets are opened where the
    /// master key is given. Only reads.
    pub async fn inspect(&self, master_key: Option<&MasterKey>) -> Result<Vec<String>, AppError> {
        let mut faults = self.store.engine_faults().await?;
        faults.extend(self.audit().await?);
        faults.extend(self.store.reference_faults().await?);
        let issuers = self.inspect_authority(&mut faults).await?;
        self.inspect_certificates(&issuers, &mut faults).await?;
        if let Some(master_key) = master_key {
            self.inspect_secrets(master_key, &mut faults).await?;
        }
        Ok(faults)
    }

    /// The CAs and their last lists: each parses, and carries the signature of its issuer. Answers the keys of the
    /// issuing CAs, by their ids.
    async fn inspect_authority(
        &self,
        faults: &mut Vec<String>,
    ) -> Result<HashMap<String, Vec<u8>>, AppError> {
        let mut keys = HashMap::new();
        let Some(held) = self.authority_certificates().await? else {
            return Ok(keys);
        };
        let Ok(root) = CertificateInfo::parse(&held.root) else {
            faults.push("the root's certificate cannot be read".to_owned());
            return Ok(keys);
        };
        let mut first = None;
        for (number, der) in (1..).zip(&held.issuing) {
            let read = (CertificateInfo::parse(der), issuer_id(der));
            let (Ok(info), Ok(id)) = read else {
                faults.push(format!(
                    "the certificate of issuing CA {number} cannot be read"
                ));
                continue;
            };
            if !is_signed(der, &root.spki_der) {
                faults.push(format!(
                    "issuing CA {id} does not carry the root's signature"
                ));
            }
            first.get_or_insert_with(|| id.clone());
            keys.insert(id, info.spki_der);
        }
        let of_root = first.map(|first| (format!("{first}-root"), root.spki_der));
        let of_issuing = keys.iter().map(|(id, key)| (id.clone(), key.clone()));
        for (issuer, key) in of_issuing.chain(of_root) {
            let Some(list) = self.store.latest_crl(&issuer).await? else {
                continue;
            };
            let number = read_crl(&list.der).map(|read| read.head.number);
            if number.ok() != Some(list.number.unsigned_abs()) || !is_signed(&list.der, &key) {
                faults.push(format!(
                    "revocation list {} of {issuer} is not what its row says, or not signed by it",
                    list.number
                ));
            }
        }
        Ok(keys)
    }

    async fn inspect_certificates(
        &self,
        issuers: &HashMap<String, Vec<u8>>,
        faults: &mut Vec<String>,
    ) -> Result<(), AppError> {
        let mut after = CertificateId(i64::MIN);
        let mut told = 0;
        loop {
            let page = self.store.each_certificate(after, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = *last;
            for (id, read) in page {
                let fault = match read {
                    Ok(certificate) => certificate_fault(&certificate, issuers),
                    Err(error) => Some(error.to_string()),
                };
                if let Some(fault) = fault {
                    told += 1;
                    match told {
                        ..=MOST => faults.push(format!("certificate {id}: {fault}")),
                        _ => {
                            faults.push("certificates: and more".to_owned());
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    /// Keys of CAs, and secrets that wait to be mailed: the master key opens each.
    async fn inspect_secrets(
        &self,
        master_key: &MasterKey,
        faults: &mut Vec<String>,
    ) -> Result<(), AppError> {
        let mut sealed = self.store.sealed_messages().await?;
        if let Some(first) = self.store.authority().await? {
            sealed.push((
                "the root's key".to_owned(),
                chancery_issuers::ROOT_CONTEXT,
                first.root_key,
            ));
            let of_first = format!("the key of issuing CA {}", first.issuer);
            sealed.push((
                of_first,
                chancery_issuers::ISSUING_CONTEXT,
                first.issuing_key,
            ));
        }
        for row in self.store.issuing_cas_after(1).await? {
            let what = format!("the key of issuing CA {}", row.issuer);
            sealed.push((what, chancery_issuers::ISSUING_CONTEXT, row.key));
        }
        for (what, context, sealed) in sealed {
            if master_key.open(context, &sealed).is_err() {
                faults.push(format!("the master key does not open {what}"));
            }
        }
        Ok(())
    }
}

/// Whether a certificate or list carries a signature of this key.
fn is_signed(der: &[u8], spki_der: &[u8]) -> bool {
    Signed::parse(der).is_ok_and(|signed| signed.verify(spki_der).is_ok())
}

/// What of a certificate's row does not fit its bytes.
fn certificate_fault(
    certificate: &Certificate,
    issuers: &HashMap<String, Vec<u8>>,
) -> Option<String> {
    let bytes = match certificate.der() {
        Some(der) => CertificateInfo::parse(der),
        None => CertificateInfo::parse_tbs(&certificate.tbs),
    };
    let Ok(info) = bytes else {
        return Some("its bytes are no certificate".to_owned());
    };
    let seconds = |at: chancery_domain::Timestamp| at.as_second();
    let names = certificate.names.iter().map(ToString::to_string);
    let [mut names, mut in_bytes] = [names.collect(), info.dns_names.clone()];
    names.sort_unstable();
    in_bytes.sort_unstable();
    let checks = [
        ("serial number", info.serial == certificate.serial),
        (
            "key",
            sha256(&info.spki_der)[..] == certificate.spki_sha256[..],
        ),
        ("names", names == in_bytes),
        (
            "dates",
            seconds(info.not_before) == seconds(certificate.validity.not_before)
                && seconds(info.not_after) == seconds(certificate.validity.not_after),
        ),
    ];
    if let Some((what, _)) = checks.iter().find(|(_, is_same)| !is_same) {
        let serial = hex(&certificate.serial);
        return Some(format!(
            "its {what} is not that of its bytes (serial {serial} by the row)"
        ));
    }
    let der = certificate.der()?;
    let is_same = Signed::parse(der).is_ok_and(|signed| signed.tbs == certificate.tbs);
    let key = issuers.get(&certificate.issuer);
    match (is_same, key.is_some_and(|key| is_signed(der, key))) {
        (false, _) => Some("what was signed is not what was reserved".to_owned()),
        (true, false) => Some("it does not carry its issuer's signature".to_owned()),
        (true, true) => None,
    }
}
