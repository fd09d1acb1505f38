//! What operators look at and put right: orders of all resellers, jobs, and movements on accounts.

use chancery_domain::ledger::{CorrectionError, Posting, PostingKind};
use chancery_domain::orders::OrderId;
use chancery_domain::resellers::ResellerId;
use chancery_domain::stages::Stage;
use chancery_store::orders::OrderListFilter;
use chancery_store::{Change, JobFilter, JobId, JobSubjects, Lease, NewJob, Queue, StoreError};

use crate::bed::{Bed, on_both_engines};
use crate::things::{OURS, THEIRS, at, commit, name, store_an_order, store_resellers, usd};

on_both_engines!(
    orders_of_all_resellers_are_listed,
    movements_on_an_account_are_told_and_corrected_once,
    jobs_are_listed_by_state_and_order,
    a_job_is_made_due_whatever_it_waits_for,
);

async fn orders_of_all_resellers_are_listed(bed: &Bed) {
    store_an_order(bed, 101).await;
    store_an_order(bed, 201).await;
    let found = async |filter: OrderListFilter| {
        let found = bed.store.list_orders(&filter, 9).await.unwrap();
        found.iter().map(|order| order.id.0).collect::<Vec<_>>()
    };
    let all = OrderListFilter::default;
    assert_eq!(found(all()).await, [201, 101]);
    let before = Some(OrderId(201));
    assert_eq!(found(OrderListFilter { before, ..all() }).await, [101]);
    // Any of its names, and no part of one.
    for (text, count) in [
        ("shop.example", 2),
        ("*.shop.example", 2),
        ("hop.example", 0),
    ] {
        let name = Some(name(text));
        assert_eq!(
            found(OrderListFilter { name, ..all() }).await.len(),
            count,
            "{text}"
        );
    }
    for (stage, count) in [(Stage::Placed, 2), (Stage::Active, 0)] {
        let stage = Some(stage);
        assert_eq!(found(OrderListFilter { stage, ..all() }).await.len(), count);
    }
    for (reseller, count) in [(OURS, 2), (THEIRS, 0), (ResellerId(9), 0)] {
        let reseller = Some(reseller);
        assert_eq!(
            found(OrderListFilter { reseller, ..all() }).await.len(),
            count
        );
    }
    let listed = bed.store.list_orders(&all(), 1).await.unwrap().remove(0);
    assert_eq!((listed.reseller, listed.price), (OURS, usd(1_999)));
    assert_eq!(listed.common_name, "shop.example");
}

async fn movements_on_an_account_are_told_and_corrected_once(bed: &Bed) {
    store_resellers(bed).await;
    let post = async |posting: &Posting| {
        let entries = [posting.id + 1, posting.id + 2];
        let mut change = Change::new();
        change.post(posting, entries);
        bed.store.commit(change).await.map(drop)
    };
    let credit = Posting::credit(10, OURS, usd(500), Some("☃".to_owned()), at(1));
    post(&credit).await.unwrap();
    post(&Posting::debit(20, OURS, usd(200), None, at(2)))
        .await
        .unwrap();
    let balance = async || bed.store.balance(OURS).await.unwrap();
    assert_eq!(balance().await, Some(usd(300)));
    let entry = bed.store.account_entry(OURS, 10).await.unwrap().unwrap();
    assert_eq!((entry.amount, entry.kind), (usd(500), PostingKind::Credit));
    assert_eq!(entry.note.as_deref(), Some("☃"));
    assert_eq!(bed.store.account_entry(THEIRS, 10).await.unwrap(), None);

    // More than is left.
    let correction =
        |id, entry| Posting::correction(id, entry, "mistake".to_owned(), at(3)).unwrap();
    let refused = post(&correction(30, &entry)).await;
    assert!(
        matches!(refused, Err(StoreError::Refused("balance"))),
        "{refused:?}"
    );
    let debit = bed.store.account_entry(OURS, 20).await.unwrap().unwrap();
    assert_eq!(debit.amount, -usd(200));
    post(&correction(40, &debit)).await.unwrap();
    assert_eq!(balance().await, Some(usd(500)));
    // Once only, whatever the balance allows.
    let again = post(&correction(50, &debit)).await;
    assert!(
        matches!(again, Err(StoreError::Refused("posting"))),
        "{again:?}"
    );
    assert_eq!(balance().await, Some(usd(500)));
    post(&correction(60, &entry)).await.unwrap();
    assert_eq!(balance().await, Some(usd(0)));

    let entries = bed.store.account_entries(OURS, i64::MAX, 9).await.unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.posting, entry.corrects))
        .collect();
    assert_eq!(
        told,
        [(60, Some(10)), (40, Some(20)), (20, None), (10, None)]
    );
    let sum: i64 = entries.iter().map(|entry| entry.amount.minor).sum();
    assert_eq!((sum, bed.store.ledger_sum().await.unwrap()), (0, 0));
    let page = bed.store.account_entries(OURS, 40, 1).await.unwrap();
    assert_eq!(page[0].posting, 20);
    let of_correction = Posting::correction(70, &entries[0], String::new(), at(4));
    assert_eq!(of_correction, Err(CorrectionError::Correction));
}

