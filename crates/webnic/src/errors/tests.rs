//! Refusals, to the byte.

use chancery_app::{Refusal, TooMany};
use chancery_domain::access::Scope;
use chancery_domain::contacts::{ContactField, Role};
use chancery_domain::fields::{Field, Problem};
use chancery_domain::rates::Excess;

use super::*;
use crate::contract::{REFUSALS, Refused};

fn said(error: impl Into<WebnicError>) -> (u16, String) {
    let WebnicError { family, obstacle } = error.into();
    let reply = Reply::of(obstacle);
    let status = reply.status.as_u16();
    let is_it = |told: &Refused| told.status == status && told.numbers.contains(&reply.number);
    let number = reply.number;
    assert!(
        REFUSALS.iter().any(is_it),
        "the document does not have {status} {number}"
    );
    (status, String::from_utf8(reply.body(family)).unwrap())
}

fn fault(field: Field, problem: Problem) -> FieldError {
    FieldError { field, problem }
}

#[test]
fn a_bad_token_is_told_in_the_exact_words() {
    let (status, body) = said(AppError::Unauthenticated);
    assert_eq!(status, 401);
    assert_eq!(
        body,
        r#"{"code":"2400","message":"System message","error":{"subCode":"SSL4010","message":"Invalid or expired token. Reason: Provided token isn't active"}}"#
    );
    let (status, body) = said(WebnicError::of_reseller_api(AppError::UnknownUsername));
    assert_eq!(status, 500);
    assert!(
        body.contains(r#""subCode":"RES5001","message":"Invalid username""#),
        "{body}"
    );
}

#[test]
fn a_credential_is_told_what_it_may_not() {
    let address = "203.0.113.7".parse().unwrap();
    let (status, body) = said(AppError::AddressNotAllowed(address));
    assert_eq!(status, 403);
    assert!(body.contains(
        r#"{"subCode":"SSL0004","message":"Forbidden access with current ip address: 203.0.113.7"}"#
    ));
    let (status, body) = said(WebnicError::of_reseller_api(AppError::Suspended));
    assert_eq!(status, 403);
    assert!(body.contains(
        r#"{"subCode":"RES4030","message":"Forbidden: the reseller account is suspended. Please ask its provider."}"#
    ));
    let (held, needed) = (Scope::Read, Scope::Money);
    let refusal = WebnicError::of_reseller_api(AppError::OutOfScope { held, needed });
    let (status, body) = said(refusal);
    assert_eq!(status, 403);
    assert!(body.contains(
        r#"{"subCode":"RES4030","message":"Forbidden: the credential has the scope 'read', this needs 'money'."}"#
    ));
}

#[test]
fn who_calls_too_often_is_told_when_to_call_again() {
    let said = |what, retry_seconds| {
        let error = WebnicError::from(AppError::TooMany {
            what,
            retry_seconds,
        });
        let WebnicError { family, obstacle } = error;
        let reply = Reply::of(obstacle);
        let body = String::from_utf8(reply.body(family)).unwrap();
        let (_, text) = body
            .split_once(r#""subCode":"SSL4290","message":""#)
            .unwrap();
        (
            reply.status.as_u16(),
            reply.retry_seconds,
            text.trim_end_matches("\"}}").to_owned(),
        )
    };
    for (what, seconds, text) in [
        (
            TooMany::Calls(Excess::Second(50)),
            1,
            "Too many requests: there may be 50 a second. Try again in 1 second.",
        ),
        (
            TooMany::Calls(Excess::Day(5000)),
            3600,
            "Too many requests: there may be 5000 a day. Try again in 3600 seconds.",
        ),
        (
            TooMany::Calls(Excess::Month(100_000)),
            86_400,
            "Too many requests: there may be 100000 a month. Try again in 86400 seconds.",
        ),
        (
            TooMany::FailedSignIns,
            6,
            "Too many wrong passwords. Try again in 6 seconds.",
        ),
    ] {
        assert_eq!(said(what, seconds), (429, Some(seconds), text.to_owned()));
    }
    let error = WebnicError::from(AppError::TooMany {
        what: TooMany::FailedSignIns,
        retry_seconds: 6,
    });
    assert_eq!(error.into_response().headers()["retry-after"], "6");
    let busy = WebnicError::from(AppError::Busy);
    assert_eq!(busy.into_response().headers()["retry-after"], "1");
}

#[test]
fn a_database_that_is_away_is_told_without_a_word_of_it() {
    for (is_undone, end) in [
        (true, "try again later."),
        (false, "look before trying again."),
    ] {
        let source = "connection refused at 10.0.0.1".into();
        let (status, body) = said(AppError::Unavailable { is_undone, source });
        assert_eq!(status, 503);
        assert!(body.contains("SSL5031") && body.contains(end), "{body}");
        assert!(
            !body.contains("10.0.0.1") && !body.contains("database"),
            "{body}"
        );
    }
    let away = WebnicError::from(AppError::Unavailable {
        is_undone: true,
        source: "away".into(),
    });
    assert_eq!(away.into_response().headers()["retry-after"], "5");
}

#[test]
fn faults_of_form_are_listed_all_at_once() {
    let errors = vec![
        FieldError::missing(Field::Csr),
        fault(Field::Term, Problem::Type("an integer")),
        fault(Field::Product, Problem::Unknown("x".to_owned())),
    ];
    let (status, body) = said(errors);
    assert_eq!(status, 400);
    assert_eq!(
        body,
        r#"{"code":"2400","message":"System message","error":{"subCode":"SSL4000","message":"Field validation error."},"validationErrors":[{"field":"csr","message":"'csr' is required."},{"field":"term","message":"'term' is invalid. Expected an integer."},{"field":"productKey","message":"Invalid product key."}]}"#
    );
}

#[test]
fn a_lone_fault_of_business_has_no_list() {
    let terms = ["1", "2", "3"].map(str::to_owned).to_vec();
    let (_, body) = said(vec![fault(Field::Term, Problem::NotOneOf(terms))]);
    assert_eq!(
        body,
        r#"{"code":"2400","message":"System message","error":{"subCode":"SSL2400","message":"Invalid terms. Supported terms are [1, 2, 3]"}}"#
    );
    let (_, body) = said(vec![fault(
        Field::Administrator,
        Problem::Unknown("1".to_owned()),
    )]);
    assert!(body.contains(r#"{"subCode":"SSL2400","message":"Contact not found: SSL1T"}"#));
}

#[test]
fn the_content_of_contacts_goes_into_the_other_list() {
    let first = Field::Contact(Role::Administrator, ContactField::FirstName);
    let last = Field::Contact(Role::Administrator, ContactField::LastName);
    let errors = vec![
        fault(first, Problem::Length { min: 1, max: 60 }),
        fault(first, Problem::Format),
        FieldError::missing(last),
    ];
    let (_, body) = said(errors);
    assert_eq!(
        body,
        r#"{"code":"2400","message":"System message","error":{"subCode":"SSL4000","message":"Field validation error."},"fieldErrors":[{"field":"administrator.firstName","messages":["invalid length - min: 1 | max: 60","invalid format"]},{"field":"administrator.lastName","messages":["'administrator.lastName' is required."]}]}"#
    );
    let (_, body) = said(vec![FieldError::missing(last)]);
    assert!(
        body.contains("validationErrors") && !body.contains("fieldErrors"),
        "{body}"
    );
}

#[test]
fn the_wire_s_own_errors_speak_the_dialect() {
    let told = |obstacle: Obstacle| {
        let (status, body) = said(obstacle);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let text = |key: &str| body["error"][key].as_str().unwrap().to_owned();
        (status, text("subCode"), text("message"))
    };
    let is = |obstacle, status: u16, sub_code: &str, message: &str| {
        assert_eq!(
            told(obstacle),
            (status, sub_code.to_owned(), message.to_owned())
        );
    };
    is(
        Obstacle::Unparseable("JSON"),
        400,
        "SSL4002",
        "Unparseable JSON input",
    );
    is(
        Obstacle::TooLarge,
        413,
        "SSL4130",
        "Request body is too large.",
    );
    is(
        Obstacle::TooSlow,
        408,
        "SSL4080",
        "Request body did not arrive in time.",
    );
    let path = "/ssl/v2/nothing".to_owned();
    is(
        Obstacle::UnknownPath(path),
        404,
        "SSL4040",
        "No static resource ssl/v2/nothing.",
    );
    let method = Method::PATCH;
    is(
        Obstacle::WrongMethod(method),
        405,
        "SSL4050",
        "Request method 'PATCH' is not supported.",
    );
    is(
        Obstacle::App(Refusal::InsufficientBalance.into()),
        400,
        "SSL2400",
        "Unable to place order due to insufficient balance",
    );
    let internal = AppError::internal(std::io::Error::other("the disk is full"));
    is(
        Obstacle::App(internal),
        500,
        "SSL5000",
        "Unknown error occurred.",
    );
}
