//! The worker: claims due jobs, never more than there are free slots for, and runs them.
//!
//! Each queue is served by a loop of its own, with slots of its own: checks of domain control and mails wait for
//! strangers, and what waits there must hold up no signature. From all queues but the first, owners are served in
//! turn, and none has more slots than are free ([`super::shares`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::{Change, ClaimedJob, JobCounts, Queue, StoreError};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::failures::{LONGEST_MOMENT, UNKNOWN_KIND, kept_going};
use super::leases::{Held, Leases};
use super::mail_notice::Party;
use super::shares::{Round, Shares};
use super::{Task, end_long_rests};
use crate::{App, AppError};

/// The longest the worker sleeps: other replicas add jobs without waking this one.
const PATIENCE: Duration = Duration::from_secs(1);

/// The shortest the worker sleeps when it got nothing.
const PAUSE: Duration = Duration::from_millis(20);

/// How long it sleeps when what is due is of owners that have their share, so that others are seen soon.
const SHARED_OUT: Duration = Duration::from_millis(200);

/// The longest it sleeps while the database fails.
const LONGEST_OUTAGE_SLEEP: Duration = Duration::from_secs(10);

/// How many owners are read for one round.
const OWNERS_A_ROUND: i64 = 512;

/// How often what an earlier release has parked is put back: it may be at work beside this one.
const UNPARK_EVERY: Duration = Duration::from_secs(60);

/// A worker that was not heard of for so long is taken for dead.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(30);

/// How often one complaint is repeated in the log.
const SELDOM: Duration = Duration::from_secs(60);

/// A job is late that nobody has begun so long after it was due.
const LATE_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How the rest of the program and the worker tell each other what is going on.
pub(crate) struct Wake {
    queues: [QueueWake; Queue::ALL.len()],
    progress: Notify,
    busy: AtomicUsize,
    done: AtomicU64,
    started: Instant,
    pub(super) leases: Leases,
    complaints: Mutex<HashMap<&'static str, Instant>>,
}

/// The same of one queue.
struct QueueWake {
    queue: Queue,
    work: Notify,
    heartbeat_millis: AtomicI64,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            queues: Queue::ALL.map(|queue| QueueWake {
                queue,
                work: Notify::new(),
                heartbeat_millis: AtomicI64::new(i64::MIN),
            }),
            progress: Notify::new(),
            busy: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            started: Instant::now(),
            leases: Leases::default(),
            complaints: Mutex::default(),
        }
    }
}

impl Wake {
    fn millis(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn is_alive(&self, now: i64) -> bool {
        let limit = i64::try_from(HEARTBEAT_LIMIT.as_millis()).unwrap_or(i64::MAX);
        self.queues.iter().all(|of_queue| {
            let last = of_queue.heartbeat_millis.load(Ordering::SeqCst);
            last != i64::MIN && now.saturating_sub(last) < limit
        })
    }

    /// Whether a complaint is to be logged: once in a while, however often it is made.
    pub(super) fn seldom(&self, complaint: &'static str) -> bool {
        let mut complaints = self.complaints.lock();
        let now = Instant::now();
        let is_due = complaints
            .get(complaint)
            .is_none_or(|at| now.duration_since(*at) >= SELDOM);
        if is_due {
            complaints.insert(complaint, now);
        }
        is_due
    }
}

/// Counts a run while it lives.
pub(super) struct Busy(App);

impl Busy {
    pub(super) fn new(app: &App) -> Self {
        app.0.worker.busy.fetch_add(1, Ordering::SeqCst);
        Self(app.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let wake = &self.0.0.worker;
        // Counted first: who sees nothing busy has every run in the count.
        wake.done.fetch_add(1, Ordering::SeqCst);
        wake.busy.fetch_sub(1, Ordering::SeqCst);
        wake.progress.notify_waiters();
    }
}

/// A slot of a queue, taken while it lives.
struct Slot {
    shares: Arc<Mutex<Shares>>,
    owner: i64,
}

impl Slot {
    fn take(shares: &Arc<Mutex<Shares>>, owner: i64) -> Self {
        shares.lock().take(owner);
        let shares = Arc::clone(shares);
        Self { shares, owner }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shares.lock().give_back(self.owner);
    }
}

/// A queue while it is served.
struct Serving {
    queue: Queue,
    shares: Arc<Mutex<Shares>>,
    round: Round,
    running: JoinSet<()>,
    /// How often the database has failed in a row.
    failures: u32,
}

impl App {
    /// Tells the worker that there may be something to do.
    pub(crate) fn wake_worker(&self) {
        for of_queue in &self.0.worker.queues {
            of_queue.work.notify_one();
        }
    }

