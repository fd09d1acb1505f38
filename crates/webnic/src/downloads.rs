//! Certificates, as files.
//!
//! The one answer that is not the envelope: the bytes themselves, and any 2xx means success. Refusals are in
//! the envelope all the same.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use chancery_app::{App, IssuedCertificate};
use chancery_domain::fields::{Field, FieldError};
use serde_json::Value;

use crate::auth::Caller;
use crate::body::{Members, OrderPath, boolean, path_segment, read};
use crate::envelope::answer;
use crate::errors::{Obstacle, WebnicError};
use crate::routes::Wire;
use crate::words::Fault;

/// The longest form taken, in octets: the parts for other formats may come with a key.
const FORM_LIMIT: usize = 1024 * 1024;

/// Which certificates a file is to hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Extent {
    /// The certificate, and its chain where `bundle` says so.
    AsAsked,
    /// The certificate alone.
    Alone,
    /// With the intermediate.
    WithoutRoot,
    /// With all there is, root included.
    Whole,
}

/// The formats served, by lower-case name; all of them are PEM.
const FORMATS: [(&str, Extent); 5] = [
    ("pem", Extent::AsAsked),
    ("default_pem", Extent::AsAsked),
    ("pem_nointermediate", Extent::Alone),
    ("pem_noroot", Extent::WithoutRoot),
    ("pem_all", Extent::Whole),
];

/// The format a path ends in, in any case.
pub(crate) struct Format(Extent);

impl FromRequestParts<Wire> for Format {
    type Rejection = WebnicError;

    async fn from_request_parts(parts: &mut Parts, wire: &Wire) -> Result<Self, WebnicError> {
        let asked = path_segment(parts, wire, "format")
            .await
            .unwrap_or_default();
        Ok(Self(extent(&asked).ok_or_else(|| {
            let served: Vec<String> = FORMATS
                .iter()
                .map(|(name, _)| name.to_ascii_uppercase())
                .collect();
            let served = served.join(", ");
            Obstacle::Refused(format!("Invalid format. Acceptable values are: [{served}]"))
        })?))
    }
}

fn extent(format: &str) -> Option<Extent> {
    let is_it = |(name, _): &&(&str, Extent)| name.eq_ignore_ascii_case(format);
    FORMATS.iter().find(is_it).map(|(_, extent)| *extent)
}

/// Whether the chain was asked for, in a multipart form; a JSON object or a URL-encoded form will do, and
/// without any of them it was not.
pub(crate) struct Bundle(bool);

impl FromRequest<Wire> for Bundle {
    type Rejection = WebnicError;

    async fn from_request(request: Request, wire: &Wire) -> Result<Self, WebnicError> {
        let (parts, body) = read(request, wire.body_time, FORM_LIMIT).await?;
        let value = bundle_value(&parts, body).await?;
        let fault = |problem| {
            Fault::from(FieldError {
                field: Field::WithChain,
                problem,
            })
        };
        match value.map(boolean).transpose() {
            Ok(bundle) => Ok(Self(bundle.unwrap_or(false))),
            Err(problem) => Err(Obstacle::Faults(vec![fault(problem)]).into()),
        }
    }
}

async fn bundle_value(parts: &Parts, body: Bytes) -> Result<Option<Value>, WebnicError> {
    let kind = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    if body.is_empty() {
        Ok(None)
    } else if kind.starts_with("multipart/form-data") {
        let request = Request::from_parts(parts.clone(), Body::from(body));
        form_value(request)
            .await
            .map_err(|_| Obstacle::Unparseable("multipart").into())
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        let text = String::from_utf8_lossy(&body);
        let value = text
            .split('&')
            .find_map(|pair| pair.strip_prefix("bundle="));
        Ok(value.map(|value| Value::String(value.to_owned())))
    } else if body.trim_ascii() == b"[]" {
        Ok(None)
    } else {
        Ok(Members::parse(&body)?.take_value("bundle"))
    }
}

/// The part named `bundle`. The body is here already, so nothing is waited for.
async fn form_value(request: Request) -> Result<Option<Value>, Box<dyn std::error::Error>> {
    let mut form = Multipart::from_request(request, &()).await?;
    let mut found = None;
    while let Some(part) = form.next_field().await? {
        if part.name() == Some("bundle") {
            found = Some(Value::String(part.text().await?));
        }
    }
    Ok(found)
}

