//! What a first start settles: the mode of the database and, in OTE mode, a reseller, a balance and
//! credentials to begin with.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chancery_app::{AppError, Operations};
use chancery_domain::access::Access;
use chancery_domain::money::{Currency, Money};
use chancery_domain::resellers::{CredentialKind, ResellerId};
use serde::{Deserialize, Serialize};

use crate::config::Mode;
use crate::secrets::write_secret;
use crate::wiring::StartError;

/// Refuses a database that was first started in the other mode. The CA of a test environment must not be
/// trusted, nor its money counted, and its clock may be in the future.
pub(crate) async fn refuse_other_mode(
    mode: Mode,
    operations: &Operations,
) -> Result<(), StartError> {
    let asked = match mode {
        Mode::Ote => "ote",
        Mode::Production => "production",
    };
    let first = operations.first_mode(asked).await?;
    if first == asked {
        return Ok(());
    }
    Err(StartError::Setting(format!(
        "database: it was first started in the mode {first} and cannot serve in the mode {asked}"
    )))
}

/// What OTE mode begins with: a reseller with money to spend, and a credential for each kind of program.
#[derive(Clone)]
pub struct OteAccount {
    /// Whose the credentials are; also the number of the customer that is the reseller itself.
    pub reseller: ResellerId,
    /// For programs that speak the WebNIC dialect.
    pub webnic: OteCredential,
    /// For programs that speak the LogicBoxes dialect.
    pub logicboxes: OteCredential,
}

/// A credential that OTE mode begins with. A test environment's secret: kept readable, for its owner only.
#[derive(Clone, Deserialize, Serialize)]
pub struct OteCredential {
    /// The user name, or the number in the place of one.
    pub username: String,
    /// The secret.
    pub password: String,
}

/// The file in the data folder that keeps a credential, so that every start can show it.
fn file(data: &Path, kind: CredentialKind) -> PathBuf {
    data.join(match kind {
        CredentialKind::Webnic => "ote-credential.json",
        CredentialKind::LogicBoxes => "ote-logicboxes-credential.json",
    })
}

impl OteCredential {
    /// The credential of a kind that is kept in a data folder, if there is one.
    pub fn find(data: &Path, kind: CredentialKind) -> Result<Option<Self>, StartError> {
        let file = file(data, kind);
        match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| {
                StartError::Setting(format!("{} cannot be read: {error}", file.display()))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StartError::File(file, error)),
        }
    }

    /// The same, with whose it is. One that the database does not know belonged to another database on the same
    /// folder, or was revoked.
    async fn find_known(
        data: &Path,
        kind: CredentialKind,
        operations: &Operations,
    ) -> Result<Option<(Self, ResellerId)>, StartError> {
        let Some(found) = Self::find(data, kind)? else {
            return Ok(None);
        };
        let owner = operations.credential_owner(kind, &found.username, &found.password);
        Ok(owner.await?.map(|reseller| (found, reseller)))
    }

    /// A new credential of a reseller, kept in a data folder.
    async fn make(
        data: &Path,
        kind: CredentialKind,
        operations: &Operations,
        reseller: ResellerId,
    ) -> Result<Self, StartError> {
        let made = operations
            .add_credential(reseller, kind, Access::default())
            .await?;
        let credential = Self {
            username: made.username,
            password: made.password,
        };
        let text = serde_json::to_string(&credential).map_err(AppError::internal)?;
        write_secret(&file(data, kind), &text)?;
        Ok(credential)
    }
}

