//! What happens later: the kinds of jobs, how they are queued, and the worker that runs them.
//!
//! Jobs are rows, written in the change set of what they follow from. A job is claimed under a lease and
//! ended by id *and* attempt in the same change set as its effect, so it may run twice but counts once.
//! "Not yet" postpones it at no cost; an error, or a panic, costs an attempt and backs off; the last one parks it,
//! unless money or a signature hangs on it. Jobs wait in queues that are served apart ([`Task::queue`]).

mod failures;
mod index_contacts;
mod index_names;
mod leases;
mod look_gate;
mod looking;
mod mail_approvers;
mod mail_notice;
mod mail_password;
mod periodic;
mod poll_dcv;
mod poll_domain;
mod shares;
mod sign;
mod supersede;
mod tend;
mod tend_orders;
mod vet_by_itself;
mod worker;

use chancery_domain::Timestamp;
use chancery_domain::issuances::IssuanceId;
use chancery_domain::notices::{Notice, NoticeId};
use chancery_domain::orders::OrderId;
use chancery_domain::prevalidations::{Prevalidation, PrevalidationId};
use chancery_domain::resellers::ResellerId;
use chancery_domain::revocations::BlockedKeyId;
use chancery_domain::vetting::CaseId;
use chancery_store::{Change, JobId, NewJob, Queue, Sequence, Store};

pub use leases::LEASE;
pub(crate) use leases::LONGEST_LEASE;
pub(crate) use look_gate::LookGates;
pub(crate) use sign::{Proceeding, Put, ReserveError, SignerQueue, Signing, hex, octets};
pub(crate) use worker::Wake;

use crate::approval_requests::Run;
use crate::crls::REST;
use crate::{App, AppError};

/// How often a use case reads and decides again when others were faster.
pub(crate) const CONFLICT_TRIES: usize = 5;

/// Runs of a job that may fail before it is parked: some ten minutes.
const ATTEMPTS: i64 = 8;

/// The same of a password, which ends by itself: a day and a half.
const MAIL_ATTEMPTS: i64 = 40;

/// Whose jobs are that nobody waits for: the platform's own.
pub(crate) const NOBODYS: i64 = 0;

/// What comes again by itself.
const PERIODIC: [Task; 5] = [
    Task::RefreshCrl,
    Task::FollowIssuingCa,
    Task::Housekeep,
    Task::IndexNames,
    Task::IndexContacts,
];

/// A job to be done. Holds ids, never copies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Task {
    /// Look for the proofs an issuance lacks.
    PollDcv(IssuanceId),
    /// Send the approval mails of an issuance that wait for an answer.
    MailApprovers(IssuanceId),
    /// Look for the proof of a domain that is proved ahead of any order.
    PollDomain(PrevalidationId),
    /// Send the approval mail of such a domain.
    MailDomainApprover(PrevalidationId),
    /// Sign the certificate an issuance has reserved.
    Sign(IssuanceId),
    /// Revoke what a reissue has superseded.
    Supersede(IssuanceId),
    /// Do for an order what its plan says: replace its certificate, tell people, end it.
    Tend(OrderId),
    /// Tell the people behind an order something.
    MailNotice(NoticeId),
    /// Tell the reseller the same, in a message of its own.
    MailNoticeToReseller(NoticeId),
    /// Send a customer a temporary password.
    MailPassword(i64),
    /// Approve a vetting case in a test environment.
    VetByItself(CaseId),
    /// Revoke every certificate with a blocked key.
    RevokeKey(BlockedKeyId),
    /// Sign fresh revocation lists.
    RefreshCrl,
    /// Make the issuing CA that follows, once it is time.
    FollowIssuingCa,
    /// Have the certificates of the issuing CA with this number replaced: it was revoked.
    ReplaceCertificates(i64),
    /// Have the orders of a reseller tended that go by its setting of key reuse: it was changed.
    TendOrders(ResellerId),
    /// Drop what has outlived its use.
    Housekeep,
    /// Index the names of orders that were placed.
    IndexNames,
    /// Index the contacts that an older release has left.
    IndexContacts,
}

