//! Approval by mail: one message for each name and address, one secret link in each.
//!
//! The link only shows what would be approved; approving takes a POST, since mail scanners follow links.
//! The secret is stored twice: as a hash, to find the approval by, and sealed, so that a message can be sent
//! again unchanged.

use chancery_domain::authorizations::{Authorization, Challenge, Method};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{Issuance, IssuanceState, NameControl, NextStep, Proof};
use chancery_domain::names::DomainName;
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::{SignedDuration, Timestamp};
use chancery_outside::mail::Mail;
use chancery_store::approvals::{Approval, Sendings};
use chancery_store::orders::OrderFile;
use chancery_store::{Change, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::challenges::random_hex;
use crate::jobs::{self, Proceeding, Task};
use crate::sign_in::secret_hash;
use crate::{App, AppError, Noun, PARALLEL_READS, Refusal};

/// The least time between two sendings of one message, from the second repetition on.
const RESEND_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// How often in an hour the approver of one name of an order may be asked.
const ASKED_AN_HOUR: i64 = 10;

/// How many approvals an address may have been asked for in a day when one more order, or change of one,
/// would write to it. Whoever ordered: it is the reader who is to be spared.
const ASKED_OF_AN_ADDRESS: i64 = 20;

/// What a visitor of the approval page is asked.
#[derive(Clone, Debug)]
pub struct ApprovalAsked {
    /// The name to be certified.
    pub name: DomainName,
    /// All names of the order.
    pub names: Vec<DomainName>,
    /// The product.
    pub product: String,
    /// Who ordered.
    pub reseller: String,
    /// The address that was written to.
    pub address: String,
    /// The order's number.
    pub order: String,
    /// Whether it can still be approved.
    pub state: ApprovalState,
}

/// Whether an approval is still open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ApprovalState {
    /// It waits for an answer.
    Open,
    /// It was given.
    Given,
    /// Too late: the order is settled, or the link too old.
    Closed,
}

/// What the secrets in approval mails are sealed for.
pub(crate) const APPROVAL_CONTEXT: &str = "approval";

impl App {
    /// What the link of an approval mail is about.
    pub async fn approval(&self, token: &str) -> Result<ApprovalAsked, AppError> {
        let (approval, file) = self.find_approval(token).await?;
        let reseller = self.store.reseller(file.order.reseller).await?;
        Ok(ApprovalAsked {
            state: self.approval_state(&approval, &file.issuance),
            name: approval.name,
            names: file.issuance.covered(),
            product: file.order.product_name,
            reseller: reseller.map(|reseller| reseller.name).unwrap_or_default(),
            address: approval.address,
            order: file.order.id.to_string(),
        })
    }

