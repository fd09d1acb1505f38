//! The embedded CA at work: leaves and revocation lists.

use std::fmt::Write as _;
use std::sync::Arc;

use chancery_domain::names::DomainName;
use chancery_domain::validity::{Validity, days};
use chancery_pki::Malformed;
use chancery_pki::certificate::{Issuer, NoRandom, Signed, assemble, mint_serial, to_pem};
use chancery_pki::crl::{CrlHead, Revoked, build_crl_tbs};
use chancery_pki::identities::Identity;
use chancery_pki::keys::{SigningKey, SigningKeyError};
use chancery_pki::lint::{
    CrlRules, CrlScope, Finding, LeafRules, SubjectRule, lint_crl, lint_leaf,
};
use chancery_pki::profiles::{Leaf, LeafProfile};
use chancery_pki::public_keys::sha256;
use chancery_pki::sealing::MasterKey;
use jiff::{SignedDuration, Timestamp};

use crate::authority::{
    self, CaError, CaRecord, CaSettings, CaUrls, ISSUING_CONTEXT, IssuingRecord, ROOT_CONTEXT,
    refused, whole_seconds,
};

/// No leaf lives longer, whatever an operator sets: Apple's clients refuse longer server certificates even
/// from roots their user installed.
pub const VALIDITY_CEILING: SignedDuration = SignedDuration::from_hours(825 * 24);

/// A CA inside the platform, opened and ready to sign: an issuing CA and the root above it.
#[derive(Debug)]
pub struct EmbeddedCa {
    root: Arc<Member>,
    issuing: Member,
    profile: LeafProfile,
    urls: CaUrls,
    id: String,
}

/// One of the two CAs in the chain.
#[derive(Debug)]
struct Member {
    certificate_der: Vec<u8>,
    issuer: Issuer,
    key: SigningKey,
}

/// What a leaf is to say.
#[derive(Clone, Copy, Debug)]
pub struct LeafRequest<'a> {
    /// Its names, each proved; the first becomes the common name where it is short enough.
    pub names: &'a [DomainName],
    /// The organization it names, with every text as vetting verified it, for OV and EV; `None` for DV.
    pub identity: Option<&'a Identity>,
    /// Its key, canonical, from `chancery_pki::public_keys::PublicKey`.
    pub spki_der: &'a [u8],
    /// Its first and last second; fractions are cut off.
    pub validity: Validity,
    /// The longest validity allowed on the day of issuance.
    pub cap_days: u32,
}

/// The octets that will be signed, to be put on record before they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reservation {
    /// Never used before by this CA, barring a chance of 2⁻¹²⁷; the store's unique index has the last word.
    pub serial: Vec<u8>,
    /// For [`EmbeddedCa::sign`].
    pub tbs: Vec<u8>,
    /// SHA-256 of the key.
    pub spki_sha256: [u8; 32],
}

/// Why something was not signed.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// It breaks rules, or cannot be encoded; asking again will not help. The other kinds are failures of
    /// ours.
    #[error("the certificate or list breaks the rules: {}", list_findings(.0))]
    Refused(Vec<Finding>),
    /// No random octets.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// The key failed.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
}

impl From<Malformed> for IssueError {
    fn from(error: Malformed) -> Self {
        Self::Refused(unwritable(error))
    }
}