impl Task {
    /// The word under which the kind is stored.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::PollDcv(_) => "poll_dcv",
            Self::MailApprovers(_) => "mail_approvers",
            Self::PollDomain(_) => "poll_domain",
            Self::MailDomainApprover(_) => "mail_domain_approver",
            Self::Sign(_) => "sign",
            Self::Supersede(_) => "supersede",
            Self::Tend(_) => "tend",
            Self::MailNotice(_) => "mail_notice",
            Self::MailNoticeToReseller(_) => "mail_notice_to_reseller",
            Self::MailPassword(_) => "mail_password",
            Self::VetByItself(_) => "vet_by_itself",
            Self::RevokeKey(_) => "revoke_key",
            Self::RefreshCrl => "refresh_crl",
            Self::FollowIssuingCa => "follow_issuing_ca",
            Self::ReplaceCertificates(_) => "replace_certificates",
            Self::TendOrders(_) => "tend_orders",
            Self::Housekeep => "housekeep",
            Self::IndexNames => "index_names",
            Self::IndexContacts => "index_contacts",
        }
    }

    /// The id the job is about; 0 for those about none.
    pub(crate) fn subject(self) -> i64 {
        match self {
            Self::PollDcv(id) | Self::MailApprovers(id) | Self::Sign(id) | Self::Supersede(id) => {
                id.0
            }
            Self::PollDomain(id) | Self::MailDomainApprover(id) => id.0,
            Self::Tend(id) => id.0,
            Self::MailNotice(id) | Self::MailNoticeToReseller(id) => id.0,
            Self::MailPassword(id) | Self::ReplaceCertificates(id) => id,
            Self::VetByItself(id) => id.0,
            Self::RevokeKey(id) => id.0,
            Self::TendOrders(id) => id.0,
            Self::RefreshCrl
            | Self::FollowIssuingCa
            | Self::Housekeep
            | Self::IndexNames
            | Self::IndexContacts => 0,
        }
    }

    /// Where it waits: what asks strangers waits apart from what does not.
    fn queue(self) -> Queue {
        match self {
            Self::PollDcv(_) | Self::PollDomain(_) => Queue::Looks,
            Self::MailApprovers(_)
            | Self::MailDomainApprover(_)
            | Self::MailNotice(_)
            | Self::MailNoticeToReseller(_)
            | Self::MailPassword(_) => Queue::Mail,
            Self::Sign(_)
            | Self::Supersede(_)
            | Self::Tend(_)
            | Self::VetByItself(_)
            | Self::RevokeKey(_)
            | Self::RefreshCrl
            | Self::FollowIssuingCa
            | Self::ReplaceCertificates(_)
            | Self::TendOrders(_)
            | Self::Housekeep
            | Self::IndexNames
            | Self::IndexContacts => Queue::Work,
        }
    }

    /// After how many failures it is parked; never, where money or a signature hangs on it, or where somebody is to
    /// hear of something: a mail server may be away for longer than anybody looks.
    fn attempts(self) -> Option<i64> {
        match self {
            Self::PollDcv(_)
            | Self::MailApprovers(_)
            | Self::MailDomainApprover(_)
            | Self::MailNotice(_)
            | Self::MailNoticeToReseller(_)
            | Self::PollDomain(_)
            | Self::Sign(_)
            | Self::Supersede(_)
            | Self::Tend(_)
            | Self::RevokeKey(_)
            | Self::RefreshCrl
            | Self::FollowIssuingCa
            | Self::ReplaceCertificates(_)
            | Self::TendOrders(_) => None,
            Self::MailPassword(_) => Some(MAIL_ATTEMPTS),
            Self::VetByItself(_) | Self::Housekeep | Self::IndexNames | Self::IndexContacts => {
                Some(ATTEMPTS)
            }
        }
    }

    pub(crate) fn as_new_job(
        self,
        id: JobId,
        owner: i64,
        created_at: Timestamp,
        dedup: Option<&str>,
    ) -> NewJob<'_> {
        NewJob {
            id,
            kind: self.kind(),
            subject: self.subject(),
            queue: self.queue(),
            owner,
            created_at,
            dedup,
        }
    }

    /// Reads kind and subject back; `None` for a kind this release does not know.
    fn parse(kind: &str, subject: i64) -> Option<Self> {
        let mut known = Self::all(subject).into_iter();
        known.find(|task| task.kind() == kind)
    }

    /// The kinds that are never parked.
    fn kept_on() -> Vec<&'static str> {
        let kept_on = Self::all(0).into_iter();
        let kept_on = kept_on.filter(|task| task.attempts().is_none());
        kept_on.map(Self::kind).collect()
    }

    /// The kinds there are.
    fn kinds() -> Vec<&'static str> {
        Self::all(0).map(Self::kind).to_vec()
    }

    /// A job of each kind, about this.
    fn all(subject: i64) -> [Self; 19] {
        let (issuance, domain) = (IssuanceId(subject), PrevalidationId(subject));
        [
            Self::PollDcv(issuance),
            Self::MailApprovers(issuance),
            Self::PollDomain(domain),
            Self::MailDomainApprover(domain),
            Self::Sign(issuance),
            Self::Supersede(issuance),
            Self::Tend(OrderId(subject)),
            Self::MailNotice(NoticeId(subject)),
            Self::MailNoticeToReseller(NoticeId(subject)),
            Self::MailPassword(subject),
            Self::VetByItself(CaseId(subject)),
            Self::RevokeKey(BlockedKeyId(subject)),
            Self::RefreshCrl,
            Self::FollowIssuingCa,
            Self::ReplaceCertificates(subject),
            Self::TendOrders(ResellerId(subject)),
            Self::Housekeep,
            Self::IndexNames,
            Self::IndexContacts,
        ]
    }
}

