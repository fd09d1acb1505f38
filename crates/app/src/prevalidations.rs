//! Domains that a reseller proves ahead of any order: asked for, shown, dropped.
//!
//! The looks, the messages and the bounds are those of orders; what is proved serves those orders of the reseller
//! that ask for it.

use chancery_domain::Timestamp;
use chancery_domain::approvers::ApproverChoice;
use chancery_domain::authorizations::{Authorization, Challenge, Method, RecordType};
use chancery_domain::fields::{Field, FieldError, Problem};
use chancery_domain::issuances::NameControl;
use chancery_domain::names::DomainName;
use chancery_domain::observations::Observation;
use chancery_domain::prevalidations::{
    Prevalidation, PrevalidationId, PrevalidationState, Standing,
};
use chancery_domain::products::name_fault;
use chancery_domain::resellers::{Reseller, ResellerId};
use chancery_domain::validity::ValidityRules;
use chancery_store::{Change, StoreError};

use crate::approval_requests::Run;
use crate::challenges::{Approvers, challenges};
use crate::jobs::{self, Task};
use crate::order_requests::Faults;
use crate::{App, AppError, Noun, Refusal};

/// The most domains a reseller may have at once.
const DOMAINS: i64 = 1_000;

/// The most domains of one list.
pub(crate) const LISTED: i64 = 500;

/// A domain to be proved, as a dialect understood it: form is checked, content is not.
#[derive(Clone, Debug, Default)]
pub struct DomainRequest {
    /// The domain; of a wildcard, its host.
    pub domain: Option<String>,
    /// How control is to be shown.
    pub method: Option<Method>,
    /// Who is to approve, for the email method.
    pub approvers: Vec<ApproverChoice>,
    /// What the dialect found wrong already; reported together with what is found here.
    pub errors: Vec<FieldError>,
}

/// A domain with what the latest look saw.
#[derive(Clone, Debug)]
pub struct DomainReport {
    /// The domain, what is asked for it, and how far it has come.
    pub domain: Prevalidation,
    /// What was shown of it, be it before it was asked for anew, and not dropped since: what may be used longest.
    pub proved: Option<Authorization>,
    /// Until when that may be used.
    pub valid_until: Option<Timestamp>,
    /// How it stands.
    pub standing: Standing,
    /// The latest look, and what is waited for besides.
    pub observations: Vec<Observation>,
}

