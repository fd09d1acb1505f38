//! Sets of orders that searches are narrowed to, by what no index of orders has beside their place in the list: any of
//! their names, their administrator, the end of their certificate, their numbers.
//!
//! Each set is of at most [`LOOKED_AT_MOST`] orders and says whether that is all. A search holds the orders that are in
//! all of its sets against the rest of its conditions.

use std::collections::BTreeSet;

use crate::errors::StoreError;
use crate::lists::{ByList, by_list};
use crate::name_index::Names;
use crate::name_searches::NamePart;
use crate::order_places::Span;
use crate::order_searches::{LOOKED_AT_MOST, Search};
use crate::organizations::TextFilter;
use crate::store::Engine;
use crate::values;
use crate::values::Row;

/// How many further names, and how many contacts, of a reseller's a search for a part of a text looks through, the
/// newest first.
const LOOKED_THROUGH_MOST: i64 = 1 << 17;

/// Some ordinals, and whether these are all.
type Set = (BTreeSet<i64>, bool);

impl Search<'_> {
    /// The newest orders that are in every set and wanted otherwise, and whether these are all.
    pub(crate) async fn by_sets(
        &self,
        names: Names,
        span: Span,
    ) -> Result<(Vec<i64>, bool), StoreError> {
        let mut sets: Vec<Set> = Vec::new();
        let filter = self.filter;
        if let Some(ids) = &filter.ids {
            let ids = ids.iter().map(|id| id.0);
            sets.push(self.of_ids(ids).await?);
        }
        if let Some(TextFilter::Contains(text)) = &filter.common_name
            && !text.is_ascii()
        {
            sets.push(self.of_common_names(names, span, text).await?);
        }
        if let Some(name) = &filter.any_name {
            sets.push(self.of_any_name(names, span, name).await?);
        }
        for (member, text) in [("email", &filter.email), ("company", &filter.company)] {
            if let Some(text) = text {
                sets.push(self.of_administrators(member, text).await?);
            }
        }
        if filter.certificate_ends_from.is_some() || filter.certificate_ends_before.is_some() {
            sets.push(self.of_certificate_ends().await?);
        }
        let is_complete = sets.iter().all(|(_, is_complete)| *is_complete);
        let common = sets.into_iter().map(|(set, _)| set);
        let common = common.reduce(|one, other| one.intersection(&other).copied().collect());
        let common = common.unwrap_or_default();
        let wanted = self.wanted_of(span, common.into_iter().rev()).await?;
        Ok((wanted, is_complete))
    }

    async fn of_ids(&self, ids: impl Iterator<Item = i64>) -> Result<Set, StoreError> {
        const SQL: ByList = by_list!(
            ["select ordinal from orders where reseller_id + 0 = $1 and id"],
            "$2",
            ""
        );
        let (sql, list) = SQL.with(self.store, ids);
        let values = values![self.reseller.0, list];
        set(&self.store.scan(sql, values).await?)
    }

    async fn of_common_names(
        &self,
        names: Names,
        span: Span,
        text: &str,
    ) -> Result<Set, StoreError> {
        let found = self
            .store
            .names_with(self.reseller, names, text, span)
            .await?;
        Ok((found.ordinals.into_iter().collect(), found.is_complete))
    }

    /// Orders with a name, or a part of one, among all of theirs.
    async fn of_any_name(
        &self,
        names: Names,
        span: Span,
        name: &TextFilter,
    ) -> Result<Set, StoreError> {
        const EQUAL: &str = "
            select ordinal from orders where reseller_id = $1 and common_name = $2
            union
            select n.ordinal from order_names n
            join orders o on o.reseller_id = n.reseller_id and o.ordinal = n.ordinal
            where n.reseller_id = $1 and n.name = $2
                and (replace(o.names, $3, '') <> o.names or o.companion = $2)
            order by ordinal desc limit $4";
        match name {
            TextFilter::Equal(text) => {
                let listed = format!("\"{text}\"");
                let values = values![self.reseller.0, text.as_str(), listed, LOOKED_AT_MOST + 1];
                set(&self.store.scan(EQUAL, values).await?)
            }
            TextFilter::Contains(text) => {
                let (mut found, is_complete) = self.of_common_names(names, span, text).await?;
                let (further, are_all) = self.of_further_names(NamePart(text)).await?;
                found.extend(further);
                Ok((found, is_complete && are_all))
            }
        }
    }

    /// Orders whose further names have a text: as long as the newest of these names last.
    async fn of_further_names(&self, text: NamePart<'_>) -> Result<Set, StoreError> {
        const SQL: &str = "
            select n.ordinal, n.name, o.names, coalesce(o.companion, '')
            from (select reseller_id, ordinal, name from order_names where reseller_id = $1
                order by ordinal desc limit $2) n
            join orders o on o.reseller_id = n.reseller_id and o.ordinal = n.ordinal
            where n.name like $3 escape '!' order by n.ordinal desc limit $4";
        const COUNT: &str = "
            select count(*) from (select 1 from order_names where reseller_id = $1 limit $2) as counted";
        let values = values![
            self.reseller.0,
            LOOKED_THROUGH_MOST,
            text.pattern(),
            LOOKED_AT_MOST + 1,
        ];
        let rows = self.store.scan(SQL, values).await?;
        let mut found = BTreeSet::new();
        for row in &rows {
            let name = row.text(1)?;
            let is_there = row.text(2)?.contains(&format!("\"{name}\"")) || row.text(3)? == name;
            if is_there && text.is_in(name) {
                found.insert(row.int(0)?);
            }
        }
        let values = values![self.reseller.0, LOOKED_THROUGH_MOST + 1];
        let counted = self.store.query_one(COUNT, values).await?;
        let counted = counted.map_or(Ok(0), |row| row.int(0))?;
        let is_complete = rows.len() as i64 <= LOOKED_AT_MOST && counted <= LOOKED_THROUGH_MOST;
        Ok((found, is_complete))
    }

    /// Orders whose administrator has a text in a member of its details: as long as the newest contacts last.
    async fn of_administrators(
        &self,
        member: &'static str,
        text: &TextFilter,
    ) -> Result<Set, StoreError> {
        // Names of members are spelled in the JSON of each engine; texts are compared in lower case by both, as far as
        // ASCII goes, and by us beyond.
        const CONTACTS: [&str; 2] = [
            "select id, json_extract(details, '$.' || cast($2 as text)) from (
                select id, details from contacts where reseller_id = $1 and erased_at is null
                order by id desc limit $3) as newest",
            "select id, cast(details as json) ->> cast($2 as text) from (
                select id, details from contacts where reseller_id = $1 and erased_at is null
                order by id desc limit $3) as newest",
        ];
        const ORDERS: ByList = by_list!(
            ["select ordinal from orders where reseller_id = $1 and administrator_id"],
            "$2",
            " order by ordinal desc limit $3"
        );
        let [sqlite, postgres] = CONTACTS;
        let sql = match self.store.engine() {
            Engine::Sqlite => sqlite,
            Engine::Postgres => postgres,
        };
        let values = values![self.reseller.0, member, LOOKED_THROUGH_MOST + 1];
        let rows = self.store.scan(sql, values).await?;
        let mut contacts = Vec::new();
        for row in &rows {
            let told = row.opt_text(1)?.unwrap_or_default().to_lowercase();
            let is_meant = match text {
                TextFilter::Equal(text) => told.trim() == text,
                TextFilter::Contains(text) => told.contains(text.as_str()),
            };
            if is_meant {
                contacts.push(row.int(0)?);
            }
        }
        let are_all = rows.len() as i64 <= LOOKED_THROUGH_MOST;
        let (sql, list) = ORDERS.with(self.store, contacts.into_iter());
        let values = values![self.reseller.0, list, LOOKED_AT_MOST + 1];
        let (found, is_complete) = set(&self.store.scan(sql, values).await?)?;
        Ok((found, is_complete && are_all))
    }

    /// Orders whose certificate ends within the limits, those that end first.
    async fn of_certificate_ends(&self) -> Result<Set, StoreError> {
        const SQL: &str = "
            select ordinal from orders
            where reseller_id = $1 and certificate_expires_at >= $2 and certificate_expires_at < $3
            order by certificate_expires_at limit $4";
        let micros = |at: Option<chancery_domain::Timestamp>, otherwise: i64| {
            at.map_or(otherwise, chancery_domain::Timestamp::as_microsecond)
        };
        let values = values![
            self.reseller.0,
            micros(self.filter.certificate_ends_from, i64::MIN),
            micros(self.filter.certificate_ends_before, i64::MAX),
            LOOKED_AT_MOST + 1,
        ];
        set(&self.store.scan(SQL, values).await?)
    }

    /// Puts ordinals, which come the newest first, into the order that is asked for.
    pub(crate) async fn sort(&self, ordinals: &mut [i64]) -> Result<(), StoreError> {
        use crate::order_searches::{SortedBy, Sorting};
        const SQL: ByList = by_list!(
            [
                "select ordinal, common_name, expires_at, certificate_expires_at from orders
            where reseller_id = $1 and ordinal"
            ],
            "$2",
            ""
        );
        let Sorting { by, is_ascending } = self.filter.sorting;
        let (sql, list) = SQL.with(self.store, ordinals.iter().copied());
        let rows = self.store.scan(sql, values![self.reseller.0, list]).await?;
        let mut keys = std::collections::BTreeMap::new();
        for row in &rows {
            let end = match by {
                SortedBy::TermEnd => row.opt_timestamp(2)?,
                SortedBy::CertificateEnd => row.opt_timestamp(3)?,
                SortedBy::Placed | SortedBy::CommonName => None,
            };
            let name = match by {
                SortedBy::CommonName => row.string(1)?,
                SortedBy::Placed | SortedBy::TermEnd | SortedBy::CertificateEnd => String::new(),
            };
            keys.insert(row.int(0)?, (end, name));
        }
        let key = |ordinal: &i64| keys.get(ordinal).cloned().unwrap_or_default();
        ordinals.sort_by(|one, other| {
            let ((end, name), (other_end, other_name)) = (key(one), key(other));
            // What has no end comes last, whichever way the others are sorted.
            let has_none = end.is_none().cmp(&other_end.is_none());
            let order = (end, name).cmp(&(other_end, other_name));
            has_none.then(match is_ascending {
                true => order,
                false => order.reverse(),
            })
        });
        Ok(())
    }
}

/// A set, of which one more was asked for than it may have.
fn set(rows: &[Row]) -> Result<Set, StoreError> {
    let is_complete = rows.len() as i64 <= LOOKED_AT_MOST;
    let rows = rows.iter().take(LOOKED_AT_MOST as usize);
    Ok((
        rows.map(|row| row.int(0)).collect::<Result<_, _>>()?,
        is_complete,
    ))
}
