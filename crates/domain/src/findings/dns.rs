//! Findings of a look in the DNS (BR 3.2.2.4.7).

use super::{Difference, DnsTrouble, Excerpt, OWN_ADVICE, OWN_SHORTAGE};
use crate::authorizations::RecordType;
use crate::names::DomainName;
use crate::observations::Outcome;

/// What is to be found where.
#[derive(Clone, Copy, Debug)]
pub struct DnsWanted<'a> {
    /// The name to be proved.
    pub name: &'a DomainName,
    /// The kind of record.
    pub kind: RecordType,
    /// Where it is shown to belong.
    pub host: &'a str,
    /// What it has to say.
    pub value: &'a str,
}

impl DnsWanted<'_> {
    /// `a TXT record at HOST with the value VALUE`.
    fn record(&self) -> String {
        let Self { host, value, .. } = self;
        match self.kind {
            RecordType::Txt => format!("a TXT record at {host} with the value {value}"),
            RecordType::Cname => format!("a CNAME record at {host} that points to {value}"),
        }
    }
}

/// Where an alias ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// At a name that has other values.
    Values(Excerpt),
    /// At a name without such a record, or at none.
    Nothing,
    /// At a name that is none of the public DNS; what stands there is not told.
    NotPublic,
}

/// What a question at one place came upon, or what explains why nothing was found at any.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DnsFinding {
    /// The value is there.
    Proved,
    /// A record with something else in it.
    Differs(Difference, Excerpt),
    /// The place exists, without such a record.
    NoRecord,
    /// The DNS says that the place does not exist.
    NoSuchName,
    /// The question has no answer.
    Dns(DnsTrouble),
    /// A TXT record is wanted, and a CNAME stands in its place, or nearer than any TXT record.
    Alias {
        /// Where the alias stands.
        place: String,
        /// Whereto it leads.
        target: Excerpt,
        /// What is there.
        end: End,
    },
    /// A CNAME is wanted, and a TXT record stands in its place.
    TextInstead {
        /// Where it stands.
        place: String,
        /// What it says.
        text: Excerpt,
    },
    /// Any name below the domain is answered for (a wildcard record), so that nothing can be told from the answer.
    AnyName {
        /// The record as it stands in the zone, such as `*.shop.example`.
        wildcard: String,
        /// What it says.
        says: Excerpt,
    },
    /// The value stands where it is not looked for.
    Misplaced(String),
    /// The value stands below the domain's name twice, because the DNS panel adds the name by itself.
    NameTwice {
        /// Where it stands.
        place: String,
        /// What to enter in the panel.
        enter: String,
    },
    /// The target of the CNAME has the zone's name behind it, because its final dot is missing.
    NoFinalDot(Excerpt),
    /// The domain itself does not exist in the DNS.
    NoSuchDomain(DomainName),
    /// The name is too long for the label in front of it.
    NoRoom {
        /// The longest parent with room for the label.
        parent: Option<String>,
    },
    /// No domain may vouch for the name.
    NoDomain,
}

