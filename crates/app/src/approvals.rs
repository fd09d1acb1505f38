//! Approval by mail: one message for each address and run, one secret link in each, one click for all its names.
//!
//! The link only shows what would be approved; approving takes a POST, since mail scanners follow links. It covers
//! the names of its message that are still asked of its address, and no others. The secret is stored twice: as a
//! hash, to find the approval by, and sealed, so that a message can be sent again unchanged.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Authorization, Challenge, Method};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{IssuanceId, IssuanceState, NameControl, NextStep, Proof};
use chancery_domain::names::DomainName;
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::prevalidations::{Prevalidation, PrevalidationId};
use chancery_domain::resellers::{ProofScope, ResellerId};
use chancery_outside::mail::Mail;
use chancery_store::approvals::Approval;
use chancery_store::orders::OrderFile;
use chancery_store::{Change, StoreError};

use crate::jobs::{self, Proceeding, Task};
use crate::sign_in::secret_hash;
use crate::{App, AppError, Noun};

/// What a visitor of the approval page is asked.
#[derive(Clone, Debug)]
pub struct ApprovalAsked {
    /// The names that the approval covers.
    pub names: Vec<DomainName>,
    /// Names of the message that are asked of its reader no more.
    pub withdrawn: Vec<DomainName>,
    /// Further names of the certificate, which others answer for.
    pub further: Vec<DomainName>,
    /// What else the approval may be used for, as a sentence.
    pub reuse: String,
    /// The product; none for a domain that is proved ahead of any order.
    pub product: Option<String>,
    /// Who ordered.
    pub reseller: String,
    /// The address that was written to.
    pub address: String,
    /// The order's number; none for a domain that is proved ahead of any order.
    pub order: Option<String>,
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
    /// Too late: the order is settled, the link too old, or nothing is asked any more.
    Closed,
}

/// What the secrets in approval mails are sealed for.
pub(crate) const APPROVAL_CONTEXT: &str = "approval";

/// What an approval is asked for.
pub(crate) enum AskedFor {
    /// The certificate of an order.
    Order(Box<OrderFile>),
    /// A domain, ahead of any order.
    Domain(Box<Prevalidation>),
}

impl AskedFor {
    pub(crate) fn reseller(&self) -> ResellerId {
        match self {
            Self::Order(file) => file.order.reseller,
            Self::Domain(held) => held.reseller,
        }
    }

    /// The names, with what is asked for each.
    pub(crate) fn names(&self) -> &[NameControl] {
        match self {
            Self::Order(file) => &file.issuance.names,
            Self::Domain(held) => std::slice::from_ref(&held.control),
        }
    }

    /// Whether control is to be shown, and there is time for it.
    fn waits(&self, now: Timestamp) -> bool {
        match self {
            Self::Order(file) => {
                file.issuance.state == IssuanceState::Validating && now < file.issuance.validate_by
            }
            Self::Domain(held) => held.waits(now),
        }
    }
}

impl App {
    /// What the link of an approval mail is about.
    pub async fn approval(&self, token: &str) -> Result<ApprovalAsked, AppError> {
        let (approval, asked) = self.find_approval(token).await?;
        let state = self.approval_state(&approval, &asked);
        let reseller = self.store.reseller(asked.reseller()).await?;
        let scope = reseller
            .as_ref()
            .map_or(ProofScope::Order, |reseller| reseller.settings.proof_scope);
        let names = match state {
            ApprovalState::Open => still_asked(&approval, asked.names()),
            ApprovalState::Given | ApprovalState::Closed => approval.names.clone(),
        };
        let rest = |all: Vec<DomainName>, without: &[DomainName]| -> Vec<DomainName> {
            all.into_iter()
                .filter(|name| !without.contains(name))
                .collect()
        };
        let covered = asked.names().iter().map(|control| control.name.clone());
        Ok(ApprovalAsked {
            state,
            withdrawn: rest(approval.names.clone(), &names),
            further: rest(covered.collect(), &names),
            names,
            reuse: self.reuse_of(&approval, &asked, scope),
            reseller: reseller.map(|reseller| reseller.name).unwrap_or_default(),
            address: approval.address,
            order: match &asked {
                AskedFor::Order(file) => Some(file.order.id.to_string()),
                AskedFor::Domain(_) => None,
            },
            product: match asked {
                AskedFor::Order(file) => Some(file.order.product_name),
                AskedFor::Domain(_) => None,
            },
        })
    }

