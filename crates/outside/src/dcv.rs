//! Domain control checks: one look at the world for one challenge, told as an observation.
//!
//! Whatever happens out there, the result is an [`Observation`] that says what was asked, what came back and
//! what to change. For the DNS the name itself is asked first, then its parents, then its aliases and theirs,
//! in the order of [`authorization_domains`]; each group at once, so that a slow zone costs one
//! time limit and not one per label. A value found is proof at the authorization domain name it was found for.

use std::cmp::Reverse;

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Challenge, Method, RecordType, authorization_domains};
use chancery_domain::names::DomainName;
use chancery_domain::observations::{Observation, Outcome};
use futures_util::future::join_all;

use crate::dns::{DnsAnswer, Resolver};
use crate::excerpts::{EXCERPT_LIMIT, excerpt, excerpt_list};
use crate::probe::HttpProbe;

/// How many authorization domain names are asked in one group.
const GROUP_LIMIT: usize = 8;

/// Looks for the proof of a challenge.
#[derive(Clone, Debug)]
pub struct Dcv {
    resolver: Resolver,
    probe: HttpProbe,
}

impl Dcv {
    /// Joins the two ways of looking.
    pub fn new(resolver: Resolver, probe: HttpProbe) -> Self {
        Self { resolver, probe }
    }

    /// Takes one look. `now` becomes the time of the observation.
    ///
    /// An e-mail challenge is answered by its reader and not found by looking, so nothing is sent for it.
    pub async fn look(
        &self,
        name: &DomainName,
        challenge: &Challenge,
        now: Timestamp,
    ) -> Observation {
        let sighting = match challenge {
            Challenge::Dns {
                record_type,
                host,
                value,
            } => {
                self.look_in_dns(
                    name,
                    &Record {
                        kind: *record_type,
                        host,
                        value,
                    },
                )
                .await
            }
            Challenge::File { file_name, value } => self.look_on_web(name, file_name, value).await,
            Challenge::Email { approver } => wait_for(approver),
        };
        Observation {
            name: name.clone(),
            method: challenge.method(),
            at: now,
            asked: sighting.asked,
            of: sighting.of,
            found: sighting.found,
            outcome: sighting.outcome,
            advice: sighting.advice,
            proved_domain: sighting.proved_domain,
        }
    }

    async fn look_in_dns(&self, name: &DomainName, record: &Record<'_>) -> Sighting {
        let mut own = authorization_domains(name, Method::Dns, &[]);
        if own.len() > GROUP_LIMIT {
            // Of a very long name, the host and what is nearest to the Base Domain are the likely places.
            own.drain(1..own.len() - (GROUP_LIMIT - 1));
        }
        let (host, parents) = own.split_at(own.len().min(1));
        let mut answers = self.ask_all(host, record).await;
        if !is_proved(&answers) {
            answers.extend(self.ask_all(parents, record).await);
        }
        if !is_proved(&answers) && !name.is_wildcard() && !own.is_empty() {
            let aliases = self.resolver.cname_chain(name).await;
            let mut others = authorization_domains(name, Method::Dns, &aliases);
            others.retain(|domain| !name.is_at_or_below(domain));
            others.truncate(GROUP_LIMIT);
            answers.extend(self.ask_all(&others, record).await);
        }
        sum_up(name, record, self.resolver.servers(), answers)
    }

    async fn ask_all(&self, domains: &[DomainName], record: &Record<'_>) -> Vec<Asked> {
        join_all(domains.iter().map(|domain| self.ask(domain, record))).await
    }

    async fn ask(&self, domain: &DomainName, record: &Record<'_>) -> Asked {
        let place = format!("{}.{domain}", record.label());
        let answer = match record.kind {
            RecordType::Txt => self.resolver.txt(&place).await,
            RecordType::Cname => self.resolver.cname(&place).await,
        };
        let (outcome, found) = record.judge(&answer);
        Asked {
            domain: domain.clone(),
            place,
            outcome,
            found,
        }
    }

