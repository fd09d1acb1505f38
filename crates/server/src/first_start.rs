//! What OTE mode prepares at its first start: a reseller, a balance and a credential to begin with.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use chancery_app::{AppError, Operations};
use chancery_domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};

use crate::secrets::write_secret;
use crate::wiring::StartError;

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

    /// The credential kept in a data folder, or a new one, of a new reseller with money to spend.
    pub(crate) async fn find_or_make(
        data: &Path,
        operations: &Operations,
    ) -> Result<Self, StartError> {
        if let Some(found) = Self::find(data)? {
            return Ok(found);
        }
        let currency = Currency::parse("USD").map_err(AppError::internal)?;
        let reseller = operations.add_reseller("OTE reseller", currency).await?;
        let amount = Money::parse("1000000.00", currency).map_err(AppError::internal)?;
        operations
            .credit(reseller.id, amount, Some("first start".to_owned()))
            .await?;
        let made = operations.add_credential(reseller.id).await?;
        let credential = Self {
            username: made.username,
            password: made.password,
        };
        let text = serde_json::to_string(&credential).map_err(AppError::internal)?;
        write_secret(&data.join(FILE), &text)?;
        Ok(credential)
    }
}