    /// Approves: the names that are still asked of the message's reader are proved, by email.
    pub async fn approve(&self, token: &str) -> Result<ApprovalState, AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let (approval, asked) = self.find_approval(token).await?;
            let state = self.approval_state(&approval, &asked);
            if state != ApprovalState::Open {
                return Ok(state);
            }
            let now = self.clock.now();
            let mut change = Change::new();
            let mut file = match asked {
                AskedFor::Order(file) => *file,
                AskedFor::Domain(held) => {
                    self.prove_domain(&mut change, &approval, *held, now)
                        .await?;
                    match self.store.commit(change).await {
                        Err(StoreError::Conflict { .. }) => continue,
                        Err(other) => return Err(other.into()),
                        Ok(_) => return Ok(ApprovalState::Given),
                    }
                }
            };
            self.forget_unusable(&mut change, &file.order, &mut file.issuance, now)
                .await?;
            self.note_approval(&mut change, &approval, &mut file, now)
                .await?;
            let issuance = file.issuance.id;
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

    /// Adds what an approval brings about: the names that are asked of it are proved, which stays on record.
    async fn note_approval(
        &self,
        change: &mut Change,
        approval: &Approval,
        file: &mut OrderFile,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let names = still_asked(approval, &file.issuance.names);
        let proof = Proof {
            domain: approval.domain.clone(),
            method: Method::Email,
            obtained_at: now,
        };
        file.issuance.approve(&names, &proof);
        change.approve(approval.token_hash, now);
        let held = Authorization {
            domain: approval.domain.clone(),
            method: Method::Email,
            obtained_at: now,
        };
        let whose = (file.order.reseller, file.order.id);
        change.insert_authorization(self.row_id().await?, whose, file.issuance.id, &held);
        for name in names {
            let found = format!("approved by the reader of {}", approval.address);
            let look = mail_observation(approval, &name, now, found, Outcome::Proved, "");
            change.insert_observation(self.row_id().await?, file.issuance.id, &look);
            let detail = Some(name.to_string());
            let (by, kind) = (Actor::Approver, EventKind::NameProved);
            self.note(change, &file.order, by, kind, detail).await?;
        }
        Ok(())
    }

    /// Adds what the approval of a domain brings about.
    async fn prove_domain(
        &self,
        change: &mut Change,
        approval: &Approval,
        held: Prevalidation,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let (method, domain) = (Method::Email, approval.domain.clone());
        let proof = Proof {
            domain: domain.clone(),
            method,
            obtained_at: now,
        };
        let proved = Authorization {
            domain,
            method,
            obtained_at: now,
        };
        let found = format!("approved by the reader of {}", approval.address);
        let name = held.domain().clone();
        let look = mail_observation(approval, &name, now, found, Outcome::Proved, "");
        let held = held.prove(proof, now)?;
        change.approve(approval.token_hash, now);
        change.save_prevalidation(&held);
        change.insert_prevalidated(self.row_id().await?, held.reseller, held.id, &proved);
        change.insert_observation(self.row_id().await?, held.id, &look);
        Ok(())
    }

    /// The message of an approval; the same each time.
    pub(crate) fn approval_mail(
        &self,
        approval: &Approval,
        asked: &AskedFor,
        scope: ProofScope,
    ) -> Result<Mail, AppError> {
        let token = self
            .master_key
            .open(APPROVAL_CONTEXT, &approval.sealed_token);
        let token = token.map_err(AppError::internal)?;
        let token = std::str::from_utf8(&token).map_err(AppError::internal)?;
        let first = approval.names.first().map_or("", DomainName::as_str);
        let (what, subject) = match asked {
            AskedFor::Order(file) => (
                about_order(approval, file),
                match approval.names.len() {
                    0 | 1 => format!("Approve the certificate for {first}"),
                    count => format!("Approve the certificate for {first} and {} more", count - 1),
                },
            ),
            AskedFor::Domain(_) => (
                about_domain(approval),
                format!("Approve certificates for {first}"),
            ),
        };
        let text = format!(
            "{what}\n{}/approve/{token}\n\n\
             {}\n\n\
             If you do not know of this, do nothing: without your approval no certificate\n\
             is issued. The link ends on {}.\n",
            self.settings.public_url,
            self.reuse_of(approval, asked, scope),
            approval.expires_at.strftime("%Y-%m-%d %H:%M UTC"),
        );
        Ok(Mail {
            to: vec![approval.address.clone()],
            subject,
            text,
            message_id: approval.message_id.clone(),
            date: approval.created_at,
        })
    }

