//! Bodies from strangers, all parsers at once: entrances for the fuzzers.

use axum::response::IntoResponse;

use crate::body::{FromMembers, Members};
use crate::downloads::DownloadForm;
use crate::errors::WebnicError;
use crate::{contacts, csrs, orders, organizations, search, tokens, validations};

/// Reads a body as each request that takes one, and tells the status of each refusal.
pub fn read_bodies(body: &[u8]) -> Vec<Option<u16>> {
    vec![
        read::<tokens::SignIn>(body),
        read::<contacts::CreateContacts>(body),
        read::<csrs::GenerateCsr>(body),
        read::<csrs::DecodeCsr>(body),
        read::<orders::PlaceOrder>(body),
        read::<orders::Renew>(body),
        read::<orders::Reissue>(body),
        read::<organizations::Told>(body),
        read::<organizations::Submit>(body),
        read::<search::Search>(body),
        read::<validations::ChangeMethod>(body),
        read::<validations::ChangeApprovers>(body),
    ]
}

/// Reads the body of a download, and tells the status of a refusal.
pub fn read_form(content_type: &str, body: &[u8]) -> Option<u16> {
    let form = DownloadForm::read(content_type, body);
    form.err()
        .map(|refusal| refusal.into_response().status().as_u16())
}

fn read<T: FromMembers>(body: &[u8]) -> Option<u16> {
    let refusal = |error: WebnicError| error.into_response().status().as_u16();
    Members::parse(body)
        .and_then(T::from_members)
        .err()
        .map(refusal)
}