/// `POST /ssl/v2/orders/{orderId}/download/format/{format}`
pub(crate) async fn download(
    State(app): State<App>,
    Caller(reseller): Caller,
    OrderPath(id): OrderPath,
    Format(extent): Format,
    Bundle(bundle): Bundle,
) -> Result<Response, WebnicError> {
    let certificate = app.certificate(&reseller, id).await?;
    let body = pem(&certificate, extent, bundle).into_bytes();
    let kind = HeaderValue::from_static("application/octet-stream");
    let mut response = answer(StatusCode::OK, kind, body);
    let name = file_name(&certificate.common_name);
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

fn pem(certificate: &IssuedCertificate, extent: Extent, bundle: bool) -> String {
    let IssuedCertificate {
        leaf, chain, root, ..
    } = certificate;
    match extent {
        Extent::AsAsked if bundle => [&leaf[..], chain].concat(),
        Extent::AsAsked | Extent::Alone => leaf.clone(),
        Extent::WithoutRoot => [&leaf[..], chain].concat(),
        Extent::Whole => [&leaf[..], chain, root].concat(),
    }
}

/// A name for the file that every system takes: `*` becomes `wildcard`.
fn file_name(common_name: &str) -> String {
    format!("{}.pem", common_name.replace('*', "wildcard"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_certificate() -> IssuedCertificate {
        IssuedCertificate {
            common_name: "*.shop.example".to_owned(),
            leaf: "leaf\n".to_owned(),
            chain: "chain\n".to_owned(),
            root: "root\n".to_owned(),
        }
    }

    #[test]
    fn each_format_holds_what_it_promises() {
        let of = |format, bundle| pem(&a_certificate(), extent(format).unwrap(), bundle);
        assert_eq!(of("PEM", false), "leaf\n");
        assert_eq!(of("pem", true), "leaf\nchain\n");
        assert_eq!(of("default_pem", true), "leaf\nchain\n");
        assert_eq!(of("pem_nointermediate", true), "leaf\n");
        assert_eq!(of("pem_noroot", false), "leaf\nchain\n");
        assert_eq!(of("PEM_ALL", false), "leaf\nchain\nroot\n");
        assert_eq!(extent("pfx"), None);
        assert_eq!(file_name("*.shop.example"), "wildcard.shop.example.pem");
    }

    async fn bundle(kind: &str, body: &'static str) -> Result<Option<Value>, WebnicError> {
        let request = Request::builder()
            .header("content-type", kind)
            .body(())
            .unwrap();
        bundle_value(&request.into_parts().0, Bytes::from_static(body.as_bytes())).await
    }

    #[tokio::test]
    async fn the_chain_is_asked_for_in_a_form() {
        let form = "--x\r\nContent-Disposition: form-data; name=\"bundle\"\r\n\r\ntrue\r\n--x\r\n\
                    Content-Disposition: form-data; name=\"privateKey\"; filename=\"key.pem\"\r\n\
                    Content-Type: application/octet-stream\r\n\r\nkey\r\n--x--\r\n";
        let kind = "multipart/form-data; boundary=x";
        assert_eq!(
            bundle(kind, form).await.unwrap(),
            Some(Value::String("true".to_owned()))
        );
        assert!(bundle(kind, "--x\r\nbroken").await.is_err());
        assert!(bundle("multipart/form-data", form).await.is_err());
    }

    #[tokio::test]
    async fn other_bodies_are_understood_too() {
        let json = "application/json";
        assert_eq!(bundle(json, "").await.unwrap(), None);
        assert_eq!(bundle(json, "[]").await.unwrap(), None);
        assert_eq!(
            bundle(json, "{\"bundle\":true}").await.unwrap(),
            Some(Value::Bool(true))
        );
        let form = "application/x-www-form-urlencoded";
        let text = |text: &str| Some(Value::String(text.to_owned()));
        assert_eq!(
            bundle(form, "a=1&bundle=false").await.unwrap(),
            text("false")
        );
        assert!(bundle(json, "{").await.is_err());
    }
}
