//! Looks at the names of a run of showing control: of an order, or of a domain proved ahead of any.
//!
//! A look at a run is a round: all names that lack a proof, each once. What is not answered promptly is broken off and
//! waits with the slow ones, where it is made again with more time, so that silent servers take the places of nobody
//! else. A round that was not finished goes on at once, with the names that were not seen in it.

use std::collections::HashSet;
use std::time::Duration;

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Challenge, FILE_DIRECTORY};
use chancery_domain::issuances::NameControl;
use chancery_domain::looks::Pace;
use chancery_domain::names::DomainName;
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::resellers::ResellerId;
use chancery_domain::validations::ValidationId;
use chancery_store::{ClaimedJob, Queue};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::failures::with_jitter;
use super::look_gate::LookGate;
use crate::{App, AppError};

/// How many names of one run are looked for at once.
const PARALLEL_LOOKS: usize = 8;

/// How long one look may take among the slow ones, however slow the world is.
const LOOK_LIMIT: Duration = Duration::from_secs(30);

/// How long looks of one job may be begun, waiting for their turn included.
const LOOKS_LIMIT: Duration = Duration::from_secs(60);

/// A server that takes longer to answer is slow: what is looked for there waits apart from the rest.
const SLOW: Duration = Duration::from_secs(2);

/// What the looks of one job came to.
pub(super) struct Looks {
    /// What was seen.
    pub(super) observations: Vec<Observation>,
    standing: Standing,
    /// How far the looks had come before.
    pace: Pace,
}

/// How a round stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    /// All names were looked for; whether every server was slow.
    Over { is_slow: bool },
    /// Some are left, and are to be looked for from this queue.
    InPart(Queue),
    /// None could be looked for, for a reason of our own. It does not count as a look.
    Prevented(Queue),
}

/// One look.
enum Look {
    /// It was made, and took so long.
    Made(Observation, Duration),
    /// Its server is slow.
    BrokenOff,
    /// Its turn did not come in time.
    NoTurn,
}

impl Looks {
    /// Whether they end a round, which makes them count; `None` where they do not count at all.
    pub(super) fn ends_round(&self) -> Option<bool> {
        match self.standing {
            Standing::Over { .. } => Some(true),
            Standing::InPart(_) if !self.observations.is_empty() => Some(false),
            Standing::InPart(_) | Standing::Prevented(_) => None,
        }
    }

    /// Where and when the next look waits, by itself. `pace` is how far looks have come with these.
    pub(super) fn next(&self, pace: Pace, now: Timestamp) -> (Queue, Timestamp) {
        let (queue, delay) = match self.standing {
            Standing::InPart(queue) => return (queue, now),
            Standing::Prevented(queue) => (queue, self.pace.delay_after_shortage(now)),
            Standing::Over { is_slow: true } => {
                let since = self.pace.since_last_look(now);
                (Queue::SlowLooks, pace.delay_after_silence(since, now))
            }
            Standing::Over { is_slow: false } => (Queue::Looks, pace.delay(now)),
        };
        (queue, now + with_jitter(delay))
    }
}

impl App {
    /// Looks for those of these names whose turn it is in the round.
    pub(super) async fn look_at(
        &self,
        job: &ClaimedJob,
        run: impl Into<ValidationId>,
        (reseller, pace): (ResellerId, Pace),
        wanted: Vec<NameControl>,
    ) -> Result<Looks, AppError> {
        let seen = match pace.looks {
            0 => Vec::new(),
            _ => self.store.latest_observations(run).await?,
        };
        let now = self.clock.now();
        let due = due(&wanted, &seen, pace, now);
        let count = due.len();
        let gate = self.0.look_gates.of(job.queue);
        let is_slow_queue = job.queue == Queue::SlowLooks;
        let limit = if is_slow_queue { LOOK_LIMIT } else { SLOW };
        let end = Instant::now() + LOOKS_LIMIT;
        let mut looks = stream::iter(due)
            .map(|control| self.look_for(gate, reseller, control, limit, end))
            .buffer_unordered(PARALLEL_LOOKS);
        let (mut observations, mut slow) = (Vec::new(), HashSet::new());
        let mut is_broken_off = false;
        while let Some(look) = looks.next().await {
            match look {
                Look::Made(seen, took) => {
                    if seen.outcome == Outcome::Timeout || took > SLOW {
                        slow.insert(seen.name.clone());
                    }
                    observations.push(seen);
                }
                Look::BrokenOff if is_slow_queue => {}
                Look::BrokenOff => is_broken_off = true,
                Look::NoTurn => {}
            }
        }
        let is_over = observations.len() == count;
        let in_round = in_round(&wanted, &seen, &observations, pace);
        let is_own = |look: &&Observation| look.outcome == Outcome::OwnFailure;
        let standing = if !observations.is_empty() && in_round.iter().all(is_own) {
            Standing::Prevented(job.queue)
        } else if is_over {
            let unproved = in_round
                .iter()
                .filter(|look| look.outcome != Outcome::Proved);
            let is_slow =
                |look: &&Observation| look.outcome == Outcome::Timeout || slow.contains(&look.name);
            let mut unproved = unproved.copied().peekable();
            Standing::Over {
                is_slow: unproved.peek().is_some() && unproved.all(|look| is_slow(&look)),
            }
        } else {
            Standing::InPart(if is_broken_off {
                Queue::SlowLooks
            } else {
                job.queue
            })
        };
        Ok(Looks {
            observations,
            standing,
            pace,
        })
    }

