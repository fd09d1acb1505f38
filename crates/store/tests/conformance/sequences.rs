//! Ids: never twice, whoever asks.

use std::collections::HashSet;

use chancery_store::{Sequence, Store};
use futures_util::future::join_all;

use crate::bed::{Bed, on_both_engines};

on_both_engines!(
    an_id_is_given_once_across_tasks_and_stores,
    sequences_start_where_people_expect,
    a_sequence_goes_on_after_a_restart,
);

async fn an_id_is_given_once_across_tasks_and_stores(bed: &Bed) {
    let other = bed.another().await;
    let askers = (0..16).map(|asker| {
        let store = if asker % 2 == 0 {
            bed.store.clone()
        } else {
            other.clone()
        };
        tokio::spawn(async move { take(&store, 500).await })
    });
    let ids: Vec<i64> = join_all(askers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    assert_eq!(ids.len(), 8_000);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 8_000);
    other.close().await;
}

async fn take(store: &Store, count: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(store.next_id(Sequence::Row).await.unwrap());
    }
    assert!(ids.is_sorted());
    ids
}

async fn sequences_start_where_people_expect(bed: &Bed) {
    for (sequence, first) in [
        (Sequence::Order, 1_000_000_001),
        (Sequence::Contact, 10_001),
        (Sequence::Reseller, 2_001),
        (Sequence::Organization, 1),
        (Sequence::Row, 1),
    ] {
        assert_eq!(bed.store.next_id(sequence).await.unwrap(), first);
        assert_eq!(bed.store.next_id(sequence).await.unwrap(), first + 1);
    }
}

async fn a_sequence_goes_on_after_a_restart(bed: &Bed) {
    let first = take(&bed.store, 100).await;
    let again = bed.another().await;
    let second = take(&again, 1).await;
    assert!(second[0] > first[99]);
    again.close().await;
}
