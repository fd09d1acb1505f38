//! What our certificates look like: the profiles of leaves, of the issuing CA and of the root.
//!
//! Leaves follow BR 7.1.2.7 with the choices of a private CA: nothing of a request is copied but its names
//! and its key; no policy is asserted, because those of the CA/Browser Forum would claim an audit that did
//! not happen. Everything that does not change between two leaves of an issuer is encoded once. Whether
//! the result is right is not judged here but by [`crate::lint`], before anything is signed.

use chancery_domain::names::DomainName;
use jiff::Timestamp;

use crate::certificate::Issuer;
use crate::encoding::{Der, Malformed, encode, tag};
use crate::keys::KeyAlgorithm;
use crate::names::push_attribute;
use crate::oid;
use crate::public_keys::key_id;

/// X.520's bound on a common name, in characters; host names are ASCII.
const COMMON_NAME_LIMIT: usize = 64;

const VERSION_3: &[u8] = b"\xa0\x03\x02\x01\x02";
const DIGITAL_SIGNATURE: &[u8] = b"\x03\x02\x07\x80";
const CERT_SIGN_AND_CRL_SIGN: &[u8] = b"\x03\x02\x01\x06";
const EMPTY_SEQUENCE: &[u8] = b"\x30\x00";

/// How the leaves of one issuer are built.
#[derive(Clone, Debug)]
pub struct LeafProfile {
    /// Signature algorithm and issuer name, which stand side by side.
    algorithm_and_issuer: Vec<u8>,
    /// Every extension but the subject alternative names.
    extensions: Vec<u8>,
}

/// What differs from leaf to leaf.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// From [`crate::certificate::mint_serial`].
    pub serial: [u8; 16],
    /// The names, the first of which becomes the common name where it is short enough.
    pub names: &'a [DomainName],
    /// The canonical key, from [`crate::public_keys::PublicKey`].
    pub spki_der: &'a [u8],
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity, which counts (BR 6.3.2): 90 days end at `not_before` + 7 775 999 s.
    pub not_after: Timestamp,
}

impl LeafProfile {
    /// Prepares the profile of one issuer, with the `http` URLs of its CRL and of its certificate.
    pub fn new(issuer: &Issuer, crl_url: &str, ca_issuers_url: &str) -> Self {
        let algorithm_and_issuer = encode(|der| {
            der.raw(issuer.algorithm.signature_algorithm_der())
                .raw(&issuer.name_der);
        });
        let extensions = encode(|der| {
            der.extension(oid::KEY_USAGE, true, DIGITAL_SIGNATURE)
                .extension(oid::EXTENDED_KEY_USAGE, false, &server_auth())
                .extension(oid::BASIC_CONSTRAINTS, true, EMPTY_SEQUENCE);
            push_issuer_extensions(der, issuer, crl_url, ca_issuers_url);
        });
        Self {
            algorithm_and_issuer,
            extensions,
        }
    }