impl EmbeddedCa {
    /// Makes a new CA, as a record to be stored. RSA keys take seconds.
    pub fn create(
        settings: &CaSettings,
        urls: &CaUrls,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<CaRecord, CaError> {
        authority::create(settings, urls, master, now)
    }

    /// Opens a stored CA; checks that its keys and certificates belong together and that signing works.
    /// New leaves carry the URLs given here.
    pub fn open(record: &CaRecord, urls: &CaUrls, master: &MasterKey) -> Result<Self, CaError> {
        let root = Member::open(
            &record.root_certificate_der,
            &master.open(ROOT_CONTEXT, &record.root_key_sealed)?,
            "root",
        )?;
        root.certify(&root.certificate_der)?;
        let first = IssuingRecord {
            certificate_der: record.issuing_certificate_der.clone(),
            key_sealed: record.issuing_key_sealed.clone(),
        };
        Self::under(Arc::new(root), &first, urls, master)
    }

    /// Makes an issuing CA that is to follow this one, under the same root, as a record to be stored.
    pub fn create_successor(
        &self,
        settings: &CaSettings,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<IssuingRecord, CaError> {
        let root = (&self.root.issuer, &self.root.key);
        authority::create_issuing(settings, &self.urls, master, root, now)
    }

    /// Opens a stored issuing CA under the same root, with the same checks as the first.
    pub fn open_successor(
        &self,
        record: &IssuingRecord,
        urls: &CaUrls,
        master: &MasterKey,
    ) -> Result<Self, CaError> {
        Self::under(Arc::clone(&self.root), record, urls, master)
    }

    fn under(
        root: Arc<Member>,
        record: &IssuingRecord,
        urls: &CaUrls,
        master: &MasterKey,
    ) -> Result<Self, CaError> {
        let issuing = Member::open(
            &record.certificate_der,
            &master.open(ISSUING_CONTEXT, &record.key_sealed)?,
            "issuing CA",
        )?;
        root.certify(&issuing.certificate_der)?;
        let profile = LeafProfile::new(
            &issuing.issuer,
            &urls.issuing_crl,
            &urls.issuing_certificate,
        )
        .map_err(refused)?;
        Ok(Self {
            id: id_of(&issuing.issuer),
            root,
            issuing,
            profile,
            urls: urls.clone(),
        })
    }

    /// First half of an issuance: mints a serial number, builds what is to be signed, and lints it as of
    /// `now`. The caller puts the result on record.
    pub fn reserve(
        &self,
        request: &LeafRequest<'_>,
        now: Timestamp,
    ) -> Result<Reservation, IssueError> {
        let serial = mint_serial()?;
        let tbs = self.profile.build_tbs(&Leaf {
            serial,
            names: request.names,
            identity: request.identity,
            spki_der: request.spki_der,
            not_before: whole_seconds(request.validity.not_before),
            not_after: whole_seconds(request.validity.not_after),
        })?;
        let cap = days(request.cap_days).min(VALIDITY_CEILING);
        let rules = LeafRules {
            subject: subject_rule(request.identity),
            now: Some(now),
            ..self.leaf_rules(cap)
        };
        refuse(lint_leaf(&tbs, &rules))?;
        Ok(Reservation {
            serial: serial.to_vec(),
            tbs,
            spki_sha256: sha256(request.spki_der),
        })
    }

    /// Second half: signs the recorded octets and returns the certificate.
    ///
    /// The octets are linted once more, since a store may be damaged or tampered with, but without the
    /// rules that hang on the time of the reservation or on what was verified then. The signature is not verified: that would take
    /// several times as long as the rest, the library checks RSA signatures itself against faults, and the
    /// key proved itself in [`EmbeddedCa::open`].
    pub fn sign(&self, tbs: &[u8]) -> Result<Vec<u8>, IssueError> {
        refuse(lint_leaf(tbs, &self.leaf_rules(VALIDITY_CEILING)))?;
        self.issuing.sign(tbs)
    }

    /// The same for octets that have waited: they are held against whom they may name by now.
    pub fn sign_naming(
        &self,
        tbs: &[u8],
        identity: Option<&Identity>,
    ) -> Result<Vec<u8>, IssueError> {
        let rules = LeafRules {
            subject: subject_rule(identity),
            ..self.leaf_rules(VALIDITY_CEILING)
        };
        refuse(lint_leaf(tbs, &rules))?;
        self.issuing.sign(tbs)
    }

    /// A list of what the issuing CA revoked.
    pub fn issuing_crl(
        &self,
        number: u64,
        this_update: Timestamp,
        next_update: Timestamp,
        revoked: &[Revoked],
    ) -> Result<Vec<u8>, IssueError> {
        let head = CrlHead {
            number,
            this_update,
            next_update,
        };
        self.issuing.crl(CrlScope::Leaves, &head, revoked)
    }

    /// A list of what the root revoked: issuing CAs, each with a reason.
    pub fn root_crl(
        &self,
        number: u64,
        this_update: Timestamp,
        next_update: Timestamp,
        revoked: &[Revoked],
    ) -> Result<Vec<u8>, IssueError> {
        let head = CrlHead {
            number,
            this_update,
            next_update,
        };
        self.root.crl(CrlScope::Authorities, &head, revoked)
    }

    /// The root's certificate.
    pub fn root_certificate_der(&self) -> &[u8] {
        &self.root.certificate_der
    }

    /// The issuing CA's certificate.
    pub fn issuing_certificate_der(&self) -> &[u8] {
        &self.issuing.certificate_der
    }

    /// What a server sends after its own certificate: the issuing CA's, and not the root's.
    pub fn chain_pem(&self) -> String {
        to_pem(&self.issuing.certificate_der)
    }

    /// What relying parties have to trust.
    pub fn root_pem(&self) -> String {
        to_pem(&self.root.certificate_der)
    }

    /// The last second of the root.
    pub fn root_not_after(&self) -> Timestamp {
        self.root.issuer.not_after
    }

    /// The first second of the root.
    pub fn root_not_before(&self) -> Timestamp {
        self.root.issuer.not_before
    }

    /// The first second for which the issuing CA can sign.
    pub fn not_before(&self) -> Timestamp {
        self.issuing.issuer.not_before
    }

    /// The last second for which the issuing CA can sign.
    pub fn not_after(&self) -> Timestamp {
        self.issuing.issuer.not_after
    }

    /// Names the issuing CA's key for the store: sixteen hexadecimal digits.
    pub fn issuer_id(&self) -> &str {
        &self.id
    }

    /// The rules for what is on record.
    fn leaf_rules(&self, validity_cap: SignedDuration) -> LeafRules<'_> {
        LeafRules {
            issuer: &self.issuing.issuer,
            crl_url: &self.urls.issuing_crl,
            ca_issuers_url: &self.urls.issuing_certificate,
            validity_cap,
            subject: SubjectRule::OnRecord,
            now: None,
        }
    }
}

/// The rule for a leaf that names an organization as it was verified, or nobody.
fn subject_rule(identity: Option<&Identity>) -> SubjectRule<'_> {
    match identity {
        Some(identity) => SubjectRule::Organization(identity),
        None => SubjectRule::NamesOnly,
    }
}