const SUBJECTS: JobSubjects<'static> = JobSubjects {
    orders: &["tend"],
    issuances: &["poll_dcv", "sign"],
    notices: &["mail_notice"],
};

fn lease() -> Lease {
    Lease {
        holder: 77,
        until: at(100),
    }
}

fn a_job(id: i64, kind: &'static str, subject: i64) -> NewJob<'static> {
    NewJob {
        id: JobId(id),
        kind,
        subject,
        queue: Queue::Work,
        owner: 0,
        created_at: at(1),
        dedup: None,
    }
}

async fn some_jobs(bed: &Bed) -> OrderId {
    let (order, issuance) = store_an_order(bed, 101).await;
    commit(bed, |change| {
        change.enqueue(a_job(901, "tend", order.id.0), at(50));
        change.enqueue(a_job(902, "poll_dcv", issuance.id.0), at(10));
        change.enqueue(a_job(903, "refresh_crl", 0), at(60));
        change.enqueue(a_job(904, "sign", 7), at(5));
    })
    .await
    .unwrap();
    let claimed = bed
        .store
        .claim_jobs(Queue::Work, at(10), lease(), 9)
        .await
        .unwrap();
    for job in claimed {
        let failed = |change: &mut Change| match job.id.0 {
            902 => change.retry_job(job.id, job.attempt, at(80), "no answer"),
            _ => change.park_job(job.id, job.attempt, at(11), "no such run"),
        };
        commit(bed, failed).await.unwrap();
    }
    order.id
}

async fn jobs_are_listed_by_state_and_order(bed: &Bed) {
    let order = some_jobs(bed).await;
    let found = async |filter, order| {
        let jobs = bed
            .store
            .list_jobs(filter, order, &SUBJECTS, 9)
            .await
            .unwrap();
        jobs.iter().map(|job| job.id.0).collect::<Vec<_>>()
    };
    assert_eq!(found(JobFilter::Parked, None).await, [904]);
    assert_eq!(found(JobFilter::Failing, None).await, [902]);
    assert_eq!(found(JobFilter::Waiting, None).await, [901, 903]);
    assert_eq!(found(JobFilter::All, Some(order)).await, [901, 902]);
    assert_eq!(found(JobFilter::Failing, Some(OrderId(9))).await, [0; 0]);
    let job = bed.store.job(JobId(902), &SUBJECTS).await.unwrap().unwrap();
    assert_eq!((job.order, job.tries, job.run_at), (Some(order), 1, at(80)));
    assert_eq!(job.last_error.as_deref(), Some("no answer"));
    let parked = bed.store.job(JobId(904), &SUBJECTS).await.unwrap().unwrap();
    assert_eq!((parked.order, parked.parked_at), (None, Some(at(11))));
    assert_eq!(bed.store.job(JobId(1), &SUBJECTS).await.unwrap(), None);
}

async fn a_job_is_made_due_whatever_it_waits_for(bed: &Bed) {
    some_jobs(bed).await;
    for id in [901, 902, 904] {
        commit(bed, |change| change.run_job_now(JobId(id), at(20)))
            .await
            .unwrap();
    }
    let claimed = bed
        .store
        .claim_jobs(Queue::Work, at(20), lease(), 9)
        .await
        .unwrap();
    let mut ids: Vec<i64> = claimed.iter().map(|job| job.id.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, [901, 902, 904]);
    assert!(claimed.iter().all(|job| job.tries == 1));
    // A run under way counts for nothing.
    let held = claimed.into_iter().find(|job| job.id.0 == 901).unwrap();
    commit(bed, |change| change.run_job_now(held.id, at(21)))
        .await
        .unwrap();
    let lost = commit(bed, |change| change.finish_job(held.id, held.attempt)).await;
    assert!(matches!(lost, Err(StoreError::Conflict { .. })), "{lost:?}");
    let none = commit(bed, |change| change.run_job_now(JobId(1), at(20))).await;
    assert!(matches!(none, Err(StoreError::Conflict { .. })), "{none:?}");
}
