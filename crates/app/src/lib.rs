//! Use cases: one method of [`App`] for each thing someone can ask for.
//!
//! A use case reads what it needs, lets `domain` decide, and commits one change set: the change, its event,
//! its ledger entries and its follow-up job, all or nothing. No transaction is open while the network or a
//! signer is at work. What happens later is in [`jobs`].

mod access_trail;
mod approval_requests;
mod approvals;
mod authorities;
mod balances;
mod blocked_keys;
mod call_counts;
mod cancellations;
mod catalogue;
mod certificate_desk;
mod certificates;
mod challenges;
mod clock;
mod companions;
mod contact_changes;
mod contact_defaults;
mod contact_searches;
mod contacts;
mod crls;
mod csrs;
mod customer_tokens;
mod customers;
mod early_looks;
mod eligibility;
mod erasures;
mod errors;
mod health;
mod holds;
mod identities;
mod inspections;
mod job_desk;
pub mod jobs;
mod key_holders;
mod key_reuse;
mod lost_certificates;
mod master_keys;
mod notices;
mod operators;
mod order_desk;
mod order_requests;
mod order_searches;
mod orders;
mod organizations;
mod passwords;
mod people_on_record;
mod plans;
mod prevalidations;
mod prices;
mod products;
mod proofs;
mod put_back;
mod reissues;
mod renewals;
mod resellers;
mod restores;
mod revocations;
mod revoked_cas;
mod sign_in;
mod sponsors;
mod standings;
mod time_travel;
mod turns;
mod validations;
mod vetting;
mod vetting_desk;

use std::sync::Arc;
use std::time::Duration;

use chancery_domain::catalogue::Catalogue;
use chancery_domain::names::World;
use chancery_domain::resellers::ResellerId;
use chancery_domain::validity::ValidityRules;
use chancery_domain::vetting::DualControl;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_outside::dcv::Dcv;
use chancery_outside::mail::Mailer;
use chancery_pki::sealing::MasterKey;
use chancery_store::{Sequence, Store};
use parking_lot::RwLock;

pub use approvals::{ApprovalAsked, ApprovalState};
pub use authorities::{Authorities, AuthoritySettings};
pub use balances::{Credited, Moved};
pub use call_counts::CallLimits;
pub use catalogue::{CatalogueFileError, built_in_catalogue, parse_catalogue};
pub use certificate_desk::KeyBlocked;
pub use certificates::{Delivery, Revoked, SentKey};
pub use chancery_domain::approvers::ApproverChoice;
pub use chancery_domain::authorizations::RecordedProof;
pub use chancery_domain::certificates::CertificateSummary;
pub use chancery_pki::csr::{Csr, CsrSubject, GeneratedCsr};
pub use chancery_pki::delivery::{Extent, Form, KeyStore, Server, file_stem};
pub use chancery_pki::keys::KeyAlgorithm;
pub use chancery_store::JobCounts;
pub use chancery_store::access_trail::{AccessFilter, CredentialUse};
pub use chancery_store::authorities::{HeldCertificate, RevokedCaRow};
pub use chancery_store::certificates::CertificateFilter;
pub use chancery_store::contact_searches::{ContactFilter, ContactPage};
pub use chancery_store::contacts::ContactRecord;
pub use chancery_store::customer_searches::{CustomerFilter, CustomerPage};
pub use chancery_store::customers::CustomerRecord;
pub use chancery_store::lost_certificates::{LostCertificate, LostFilter};
pub use chancery_store::order_counts::MonthCount;
pub use chancery_store::order_searches::{OrderFilter, OrderLine, OrderPage, SortedBy, Sorting};
pub use chancery_store::orders::OrderFile;
pub use chancery_store::orders::{ListedOrder, OrderListFilter};
pub use chancery_store::organizations::{OrganizationFilter, TextFilter};
pub use chancery_store::vetting::CaseSummary;
pub use chancery_store::{JobFilter, ListedJob};
pub use clock::Clock;
pub use contact_defaults::DefaultsReport;
pub use contacts::{ContactRequest, NewContact};
pub use crls::PublishedCrl;
pub use errors::{AppError, Noun, Refusal, TooMany};
pub use health::{HealthCheck, HealthState};
pub use holds::{Hold, TOLERANCE as CLOCK_TOLERANCE};
pub use key_holders::{KeyHolderError, KeyHolderReport, KeyProof};
pub use lost_certificates::LostRevoked;
pub use master_keys::{MasterKeyError, Rotated, TokenKey, check_master_key, open_token_key};
pub use operators::{CaCertificates, NewCredential, Operations, OperatorRefusal};
pub use order_requests::OrderRequest;
pub use order_searches::{ENDING_DAYS, OrderStatistics};
pub use orders::{OrderDescription, OrderReport, Placed, RepeatKey};
pub use organizations::{OrganizationPage, OrganizationRequest};
pub use people_on_record::Stretch;
pub use prevalidations::{DomainReport, DomainRequest};
pub use prices::{Amounts, ListedPrice, PriceChange, PriceChangeError, Standing};
pub use products::{Offer, PriceAsked};
pub use proofs::ProofAsked;
pub use reissues::ReissueRequest;
pub use renewals::RenewalRequest;
pub use restores::{LostBlock, NumberReport, RestoreReport};
pub use revocations::{Outcome, RevocationReport, RevocationRequest};
pub use revoked_cas::{CA_REVOCATION_REASONS, IssuingCaReport};
pub use sign_in::{Admitted, SignedIn, Suspended, Token};
pub use standings::{Standing as RecordStanding, keep_record, standing};
pub use time_travel::ClockError;
pub use validations::ValidationReport;
pub use vetting::ValidationStanding;
pub use vetting_desk::{CaseFile, NewEvidence, VettingPolicy};

