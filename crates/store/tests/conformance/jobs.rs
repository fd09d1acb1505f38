//! The job queue: each job once, whoever asks, and no end without a claim.

use std::collections::HashSet;

use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::{
    Change, ClaimedJob, JobCounts, JobId, Lease, NewJob, Queue, StoreError, Turn,
};
use futures_util::future::join_all;

use crate::bed::{Bed, on_both_engines};

on_both_engines!(
    a_job_is_claimed_when_due_and_once,
    many_workers_claim_each_job_once,
    a_lease_that_ended_is_claimed_again,
    a_stale_worker_ends_nothing,
    a_postponed_job_starts_its_tries_over,
    a_failed_job_keeps_its_tries,
    a_parked_job_waits_for_an_operator,
    jobs_of_unknown_kinds_come_back_when_they_are_known,
    a_dedup_key_holds_one_job,
    who_asks_for_a_run_gets_one_that_begins_later,
    who_asks_by_an_earlier_time_takes_no_claim,
    a_rest_begun_by_a_clock_that_was_ahead_holds_up_nobody,
    what_a_clock_ahead_has_put_off_is_pulled_back,
    a_job_asked_for_anew_takes_the_claim_back,
    a_job_handed_over_is_nobody_elses,
    the_longest_waiting_goes_first,
    a_waiting_job_is_brought_forward,
    leases_are_released_at_a_start,
    a_lease_is_renewed_while_its_holder_has_it,
    runs_that_came_to_no_end_are_counted,
    a_late_renewal_moves_nothing_that_has_ended,
    a_holder_gives_back_what_it_will_not_end,
    each_queue_is_claimed_from_on_its_own,
    who_waits_behind_anothers_thousands_is_found,
    owners_are_found_in_rounds,
    a_job_moves_to_another_queue,
    parked_and_late_jobs_are_counted,
);

/// The process that these tests are, unless they say otherwise.
const HOLDER: i64 = 77;

/// The longest rest.
const LONGEST: SignedDuration = SignedDuration::from_secs(100);

/// The longest lease, by the clock of another process.
const LONGEST_LEASE: SignedDuration = SignedDuration::from_secs(80);

/// A lease of that process.
fn until(seconds: i64) -> Lease {
    Lease {
        holder: HOLDER,
        until: at(seconds),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn job(id: i64) -> NewJob<'static> {
    NewJob {
        id: JobId(id),
        kind: "poll",
        subject: id * 10,
        queue: Queue::Work,
        owner: 0,
        created_at: at(0),
        dedup: None,
    }
}

async fn enqueue(bed: &Bed, job: NewJob<'_>, run_at: Timestamp) {
    let mut change = Change::new();
    change.enqueue(job, run_at);
    bed.store.commit(change).await.unwrap();
}

async fn claim_one(bed: &Bed, now: i64) -> ClaimedJob {
    let mut jobs = bed
        .store
        .claim_jobs(Queue::Work, at(now), until(now + 60), 10)
        .await
        .unwrap();
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

async fn commit(bed: &Bed, add: impl FnOnce(&mut Change)) -> Result<(), StoreError> {
    let mut change = Change::new();
    add(&mut change);
    bed.store.commit(change).await.map(drop)
}

fn is_conflict(outcome: &Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Conflict { what: "job", .. }))
}

