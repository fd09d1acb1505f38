//! A look for a record: where it is asked for, and why it is not there.
//!
//! The name itself is asked first, then its parents, then its aliases and theirs, in the order of
//! [`authorization_domains`]; each group at once, so that a slow zone costs one time limit and not one per label. A
//! value found is proof at the authorization domain name it was found for. Where nothing is proved, a few more questions
//! find out why: they look where people put records by mistake, and prove nothing.

use std::cmp::Reverse;

use chancery_domain::authorizations::{Method, RecordType, authorization_domains};
use chancery_domain::findings::{Difference, DnsFinding, DnsTrouble, DnsWanted, End};
use chancery_domain::names::DomainName;
use chancery_domain::observations::Outcome;
use futures_util::future::join_all;

use crate::dcv::{Dcv, Sighting};
use crate::dns::{DnsAnswer, Texts};
use crate::excerpts::{EXCERPT_LIMIT, excerpt, excerpt_list, shown};

/// How many authorization domain names are asked in one group.
const GROUP_LIMIT: usize = 8;

/// The longest name, in characters (RFC 1035 §2.3.4, without the final dot).
const NAME_LIMIT: usize = 253;

/// A label nobody has, to see whether a zone answers for every name.
const NOBODYS_LABEL: &str = "_chancery-nobodys-label";

/// Findings of at most this weight say only that nothing is there.
const NOTHING_THERE: u8 = 3;

pub(crate) struct DnsLook<'a> {
    dcv: &'a Dcv,
    wanted: DnsWanted<'a>,
}

/// One question, answered.
struct Asked {
    domain: DomainName,
    place: String,
    finding: DnsFinding,
}

impl<'a> DnsLook<'a> {
    pub(crate) fn new(dcv: &'a Dcv, wanted: DnsWanted<'a>) -> Self {
        Self { dcv, wanted }
    }

    pub(crate) async fn take(&self) -> Sighting {
        let name = self.wanted.name;
        let mut own = authorization_domains(name, Method::Dns, &[]);
        if own.len() > GROUP_LIMIT {
            // Of a very long name, the host and what is nearest to the Base Domain are the likely places.
            own.drain(1..own.len() - (GROUP_LIMIT - 1));
        }
        let (host, parents) = own.split_at(own.len().min(1));
        let mut answers = self.ask_all(host).await;
        if is_worth_going_on(&answers) {
            answers.extend(self.ask_all(parents).await);
        }
        if is_worth_going_on(&answers) && !name.is_wildcard() && !own.is_empty() {
            // What lies behind an internal name is not asked for: it would tell strangers, and prove nothing.
            let is_public = |alias: &str| self.dcv.probe.policy.has_name(alias);
            let aliases = (self.dcv.resolver)
                .cname_chain(name.host_str(), is_public)
                .await;
            let mut others = authorization_domains(name, Method::Dns, &aliases.names);
            others.retain(|domain| !name.is_at_or_below(domain));
            others.truncate(GROUP_LIMIT);
            answers.extend(self.ask_all(&others).await);
        }
        let places: Vec<&str> = answers.iter().map(|asked| asked.place.as_str()).collect();
        let asked = match places.as_slice() {
            [] => String::new(),
            places => format!("{} {}", self.wanted.kind.as_str(), places.join(", ")),
        };
        // The sort is stable, so of equally telling answers the one nearest to the name comes first.
        answers.sort_by_key(|asked| Reverse(asked.finding.weight()));
        let cause = match answers.first() {
            Some(best) => self.cause_of(best).await,
            None => Some(DnsFinding::NoDomain),
        };
        self.sum_up(&asked, &answers, cause.as_ref())
    }

    async fn ask_all(&self, domains: &[DomainName]) -> Vec<Asked> {
        join_all(domains.iter().map(|domain| self.ask(domain))).await
    }

    async fn ask(&self, domain: &DomainName) -> Asked {
        let place = format!("{}.{domain}", self.label());
        let finding = if place.len() > NAME_LIMIT {
            self.no_room()
        } else {
            match self.wanted.kind {
                RecordType::Txt => self.judge_texts(&place, self.dcv.resolver.txt(&place).await),
                RecordType::Cname => self.judge_target(self.dcv.resolver.cname(&place).await),
            }
        };
        Asked {
            domain: domain.clone(),
            place,
            finding,
        }
    }

    /// The label under each authorization domain name.
    fn label(&self) -> &str {
        let host = self.wanted.host;
        host.split('.').next().unwrap_or(host)
    }

    fn no_room(&self) -> DnsFinding {
        let parents = self.wanted.name.pruned();
        let places = parents
            .iter()
            .map(|domain| format!("{}.{domain}", self.label()));
        DnsFinding::NoRoom {
            parent: places.into_iter().find(|place| place.len() <= NAME_LIMIT),
        }
    }