    /// Takes one look when it is its turn. Waiting for that takes none of its time.
    async fn look_for(
        &self,
        gate: &LookGate,
        reseller: ResellerId,
        control: NameControl,
        limit: Duration,
        end: Instant,
    ) -> Look {
        if Instant::now() >= end {
            return Look::NoTurn;
        }
        let pass = tokio::time::timeout_at(end, gate.enter(reseller, &control.name));
        let Ok(_pass) = pass.await else {
            return Look::NoTurn;
        };
        let (began, now) = (Instant::now(), self.clock.now());
        let look = self.dcv.look(&control.name, &control.challenge, now);
        match tokio::time::timeout(limit, look).await {
            Ok(seen) => Look::Made(seen, began.elapsed()),
            Err(_) if limit < LOOK_LIMIT => Look::BrokenOff,
            Err(_) => Look::Made(cut_short(control, now), began.elapsed()),
        }
    }
}

/// The names to be looked for now, of those that are wanted: those not seen yet in this round. Where others answer,
/// names whose servers were silent are left out for a while, unless someone has asked for this look.
fn due(
    wanted: &[NameControl],
    seen: &[Observation],
    pace: Pace,
    now: Timestamp,
) -> Vec<NameControl> {
    let latest = |name: &DomainName| seen.iter().find(|look| look.name == *name);
    // What was seen by a clock that was ahead is of no round.
    let is_in_round = |look: &Observation| look.at > pace.round_from() && look.at <= now;
    let unseen = |control: &&NameControl| !latest(&control.name).is_some_and(is_in_round);
    let mut due: Vec<&NameControl> = wanted.iter().filter(unseen).collect();
    if due.is_empty() {
        // All that was seen was a shortage of ours.
        due = wanted.iter().collect();
    }
    let is_silent = |look: &Observation| look.outcome == Outcome::Timeout;
    let all_silent = (wanted.iter()).all(|control| latest(&control.name).is_some_and(is_silent));
    let is_resting =
        |look: &Observation| is_silent(look) && look.at <= now && now < pace.rests_until(look.at);
    let awake = |control: &&NameControl| !latest(&control.name).is_some_and(is_resting);
    if !all_silent && !pace.is_early(now) && due.iter().any(awake) {
        due.retain(awake);
    }
    due.into_iter().cloned().collect()
}

/// The looks of this round at names that are wanted, each name's latest.
fn in_round<'a>(
    wanted: &[NameControl],
    before: &'a [Observation],
    new: &'a [Observation],
    pace: Pace,
) -> Vec<&'a Observation> {
    let of =
        |looks: &'a [Observation], name: &DomainName| looks.iter().find(|look| look.name == *name);
    let in_round = |look: &&Observation| look.at > pace.round_from();
    let latest = |control: &NameControl| {
        let name = &control.name;
        of(new, name).or_else(|| of(before, name).filter(in_round))
    };
    wanted.iter().filter_map(latest).collect()
}

