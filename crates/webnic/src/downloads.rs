//! Certificates, as files.
//!
//! The one answer that is not the envelope: the bytes themselves, and any 2xx means success. Refusals are in
//! the envelope all the same. A private key may come in and go out again, encrypted: the form is read into
//! memory that clears itself, and its secrets do not print.

use std::collections::BTreeSet;

use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use chancery_app::{App, Extent, Form, KeyStore, Revoked, SentKey, Server, file_stem};
use chancery_bodies::forms;
use chancery_domain::fields::{Field, FieldError};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::auth::Caller;
use crate::body::{Members, OrderPath, boolean, path_segment, read_secret};
use crate::envelope::answer;
use crate::errors::{Obstacle, WebnicError};
use crate::routes::Wire;
use crate::words::wire_name;

/// The longest form taken, in octets: the parts for other formats may come with a key.
const FORM_LIMIT: usize = 1024 * 1024;

/// A form has few parts; many are an attempt to keep us busy.
const PARTS_LIMIT: usize = 100;

/// What a file is to hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Packing {
    /// The certificate as PEM, and its chain where `bundle` says so.
    AsAsked,
    /// Certificates alone.
    Plain(Form),
    /// Certificate, chain and key under a password.
    WithKey(KeyStore),
}

/// A format that is served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Its name, lower-case.
    name: &'static str,
    packing: Packing,
    /// What the name of the file ends in.
    suffix: &'static str,
    /// The content type.
    kind: &'static str,
}

const PEM: &str = "application/x-pem-file";
const DER: &str = "application/pkix-cert";
const PKCS7: &str = "application/x-pkcs7-certificates";
const PKCS12: &str = "application/x-pkcs12";
const JKS: &str = "application/x-java-keystore";
const ZIP: &str = "application/zip";

/// A row of the table below.
const fn served(
    name: &'static str,
    packing: Packing,
    suffix: &'static str,
    kind: &'static str,
) -> Format {
    Format {
        name,
        packing,
        suffix,
        kind,
    }
}

const fn plain(form: Form) -> Packing {
    Packing::Plain(form)
}

const fn archive(server: Server) -> Packing {
    plain(Form::Archive(server))
}

/// The formats served. Names in capitals in the documentation are ours, the others those of the CA behind
/// most products.
const FORMATS: [Format; 25] = [
    served("pem", Packing::AsAsked, "pem", PEM),
    served("default_pem", Packing::AsAsked, "pem", PEM),
    served(
        "pem_nointermediate",
        plain(Form::Pem(Extent::Leaf)),
        "pem",
        PEM,
    ),
    served(
        "pem_noroot",
        plain(Form::Pem(Extent::WithIntermediates)),
        "pem",
        PEM,
    ),
    served("pem_all", plain(Form::Pem(Extent::Whole)), "pem", PEM),
    served(
        "pem_chain",
        plain(Form::Pem(Extent::Intermediates)),
        "chain.pem",
        PEM,
    ),
    served("der", plain(Form::Der), "der", DER),
    served("crt", plain(Form::Der), "crt", DER),
    served("cer", plain(Form::Der), "cer", DER),
    served("p7b", plain(Form::Pkcs7Pem), "p7b", PKCS7),
    served("pkcs7", plain(Form::Pkcs7Pem), "p7b", PKCS7),
    served("p7c", plain(Form::Pkcs7Der), "p7c", PKCS7),
    served("pfx", Packing::WithKey(KeyStore::Pkcs12), "pfx", PKCS12),
    served("p12", Packing::WithKey(KeyStore::Pkcs12), "p12", PKCS12),
    served("pkcs12", Packing::WithKey(KeyStore::Pkcs12), "p12", PKCS12),
    served("jks", Packing::WithKey(KeyStore::Jks), "jks", JKS),
    served("zip", archive(Server::Any), "zip", ZIP),
    served("default", archive(Server::Any), "zip", ZIP),
    served("default_cer", archive(Server::Windows), "zip", ZIP),
    served("apache", archive(Server::Apache), "apache.zip", ZIP),
    served("nginx", archive(Server::Nginx), "nginx.zip", ZIP),
    served("iis", archive(Server::Iis), "iis.zip", ZIP),
    served("tomcat", archive(Server::Tomcat), "tomcat.zip", ZIP),
    served("haproxy", archive(Server::Haproxy), "haproxy.zip", ZIP),
    served("mail", archive(Server::Mail), "mail.zip", ZIP),
];