    /// Builds what is to be signed. Names are taken as they come: lint before signing.
    pub fn build_tbs(&self, leaf: &Leaf<'_>) -> Vec<u8> {
        let common_name = leaf
            .names
            .first()
            .map(DomainName::as_str)
            .filter(|name| name.len() <= COMMON_NAME_LIMIT);
        let mut names = Der::with_capacity(64 * leaf.names.len() + 8);
        names.sequence(|der| {
            for name in leaf.names {
                der.value(tag::context(2), name.as_str().as_bytes());
            }
        });
        let names = names.finish();

        let fixed = self.algorithm_and_issuer.len() + self.extensions.len();
        let mut der = Der::with_capacity(fixed + names.len() + leaf.spki_der.len() + 256);
        der.sequence(|der| {
            der.raw(VERSION_3)
                .unsigned(&leaf.serial)
                .raw(&self.algorithm_and_issuer);
            push_validity(der, leaf.not_before, leaf.not_after);
            der.sequence(|der| {
                if let Some(name) = common_name {
                    push_attribute(der, oid::COMMON_NAME, tag::UTF8_STRING, name);
                }
            });
            der.raw(leaf.spki_der).nest(tag::constructed(3), |der| {
                der.sequence(|der| {
                    der.raw(&self.extensions).extension(
                        oid::SUBJECT_ALT_NAME,
                        common_name.is_none(),
                        &names,
                    );
                });
            });
        });
        der.finish()
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
    let key_id = key_id(root.spki_der)?;
    Ok(encode(|der| {
        push_authority(der, root, algorithm, root.name_der, |der| {
            der.extension(oid::BASIC_CONSTRAINTS, true, b"\x30\x03\x01\x01\xff")
                .extension(oid::KEY_USAGE, true, CERT_SIGN_AND_CRL_SIGN)
                .extension(oid::SUBJECT_KEY_ID, false, &octet_string(&key_id));
        });
    }))
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
    let key_id = key_id(authority.spki_der)?;
    let any_policy = encode(|der| {
        der.sequence(|der| {
            der.sequence(|der| {
                der.oid(oid::ANY_POLICY);
            });
        });
    });
    Ok(encode(|der| {
        push_authority(der, authority, root.algorithm, &root.name_der, |der| {
            der.extension(
                oid::BASIC_CONSTRAINTS,
                true,
                b"\x30\x06\x01\x01\xff\x02\x01\x00",
            )
            .extension(oid::KEY_USAGE, true, CERT_SIGN_AND_CRL_SIGN)
            .extension(oid::EXTENDED_KEY_USAGE, false, &server_auth())
            .extension(oid::CERTIFICATE_POLICIES, false, &any_policy)
            .extension(oid::SUBJECT_KEY_ID, false, &octet_string(&key_id));
            push_issuer_extensions(der, root, crl_url, ca_issuers_url);
        });
    }))
}

fn push_authority(
    der: &mut Der,
    authority: &Authority<'_>,
    signer: KeyAlgorithm,
    issuer_name: &[u8],
    extensions: impl FnOnce(&mut Der),
) {
    der.sequence(|der| {
        der.raw(VERSION_3)
            .unsigned(&authority.serial)
            .raw(signer.signature_algorithm_der())
            .raw(issuer_name);
        push_validity(der, authority.not_before, authority.not_after);
        der.raw(authority.name_der)
            .raw(authority.spki_der)
            .nest(tag::constructed(3), |der| {
                der.sequence(extensions);
            });
    });
}

/// The extensions that point from a certificate to its issuer.
fn push_issuer_extensions(der: &mut Der, issuer: &Issuer, crl_url: &str, ca_issuers_url: &str) {
    let crl = encode(|der| {
        der.sequence(|der| {
            der.sequence(|der| {
                der.nest(tag::constructed(0), |der| {
                    der.nest(tag::constructed(0), |der| {
                        der.value(tag::context(6), crl_url.as_bytes());
                    });
                });
            });
        });
    });
    let access = encode(|der| {
        der.sequence(|der| {
            der.sequence(|der| {
                der.oid(oid::CA_ISSUERS)
                    .value(tag::context(6), ca_issuers_url.as_bytes());
            });
        });
    });
    der.extension(oid::AUTHORITY_KEY_ID, false, &authority_key_id(issuer))
        .extension(oid::CRL_DISTRIBUTION_POINTS, false, &crl)
        .extension(oid::AUTHORITY_INFO_ACCESS, false, &access);
}

/// The value of an authority key identifier: the issuer's own key, never its issuer and serial.
pub(crate) fn authority_key_id(issuer: &Issuer) -> Vec<u8> {
    encode(|der| {
        der.sequence(|der| {
            der.value(tag::context(0), &issuer.key_id);
        });
    })
}

fn server_auth() -> Vec<u8> {
    encode(|der| {
        der.sequence(|der| {
            der.oid(oid::SERVER_AUTH);
        });
    })
}

fn octet_string(octets: &[u8]) -> Vec<u8> {
    encode(|der| {
        der.value(tag::OCTET_STRING, octets);
    })
}

fn push_validity(der: &mut Der, not_before: Timestamp, not_after: Timestamp) {
    der.sequence(|der| {
        der.time(not_before).time(not_after);
    });
}