async fn a_job_is_claimed_when_due_and_once(bed: &Bed) {
    assert_eq!(bed.store.next_due(Queue::Work).await.unwrap(), None);
    enqueue(bed, job(1), at(10)).await;
    assert_eq!(bed.store.next_due(Queue::Work).await.unwrap(), Some(at(10)));
    assert_eq!(bed.store.count_due(at(9)).await.unwrap(), 0);
    assert!(
        bed.store
            .claim_jobs(Queue::Work, at(9), until(60), 10)
            .await
            .unwrap()
            .is_empty()
    );

    assert_eq!(bed.store.count_due(at(10)).await.unwrap(), 1);
    let claimed = claim_one(bed, 10).await;
    let expected = ClaimedJob {
        id: JobId(1),
        kind: "poll".into(),
        subject: 10,
        attempt: 1,
        tries: 1,
        lost: 0,
        owner: 0,
        queue: Queue::Work,
    };
    assert_eq!(claimed, expected);
    assert!(
        bed.store
            .claim_jobs(Queue::Work, at(10), until(60), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(bed.store.next_due(Queue::Work).await.unwrap(), Some(at(70)));

    commit(bed, |change| change.finish_job(JobId(1), 1))
        .await
        .unwrap();
    assert_eq!(bed.store.next_due(Queue::Work).await.unwrap(), None);
}

async fn many_workers_claim_each_job_once(bed: &Bed) {
    const JOBS: i64 = 500;
    let mut change = Change::new();
    for id in 1..=JOBS {
        change.enqueue(job(id), at(0));
    }
    bed.store.commit(change).await.unwrap();
    let other = bed.another().await;
    let workers = (0..8).map(|worker| {
        let store = if worker % 2 == 0 {
            bed.store.clone()
        } else {
            other.clone()
        };
        tokio::spawn(async move {
            let mut done = Vec::new();
            loop {
                let claimed = store
                    .claim_jobs(Queue::Work, at(1), until(100), 7)
                    .await
                    .unwrap();
                if claimed.is_empty() {
                    return done;
                }
                for job in claimed {
                    let mut change = Change::new();
                    change.finish_job(job.id, job.attempt);
                    store.commit(change).await.unwrap();
                    done.push(job.id);
                }
            }
        })
    });
    let done: Vec<JobId> = join_all(workers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    assert_eq!(done.len(), JOBS as usize);
    assert_eq!(done.iter().collect::<HashSet<_>>().len(), JOBS as usize);
    assert_eq!(bed.store.count_due(at(1_000)).await.unwrap(), 0);
    other.close().await;
}

async fn a_lease_that_ended_is_claimed_again(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    claim_one(bed, 0).await;
    let again = claim_one(bed, 60).await;
    assert_eq!((again.attempt, again.tries), (2, 2));
}

async fn a_stale_worker_ends_nothing(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    let stale = claim_one(bed, 0).await;
    let fresh = claim_one(bed, 60).await;
    let id = JobId(1);
    let outcomes = [
        commit(bed, |change| change.finish_job(id, stale.attempt)).await,
        commit(bed, |change| change.postpone_job(id, stale.attempt, at(99))).await,
        commit(bed, |change| {
            change.retry_job(id, stale.attempt, at(99), "no");
        })
        .await,
        commit(bed, |change| {
            change.park_job(id, stale.attempt, at(99), "no");
        })
        .await,
    ];
    assert!(outcomes.iter().all(is_conflict), "{outcomes:?}");

    // Neither does one whose job was put back meanwhile and claimed anew.
    commit(bed, |change| {
        change.postpone_job(id, fresh.attempt, at(200));
    })
    .await
    .unwrap();
    let third = claim_one(bed, 200).await;
    assert_eq!(third.tries, 1);
    for old in [stale.attempt, fresh.attempt] {
        assert!(is_conflict(
            &commit(bed, |change| change.finish_job(id, old)).await
        ));
    }
    commit(bed, |change| change.finish_job(id, third.attempt))
        .await
        .unwrap();
    assert!(is_conflict(
        &commit(bed, |change| change.finish_job(id, third.attempt)).await
    ));
}

async fn a_postponed_job_starts_its_tries_over(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    for round in 1..=3 {
        let claimed = claim_one(bed, round * 100).await;
        assert_eq!((claimed.attempt, claimed.tries), (round, 1));
        let put_back = at(round * 100 + 100);
        commit(bed, |change| {
            change.postpone_job(claimed.id, claimed.attempt, put_back);
        })
        .await
        .unwrap();
        assert_eq!(
            bed.store.next_due(Queue::Work).await.unwrap(),
            Some(put_back)
        );
    }
}

async fn a_failed_job_keeps_its_tries(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    for round in 1..=3 {
        let claimed = claim_one(bed, round * 100).await;
        assert_eq!(claimed.tries, round);
        commit(bed, |change| {
            change.retry_job(
                claimed.id,
                claimed.attempt,
                at(round * 100 + 100),
                "it broke",
            );
        })
        .await
        .unwrap();
    }
    assert_eq!(
        bed.rows("select last_error from jobs").await[0]
            .text(0)
            .unwrap(),
        "it broke"
    );
}

async fn a_parked_job_waits_for_an_operator(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    let claimed = claim_one(bed, 0).await;
    commit(bed, |change| {
        change.park_job(claimed.id, claimed.attempt, at(1), "no such kind");
    })
    .await
    .unwrap();
    assert_eq!(bed.store.next_due(Queue::Work).await.unwrap(), None);
    assert_eq!(bed.store.count_due(at(1_000)).await.unwrap(), 0);
    assert_eq!(bed.store.parked_jobs().await.unwrap().len(), 1);
    assert!(
        bed.store
            .claim_jobs(Queue::Work, at(1_000), until(2_000), 10)
            .await
            .unwrap()
            .is_empty()
    );

    commit(bed, |change| change.unpark_job(claimed.id, at(5)))
        .await
        .unwrap();
    assert!(is_conflict(
        &commit(bed, |change| change.unpark_job(claimed.id, at(5))).await
    ));
    assert_eq!(claim_one(bed, 5).await.tries, 1);
}

async fn jobs_of_unknown_kinds_come_back_when_they_are_known(bed: &Bed) {
    for id in 1..=3 {
        let kind = if id == 3 { "later still" } else { "later" };
        enqueue(bed, NewJob { kind, ..job(id) }, at(10)).await;
        let claimed = claim_one(bed, 10).await;
        let reason = if id == 2 { "broken" } else { "unknown" };
        let (id, attempt) = (claimed.id, claimed.attempt);
        commit(bed, |change| change.park_job(id, attempt, at(11), reason))
            .await
            .unwrap();
    }
    for _ in 0..2 {
        commit(bed, |change| {
            change.unpark_jobs(&["later", "other"], Some("unknown"), at(20));
        })
        .await
        .unwrap();
    }
    let claimed = claim_one(bed, 20).await;
    assert_eq!((claimed.id, claimed.tries), (JobId(1), 1));
    assert_eq!(bed.store.parked_jobs().await.unwrap().len(), 2);
    // Whatever the reason.
    commit(bed, |change| change.unpark_jobs(&["later"], None, at(30)))
        .await
        .unwrap();
    assert_eq!(claim_one(bed, 30).await.id, JobId(2));
}

async fn a_dedup_key_holds_one_job(bed: &Bed) {
    let keyed = |id| NewJob {
        dedup: Some("crl"),
        ..job(id)
    };
    enqueue(bed, keyed(1), at(0)).await;
    enqueue(bed, keyed(2), at(0)).await;
    let claimed = claim_one(bed, 0).await;
    assert_eq!(claimed.id, JobId(1));
    commit(bed, |change| {
        change.finish_job(claimed.id, claimed.attempt);
        change.enqueue(keyed(3), at(7));
    })
    .await
    .unwrap();
    assert_eq!(claim_one(bed, 7).await.id, JobId(3));
}

async fn a_job_asked_for_anew_takes_the_claim_back(bed: &Bed) {
    let keyed = |id| NewJob {
        dedup: Some("mail-1"),
        ..job(id)
    };
    let anew = async |id, run_at| {
        commit(bed, |change| change.enqueue_anew(keyed(id), at(run_at)))
            .await
            .unwrap();
    };
    anew(1, 5).await;
    let old = claim_one(bed, 5).await;
    anew(2, 6).await;
    let finish = |job: &ClaimedJob| {
        let (id, attempt) = (job.id, job.attempt);
        commit(bed, move |change| change.finish_job(id, attempt))
    };
    assert!(is_conflict(&finish(&old).await));
    let new = claim_one(bed, 6).await;
    assert_eq!((new.id, new.tries), (old.id, 1));
    finish(&new).await.unwrap();
    assert_eq!(bed.store.next_due(Queue::Work).await.unwrap(), None);

    // What is to be done sooner is not put off by what is to be done later.
    anew(3, 10).await;
    anew(4, 90).await;
    assert_eq!(bed.store.next_due(Queue::Work).await.unwrap(), Some(at(10)));
    anew(5, 8).await;
    assert_eq!(bed.store.next_due(Queue::Work).await.unwrap(), Some(at(8)));
}

async fn a_job_handed_over_is_nobody_elses(bed: &Bed) {
    commit(bed, |change| change.enqueue_claimed(job(1), until(60)))
        .await
        .unwrap();
    assert!(
        bed.store
            .claim_jobs(Queue::Work, at(59), until(99), 10)
            .await
            .unwrap()
            .is_empty()
    );
    commit(bed, |change| change.finish_job(JobId(1), 1))
        .await
        .unwrap();

    commit(bed, |change| change.enqueue_claimed(job(2), until(60)))
        .await
        .unwrap();
    assert_eq!(claim_one(bed, 60).await.tries, 2);
}

async fn the_longest_waiting_goes_first(bed: &Bed) {
    for (id, run_at) in [(1, 30), (2, 10), (3, 20)] {
        enqueue(bed, job(id), at(run_at)).await;
    }
    let mut order = Vec::new();
    for _ in 0..3 {
        let claimed = bed
            .store
            .claim_jobs(Queue::Work, at(50), until(90), 1)
            .await
            .unwrap();
        order.push(claimed[0].id.0);
    }
    assert_eq!(order, [2, 3, 1]);
}

async fn a_waiting_job_is_brought_forward(bed: &Bed) {
    enqueue(bed, job(1), at(100)).await;
    enqueue(bed, job(2), at(100)).await;
    let bring = async |kind: &str, subject, seconds| {
        commit(bed, |change| {
            change.bring_forward(kind, subject, at(seconds));
        })
        .await
        .unwrap();
        bed.store.next_due(Queue::Work).await.unwrap()
    };
    assert_eq!(bring("sign", 10, 5).await, Some(at(100)));
    assert_eq!(bring("poll", 30, 5).await, Some(at(100)));
    assert_eq!(bring("poll", 10, 200).await, Some(at(100)));
    assert_eq!(bring("poll", 10, 5).await, Some(at(5)));
    assert_eq!(bed.store.count_due(at(99)).await.unwrap(), 1);

    // One that is being worked on is left alone.
    let claimed = claim_one(bed, 5).await;
    assert_eq!(bring("poll", 10, 6).await, Some(at(65)));
    commit(bed, |change| change.finish_job(claimed.id, claimed.attempt))
        .await
        .unwrap();
}

async fn leases_are_released_at_a_start(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    enqueue(bed, job(2), at(500)).await;
    claim_one(bed, 0).await;
    assert_eq!(bed.store.count_due(at(10)).await.unwrap(), 0);
    bed.store.release_all_leases(at(10)).await.unwrap();
    let again = claim_one(bed, 10).await;
    assert_eq!((again.id, again.attempt, again.tries), (JobId(1), 2, 2));
    // One of a process whose clock was ahead by days, too.
    let ahead = bed
        .store
        .claim_jobs(Queue::Work, at(500_000), until(500_060), 10);
    assert_eq!(ahead.await.unwrap().len(), 2);
    bed.store.release_all_leases(at(20)).await.unwrap();
    assert_eq!(bed.store.count_due(at(20)).await.unwrap(), 2);
}

async fn who_asks_for_a_run_gets_one_that_begins_later(bed: &Bed) {
    enqueue(bed, job(1), at(1_000)).await;
    let ask = async |now| {
        commit(bed, |change| {
            change.ask_for_run("poll", 10, at(now), LONGEST, LONGEST_LEASE);
        })
        .await
        .unwrap();
    };
    let asked = async || bed.store.runs_asked_for(JobId(1)).await.unwrap();
    let rest = async |run: &ClaimedJob, served, until, later| {
        let (until, later) = (at(until), at(later));
        commit(bed, |change| {
            change.rest_job(run.id, run.attempt, served, until, later);
        })
        .await
        .unwrap();
    };
    let due = async || bed.store.next_due(Queue::Work).await.unwrap();
    // Many ask, and one run serves them.
    for now in [10, 11, 12] {
        ask(now).await;
    }
    assert_eq!((asked().await, due().await), (3, Some(at(10))));
    let run = claim_one(bed, 12).await;
    // Another asks while it runs: it gets a run of its own, after the rest.
    ask(13).await;
    rest(&run, 3, 40, 2_000).await;
    assert_eq!((asked().await, due().await), (1, Some(at(40))));
    // Who asks in the rest does not shorten it.
    let run = claim_one(bed, 40).await;
    rest(&run, 1, 60, 2_000).await;
    assert_eq!((asked().await, due().await), (0, Some(at(2_000))));
    ask(41).await;
    assert_eq!((asked().await, due().await), (1, Some(at(60))));
    // And after it, at once.
    let run = claim_one(bed, 60).await;
    rest(&run, 1, 80, 2_000).await;
    ask(100).await;
    assert_eq!(due().await, Some(at(100)));
}

async fn who_asks_by_an_earlier_time_takes_no_claim(bed: &Bed) {
    // A rest lasts as long as a lease, and who asks has read the clock before the job was claimed.
    let (rest, longest_lease) = (SignedDuration::from_secs(20), SignedDuration::from_secs(40));
    enqueue(bed, job(1), at(10)).await;
    let claimed = bed.store.claim_jobs(Queue::Work, at(12), until(32), 1);
    let run = claimed.await.unwrap().remove(0);
    commit(bed, |change| {
        change.ask_for_run("poll", 10, at(11), rest, longest_lease);
        change.end_long_rest("poll", 10, at(11), rest, longest_lease);
    })
    .await
    .unwrap();
    let due = async || bed.store.next_due(Queue::Work).await.unwrap();
    assert_eq!(due().await, Some(at(32)));
    commit(bed, |change| {
        change.rest_job(run.id, run.attempt, 0, at(50), at(2_000));
    })
    .await
    .unwrap();
    assert_eq!(due().await, Some(at(50)), "who asked gets a run");
    // A claim by a clock that was far ahead holds up nobody.
    let claimed = bed
        .store
        .claim_jobs(Queue::Work, at(9_000), until(9_020), 1);
    assert_eq!(claimed.await.unwrap().len(), 1);
    commit(bed, |change| {
        change.ask_for_run("poll", 10, at(60), rest, longest_lease);
    })
    .await
    .unwrap();
    assert_eq!(due().await, Some(at(60)));
}

async fn a_rest_begun_by_a_clock_that_was_ahead_holds_up_nobody(bed: &Bed) {
    enqueue(bed, job(1), at(9_000)).await;
    let ask = async |now| {
        commit(bed, |change| {
            change.ask_for_run("poll", 10, at(now), LONGEST, LONGEST_LEASE);
        })
        .await
        .unwrap();
    };
    let due = async || bed.store.next_due(Queue::Work).await.unwrap();
    ask(9_000).await;
    let run = claim_one(bed, 9_000).await;
    // Who asks while it runs waits for its rest, which lasts until the clock is there again.
    ask(9_000).await;
    commit(bed, |change| {
        change.rest_job(run.id, run.attempt, 1, at(9_020), at(20_000));
    })
    .await
    .unwrap();
    assert_eq!(due().await, Some(at(9_020)));
    let end = async |now| {
        commit(bed, |change| {
            change.end_long_rest("poll", 10, at(now), LONGEST, LONGEST_LEASE);
        })
        .await
        .unwrap();
    };
    end(8_990).await;
    assert_eq!(due().await, Some(at(9_020)), "it is a rest like any other");
    end(100).await;
    assert_eq!(due().await, Some(at(100)));
    let run = claim_one(bed, 100).await;
    commit(bed, |change| {
        change.rest_job(run.id, run.attempt, 1, at(9_020), at(20_000));
    })
    .await
    .unwrap();
    end(100).await;
    assert_eq!(due().await, Some(at(20_000)), "nobody has asked");
    ask(100).await;
    assert_eq!(due().await, Some(at(100)));
}

async fn what_a_clock_ahead_has_put_off_is_pulled_back(bed: &Bed) {
    // Claimed by a process that is gone since, and by one that renews.
    enqueue(bed, job(1), at(10_000)).await;
    claim_one(bed, 10_000).await;
    enqueue(bed, job(2), at(99)).await;
    claim_one(bed, 99).await;
    enqueue(bed, job(3), at(10_500)).await;
    let kind = "daily";
    enqueue(bed, NewJob { kind, ..job(4) }, at(90_000)).await;
    enqueue(bed, job(5), at(50)).await;
    let (by, lease) = (
        SignedDuration::from_secs(10_000),
        SignedDuration::from_secs(60),
    );
    bed.store.pull_jobs_back(at(100), by, lease).await.unwrap();
    commit(bed, |change| change.end_rests(&[kind], at(100), lease))
        .await
        .unwrap();
    let sql = "select run_at from jobs order by id";
    let rows = bed.store.query(sql, Vec::new()).await.unwrap();
    let times: Vec<Timestamp> = rows.iter().map(|row| row.timestamp(0).unwrap()).collect();
    assert_eq!(times, [100, 159, 500, 100, 50].map(at));
}

async fn renew(bed: &Bed, lease: Lease, jobs: &[i64]) {
    let jobs = jobs.iter().map(|id| JobId(*id));
    bed.store.renew_leases(lease, jobs).await.unwrap();
}

async fn runs_that_came_to_no_end_are_counted(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    let mut claimed = claim_one(bed, 0).await;
    for lost in 0..3 {
        assert_eq!(claimed.lost, lost);
        claimed = claim_one(bed, 100 * (lost + 1)).await;
    }
    // Whoever starts alone knows that nobody is at it any more.
    bed.store.release_all_leases(at(301)).await.unwrap();
    claimed = claim_one(bed, 301).await;
    assert_eq!((claimed.lost, claimed.tries), (4, 5));
    commit(bed, |change| {
        change.set_job_aside(claimed.id, claimed.attempt, at(400));
    })
    .await
    .unwrap();
    claimed = claim_one(bed, 400).await;
    assert_eq!((claimed.lost, claimed.tries), (4, 1));
    // An end is an end, be it a failure.
    commit(bed, |change| {
        change.retry_job(claimed.id, claimed.attempt, at(500), "no");
    })
    .await
    .unwrap();
    assert_eq!(claim_one(bed, 500).await.lost, 0);
}

async fn a_lease_is_renewed_while_its_holder_has_it(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    enqueue(bed, job(2), at(500)).await;
    claim_one(bed, 0).await;
    renew(bed, until(90), &[1, 2]).await;
    assert_eq!(bed.store.count_due(at(89)).await.unwrap(), 0);

    // Another process holds nothing of it, and takes it over when the lease has ended.
    let other = |seconds| Lease {
        holder: 78,
        until: at(seconds),
    };
    renew(bed, other(900), &[1, 2]).await;
    let over = bed.store.claim_jobs(Queue::Work, at(90), other(200), 9);
    assert_eq!(over.await.unwrap()[0].attempt, 2);
    renew(bed, until(900), &[1, 2]).await;
    assert_eq!(
        bed.store.next_due(Queue::Work).await.unwrap(),
        Some(at(200))
    );
}

async fn a_late_renewal_moves_nothing_that_has_ended(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    let endings: [fn(&mut Change, &ClaimedJob); 3] = [
        |change, job| change.postpone_job(job.id, job.attempt, at(1_000)),
        |change, job| change.retry_job(job.id, job.attempt, at(1_000), "no"),
        |change, job| change.postpone_into(job.id, job.attempt, Queue::Work, at(1_000)),
    ];
    for end in endings {
        let claimed = claim_one(bed, 1_000).await;
        commit(bed, |change| end(change, &claimed)).await.unwrap();
        renew(bed, until(20), &[1]).await;
        assert_eq!(bed.store.count_due(at(999)).await.unwrap(), 0);
    }
}

async fn a_holder_gives_back_what_it_will_not_end(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    claim_one(bed, 0).await;
    enqueue(bed, job(2), at(0)).await;
    let other = Lease {
        holder: 78,
        until: at(60),
    };
    let theirs = bed.store.claim_jobs(Queue::Work, at(0), other, 9);
    assert_eq!(theirs.await.unwrap().len(), 1);
    let minute = SignedDuration::from_mins(1);
    let released = bed.store.release_leases(HOLDER, at(3), minute);
    released.await.unwrap();
    assert_eq!(claim_one(bed, 3).await.id, JobId(1));
}

async fn each_queue_is_claimed_from_on_its_own(bed: &Bed) {
    for (id, queue) in (1..).zip(Queue::ALL) {
        enqueue(bed, NewJob { queue, ..job(id) }, at(id)).await;
    }
    assert_eq!(bed.store.count_due(at(9)).await.unwrap(), 4);
    for (id, queue) in (1..).zip(Queue::ALL) {
        assert_eq!(bed.store.next_due(queue).await.unwrap(), Some(at(id)));
        let claimed = bed.store.claim_jobs(queue, at(9), until(60), 9);
        let claimed = claimed.await.unwrap();
        assert_eq!((claimed.len(), claimed[0].id), (1, JobId(id)));
    }
}

/// Jobs of an owner in the queue of checks, due at 0.
async fn looks(bed: &Bed, owner: i64, ids: std::ops::Range<i64>) {
    let mut change = Change::new();
    for id in ids {
        let queue = Queue::Looks;
        change.enqueue(
            NewJob {
                queue,
                owner,
                ..job(id)
            },
            at(0),
        );
    }
    bed.store.commit(change).await.unwrap();
}

async fn who_waits_behind_anothers_thousands_is_found(bed: &Bed) {
    looks(bed, 2001, 1..2_001).await;
    looks(bed, 2002, 3_000..3_002).await;
    looks(bed, 0, 3_002..3_003).await;
    let later = NewJob {
        queue: Queue::Looks,
        owner: 2003,
        ..job(4_000)
    };
    enqueue(bed, later, at(50)).await;
    let due = bed.store.owners_due(Queue::Looks, at(9), -1, 10);
    assert_eq!(due.await.unwrap(), [0, 2001, 2002]);

    let turn = |owner| Turn { owner, limit: 2 };
    let turns = [turn(2002), turn(2001), turn(2003), turn(0)];
    let claimed = bed
        .store
        .claim_in_turn(Queue::Looks, at(9), until(60), &turns);
    let mut owners: Vec<i64> = claimed.await.unwrap().iter().map(|job| job.owner).collect();
    owners.sort_unstable();
    assert_eq!(owners, [0, 2001, 2001, 2002, 2002]);
    let due = bed.store.owners_due(Queue::Looks, at(9), -1, 10);
    assert_eq!(due.await.unwrap(), [2001]);
}

async fn owners_are_found_in_rounds(bed: &Bed) {
    for owner in 1..=5 {
        looks(bed, owner, owner * 10..owner * 10 + 3).await;
    }
    let due = async |after| {
        let due = bed.store.owners_due(Queue::Looks, at(0), after, 2);
        due.await.unwrap()
    };
    assert_eq!(due(-1).await, [1, 2]);
    assert_eq!(due(2).await, [3, 4]);
    assert_eq!(due(4).await, [5]);
    assert_eq!(due(5).await, [0; 0]);
    let other = bed.store.owners_due(Queue::SlowLooks, at(0), -1, 9);
    assert_eq!(other.await.unwrap(), [0; 0]);
}

async fn a_job_moves_to_another_queue(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    let claimed = claim_one(bed, 0).await;
    let to = Queue::SlowLooks;
    commit(bed, |change| {
        change.postpone_into(claimed.id, claimed.attempt, to, at(5));
    })
    .await
    .unwrap();
    assert_eq!(bed.store.next_due(Queue::Work).await.unwrap(), None);
    let moved = bed.store.claim_jobs(to, at(5), until(60), 1).await.unwrap();
    assert_eq!((moved[0].attempt, moved[0].tries), (2, 1));
}

async fn parked_and_late_jobs_are_counted(bed: &Bed) {
    enqueue(bed, job(1), at(0)).await;
    let claimed = claim_one(bed, 0).await;
    commit(bed, |change| {
        change.park_job(claimed.id, claimed.attempt, at(1), "it broke");
    })
    .await
    .unwrap();
    enqueue(bed, job(2), at(10)).await;
    enqueue(bed, job(3), at(30)).await;
    looks(bed, 2001, 10..15).await;
    let counts = bed.store.count_jobs(at(20)).await.unwrap();
    let expected = JobCounts {
        parked: 1,
        late: 1,
        late_looks: 5,
    };
    assert_eq!(counts, expected);
}
