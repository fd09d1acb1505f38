//! Showing control of names: what is asked for, how far it is, and changing the way.

use chancery_domain::Timestamp;
use chancery_domain::approvers::{ApproverChoice, approver_addresses, chosen_approvers};
use chancery_domain::authorizations::{Challenge, Method};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::fields::{Field, FieldError};
use chancery_domain::issuances::{Issuance, NameControl, NextStep};
use chancery_domain::names::DomainName;
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::orders::{Order, OrderId};
use chancery_domain::resellers::{Reseller, ResellerId};
use chancery_store::orders::OrderFile;
use chancery_store::{Change, StoreError};

use crate::challenges::{Approvers, challenges};
use crate::jobs::{self, Task};
use crate::orders::OrderReport;
use crate::{App, AppError, Refusal};

/// What has to be proved, and what the last looks saw.
#[derive(Clone, Debug)]
pub struct ValidationReport {
    /// The order.
    pub order: OrderId,
    /// The names, common name first.
    pub controls: Vec<NameControl>,
    /// The latest look for each name that was looked for.
    pub observations: Vec<Observation>,
}

impl App {
    /// How far an order is. Asking may bring the next look forward, at most one in five seconds for an
    /// order, and for a reseller and a domain.
    pub async fn dcv_status(
        &self,
        reseller: &Reseller,
        id: OrderId,
    ) -> Result<OrderReport, AppError> {
        let report = self.order(reseller, Some(id), None).await?;
        let issuance = &report.file.issuance;
        if issuance.is_looked_for() && issuance.may_look(report.now) {
            self.look_early(issuance, report.now).await?;
        }
        Ok(report)
    }

    /// Has the next look made soon, without waiting for that. The first comes soon by itself, when there may be
    /// something to see.
    pub(crate) fn look_soon(&self, issuance: &Issuance, now: Timestamp) {
        if issuance.looks == 0 || !issuance.is_looked_for() || !issuance.may_look(now) {
            return;
        }
        let Some(turn) = self.0.early_looks.turn() else {
            return;
        };
        let (app, issuance) = (self.clone(), issuance.clone());
        tokio::spawn(async move {
            if let Err(error) = app.look_early(&issuance, now).await {
                tracing::warn!(%error, order.id = issuance.order.0, "no look was brought forward");
            }
            drop(turn);
        });
    }

    async fn look_early(&self, issuance: &Issuance, now: Timestamp) -> Result<(), AppError> {
        let names: Vec<DomainName> = issuance
            .unproved()
            .map(|control| control.name.clone())
            .collect();
        let task = Task::PollDcv(issuance.id);
        self.bring_look_forward(task, issuance.reseller, &names, now)
            .await
    }

    /// Has a look made now that waits for its time, unless the reseller had one of these domains looked at just now.
    pub(crate) async fn bring_look_forward(
        &self,
        task: Task,
        reseller: ResellerId,
        names: &[DomainName],
        now: Timestamp,
    ) -> Result<(), AppError> {
        let (kind, subject) = (task.kind(), task.subject());
        if self.store.waits_beyond(kind, subject, now).await?
            && self.0.early_looks.admit(reseller, names.iter(), now)
        {
            let mut change = Change::new();
            change.bring_forward(kind, subject, now);
            self.store.commit(change).await?;
            self.wake_worker();
        }
        Ok(())
    }

    /// What has to be proved, and why it is not yet. Brings the next look forward as [`App::dcv_status`] does.
    pub async fn auth_info(
        &self,
        reseller: &Reseller,
        id: OrderId,
    ) -> Result<ValidationReport, AppError> {
        let OrderReport { file, now } = self.order(reseller, Some(id), None).await?;
        self.look_soon(&file.issuance, now);
        let mut observations = self.store.latest_observations(file.issuance.id).await?;
        observations.extend(self.waits_of(&file, now).await?);
        Ok(ValidationReport {
            order: id,
            controls: file.issuance.names,
            observations,
        })
    }

