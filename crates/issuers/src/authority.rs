//! The making of an embedded CA: a root, and under it issuing CAs for servers, one after the other.

use chancery_pki::Malformed;
use chancery_pki::certificate::{Issuer, NoRandom, assemble, mint_serial};
use chancery_pki::keys::{KeyAlgorithm, SigningKey, SigningKeyError};
use chancery_pki::lint::{AuthorityRules, Finding, lint_authority};
use chancery_pki::names::{Attributes, NameError, encode_name};
use chancery_pki::profiles::{Authority, build_issuing_tbs, build_root_tbs};
use chancery_pki::public_keys::key_id;
use chancery_pki::sealing::{MasterKey, SealError};
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};

use crate::embedded::{list_findings, unwritable};

/// How long before their making the CA certificates begin: longer than leaves are dated back, so that the
/// first leaf does not begin before its issuer.
const BACK_DATING: SignedDuration = SignedDuration::from_hours(2);

/// How long each issuing CA lives: as long as may be (the linter's bound is three years).
pub const ISSUING_YEARS: u8 = 3;

/// What the root's key is sealed for.
pub const ROOT_CONTEXT: &str = "embedded ca/root key";
/// What the keys of issuing CAs are sealed for.
pub const ISSUING_CONTEXT: &str = "embedded ca/issuing key";

/// What a new CA is to be like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CaSettings {
    /// The kind of its keys.
    pub key_algorithm: KeyAlgorithm,
    /// Who runs it.
    pub organization: String,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
    /// What its common names begin with; `Root` or `Issuing CA` and a part of the key's identifier follow.
    pub common_name: String,
    /// Life of the root, 8 to 25 years. Its issuing CAs live [`ISSUING_YEARS`] each.
    pub root_years: u8,
}

impl CaSettings {
    /// P-256, named after the organization, and the longest life a root may have (BR 7.1.2.1.1): nothing but
    /// a new root helps once it is too short for another issuing CA.
    pub fn new(organization: &str, country: &str) -> Self {
        Self {
            key_algorithm: KeyAlgorithm::P256,
            organization: organization.to_owned(),
            country: country.to_owned(),
            common_name: organization.to_owned(),
            root_years: 25,
        }
    }
}

/// Where relying parties find what they need; all `http`, since these cannot be asked for over TLS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CaUrls {
    /// The root's CRL, named in the issuing CA's certificate.
    pub root_crl: String,
    /// The root's certificate, likewise.
    pub root_certificate: String,
    /// The issuing CA's CRL, named in every leaf.
    pub issuing_crl: String,
    /// The issuing CA's certificate, likewise.
    pub issuing_certificate: String,
}

/// A CA as it is stored; the keys are sealed under the master key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CaRecord {
    /// The root's certificate.
    pub root_certificate_der: Vec<u8>,
    /// The root's key.
    pub root_key_sealed: Vec<u8>,
    /// The issuing CA's certificate.
    pub issuing_certificate_der: Vec<u8>,
    /// The issuing CA's key.
    pub issuing_key_sealed: Vec<u8>,
}

/// An issuing CA that followed another, as it is stored; the key is sealed under the master key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuingRecord {
    /// Its certificate.
    pub certificate_der: Vec<u8>,
    /// Its key.
    pub key_sealed: Vec<u8>,
}

