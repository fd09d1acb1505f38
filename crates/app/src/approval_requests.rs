//! Asking approvers: whom to write to about which names, when, and how often.

use std::collections::BTreeMap;

use chancery_domain::approval_mails::next_mail;
use chancery_domain::authorizations::{Challenge, Method};
use chancery_domain::issuances::{Issuance, NameControl};
use chancery_domain::names::DomainName;
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::orders::Order;
use chancery_domain::prevalidations::Prevalidation;
use chancery_domain::resellers::ResellerId;
use chancery_domain::validations::ValidationId;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::Change;
use chancery_store::approvals::{Approval, CountedMail, Sendings};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::approvals::{APPROVAL_CONTEXT, mail_observation, still_asked};
use crate::challenges::random_hex;
use crate::jobs::Task;
use crate::sign_in::secret_hash;
use crate::{App, AppError, PARALLEL_READS, Refusal};

/// The least time between two sendings of one message, from the second repetition on.
const RESEND_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// How often in an hour the approver of one name of an order may be asked.
const ASKED_AN_HOUR: i64 = 10;

/// How long a message waits that nobody asked for just now, and that has no turn earlier.
const AT_LAST: SignedDuration = SignedDuration::from_hours(24);

/// A run of showing control, as far as approvers are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) id: ValidationId,
    pub(crate) reseller: ResellerId,
    /// Its names, with what is asked for each.
    pub(crate) names: &'a [NameControl],
    /// The end of the time to show control.
    pub(crate) validate_by: Timestamp,
    /// What sends its messages.
    pub(crate) mails: Task,
}

impl<'a> From<&'a Issuance> for Run<'a> {
    fn from(issuance: &'a Issuance) -> Self {
        Self {
            id: issuance.id.into(),
            reseller: issuance.reseller,
            names: &issuance.names,
            validate_by: issuance.validate_by,
            mails: Task::MailApprovers(issuance.id),
        }
    }
}

impl<'a> From<&'a Prevalidation> for Run<'a> {
    fn from(domain: &'a Prevalidation) -> Self {
        Self {
            id: domain.id.into(),
            reseller: domain.reseller,
            names: std::slice::from_ref(&domain.control),
            validate_by: domain.validate_by,
            mails: Task::MailDomainApprover(domain.id),
        }
    }
}

impl<'a> Run<'a> {
    /// The names that still need a proof.
    fn unproved(self) -> impl Iterator<Item = &'a NameControl> {
        self.names.iter().filter(|control| control.proof.is_none())
    }
}

impl App {
    /// Refuses to write to approvers who were written to too often already, and have messages waiting.
    pub(crate) async fn check_mail_limits(
        &self,
        run: impl Into<Run<'_>>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let run = run.into();
        let asked = by_address(run.unproved());
        if asked.is_empty() {
            return Ok(());
        }
        let hour_ago = now - SignedDuration::from_hours(1);
        if self.store.times_asked(run.id, hour_ago).await? >= ASKED_AN_HOUR {
            return Err(Refusal::TooManyMails.into());
        }
        let turns = asked
            .into_keys()
            .map(|address| async move { self.mail_turn(run.reseller, &address, now).await });
        let turns: Vec<Option<Timestamp>> = stream::iter(turns)
            .buffer_unordered(PARALLEL_READS)
            .try_collect()
            .await?;
        match turns.contains(&None) {
            true => Err(Refusal::TooManyMails.into()),
            false => Ok(()),
        }
    }

    /// Forgets proofs that may not be used any more, and asks the approvers of their names again. Looks for the
    /// others go on by themselves.
    pub(crate) async fn forget_unusable(
        &self,
        change: &mut Change,
        order: &Order,
        issuance: &mut Issuance,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let forgotten = self.unusable_proofs(order, issuance, now).await?;
        self.ask_anew(change, issuance, &forgotten, now).await
    }

    /// The same of proofs that have grown too old since.
    pub(crate) async fn forget_stale(
        &self,
        change: &mut Change,
        issuance: &mut Issuance,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let forgotten = issuance.forget_stale(&self.rules, now);
        self.ask_anew(change, issuance, &forgotten, now).await
    }

