//! The job queue: work that happens later, at least once, and counts once.
//!
//! A job is due when it is not parked and `run_at` has come. To claim one is to move its `run_at` to the
//! end of a lease and to count an attempt; if the worker dies, the job is simply due again. A job is ended
//! by id *and* attempt, in the change set that holds its effect, so a worker that outslept its lease gets a
//! conflict and its effect is not applied. Jobs carry the id of what they are about, never a copy.
//!
//! Jobs wait in [`Queue`]s, each claimed from on its own. Claims and leases are in [`crate::job_claims`]. What kinds
//! there are, and how often one is tried, is the caller's business.

use jiff::{SignedDuration, Timestamp};

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::job_claims::Lease;
use crate::reading::as_keys;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// The id of a job.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct JobId(pub i64);

/// A queue of jobs. Each is claimed from on its own, so that slow jobs hold up none of another queue.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Queue {
    /// What takes no stranger's time: signing, replacements, revocation lists, chores. The oldest goes first.
    Work,
    /// Messages to be sent.
    Mail,
    /// Checks of domain control.
    Looks,
    /// Checks of domain control at servers that were slow the last time.
    SlowLooks,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Work, Self::Mail, Self::Looks, Self::SlowLooks];

    /// The number under which it is stored.
    pub fn number(self) -> i64 {
        match self {
            Self::Work => 0,
            Self::Mail => 1,
            Self::Looks => 2,
            Self::SlowLooks => 3,
        }
    }

    /// Whether its owners are served in turn, one after the other, whoever waits longest.
    pub fn is_in_turn(self) -> bool {
        self != Self::Work
    }
}

/// A job that is ours until its lease ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClaimedJob {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub kind: String,
    /// The id of what it is done to.
    pub subject: i64,
    /// Tells this claim from every other one of the job; only grows.
    pub attempt: i64,
    /// How often the job was claimed since it last got anywhere, this claim included.
    pub tries: i64,
    /// How many of its runs in a row came to no end: whoever had claimed it never said what became of it.
    pub lost: i64,
    /// Whose it is: the id of a reseller, or 0 for the platform's own.
    pub owner: i64,
    /// Where it waited.
    pub queue: Queue,
}

/// A job that gave up and waits for an operator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParkedJob {
    /// Its id.
    pub id: JobId,
    /// What was to be done.
    pub kind: String,
    /// The id of what it was to be done to.
    pub subject: i64,
    /// When it gave up.
    pub parked_at: Timestamp,
    /// Why the last try failed.
    pub last_error: String,
}

/// A job as it is handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewJob<'a> {
    /// Its id, from the sequence of rows.
    pub id: JobId,
    /// What is to be done.
    pub kind: &'a str,
    /// The id of what it is done to.
    pub subject: i64,
    /// Where it waits.
    pub queue: Queue,
    /// Whose it is: the id of a reseller, or 0 for the platform's own.
    pub owner: i64,
    /// When it is created.
    pub created_at: Timestamp,
    /// Where given, at most one job with this key exists; a second one is silently left out.
    pub dedup: Option<&'a str>,
}

impl Change {
    /// Adds a job that is due at `run_at`.
    pub fn enqueue(&mut self, job: NewJob<'_>, run_at: Timestamp) {
        self.insert_job(job, run_at, None);
    }

    /// Adds a job that its holder has claimed already, as attempt 1: nobody else sees it before the lease ends.
    pub fn enqueue_claimed(&mut self, job: NewJob<'_>, lease: Lease) {
        self.insert_job(job, lease.until, Some(lease.holder));
    }

    /// Adds a job, or makes the one with its dedup key due again, unless it is due sooner anyhow: a run of it that is
    /// under way loses its claim, since it may have missed what this change set adds.
    pub fn enqueue_anew(&mut self, job: NewJob<'_>, run_at: Timestamp) {
        const SQL: &str = "
            insert into jobs (id, kind, subject, run_at, attempt, tries, created_at, dedup, queue, owner)
            values ($1, $2, $3, $4, 0, 0, $5, $6, $7, $8)
            on conflict (dedup) do update
            set run_at = case when jobs.run_at < excluded.run_at then jobs.run_at else excluded.run_at end, attempt = jobs.attempt + 1, tries = 0, last_error = null,
                parked_at = null, holder = null, queue = excluded.queue, owner = excluded.owner";
        let (id, subject, queue) = (job.id.0, job.subject, job.queue.number());
        self.execute(
            SQL,
            values![
                id,
                job.kind,
                subject,
                run_at,
                job.created_at,
                job.dedup,
                queue,
                job.owner
            ],
        );
    }

