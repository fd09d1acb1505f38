//! Every refusal in the dialect's shape: status 500 and the map of `status` and `message`. A platform that is away for a
//! moment says so with 503.
//!
//! Faults of fields are told all at once, as Java prints a map: `{telnocc=…, zip=…}`, by the names under which
//! fields are stored. Clients take that apart at `, ` and at `}`, so that no text has either. Parameters that
//! are missing are told one at a time, by the names that they have in requests, before anything else.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use chancery_app::AppError;
use chancery_domain::fields::{Field, FieldError, Problem};

use crate::contract::contacts::ADD;
use crate::hashtable::Hashtable;
use crate::values::{Format, Value};
use crate::words::{self, FieldWords};

/// What a call needs to be told by whoever may not know more.
const NOT_ALLOWED: &str = "You are not allowed to perform this action";

/// Clients know failed credentials by the last words of this.
const BAD_CREDENTIALS: &str =
    "Invalid credentials, or your User account maybe Inactive or Suspended";

/// Ends like that, for clients; what comes before is for people.
const SUSPENDED: &str = "This reseller is suspended: your User account maybe Inactive or Suspended";

const ADDRESS_NOT_ALLOWED: &str = "Access Denied. You are not authorized to perform this action.";

/// What stops a call: a use case, or the wire itself.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// A use case says no.
    App(AppError),
    /// A parameter that has to be there is not.
    Missing(&'static str),
    /// A parameter is not what it has to be: a number, a boolean.
    Malformed(&'static str),
    /// A parameter holds broken escapes, is not UTF-8, or has a NUL.
    Unreadable(String),
    /// A parameter of one value has several.
    Ambiguous(String),
    /// There are more parameters than so many.
    TooManyParameters(usize),
    /// The body is longer than is taken.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body broke off.
    Broken,
    /// There are too many requests or connections at once.
    Overloaded,
    /// It is about something that is not there, or another's.
    NotAllowed,
    /// Nothing is served there.
    UnknownAddress,
    /// The method is served by another HTTP method.
    WrongMethod(&'static str),
}

impl From<AppError> for Obstacle {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<Vec<FieldError>> for Obstacle {
    fn from(faults: Vec<FieldError>) -> Self {
        Self::App(AppError::Invalid(faults))
    }
}

impl Obstacle {
    /// What is said of it. A failure of ours is written to the log, and nothing is said of it.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::App(error) => of_app(error),
            Self::Missing(parameter) => missing(parameter),
            Self::Malformed(parameter) => format!("Invalid {parameter}"),
            Self::Unreadable(parameter) => {
                format!("Invalid {parameter}: it is not percent-encoded UTF-8 text")
            }
            Self::Ambiguous(parameter) => format!("Invalid {parameter}: it has different values"),
            Self::TooManyParameters(most) => format!("There can be at most {most} parameters"),
            Self::TooLarge => "The request is too large".to_owned(),
            Self::TooSlow => "The request did not arrive in time".to_owned(),
            Self::Broken => "The request broke off".to_owned(),
            Self::Overloaded => {
                "Too many requests at once. Please send the request again in a moment".to_owned()
            }
            Self::NotAllowed => NOT_ALLOWED.to_owned(),
            Self::UnknownAddress => "No such method".to_owned(),
            Self::WrongMethod(right) => format!("This method must be called with {right}"),
        }
    }

    /// The answer, in a form.
    pub(crate) fn answer(&self, format: Format) -> Response {
        let status = match self {
            Self::UnknownAddress => StatusCode::NOT_FOUND,
            Self::App(AppError::Unavailable { .. }) | Self::Overloaded => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let body = format.write_error(&self.message());
        let mut response = respond(status, format, body);
        let headers = response.headers_mut();
        match self {
            Self::App(AppError::TooMany { retry_seconds, .. }) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_seconds));
            }
            Self::App(AppError::Busy) | Self::Overloaded => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(1));
            }
            Self::App(AppError::Unavailable { .. }) => {
                headers.insert(
                    header::RETRY_AFTER,
                    HeaderValue::from(AppError::AWAY_SECONDS),
                );
            }
            // The rest of such a body is not wanted, and cannot be skipped over.
            Self::TooLarge | Self::TooSlow | Self::Broken => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// An answer, with the headers that all answers carry: they are for one reader and one moment.