    /// Asks the approvers of names again whose proofs were forgotten.
    async fn ask_anew(
        &self,
        change: &mut Change,
        issuance: &Issuance,
        forgotten: &[DomainName],
        now: Timestamp,
    ) -> Result<(), AppError> {
        if forgotten.is_empty() || !self.rules.is_in_force(Method::Email, now) {
            return Ok(());
        }
        let controls = issuance.unproved();
        let again = controls.filter(|control| forgotten.contains(&control.name));
        self.ask_approvers(change, issuance, again, now).await
    }

    /// Adds an approval for each address that is to approve some of these names, and the job that mails them.
    pub(crate) async fn ask_approvers(
        &self,
        change: &mut Change,
        run: impl Into<Run<'_>>,
        controls: impl Iterator<Item = &NameControl>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let run = run.into();
        let mut first = None;
        for (address, names) in by_address(controls) {
            let turn = self.mail_turn(run.reseller, &address, now).await?;
            let send_from = turn.unwrap_or(now + AT_LAST);
            let approval = self.new_approval(run, address, names, now, send_from)?;
            change.insert_approval(run.reseller, &approval);
            first = Some(first.unwrap_or(send_from).min(send_from));
        }
        if let Some(first) = first {
            change.expect_master_key(&self.master_key_id);
            self.enqueue_mails(change, run, first).await?;
        }
        Ok(())
    }

    /// The same after some names got another approver. Who was asked about all that is asked of them now is not
    /// asked again: their link covers what is left.
    pub(crate) async fn ask_other_approvers(
        &self,
        change: &mut Change,
        run: impl Into<Run<'_>>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let run = run.into();
        let open = self.open_approvals(run).await?;
        let mut wanted = by_address(run.unproved());
        for approval in &open {
            let names = wanted.get(&approval.address);
            let is_enough = names.is_some_and(|names| {
                let is_asked = |name| approval.names.contains(name);
                names.iter().all(is_asked)
                    && (approval.sent_at.is_some() || names.len() == approval.names.len())
            });
            match is_enough {
                true => drop(wanted.remove(&approval.address)),
                false => change.void_approval(approval.token_hash, now),
            }
        }
        let again = |control: &&NameControl| match &control.challenge {
            Challenge::Email { approver } => wanted.contains_key(approver),
            Challenge::Dns { .. } | Challenge::File { .. } => false,
        };
        let again = run.unproved().filter(again);
        self.ask_approvers(change, run, again, now).await
    }

    /// Adds what sends the messages that wait for an answer once more: unchanged, or, where some of a message's
    /// names are asked of its reader no more, in the place of the old.
    pub(crate) async fn ask_again(
        &self,
        change: &mut Change,
        run: impl Into<Run<'_>>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let run = run.into();
        let open = self.open_approvals(run).await?;
        let mut first: Option<Timestamp> = None;
        for approval in &open {
            let left = still_asked(approval, run.names);
            if approval.sent_at.is_none() {
                // Its job may have given up, or have found the mail server away and wait for long.
                if !left.is_empty() {
                    let turn = approval.send_from.max(now);
                    first = Some(first.unwrap_or(turn).min(turn));
                }
                continue;
            }
            let turn = self.mail_turn(run.reseller, &approval.address, now).await?;
            let turn = turn.ok_or(Refusal::TooManyMails)?;
            if left.len() == approval.names.len() {
                change.mail_again(run.reseller, approval, turn);
            } else {
                change.void_approval(approval.token_hash, now);
                if left.is_empty() {
                    continue;
                }
                let address = approval.address.clone();
                let anew = self.new_approval(run, address, left, now, turn)?;
                change.insert_approval(run.reseller, &anew);
            }
            first = Some(first.unwrap_or(turn).min(turn));
        }
        if let Some(first) = first {
            change.expect_master_key(&self.master_key_id);
            self.enqueue_mails(change, run, first).await?;
        }
        Ok(())
    }

    /// Refuses to send an order's messages once more so soon. The first repetition may come at once.
    pub(crate) async fn check_resend(
        &self,
        run: impl Into<Run<'_>>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let run = run.into();
        let too_soon = |sent: &Sendings| {
            // One that is to come was sent while the clock was ahead.
            let since = now.duration_since(sent.last);
            sent.count > 1 && !since.is_negative() && since < RESEND_INTERVAL
        };
        match self.store.sendings(run.id).await?.iter().any(too_soon) {
            true => Err(Refusal::TooManyMails.into()),
            false => Ok(()),
        }
    }

