//! Everything in the database that is sealed under the master key, wherever it is kept, and which key that is.
//!
//! A change set that seals something expects the key it was sealed under to be the one on record. So a process
//! that still has the key of before cannot add to what another one is sealing anew.

use chancery_domain::Timestamp;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::{Row, Value};

/// The fact that names the key.
const KEY: &str = "master_key";

/// The fact that names the key of before and the new one, while not everything is sealed anew.
const ROTATION: &str = "master_key_rotation";

const OTHER_KEY: Failure = Failure::Refused("master_key");

/// Where something sealed is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SealedPlace {
    /// The key of the root.
    RootKey,
    /// The key of the first issuing CA.
    IssuingKey,
    /// The keys of the issuing CAs that followed.
    SuccessorKey,
    /// The secrets in approval mails that wait for an answer.
    Approval,
    /// Passwords that are still to be mailed.
    PasswordMail,
}

/// Something sealed.
#[derive(Clone, Eq, PartialEq)]
pub struct SealedRow {
    /// Where it is.
    pub place: SealedPlace,
    /// The key of its row.
    pub key: Value,
    /// What is sealed.
    pub sealed: Vec<u8>,
}

impl SealedPlace {
    /// All places there are.
    pub const ALL: [Self; 5] = [
        Self::RootKey,
        Self::IssuingKey,
        Self::SuccessorKey,
        Self::Approval,
        Self::PasswordMail,
    ];

    /// A key before all others.
    pub fn first(self) -> Value {
        match self {
            Self::RootKey | Self::IssuingKey | Self::SuccessorKey => Value::Text(String::new()),
            Self::Approval => Value::Bytes(Vec::new()),
            Self::PasswordMail => Value::Int(i64::MIN),
        }
    }

    fn select(self) -> &'static str {
        match self {
            Self::RootKey => {
                "select issuer, root_key from authorities where issuer > $1
                 order by issuer limit $2"
            }
            Self::IssuingKey => {
                "select issuer, issuing_key from authorities where issuer > $1
                 order by issuer limit $2"
            }
            Self::SuccessorKey => {
                "select issuer, key from issuing_cas where issuer > $1 order by issuer limit $2"
            }
            Self::Approval => {
                "select token_hash, sealed_token from approvals
                 where token_hash > $1 and length(sealed_token) > 0 order by token_hash limit $2"
            }
            Self::PasswordMail => {
                "select id, sealed_password from password_mails
                 where id > $1 and length(sealed_password) > 0 order by id limit $2"
            }
        }
    }

    fn update(self) -> &'static str {
        match self {
            Self::RootKey => {
                "update authorities set root_key = $1 where issuer = $2 and root_key = $3"
            }
            Self::IssuingKey => {
                "update authorities set issuing_key = $1 where issuer = $2 and issuing_key = $3"
            }
            Self::SuccessorKey => "update issuing_cas set key = $1 where issuer = $2 and key = $3",
            Self::Approval => {
                "update approvals set sealed_token = $1
                 where token_hash = $2 and sealed_token = $3"
            }
            Self::PasswordMail => {
                "update password_mails set sealed_password = $1
                 where id = $2 and sealed_password = $3"
            }
        }
    }
}

/// What is on record of the master key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MasterKeyRecord {
    /// The id of the key that things are sealed under; `None` before a first start.
    pub id: Option<String>,
    /// The ids of the key of before and of the new one, while not everything is sealed anew.
    pub rotation: Option<(String, String)>,
}

impl Change {
    /// Puts on record which key everything is sealed under; refused as `master_key` if one is on record.
    pub fn name_master_key(&mut self, id: &str) {
        const SQL: &str = "insert into meta (key, value) values ($1, $2)";
        self.expect_one(SQL, values![KEY, id], OTHER_KEY);
    }

    /// Refuses the set as `master_key` where everything is sealed under another key than this by now.
    pub fn expect_master_key(&mut self, id: &str) {
        const SQL: &str = "select 1 from meta where key = $1 and value = $2";
        self.expect_seen(SQL, values![KEY, id], 1, OTHER_KEY);
    }

    /// Puts on record that everything is being sealed under a new key. From then on nothing is sealed under the
    /// key of before.
    pub fn begin_rotation(&mut self, from: &str, to: &str) {
        const NAME: &str = "update meta set value = $1 where key = $2 and value = $3";
        const BEGIN: &str = "insert into meta (key, value) values ($1, $2)";
        self.expect_one(NAME, values![to, KEY, from], OTHER_KEY);
        let both = format!("{from} {to}");
        self.expect_one(BEGIN, values![ROTATION, both], OTHER_KEY);
    }

    /// Puts on record that everything is sealed under the new key.
    pub fn end_rotation(&mut self) {
        const SQL: &str = "delete from meta where key = $1";
        self.expect_one(SQL, values![ROTATION], OTHER_KEY);
    }

    /// Puts something sealed anew in the place of what was read. Where it was wiped or sealed by another
    /// meanwhile, it stays as it is.
    pub fn reseal(&mut self, row: &SealedRow, anew: &[u8]) {
        let values = vec![
            Value::Bytes(anew.to_vec()),
            row.key.clone(),
            Value::Bytes(row.sealed.clone()),
        ];
        self.execute(row.place.update(), values);
    }

    /// Keeps a secret of the platform's own, in the place of the one of that name.
    pub fn put_secret(&mut self, name: &str, sealed: &[u8], now: Timestamp) {
        const SQL: &str = "
            insert into secrets (name, sealed, created_at) values ($1, $2, $3)
            on conflict (name) do update
            set sealed = excluded.sealed, created_at = excluded.created_at";
        self.execute(SQL, values![name, sealed, now]);
    }

    /// Keeps a secret of the platform's own, unless there is one of that name.
    pub fn put_first_secret(&mut self, name: &str, sealed: &[u8], now: Timestamp) {
        const SQL: &str = "
            insert into secrets (name, sealed, created_at) values ($1, $2, $3)
            on conflict (name) do nothing";
        self.execute(SQL, values![name, sealed, now]);
    }
}

impl Store {
    /// What is on record of the master key.
    pub async fn master_key_record(&self) -> Result<MasterKeyRecord, StoreError> {
        let rotation = self.meta(ROTATION).await?;
        let both = rotation.as_deref().and_then(|text| text.split_once(' '));
        Ok(MasterKeyRecord {
            rotation: both.map(|(from, to)| (from.to_owned(), to.to_owned())),
            id: self.meta(KEY).await?,
        })
    }

    /// What is sealed in a place, by the keys of the rows, those after a key.
    pub async fn sealed(
        &self,
        place: SealedPlace,
        after: &Value,
        most: i64,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let values = vec![after.clone(), Value::Int(most)];
        let rows = self.query(place.select(), values).await?;
        let read = |row: &Row| {
            Ok(SealedRow {
                place,
                key: row.values()[0].clone(),
                sealed: row.bytes(1)?.to_vec(),
            })
        };
        rows.iter().map(read).collect()
    }

    /// A secret of the platform's own, sealed.
    pub async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        const SQL: &str = "select sealed from secrets where name = $1";
        let row = self.query_one(SQL, values![name]).await?;
        row.map(|row| row.bytes(0).map(<[u8]>::to_vec)).transpose()
    }
}