pub(crate) fn respond(status: StatusCode, format: Format, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, format.content_type());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn of_app(error: &AppError) -> String {
    match error {
        AppError::Unauthenticated | AppError::UnknownUsername | AppError::WrongPassword => {
            BAD_CREDENTIALS.to_owned()
        }
        AppError::AddressNotAllowed(address) => {
            format!("{ADDRESS_NOT_ALLOWED} The request came from {address}.")
        }
        AppError::Suspended => SUSPENDED.to_owned(),
        AppError::OutOfScope { .. } => NOT_ALLOWED.to_owned(),
        AppError::TooMany {
            what,
            retry_seconds,
        } => words::too_many(*what, *retry_seconds),
        AppError::NotFound { what, id } => words::not_found(*what, id),
        AppError::Invalid(faults) => of_faults(faults),
        AppError::Refused(refusal) => words::refusal(refusal),
        AppError::WrongState(_) => NOT_ALLOWED.to_owned(),
        AppError::Busy => {
            "Others changed the same at once. Please send the request again".to_owned()
        }
        AppError::Unavailable { is_undone, source } => {
            tracing::error!(error = source.as_ref(), "the database is away");
            match is_undone {
                true => "The platform is not available at the moment. Please try again later",
                false => {
                    "The platform is not available at the moment and cannot tell whether this was done. \
                     Please look before trying again"
                }
            }
            .to_owned()
        }
        AppError::Internal(source) => {
            tracing::error!(error = source.as_ref(), "request failed");
            "An internal error occurred".to_owned()
        }
    }
}

fn missing(parameter: &str) -> String {
    format!("Required parameter missing: {parameter}")
}

/// Whether a field is a value in the map of attributes, and no parameter of its own.
fn is_attribute(field: Field) -> bool {
    matches!(field, Field::Attribute(_))
}