impl Member {
    fn open(certificate_der: &[u8], key: &[u8], role: &'static str) -> Result<Self, CaError> {
        let issuer = Issuer::from_certificate(certificate_der)?;
        let key = SigningKey::from_pkcs8(key)?;
        if key.spki_der() != issuer.spki_der {
            return Err(CaError::Mismatch(role));
        }
        // An empty structure, which nothing takes for a certificate, shows that the key works.
        let probe: &[u8] = b"\x30\x00";
        let algorithm = issuer.algorithm.signature_algorithm_der();
        let signed = assemble(probe, algorithm, &key.sign(probe)?)?;
        Signed::parse(&signed)?
            .verify(&issuer.spki_der)
            .map_err(|_| CaError::Mismatch(role))?;
        Ok(Self {
            certificate_der: certificate_der.to_vec(),
            issuer,
            key,
        })
    }

    /// Makes sure that a certificate carries this member's signature.
    fn certify(&self, certificate_der: &[u8]) -> Result<(), CaError> {
        Signed::parse(certificate_der)?
            .verify(self.key.spki_der())
            .map_err(|_| CaError::Chain)
    }

    fn sign(&self, tbs: &[u8]) -> Result<Vec<u8>, IssueError> {
        let signature = self.key.sign(tbs)?;
        let algorithm = self.issuer.algorithm.signature_algorithm_der();
        Ok(assemble(tbs, algorithm, &signature)?)
    }

    fn crl(
        &self,
        scope: CrlScope,
        head: &CrlHead,
        revoked: &[Revoked],
    ) -> Result<Vec<u8>, IssueError> {
        let tbs = build_crl_tbs(&self.issuer, head, revoked)?;
        refuse(lint_crl(
            &tbs,
            &CrlRules {
                issuer: &self.issuer,
                scope,
                last_number: None,
            },
        ))?;
        self.sign(&tbs)
    }
}

/// The id under which an issuing CA with this certificate is kept, before it is opened.
pub fn issuer_id(certificate_der: &[u8]) -> Result<String, CaError> {
    Ok(id_of(&Issuer::from_certificate(certificate_der)?))
}

fn id_of(issuer: &Issuer) -> String {
    hex(&sha256(&issuer.spki_der)[..8])
}

fn refuse(findings: Vec<Finding>) -> Result<(), IssueError> {
    if findings.is_empty() {
        Ok(())
    } else {
        Err(IssueError::Refused(findings))
    }
}

pub(crate) fn unwritable(_: Malformed) -> Vec<Finding> {
    vec![Finding {
        rule: "X.690",
        message: "it says something that has no encoding".to_owned(),
    }]
}

pub(crate) fn list_findings(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
