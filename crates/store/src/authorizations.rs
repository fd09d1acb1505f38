//! Authorizations: names proved, kept to be used again.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{Authorization, Method};
use chancery_domain::issuances::IssuanceId;
use chancery_domain::names::DomainName;
use chancery_domain::resellers::ResellerId;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

impl Change {
    /// Keeps a proof, found for an issuance.
    pub fn insert_authorization(
        &mut self,
        id: i64,
        reseller: ResellerId,
        issuance: IssuanceId,
        proved: &Authorization,
    ) {
        const SQL: &str = "
            insert into authorizations (id, reseller_id, issuance_id, domain, base_domain, method,
                obtained_at)
            values ($1, $2, $3, $4, $5, $6, $7)";
        let domain = &proved.domain;
        let base = domain.base_domain().unwrap_or_else(|| domain.clone());
        self.execute(
            SQL,
            values![
                id,
                reseller.0,
                issuance.0,
                domain.as_str(),
                base.as_str(),
                proved.method.as_str(),
                proved.obtained_at,
            ],
        );
    }
}

impl Store {
    /// What a reseller has proved about a base domain since a moment: each domain and method once, at its
    /// latest. A thousand at most; what covers more than its own name comes first, then the latest.
    pub async fn authorizations(
        &self,
        reseller: ResellerId,
        base_domain: &DomainName,
        since: Timestamp,
    ) -> Result<Vec<Authorization>, StoreError> {
        const SQL: &str = "
            select domain, method, max(obtained_at) from authorizations
            where reseller_id = $1 and base_domain = $2 and obtained_at >= $3
            group by domain, method
            order by case method when 'file' then 1 else 0 end, max(obtained_at) desc limit 1000";
        let rows = self
            .query(SQL, values![reseller.0, base_domain.as_str(), since])
            .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<Authorization, StoreError> {
    Ok(Authorization {
        domain: row.domain_name(0)?,
        method: row.parsed(1, Method::parse)?,
        obtained_at: row.timestamp(2)?,
    })
}
