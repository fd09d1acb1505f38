//! Claiming jobs, and keeping what was claimed.
//!
//! A claim is a lease: the job's `run_at` is moved to the end of it, and its holder, one process, goes on moving it
//! while it works. Whoever dies is silent, and what it held is due again soon. Ending a job takes its holder away, so
//! a holder that renews late moves nothing that has ended or was put back.
//!
//! From a queue that is served in turn, jobs are claimed owner by owner: who waits behind another owner's thousands
//! is found without reading those.

use jiff::{SignedDuration, Timestamp};

use crate::changes::Change;
use crate::errors::StoreError;
use crate::jobs::{ClaimedJob, JobId, Queue};
use crate::lists::ByList;
use crate::store::{Engine, Store};
use crate::values;
use crate::values::Row;

/// For how long claimed jobs are nobody else's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lease {
    /// Who works on them: a number that each process draws for itself when it starts.
    pub holder: i64,
    /// Until when, unless it is renewed.
    pub until: Timestamp,
}

/// How many jobs of one owner are claimed at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Turn {
    /// Whose.
    pub owner: i64,
    /// At most so many.
    pub limit: i64,
}

/// How many jobs are not where they should be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct JobCounts {
    /// Those that gave up and wait for an operator.
    pub parked: i64,
    /// Those that should have been begun by the time asked about, checks of domain control apart.
    pub late: i64,
    /// The checks of domain control that should have been begun by then.
    pub late_looks: i64,
}

