//! The trail of who signed in and who was turned away, and when each credential was last used.

use chancery_domain::Timestamp;
use chancery_domain::access_trail::{AccessKey, AccessLine, AccessOutcome};
use chancery_domain::resellers::ResellerId;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// When and from where a credential was last used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialUse {
    /// The credential.
    pub username: String,
    /// When.
    pub used_at: Timestamp,
    /// From where.
    pub address: String,
}

/// Which lines of the trail are wanted; a part that is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct AccessFilter {
    /// Of this reseller's credentials.
    pub reseller: Option<ResellerId>,
    /// Of this user name.
    pub username: Option<String>,
    /// From this address, as the trail tells it.
    pub address: Option<String>,
    /// That ended so.
    pub outcome: Option<AccessOutcome>,
    /// Refusals only.
    pub only_refusals: bool,
    /// In periods that began then or later.
    pub since: Option<Timestamp>,
    /// In periods that began before.
    pub before: Option<Timestamp>,
}

impl Change {
    /// Adds a line to the trail, or to the count of the one that is there.
    pub fn add_access(&mut self, line: &AccessLine) {
        const SQL: &str = "
            insert into access_trail (period, outcome, username, address, reseller_id, times, last_at)
            values ($1, $2, $3, $4, $5, $6, $7)
            on conflict (period, outcome, username, address) do update
            set times = access_trail.times + excluded.times,
                last_at = case when excluded.last_at > access_trail.last_at
                    then excluded.last_at else access_trail.last_at end";
        let key = &line.key;
        self.execute(
            SQL,
            values![
                key.period,
                key.outcome.as_str(),
                &key.username,
                &key.address,
                line.reseller.map(|reseller| reseller.0),
                line.times,
                line.last_at,
            ],
        );
    }

    /// Forgets who signed in by a user name of a reseller's customer, or was turned away.
    pub fn forget_access(&mut self, reseller: ResellerId, username: &str) {
        const SQL: &str = "delete from access_trail where reseller_id = $1 and username = $2";
        self.execute(SQL, values![reseller.0, username]);
    }

    /// Notes that a credential was used, unless a later use is on record.
    pub fn note_use(&mut self, used: &CredentialUse) {
        const SQL: &str = "
            insert into credential_uses (username, used_at, address) values ($1, $2, $3)
            on conflict (username) do update
            set used_at = excluded.used_at, address = excluded.address
            where excluded.used_at > credential_uses.used_at";
        self.execute(SQL, values![&used.username, used.used_at, &used.address]);
    }
}

impl Store {
    /// Lines of the trail, those of the last periods first.
    pub async fn access_trail(
        &self,
        filter: &AccessFilter,
        most: i64,
    ) -> Result<Vec<AccessLine>, StoreError> {
        const SQL: &str = "
            select period, outcome, username, address, reseller_id, times, last_at from access_trail
            where period >= $1 and period < $2
                and (cast($3 as bigint) = 0 or reseller_id = $3)
                and (cast($4 as text) = '' or username = $4)
                and (cast($5 as text) = '' or address = $5)
                and (cast($6 as text) = '' or outcome = $6)
                and (cast($7 as bigint) = 0 or outcome <> 'signed_in')
            order by period desc, last_at desc, username, address limit $8";
        let micros = |moment: Option<Timestamp>, otherwise| {
            moment.map_or(otherwise, Timestamp::as_microsecond)
        };
        let rows = self
            .scan(
                SQL,
                values![
                    micros(filter.since, i64::MIN),
                    micros(filter.before, i64::MAX),
                    filter.reseller.map_or(0, |reseller| reseller.0),
                    filter.username.as_deref().unwrap_or_default(),
                    filter.address.as_deref().unwrap_or_default(),
                    filter.outcome.map_or("", AccessOutcome::as_str),
                    filter.only_refusals,
                    most,
                ],
            )
            .await?;
        rows.iter().map(read).collect()
    }

    /// When a reseller's credentials were last used, of those that were.
    pub async fn credential_uses(
        &self,
        reseller: ResellerId,
    ) -> Result<Vec<CredentialUse>, StoreError> {
        const SQL: &str = "
            select u.username, u.used_at, u.address
            from credential_uses u join credentials c on c.username = u.username
            where c.reseller_id = $1";
        let rows = self.query(SQL, values![reseller.0]).await?;
        let read = |row: &Row| {
            Ok(CredentialUse {
                username: row.string(0)?,
                used_at: row.timestamp(1)?,
                address: row.string(2)?,
            })
        };
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<AccessLine, StoreError> {
    Ok(AccessLine {
        key: AccessKey {
            period: row.timestamp(0)?,
            outcome: row.parsed(1, AccessOutcome::parse)?,
            username: row.string(2)?,
            address: row.string(3)?,
        },
        reseller: row.opt_int(4)?.map(ResellerId),
        times: row.int(5)?,
        last_at: row.timestamp(6)?,
    })
}