/// A look that was given up.
fn cut_short(control: NameControl, at: Timestamp) -> Observation {
    let asked = match &control.challenge {
        Challenge::Dns {
            record_type, host, ..
        } => format!("{} {host}", record_type.as_str()),
        Challenge::File { file_name, .. } => {
            format!("http://{}{FILE_DIRECTORY}{file_name}", control.name)
        }
        Challenge::Email { approver } => format!("approval by {approver}"),
    };
    Observation {
        name: control.name,
        method: control.challenge.method(),
        at,
        asked,
        of: "the servers of the domain".to_owned(),
        found: "no answer in time".to_owned(),
        outcome: Outcome::Timeout,
        advice: "Make the servers of the domain answer faster; it is looked for again.".to_owned(),
        proved_domain: None,
    }
}

#[cfg(test)]
mod tests {
    use chancery_domain::SignedDuration;
    use chancery_domain::authorizations::{Method, RecordType};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn wanted(names: &[&str]) -> Vec<NameControl> {
        let control = |name: &&str| NameControl {
            name: DomainName::parse(name).unwrap(),
            challenge: Challenge::Dns {
                record_type: RecordType::Txt,
                host: format!("_dnsauth.{name}"),
                value: "x".to_owned(),
            },
            proof: None,
        };
        names.iter().map(control).collect()
    }

    fn seen(name: &str, outcome: Outcome, seconds: i64) -> Observation {
        Observation {
            name: DomainName::parse(name).unwrap(),
            method: Method::Dns,
            at: at(seconds),
            asked: String::new(),
            of: String::new(),
            found: String::new(),
            outcome,
            advice: String::new(),
            proved_domain: None,
        }
    }

    fn pace(looked_at: i64) -> Pace {
        Pace {
            looks: 1,
            looked_at: Some(at(looked_at)),
            challenged_at: at(0),
        }
    }

    fn names_due(seen: &[Observation], looked_at: i64, now: i64) -> Vec<String> {
        let wanted = wanted(&["a.test", "b.test", "c.test"]);
        let due = due(&wanted, seen, pace(looked_at), at(now));
        due.into_iter().map(|held| held.name.to_string()).collect()
    }

    #[test]
    fn a_round_goes_on_with_the_names_that_were_not_seen_in_it() {
        let before = |outcome| seen("a.test", outcome, 50);
        assert_eq!(
            names_due(&[before(Outcome::NotFound)], 60, 130),
            ["a.test", "b.test", "c.test"]
        );
        let some = [
            seen("a.test", Outcome::NotFound, 120),
            seen("c.test", Outcome::OwnFailure, 121),
        ];
        assert_eq!(names_due(&some, 60, 130), ["b.test"]);
        // What could not be looked at for a reason of ours is looked at again.
        let all = [
            seen("a.test", Outcome::OwnFailure, 120),
            seen("b.test", Outcome::OwnFailure, 121),
            seen("c.test", Outcome::OwnFailure, 122),
        ];
        assert_eq!(names_due(&all, 60, 150).len(), 3);
    }

    #[test]
    fn a_silent_name_slows_none_of_the_others() {
        let of_last = [
            seen("a.test", Outcome::NotFound, 121),
            seen("b.test", Outcome::Timeout, 122),
            seen("c.test", Outcome::NotFound, 123),
        ];
        assert_eq!(names_due(&of_last, 125, 190), ["a.test", "c.test"]);
        assert_eq!(names_due(&of_last, 125, 250).len(), 3);
        // Who asks has all of them looked at.
        assert_eq!(names_due(&of_last, 125, 150).len(), 3);
    }

    #[test]
    fn one_shortage_of_ours_is_not_the_whole_rounds() {
        let wanted = wanted(&["a.test", "b.test"]);
        let new = [
            seen("a.test", Outcome::OwnFailure, 70),
            seen("b.test", Outcome::NotFound, 71),
        ];
        let all = in_round(&wanted, &[], &new, pace(60));
        assert_eq!(all.len(), 2);
        let looks = |standing| Looks {
            observations: new.to_vec(),
            standing,
            pace: pace(60),
        };
        let over = looks(Standing::Over { is_slow: false });
        assert_eq!(over.ends_round(), Some(true));
        let (queue, next) = over.next(pace(72), at(72));
        assert!(queue == Queue::Looks && next >= at(72) + SignedDuration::from_mins(1));
        let prevented = looks(Standing::Prevented(Queue::Looks));
        assert_eq!(prevented.ends_round(), None);
        let part = looks(Standing::InPart(Queue::SlowLooks));
        assert_eq!(part.ends_round(), Some(false));
        assert_eq!(part.next(pace(60), at(72)), (Queue::SlowLooks, at(72)));
    }
}
