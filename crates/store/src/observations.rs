//! Observations: every look at the world, kept.

use chancery_domain::authorizations::Method;
use chancery_domain::names::DomainName;
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::validations::ValidationId;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

impl Change {
    /// Keeps a look.
    pub fn insert_observation(
        &mut self,
        id: i64,
        run: impl Into<ValidationId>,
        look: &Observation,
    ) {
        const SQL: &str = "
            insert into observations (id, issuance_id, name, method, at, asked, of_whom, found,
                outcome, advice, proved_domain)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        self.execute(
            SQL,
            values![
                id,
                run.into().0,
                look.name.as_str(),
                look.method.as_str(),
                look.at,
                &look.asked,
                &look.of,
                &look.found,
                look.outcome.as_str(),
                &look.advice,
                look.proved_domain.as_ref().map(DomainName::as_str),
            ],
        );
    }
}

impl Store {
    /// The latest look for each name of a run.
    pub async fn latest_observations(
        &self,
        run: impl Into<ValidationId>,
    ) -> Result<Vec<Observation>, StoreError> {
        const SQL: &str = "
            select name, method, at, asked, of_whom, found, outcome, advice, proved_domain
            from observations
            where issuance_id = $1 and (name, at) in (
                select name, max(at) from observations where issuance_id = $1 group by name)
            order by at, id";
        let rows = self.query(SQL, values![run.into().0]).await?;
        rows.iter().map(read).collect()
    }

    /// The looks of a run, the latest first.
    pub async fn observations(
        &self,
        run: impl Into<ValidationId>,
        limit: i64,
    ) -> Result<Vec<Observation>, StoreError> {
        const SQL: &str = "
            select name, method, at, asked, of_whom, found, outcome, advice, proved_domain
            from observations where issuance_id = $1 order by at desc, id desc limit $2";
        let rows = self.query(SQL, values![run.into().0, limit]).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<Observation, StoreError> {
    Ok(Observation {
        name: row.domain_name(0)?,
        method: row.parsed(1, Method::parse)?,
        at: row.timestamp(2)?,
        asked: row.string(3)?,
        of: row.string(4)?,
        found: row.string(5)?,
        outcome: row.parsed(6, Outcome::parse)?,
        advice: row.string(7)?,
        proved_domain: row.opt_text(8)?.map(|_| row.domain_name(8)).transpose()?,
    })
}