    /// Approves: the name is proved, by email.
    pub async fn approve(&self, token: &str) -> Result<ApprovalState, AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let (approval, mut file) = self.find_approval(token).await?;
            let state = self.approval_state(&approval, &file.issuance);
            if state != ApprovalState::Open {
                return Ok(state);
            }
            let now = self.clock.now();
            let proof = Proof {
                domain: approval.domain.clone(),
                method: Method::Email,
                obtained_at: now,
            };
            let mut change = Change::new();
            self.forget_stale(&mut change, &mut file.issuance, now)
                .await?;
            file.issuance.prove(&approval.name, &proof);
            change.approve(approval.token_hash, now);
            let held = Authorization {
                domain: approval.domain.clone(),
                method: Method::Email,
                obtained_at: now,
            };
            let (reseller, issuance) = (file.order.reseller, file.issuance.id);
            change.insert_authorization(self.row_id().await?, reseller, issuance, &held);
            let found = format!("approved by the reader of {}", approval.address);
            let look = mail_observation(&approval, now, found, Outcome::Proved, String::new());
            change.insert_observation(self.row_id().await?, issuance, &look);
            let detail = Some(approval.name.to_string());
            let (by, kind) = (Actor::Approver, EventKind::NameProved);
            self.note(&mut change, &file.order, by, kind, detail)
                .await?;
            let signing = match file.issuance.next_step(now) {
                NextStep::Sign => match self.sign_or_end(&mut change, file, now).await? {
                    Proceeding::Signs(signing) => Some(signing),
                    Proceeding::Ended => None,
                    Proceeding::Waits(file) => {
                        change.save_issuance(&file.issuance);
                        // It looks whether the organization is vetted.
                        let task = Task::PollDcv(issuance);
                        change.bring_forward(task.kind(), task.subject(), now);
                        None
                    }
                },
                _ => {
                    change.save_issuance(&file.issuance);
                    None
                }
            };
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => {
                    if let Some(signing) = signing {
                        signing.hand_over();
                    }
                    return Ok(ApprovalState::Given);
                }
            }
        }
        Err(AppError::Busy)
    }

    /// Refuses to write to approvers who were written to too often.
    pub(crate) async fn check_mail_limits(
        &self,
        issuance: &Issuance,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let mut addresses: Vec<String> = issuance
            .unproved()
            .filter_map(|control| match &control.challenge {
                Challenge::Email { approver } => Some(approver.clone()),
                Challenge::Dns { .. } | Challenge::File { .. } => None,
            })
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            return Ok(());
        }
        let hour_ago = now - SignedDuration::from_hours(1);
        if self.store.times_asked(issuance.id, hour_ago).await? >= ASKED_AN_HOUR {
            return Err(Refusal::TooManyMails.into());
        }
        let day_ago = now - SignedDuration::from_hours(24);
        let counts = addresses
            .into_iter()
            .map(|address| async move { self.store.approvals_asked_of(&address, day_ago).await });
        let counts: Vec<i64> = stream::iter(counts)
            .buffer_unordered(PARALLEL_READS)
            .try_collect()
            .await?;
        match counts.iter().any(|count| *count >= ASKED_OF_AN_ADDRESS) {
            true => Err(Refusal::TooManyMails.into()),
            false => Ok(()),
        }
    }

    /// Refuses to send an order's messages once more so soon. The first repetition may come at once.
    pub(crate) async fn check_resend(
        &self,
        issuance: &Issuance,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let too_soon =
            |sent: &Sendings| sent.count > 1 && now.duration_since(sent.last) < RESEND_INTERVAL;
        match self.store.sendings(issuance.id).await?.iter().any(too_soon) {
            true => Err(Refusal::TooManyMails.into()),
            false => Ok(()),
        }
    }

    /// Drops proofs that have grown too old, and asks the approvers of their names again. Looks for the
    /// others go on by themselves.
    pub(crate) async fn forget_stale(
        &self,
        change: &mut Change,
        issuance: &mut Issuance,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let dropped = issuance.forget_stale(&self.rules, now);
        if dropped.is_empty() || !self.rules.is_in_force(Method::Email, now) {
            return Ok(());
        }
        let controls = issuance.unproved();
        let again = controls.filter(|control| dropped.contains(&control.name));
        self.ask_approvers(change, issuance, again, now).await
    }

    /// Adds an approval for each of these names that is to be proved by one, and the job that mails them.
    pub(crate) async fn ask_approvers(
        &self,
        change: &mut Change,
        issuance: &Issuance,
        controls: impl Iterator<Item = &NameControl>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let mut asked = false;
        for control in controls {
            let Challenge::Email { approver } = &control.challenge else {
                continue;
            };
            asked = true;
            let host = approver.rsplit_once('@').map_or("", |(_, host)| host);
            let token = random_hex::<24>();
            let token_hash = secret_hash(&token);
            change.insert_approval(&Approval {
                token_hash,
                sealed_token: self
                    .master_key
                    .seal(APPROVAL_CONTEXT, token.as_bytes())
                    .map_err(AppError::internal)?,
                issuance: issuance.id,
                name: control.name.clone(),
                domain: DomainName::parse(host).map_err(AppError::internal)?,
                address: approver.clone(),
                created_at: now,
                expires_at: issuance.validate_by,
                sent_at: None,
                approved_at: None,
                message_id: format!("{}@chancery", random_hex::<12>()),
            });
        }
        if asked {
            change.expect_master_key(&self.master_key_id);
            self.enqueue_mails(change, issuance, now).await?;
        }
        Ok(())
    }

    /// The message of an approval; the same each time.
    pub(crate) fn approval_mail(
        &self,
        approval: &Approval,
        file: &OrderFile,
    ) -> Result<Mail, AppError> {
        let token = self
            .master_key
            .open(APPROVAL_CONTEXT, &approval.sealed_token);
        let token = token.map_err(AppError::internal)?;
        let token = std::str::from_utf8(&token).map_err(AppError::internal)?;
        let (name, order) = (&approval.name, &file.order);
        let names = file.issuance.covered();
        let names: Vec<&str> = names.iter().map(DomainName::as_str).collect();
        let text = format!(
            "A TLS certificate was ordered that covers {name}.\n\n\
             Order:    {}\nProduct:  {}\nNames:    {}\n\n\
             You are asked because {} may answer for this name. If you agree that the\n\
             certificate is issued, open this page and press the button there:\n\n\
             {}/approve/{token}\n\n\
             If you do not know of this order, do nothing: without your approval no\n\
             certificate is issued. The link ends on {}.\n",
            order.id,
            order.product_name,
            names.join(", "),
            approval.address,
            self.settings.public_url,
            approval.expires_at.strftime("%Y-%m-%d %H:%M UTC"),
        );
        Ok(Mail {
            to: vec![approval.address.clone()],
            subject: format!("Approve the certificate for {name}"),
            text,
            message_id: approval.message_id.clone(),
            date: approval.created_at,
        })
    }

    async fn find_approval(&self, token: &str) -> Result<(Approval, OrderFile), AppError> {
        let missing = || AppError::NotFound {
            what: Noun::Approval,
            id: String::new(),
        };
        let approval = self
            .store
            .approval(secret_hash(token))
            .await?
            .ok_or_else(missing)?;
        let file = self.store.file_of_issuance(approval.issuance).await?;
        Ok((approval, file.ok_or_else(missing)?))
    }

    fn approval_state(&self, approval: &Approval, issuance: &Issuance) -> ApprovalState {
        let now = self.clock.now();
        if approval.approved_at.is_some() {
            ApprovalState::Given
        } else if issuance.state == IssuanceState::Validating
            && self.rules.is_in_force(Method::Email, now)
            && now < approval.expires_at
            && now < issuance.validate_by
        {
            ApprovalState::Open
        } else {
            ApprovalState::Closed
        }
    }
}

/// What is kept of a message: sent, or answered.
pub(crate) fn mail_observation(
    approval: &Approval,
    at: Timestamp,
    found: String,
    outcome: Outcome,
    advice: String,
) -> Observation {
    Observation {
        name: approval.name.clone(),
        method: Method::Email,
        at,
        asked: format!("approval by {}", approval.address),
        of: approval.address.clone(),
        found,
        outcome,
        advice,
        proved_domain: (outcome == Outcome::Proved).then(|| approval.domain.clone()),
    }
}