    fn insert_job(&mut self, job: NewJob<'_>, run_at: Timestamp, holder: Option<i64>) {
        const SQL: &str = "
            insert into jobs (id, kind, subject, run_at, attempt, tries, created_at, queue, owner, holder)
            values ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9)";
        const DEDUP: &str = "
            insert into jobs (id, kind, subject, run_at, attempt, tries, created_at, queue, owner, holder, dedup)
            values ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10)
            on conflict (dedup) do nothing";
        let NewJob {
            id,
            kind,
            subject,
            queue,
            owner,
            created_at,
            dedup,
        } = job;
        let (attempt, queue) = (i64::from(holder.is_some()), queue.number());
        let mut values = values![
            id.0, kind, subject, run_at, attempt, created_at, queue, owner, holder
        ];
        match dedup {
            None => self.execute(SQL, values),
            Some(key) => {
                values.push(key.into());
                self.execute(DEDUP, values)
            }
        };
    }

    /// Lets the set count only if the job is still claimed as it was: who has it run anew takes the claim back.
    pub fn expect_claim(&mut self, id: JobId, attempt: i64) {
        const SQL: &str = "
            update jobs set attempt = attempt where id = $1 and attempt = $2 and parked_at is null";
        self.expect_one(SQL, values![id.0, attempt], lost(id));
    }

    /// Ends a job that is done.
    pub fn finish_job(&mut self, id: JobId, attempt: i64) {
        const SQL: &str = "delete from jobs where id = $1 and attempt = $2 and parked_at is null";
        self.expect_one(SQL, values![id.0, attempt], lost(id));
    }

    /// Ends a job that is done by making its row another job, due at `run_at`. The new one's id is not used.
    pub fn finish_into(&mut self, id: JobId, attempt: i64, next: NewJob<'_>, run_at: Timestamp) {
        const SQL: &str = "
            update jobs set kind = $1, subject = $2, run_at = $3, dedup = $4, queue = $5, owner = $6, tries = 0,
                last_error = null, holder = null, lost = 0
            where id = $7 and attempt = $8 and parked_at is null";
        let (kind, subject, dedup) = (next.kind, next.subject, next.dedup);
        let queue = next.queue.number();
        let values = values![
            kind, subject, run_at, dedup, queue, next.owner, id.0, attempt
        ];
        self.expect_one(SQL, values, lost(id));
    }

    /// Puts a job back until `run_at` as if it had not been tried: there was nothing to do yet.
    pub fn postpone_job(&mut self, id: JobId, attempt: i64, run_at: Timestamp) {
        const SQL: &str = "
            update jobs set run_at = $1, tries = 0, last_error = null, holder = null, lost = 0
            where id = $2 and attempt = $3 and parked_at is null";
        self.expect_one(SQL, values![run_at, id.0, attempt], lost(id));
    }

    /// The same, and from then on the job waits in this queue.
    pub fn postpone_into(&mut self, id: JobId, attempt: i64, queue: Queue, run_at: Timestamp) {
        const SQL: &str = "
            update jobs set run_at = $1, queue = $2, tries = 0, last_error = null, holder = null, lost = 0
            where id = $3 and attempt = $4 and parked_at is null";
        let values = values![run_at, queue.number(), id.0, attempt];
        self.expect_one(SQL, values, lost(id));
    }

    /// Puts a job back until `run_at` after a try that failed.
    pub fn retry_job(&mut self, id: JobId, attempt: i64, run_at: Timestamp, error: &str) {
        const SQL: &str = "
            update jobs set run_at = $1, last_error = $2, holder = null, lost = 0
            where id = $3 and attempt = $4 and parked_at is null";
        self.expect_one(SQL, values![run_at, error, id.0, attempt], lost(id));
    }

    /// Has a job wait until `run_at` whose last runs came to no end. What is known of them stays; the next try is its
    /// first.
    pub fn set_job_aside(&mut self, id: JobId, attempt: i64, run_at: Timestamp) {
        const SQL: &str = "
            update jobs set run_at = $1, tries = 0, holder = null
            where id = $2 and attempt = $3 and parked_at is null";
        self.expect_one(SQL, values![run_at, id.0, attempt], lost(id));
    }

    /// Takes a job out of the queue for an operator to look at. It keeps its dedup key.
    pub fn park_job(&mut self, id: JobId, attempt: i64, now: Timestamp, error: &str) {
        const SQL: &str = "
            update jobs set parked_at = $1, last_error = $2, holder = null, lost = 0
            where id = $3 and attempt = $4 and parked_at is null";
        self.expect_one(SQL, values![now, error, id.0, attempt], lost(id));
    }

    /// Makes a waiting job due earlier. One that is being worked on, or that failed and backs off, is left
    /// alone.
    pub fn bring_forward(&mut self, kind: &str, subject: i64, run_at: Timestamp) {
        const SQL: &str = "
            update jobs set run_at = $1
            where subject = $2 and kind = $3 and run_at > $1 and tries = 0 and parked_at is null";
        self.execute(SQL, values![run_at, subject, kind]);
    }

    /// Asks for a run of a periodic job that begins after this change set: one that waits becomes due, but not
    /// before its rest is over; one that is being worked on, by who renews its lease, keeps its claim and is run again,
    /// and one that backs off is left alone. `now` may be a while ago: the job may have been claimed since.
    /// A rest of more than `longest` was begun by a clock that was ahead, and holds up nobody. Always touches the
    /// job's row, so that no run can end without seeing it ([`Change::rest_job`]).
    pub fn ask_for_run(
        &mut self,
        kind: &str,
        subject: i64,
        now: Timestamp,
        longest: SignedDuration,
        longest_lease: SignedDuration,
    ) {
        const SQL: &str = "
            update jobs set wanted = wanted + 1,
                run_at = case when (tries > 0 and run_at <= $4) or run_at <= $1
                        or (holder is not null and run_at <= $5) then run_at
                    when rests_until > $1 and rests_until <= $4 then rests_until else $1 end
            where subject = $2 and kind = $3 and parked_at is null";
        let (rest_end, lease_end) = (now + longest, now + longest_lease);
        self.execute(SQL, values![now, subject, kind, rest_end, lease_end]);
    }

    /// Makes a periodic job due that others have asked for and that waits for longer than a rest may last: its time
    /// was set by a clock that was ahead. One that is being worked on, by who renews its lease, is left alone.
    pub fn end_long_rest(
        &mut self,
        kind: &str,
        subject: i64,
        now: Timestamp,
        longest: SignedDuration,
        longest_lease: SignedDuration,
    ) {
        const SQL: &str = "
            update jobs set run_at = $1
            where subject = $2 and kind = $3 and parked_at is null and wanted > 0 and run_at > $4
                and (holder is null or run_at > $5)";
        let (rest_end, lease_end) = (now + longest, now + longest_lease);
        self.execute(SQL, values![now, subject, kind, rest_end, lease_end]);
    }

    /// Puts a periodic job back after a run that has served the first `served` of those who asked
    /// ([`Store::runs_asked_for`]): until `later`, or, where others have asked meanwhile, until `rests_until`.
    /// Those who ask from now on do not bring it before that either.
    pub fn rest_job(
        &mut self,
        id: JobId,
        attempt: i64,
        served: i64,
        rests_until: Timestamp,
        later: Timestamp,
    ) {
        const SQL: &str = "
            update jobs set wanted = wanted - $1, rests_until = $2, tries = 0, last_error = null, holder = null,
                lost = 0,
                run_at = case when wanted > $1 then cast($2 as bigint) else $3 end
            where id = $4 and attempt = $5 and parked_at is null";
        let values = values![served, rests_until, later, id.0, attempt];
        self.expect_one(SQL, values, lost(id));
    }

    /// Puts all jobs of some kinds back that were parked, for one reason if one is given, with all their tries
    /// before them.
    pub fn unpark_jobs(&mut self, kinds: &[&str], reason: Option<&str>, run_at: Timestamp) {
        const SQL: &str = "
            update jobs set parked_at = null, run_at = $1, tries = 0, last_error = null, lost = 0
            where parked_at is not null and (cast($2 as text) is null or last_error = $2)
                and kind in (select key from json_each($3))";
        let kinds = as_keys(kinds.iter().copied());
        self.execute(SQL, values![run_at, reason, kinds]);
    }

    /// Puts a parked job back into the queue, with all its tries before it.
    pub fn unpark_job(&mut self, id: JobId, run_at: Timestamp) {
        const SQL: &str = "
            update jobs set parked_at = null, run_at = $1, tries = 0, lost = 0
            where id = $2 and parked_at is not null";
        self.expect_one(SQL, values![run_at, id.0], lost(id));
    }
}

