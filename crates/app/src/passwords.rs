//! Customers' passwords: hashed, checked, changed, lent for a while, mailed.
//!
//! What is kept is an Argon2id hash as a PHC string; hashing takes a core and some memory for a while, so hashes
//! take turns, and what can be refused is refused before. Whoever signs in waits for the same work, known or not, so that the time
//! an answer takes tells nothing. A temporary password serves beside the chosen one, until it ends or another is
//! chosen.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::OnceLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use aws_lc_rs::rand;
use chancery_domain::access_trail::AccessOutcome;
use chancery_domain::customers::{
    Customer, CustomerEventKind, CustomerField, CustomerId, Username,
};
use chancery_domain::fields::{Field, FieldError};
use chancery_domain::passwords::Password;
use chancery_domain::resellers::{Reseller, ResellerId};
use chancery_domain::{SignedDuration, Timestamp};
use chancery_outside::mail::Mail;
use chancery_store::customers::PasswordHashes;
use chancery_store::password_mails::PasswordMail;
use chancery_store::{Change, StoreError};

use crate::challenges::random_hex;
use crate::jobs::{self, Task};
use crate::{App, AppError, Refusal, TooMany};

/// How long a temporary password serves.
const TEMPORARY: SignedDuration = SignedDuration::from_hours(72);

/// How many passwords may be mailed to a customer in a day.
const MAILS_A_DAY: i64 = 5;

/// The letters of a temporary password: none that is taken for another. 32 of them, so that each is five bits.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// How many letters a temporary password has: 80 bits, for three days.
const LENGTH: usize = 16;

/// The address that stands for all.
const ANYWHERE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// For what a password that waits to be mailed is sealed.
pub(crate) const PASSWORD_CONTEXT: &str = "password mail";

/// The work of an attempt: as OWASP's cheat sheet on password storage has it (19 MiB, two passes, one lane).
fn hasher() -> Argon2<'static> {
    Argon2::default()
}

/// Hashes a password with a salt of its own.
fn hash(password: &Password) -> Result<String, AppError> {
    let mut salt = [0_u8; 16];
    rand::fill(&mut salt).map_err(|_| AppError::internal(HashFailed))?;
    let hash: Result<PasswordHash, _> =
        hasher().hash_password_with_salt(password.text().as_bytes(), &salt);
    // The library's errors could quote what they are about.
    let hash = hash.map_err(|_| AppError::internal(HashFailed))?;
    Ok(hash.to_string())
}

/// A password was not hashed.
#[derive(Debug, thiserror::Error)]
#[error("a password could not be hashed")]
struct HashFailed;

/// Whether a password is one of those behind two hashes, in the time that two comparisons take.
fn is_one_of(password: &Password, hashes: &PasswordHashes) -> Result<bool, AppError> {
    /// The hash of what nobody knows, to be compared with where there is no hash.
    static NOBODYS: OnceLock<String> = OnceLock::new();
    let nobodys = match NOBODYS.get() {
        Some(hash) => hash,
        None => {
            let made = hash(&Password::new(random_hex::<16>()))?;
            NOBODYS.get_or_init(|| made)
        }
    };
    let mut is_right = false;
    for held in [&hashes.chosen, &hashes.temporary] {
        let text = held.as_deref().unwrap_or(nobodys);
        let verified = hasher().verify_password(password.text().as_bytes(), text);
        is_right |= verified.is_ok() && held.is_some();
    }
    Ok(is_right)
}

/// A password that nobody chose.
fn temporary_password() -> Result<Password, AppError> {
    let mut bytes = [0_u8; LENGTH];
    rand::fill(&mut bytes).map_err(|_| AppError::internal(HashFailed))?;
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    Ok(Password::new(bytes.iter().map(letter).collect::<String>()))
}

/// What is wrong with a password that was chosen.
pub(crate) fn password_fault(password: Option<&Password>) -> Option<FieldError> {
    let field = Field::CustomerPart(CustomerField::Password);
    match password {
        None => Some(FieldError::missing(field)),
        Some(password) => {
            let problem = password.problem()?;
            Some(FieldError { field, problem })
        }
    }
}

impl App {
    /// Hashes a password, off the async runtime.
    pub(crate) async fn hash_password(
        &self,
        reseller: ResellerId,
        password: &Password,
    ) -> Result<String, AppError> {
        let password = password.clone();
        self.compute_hash(reseller, move || hash(&password)).await?
    }

