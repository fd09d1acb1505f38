//! Jobs as operators see them: those that wait, fail or gave up, and the orders they are about.

use chancery_domain::Timestamp;
use chancery_domain::orders::OrderId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::jobs::JobId;
use crate::reading::as_keys;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// A job, as it is on record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedJob {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub kind: String,
    /// The id of what it is done to.
    pub subject: i64,
    /// The order it is about, if it is about one.
    pub order: Option<OrderId>,
    /// When it is due; while it runs, when its lease ends.
    pub run_at: Timestamp,
    /// How often it was claimed since it last got anywhere.
    pub tries: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it gave up.
    pub parked_at: Option<Timestamp>,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

/// Which jobs an operator wants to see.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum JobFilter {
    /// Those that gave up.
    #[default]
    Parked,
    /// Those that failed and are tried again.
    Failing,
    /// Those that wait for their time, or run.
    Waiting,
    /// All.
    All,
}

/// Of what the subjects of jobs are the ids, by the kinds of the jobs.
#[derive(Clone, Debug, Default)]
pub struct JobSubjects<'a> {
    /// Orders.
    pub orders: &'a [&'a str],
    /// Runs towards a certificate.
    pub issuances: &'a [&'a str],
    /// Notices.
    pub notices: &'a [&'a str],
}

macro_rules! columns {
    () => {
        "j.id, j.kind, j.subject, j.run_at, j.tries, j.created_at, j.parked_at, j.last_error,
            case
                when j.kind in (select key from json_each($1)) then j.subject
                when j.kind in (select key from json_each($2))
                    then (select i.order_id from issuances i where i.id = j.subject)
                when j.kind in (select key from json_each($3))
                    then (select n.order_id from notices n where n.id = j.subject)
            end"
    };
}

impl JobSubjects<'_> {
    fn values(&self) -> [String; 3] {
        [self.orders, self.issuances, self.notices].map(|kinds| as_keys(kinds.iter().copied()))
    }
}

impl Change {
    /// Makes a job due at once, with all its tries before it. A run of it that is under way loses its claim.
    pub fn run_job_now(&mut self, id: JobId, now: Timestamp) {
        const SQL: &str = "
            update jobs set run_at = $1, attempt = attempt + 1, tries = 0, last_error = null,
                parked_at = null, holder = null, lost = 0
            where id = $2";
        let failure = Failure::Conflict {
            what: "job",
            id: id.0,
        };
        self.expect_one(SQL, values![now, id.0], failure);
    }
}

impl Store {
    /// Jobs, those due first before the others; of one order only, where one is given.
    pub async fn list_jobs(
        &self,
        filter: JobFilter,
        order: Option<OrderId>,
        subjects: &JobSubjects<'_>,
        most: i64,
    ) -> Result<Vec<ListedJob>, StoreError> {
        const SQL: &str = concat!(
            "select * from (select ",
            columns!(),
            " as order_id from jobs j
            where ($4 = 'all' or $4 = case
                when j.parked_at is not null then 'parked'
                when j.last_error is not null then 'failing'
                else 'waiting' end)) found
            where cast($5 as bigint) = 0 or order_id = $5
            order by run_at, id limit $6"
        );
        let word = match filter {
            JobFilter::Parked => "parked",
            JobFilter::Failing => "failing",
            JobFilter::Waiting => "waiting",
            JobFilter::All => "all",
        };
        let [orders, issuances, notices] = subjects.values();
        let order = order.map_or(0, |order| order.0);
        let values = values![orders, issuances, notices, word, order, most];
        let rows = self.scan(SQL, values).await?;
        rows.iter().map(read).collect()
    }

    /// A job.
    pub async fn job(
        &self,
        id: JobId,
        subjects: &JobSubjects<'_>,
    ) -> Result<Option<ListedJob>, StoreError> {
        const SQL: &str = concat!("select ", columns!(), " from jobs j where j.id = $4");
        let [orders, issuances, notices] = subjects.values();
        let values = values![orders, issuances, notices, id.0];
        let row = self.query_one(SQL, values).await?;
        row.as_ref().map(read).transpose()
    }
}

fn read(row: &Row) -> Result<ListedJob, StoreError> {
    Ok(ListedJob {
        id: JobId(row.int(0)?),
        kind: row.string(1)?,
        subject: row.int(2)?,
        run_at: row.timestamp(3)?,
        tries: row.int(4)?,
        created_at: row.timestamp(5)?,
        parked_at: row.opt_timestamp(6)?,
        last_error: row.opt_string(7)?,
        order: row.opt_int(8)?.map(OrderId),
    })
}
