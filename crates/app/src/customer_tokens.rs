//! Tokens by which one program of a reseller's shows another who its user is: for a password, or on the
//! reseller's own word. They serve for two minutes, as often as they are shown.

use std::net::IpAddr;

use aws_lc_rs::rand;
use chancery_domain::SignedDuration;
use chancery_domain::customers::{Customer, CustomerId};
use chancery_domain::passwords::Password;
use chancery_domain::resellers::Reseller;
use chancery_store::customer_tokens::CustomerToken;
use chancery_store::{Change, StoreError};

use crate::jobs::CONFLICT_TRIES;
use crate::sign_in::secret_hash;
use crate::{App, AppError, Noun};

/// The life of a token.
const LIFE: SignedDuration = SignedDuration::from_secs(120);

impl App {
    /// Trades a customer's user name and password for a token. Where its user is, the program says that asks.
    pub async fn token_for_password(
        &self,
        reseller: &Reseller,
        username: &str,
        password: &Password,
        address: IpAddr,
    ) -> Result<String, AppError> {
        for _ in 0..CONFLICT_TRIES {
            let customer = self
                .prove_customer(reseller, username, password, address)
                .await?;
            if let Some(token) = self.token(&customer, address).await? {
                return Ok(token);
            }
        }
        Err(AppError::Busy)
    }

    /// Makes a token for a customer.
    pub async fn token_for_customer(
        &self,
        reseller: &Reseller,
        id: CustomerId,
        address: IpAddr,
    ) -> Result<String, AppError> {
        for _ in 0..CONFLICT_TRIES {
            let customer = self.living_customer(reseller, id).await?;
            if let Some(token) = self.token(&customer, address).await? {
                return Ok(token);
            }
        }
        Err(AppError::Busy)
    }

    /// The reseller's customer whose token this is.
    pub async fn customer_of_token(
        &self,
        reseller: &Reseller,
        token: &str,
    ) -> Result<Customer, AppError> {
        let hash = secret_hash(&token.to_ascii_lowercase());
        let found = self
            .store
            .customer_of_token(reseller.id, hash, self.clock.now())
            .await?;
        found.ok_or_else(|| AppError::NotFound {
            what: Noun::Token,
            id: String::new(),
        })
    }

    /// A token for a customer, unless that has changed since it was read: its password may be another now.
    async fn token(
        &self,
        customer: &Customer,
        address: IpAddr,
    ) -> Result<Option<String>, AppError> {
        let mut octets = [0_u8; 16];
        rand::fill(&mut octets).map_err(AppError::internal)?;
        let token = uuid(octets);
        let now = self.clock.now();
        let mut change = Change::new();
        change.expect_customer_as_read(customer);
        change.insert_customer_token(&CustomerToken {
            hash: secret_hash(&token),
            customer: customer.id,
            address: address.to_canonical().to_string(),
            created_at: now,
            expires_at: now + LIFE,
        });
        match self.store.commit(change).await {
            Ok(_) => Ok(Some(token)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }
}

/// The random UUID of these octets (RFC 9562 §5.4).
fn uuid(mut octets: [u8; 16]) -> String {
    octets[6] = octets[6] & 0x0f | 0x40;
    octets[8] = octets[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(octets);
    let part = |from_right: u32, digits: u32| {
        let mask = (1_u128 << (digits * 4)) - 1;
        format!(
            "{:0width$x}",
            number >> (from_right * 4) & mask,
            width = digits as usize
        )
    };
    [
        part(24, 8),
        part(20, 4),
        part(16, 4),
        part(12, 4),
        part(0, 12),
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_say_that_they_are_random() {
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid([255; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let counted: [u8; 16] = std::array::from_fn(|at| at as u8 * 17);
        assert_eq!(uuid(counted), "00112233-4455-4677-8899-aabbccddeeff");
    }
}