fn of_faults(faults: &[FieldError]) -> String {
    let absent = faults
        .iter()
        .filter(|fault| fault.problem == Problem::Missing && !is_attribute(fault.field));
    let absent = absent.map(|fault| FieldWords::of(fault.field).parameter);
    // Which of them a contact needs is a matter of its type; what all need was looked for before.
    if let Some(first) = absent.min_by_key(|parameter| ADD.place(parameter)) {
        return missing(first);
    }
    if let [
        FieldError {
            field,
            problem: Problem::Unknown(_),
        },
    ] = faults
    {
        let parameter = FieldWords::of(*field).parameter;
        if parameter.ends_with("-id") {
            return format!("Invalid {parameter}");
        }
    }
    let mut told = Hashtable::new();
    for fault in faults {
        let words = FieldWords::of(fault.field);
        // What was found first of a field is what is told of it.
        if told.get(&words.stored_as).is_none() {
            told.put(
                words.stored_as.clone(),
                words::fault(&words, &fault.problem),
            );
        }
    }
    let pairs: Vec<String> = told
        .iter()
        .map(|(key, text)| match text {
            Value::Text(text) => format!("{key}={text}"),
            _ => key.to_owned(),
        })
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use chancery_app::{Noun, TooMany};
    use chancery_domain::access::Scope;
    use chancery_domain::contacts::{ContactField, Role};
    use chancery_domain::customers::CustomerField;
    use chancery_domain::rates::Excess;
    use proptest::prelude::*;

    use super::*;

    fn part(part: ContactField) -> Field {
        Field::Contact(Role::Administrator, part)
    }

    fn message(faults: &[(Field, Problem)]) -> String {
        let fault = |(field, problem): &(Field, Problem)| FieldError {
            field: *field,
            problem: problem.clone(),
        };
        Obstacle::from(faults.iter().map(fault).collect::<Vec<_>>()).message()
    }

    #[test]
    fn the_captured_messages_come_out() {
        let code = (part(ContactField::PhoneCode), Problem::Format);
        let zip = (part(ContactField::Zip), Problem::Format);
        let both = "{telnocc=TelephoneNo Country Code is invalid, zip=Postal Code is invalid}";
        assert_eq!(message(&[code.clone(), zip.clone()]), both);
        assert_eq!(message(&[zip, code.clone()]), both);
        assert_eq!(
            message(&[code]),
            "{telnocc=TelephoneNo Country Code is invalid}"
        );
        assert_eq!(
            message(&[(part(ContactField::Company), Problem::Words(2))]),
            "{company=Company Name should contain at least two words.}"
        );
    }

    #[test]
    fn what_is_missing_comes_alone_and_in_the_documented_order() {
        let faults = [
            (part(ContactField::Zip), Problem::Format),
            (Field::Customer, Problem::Missing),
            (part(ContactField::City), Problem::Missing),
            (part(ContactField::Address1), Problem::Missing),
        ];
        assert_eq!(
            message(&faults),
            "Required parameter missing: address-line-1"
        );
        assert_eq!(
            message(&faults[..2]),
            "Required parameter missing: customer-id"
        );
        let attribute = (Field::Attribute("CPR"), Problem::Missing);
        assert_eq!(message(&[attribute]), "{CPR=CPR is required}");
    }

    #[test]
    fn an_unknown_customer_is_told_alone_or_among_others() {
        let unknown = (Field::Customer, Problem::Unknown("7".to_owned()));
        assert_eq!(
            message(std::slice::from_ref(&unknown)),
            "Invalid customer-id"
        );
        let zip = (part(ContactField::Zip), Problem::Format);
        let told = message(&[unknown, zip]);
        assert!(told.contains("customerid=Customer Id is invalid"), "{told}");
        assert!(told.contains("zip=Postal Code is invalid"), "{told}");
    }

    #[test]
    fn a_field_is_told_once() {
        let name = |problem| (part(ContactField::Name), problem);
        let faults = [
            name(Problem::Format),
            name(Problem::Length { min: 1, max: 9 }),
        ];
        assert_eq!(message(&faults), "{name=Name is invalid}");
    }

    #[test]
    fn refusals_have_their_words_and_headers() {
        let scope = AppError::OutOfScope {
            held: Scope::Read,
            needed: Scope::Orders,
        };
        let too_many = |retry_seconds| AppError::TooMany {
            what: TooMany::Calls(Excess::Second(5)),
            retry_seconds,
        };
        let of = |error: AppError| Obstacle::from(error).message();
        for error in [
            AppError::Unauthenticated,
            AppError::UnknownUsername,
            AppError::WrongPassword,
            AppError::Suspended,
        ] {
            assert!(of(error).ends_with("Inactive or Suspended"));
        }
        assert_eq!(of(scope), "You are not allowed to perform this action");
        let address = AppError::AddressNotAllowed(Ipv4Addr::LOCALHOST.into());
        assert!(of(address).starts_with("Access Denied."));
        assert!(of(too_many(1)).ends_with("Try again in 1 second"));
        let nowhere = AppError::NotFound {
            what: Noun::Contact,
            id: "7".to_owned(),
        };
        assert_eq!(of(nowhere), "Invalid contact-id");
        let answer = Obstacle::from(too_many(61)).answer(Format::Json);
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["retry-after"], "61");
        assert_eq!(
            Obstacle::from(AppError::Busy).answer(Format::Xml).headers()["retry-after"],
            "1"
        );
        let source = "connection refused".into();
        let away = AppError::Unavailable {
            is_undone: true,
            source,
        };
        let answer = Obstacle::from(away).answer(Format::Json);
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "5");
        assert_eq!(
            Obstacle::TooLarge.answer(Format::Json).headers()["connection"],
            "close"
        );
        assert_eq!(Obstacle::UnknownAddress.answer(Format::Json).status(), 404);
    }

    #[test]
    fn a_failure_of_ours_shows_nothing() {
        let error = AppError::internal(std::io::Error::other("s3cret"));
        assert_eq!(
            Obstacle::from(error).message(),
            "An internal error occurred"
        );
    }

    fn any_field() -> impl Strategy<Value = Field> {
        use ContactField::{
            Address1, Address2, Address3, City, Company, Country, Email, Fax, FaxCode, Name, Phone,
            PhoneCode, State, Zip,
        };
        let parts = [
            Address1, Address2, Address3, City, Company, Country, Email, Fax, FaxCode, Name, Phone,
            PhoneCode, State, Zip,
        ];
        let of_customer = [
            CustomerField::Mobile,
            CustomerField::OtherState,
            CustomerField::VatId,
        ];
        let attributes = ["CPR", "contract-type", "es_tipo_identificacion"];
        let fields = parts.into_iter().map(part);
        let fields = fields.chain(of_customer.map(Field::CustomerPart));
        let fields = fields.chain(attributes.map(Field::Attribute));
        let fields = fields.chain([Field::ContactType, Field::Customer]);
        prop::sample::select(fields.collect::<Vec<_>>())
    }

    fn any_problem() -> impl Strategy<Value = Problem> {
        prop_oneof![
            Just(Problem::Missing),
            Just(Problem::Fixed),
            Just(Problem::Format),
            Just(Problem::Type("a number")),
            Just(Problem::NotOneOf(vec!["a, b".to_owned(), "}".to_owned()])),
            (0_usize..9, 9_usize..300).prop_map(|(min, max)| Problem::Length { min, max }),
            (1_usize..4).prop_map(Problem::Words),
            ".{0,20}".prop_map(Problem::Unknown),
            "[a-z,{}= ]{0,30}".prop_map(Problem::Invalid),
        ]
    }

    /// The keys of a map, taken apart as clients do it.
    fn keys(message: &str) -> Option<Vec<&str>> {
        let map = regex::Regex::new(r"^\{(?-u:\w)+=([^}]+)\}$").unwrap();
        let key = regex::Regex::new(r"^((?-u:\w)+)=.").unwrap();
        let inner = message.get(1..message.len() - 1)?;
        let pairs = map.is_match(message).then(|| inner.split(", "))?;
        let key = |pair| Some(key.captures(pair)?.get(1)?.as_str());
        pairs.map(key).collect()
    }

    proptest! {
        #[test]
        fn clients_can_take_every_map_apart(
            faults in prop::collection::vec((any_field(), any_problem()), 1..=12),
        ) {
            let told = message(&faults);
            let absent = |(field, problem): &(Field, Problem)| {
                *problem == Problem::Missing && !is_attribute(*field)
            };
            let parameters = faults.iter().map(|(field, _)| FieldWords::of(*field).parameter);
            if faults.iter().any(absent) {
                let mut messages = parameters.map(missing);
                prop_assert!(messages.any(|message| message == told), "{}", told);
                return Ok(());
            }
            if let [(field, Problem::Unknown(_))] = &faults[..] {
                let parameter = FieldWords::of(*field).parameter;
                if parameter.ends_with("-id") {
                    prop_assert_eq!(told, format!("Invalid {parameter}"));
                    return Ok(());
                }
            }
            let mut expected: Vec<String> =
                faults.iter().map(|(field, _)| FieldWords::of(*field).stored_as.into_owned()).collect();
            expected.sort();
            expected.dedup();
            let keys = keys(&told);
            prop_assert!(keys.is_some(), "{}", told);
            let mut keys = keys.unwrap_or_default();
            keys.sort_unstable();
            prop_assert_eq!(keys, expected);
        }
    }
}