/// Why a CA could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A life outside the bounds.
    #[error("the root has to live 8 to 25 years")]
    Years,
    /// The root ends before an issuing CA made now would.
    #[error(
        "the root ends at {0}, too soon for another issuing CA: it can be replaced only by a new \
         installation, whose root relying parties have to be given"
    )]
    RootEnds(Timestamp),
    /// The CA's name cannot be written.
    #[error("the name of the CA: {0}")]
    Name(#[from] NameError),
    /// A key could not be made, read or used.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// A key could not be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No random octets.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// A certificate breaks the rules of its profile and was not signed.
    #[error("the CA certificate breaks the rules: {}", list_findings(.0))]
    Refused(Vec<Finding>),
    /// A stored certificate does not read.
    #[error("a stored CA certificate is damaged")]
    Damaged,
    /// A stored key is not the one of its certificate.
    #[error("the stored key of the {0} does not belong to its certificate")]
    Mismatch(&'static str),
    /// A stored certificate is not signed by the root.
    #[error("the stored CA certificates do not form a chain")]
    Chain,
}

impl From<Malformed> for CaError {
    fn from(_: Malformed) -> Self {
        Self::Damaged
    }
}

/// Makes the root and its first issuing CA.
pub(crate) fn create(
    settings: &CaSettings,
    urls: &CaUrls,
    master: &MasterKey,
    now: Timestamp,
) -> Result<CaRecord, CaError> {
    if !(8..=25).contains(&settings.root_years) {
        return Err(CaError::Years);
    }
    let not_before = whole_seconds(now - BACK_DATING);

    let root_key = SigningKey::generate(settings.key_algorithm)?;
    let root = Authority {
        serial: mint_serial()?,
        name_der: &name(settings, "Root", &root_key)?,
        spki_der: root_key.spki_der(),
        not_before,
        not_after: last_second(not_before, settings.root_years)?,
    };
    let tbs = build_root_tbs(&root, settings.key_algorithm).map_err(refused)?;
    let rules = AuthorityRules::Root {
        algorithm: settings.key_algorithm,
        now,
    };
    let root_certificate_der = sign(&tbs, &rules, &root_key)?;
    let root = Issuer::from_certificate(&root_certificate_der)?;
    let issuing = create_issuing(settings, urls, master, (&root, &root_key), now)?;
    Ok(CaRecord {
        root_certificate_der,
        root_key_sealed: master.seal(ROOT_CONTEXT, &root_key.to_pkcs8()?)?,
        issuing_certificate_der: issuing.certificate_der,
        issuing_key_sealed: issuing.key_sealed,
    })
}

/// Makes an issuing CA under a root.
pub(crate) fn create_issuing(
    settings: &CaSettings,
    urls: &CaUrls,
    master: &MasterKey,
    (root, root_key): (&Issuer, &SigningKey),
    now: Timestamp,
) -> Result<IssuingRecord, CaError> {
    let not_before = whole_seconds(now - BACK_DATING);
    let not_after = last_second(not_before, ISSUING_YEARS)?;
    if root.not_after < not_after {
        return Err(CaError::RootEnds(root.not_after));
    }
    let issuing_key = SigningKey::generate(settings.key_algorithm)?;
    let issuing = Authority {
        serial: mint_serial()?,
        name_der: &name(settings, "Issuing CA", &issuing_key)?,
        spki_der: issuing_key.spki_der(),
        not_before,
        not_after,
    };
    let tbs = build_issuing_tbs(&issuing, root, &urls.root_crl, &urls.root_certificate)
        .map_err(refused)?;
    let rules = AuthorityRules::Issuing {
        root,
        crl_url: &urls.root_crl,
        ca_issuers_url: &urls.root_certificate,
        now,
    };
    Ok(IssuingRecord {
        certificate_der: sign(&tbs, &rules, root_key)?,
        key_sealed: master.seal(ISSUING_CONTEXT, &issuing_key.to_pkcs8()?)?,
    })
}

fn sign(tbs: &[u8], rules: &AuthorityRules<'_>, key: &SigningKey) -> Result<Vec<u8>, CaError> {
    let findings = lint_authority(tbs, rules);
    if !findings.is_empty() {
        return Err(CaError::Refused(findings));
    }
    let algorithm = key.algorithm().signature_algorithm_der();
    assemble(tbs, algorithm, &key.sign(tbs)?).map_err(refused)
}

/// What a CA is to say has no encoding, for example a URL that is not ASCII.
pub(crate) fn refused(error: Malformed) -> CaError {
    CaError::Refused(unwritable(error))
}

/// The common name ends in a part of the key's identifier: two CAs of one operator never share a name.
fn name(settings: &CaSettings, role: &str, key: &SigningKey) -> Result<Vec<u8>, CaError> {
    let id = key_id(key.spki_der())?;
    let common_name = format!(
        "{} {role} {:02X}{:02X}{:02X}",
        settings.common_name, id[0], id[1], id[2]
    );
    Ok(encode_name(&Attributes {
        country: Some(&settings.country),
        organization: Some(&settings.organization),
        common_name: Some(&common_name),
        ..Attributes::default()
    })?)
}

/// The last second of so many calendar years.
fn last_second(not_before: Timestamp, years: u8) -> Result<Timestamp, CaError> {
    Offset::UTC
        .to_datetime(not_before)
        .checked_add(Span::new().years(i64::from(years)))
        .and_then(|end| Offset::UTC.to_timestamp(end))
        .map(|end| end - SignedDuration::from_secs(1))
        .map_err(|_| CaError::Years)
}

/// Certificates know no fractions of seconds.
pub(crate) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