    async fn look_on_web(&self, name: &DomainName, file_name: &str, value: &str) -> Sighting {
        let url = HttpProbe::url(name, file_name);
        if authorization_domains(name, Method::File, &[]).is_empty() {
            return Sighting {
                asked: String::new(),
                of: String::new(),
                found: "a file cannot prove a wildcard name".to_owned(),
                outcome: Outcome::Forbidden,
                advice: format!("Choose another method for {name}, for example a DNS record."),
                proved_domain: None,
            };
        }
        let sight = self.probe.look(name, file_name, value).await;
        let of = if sight.of.is_empty() {
            self.resolver.servers().to_owned()
        } else {
            sight.of
        };
        Sighting {
            asked: sight.asked,
            of,
            found: sight.found,
            outcome: sight.outcome,
            advice: file_advice(sight.outcome, name, &url, value),
            proved_domain: (sight.outcome == Outcome::Proved).then(|| name.clone()),
        }
    }
}

/// An observation but for what the caller knows.
struct Sighting {
    asked: String,
    of: String,
    found: String,
    outcome: Outcome,
    advice: String,
    proved_domain: Option<DomainName>,
}

/// What a DNS challenge wants.
struct Record<'a> {
    kind: RecordType,
    host: &'a str,
    value: &'a str,
}

impl Record<'_> {
    /// The label under each authorization domain name.
    fn label(&self) -> &str {
        self.host.split('.').next().unwrap_or(self.host)
    }

    fn judge(&self, answer: &DnsAnswer<String>) -> (Outcome, String) {
        match answer {
            DnsAnswer::Found(values) if values.iter().any(|value| self.is_met_by(value)) => (
                Outcome::Proved,
                format!("\"{}\"", excerpt(self.value, EXCERPT_LIMIT)),
            ),
            DnsAnswer::Found(values) => (Outcome::WrongValue, excerpt_list(values)),
            DnsAnswer::NoData => (
                Outcome::NotFound,
                format!("no {} record", self.kind.as_str()),
            ),
            DnsAnswer::NoSuchName => (Outcome::NoSuchName, "NXDOMAIN".to_owned()),
            DnsAnswer::Timeout => (Outcome::Timeout, "no answer in time".to_owned()),
            DnsAnswer::ServerFailure(why) => (Outcome::ServerFailure, excerpt(why, EXCERPT_LIMIT)),
        }
    }

    /// TXT values are compared as they are; CNAME targets are names, so case and a final dot do not count.
    fn is_met_by(&self, value: &str) -> bool {
        let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        !self.value.is_empty()
            && match self.kind {
                RecordType::Txt => value == self.value,
                RecordType::Cname => bare(value) == bare(self.value),
            }
    }

    fn advice(&self, outcome: Outcome) -> String {
        let Self { kind, host, value } = self;
        let kind = kind.as_str();
        let create = match self.kind {
            RecordType::Txt => format!("a TXT record at {host} with the value {value}"),
            RecordType::Cname => format!("a CNAME record at {host} that points to {value}"),
        };
        match outcome {
            Outcome::Proved => String::new(),
            Outcome::WrongValue => {
                format!("The {kind} record that was found has another value: publish {create}.")
            }
            Outcome::ServerFailure => format!(
                "Make the name servers of the domain answer (a broken DNSSEC signature fails this way too), and \
                 create {create}."
            ),
            Outcome::Timeout => {
                format!("Make the name servers of the domain reachable, and create {create}.")
            }
            Outcome::NotFound
            | Outcome::NoSuchName
            | Outcome::Unreachable
            | Outcome::BadStatus
            | Outcome::Forbidden
            | Outcome::Waiting => format!("Create {create}."),
        }
    }
}

/// One question of a DNS look, answered.
struct Asked {
    domain: DomainName,
    place: String,
    outcome: Outcome,
    found: String,
}

