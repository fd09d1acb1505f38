//! From columns to domain values: one fallible way for each.

use std::collections::BTreeMap;

use chancery_domain::names::DomainName;
use serde::de::DeserializeOwned;

use crate::errors::StoreError;
use crate::values::Row;

impl Row {
    /// A value kept as JSON in a text.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T, StoreError> {
        serde_json::from_str(self.text(column)?)
            .map_err(|error| self.corrupt(column, error.to_string()))
    }

    /// A host name.
    pub(crate) fn domain_name(&self, column: usize) -> Result<DomainName, StoreError> {
        self.parsed(column, |text| DomainName::parse(text).ok())
    }

    /// A text that `parse` understands.
    pub(crate) fn parsed<T>(
        &self,
        column: usize,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(self.text(column)?).ok_or_else(|| self.corrupt(column, "an unknown word"))
    }

    /// An integer of a smaller type.
    pub(crate) fn small<T: TryFrom<i64>>(&self, column: usize) -> Result<T, StoreError> {
        T::try_from(self.int(column)?).map_err(|_| self.corrupt(column, "out of range"))
    }
}

/// Texts as one value, for `in (select key from json_each($1))`: an object with them as its keys, which both
/// engines read by one text. Lists of ids go by [`crate::lists::ByList`].
pub(crate) fn as_keys<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let keys: BTreeMap<&str, u8> = texts.into_iter().map(|text| (text, 0)).collect();
    to_json(&keys)
}

/// A value as JSON, for a text column.
pub(crate) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("domain values have a JSON form")
}