    /// The hash of a password, made the first time it is asked for.
    async fn hash_once<'a>(
        &self,
        reseller: ResellerId,
        hashed: &'a mut Option<String>,
        password: &Password,
    ) -> Result<&'a String, AppError> {
        match hashed {
            Some(hash) => Ok(hash),
            None => Ok(hashed.insert(self.hash_password(reseller, password).await?)),
        }
    }

    /// The reseller's customer who signs in so. Whether the name or the password is wrong is not told; who is
    /// wrong too often from one address waits; so does who is very often from many.
    pub(crate) async fn prove_customer(
        &self,
        reseller: &Reseller,
        username: &str,
        password: &Password,
        address: IpAddr,
    ) -> Result<Customer, AppError> {
        let now = self.clock.now();
        let username = Username::parse(username);
        let name = username.as_ref().map_or("", Username::as_str);
        let key = format!("customer {} {name}", reseller.id);
        let failures = [
            (&self.0.failed_customers, address),
            (&self.0.failed_anywhere, ANYWHERE),
        ];
        let held = failures.map(|(failures, address)| failures.held_until(&key, address, now));
        let note = |outcome, customer| {
            self.note_customer_access(outcome, name, address, reseller.id, customer);
        };
        if let Some(until) = held.into_iter().flatten().max() {
            note(AccessOutcome::Held, None);
            return Err(AppError::too_many(TooMany::FailedSignIns, now, until));
        }
        let found = match &username {
            Some(username) => {
                self.store
                    .customer_of_username(reseller.id, username)
                    .await?
            }
            None => None,
        };
        let hashes = match &found {
            Some(customer) => self.store.password_hashes(customer.id, now).await?,
            None => PasswordHashes::default(),
        };
        let is_right = match password.is_too_long() {
            true => false,
            false => {
                let password = password.clone();
                self.compute_hash(reseller.id, move || is_one_of(&password, &hashes))
                    .await??
            }
        };
        let outcome = match (&found, is_right) {
            (Some(_), true) => AccessOutcome::SignedIn,
            (Some(_), false) => AccessOutcome::WrongSecret,
            (None, _) => AccessOutcome::UnknownUsername,
        };
        note(outcome, found.as_ref().map(|customer| customer.id));
        match found.filter(|_| is_right) {
            Some(customer) => Ok(customer),
            None => {
                for (failures, address) in failures {
                    failures.count(&key, address, now);
                }
                Err(Refusal::CustomerNotProved.into())
            }
        }
    }

    /// Gives a customer another password. Temporary ones and tokens end.
    pub async fn change_password(
        &self,
        reseller: &Reseller,
        id: CustomerId,
        password: Password,
    ) -> Result<(), AppError> {
        let mut hashed = None;
        for _ in 0..jobs::CONFLICT_TRIES {
            let customer = self.customer_with_password(reseller, id).await?;
            if let Some(fault) = password_fault(Some(&password)) {
                return Err(AppError::field(fault));
            }
            let hash = self.hash_once(reseller.id, &mut hashed, &password).await?;
            let now = self.clock.now();
            let mut change = Change::new();
            change.set_password(&customer, hash, now);
            change.end_customer_tokens(id);
            change.void_password_mails(id);
            let kind = CustomerEventKind::PasswordChanged;
            self.note_customer(&mut change, id, kind, None).await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                other => return other.map(drop).map_err(AppError::from),
            }
        }
        Err(AppError::Busy)
    }

    /// Gives a customer a password for three days, and tells it.
    pub async fn lend_password(
        &self,
        reseller: &Reseller,
        id: CustomerId,
    ) -> Result<Password, AppError> {
        let password = temporary_password()?;
        let mut hashed = None;
        for _ in 0..jobs::CONFLICT_TRIES {
            let customer = self.customer_with_password(reseller, id).await?;
            let hash = self.hash_once(reseller.id, &mut hashed, &password).await?;
            let until = self.clock.now() + TEMPORARY;
            let change = self.lend(&customer, hash, until).await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => return Ok(password),
            }
        }
        Err(AppError::Busy)
    }

    /// Mails a customer a password for three days, by its user name. Nobody else gets to see it.
    pub async fn mail_password(&self, reseller: &Reseller, username: &str) -> Result<(), AppError> {
        let password = temporary_password()?;
        let id = self.customer_of_username(reseller, username).await?.id;
        let mut hashed = None;
        for _ in 0..jobs::CONFLICT_TRIES {
            let customer = self.customer_with_password(reseller, id).await?;
            let now = self.clock.now();
            let day_ago = now - SignedDuration::from_hours(24);
            if self.store.password_mails_since(id, day_ago).await? >= MAILS_A_DAY {
                return Err(Refusal::TooManyPasswords.into());
            }
            let hash = self.hash_once(reseller.id, &mut hashed, &password).await?;
            let until = now + TEMPORARY;
            let mut change = self.lend(&customer, hash, until).await?;
            let sealed = self
                .master_key
                .seal(PASSWORD_CONTEXT, password.text().as_bytes())
                .map_err(AppError::internal)?;
            let mail = PasswordMail {
                id: self.row_id().await?,
                customer: id,
                sealed_password: sealed,
                message_id: format!("{}@chancery", random_hex::<12>()),
                created_at: now,
                expires_at: until,
            };
            change.expect_master_key(&self.master_key_id);
            change.insert_password_mail(&mail);
            let task = Task::MailPassword(mail.id);
            self.enqueue(&mut change, task, customer.reseller, now)
                .await?;
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

    /// The change that gives a customer a temporary password. One that waits to be mailed ends with it.
    async fn lend(
        &self,
        customer: &Customer,
        hash: &str,
        until: Timestamp,
    ) -> Result<Change, AppError> {
        let mut change = Change::new();
        change.set_temporary_password(customer, hash, until);
        change.void_password_mails(customer.id);
        let kind = CustomerEventKind::TemporaryPasswordMade;
        self.note_customer(&mut change, customer.id, kind, None)
            .await?;
        Ok(change)
    }

    /// A customer that can have a password, which the one that is the reseller cannot.
    async fn customer_with_password(
        &self,
        reseller: &Reseller,
        id: CustomerId,
    ) -> Result<Customer, AppError> {
        let customer = self.living_customer(reseller, id).await?;
        match customer.is_reseller() {
            true => Err(Refusal::CustomerIsReseller.into()),
            false => Ok(customer),
        }
    }

    /// The message with a temporary password; the same each time.
    pub(crate) async fn password_letter(
        &self,
        mail: &PasswordMail,
        customer: &Customer,
    ) -> Result<Option<Mail>, AppError> {
        let Some(profile) = &customer.profile else {
            return Ok(None);
        };
        let reseller = self.store.reseller(customer.reseller).await?;
        let reseller = reseller.map(|reseller| reseller.name).unwrap_or_default();
        let password = self
            .master_key
            .open(PASSWORD_CONTEXT, &mail.sealed_password);
        let password = password.map_err(AppError::internal)?;
        let password = std::str::from_utf8(&password).map_err(AppError::internal)?;
        let text = format!(
            "A password was asked for, for the customer {} of {reseller}.\n\n\
             This one serves until {}:\n\n\
             {password}\n\n\
             Sign in with it, then choose another. Your old password goes on serving until\n\
             you do. If you did not ask for this, do nothing.\n",
            profile.username.as_str(),
            mail.expires_at.strftime("%Y-%m-%d %H:%M UTC"),
        );
        Ok(Some(Mail {
            to: vec![profile.details.email.clone()],
            subject: "Your temporary password".to_owned(),
            text,
            message_id: mail.message_id.clone(),
            date: mail.created_at,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passwords_behind_a_hash_are_right() {
        let [chosen, lent, other] = ["chosen one", "lent one", "other one"].map(Password::new);
        let hashes = PasswordHashes {
            chosen: Some(hash(&chosen).unwrap()),
            temporary: Some(hash(&lent).unwrap()),
        };
        assert!(is_one_of(&chosen, &hashes).unwrap());
        assert!(is_one_of(&lent, &hashes).unwrap());
        assert!(!is_one_of(&other, &hashes).unwrap());
        assert!(!is_one_of(&other, &PasswordHashes::default()).unwrap());
        let text = hashes.chosen.unwrap();
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        assert_ne!(text, hash(&chosen).unwrap());
    }

    #[test]
    fn temporary_passwords_are_long_and_differ() {
        let [one, other] = [(); 2].map(|()| temporary_password().unwrap());
        assert_eq!(one.text().len(), LENGTH);
        assert!(one.problem().is_none() && one != other);
    }
}