/// What an operator decides about the use cases.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The base of every URL we hand out, without a final slash.
    pub public_url: String,
    /// How long an applicant may take to show control of the names; at most 30 days.
    pub validation_time: SignedDuration,
    /// The domain below which the targets of CNAME challenges lie.
    pub challenge_domain: String,
    /// How long the certificate that a reissue takes the place of stays good.
    pub supersede_delay: SignedDuration,
    /// Whether keys may be generated for subscribers.
    pub generate_keys: bool,
    /// Which names may be ordered.
    pub world: World,
    /// How many jobs run at once that wait for nobody outside. Half as many messages are sent at once.
    pub worker_slots: usize,
    /// How many checks of domain control are made at once. Half as many more ask servers that were slow before.
    pub look_slots: usize,
    /// How often a credential and a reseller may call.
    pub call_limits: CallLimits,
    /// Which vetting cases take two people.
    pub dual_control: DualControl,
    /// How long things are kept.
    pub retention: Retention,
    /// How long after it was opened a vetting case is approved by nobody; only a test environment has this.
    pub approve_cases_after: Option<SignedDuration>,
}

/// How long things are kept that would grow for ever.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Looks at the world that proved nothing, once their run is settled.
    pub failed_looks: SignedDuration,
    /// What proved control of a name, after no certificate can rely on it any more: two years at least (BR 5.5.2).
    pub records: SignedDuration,
    /// The trail of sign-ins and refusals.
    pub sign_ins: SignedDuration,
}

/// What the use cases are made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The CA.
    pub authorities: Authorities,
    /// Looks at the DNS and at web servers.
    pub dcv: Dcv,
    /// Sends mail.
    pub mailer: Mailer,
    /// Tells the time.
    pub clock: Clock,
    /// What is sold.
    pub catalogue: Catalogue,
    /// The dated limits of certificates and proofs.
    pub rules: ValidityRules,
    /// Seals what must be kept secret.
    pub master_key: MasterKey,
    /// The key that signs tokens.
    pub token_key: TokenKey,
    /// The operator's decisions.
    pub settings: Settings,
}

