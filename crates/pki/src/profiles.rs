//! What our certificates look like: the profiles of leaves, of the issuing CA and of the root.
//!
//! Leaves follow BR 7.1.2.7 with the choices of a private CA: nothing of a request is copied but its names
//! and its key, an organization is named only where one was verified; no policy is asserted, because those of the CA/Browser Forum would claim an audit that did
//! not happen. Everything that does not change between two leaves of an issuer is encoded once. Whether
//! the result is right is not judged here but by [`crate::lint`], before anything is signed.

use chancery_domain::names::DomainName;
use const_oid::AssociatedOid;
use const_oid::db::rfc4519::COMMON_NAME;
use const_oid::db::rfc5280::{ANY_POLICY, ID_AD_CA_ISSUERS, ID_KP_SERVER_AUTH};
use der::asn1::{Ia5String, OctetString, UintRef};
use der::{Decode, Encode};
use jiff::Timestamp;
use x509_cert::Version;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
    CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages,
    SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::time::Validity;

use crate::certificate::Issuer;
use crate::identities::Identity;
use crate::keys::KeyAlgorithm;
use crate::names::write_name;
use crate::public_keys::key_id;
use crate::structures::{self, Malformed, RawSequence, TbsCertificate, write_time};

/// X.520's bound on a common name, in characters; host names are ASCII.
const COMMON_NAME_LIMIT: usize = 64;

/// How the leaves of one issuer are built.
#[derive(Clone, Debug)]
pub struct LeafProfile {
    signature_algorithm: &'static [u8],
    issuer_name: Vec<u8>,
    /// Every extension but the subject alternative names.
    extensions: Vec<Extension>,
}

/// What differs from leaf to leaf.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// From [`crate::certificate::mint_serial`].
    pub serial: [u8; 16],
    /// The names, the first of which becomes the common name where it is short enough.
    pub names: &'a [DomainName],
    /// The organization it is for; none in a domain-validated leaf.
    pub identity: Option<&'a Identity>,
    /// The canonical key, from [`crate::public_keys::PublicKey`].
    pub spki_der: &'a [u8],
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity, which counts (BR 6.3.2): 90 days end at `not_before` + 7 775 999 s.
    pub not_after: Timestamp,
}

impl LeafProfile {
    /// Prepares the profile of one issuer, with the `http` URLs of its CRL and of its certificate.
    pub fn new(issuer: &Issuer, crl_url: &str, ca_issuers_url: &str) -> Result<Self, Malformed> {
        let mut extensions = vec![
            extension(true, &KeyUsage(KeyUsages::DigitalSignature.into()))?,
            server_auth()?,
            basic_constraints(false, None)?,
        ];
        extensions.extend(issuer_extensions(issuer, crl_url, ca_issuers_url)?);
        Ok(Self {
            signature_algorithm: issuer.algorithm.signature_algorithm_der(),
            issuer_name: issuer.name_der.clone(),
            extensions,
        })
    }

    /// Builds what is to be signed. Names are taken as they come: lint before signing.
    pub fn build_tbs(&self, leaf: &Leaf<'_>) -> Result<Vec<u8>, Malformed> {
        let common_name = leaf
            .names
            .first()
            .map(DomainName::as_str)
            .filter(|name| name.len() <= COMMON_NAME_LIMIT);
        let identity = leaf.identity.into_iter().flat_map(Identity::attributes);
        let subject = write_name(identity.chain(common_name.map(|name| (COMMON_NAME, name))))?;
        let is_empty = leaf.identity.is_none() && common_name.is_none();
        let names = alternative_names(leaf.names.iter(), is_empty)?;
        write_tbs(Tbs {
            serial: &leaf.serial,
            signature_algorithm: self.signature_algorithm,
            issuer_name: &self.issuer_name,
            validity: (leaf.not_before, leaf.not_after),
            subject: &subject,
            spki_der: leaf.spki_der,
            extensions: self.extensions.iter().chain([&names]),
        })
    }
}

/// What a CA certificate of ours says.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'a> {
    /// From [`crate::certificate::mint_serial`].
    pub serial: [u8; 16],
    /// From [`crate::names::encode_name`]: country, organization and common name.
    pub name_der: &'a [u8],
    /// Its key.
    pub spki_der: &'a [u8],
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
}

/// Builds a root, signed by its own key of the given kind (BR 7.1.2.1).
pub fn build_root_tbs(root: &Authority<'_>, algorithm: KeyAlgorithm) -> Result<Vec<u8>, Malformed> {
    let extensions = [
        basic_constraints(true, None)?,
        cert_sign_and_crl_sign()?,
        subject_key_id(root.spki_der)?,
    ];
    write_authority(root, algorithm, root.name_der, &extensions)
}