/// The kinds of the jobs that may wait for an organization to be vetted.
pub(crate) fn vetting_kinds() -> [&'static str; 2] {
    let run = IssuanceId(0);
    [Task::PollDcv(run), Task::Sign(run)].map(Task::kind)
}

impl App {
    /// Adds a job of a reseller's to a change set.
    pub(crate) async fn enqueue(
        &self,
        change: &mut Change,
        task: Task,
        reseller: ResellerId,
        run_at: Timestamp,
    ) -> Result<(), AppError> {
        let id = JobId(self.row_id().await?);
        let now = self.clock.now();
        change.enqueue(task.as_new_job(id, reseller.0, now, None), run_at);
        Ok(())
    }

    /// Adds the one job that mails the approvers of a run, or has it run anew.
    pub(crate) async fn enqueue_mails(
        &self,
        change: &mut Change,
        run: Run<'_>,
        run_at: Timestamp,
    ) -> Result<(), AppError> {
        let (id, now) = (JobId(self.row_id().await?), self.clock.now());
        let (owner, key) = (run.reseller.0, format!("mail-{}", run.id));
        let job = run.mails.as_new_job(id, owner, now, Some(&key));
        change.enqueue_anew(job, run_at);
        Ok(())
    }

    /// Adds the one job that looks for the proof of a domain, or has it run anew.
    pub(crate) async fn enqueue_domain_look(
        &self,
        change: &mut Change,
        domain: &Prevalidation,
        run_at: Timestamp,
    ) -> Result<(), AppError> {
        let (id, now) = (JobId(self.row_id().await?), self.clock.now());
        let (owner, key) = (domain.reseller.0, format!("domain-{}", domain.id));
        let job = Task::PollDomain(domain.id).as_new_job(id, owner, now, Some(&key));
        change.enqueue_anew(job, run_at);
        Ok(())
    }

    /// Adds a notice, and the jobs that mail it: one for each party, so that none sees the other's addresses and
    /// none waits for the other's mail server.
    pub(crate) async fn put_notice(
        store: &Store,
        change: &mut Change,
        notice: &Notice,
        reseller: ResellerId,
    ) -> Result<(), AppError> {
        change.insert_notice(notice);
        let (id, now) = (notice.id, notice.created_at);
        for task in [Task::MailNotice(id), Task::MailNoticeToReseller(id)] {
            let job = JobId(store.next_id(Sequence::Row).await?);
            change.enqueue(task.as_new_job(job, reseller.0, now, None), now);
        }
        Ok(())
    }

    /// Adds the one job that tends an order, or has it run anew.
    pub(crate) async fn enqueue_tend(
        &self,
        change: &mut Change,
        order: OrderId,
        run_at: Timestamp,
    ) -> Result<(), AppError> {
        let (id, now) = (JobId(self.row_id().await?), self.clock.now());
        let (task, key) = (Task::Tend(order), tend_key(order));
        change.enqueue_anew(task.as_new_job(id, NOBODYS, now, Some(&key)), run_at);
        Ok(())
    }
}

/// Has fresh revocation lists signed at once, or as soon as those of the last moments allow: something was revoked
/// ([`crate::crls::REST`]).
pub(crate) fn refresh_crl_soon(change: &mut Change, now: Timestamp) {
    let task = Task::RefreshCrl;
    change.ask_for_run(task.kind(), task.subject(), now, REST, LONGEST_LEASE);
}

/// Puts right what a clock had set that was ahead until a moment ago, by less than an operator is asked about.
fn end_long_rests(change: &mut Change, now: Timestamp) {
    let task = Task::RefreshCrl;
    change.end_long_rest(task.kind(), task.subject(), now, REST, LONGEST_LEASE);
}

/// Has what comes again by itself run at once, and rest no longer.
pub(crate) fn end_rests(change: &mut Change, now: Timestamp) {
    change.end_rests(&PERIODIC.map(Task::kind), now, LONGEST_LEASE);
}

/// What makes the job that tends an order the only one.
pub(crate) fn tend_key(order: OrderId) -> String {
    format!("tend-{order}")
}