/// The names of the formats, as the documentation writes them.
pub(crate) fn format_names() -> Vec<String> {
    let names = FORMATS.iter();
    names
        .map(|format| format.name.to_ascii_uppercase())
        .collect()
}

/// The content types that files come under.
pub(crate) fn content_types() -> Vec<&'static str> {
    let kinds: BTreeSet<&str> = FORMATS.iter().map(|format| format.kind).collect();
    kinds.into_iter().collect()
}

impl Format {
    /// A format by its name, in any case.
    fn named(name: &str) -> Option<Self> {
        let is_it = |format: &&Format| format.name.eq_ignore_ascii_case(name);
        FORMATS.iter().find(is_it).copied()
    }
}

/// The format a path ends in.
impl FromRequestParts<Wire> for Format {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, wire: &Wire) -> Result<Self, WebnicError> {
        let asked = path_segment(parts, wire, "format")
            .await
            .unwrap_or_default();
        Self::named(&asked).ok_or_else(|| {
            let served = format_names().join(", ");
            Obstacle::Refused(format!("Invalid format. Acceptable values are: [{served}]")).into()
        })
    }
}

/// What a download is asked with: a multipart form. Without secrets a JSON object or a URL-encoded form will
/// do, and without any of them nothing was asked for.
pub(crate) struct DownloadForm {
    bundle: bool,
    legacy: bool,
    revoked: Revoked,
    sent: SentKey,
}

impl FromRequest<Wire> for DownloadForm {
    type Rejection = WebnicError;

    async fn from_request(request: Request, wire: &Wire) -> Result<Self, WebnicError> {
        let (parts, body) = read_secret(request, wire.body_time, FORM_LIMIT).await?;
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|value| value.to_str().ok());
        Self::read(kind.unwrap_or_default(), &body)
    }
}

impl DownloadForm {
    pub(crate) fn read(kind: &str, body: &[u8]) -> Result<Self, WebnicError> {
        let is_of = |prefix: &str| {
            let start = kind.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let mut sent = SentKey::default();
        let mut members = if body.is_empty() || body.trim_ascii() == b"[]" {
            Members::default()
        } else if is_of("multipart/form-data") {
            let parts =
                forms::parts(kind, body, PARTS_LIMIT).ok_or(Obstacle::Unparseable("multipart"))?;
            texts_and_secrets(parts, &mut sent)
        } else if is_of("application/x-www-form-urlencoded") {
            let pairs = body.split(|octet| *octet == b'&');
            let pairs = pairs.filter_map(|pair| {
                let at = pair.iter().position(|octet| *octet == b'=')?;
                let name = String::from_utf8(pair[..at].to_vec()).ok()?;
                Some((name, &pair[at + 1..]))
            });
            texts(pairs)
        } else {
            Members::parse(body)?
        };
        let bundle = members.take(Field::WithChain, boolean);
        let legacy = members.take(Field::Legacy, boolean);
        let include_revoked = members.take(Field::IncludeRevoked, boolean);
        let faults: Vec<FieldError> = members.into_faults();
        if !faults.is_empty() {
            return Err(faults.into());
        }
        Ok(Self {
            bundle: bundle.unwrap_or(false),
            legacy: legacy.unwrap_or(false),
            revoked: match include_revoked {
                Some(true) => Revoked::Deliver,
                Some(false) | None => Revoked::Refuse,
            },
            sent,
        })
    }
}

/// Takes the secrets out of a form; the rest are words.
fn texts_and_secrets(parts: Vec<(String, &[u8])>, sent: &mut SentKey) -> Members {
    let mut words = Vec::new();
    for (name, content) in parts {
        let secret = || Some(Zeroizing::new(content.to_vec())).filter(|text| !text.is_empty());
        if name == wire_name(Field::PrivateKey) {
            sent.private_key = secret();
        } else if name == wire_name(Field::StorePassword) {
            sent.password = secret();
        } else {
            words.push((name, content));
        }
    }
    texts(words.into_iter())
}

/// The words of a form that mean something here.
fn texts<'a>(pairs: impl Iterator<Item = (String, &'a [u8])>) -> Members {
    let known = [Field::WithChain, Field::Legacy, Field::IncludeRevoked].map(wire_name);
    let value = |(name, content): (String, &[u8])| {
        let text = String::from_utf8_lossy(content).into_owned();
        (name, Value::String(text))
    };
    let pairs = pairs.filter(|(name, _)| known.iter().any(|known| known == name));
    pairs.map(value).collect::<serde_json::Map<_, _>>().into()
}