    /// What an approval may be used for beside the names that are asked about.
    fn reuse_of(&self, approval: &Approval, asked: &AskedFor, scope: ProofScope) -> String {
        let days = self.rules.at(approval.created_at).domain_reuse_days;
        let serves = match (asked, scope) {
            (AskedFor::Domain(_), ProofScope::Order | ProofScope::Customer) => {
                "certificates of orders from the same reseller that ask for it"
            }
            (_, ProofScope::Reseller) => "certificates of all orders from the same reseller",
            (AskedFor::Order(_), ProofScope::Order) => {
                "further certificates of this order and of orders that renew it"
            }
            (AskedFor::Order(_), ProofScope::Customer) => {
                "further certificates of this order, of orders that renew it, and of other orders of the same customer"
            }
        };
        // A name that comes along for nothing is certified on the same proof, and so belongs to what is approved.
        let along = match asked {
            AskedFor::Order(file) => self.free_name(&file.order).filter(|name| {
                let is_asked_for = file.issuance.names.iter().any(|held| held.name == *name);
                !is_asked_for && name.is_at_or_below(&approval.domain)
            }),
            AskedFor::Domain(_) => None,
        };
        let along = along.map_or_else(String::new, |name| {
            format!("The certificate will cover {name}, too, on the same approval. ")
        });
        format!(
            "{along}Your approval shows control of {domain}. For {days} days at most it may serve {serves}, for {domain} and \
             names below it, wildcards included.",
            domain = approval.domain,
        )
    }

    async fn find_approval(&self, token: &str) -> Result<(Approval, AskedFor), AppError> {
        let missing = || AppError::NotFound {
            what: Noun::Approval,
            id: String::new(),
        };
        let approval = self
            .store
            .approval(secret_hash(token))
            .await?
            .ok_or_else(missing)?;
        let run = approval.run.0;
        if let Some(file) = self.store.file_of_issuance(IssuanceId(run)).await? {
            return Ok((approval, AskedFor::Order(Box::new(file))));
        }
        let held = self.store.prevalidation(PrevalidationId(run)).await?;
        let held = held.ok_or_else(missing)?;
        Ok((approval, AskedFor::Domain(Box::new(held))))
    }

    fn approval_state(&self, approval: &Approval, asked: &AskedFor) -> ApprovalState {
        let now = self.clock.now();
        if approval.approved_at.is_some() {
            ApprovalState::Given
        } else if asked.waits(now)
            && self.rules.is_in_force(Method::Email, now)
            && now < approval.expires_at
            && !still_asked(approval, asked.names()).is_empty()
        {
            ApprovalState::Open
        } else {
            ApprovalState::Closed
        }
    }
}

/// The part of a message that says which order it is about, and asks.
fn about_order(approval: &Approval, file: &OrderFile) -> String {
    let further = file.issuance.covered().into_iter();
    let further: Vec<DomainName> = further
        .filter(|name| !approval.names.contains(name))
        .collect();
    let further = match further.is_empty() {
        true => String::new(),
        false => format!(
            "\nThe certificate covers further names, which you are not asked about:\n\n{}",
            listed(&further)
        ),
    };
    format!(
        "A TLS certificate was ordered that covers names for which {} may answer:\n\n\
         {}{further}\n\
         Order:    {}\nProduct:  {}\n\n\
         If you agree that the certificate is issued for the names listed first, open this\n\
         page and press the button there; once is enough for all of them:\n",
        approval.address,
        listed(&approval.names),
        file.order.id,
        file.order.product_name,
    )
}

/// The same for a domain that is proved ahead of any order.
fn about_domain(approval: &Approval) -> String {
    format!(
        "Control of a domain for which {} may answer is to be shown, for TLS certificates\n\
         that are ordered later:\n\n{}\n\
         If you agree that certificates may be issued for it, open this page and press the\n\
         button there:\n",
        approval.address,
        listed(&approval.names),
    )
}

/// The names of a message that its reader is still asked about: not proved yet, and nobody else's to approve.
pub(crate) fn still_asked(approval: &Approval, controls: &[NameControl]) -> Vec<DomainName> {
    let is_asked = |control: &&NameControl| {
        control.proof.is_none()
            && approval.names.contains(&control.name)
            && matches!(&control.challenge, Challenge::Email { approver } if *approver == approval.address)
    };
    let asked = controls.iter().filter(is_asked);
    asked.map(|control| control.name.clone()).collect()
}

/// What is kept of a message, for one of its names: sent, or answered.
pub(crate) fn mail_observation(
    approval: &Approval,
    name: &DomainName,
    at: Timestamp,
    found: String,
    outcome: Outcome,
    advice: &str,
) -> Observation {
    Observation {
        name: name.clone(),
        method: Method::Email,
        at,
        asked: format!("approval by {}", approval.address),
        of: approval.address.clone(),
        found,
        outcome,
        advice: advice.to_owned(),
        proved_domain: (outcome == Outcome::Proved).then(|| approval.domain.clone()),
    }
}

fn listed(names: &[DomainName]) -> String {
    names.iter().map(|name| format!("  {name}\n")).collect()
}
