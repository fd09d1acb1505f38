//! What a clock that had been ahead has left behind: times too far off, of jobs and of messages to approvers.
//!
//! Whatever is moved comes too early at worst. A job that comes too early looks at the facts and waits again, so what
//! has been moved may be moved once more, and what a right clock has put off may be moved with it.

use jiff::{SignedDuration, Timestamp};

use crate::changes::Change;
use crate::errors::StoreError;
use crate::store::{Engine, Store};
use crate::values;

/// How many jobs are moved at once, so that nothing waits long behind them.
const AT_ONCE: i64 = 1_000;

impl Change {
    /// Makes periodic jobs of these kinds due at `now`, and ends their rests. Those that are being worked on, by who
    /// renews its lease, are left alone.
    pub fn end_rests(&mut self, kinds: &[&str], now: Timestamp, longest_lease: SignedDuration) {
        const SQL: &str = "
            update jobs set rests_until = 0,
                run_at = case when run_at > $1 and (holder is null or run_at > $2) then $1 else run_at end
            where kind = $3 and parked_at is null";
        for kind in kinds {
            self.execute(SQL, values![now, now + longest_lease, *kind]);
        }
    }

    /// Has messages to approvers count, and go out, earlier by so much where that was to come.
    pub fn pull_approvals_back(&mut self, now: Timestamp, by: SignedDuration) {
        const COUNTED: &str =
            "update approval_mails set at = at - cast($1 as bigint) where at > $2";
        const SENT: &str = "
            update approvals set send_from = send_from - cast($1 as bigint)
            where send_from > $2 and sent_at is null and approved_at is null";
        let micros = micros(by);
        self.execute(COUNTED, values![micros, now]);
        self.execute(SENT, values![micros, now]);
    }
}

impl Store {
    /// Has all that waits run earlier by so much, `now` at the earliest, in steps. What is being worked on, by who
    /// renews its lease, is left alone.
    pub async fn pull_jobs_back(
        &self,
        now: Timestamp,
        by: SignedDuration,
        longest_lease: SignedDuration,
    ) -> Result<(), StoreError> {
        const STEP: &str = "
            select max(id) from (
                select id from jobs where id > $1 and parked_at is null and run_at > $2
                order by id limit $3) step";
        // On PostgreSQL, a job that someone is about to change is passed over: it gets its time from that.
        let sql = match self.engine() {
            Engine::Sqlite => {
                "update jobs set run_at = max(run_at - $1, $2)
                 where id > $3 and id <= $4 and parked_at is null and run_at > $2
                     and (holder is null or run_at > $5)"
            }
            Engine::Postgres => {
                "with waiting as materialized (
                     select id from jobs
                     where id > $3 and id <= $4 and parked_at is null and run_at > $2
                         and (holder is null or run_at > $5)
                     for update skip locked)
                 update jobs set run_at = greatest(run_at - cast($1 as bigint), $2)
                 from waiting where jobs.id = waiting.id"
            }
        };
        let mut after = 0;
        loop {
            let step = self.query_one(STEP, values![after, now, AT_ONCE]).await?;
            let Some(last) = step.map_or(Ok(None), |row| row.opt_int(0))? else {
                return Ok(());
            };
            let mut change = Change::new();
            let lease_end = now + longest_lease;
            change.execute(sql, values![micros(by), now, after, last, lease_end]);
            self.commit(change).await?;
            after = last;
        }
    }
}

fn micros(by: SignedDuration) -> i64 {
    i64::try_from(by.as_micros()).unwrap_or(i64::MAX)
}
