//! Making challenges: fresh random values, put where the method wants them.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use chancery_domain::authorizations::{
    Challenge, DNS_LABEL, FILE_NAME, Method, RecordType, approver_addresses,
};
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::names::DomainName;

use crate::ApproverChoice;

/// So many bytes of randomness as lower-case hex.
pub(crate) fn random_hex<const BYTES: usize>() -> String {
    let mut bytes = [0_u8; BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One challenge for each name, in order, with one fresh random value of 128 bits for all of them: the
/// value belongs to the certificate request (BR 1.6.1, "Random Value").
pub(crate) fn challenges(
    record_type: RecordType,
    method: Method,
    names: &[DomainName],
    approvers: &[ApproverChoice],
    challenge_domain: &str,
) -> Result<Vec<Challenge>, Vec<FieldError>> {
    let value = random_hex::<16>();
    let mut errors = Vec::new();
    let made = names
        .iter()
        .enumerate()
        .map(|(at, name)| match method {
            Method::Dns => Challenge::Dns {
                record_type,
                host: format!("{DNS_LABEL}.{}", name.host_str()),
                value: match record_type {
                    RecordType::Txt => value.clone(),
                    RecordType::Cname => format!("{value}.{challenge_domain}"),
                },
            },
            Method::File => Challenge::File {
                file_name: FILE_NAME.to_owned(),
                value: value.clone(),
            },
            Method::Email => {
                let allowed = approver_addresses(name);
                let approver = match choice_for(approvers, at, name) {
                    Some(asked) => pick(asked, allowed).unwrap_or_else(|error| {
                        errors.push(error);
                        String::new()
                    }),
                    // The first of the list is the default, as documented for a change of method.
                    None => allowed.into_iter().next().unwrap_or_default(),
                };
                Challenge::Email { approver }
            }
        })
        .collect();
    if errors.is_empty() {
        Ok(made)
    } else {
        Err(errors)
    }
}

/// The choice for a name: one that names it, else the unnamed one at its place, else the only one.
pub(crate) fn choice_for<'a>(
    approvers: &'a [ApproverChoice],
    at: usize,
    name: &DomainName,
) -> Option<&'a str> {
    let names_it = |choice: &&ApproverChoice| {
        choice.name.as_ref().is_some_and(|text| {
            DomainName::parse(text).is_ok_and(|asked| asked.host_str() == name.host_str())
        })
    };
    let named = approvers.iter().find(names_it);
    let by_place = || approvers.get(at).filter(|choice| choice.name.is_none());
    let only = || {
        approvers
            .first()
            .filter(|only| approvers.len() == 1 && only.name.is_none())
    };
    let address = named
        .or_else(by_place)
        .map(|choice| choice.address.as_str());
    // A single bare address stands for every name that it may approve.
    address.or_else(|| {
        let address = only()?.address.as_str();
        approver_addresses(name)
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(address))
            .then_some(address)
    })
}

/// The allowed address that was asked for, in any case.
fn pick(asked: &str, allowed: Vec<String>) -> Result<String, FieldError> {
    match allowed
        .iter()
        .find(|address| address.eq_ignore_ascii_case(asked.trim()))
    {
        Some(address) => Ok(address.clone()),
        None => Err(FieldError {
            field: Field::Approver,
            problem: Problem::NotOneOf(allowed),
        }),
    }
}
