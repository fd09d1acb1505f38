//! Counts of calls: sums that several processes add to.

use chancery_domain::Timestamp;
use chancery_domain::rates::{Period, Span};
use chancery_store::call_counts::CallCount;
use chancery_store::retention::Stale;
use futures_util::future::join_all;

use crate::bed::{Bed, on_both_engines};

on_both_engines!(
    counts_add_up_by_subject_and_period,
    many_who_add_at_once_lose_nothing,
    old_counts_are_forgotten,
);

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn periods() -> [Period; 2] {
    let now = moment("2026-11-22T12:00:00Z");
    [Span::Day, Span::Month].map(|span| Period::at(span, now))
}

fn count(subject: &str, period: Period, calls: u64) -> CallCount {
    CallCount {
        subject: subject.to_owned(),
        period,
        calls,
    }
}

async fn all(bed: &Bed) -> Vec<CallCount> {
    let mut all = bed.store.calls_of_all(periods()).await.unwrap();
    all.sort();
    all
}

async fn counts_add_up_by_subject_and_period(bed: &Bed) {
    let [day, month] = periods();
    let add = async |counts: Vec<CallCount>| bed.store.add_calls(counts).await.unwrap();
    assert_eq!(add(Vec::new()).await, []);
    let first = vec![count("ann", day, 3), count("ann", month, 3)];
    assert_eq!(add(first.clone()).await, first);
    let sums = add(vec![
        count("bea", day, 1),
        count("ann", month, 2),
        count("ann", day, 2),
    ])
    .await;
    let wanted = [
        count("ann", day, 5),
        count("ann", month, 5),
        count("bea", day, 1),
    ];
    assert_eq!(sums, wanted);
    assert_eq!(all(bed).await, wanted);

    // More than one change set takes.
    let many: Vec<CallCount> = (0..450)
        .map(|at| count(&format!("many{at:03}"), day, at))
        .collect();
    assert_eq!(add(many.clone()).await, many);
    assert_eq!(all(bed).await.len(), 453);
}

async fn many_who_add_at_once_lose_nothing(bed: &Bed) {
    let [day, month] = periods();
    let adds = (0..40).map(async |at| {
        let mut counts = vec![count("ann", day, 1), count("bea", month, 2)];
        if at % 2 == 0 {
            counts.reverse();
        }
        bed.store.add_calls(counts).await.unwrap()
    });
    let sums = join_all(adds).await;
    let mut of_ann: Vec<u64> = sums.iter().map(|sums| sums[0].calls).collect();
    of_ann.sort_unstable();
    assert_eq!(
        of_ann,
        (1..=40).collect::<Vec<u64>>(),
        "each sum is told once"
    );
    assert_eq!(
        all(bed).await,
        [count("ann", day, 40), count("bea", month, 80)]
    );
}

async fn old_counts_are_forgotten(bed: &Bed) {
    let [day, month] = periods();
    bed.store
        .add_calls(vec![count("ann", day, 1), count("ann", month, 1)])
        .await
        .unwrap();
    let forget = async |before: &str| {
        bed.store
            .prune(Stale::CallCounts, moment(before), 9)
            .await
            .unwrap();
    };
    forget("2026-11-23T00:00:00Z").await;
    assert_eq!(all(bed).await.len(), 2, "the day is just over");
    forget("2026-11-23T00:00:01Z").await;
    assert_eq!(all(bed).await, [count("ann", month, 1)]);
}