    /// What is to be told of messages that wait for their turn.
    pub(crate) async fn waiting_mails(
        &self,
        run: impl Into<Run<'_>>,
        now: Timestamp,
    ) -> Result<Vec<Observation>, AppError> {
        let run = run.into();
        let mut told = Vec::new();
        for approval in self.open_approvals(run).await? {
            if approval.sent_at.is_some() || approval.send_from <= now {
                continue;
            }
            let from = approval.send_from.strftime("%Y-%m-%d %H:%M UTC");
            let found = format!(
                "{} was written to often today; the message is sent on {from}",
                approval.address
            );
            for name in still_asked(&approval, run.names) {
                let advice = "wait, or choose another approver or another method";
                let (found, outcome) = (found.clone(), Outcome::Waiting);
                told.push(mail_observation(
                    &approval, &name, now, found, outcome, advice,
                ));
            }
        }
        Ok(told)
    }

    /// The approvals of a run that wait for an answer.
    async fn open_approvals(&self, run: Run<'_>) -> Result<Vec<Approval>, AppError> {
        let all = self.store.approvals_of(run.id).await?.into_iter();
        Ok(all
            .filter(|approval| approval.approved_at.is_none())
            .collect())
    }

    /// When an address may be written to next for a reseller; `None` where too many messages wait already.
    async fn mail_turn(
        &self,
        reseller: ResellerId,
        address: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, AppError> {
        let mails = self.store.approval_mails(address, now).await?;
        Ok(turn_after(&mails, reseller, now))
    }

    /// When a message that waits may be sent: `now`, or later where others have taken its place. Whoever asked at the
    /// same moment was counted by neither, so it is decided again, by those before it and those that were sent.
    pub(crate) async fn turn_of(
        &self,
        reseller: ResellerId,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<Timestamp, AppError> {
        let mut mails = self.store.approval_mails(&approval.address, now).await?;
        let place = (approval.send_from, approval.token_hash);
        mails.retain(|mail| {
            let other = (mail.at, mail.token_hash);
            other != place && (!mail.waits || other < place)
        });
        for mail in &mut mails {
            // One that was asked for a moment later, and went first, is sent and waits for nothing.
            mail.at = mail.at.min(now);
        }
        Ok(turn_after(&mails, reseller, now).unwrap_or(now + AT_LAST))
    }

    fn new_approval(
        &self,
        run: Run<'_>,
        address: String,
        names: Vec<DomainName>,
        now: Timestamp,
        send_from: Timestamp,
    ) -> Result<Approval, AppError> {
        let host = address.rsplit_once('@').map_or("", |(_, host)| host);
        let token = random_hex::<24>();
        Ok(Approval {
            token_hash: secret_hash(&token),
            sealed_token: self
                .master_key
                .seal(APPROVAL_CONTEXT, token.as_bytes())
                .map_err(AppError::internal)?,
            run: run.id,
            names,
            domain: DomainName::parse(host).map_err(AppError::internal)?,
            address,
            created_at: now,
            expires_at: run.validate_by,
            send_from,
            sending_since: None,
            sent_at: None,
            approved_at: None,
            message_id: format!("{}@chancery", random_hex::<12>()),
        })
    }
}

/// When a reseller may write next to an address that has got these messages; `None` where too many wait already.
fn turn_after(mails: &[CountedMail], reseller: ResellerId, now: Timestamp) -> Option<Timestamp> {
    let own = mails.iter().filter(|mail| mail.reseller == reseller);
    let own: Vec<Timestamp> = own.map(|mail| mail.at).collect();
    next_mail(&own, mails.len(), now)
}

/// The names that each address is to approve.
fn by_address<'a>(
    controls: impl Iterator<Item = &'a NameControl>,
) -> BTreeMap<String, Vec<DomainName>> {
    let mut asked = BTreeMap::<String, Vec<DomainName>>::new();
    for control in controls {
        if let Challenge::Email { approver } = &control.challenge {
            let names = asked.entry(approver.clone()).or_default();
            names.push(control.name.clone());
        }
    }
    asked
}