impl DnsFinding {
    /// The class of outcome.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Proved => Outcome::Proved,
            Self::Differs(..)
            | Self::NoFinalDot(_)
            | Self::AnyName { .. }
            | Self::Alias {
                end: End::Values(_),
                ..
            } => Outcome::WrongValue,
            Self::NoRecord
            | Self::Misplaced(_)
            | Self::NameTwice { .. }
            | Self::TextInstead { .. }
            | Self::Alias { .. } => Outcome::NotFound,
            Self::NoSuchName | Self::NoSuchDomain(_) => Outcome::NoSuchName,
            Self::Dns(DnsTrouble::Silent(_)) => Outcome::Timeout,
            Self::Dns(DnsTrouble::Failed(_)) => Outcome::ServerFailure,
            Self::Dns(DnsTrouble::NotAsked) => Outcome::OwnFailure,
            Self::NoRoom { .. } | Self::NoDomain => Outcome::Forbidden,
        }
    }

    /// How much it tells the applicant; of several places, the one that tells most gives the look its outcome.
    pub fn weight(&self) -> u8 {
        match self {
            Self::Proved => 20,
            Self::Differs(difference, _) => 10 + difference.nearness(),
            Self::NoFinalDot(_) => 14,
            Self::Misplaced(_) | Self::NameTwice { .. } | Self::TextInstead { .. } => 9,
            Self::Alias { .. } | Self::AnyName { .. } => 8,
            Self::Dns(DnsTrouble::Failed(_)) => 7,
            Self::Dns(DnsTrouble::Silent(_)) => 6,
            Self::NoSuchDomain(_) => 5,
            Self::NoRoom { .. } => 4,
            Self::NoRecord => 3,
            Self::NoSuchName => 2,
            Self::Dns(DnsTrouble::NotAsked) => 1,
            Self::NoDomain => 0,
        }
    }

    /// What was found, in a few words.
    pub fn account(&self, wanted: &DnsWanted<'_>) -> String {
        let kind = wanted.kind.as_str();
        match self {
            Self::Proved => format!("\"{}\"", wanted.value),
            Self::Differs(_, quoted) => quoted.to_string(),
            Self::NoRecord => format!("no {kind} record"),
            Self::NoSuchName => "NXDOMAIN".to_owned(),
            Self::Dns(DnsTrouble::Silent(why) | DnsTrouble::Failed(why)) => why.to_string(),
            Self::Dns(DnsTrouble::NotAsked) => OWN_SHORTAGE.to_owned(),
            Self::Alias { place, target, end } => {
                let end = match end {
                    End::Values(says) => format!(", which says {says}"),
                    End::Nothing => format!(", which has no {kind} record"),
                    End::NotPublic => ", which is not a name of the public DNS".to_owned(),
                };
                format!("{place} is a CNAME to {target}{end}")
            }
            Self::TextInstead { place, text } => {
                format!("{place} has a TXT record, {text}, and no CNAME record")
            }
            Self::AnyName { wildcard, says } => {
                format!("{wildcard} answers for every name, with {says}")
            }
            Self::Misplaced(place) => format!("the value stands at {place}"),
            Self::NameTwice { place, .. } => format!("the value stands at {place}"),
            Self::NoFinalDot(target) => {
                format!("the CNAME leads to {target}: the zone's name was added to the target")
            }
            Self::NoSuchDomain(domain) => format!("{domain} itself does not exist (NXDOMAIN)"),
            Self::NoRoom { .. } => {
                let length = wanted.host.len();
                format!(
                    "{length} characters would be needed for {}, and a name has 253 at most",
                    wanted.host
                )
            }
            Self::NoDomain => format!(
                "{} is a public suffix, or internal: no domain may vouch for it",
                wanted.name
            ),
        }
    }

    /// What to change, as a sentence for the applicant; empty when proved.
    pub fn advice(&self, wanted: &DnsWanted<'_>) -> String {
        let DnsWanted {
            kind, host, value, ..
        } = *wanted;
        let kind_word = kind.as_str();
        let create = wanted.record();
        match self {
            Self::Proved => String::new(),
            Self::Dns(DnsTrouble::NotAsked) => OWN_ADVICE.to_owned(),
            Self::Differs(difference, _) => {
                let what = format!("The {kind_word} record that was found");
                difference.advice(&what, &format!("publish {create}"))
            }
            Self::NoRecord | Self::NoSuchName => format!("Create {create}."),
            Self::Dns(DnsTrouble::Failed(why)) => format!(
                "Make the name servers of the domain answer ({why}; a broken DNSSEC signature fails this way too), and \
                 create {create}."
            ),
            Self::Dns(DnsTrouble::Silent(why)) => format!(
                "Make the name servers of the domain reachable from everywhere ({why}), and create {create}."
            ),
            Self::Alias { place, target, end } => advice_on_alias(place, target, end, wanted),
            Self::TextInstead { place, .. } => format!(
                "A TXT record stands at {place} where a CNAME record is wanted, and a name cannot have both: delete the \
                 TXT record, and create {create}."
            ),
            Self::AnyName { wildcard, .. } => format!(
                "The answer comes from the wildcard record {wildcard}, which answers for every name that has no record of \
                 its own: create {create}."
            ),
            Self::Misplaced(place) => format!(
                "The value is right and stands at the wrong place, {place}: create {create}."
            ),
            Self::NameTwice { place, enter } => format!(
                "The record stands at {place}, with the domain twice: the DNS panel adds the domain by itself. Enter only \
                 {enter} as the name of the record, so that it stands at {host}."
            ),
            Self::NoFinalDot(target) => format!(
                "The CNAME record leads to {target}, because the zone's name was added to its target: write the target \
                 with a dot at its end, {value}."
            ),
            Self::NoSuchDomain(domain) => format!(
                "The domain {domain} does not exist in the DNS: register it, or have it delegated to its name servers; \
                 then create {create}."
            ),
            Self::NoRoom { parent } => match parent {
                Some(parent) => format!(
                    "The name is too long to carry the label of the record: put the {kind_word} record at {parent} \
                     instead, with the value {value}; or choose another method."
                ),
                None => {
                    "The name is too long to carry the label of the record: choose another method."
                        .to_owned()
                }
            },
            Self::NoDomain => "Order for a name below a registered domain.".to_owned(),
        }
    }
}

fn advice_on_alias(place: &str, target: &Excerpt, end: &End, wanted: &DnsWanted<'_>) -> String {
    let DnsWanted { host, value, .. } = *wanted;
    let there = match end {
        End::NotPublic => String::new(),
        End::Values(_) | End::Nothing => {
            format!(", or put a TXT record with the value {value} at {target}")
        }
    };
    format!(
        "A CNAME record stands at {place} and leads to {target}, so that a TXT record there is never seen: delete the CNAME \
         record and create a TXT record at {host} with the value {value}{there}."
    )
}