impl Store {
    /// Claims up to `limit` jobs of a queue that are due, the longest waiting first.
    pub async fn claim_jobs(
        &self,
        queue: Queue,
        now: Timestamp,
        lease: Lease,
        limit: i64,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        // SQLite has one writer at a time. PostgreSQL has many: each passes over the rows that another one
        // is about to claim.
        let sql = match self.engine() {
            Engine::Sqlite => {
                "update jobs set run_at = $1, holder = $2, attempt = attempt + 1, tries = tries + 1,
                     lost = lost + case when holder is null then 0 else 1 end
                 where id in (
                     select id from jobs where queue = $3 and parked_at is null and run_at <= $4
                     order by run_at limit $5)
                 returning id, kind, subject, attempt, tries, owner, lost"
            }
            Engine::Postgres => {
                "with due as materialized (
                     select id from jobs where queue = $3 and parked_at is null and run_at <= $4
                     order by run_at limit $5 for update skip locked)
                 update jobs set run_at = $1, holder = $2, attempt = attempt + 1, tries = tries + 1,
                     lost = lost + case when holder is null then 0 else 1 end
                 from due where jobs.id = due.id
                 returning jobs.id, kind, subject, attempt, tries, owner, lost"
            }
        };
        let mut change = Change::new();
        let Lease { holder, until } = lease;
        change.query(sql, values![until, holder, queue.number(), now, limit]);
        self.claim(queue, change).await
    }

    /// Claims jobs of a queue that are due, for each owner up to its limit, the longest waiting of each first.
    pub async fn claim_in_turn(
        &self,
        queue: Queue,
        now: Timestamp,
        lease: Lease,
        turns: &[Turn],
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        // That the queue is above 0 is said for the index over such queues only.
        let sql = match self.engine() {
            Engine::Sqlite => {
                "update jobs set run_at = $1, holder = $2, attempt = attempt + 1, tries = tries + 1,
                     lost = lost + case when holder is null then 0 else 1 end
                 where id in (
                     select id from jobs where queue = $3 and queue > 0 and owner = $4
                         and parked_at is null and run_at <= $5
                     order by run_at limit $6)
                 returning id, kind, subject, attempt, tries, owner, lost"
            }
            Engine::Postgres => {
                "with due as materialized (
                     select id from jobs where queue = $3 and queue > 0 and owner = $4
                         and parked_at is null and run_at <= $5
                     order by run_at limit $6 for update skip locked)
                 update jobs set run_at = $1, holder = $2, attempt = attempt + 1, tries = tries + 1,
                     lost = lost + case when holder is null then 0 else 1 end
                 from due where jobs.id = due.id
                 returning jobs.id, kind, subject, attempt, tries, owner, lost"
            }
        };
        let mut change = Change::new();
        let Lease { holder, until } = lease;
        for Turn { owner, limit } in turns {
            let values = values![until, holder, queue.number(), *owner, now, *limit];
            change.query(sql, values);
        }
        self.claim(queue, change).await
    }

    async fn claim(&self, queue: Queue, change: Change) -> Result<Vec<ClaimedJob>, StoreError> {
        let answers = self.commit(change).await?;
        let rows = answers.iter().flatten();
        rows.map(|row| claimed(row, queue)).collect()
    }

    /// The owners above `after` that have jobs due in a queue, by number. Costs a step for each owner that waits
    /// for anything there, however many jobs it has.
    pub async fn owners_due(
        &self,
        queue: Queue,
        now: Timestamp,
        after: i64,
        limit: i64,
    ) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = "
            with recursive owners (owner) as (
                select (select min(owner) from jobs
                    where queue = $1 and queue > 0 and parked_at is null and owner > $2)
                union all
                select (select min(j.owner) from jobs j
                    where j.queue = $1 and j.queue > 0 and j.parked_at is null
                        and j.owner > owners.owner)
                from owners where owner is not null)
            select owner from owners
            where owner is not null and exists (
                select 1 from jobs d
                where d.queue = $1 and d.queue > 0 and d.parked_at is null and d.owner = owners.owner
                    and d.run_at <= $3)
            limit $4";
        let rows = self.query(SQL, values![queue.number(), after, now, limit]);
        rows.await?.iter().map(|row| row.int(0)).collect()
    }

    /// Moves the end of the leases on these jobs, as far as the holder still has them.
    pub async fn renew_leases(
        &self,
        lease: Lease,
        jobs: impl Iterator<Item = JobId>,
    ) -> Result<(), StoreError> {
        // On PostgreSQL, a row that someone is about to change is passed over: its job is being ended.
        const SQL: ByList = ByList([
            "update jobs set run_at = $1
             where id in (select value from json_each($3)) and holder = $2 and parked_at is null",
            "with held as materialized (
                 select id from jobs
                 where id = any (cast(cast($3 as text) as bigint[])) and holder = $2
                     and parked_at is null
                 for update skip locked)
             update jobs set run_at = $1 from held where jobs.id = held.id",
        ]);
        let (sql, list) = SQL.with(self, jobs.map(|id| id.0));
        let mut change = Change::new();
        change.execute(sql, values![lease.until, lease.holder, list]);
        self.commit(change).await.map(drop)
    }

    /// Ends the leases of this holder, which have been renewed by now: what it has claimed is due at once.
    pub async fn release_leases(
        &self,
        holder: i64,
        now: Timestamp,
        longest_lease: SignedDuration,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            update jobs set run_at = $1, holder = null
            where queue = $2 and run_at > $1 and run_at <= $3 and holder = $4 and parked_at is null";
        let mut change = Change::new();
        for queue in Queue::ALL {
            let values = values![now, queue.number(), now + longest_lease, holder];
            change.execute(SQL, values);
        }
        self.commit(change).await.map(drop)
    }

    /// Ends all leases, however long they would last by a clock that may have been ahead; those runs came to no end.
    /// Only for a process that knows to be the only one at work on the database.
    pub async fn release_all_leases(&self, now: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "
            update jobs set run_at = case when run_at > $1 then $1 else run_at end, holder = null,
                lost = lost + 1
            where holder is not null and parked_at is null";
        let mut change = Change::new();
        change.execute(SQL, values![now]);
        self.commit(change).await.map(drop)
    }

    /// When the next job of a queue is due, if any is waiting; leases count.
    pub async fn next_due(&self, queue: Queue) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "select min(run_at) from jobs where queue = $1 and parked_at is null";
        match self.query_one(SQL, values![queue.number()]).await? {
            Some(row) => row.opt_timestamp(0),
            None => Ok(None),
        }
    }

    /// How many jobs of all queues are due at `now`.
    pub async fn count_due(&self, now: Timestamp) -> Result<i64, StoreError> {
        const SQL: &str = "
            select count(*) from jobs
            where queue in (0, 1, 2, 3) and parked_at is null and run_at <= $1";
        self.query_one(SQL, values![now])
            .await?
            .map_or(Ok(0), |row| row.int(0))
    }

    /// How many jobs gave up, and how many that were due at `at` are still waiting.
    pub async fn count_jobs(&self, at: Timestamp) -> Result<JobCounts, StoreError> {
        const SQL: &str = "
            select (select count(*) from jobs where parked_at is not null),
                (select count(*) from jobs where queue in (0, 1) and parked_at is null and run_at <= $1),
                (select count(*) from jobs where queue in (2, 3) and parked_at is null and run_at <= $1)";
        let rows = self.scan(SQL, values![at]).await?;
        let counts = |row: &Row| {
            Ok(JobCounts {
                parked: row.int(0)?,
                late: row.int(1)?,
                late_looks: row.int(2)?,
            })
        };
        rows.first().map_or(Ok(JobCounts::default()), counts)
    }
}

fn claimed(row: &Row, queue: Queue) -> Result<ClaimedJob, StoreError> {
    Ok(ClaimedJob {
        id: JobId(row.int(0)?),
        kind: row.string(1)?,
        subject: row.int(2)?,
        attempt: row.int(3)?,
        tries: row.int(4)?,
        owner: row.int(5)?,
        lost: row.int(6)?,
        queue,
    })
}