    /// Waits for a certificate on its way, or for whoever was faster: until a job has ended, a tenth of a
    /// second at most.
    pub(crate) async fn let_a_job_end(&self) {
        let ended = self.0.worker.progress.notified();
        let _ = tokio::time::timeout(Duration::from_millis(100), ended).await;
    }

    /// Whether the worker was heard of lately, for every queue.
    pub fn is_worker_alive(&self) -> bool {
        let wake = &self.0.worker;
        wake.is_alive(wake.millis())
    }

    /// How many jobs gave up and wait for an operator, and how many should have been begun a minute ago. Late checks
    /// of domain control are counted apart: who has thousands of them waits for their own.
    pub async fn job_counts(&self) -> Result<JobCounts, AppError> {
        Ok(self.store.count_jobs(self.clock.now() - LATE_AFTER).await?)
    }

    /// Runs jobs until told to stop, then lets those under way finish, for so long at most; checks of domain control
    /// are cut off at once. What is cut off is given back, and due at once.
    pub async fn run_worker(&self, stop: watch::Receiver<bool>, drain: Duration) {
        let mut signers = tokio::spawn(self.clone().run_signers(stop.clone()));
        let app = self.clone();
        let lists = tokio::spawn(kept_going("lists", move || app.clone().follow_crls()));
        let app = self.clone();
        let pulse = tokio::spawn(kept_going("pulse", move || app.clone().keep_pulse()));
        let (stop_beating, stopped) = watch::channel(false);
        let app = self.clone();
        let leases = move || app.clone().keep_leases(stopped.clone());
        let heart = tokio::spawn(kept_going("leases", leases));
        let queues = Queue::ALL.map(|queue| tokio::spawn(self.clone().serve(queue, stop.clone())));
        let mut running = Vec::new();
        for served in join_all(queues).await {
            match served {
                Ok(under_way) => running.push(under_way),
                Err(error) => tracing::error!(%error, "the worker of a queue stopped"),
            }
        }
        lists.abort();
        pulse.abort();
        let finish = async {
            for under_way in &mut running {
                while under_way.join_next().await.is_some() {}
            }
            if let Err(error) = (&mut signers).await {
                tracing::error!(%error, "the signers stopped");
            }
        };
        if tokio::time::timeout(drain, finish).await.is_err() {
            let jobs: usize = running.iter().map(JoinSet::len).sum();
            tracing::warn!(jobs, "jobs under way are cut off");
            signers.abort();
            for under_way in &mut running {
                under_way.shutdown().await;
            }
        }
        self.release_held().await;
        let _ = stop_beating.send(true);
        if let Err(error) = heart.await {
            tracing::error!(%error, "the heartbeat stopped");
        }
    }

    /// Serves one queue until told to stop, and leaves what is under way.
    async fn serve(self, queue: Queue, mut stop: watch::Receiver<bool>) -> JoinSet<()> {
        let mut serving = Serving {
            queue,
            shares: Arc::new(Mutex::new(Shares::new(self.slots(queue)))),
            round: Round::new(),
            running: JoinSet::new(),
            failures: 0,
        };
        let mut unparked: Option<Instant> = None;
        while !*stop.borrow() {
            self.beat(queue);
            if queue == Queue::Work && unparked.is_none_or(|at| at.elapsed() > UNPARK_EVERY) {
                unparked = Some(Instant::now());
                self.look_after_queue().await;
            }
            while serving.running.try_join_next().is_some() {}
            let sleep = match self.step(&mut serving).await {
                Ok(None) => {
                    serving.failures = 0;
                    continue;
                }
                Ok(Some(sleep)) => {
                    serving.failures = 0;
                    sleep
                }
                Err(error) => self.claiming_failed(&mut serving, &error),
            };
            let is_failing = serving.failures > 0;
            let of_queue = self.wake_of(queue);
            tokio::select! {
                () = of_queue.work.notified() => {}
                Some(_) = serving.running.join_next(), if !is_failing => {}
                () = tokio::time::sleep(sleep) => {}
                _ = stop.changed() => {}
            }
        }
        if matches!(queue, Queue::Looks | Queue::SlowLooks) {
            // Nobody waits for silent servers: what they say later is asked for again.
            serving.running.shutdown().await;
        }
        serving.running
    }