impl App {
    /// Asks for control of a domain to be shown ahead of any order, anew or in another way where it was asked for
    /// before. The same again while it is open changes nothing.
    pub async fn validate_domain(
        &self,
        reseller: &Reseller,
        asked: DomainRequest,
    ) -> Result<DomainReport, AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let now = self.clock.now();
            let (domain, challenge, before) = self.check_domain(reseller, &asked, now).await?;
            let before = match before {
                Some(held) if held.waits(now) && is_same(&held.control.challenge, &challenge) => {
                    return self.domain_report(held, now).await;
                }
                before => before,
            };
            let validate_by = now + self.settings.validation_time;
            let mut change = Change::new();
            let held = match before {
                Some(held) => {
                    let held = held.ask(challenge, validate_by, now)?;
                    change.save_prevalidation(&held);
                    change.void_approvals(held.id, now);
                    held
                }
                None => {
                    let held = self.new_domain(reseller, domain, challenge, now).await?;
                    change.insert_prevalidation(&held);
                    held
                }
            };
            let run = Run::from(&held);
            self.check_mail_limits(run, now).await?;
            let run_at = now + held.pace().delay(now);
            self.enqueue_domain_look(&mut change, &held, run_at).await?;
            self.ask_approvers(&mut change, run, run.names.iter(), now)
                .await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => {
                    self.wake_worker();
                    return self.domain_report(held, now).await;
                }
            }
        }
        Err(AppError::Busy)
    }

    /// A reseller's domains, the newest first; at most 500, before this one if one is given.
    pub async fn domains(
        &self,
        reseller: &Reseller,
        before: Option<PrevalidationId>,
    ) -> Result<Vec<DomainReport>, AppError> {
        let held = self
            .store
            .prevalidations(reseller.id, before, LISTED)
            .await?;
        let shown = self.store.prevalidated(reseller.id, None).await?;
        let now = self.clock.now();
        let report = |domain| report_on(domain, &shown, &self.rules, now);
        Ok(held.into_iter().map(report).collect())
    }

    /// A domain. Asking may bring the next look forward, within the bounds of orders.
    pub async fn domain(
        &self,
        reseller: &Reseller,
        id: PrevalidationId,
    ) -> Result<DomainReport, AppError> {
        let held = self.domain_of(reseller.id, id).await?;
        let now = self.clock.now();
        if held.method() != Method::Email && held.waits(now) && held.may_look(now) {
            let names = std::slice::from_ref(held.domain());
            self.bring_look_forward(Task::PollDomain(id), held.reseller, names, now)
                .await?;
        }
        self.domain_report(held, now).await
    }

    /// Drops a domain: what was proved is not used any more. Certificates stay.
    pub async fn drop_domain(
        &self,
        reseller: &Reseller,
        id: PrevalidationId,
    ) -> Result<(), AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let held = self.domain_of(reseller.id, id).await?;
            let mut change = Change::new();
            discard(&mut change, held, self.clock.now())?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => {
                    self.wake_worker();
                    return Ok(());
                }
            }
        }
        Err(AppError::Busy)
    }

    async fn domain_of(
        &self,
        reseller: ResellerId,
        id: PrevalidationId,
    ) -> Result<Prevalidation, AppError> {
        let found = self.store.prevalidation_of(reseller, id).await?;
        found.ok_or_else(|| no_such_domain(id))
    }

    async fn domain_report(
        &self,
        domain: Prevalidation,
        now: Timestamp,
    ) -> Result<DomainReport, AppError> {
        let mut observations = self.store.latest_observations(domain.id).await?;
        if domain.method() == Method::Email && domain.waits(now) {
            observations.extend(self.waiting_mails(Run::from(&domain), now).await?);
        }
        let of_domain = Some(domain.domain());
        let shown = (self.store.prevalidated(domain.reseller, of_domain)).await?;
        Ok(DomainReport {
            observations,
            ..report_on(domain, &shown, &self.rules, now)
        })
    }

    /// Holds a request against the rules; gives what is to be asked for, and what was before.
    async fn check_domain(
        &self,
        reseller: &Reseller,
        asked: &DomainRequest,
        now: Timestamp,
    ) -> Result<(DomainName, Challenge, Option<Prevalidation>), AppError> {
        let mut faults = Faults(asked.errors.clone());
        let wrong = |text: String| FieldError::invalid(Field::Domain, text);
        let domain = faults
            .required(Field::Domain, asked.domain.as_deref())
            .and_then(|text| {
                let parsed = DomainName::parse(text).map(|name| name.host());
                faults.keep(parsed.map_err(|error| wrong(format!("{text}: {error}"))))
            });
        let world = self.settings.world;
        if let Some(text) = domain.as_ref().and_then(|name| name_fault(name, world)) {
            faults.0.push(wrong(text));
        }
        let method = faults.required(Field::Method, asked.method);
        if method.is_some_and(|method| !self.rules.is_in_force(method, now)) {
            let methods = [Method::Dns, Method::File, Method::Email].into_iter();
            let offered = methods.filter(|method| self.rules.is_in_force(*method, now));
            let offered = offered.map(|method| method.as_str().to_owned()).collect();
            faults.0.push(FieldError {
                field: Field::Method,
                problem: Problem::NotOneOf(offered),
            });
        }
        let (Some(domain), Some(method), true) = (domain, method, faults.0.is_empty()) else {
            return Err(AppError::Invalid(faults.0));
        };
        let before = self
            .store
            .prevalidation_of_domain(reseller.id, &domain)
            .await?;
        let approvers = Approvers {
            chosen: &asked.approvers,
            before: before
                .as_ref()
                .map_or(&[], |held| std::slice::from_ref(&held.control)),
        };
        let names = std::slice::from_ref(&domain);
        let suffix = &self.settings.challenge_domain;
        let made = challenges(RecordType::Txt, method, names, approvers, suffix)
            .map_err(AppError::Invalid)?;
        let challenge = made.into_iter().next();
        let challenge = challenge.ok_or_else(|| AppError::Internal("nothing is asked".into()))?;
        Ok((domain, challenge, before))
    }

    async fn new_domain(
        &self,
        reseller: &Reseller,
        domain: DomainName,
        challenge: Challenge,
        now: Timestamp,
    ) -> Result<Prevalidation, AppError> {
        if self.store.count_prevalidations(reseller.id).await? >= DOMAINS {
            return Err(Refusal::TooManyDomains(DOMAINS).into());
        }
        Ok(Prevalidation {
            id: PrevalidationId(self.row_id().await?),
            reseller: reseller.id,
            control: NameControl {
                name: domain,
                challenge,
                proof: None,
            },
            looks: 0,
            looked_at: None,
            validate_by: now + self.settings.validation_time,
            state: PrevalidationState::Validating,
            created_at: now,
            modified_at: now,
            version: 0,
        })
    }
}

/// How a domain stands, given what was shown of it and others.
pub(crate) fn report_on(
    domain: Prevalidation,
    shown: &[(PrevalidationId, Authorization)],
    rules: &ValidityRules,
    now: Timestamp,
) -> DomainReport {
    let until = |proof: &Authorization| rules.fresh_until(proof.method, proof.obtained_at);
    let own = shown.iter().filter(|(id, _)| *id == domain.id);
    let own = own.map(|(_, proof)| proof);
    let own = own.filter(|proof| proof.covers(domain.domain()));
    let proved = own.max_by_key(|proof| until(proof)).cloned();
    let valid_until = proved.as_ref().map(until);
    DomainReport {
        standing: domain.standing(valid_until, now),
        domain,
        proved,
        valid_until,
        observations: Vec::new(),
    }
}

/// Whether two challenges ask for the same, their random values aside.
fn is_same(one: &Challenge, other: &Challenge) -> bool {
    match (one, other) {
        (Challenge::Email { approver: one }, Challenge::Email { approver: other }) => one == other,
        _ => one.method() == other.method(),
    }
}

/// Adds what drops a domain to a change set.
pub(crate) fn discard(
    change: &mut Change,
    held: Prevalidation,
    now: Timestamp,
) -> Result<(), AppError> {
    let held = held.discard(now)?;
    change.save_prevalidation(&held);
    change.drop_prevalidated(&held, now);
    change.void_approvals(held.id, now);
    // Its next look finds nothing to do and ends.
    let task = Task::PollDomain(held.id);
    change.bring_forward(task.kind(), task.subject(), now);
    Ok(())
}

pub(crate) fn no_such_domain(id: PrevalidationId) -> AppError {
    AppError::NotFound {
        what: Noun::Domain,
        id: id.to_string(),
    }
}
