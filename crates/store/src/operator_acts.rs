//! What operators did: a history, append-only.

use chancery_domain::operators::{ActKind, OperatorAct, OperatorName};
use chancery_domain::resellers::ResellerId;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

impl Change {
    /// Appends a line to the history of what operators did.
    pub fn insert_operator_act(&mut self, act: &OperatorAct) {
        const SQL: &str = "
            insert into operator_acts (id, at, operator, kind, subject, reseller_id, detail)
            values ($1, $2, $3, $4, $5, $6, $7)";
        self.execute(
            SQL,
            values![
                act.id,
                act.at,
                act.operator.as_str(),
                act.kind.as_str(),
                &act.subject,
                act.reseller.map(|reseller| reseller.0),
                act.detail.as_deref(),
            ],
        );
    }
}

impl Store {
    /// The last acts that concern a reseller, or all the last acts, before a line; the newest first.
    pub async fn operator_acts(
        &self,
        reseller: Option<ResellerId>,
        before: Option<i64>,
        most: usize,
    ) -> Result<Vec<OperatorAct>, StoreError> {
        const OF_ONE: &str = "
            select id, at, operator, kind, subject, reseller_id, detail from operator_acts
            where reseller_id = $1 and id < $2 order by id desc limit $3";
        const OF_ALL: &str = "
            select id, at, operator, kind, subject, reseller_id, detail from operator_acts
            where id < $1 order by id desc limit $2";
        let before = before.unwrap_or(i64::MAX);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = match reseller {
            Some(reseller) => self.scan(OF_ONE, values![reseller.0, before, most]).await?,
            None => self.scan(OF_ALL, values![before, most]).await?,
        };
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<OperatorAct, StoreError> {
    Ok(OperatorAct {
        id: row.int(0)?,
        at: row.timestamp(1)?,
        operator: row.parsed(2, OperatorName::restore)?,
        kind: row.parsed(3, ActKind::parse)?,
        subject: row.string(4)?,
        reseller: row.opt_int(5)?.map(ResellerId),
        detail: row.opt_string(6)?,
    })
}