impl OteAccount {
    /// The account whose credentials are kept in a data folder, or a new one, with money to spend.
    pub(crate) async fn find_or_make(
        data: &Path,
        operations: &Operations,
    ) -> Result<Self, StartError> {
        let kind = CredentialKind::Webnic;
        let (webnic, reseller) = match OteCredential::find_known(data, kind, operations).await? {
            Some(known) => known,
            None => {
                let reseller = add_reseller(operations).await?;
                let made = OteCredential::make(data, kind, operations, reseller).await?;
                (made, reseller)
            }
        };
        let kind = CredentialKind::LogicBoxes;
        let known = OteCredential::find_known(data, kind, operations).await?;
        let logicboxes = match known.filter(|(_, owner)| *owner == reseller) {
            Some((found, _)) => found,
            None => OteCredential::make(data, kind, operations, reseller).await?,
        };
        Ok(Self {
            reseller,
            webnic,
            logicboxes,
        })
    }
}

async fn add_reseller(operations: &Operations) -> Result<ResellerId, StartError> {
    let currency = Currency::parse("USD").map_err(AppError::internal)?;
    let reseller = operations.add_reseller("OTE reseller", currency).await?;
    let amount = Money::parse("1000000.00", currency).map_err(AppError::internal)?;
    let note = Some("first start".to_owned());
    operations.credit(reseller.id, amount, note).await?;
    Ok(reseller.id)
}

#[cfg(test)]
mod tests {
    use chancery_app::Clock;
    use chancery_store::{DatabaseUrl, Store, StoreSettings};

    use super::*;

    async fn operations(file: &Path) -> Operations {
        let url = DatabaseUrl::sqlite(file).unwrap();
        let store = Store::open(&url, &StoreSettings::default()).await.unwrap();
        store.migrate().await.unwrap();
        Operations::new(store, Clock::default())
    }

    fn names(account: &OteAccount) -> [&str; 2] {
        [&account.webnic.username, &account.logicboxes.username]
    }

    #[tokio::test]
    async fn another_database_on_the_same_folder_gets_an_account_of_its_own() {
        let data = tempfile::tempdir().unwrap();
        let [one, other] = ["one.db", "other.db"].map(|name| data.path().join(name));
        let (one, other) = (operations(&one).await, operations(&other).await);
        let first = OteAccount::find_or_make(data.path(), &one).await.unwrap();
        let again = OteAccount::find_or_make(data.path(), &one).await.unwrap();
        assert_eq!(names(&first), names(&again));
        assert!(first.logicboxes.username.parse::<u32>().is_ok());

        let second = OteAccount::find_or_make(data.path(), &other).await.unwrap();
        let owner = async |operations: &Operations, kind, credential: &OteCredential| {
            let OteCredential { username, password } = credential;
            let owner = operations.credential_owner(kind, username, password).await;
            owner.unwrap()
        };
        for (kind, credential) in [
            (CredentialKind::Webnic, &second.webnic),
            (CredentialKind::LogicBoxes, &second.logicboxes),
        ] {
            assert_eq!(owner(&other, kind, credential).await, Some(second.reseller));
            assert_eq!(owner(&one, kind, credential).await, None);
            let kept = OteCredential::find(data.path(), kind).unwrap().unwrap();
            assert_eq!(kept.username, credential.username);
        }
        let crossed = owner(&other, CredentialKind::Webnic, &second.logicboxes).await;
        assert_eq!(crossed, None);

        let gone = &second.logicboxes.username;
        other.revoke_credential(gone).await.unwrap();
        let third = OteAccount::find_or_make(data.path(), &other).await.unwrap();
        assert_eq!(third.reseller, second.reseller);
        assert_eq!(third.webnic.username, second.webnic.username);
        assert_ne!(&third.logicboxes.username, gone);
    }

    #[tokio::test]
    async fn a_test_environment_stays_one() {
        let data = tempfile::tempdir().unwrap();
        let operations = operations(&data.path().join("one.db")).await;
        for _ in 0..2 {
            refuse_other_mode(Mode::Ote, &operations).await.unwrap();
        }
        let refused = refuse_other_mode(Mode::Production, &operations).await;
        let said = refused.unwrap_err().to_string();
        assert!(
            said.starts_with("database: ") && said.contains("ote"),
            "{said}"
        );
    }
}