    /// What a run waits for that no look sees: messages whose turn is to come, people who vet.
    async fn waits_of(
        &self,
        file: &OrderFile,
        now: Timestamp,
    ) -> Result<Vec<Observation>, AppError> {
        let mut waits = Vec::new();
        let issuance = &file.issuance;
        if issuance.method == Method::Email && issuance.next_step(now) == NextStep::Wait {
            waits = self.waiting_mails(issuance, now).await?;
        }
        if let Some(waits_for) = self.vetting_wait(file, now).await? {
            waits.push(Observation {
                name: file.order.common_name().clone(),
                method: issuance.method,
                at: now,
                asked: waits_for,
                of: "the people who vet organizations".to_owned(),
                found: "not decided yet".to_owned(),
                outcome: Outcome::Waiting,
                advice:
                    "Wait for the decision; the validation status of the organization tells more."
                        .to_owned(),
                proved_domain: None,
            });
        }
        Ok(waits)
    }

    /// Changes how control is to be shown. Every name gets a new random value; the old ones are void.
    pub async fn change_method(
        &self,
        reseller: &Reseller,
        id: OrderId,
        method: Method,
        approvers: Vec<ApproverChoice>,
    ) -> Result<ValidationReport, AppError> {
        let of_names = |file: &OrderFile| self.new_challenges(file, method, &approvers);
        self.change_challenges(reseller, id, EventKind::MethodChanged, of_names)
            .await
    }

    /// What is to be asked from now on of each name that is not proved.
    fn new_challenges(
        &self,
        file: &OrderFile,
        method: Method,
        approvers: &[ApproverChoice],
    ) -> Result<(Method, Vec<Challenge>), AppError> {
        let names: Vec<DomainName> = file.issuance.covered();
        let key = &file.order.product_key;
        let sold = self.catalogue().product(key);
        let product = sold.ok_or_else(|| Refusal::ProductWithdrawn(key.clone()))?;
        let now = self.clock.now();
        let mut errors = product.check_method(method, &names, &self.rules, now);
        let suffix = &self.settings.challenge_domain;
        let asked = Approvers {
            chosen: approvers,
            before: &file.issuance.names,
        };
        match challenges(product.record_type, method, &names, asked, suffix) {
            Ok(made) if errors.is_empty() => {
                if method == Method::Email {
                    somebody_is_asked(&file.issuance, approvers)?;
                }
                // Of a name that is proved nobody is asked, whoever is chosen for it.
                let of_names = file.issuance.names.iter().zip(made);
                let unproved = of_names.filter(|(control, _)| control.proof.is_none());
                return Ok((method, unproved.map(|(_, challenge)| challenge).collect()));
            }
            Ok(_) => {}
            Err(more) => errors.extend(more),
        }
        Err(AppError::Invalid(errors))
    }

    /// Changes who is to approve, for an order validated by mail. Names that nothing is said of keep theirs.
    pub async fn change_approvers(
        &self,
        reseller: &Reseller,
        id: OrderId,
        approvers: Vec<ApproverChoice>,
    ) -> Result<ValidationReport, AppError> {
        if approvers
            .iter()
            .all(|choice| choice.address.trim().is_empty())
        {
            return Err(AppError::field(FieldError::missing(Field::Approver)));
        }
        let report = self.order(reseller, Some(id), None).await?;
        if report.file.issuance.method != Method::Email {
            return Err(Refusal::NotByEmail.into());
        }
        let of_names = |file: &OrderFile| self.new_challenges(file, Method::Email, &approvers);
        self.change_challenges(reseller, id, EventKind::ApproverChanged, of_names)
            .await
    }