    /// Says so, once in a while, and tells how long to leave the database alone.
    fn claiming_failed(&self, serving: &mut Serving, error: &StoreError) -> Duration {
        if self.0.worker.seldom("claiming") {
            tracing::error!(%error, "claiming jobs failed");
        }
        serving.failures = (serving.failures + 1).min(8);
        let sleep = PATIENCE * 2_u32.pow(serving.failures - 1);
        sleep.min(LONGEST_OUTAGE_SLEEP)
    }

    /// Claims what is due and may be begun. How long to sleep if that was nothing.
    async fn step(&self, serving: &mut Serving) -> Result<Option<Duration>, StoreError> {
        if self.store.is_behind() {
            return Ok(Some(PATIENCE));
        }
        let wait = self.until_due(serving.queue).await?;
        if !wait.is_zero() {
            return Ok(Some(wait.min(PATIENCE)));
        }
        let free = serving.shares.lock().free();
        if free == 0 || !self.0.worker.leases.are_renewed() {
            return Ok(Some(PATIENCE));
        }
        if self.claim_into(serving, free).await? > 0 {
            return Ok(None);
        }
        // Another replica was faster, or what is due is of owners that have their share.
        Ok(Some(match serving.queue.is_in_turn() {
            true => SHARED_OUT,
            false => PAUSE,
        }))
    }

    /// How many jobs of a queue run at once.
    fn slots(&self, queue: Queue) -> usize {
        match queue {
            Queue::Work => self.settings.worker_slots,
            Queue::Mail => self.settings.worker_slots.div_ceil(2),
            Queue::Looks => self.settings.look_slots,
            Queue::SlowLooks => self.settings.look_slots.div_ceil(2),
        }
    }

    /// Runs what is due, and answers once nothing is due or under way: how many jobs that were. A job that met
    /// another one, and comes again in a moment, is waited for.
    pub async fn run_due_jobs(&self) -> Result<u64, AppError> {
        let wake = &self.0.worker;
        let before = wake.done.load(Ordering::SeqCst);
        loop {
            let progress = wake.progress.notified();
            self.wake_worker();
            let done = wake.done.load(Ordering::SeqCst);
            // A job that ran while the due ones were counted may have left another one that was not.
            let soon = self.clock.now() + LONGEST_MOMENT;
            if self.store.is_behind() {
                // None is begun any more.
                return Ok(done - before);
            }
            if wake.busy.load(Ordering::SeqCst) == 0
                && self.store.count_due(soon).await? == 0
                && wake.busy.load(Ordering::SeqCst) == 0
                && wake.done.load(Ordering::SeqCst) == done
            {
                return Ok(done - before);
            }
            // The bound covers a claim that found nothing; it ends without progress.
            let _ = tokio::time::timeout(Duration::from_millis(20), progress).await;
        }
    }

    fn wake_of(&self, queue: Queue) -> &QueueWake {
        let mut queues = self.0.worker.queues.iter();
        let found = queues.find(|of_queue| of_queue.queue == queue);
        found.expect("every queue is there")
    }

    fn beat(&self, queue: Queue) {
        let now = self.0.worker.millis();
        let heartbeat = &self.wake_of(queue).heartbeat_millis;
        heartbeat.store(now, Ordering::SeqCst);
    }

    /// Claims jobs and starts them; tells how many.
    async fn claim_into(&self, serving: &mut Serving, free: usize) -> Result<usize, StoreError> {
        // Claimed jobs are not due any more; being busy keeps them seen until they run.
        let busy = &self.0.worker.busy;
        busy.fetch_add(1, Ordering::SeqCst);
        let claimed = self.claim(serving, free).await;
        let count = claimed.as_ref().map_or(0, Vec::len);
        for job in claimed.iter().flatten().cloned() {
            let slot = Slot::take(&serving.shares, job.owner);
            let held = Held::new(self, job.id, job.attempt);
            let busy = Busy::new(self);
            let app = self.clone();
            serving.running.spawn(async move {
                app.run_or_set_aside(&job).await;
                drop((held, slot, busy));
            });
        }
        busy.fetch_sub(1, Ordering::SeqCst);
        claimed.map(|_| count)
    }

