//! The engine over PostgreSQL.

use std::path::Path;

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::StoreSettings;
use crate::values::{Row, Value};

pub(crate) struct Postgres;

const NOT_YET: &str = "PostgreSQL is not served yet";

impl Postgres {
    pub(crate) async fn open(
        _: &tokio_postgres::Config,
        _: Option<&Path>,
        _: &StoreSettings,
    ) -> Result<Self, StoreError> {
        Err(StoreError::database(NOT_YET))
    }
    pub(crate) async fn commit(&self, _: Change) -> Result<Vec<Vec<Row>>, StoreError> {
        Err(StoreError::database(NOT_YET))
    }
    pub(crate) async fn query(&self, _: &'static str, _: &[Value]) -> Result<Vec<Row>, StoreError> {
        Err(StoreError::database(NOT_YET))
    }
    pub(crate) async fn scan(&self, _: &'static str, _: &[Value]) -> Result<Vec<Row>, StoreError> {
        Err(StoreError::database(NOT_YET))
    }
    pub(crate) async fn run_script(&self, _: String) -> Result<(), StoreError> {
        Err(StoreError::database(NOT_YET))
    }
    pub(crate) async fn close(&self) {}
}
