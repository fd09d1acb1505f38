//! What can stop a use case, in words every dialect can translate.

use std::net::IpAddr;

use chancery_domain::access::Scope;
use chancery_domain::contacts::{ContactId, Hold};
use chancery_domain::customers::CustomerId;
use chancery_domain::fields::FieldError;
use chancery_domain::money::Currency;
use chancery_domain::orders::OrderId;
use chancery_domain::organizations::OrganizationId;
use chancery_domain::rates::Excess;
use chancery_domain::revocations::RevocationReason;
use chancery_domain::stages::Stage;
use chancery_domain::vetting::VettingError;
use chancery_domain::{Timestamp, TransitionError};
use chancery_store::StoreError;

use crate::operators::OperatorRefusal;
use crate::orders::OrderReport;

/// Everything that can stop a request.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No token, or one that is wrong, expired or revoked.
    #[error("not signed in")]
    Unauthenticated,
    /// A sign-in with a name nobody has.
    #[error("unknown username")]
    UnknownUsername,
    /// A sign-in with the wrong secret.
    #[error("wrong password")]
    WrongPassword,
    /// The credential may not be used from this address.
    #[error("the credential is not allowed from {0}")]
    AddressNotAllowed(IpAddr),
    /// The credential may not be used for this.
    #[error("the credential's scope is {held}, this needs {needed}")]
    OutOfScope {
        /// What it may be used for.
        held: Scope,
        /// What it would have to be.
        needed: Scope,
    },
    /// The operator has suspended the reseller.
    #[error("the reseller is suspended")]
    Suspended,
    /// Too many calls, or too many wrong secrets.
    #[error("too often; again in {retry_seconds} seconds")]
    TooMany {
        /// Of what.
        what: TooMany,
        /// When it is worth another try.
        retry_seconds: u64,
    },
    /// There is no such thing, or it is another reseller's.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What was asked for.
        what: Noun,
        /// By which name.
        id: String,
    },
    /// Fields are missing or wrong; all of them.
    #[error("field validation failed")]
    Invalid(Vec<FieldError>),
    /// Well formed, but a rule of business forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The order is in a state that does not allow this.
    #[error("the order's state does not allow this")]
    WrongState(Box<OrderReport>),
    /// Others were faster, again and again; asking later may work.
    #[error("too many at once")]
    Busy,
    /// The database is away, or takes no writes for now. Shows nothing of it to the caller.
    #[error("the database is away")]
    Unavailable {
        /// Whether nothing was done for certain; else nobody can tell yet.
        is_undone: bool,
        /// What the database, or the way to it, said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Our fault. Shows nothing to the caller.
    #[error("something went wrong on our side")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What an [`AppError::TooMany`] is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TooMany {
    /// Calls of a credential or a reseller.
    Calls(Excess),
    /// Wrong secrets for one username from one address.
    FailedSignIns,
}

/// What a [`AppError::NotFound`] is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Noun {
    /// An order.
    Order,
    /// A contact.
    Contact,
    /// A product.
    Product,
    /// An organization.
    Organization,
    /// A vetting case.
    VettingCase,
    /// A piece of evidence with a file.
    Evidence,
    /// A reseller.
    Reseller,
    /// A request for approval.
    Approval,
    /// A credential.
    Credential,
    /// A certificate.
    Certificate,
    /// A job that gave up.
    ParkedJob,
    /// A job.
    Job,
    /// A movement on a reseller's account.
    LedgerEntry,
    /// A domain that is proved ahead of any order.
    Domain,
    /// A proof on record.
    Proof,
    /// A customer, by its id.
    Customer,
    /// A customer, by its user name.
    CustomerOfName,
    /// What a customer's user shows.
    Token,
}

impl std::fmt::Display for Noun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Order => "order",
            Self::Contact => "contact",
            Self::Product => "product",
            Self::Organization => "organization",
            Self::VettingCase => "vetting case",
            Self::Evidence => "evidence with a file",
            Self::Reseller => "reseller",
            Self::Approval => "approval",
            Self::Credential => "credential",
            Self::Certificate => "certificate",
            Self::ParkedJob => "parked job",
            Self::Job => "job",
            Self::LedgerEntry => "entry on the reseller's account",
            Self::Domain => "domain",
            Self::Proof => "proof",
            Self::Customer => "customer",
            Self::CustomerOfName => "customer named",
            Self::Token => "token",
        })
    }
}

