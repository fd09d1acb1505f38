//! The operator's chores: resellers, credentials, balances.
//!
//! They need the database and nothing else, so they work with the server running and stopped.

use chancery_domain::access::{Access, Networks, Scope};
use chancery_domain::ledger::CorrectionError;
use chancery_domain::money::Money;
use chancery_domain::operators::{ActKind, OperatorAct, OperatorName};
use chancery_domain::reseller_settings::SettingError;
use chancery_domain::resellers::{Credential, CredentialKind, ResellerId};
use chancery_store::{Change, JobId, ParkedJob, Sequence, Store, StoreError};

use crate::challenges::random_hex;
use crate::sign_in::{is_secret, secret_hash};
use crate::{AppError, Clock, Noun, VettingPolicy};

/// Under which name the database keeps the mode it was first started in.
const MODE: &str = "mode";

/// The operator's chores on a database.
pub struct Operations {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) vetting: VettingPolicy,
    pub(crate) operator: OperatorName,
}

/// Why something that only operators ask for is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OperatorRefusal {
    /// A reseller's setting that makes no sense.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The reseller is suspended already.
    #[error("the reseller is suspended already")]
    SuspendedAlready,
    /// The reseller is not suspended.
    #[error("the reseller is not suspended")]
    NotSuspended,
    /// What an operator does needs a reason.
    #[error("it needs a reason")]
    NoReason,
    /// The order is over, or its certificate is being signed.
    #[error("the order is over, or its certificate is being signed")]
    OrderIsOver,
    /// The order has its certificate.
    #[error(
        "the order has its certificate: its reseller may cancel it within the refund window, and the certificate \
         can be revoked"
    )]
    HasCertificate,
    /// A debit must be more than zero.
    #[error("a debit is more than zero")]
    DebitOfNothing,
    /// The balance is smaller than what is to be taken off it.
    #[error("the balance is {0}, and does not fall below zero")]
    BalanceTooSmall(Money),
    /// The entry has its counter-entry already.
    #[error("the entry was corrected already")]
    CorrectedAlready,
    /// The entry is not one that is corrected.
    #[error(transparent)]
    Correction(#[from] CorrectionError),
}

/// A credential just made. The only place where its secret ever stands.
pub struct NewCredential {
    /// The public half.
    pub username: String,
    /// The secret half; only its hash is kept.
    pub password: String,
}

/// The certificates of the embedded CA, DER.
#[derive(Clone, Debug)]
pub struct CaCertificates {
    /// The root's.
    pub root: Vec<u8>,
    /// The issuing CAs', from the first on; the last one signs.
    pub issuing: Vec<Vec<u8>>,
}