    /// Sends the approval mails that still wait for their reader once more, unchanged.
    pub async fn resend_approver_mail(
        &self,
        reseller: &Reseller,
        id: OrderId,
    ) -> Result<(), AppError> {
        let report = self.order(reseller, Some(id), None).await?;
        if report.file.issuance.method != Method::Email {
            return Err(Refusal::NotByEmail.into());
        }
        if report.file.issuance.is_settled() {
            return Err(AppError::WrongState(Box::new(report)));
        }
        let issuance = &report.file.issuance;
        self.check_resend(issuance, report.now).await?;
        let mut change = Change::new();
        self.ask_again(&mut change, issuance, report.now).await?;
        self.store.commit(change).await?;
        // What was not sent yet has its job already.
        self.wake_worker();
        Ok(())
    }

    /// The addresses that may approve a name.
    pub fn approvers(&self, name: &str) -> Result<Vec<String>, AppError> {
        let name = DomainName::parse(name).map_err(|error| {
            AppError::field(FieldError::invalid(Field::CommonName, error.to_string()))
        })?;
        let addresses = approver_addresses(&name);
        if addresses.is_empty() {
            let text = format!("{name} is not a name below a public suffix");
            return Err(AppError::field(FieldError::invalid(
                Field::CommonName,
                text,
            )));
        }
        Ok(addresses)
    }

    async fn change_challenges(
        &self,
        reseller: &Reseller,
        id: OrderId,
        kind: EventKind,
        of_names: impl Fn(&OrderFile) -> Result<(Method, Vec<Challenge>), AppError>,
    ) -> Result<ValidationReport, AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let report = self.order(reseller, Some(id), None).await?;
            if report.file.issuance.next_step(report.now) != NextStep::Wait {
                return Err(AppError::WrongState(Box::new(report)));
            }
            let (method, made) = of_names(&report.file)?;
            let (order, issuance) = (report.file.order, report.file.issuance);
            let issuance = issuance.change_challenges(method, made, report.now)?;
            self.check_mail_limits(&issuance, report.now).await?;
            let change = self.challenge_change(&order, &issuance, kind).await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => {
                    self.wake_worker();
                    let controls = issuance.names;
                    return Ok(ValidationReport {
                        order: id,
                        controls,
                        observations: Vec::new(),
                    });
                }
            }
        }
        Err(AppError::Busy)
    }

    async fn challenge_change(
        &self,
        order: &Order,
        issuance: &Issuance,
        kind: EventKind,
    ) -> Result<Change, AppError> {
        let now = issuance.modified_at;
        let mut change = Change::new();
        change.save_issuance(issuance);
        let detail = Some(issuance.method.as_str().to_owned());
        self.note(&mut change, order, Actor::Reseller, kind, detail)
            .await?;
        let task = Task::PollDcv(issuance.id);
        change.bring_forward(
            task.kind(),
            task.subject(),
            now + issuance.pace().delay(now),
        );
        match kind {
            EventKind::ApproverChanged => {
                self.ask_other_approvers(&mut change, issuance, now).await?;
            }
            _ => {
                change.void_approvals(issuance.id, now);
                self.ask_approvers(&mut change, issuance, issuance.unproved(), now)
                    .await?;
            }
        }
        Ok(change)
    }
}

/// Refuses choices of approvers none of whom would ever be written to, since the names they may approve are proved. A
/// list for all names of an order may have such among others.
fn somebody_is_asked(issuance: &Issuance, choices: &[ApproverChoice]) -> Result<(), AppError> {
    let mut addresses = choices.iter().map(|choice| choice.address.trim());
    let Some(first) = addresses.find(|address| !address.is_empty()) else {
        return Ok(());
    };
    let chosen = chosen_approvers(&issuance.covered(), choices).map_err(AppError::Invalid)?;
    let mut asked = issuance.names.iter().zip(chosen);
    match asked.any(|(control, chosen)| control.proof.is_none() && chosen.is_some()) {
        true => Ok(()),
        false => {
            let text = format!("{first}: the names it may approve are proved");
            Err(AppError::field(FieldError::invalid(Field::Approver, text)))
        }
    }
}