/// A rule of business that forbids what was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The balance does not cover the price.
    #[error("the balance does not cover the price")]
    InsufficientBalance,
    /// The product has no price in the reseller's currency.
    #[error("no price is set in {0}")]
    NoPrice(Currency),
    /// The key of a repeated request came with another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Something only operators ask for.
    #[error(transparent)]
    Operator(#[from] OperatorRefusal),
    /// The contact still stands behind an order or an organization, or is a default contact.
    #[error("contact {0} is still used")]
    ContactInUse(ContactId),
    /// The contact cannot be erased yet.
    #[error("contact {0} cannot be erased: {1}")]
    ContactHeld(ContactId, Hold),
    /// The contact is erased already.
    #[error("contact {0} is erased already")]
    ContactErased(ContactId),
    /// Contacts of the customer's cannot be erased yet.
    #[error("customer {} cannot be erased: {}", .0, held(.1))]
    CustomerHeld(CustomerId, Vec<(ContactId, Hold)>),
    /// The customer is erased already.
    #[error("customer {0} is erased already")]
    CustomerErased(CustomerId),
    /// The reseller has another organization by that name and address.
    #[error("organization {0} has that name and address")]
    OrganizationExists(OrganizationId),
    /// A step in a vetting case that its rules do not allow.
    #[error(transparent)]
    Vetting(#[from] VettingError),
    /// There is no certificate yet.
    #[error("the certificate is not issued yet")]
    NotIssued,
    /// The certificate is revoked.
    #[error("the certificate was revoked on {at} ({reason})")]
    CertificateRevoked {
        /// When.
        at: Timestamp,
        /// Why.
        reason: RevocationReason,
    },
    /// The CA that issued the certificate is revoked, and the certificate with it.
    #[error("the issuing CA of the certificate was revoked on {0}")]
    IssuingCaRevoked(Timestamp),
    /// The certificate has ended, so that there is nothing to revoke.
    #[error("the certificate has ended")]
    CertificateEnded,
    /// The certificate is in force, but nothing is given back any more.
    #[error("the refund window of order {order} ended on {ended_at}")]
    RefundWindowOver {
        /// The order.
        order: OrderId,
        /// How far it has come.
        stage: Stage,
        /// When it ended.
        ended_at: Timestamp,
    },
    /// The operator has switched key generation off.
    #[error("key generation is switched off; make the key and the CSR where the key is used")]
    KeyGenerationOff,
    /// The order is not validated by mail.
    #[error("the order is not validated by email")]
    NotByEmail,
    /// Approvers were written to too often.
    #[error("too many approval mails were sent")]
    TooManyMails,
    /// A reseller has as many domains as it may have.
    #[error("there are {0} domains already")]
    TooManyDomains(i64),
    /// The product of an order is not sold any more, so that its rules are not known.
    #[error("the product '{0}' is not sold any more")]
    ProductWithdrawn(String),
    /// The order was renewed already.
    #[error("the order was renewed by order {0}")]
    RenewedBefore(OrderId),
    /// The order's term has longer to go than its product lets it be renewed ahead of its end.
    #[error("the order can be renewed from {0} on")]
    RenewalNotOpen(Timestamp),
    /// A credit must be more than zero.
    #[error("a credit is more than zero")]
    CreditOfNothing,
    /// The reseller has its balance in another currency.
    #[error("the reseller's balance is in {0}")]
    OtherCurrency(Currency),
    /// The sum is beyond what can be charged.
    #[error("the price is too large")]
    PriceTooLarge,
    /// A customer's user name or password is wrong.
    #[error("the user name or the password is wrong")]
    CustomerNotProved,
    /// The customer that is the reseller itself cannot be deleted and has no password.
    #[error("this customer is the reseller itself")]
    CustomerIsReseller,
    /// A contact of the customer's still stands behind an order or an organization.
    #[error("the customer's contact {0} is still used")]
    CustomerInUse(ContactId),
    /// A customer has more contacts than are deleted with it.
    #[error("the customer has more than {0} contacts")]
    TooManyContacts(usize),
    /// A customer was mailed too many passwords.
    #[error("too many passwords were mailed to this customer")]
    TooManyPasswords,
    /// A search finds more than it gives.
    #[error("the search finds more than it gives")]
    SearchTooWide,
}

/// How many reasons are given at once.
const REASONS: usize = 20;

fn held(holds: &[(ContactId, Hold)]) -> String {
    let given = holds.iter().take(REASONS);
    let mut reasons: Vec<String> = given
        .map(|(contact, hold)| format!("contact {contact}: {hold}"))
        .collect();
    if holds.len() > REASONS {
        reasons.push(format!("and {} contacts more", holds.len() - REASONS));
    }
    reasons.join("; ")
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Self::Busy,
            StoreError::Refused("master_key") => Self::internal(MasterKeyReplaced),
            StoreError::Unavailable(source) => Self::Unavailable {
                is_undone: true,
                source,
            },
            StoreError::Unknown(source) => Self::Unavailable {
                is_undone: false,
                source,
            },
            other => Self::Internal(Box::new(other)),
        }
    }
}

/// The database is sealed under another master key than this process has.
#[derive(Debug, thiserror::Error)]
#[error("the master key was changed since this server started: start it again with the new one")]
struct MasterKeyReplaced;

impl From<VettingError> for AppError {
    fn from(error: VettingError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<OperatorRefusal> for AppError {
    fn from(refusal: OperatorRefusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<TransitionError> for AppError {
    fn from(error: TransitionError) -> Self {
        Self::internal(error)
    }
}

impl AppError {
    /// When it is worth another try while the database is away, in seconds.
    pub const AWAY_SECONDS: u64 = 5;

    /// Wraps a failure of ours.
    pub fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(Box::new(error))
    }

    /// Too many; the next is let through at `until`.
    pub(crate) fn too_many(what: TooMany, now: Timestamp, until: Timestamp) -> Self {
        let micros = until.duration_since(now).as_micros();
        let retry_seconds = u64::try_from(micros).unwrap_or(0).div_ceil(1_000_000);
        Self::TooMany {
            what,
            retry_seconds: retry_seconds.max(1),
        }
    }

    /// The one thing wrong is this field.
    pub fn field(error: FieldError) -> Self {
        Self::Invalid(vec![error])
    }
}