/// `POST /ssl/v2/orders/{orderId}/download/format/{format}`
pub(crate) async fn download(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
    format: Format,
    form: DownloadForm,
) -> Result<Response, WebnicError> {
    let extent = match form.bundle {
        true => Extent::WithIntermediates,
        false => Extent::Leaf,
    };
    let revoked = form.revoked;
    let delivery = match format.packing {
        Packing::AsAsked => {
            app.deliver(&reseller, id, Form::Pem(extent), revoked)
                .await?
        }
        Packing::Plain(form) => app.deliver(&reseller, id, form, revoked).await?,
        Packing::WithKey(store) => {
            let store = match store {
                KeyStore::Pkcs12 if form.legacy => KeyStore::Pkcs12Legacy,
                store => store,
            };
            app.deliver_with_key(&reseller, id, store, form.sent, revoked)
                .await?
        }
    };
    let kind = HeaderValue::from_static(format.kind);
    let mut response = answer(StatusCode::OK, kind, delivery.content);
    let (stem, suffix) = (file_stem(&delivery.common_name), format.suffix);
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{stem}.{suffix}\"")) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn formats_are_found_in_any_case_and_documented() {
        let packing = |name| Format::named(name).map(|format| format.packing);
        assert_eq!(packing("PEM"), Some(Packing::AsAsked));
        assert_eq!(packing("Pfx"), Some(Packing::WithKey(KeyStore::Pkcs12)));
        assert_eq!(packing("nginx"), Some(archive(Server::Nginx)));
        assert_eq!(packing("doc"), None);
        let documentation = include_str!("../../../docs/api/webnic.md");
        for Format { name, .. } in FORMATS {
            let upper = name.to_ascii_uppercase();
            let is_told = [name, &upper[..]]
                .iter()
                .any(|name| documentation.contains(&format!("`{name}`")));
            assert!(is_told, "{name}");
        }
    }

    fn read(kind: &str, body: &str) -> Result<(bool, bool, SentKey), u16> {
        match DownloadForm::read(kind, body.as_bytes()) {
            Ok(form) => Ok((form.bundle, form.legacy, form.sent)),
            Err(error) => Err(error.into_response().status().as_u16()),
        }
    }

    #[test]
    fn a_form_has_words_and_secrets() {
        let part = |name: &str, value: &str| {
            format!(
                "--x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n{value}\r\n"
            )
        };
        let kind = "multipart/form-data; boundary=x";
        let form = |parts: &[(&str, &str)]| {
            let parts: String = parts
                .iter()
                .map(|(name, value)| part(name, value))
                .collect();
            read(kind, &format!("{parts}--x--\r\n"))
        };
        let (bundle, legacy, sent) = form(&[
            ("bundle", "true"),
            ("legacy", " TRUE "),
            ("privateKey", "key\r\n"),
            ("pfxPassword", " secret "),
            ("more", "x"),
        ])
        .unwrap();
        assert!(bundle && legacy);
        assert_eq!(sent.private_key.as_deref(), Some(&b"key\r\n".to_vec()));
        assert_eq!(sent.password.as_deref(), Some(&b" secret ".to_vec()));
        assert_eq!(format!("{sent:?}"), "SentKey(..)");

        let (bundle, legacy, sent) = form(&[("bundle", ""), ("privateKey", "")]).unwrap();
        assert!(!bundle && !legacy && sent.private_key.is_none() && sent.password.is_none());
        assert_eq!(form(&[("bundle", "maybe")]).unwrap_err(), 400);
        assert_eq!(read(kind, "--x\r\nbroken").unwrap_err(), 400);
        assert_eq!(read("multipart/form-data", "--x--").unwrap_err(), 400);
    }

    #[test]
    fn words_come_in_other_bodies_too() {
        let words = |kind, body| read(kind, body).map(|(bundle, legacy, _)| (bundle, legacy));
        let json = "application/json";
        assert_eq!(words(json, ""), Ok((false, false)));
        assert_eq!(words(json, " [] "), Ok((false, false)));
        assert_eq!(words(json, "{\"bundle\":true}"), Ok((true, false)));
        assert_eq!(words(json, "{"), Err(400));
        let form = "application/x-www-form-urlencoded";
        assert_eq!(words(form, "a=1&bundle=true&legacy=1&b"), Ok((true, true)));
        assert_eq!(words(form, "bundle=false&privateKey=x"), Ok((false, false)));
    }
}