    fn judge_texts(&self, place: &str, texts: Texts) -> DnsFinding {
        let Texts { answer, aliases } = texts;
        let is_public = |alias: &String| self.dcv.probe.policy.has_name(alias);
        let alias = |end| {
            let target = aliases.first()?;
            Some(DnsFinding::Alias {
                place: place.to_owned(),
                target: shown(target),
                end,
            })
        };
        if !aliases.iter().all(is_public) {
            // What an internal name says is nobody's to learn, and proves nothing.
            return alias(End::NotPublic).unwrap_or(DnsFinding::NoRecord);
        }
        match answer {
            DnsAnswer::Found(values) => {
                if values.iter().any(|value| self.is_met_by(value)) {
                    return DnsFinding::Proved;
                }
                let told = excerpt_list(&values);
                alias(End::Values(shown(&told))).unwrap_or_else(|| self.differs(&values))
            }
            DnsAnswer::NoData => alias(End::Nothing).unwrap_or(DnsFinding::NoRecord),
            DnsAnswer::NoSuchName => DnsFinding::NoSuchName,
            DnsAnswer::Trouble(trouble) => DnsFinding::Dns(trouble),
        }
    }

    fn judge_target(&self, answer: DnsAnswer<String>) -> DnsFinding {
        match answer {
            DnsAnswer::Found(targets) => {
                if targets.iter().any(|target| self.is_met_by(target)) {
                    return DnsFinding::Proved;
                }
                let wanted = self.wanted.value.to_ascii_lowercase();
                let is_longer = |target: &&String| {
                    let target = target.to_ascii_lowercase();
                    let rest = target.strip_prefix(&wanted);
                    !wanted.is_empty() && rest.is_some_and(|rest| rest.starts_with('.'))
                };
                match targets.iter().find(is_longer) {
                    Some(target) => DnsFinding::NoFinalDot(shown(target)),
                    None => self.differs(&targets),
                }
            }
            DnsAnswer::NoData => DnsFinding::NoRecord,
            DnsAnswer::NoSuchName => DnsFinding::NoSuchName,
            DnsAnswer::Trouble(trouble) => DnsFinding::Dns(trouble),
        }
    }

    /// TXT values are compared as they are; CNAME targets are names, so case and a final dot do not count.
    fn is_met_by(&self, value: &str) -> bool {
        let wanted = self.wanted.value;
        let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        !wanted.is_empty()
            && match self.wanted.kind {
                RecordType::Txt => value == wanted,
                RecordType::Cname => bare(value) == bare(wanted),
            }
    }

    /// Of several values, the one that comes nearest is spoken of.
    fn differs(&self, values: &[String]) -> DnsFinding {
        let differences = values
            .iter()
            .map(|value| Difference::between(value.as_bytes(), self.wanted.value));
        let nearest = differences.max_by_key(|difference| difference.nearness());
        DnsFinding::Differs(
            nearest.unwrap_or(Difference::Other),
            shown(&excerpt_list(values)),
        )
    }

    /// What explains the best of the answers, where one is to be had.
    async fn cause_of(&self, best: &Asked) -> Option<DnsFinding> {
        if let DnsFinding::Differs(..) | DnsFinding::Alias { .. } = best.finding {
            return self.wildcard_behind(best).await;
        }
        if best.finding.weight() > NOTHING_THERE {
            return None;
        }
        if self.wanted.host.len() > NAME_LIMIT {
            return Some(self.no_room());
        }
        if let Some(base) = self.wanted.name.base_domain()
            && best.finding == DnsFinding::NoSuchName
            && self.dcv.resolver.exists(base.as_str()).await == Some(false)
        {
            return Some(DnsFinding::NoSuchDomain(base));
        }
        let (other_kind, misplaced) = tokio::join!(self.other_kind(), self.misplaced());
        other_kind.or(misplaced)
    }

    /// Whether what was found stands at every name of the zone.
    async fn wildcard_behind(&self, best: &Asked) -> Option<DnsFinding> {
        let nobodys = format!("{NOBODYS_LABEL}.{}", best.domain);
        let says = match self.wanted.kind {
            RecordType::Txt => {
                let Texts { answer, aliases } = self.dcv.resolver.txt(&nobodys).await;
                let values = answer.into_found();
                let (DnsFinding::Differs(_, told)
                | DnsFinding::Alias {
                    end: End::Values(told),
                    ..
                }) = &best.finding
                else {
                    let DnsFinding::Alias { target, .. } = &best.finding else {
                        return None;
                    };
                    let is_same = aliases.first().is_some_and(|other| shown(other) == *target);
                    return is_same.then(|| self.any_name(best, &format!("a CNAME to {target}")));
                };
                let told_there = shown(&excerpt_list(&values));
                (!values.is_empty() && told_there == *told).then(|| told.to_string())
            }
            RecordType::Cname => {
                let targets = self.dcv.resolver.cname(&nobodys).await.into_found();
                let told = shown(&excerpt_list(&targets));
                let is_same =
                    matches!(&best.finding, DnsFinding::Differs(_, other) if *other == told);
                (!targets.is_empty() && is_same).then(|| told.to_string())
            }
        };
        says.map(|says| self.any_name(best, &says))
    }