impl Operations {
    /// Chores on this database, by this clock.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            vetting: VettingPolicy::default(),
            operator: OperatorName::platform("server"),
        }
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The same, with vetting as this operator has it.
    #[must_use]
    pub fn under(self, vetting: VettingPolicy) -> Self {
        Self { vetting, ..self }
    }

    /// The same in an operator's name, which goes on record with what is changed. Without one, the platform itself
    /// acts.
    #[must_use]
    pub fn acting_as(self, operator: OperatorName) -> Self {
        Self { operator, ..self }
    }

    /// Adds a line to the history of what operators did.
    pub(crate) async fn record_act(
        &self,
        change: &mut Change,
        kind: ActKind,
        subject: String,
        reseller: Option<ResellerId>,
        detail: Option<String>,
    ) -> Result<(), AppError> {
        change.insert_operator_act(&OperatorAct {
            id: self.store.next_id(Sequence::Row).await?,
            at: self.clock.now(),
            operator: self.operator.clone(),
            kind,
            subject,
            reseller,
            detail,
        });
        Ok(())
    }

    /// The mode a database was first started in, if it ever was.
    pub async fn mode(&self) -> Result<Option<String>, AppError> {
        Ok(self.store.meta(MODE).await?)
    }

    /// The mode a database belongs to for good: the one it was first started in, which is `asked` if it
    /// never was.
    pub async fn first_mode(&self, asked: &str) -> Result<String, AppError> {
        if let Some(kept) = self.mode().await? {
            return Ok(kept);
        }
        let mut change = Change::new();
        change.set_meta(MODE, asked);
        self.store.commit(change).await?;
        Ok(asked.to_owned())
    }

    /// Makes a credential for a reseller.
    pub async fn add_credential(
        &self,
        reseller: ResellerId,
        kind: CredentialKind,
        access: Access,
    ) -> Result<NewCredential, AppError> {
        self.reseller(reseller).await?;
        let detail = format!("{kind}, scope {}, {}", access.scope, told(&access.allowed));
        let username = match kind {
            CredentialKind::Webnic => format!("api-{}", random_hex::<8>()),
            CredentialKind::LogicBoxes => self.store.next_id(Sequence::AuthUser).await?.to_string(),
        };
        let made = NewCredential {
            username,
            password: random_hex::<32>(),
        };
        let mut change = Change::new();
        change.insert_credential(&Credential {
            username: made.username.clone(),
            kind,
            reseller,
            secret_hash: secret_hash(&made.password),
            access,
            created_at: self.clock.now(),
            revoked_at: None,
        });
        let (kind, subject) = (ActKind::CredentialAdded, credential_subject(&made.username));
        self.record_act(&mut change, kind, subject, Some(reseller), Some(detail))
            .await?;
        self.store.commit(change).await?;
        Ok(made)
    }

    /// The credentials of a reseller, revoked ones among them.
    pub async fn credentials(&self, reseller: ResellerId) -> Result<Vec<Credential>, AppError> {
        self.reseller(reseller).await?;
        Ok(self.store.credentials(reseller).await?)
    }

    /// Whose credential this is, if one can sign in with it.
    pub async fn credential_owner(
        &self,
        kind: CredentialKind,
        username: &str,
        password: &str,
    ) -> Result<Option<ResellerId>, AppError> {
        let found = self.store.credential(username).await?;
        let good = found.filter(|(held, _)| {
            held.kind == kind && held.revoked_at.is_none() && is_secret(password, &held.secret_hash)
        });
        Ok(good.map(|(held, _)| held.reseller))
    }

    /// Changes what a credential may be used for, its tokens included, at once.
    pub async fn set_scope(&self, username: &str, scope: Scope) -> Result<(), AppError> {
        let mut change = Change::new();
        change.set_scope(username, scope);
        let detail = Some(scope.to_string());
        self.change_credential(username, change, ActKind::CredentialScoped, detail)
            .await
    }

    /// Changes from where a credential may be used, its tokens included, at once; none means everywhere.
    pub async fn set_allowed(&self, username: &str, allowed: &Networks) -> Result<(), AppError> {
        let mut change = Change::new();
        change.set_allowed(username, allowed);
        let detail = Some(told(allowed));
        self.change_credential(username, change, ActKind::CredentialAllowed, detail)
            .await
    }

    /// Ends a credential and its tokens, at once.
    pub async fn revoke_credential(&self, username: &str) -> Result<(), AppError> {
        let mut change = Change::new();
        change.revoke_credential(username, self.clock.now());
        self.change_credential(username, change, ActKind::CredentialRevoked, None)
            .await
    }

    async fn change_credential(
        &self,
        username: &str,
        mut change: Change,
        kind: ActKind,
        detail: Option<String>,
    ) -> Result<(), AppError> {
        let found = self.store.credential(username).await?;
        let (_, reseller) = found.ok_or_else(|| no_credential(username))?;
        let subject = credential_subject(username);
        self.record_act(&mut change, kind, subject, Some(reseller.id), detail)
            .await?;
        match self.store.commit(change).await {
            Err(StoreError::Conflict { .. }) => Err(no_credential(username)),
            other => Ok(other.map(drop)?),
        }
    }

    /// The CA's certificates; `None` before the first start.
    pub async fn authority_certificates(&self) -> Result<Option<CaCertificates>, AppError> {
        let Some(first) = self.store.authority().await? else {
            return Ok(None);
        };
        let successors = self.store.issuing_cas_after(1).await?;
        let mut issuing = vec![first.issuing_certificate];
        issuing.extend(successors.into_iter().map(|row| row.certificate));
        Ok(Some(CaCertificates {
            root: first.root_certificate,
            issuing,
        }))
    }

    /// The jobs that gave up.
    pub async fn parked_jobs(&self) -> Result<Vec<ParkedJob>, AppError> {
        Ok(self.store.parked_jobs().await?)
    }

    /// Puts a job that gave up back into the queue.
    pub async fn retry_job(&self, id: i64) -> Result<(), AppError> {
        let mut change = Change::new();
        change.unpark_job(JobId(id), self.clock.now());
        let (kind, subject) = (ActKind::JobRetried, format!("job {id}"));
        self.record_act(&mut change, kind, subject, None, None)
            .await?;
        match self.store.commit(change).await {
            Err(StoreError::Conflict { .. }) => Err(AppError::NotFound {
                what: Noun::ParkedJob,
                id: id.to_string(),
            }),
            other => Ok(other.map(drop)?),
        }
    }

    /// What is not as it must be: the ledger sums to zero, every balance to its entries, and orders are as
    /// many as they were counted.
    pub async fn audit(&self) -> Result<Vec<String>, AppError> {
        let mut faults = Vec::new();
        let sum = self.store.ledger_sum().await?;
        if sum != 0 {
            faults.push(format!("the ledger sums to {sum}, not to zero"));
        }
        for (reseller, balance, entries) in self.store.ledger_audit().await? {
            if balance != entries {
                faults.push(format!(
                    "reseller {reseller} has {balance}, its entries say {entries}"
                ));
            }
        }
        faults.extend(self.store.miscounts().await?);
        Ok(faults)
    }
}

pub(crate) fn no_reseller(id: ResellerId) -> AppError {
    AppError::NotFound {
        what: Noun::Reseller,
        id: id.to_string(),
    }
}

fn credential_subject(username: &str) -> String {
    format!("credential {username}")
}

fn told(allowed: &Networks) -> String {
    let networks: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    match networks.is_empty() {
        true => "from everywhere".to_owned(),
        false => format!("from {}", networks.join(", ")),
    }
}

fn no_credential(username: &str) -> AppError {
    AppError::NotFound {
        what: Noun::Credential,
        id: username.to_owned(),
    }
}