/// Builds an issuing CA under a root, for servers only and with no CA below it (BR 7.1.2.6).
///
/// It carries `anyPolicy`, so that a relying party that insists on a policy may still be satisfied by what
/// an operator's leaves say; a private CA has no reserved policy to name.
pub fn build_issuing_tbs(
    authority: &Authority<'_>,
    root: &Issuer,
    crl_url: &str,
    ca_issuers_url: &str,
) -> Result<Vec<u8>, Malformed> {
    let any_policy = CertificatePolicies(vec![PolicyInformation {
        policy_identifier: ANY_POLICY,
        policy_qualifiers: None,
    }]);
    let mut extensions = vec![
        basic_constraints(true, Some(0))?,
        cert_sign_and_crl_sign()?,
        server_auth()?,
        extension(false, &any_policy)?,
        subject_key_id(authority.spki_der)?,
    ];
    extensions.extend(issuer_extensions(root, crl_url, ca_issuers_url)?);
    write_authority(authority, root.algorithm, &root.name_der, &extensions)
}

fn write_authority(
    authority: &Authority<'_>,
    signer: KeyAlgorithm,
    issuer_name: &[u8],
    extensions: &[Extension],
) -> Result<Vec<u8>, Malformed> {
    write_tbs(Tbs {
        serial: &authority.serial,
        signature_algorithm: signer.signature_algorithm_der(),
        issuer_name,
        validity: (authority.not_before, authority.not_after),
        subject: authority.name_der,
        spki_der: authority.spki_der,
        extensions: extensions.iter(),
    })
}

/// What every certificate consists of, its parts in DER.
struct Tbs<'a, E> {
    serial: &'a [u8],
    signature_algorithm: &'a [u8],
    issuer_name: &'a [u8],
    validity: (Timestamp, Timestamp),
    subject: &'a [u8],
    spki_der: &'a [u8],
    extensions: E,
}

fn write_tbs<'a>(tbs: Tbs<'a, impl Iterator<Item = &'a Extension>>) -> Result<Vec<u8>, Malformed> {
    let (not_before, not_after) = tbs.validity;
    let certificate = TbsCertificate {
        version: Version::V3,
        serial: UintRef::new(tbs.serial)?,
        signature_algorithm: RawSequence::from_der(tbs.signature_algorithm)?,
        issuer: RawSequence::from_der(tbs.issuer_name)?,
        validity: Validity::new(write_time(not_before)?, write_time(not_after)?),
        subject: RawSequence::from_der(tbs.subject)?,
        spki: RawSequence::from_der(tbs.spki_der)?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(tbs.extensions.map(structures::Extension::from).collect()),
    };
    Ok(certificate.to_der()?)
}

/// An extension; whether it is critical is never left to the library.
pub(crate) fn extension<T: AssociatedOid + Encode>(
    critical: bool,
    value: &T,
) -> Result<Extension, Malformed> {
    Ok(Extension {
        extn_id: T::OID,
        critical,
        extn_value: OctetString::new(value.to_der()?)?,
    })
}

/// The subject alternative names, which are host names.
pub(crate) fn alternative_names<'a>(
    names: impl Iterator<Item = &'a DomainName>,
    critical: bool,
) -> Result<Extension, Malformed> {
    let names = names.map(|name| Ok(GeneralName::DnsName(Ia5String::new(name.as_str())?)));
    let names = names.collect::<der::Result<_>>()?;
    extension(critical, &SubjectAltName(names))
}

/// The extensions that point from a certificate to its issuer.
fn issuer_extensions(
    issuer: &Issuer,
    crl_url: &str,
    ca_issuers_url: &str,
) -> Result<[Extension; 3], Malformed> {
    let uri = |url| Ia5String::new(url).map(GeneralName::UniformResourceIdentifier);
    let points = CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![uri(crl_url)?])),
        reasons: None,
        crl_issuer: None,
    }]);
    let access = AuthorityInfoAccessSyntax(vec![AccessDescription {
        access_method: ID_AD_CA_ISSUERS,
        access_location: uri(ca_issuers_url)?,
    }]);
    Ok([
        authority_key_id(issuer)?,
        extension(false, &points)?,
        extension(false, &access)?,
    ])
}

/// The authority key identifier: the issuer's own key, never its issuer and serial.
pub(crate) fn authority_key_id(issuer: &Issuer) -> Result<Extension, Malformed> {
    let id = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(issuer.key_id.as_slice())?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    extension(false, &id)
}

fn subject_key_id(spki_der: &[u8]) -> Result<Extension, Malformed> {
    let id = SubjectKeyIdentifier(OctetString::new(key_id(spki_der)?)?);
    extension(false, &id)
}

fn basic_constraints(ca: bool, path_len_constraint: Option<u8>) -> Result<Extension, Malformed> {
    let constraints = BasicConstraints {
        ca,
        path_len_constraint,
    };
    extension(true, &constraints)
}

fn cert_sign_and_crl_sign() -> Result<Extension, Malformed> {
    extension(true, &KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign))
}

fn server_auth() -> Result<Extension, Malformed> {
    extension(false, &ExtendedKeyUsage(vec![ID_KP_SERVER_AUTH]))
}
