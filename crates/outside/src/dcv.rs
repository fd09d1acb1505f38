//! Domain control checks: one look at the world for one challenge, told as an observation.
//!
//! Whatever happens out there, the result is an [`Observation`] that says what was asked, what came back and
//! what to change. What the looks come upon are [findings](chancery_domain::findings); their words are there.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Challenge, Method, authorization_domains};
use chancery_domain::findings::{DnsTrouble, DnsWanted, FileFinding, FileWanted};
use chancery_domain::names::DomainName;
use chancery_domain::observations::{Observation, Outcome};

use crate::dns::{DnsAnswer, Resolver};
use crate::dns_looks::DnsLook;
use crate::probe::HttpProbe;

/// Looks for the proof of a challenge.
#[derive(Clone, Debug)]
pub struct Dcv {
    pub(crate) resolver: Resolver,
    pub(crate) probe: HttpProbe,
}

/// An observation but for what the caller knows.
pub(crate) struct Sighting {
    pub(crate) asked: String,
    pub(crate) of: String,
    pub(crate) found: String,
    pub(crate) outcome: Outcome,
    pub(crate) advice: String,
    pub(crate) proved_domain: Option<DomainName>,
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
                let wanted = DnsWanted {
                    name,
                    kind: *record_type,
                    host,
                    value,
                };
                DnsLook::new(self, wanted).take().await
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

    async fn look_on_web(&self, name: &DomainName, file_name: &str, value: &str) -> Sighting {
        let url = HttpProbe::url(name, file_name);
        if authorization_domains(name, Method::File, &[]).is_empty() {
            let wanted = FileWanted {
                name,
                url: &url,
                value,
                redirected_to: None,
                host: name.host_str(),
                by_ipv6: false,
            };
            let finding = FileFinding::Wildcard;
            return Sighting {
                asked: String::new(),
                of: String::new(),
                found: finding.account(&wanted),
                outcome: finding.outcome(),
                advice: finding.advice(&wanted),
                proved_domain: None,
            };
        }
        let sight = self.probe.look(name, file_name, value).await;
        let wanted = sight.wanted(name, &url, value);
        let outcome = sight.finding.outcome();
        Sighting {
            found: sight.finding.account(&wanted),
            advice: sight.finding.advice(&wanted),
            of: match sight.of.is_empty() {
                true => self.resolver.servers().to_owned(),
                false => sight.of.clone(),
            },
            outcome,
            proved_domain: (outcome == Outcome::Proved).then(|| name.clone()),
            asked: sight.asked,
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
        let servers = self.resolver.servers();
        match self.resolver.txt(name).await.answer {
            DnsAnswer::Trouble(DnsTrouble::Silent(how) | DnsTrouble::Failed(how)) => {
                Err(how.to_string())
            }
            DnsAnswer::Trouble(DnsTrouble::NotAsked) => {
                Err(format!("none of {servers} can be asked"))
            }
            DnsAnswer::Found(_) | DnsAnswer::NoData | DnsAnswer::NoSuchName => Ok(()),
        }
    }
}