fn is_proved(answers: &[Asked]) -> bool {
    answers.iter().any(|asked| asked.outcome == Outcome::Proved)
}

/// How much an outcome tells the applicant; the answer that tells most gives the look its outcome.
fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Proved => 5,
        Outcome::WrongValue => 4,
        Outcome::ServerFailure => 3,
        Outcome::Timeout => 2,
        Outcome::NotFound => 1,
        Outcome::NoSuchName
        | Outcome::Unreachable
        | Outcome::BadStatus
        | Outcome::Forbidden
        | Outcome::Waiting => 0,
    }
}

fn sum_up(
    name: &DomainName,
    record: &Record<'_>,
    servers: &str,
    mut answers: Vec<Asked>,
) -> Sighting {
    let places: Vec<&str> = answers.iter().map(|asked| asked.place.as_str()).collect();
    let asked = match places.as_slice() {
        [] => String::new(),
        places => format!("{} {}", record.kind.as_str(), places.join(", ")),
    };
    // The sort is stable, so of equally telling answers the one nearest to the name comes first.
    answers.sort_by_key(|asked| Reverse(weight(asked.outcome)));
    let Some(best) = answers.first() else {
        return Sighting {
            asked,
            of: String::new(),
            found: format!("{name} is a public suffix, or internal: no domain may vouch for it"),
            outcome: Outcome::Forbidden,
            advice: "Order for a name below a registered domain.".to_owned(),
            proved_domain: None,
        };
    };
    let outcome = best.outcome;
    let told: Vec<String> = if outcome == Outcome::Proved {
        vec![format!("{}: {}", best.place, best.found)]
    } else {
        answers
            .iter()
            .map(|asked| format!("{}: {}", asked.place, asked.found))
            .collect()
    };
    Sighting {
        asked: excerpt(&asked, 2 * EXCERPT_LIMIT),
        of: servers.to_owned(),
        found: excerpt(&told.join("; "), EXCERPT_LIMIT),
        outcome,
        advice: record.advice(outcome),
        proved_domain: (outcome == Outcome::Proved).then(|| best.domain.clone()),
    }
}

fn file_advice(outcome: Outcome, name: &DomainName, url: &str, value: &str) -> String {
    let serve = format!("serve a file at {url} that holds {value} and nothing else");
    match outcome {
        Outcome::Proved => String::new(),
        Outcome::NoSuchName => {
            format!("Create an A or AAAA record for {name}, and {serve}.")
        }
        Outcome::ServerFailure => {
            format!("Make the name servers of {name} answer, and {serve}.")
        }
        Outcome::Timeout | Outcome::Unreachable => {
            format!("Make {name} reachable on port 80 from the Internet, and {serve}.")
        }
        Outcome::Forbidden => format!(
            "Answer at {url} directly, or redirect with status 301, 302, 307 or 308 to a public address on port 80 \
             or 443, and {serve}."
        ),
        Outcome::NotFound | Outcome::WrongValue | Outcome::BadStatus | Outcome::Waiting => {
            format!("With status 200, {serve}.")
        }
    }
}

fn wait_for(approver: &str) -> Sighting {
    Sighting {
        asked: format!("approval by {approver}"),
        of: approver.to_owned(),
        found: "no approval yet".to_owned(),
        outcome: Outcome::Waiting,
        advice: format!("Open the message sent to {approver} and approve on the page it names."),
        proved_domain: None,
    }
}
impl Dcv {
    /// Whether the resolvers answer at all: for a name of ours, whether there is anything or not.
    pub async fn check_resolvers(&self, name: &str) -> Result<(), String> {
        match self.resolver.txt(name).await {
            DnsAnswer::Timeout => Err(format!(
                "{} did not answer in time",
                self.resolver.servers()
            )),
            DnsAnswer::ServerFailure(how) => Err(format!("{}: {how}", self.resolver.servers())),
            DnsAnswer::Found(_) | DnsAnswer::NoData | DnsAnswer::NoSuchName => Ok(()),
        }
    }
}