impl Store {
    /// Whether [`Change::bring_forward`] would find a job to move.
    pub async fn waits_beyond(
        &self,
        kind: &str,
        subject: i64,
        run_at: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            select id from jobs
            where subject = $1 and kind = $2 and run_at > $3 and tries = 0 and parked_at is null";
        let rows = self.query(SQL, values![subject, kind, run_at]).await?;
        Ok(!rows.is_empty())
    }

    /// How many have asked for a run of a job since it last ended one. To be read before what the run looks at.
    pub async fn runs_asked_for(&self, id: JobId) -> Result<i64, StoreError> {
        const SQL: &str = "select wanted from jobs where id = $1";
        self.query_one(SQL, values![id.0])
            .await?
            .map_or(Ok(0), |row| row.int(0))
    }

    /// The jobs that gave up, the oldest first.
    pub async fn parked_jobs(&self) -> Result<Vec<ParkedJob>, StoreError> {
        const SQL: &str = "
            select id, kind, subject, parked_at, last_error from jobs
            where parked_at is not null order by parked_at, id";
        let rows = self.scan(SQL, Vec::new()).await?;
        let parked = |row: &Row| {
            Ok(ParkedJob {
                id: JobId(row.int(0)?),
                kind: row.string(1)?,
                subject: row.int(2)?,
                parked_at: row.timestamp(3)?,
                last_error: row.opt_string(4)?.unwrap_or_default(),
            })
        };
        rows.iter().map(parked).collect()
    }
}

fn lost(id: JobId) -> Failure {
    Failure::Conflict {
        what: "job",
        id: id.0,
    }
}