    async fn claim(
        &self,
        serving: &mut Serving,
        free: usize,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        let leases = &self.0.worker.leases;
        let _steady = leases.steady().await;
        let now = self.clock.now();
        let (queue, lease) = (serving.queue, leases.lease(now));
        if !queue.is_in_turn() {
            let limit = i64::try_from(free).unwrap_or(i64::MAX);
            return self.store.claim_jobs(queue, now, lease, limit).await;
        }
        if serving.round.is_over() {
            self.begin_round(serving, now).await?;
        }
        let turns = serving.round.turns(&serving.shares.lock());
        self.store.claim_in_turn(queue, now, lease, &turns).await
    }

    /// Finds who is next, after those who were served last.
    async fn begin_round(&self, serving: &mut Serving, now: Timestamp) -> Result<(), StoreError> {
        let Serving { queue, round, .. } = serving;
        let find = |after| self.store.owners_due(*queue, now, after, OWNERS_A_ROUND);
        let mut owners = find(round.last).await?;
        if owners.is_empty() {
            owners = find(Round::START).await?;
        }
        round.begin(owners);
        Ok(())
    }

    /// Puts back what an earlier release has parked because it did not know the kind, and what a clock has put off
    /// that was ahead.
    async fn look_after_queue(&self) {
        let now = self.clock.now();
        let mut change = Change::new();
        change.unpark_jobs(&Task::kinds(), Some(UNKNOWN_KIND), now);
        end_long_rests(&mut change, now);
        if let Err(error) = self.store.commit(change).await
            && self.0.worker.seldom("unparking")
        {
            tracing::error!(%error, "putting parked jobs back failed");
        }
    }

    /// How long until a job of a queue is due: a read, so that an idle worker writes nothing.
    async fn until_due(&self, queue: Queue) -> Result<Duration, StoreError> {
        Ok(match self.store.next_due(queue).await? {
            Some(due) => {
                let wait = due.duration_since(self.clock.now());
                Duration::try_from(wait).unwrap_or(Duration::ZERO)
            }
            None => PATIENCE,
        })
    }

    pub(super) async fn run_job(&self, job: &ClaimedJob) -> Result<(), AppError> {
        match Task::parse(&job.kind, job.subject) {
            Some(Task::PollDcv(id)) => self.poll_dcv(job, id).await,
            Some(Task::MailApprovers(id)) => self.mail_approvers(job, id).await,
            Some(Task::PollDomain(id)) => self.poll_domain(job, id).await,
            Some(Task::MailDomainApprover(id)) => self.mail_domain_approver(job, id).await,
            Some(Task::Sign(id)) => self.sign_claimed(job, id).await,
            Some(Task::Supersede(id)) => self.supersede(job, id).await,
            Some(Task::Tend(id)) => self.tend(job, id).await,
            Some(Task::MailNotice(id)) => self.mail_notice(job, id, Party::People).await,
            Some(Task::MailNoticeToReseller(id)) => {
                self.mail_notice(job, id, Party::Reseller).await
            }
            Some(Task::TendOrders(id)) => self.tend_orders(job, id).await,
            Some(Task::MailPassword(id)) => self.send_password(job, id).await,
            Some(Task::VetByItself(id)) => self.vet_by_itself(job, id).await,
            Some(Task::RevokeKey(id)) => self.revoke_key(job, id).await,
            Some(Task::RefreshCrl) => self.refresh_crl(job).await,
            Some(Task::FollowIssuingCa) => self.follow_issuing_ca_daily(job).await,
            Some(Task::ReplaceCertificates(number)) => self.replace_certificates(job, number).await,
            Some(Task::Housekeep) => self.housekeep(job).await,
            Some(Task::IndexNames) => self.index_names(job).await,
            Some(Task::IndexContacts) => self.index_contacts(job).await,
            None => self.park_unknown(job).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_dead_that_lets_one_queue_go_unserved() {
        let wake = Wake::default();
        assert!(!wake.is_alive(0), "it has not begun");
        let beat = |index: usize, at| {
            let queue: &QueueWake = &wake.queues[index];
            queue.heartbeat_millis.store(at, Ordering::SeqCst);
        };
        for index in 0..Queue::ALL.len() {
            assert!(!wake.is_alive(1));
            beat(index, 1);
        }
        assert!(wake.is_alive(30_000));
        for index in 1..Queue::ALL.len() {
            beat(index, 25_000);
        }
        assert!(!wake.is_alive(30_001));
        beat(0, 30_001);
        assert!(wake.is_alive(50_000));
    }
}