    fn any_name(&self, best: &Asked, says: &str) -> DnsFinding {
        DnsFinding::AnyName {
            wildcard: format!("*.{}", best.domain),
            says: shown(says),
        }
    }

    /// A record of the other kind in the place of the one that is wanted.
    async fn other_kind(&self) -> Option<DnsFinding> {
        let place = self.wanted.host;
        match self.wanted.kind {
            RecordType::Txt => {
                let target = self
                    .dcv
                    .resolver
                    .cname(place)
                    .await
                    .into_found()
                    .into_iter()
                    .next()?;
                let is_public = self.dcv.probe.policy.has_name(&target);
                Some(DnsFinding::Alias {
                    place: place.to_owned(),
                    target: shown(&target),
                    end: if is_public {
                        End::Nothing
                    } else {
                        End::NotPublic
                    },
                })
            }
            RecordType::Cname => {
                let Texts { answer, aliases } = self.dcv.resolver.txt(place).await;
                let values = answer.into_found();
                (!values.is_empty() && aliases.is_empty()).then(|| DnsFinding::TextInstead {
                    place: place.to_owned(),
                    text: shown(&excerpt_list(&values)),
                })
            }
        }
    }

    /// The value where people put it by mistake.
    async fn misplaced(&self) -> Option<DnsFinding> {
        let (name, label) = (self.wanted.name.host_str(), self.label());
        let base = self.wanted.name.base_domain()?;
        let twice = format!("{}.{base}", self.wanted.host);
        let mut places = vec![
            twice.clone(),
            name.to_owned(),
            format!("{}.{name}", label.trim_start_matches('_')),
        ];
        if !name.starts_with("www.") {
            places.push(format!("{label}.www.{name}"));
        }
        places.retain(|place| place.len() <= NAME_LIMIT);
        let has_value = |place: String| async move {
            let values = match self.wanted.kind {
                RecordType::Txt => self.dcv.resolver.txt(&place).await.answer,
                RecordType::Cname => self.dcv.resolver.cname(&place).await,
            };
            let is_there = values
                .into_found()
                .iter()
                .any(|value| self.is_met_by(value));
            is_there.then_some(place)
        };
        let found = join_all(places.into_iter().map(has_value)).await;
        let place = found.into_iter().flatten().next()?;
        if place != twice {
            return Some(DnsFinding::Misplaced(place));
        }
        let enter = self.wanted.host.strip_suffix(base.as_str());
        let enter = enter.map_or(label, |enter| enter.trim_end_matches('.'));
        Some(DnsFinding::NameTwice {
            place,
            enter: enter.to_owned(),
        })
    }

    fn sum_up(&self, asked: &str, answers: &[Asked], cause: Option<&DnsFinding>) -> Sighting {
        let wanted = &self.wanted;
        let best = answers.first();
        let finding = cause.or(best.map(|best| &best.finding));
        let outcome = finding.map_or(Outcome::Forbidden, DnsFinding::outcome);
        let is_proved = outcome == Outcome::Proved;
        let mut told: Vec<String> = Vec::new();
        told.extend(cause.map(|cause| cause.account(wanted)));
        let answered = if is_proved { &answers[..1] } else { answers };
        let with_place = |asked: &Asked| match &asked.finding {
            alias @ (DnsFinding::Alias { .. } | DnsFinding::NoRoom { .. }) => alias.account(wanted),
            other => format!("{}: {}", asked.place, other.account(wanted)),
        };
        told.extend(answered.iter().map(with_place));
        if matches!(
            finding,
            Some(DnsFinding::Dns(DnsTrouble::NotAsked) | DnsFinding::NoDomain)
        ) {
            told.truncate(1);
        }
        Sighting {
            asked: excerpt(asked, 2 * EXCERPT_LIMIT),
            of: match answers {
                [] => String::new(),
                _ => self.dcv.resolver.servers().to_owned(),
            },
            found: excerpt(&told.join("; "), EXCERPT_LIMIT),
            outcome,
            advice: finding
                .map(|finding| finding.advice(wanted))
                .unwrap_or_default(),
            proved_domain: best.filter(|_| is_proved).map(|best| best.domain.clone()),
        }
    }
}

/// Whether more questions may help: not once something proves, nor while nobody answers, which would only cost time.
fn is_worth_going_on(answers: &[Asked]) -> bool {
    let is_proved = |asked: &Asked| asked.finding == DnsFinding::Proved;
    let cannot_ask = |asked: &Asked| asked.finding == DnsFinding::Dns(DnsTrouble::NotAsked);
    let is_silent = |asked: &Asked| matches!(asked.finding, DnsFinding::Dns(DnsTrouble::Silent(_)));
    let mut asked = answers.iter();
    !(asked.clone().any(is_proved) || asked.clone().any(cannot_ask))
        // A zone that is silent about the host and its parents does not tell the host's aliases either.
        && (answers.len() < 2 || !asked.all(is_silent))
}
