//! What a first start settles: the mode of the database and, in OTE mode, a reseller, a balance and a
//! credential to begin with.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use chancery_app::{AppError, Operations};
use chancery_domain::access::Access;
use chancery_domain::money::{Currency, Money};
use chancery_domain::resellers::CredentialKind;
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

/// The file in the data folder that keeps the credential, so that every start can show it.
const FILE: &str = "ote-credential.json";

/// The credential that OTE mode begins with. A test environment's secret: kept readable, for its owner only.
#[derive(Clone, Deserialize, Serialize)]
pub struct OteCredential {
    /// The user name.
    pub username: String,
    /// The secret.
    pub password: String,
}

impl OteCredential {
    /// The credential kept in a data folder, if there is one.
    pub fn find(data: &Path) -> Result<Option<Self>, StartError> {
        let file = data.join(FILE);
        match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| {
                StartError::Setting(format!("{} cannot be read: {error}", file.display()))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StartError::File(file, error)),
        }
    }

    /// The credential kept in a data folder, or a new one, of a new reseller with money to spend. One that
    /// the database does not know belonged to another database on the same folder, or was revoked.
    pub(crate) async fn find_or_make(
        data: &Path,
        operations: &Operations,
    ) -> Result<Self, StartError> {
        if let Some(found) = Self::find(data)?
            && operations
                .knows_credential(&found.username, &found.password)
                .await?
        {
            return Ok(found);
        }
        let currency = Currency::parse("USD").map_err(AppError::internal)?;
        let reseller = operations.add_reseller("OTE reseller", currency).await?;
        let amount = Money::parse("1000000.00", currency).map_err(AppError::internal)?;
        operations
            .credit(reseller.id, amount, Some("first start".to_owned()))
            .await?;
        let made = operations
            .add_credential(reseller.id, CredentialKind::Webnic, Access::default())
            .await?;
        let credential = Self {
            username: made.username,
            password: made.password,
        };
        let text = serde_json::to_string(&credential).map_err(AppError::internal)?;
        write_secret(&data.join(FILE), &text)?;
        Ok(credential)
    }
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

    #[tokio::test]
    async fn another_database_on_the_same_folder_gets_a_credential_of_its_own() {
        let data = tempfile::tempdir().unwrap();
        let [one, other] = ["one.db", "other.db"].map(|name| data.path().join(name));
        let (one, other) = (operations(&one).await, operations(&other).await);
        let first = OteCredential::find_or_make(data.path(), &one)
            .await
            .unwrap();
        let again = OteCredential::find_or_make(data.path(), &one)
            .await
            .unwrap();
        assert_eq!(first.username, again.username);

        let second = OteCredential::find_or_make(data.path(), &other)
            .await
            .unwrap();
        let known = |operations, credential: &OteCredential| {
            let OteCredential { username, password } = credential.clone();
            async move {
                let operations: &Operations = operations;
                operations
                    .knows_credential(&username, &password)
                    .await
                    .unwrap()
            }
        };
        assert!(known(&other, &second).await && !known(&one, &second).await);
        let kept = OteCredential::find(data.path()).unwrap().unwrap();
        assert_eq!(kept.username, second.username);

        other.revoke_credential(&second.username).await.unwrap();
        assert!(!known(&other, &second).await);
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
