//! Making challenges: fresh random values, put where the method wants them.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use chancery_domain::approvers::{
    ApproverChoice, approver_addresses, approver_for, chosen_approvers,
};
use chancery_domain::authorizations::{Challenge, DNS_LABEL, FILE_NAME, Method, RecordType};
use chancery_domain::fields::FieldError;
use chancery_domain::issuances::NameControl;
use chancery_domain::names::DomainName;

/// Who is to approve, for the email method.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Approvers<'a> {
    /// Who was chosen.
    pub(crate) chosen: &'a [ApproverChoice],
    /// What was asked for before: a name that nothing is said of keeps its approver, while that one may answer.
    pub(crate) before: &'a [NameControl],
}

impl Approvers<'_> {
    /// The approver of each name, in their order: the one chosen, else the one it had, else the first who may.
    fn of(self, names: &[DomainName]) -> Result<Vec<String>, Vec<FieldError>> {
        let chosen = chosen_approvers(names, self.chosen)?;
        let or_before = |(name, chosen): (&DomainName, Option<String>)| {
            chosen
                .or_else(|| self.before(name))
                .or_else(|| approver_addresses(name).into_iter().next())
                .unwrap_or_default()
        };
        Ok(names.iter().zip(chosen).map(or_before).collect())
    }

    fn before(self, name: &DomainName) -> Option<String> {
        let control = self.before.iter().find(|control| control.name == *name)?;
        match &control.challenge {
            Challenge::Email { approver } => approver_for(name, approver),
            Challenge::Dns { .. } | Challenge::File { .. } => None,
        }
    }
}

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
    approvers: Approvers<'_>,
    challenge_domain: &str,
) -> Result<Vec<Challenge>, Vec<FieldError>> {
    let value = random_hex::<16>();
    let approvers = match method {
        Method::Email => approvers.of(names)?,
        Method::Dns | Method::File => Vec::new(),
    };
    let made = names.iter().enumerate().map(|(at, name)| match method {
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
        Method::Email => Challenge::Email {
            approver: approvers[at].clone(),
        },
    });
    Ok(made.collect())
}