/// The use cases. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What the use cases work with, for this crate alone: a dialect sees methods only.
pub struct Inner {
    pub(crate) store: Store,
    pub(crate) authorities: Authorities,
    pub(crate) dcv: Dcv,
    pub(crate) mailer: Mailer,
    pub(crate) clock: Clock,
    /// Those of before are kept for whoever is still reading them.
    catalogue: RwLock<&'static Catalogue>,
    pub(crate) rules: ValidityRules,
    pub(crate) master_key: MasterKey,
    pub(crate) master_key_id: String,
    pub(crate) settings: Settings,
    tokens: sign_in::TokenKeys,
    failed_sign_ins: sign_in::FailedSignIns,
    /// The same of customers: nobody who guesses there makes us forget the others.
    failed_customers: sign_in::FailedSignIns,
    /// The same of customers wherever they are: programs tell us where that is, and may be told anything.
    failed_anywhere: sign_in::FailedSignIns,
    /// Calls of whoever comes without an account to revoke, by address.
    key_holders: sign_in::FailedSignIns,
    access_trail: access_trail::AccessTrail,
    call_counts: call_counts::CallCounts,
    computers: Arc<tokio::sync::Semaphore>,
    /// The same for passwords: who has many of them hashed holds up nobody who has a key made.
    hashers: turns::Turns,
    worker: jobs::Wake,
    health: health::LastLooks,
    signers: jobs::SignerQueue,
    pub(crate) crls: crls::CurrentCrls,
    pub(crate) watch: holds::Watch,
    early_looks: early_looks::EarlyLooks,
    look_gates: jobs::LookGates,
    /// Held while the clock is moved, so that moves add up.
    clock_moves: tokio::sync::Mutex<()>,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// How many computations run at once for requests: keys made, key stores encrypted. Each takes a core for up to
/// a second.
const COMPUTERS: usize = 2;

/// How many passwords are hashed at once.
const HASHERS: usize = 2;

/// How long a request waits for its turn to compute.
const COMPUTER_PATIENCE: Duration = Duration::from_secs(10);

/// How many rows one request reads from the database at once.
const PARALLEL_READS: usize = 8;

impl App {
    /// Puts the use cases together. Jobs run once [`App::run_worker`] does.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            tokens: sign_in::TokenKeys::new(&parts.token_key),
            access_trail: access_trail::AccessTrail::default(),
            master_key_id: parts.master_key.id(),
            failed_sign_ins: sign_in::FailedSignIns::new(parts.settings.call_limits),
            failed_customers: sign_in::FailedSignIns::new(parts.settings.call_limits),
            failed_anywhere: sign_in::FailedSignIns::anywhere(parts.settings.call_limits),
            key_holders: sign_in::FailedSignIns::per_minute(key_holders::CALLS_PER_MINUTE),
            call_counts: call_counts::CallCounts::new(parts.settings.call_limits),
            look_gates: jobs::LookGates::new(parts.settings.look_slots),
            store: parts.store,
            authorities: parts.authorities,
            dcv: parts.dcv,
            mailer: parts.mailer,
            clock: parts.clock,
            catalogue: RwLock::new(kept(parts.catalogue)),
            rules: parts.rules,
            master_key: parts.master_key,
            settings: parts.settings,
            computers: Arc::new(tokio::sync::Semaphore::new(COMPUTERS)),
            hashers: turns::Turns::new(HASHERS),
            health: health::LastLooks::default(),
            worker: jobs::Wake::default(),
            signers: jobs::SignerQueue::new(),
            crls: crls::CurrentCrls::default(),
            watch: holds::Watch::default(),
            early_looks: early_looks::EarlyLooks::default(),
            clock_moves: tokio::sync::Mutex::default(),
        }))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets what is under way in the database finish, and closes it. Nothing else may be asked afterwards.
    pub async fn close(&self) {
        self.store.clone().close().await;
    }

    /// The operator's chores, on the same database and clock.
    pub fn operations(&self) -> Operations {
        let policy = VettingPolicy {
            rules: self.rules.clone(),
            dual_control: self.settings.dual_control,
        };
        Operations::new(self.store.clone(), self.clock.clone()).under(policy)
    }

    /// What is sold.
    pub(crate) fn catalogue(&self) -> &'static Catalogue {
        *self.0.catalogue.read()
    }

    /// Sells what another catalogue says from now on. Meant for the few times that an operator changes it: the one
    /// before stays in memory.
    pub fn replace_catalogue(&self, catalogue: Catalogue) {
        *self.0.catalogue.write() = kept(catalogue);
    }

    /// Does what takes a core for a while, off the async runtime and not too much of it at once. Who asks and
    /// goes away still has their turn to the end.
    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AppError> {
        compute_in_turn(&self.computers, work).await
    }

    /// The same for a password that is hashed. Resellers take turns, and none has all of them: many of one's customers
    /// who sign in hold up nobody else's.
    async fn compute_hash<T: Send + 'static>(
        &self,
        reseller: ResellerId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AppError> {
        let turn = self.hashers.take(reseller.0);
        let turn = tokio::time::timeout(COMPUTER_PATIENCE, turn).await;
        let turn = turn.ok().flatten().ok_or(AppError::Busy)?;
        compute_holding(turn, work).await
    }

    /// Mints an id that no one outside sees.
    async fn row_id(&self) -> Result<i64, AppError> {
        Ok(self.store.next_id(Sequence::Row).await?)
    }
}

async fn compute_in_turn<T: Send + 'static>(
    turns: &Arc<tokio::sync::Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AppError> {
    let turn = turns.clone().acquire_owned();
    let turn = tokio::time::timeout(COMPUTER_PATIENCE, turn).await;
    let turn = turn
        .map_err(|_| AppError::Busy)?
        .map_err(AppError::internal)?;
    compute_holding(turn, work).await
}

/// Keeps a catalogue for as long as the process lives: whoever reads one is not disturbed by another.
fn kept(catalogue: Catalogue) -> &'static Catalogue {
    Box::leak(Box::new(catalogue))
}

/// Does it off the async runtime, and gives the turn back when it is done.
async fn compute_holding<T: Send + 'static>(
    turn: impl Send + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AppError> {
    let worked = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    worked.await.map_err(AppError::internal)
}
