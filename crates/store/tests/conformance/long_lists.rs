//! Lists longer than one reach of their counts and of the index of their names.

use std::collections::BTreeSet;

use chancery_domain::Timestamp;
use chancery_domain::organizations::OrganizationId;
use chancery_domain::stages::Stage;
use chancery_store::order_searches::{LOOKED_AT_MOST, OrderFilter};
use chancery_store::organizations::TextFilter;

use crate::bed::{Bed, on_both_engines};
use crate::searches::{ids, index};
use crate::things::{OURS, store_resellers};

on_both_engines!(
    names_are_found_however_far_the_index_has_come,
    merged_segments_have_what_their_parts_had,
    more_names_than_are_looked_at_are_told,
    pages_reach_over_many_buckets_and_blocks,
);

/// Fills a reseller's list with orders, as the database would have them after as many change sets.
///
/// Of 1,000 orders, 10 are cancelled; the last two digits of the ordinal are in the name.
async fn fill(bed: &Bed, first: i64, last: i64) {
    fill_and_count(bed, first, last, &[20, 15, 10]).await;
}

/// Does so with the counts of these levels.
pub(crate) async fn fill_and_count(bed: &Bed, first: i64, last: i64, levels: &[i64]) {
    bed.apply(
        "insert into orders (id, reseller_id, product_key, product_name, term_years, common_name,
            names, administrator_id, technical_id, issuance_id, amount, currency, state,
            created_at, modified_at, version, ordinal, stage)
        with recursive numbers (n) as (
            select cast($1 as bigint) union all select n + 1 from numbers where n < $2)
        select n, 2001, 'product' || (n % 3), 'Product', 1,
            'shop' || n || '.' || case when n % 100000 = 77777 then 'rare' else 'common' end || '.example',
            '[\"shop.example\"]', 1, 1, n, 0, 'USD', 'open', n * 1000000, 0, 0, n,
            case when n % 1000 < 10 then 'cancelled' else 'placed' end
        from numbers",
        chancery_store::values![first, last],
    )
    .await;
    for level in levels {
        bed.apply(
            "insert into order_counts (reseller_id, level, bucket, product_key, stage, n)
            select reseller_id, cast($1 as bigint), ordinal >> cast(cast($1 as bigint) as integer),
                product_key, stage, count(*)
            from orders group by 1, 3, 4, 5",
            chancery_store::values![*level],
        )
        .await;
    }
    bed.apply(
        "update resellers set order_count = $1 where id = 2001",
        chancery_store::values![last],
    )
    .await;
}

pub(crate) async fn found(
    bed: &Bed,
    filter: &OrderFilter,
    size: u32,
    page: u64,
) -> (Vec<i64>, u64, bool) {
    let skip = (page - 1) * u64::from(size);
    let page = bed
        .store
        .search_orders(OURS, filter, size, skip)
        .await
        .unwrap();
    (ids(&page), page.total, page.is_complete)
}

pub(crate) fn named(text: &str) -> OrderFilter {
    OrderFilter {
        common_name: Some(TextFilter::Contains(text.to_owned())),
        ..OrderFilter::default()
    }
}

async fn names_are_found_however_far_the_index_has_come(bed: &Bed) {
    const LAST: i64 = 133_000;
    store_resellers(bed).await;
    fill(bed, 1, LAST).await;
    // Nothing is indexed, and more is to be looked at than is.
    assert_eq!(
        found(bed, &named(".rare."), 10, 1).await,
        (vec![77_777], 1, false)
    );
    let with = |text: &str, filter: OrderFilter| OrderFilter {
        common_name: named(text).common_name,
        ..filter
    };
    let cancelled = OrderFilter {
        stages: Some(BTreeSet::from([Stage::Cancelled])),
        ..OrderFilter::default()
    };
    let early = OrderFilter {
        placed_before: Some(Timestamp::from_second(70_000).unwrap()),
        ..OrderFilter::default()
    };
    let check = async || {
        let one = |ordinal| (vec![ordinal], 1, true);
        assert_eq!(found(bed, &named(".rare."), 10, 1).await, one(77_777));
        assert_eq!(found(bed, &named("p12345.c"), 10, 1).await, one(12_345));
        let of_13 = 1 + 10 + 100 + 1_000 + 3_001;
        assert_eq!(found(bed, &named("shop13"), 10, 1).await.1, of_13);
        assert_eq!(
            found(bed, &named("nothing"), 10, 1).await,
            (vec![], 0, true)
        );
        let late = with("shop77777", early.clone());
        assert_eq!(found(bed, &late, 5, 1).await, (vec![], 0, true));
        let in_time = with("shop6999.", early.clone());
        assert_eq!(found(bed, &in_time, 5, 1).await, one(6_999));
        let both = with("9.c", cancelled.clone());
        let newest = vec![132_009, 131_009, 130_009];
        assert_eq!(found(bed, &both, 3, 1).await, (newest, 100, false));
    };
    let steps = |count: usize| async move {
        for _ in 0..count {
            assert!(index(bed).await);
        }
    };
    // Two segments, blocks beyond them, and orders beyond those; more blocks; all there are.
    for count in [7, 1] {
        steps(count).await;
        check().await;
    }
    while index(bed).await {}
    check().await;
    assert!(bed.store.resellers_to_index().await.unwrap().is_empty());
    assert_eq!(
        bed.int("select segments from name_indexes").await,
        LAST >> 15
    );
    assert_eq!(
        bed.int("select blocks from name_indexes").await,
        (LAST + 1) >> 6
    );
    // Few letters have no lists to go by, and all of them are looked at.
    let (ids, total, is_complete) = found(bed, &named("77"), 2, 1).await;
    assert_eq!(
        (ids, is_complete),
        (vec![132_977, 132_877], total <= 10_000)
    );
    assert_eq!(found(bed, &named("z"), 2, 1).await, (vec![], 0, true));
    // A text whose letters are nearly everywhere.
    let (ids, total, is_complete) = found(bed, &named(".common.exa"), 2, 1).await;
    assert_eq!(
        (ids, total, is_complete),
        (vec![133_000, 132_999], 10_000, false)
    );
}

async fn merged_segments_have_what_their_parts_had(bed: &Bed) {
    const LAST: i64 = 70_000;
    store_resellers(bed).await;
    fill(bed, 1, LAST).await;
    while index(bed).await {}
    let parts = bed.int("select count(*) from name_postings").await;
    // As if the orders up to a million had names without letters.
    bed.apply(
        "update name_indexes set segments = 32, blocks = 16384",
        vec![],
    )
    .await;
    bed.apply(
        "update resellers set order_count = 1048575 where id = 2001",
        vec![],
    )
    .await;
    assert!(index(bed).await && !index(bed).await);
    assert_eq!(bed.int("select merged from name_indexes").await, 1);
    let both = bed.int("select count(*) from name_postings").await;
    assert!(both > parts);
    for text in ["shop65535.", "p65534.c", "shop1.", "shop32767.common.exa"] {
        let number: String = text.chars().filter(char::is_ascii_digit).collect();
        let number = number.parse().unwrap();
        assert_eq!(
            found(bed, &named(text), 9, 1).await,
            (vec![number], 1, true),
            "{text}"
        );
    }
    // What was merged is dropped with the next one.
    bed.apply(
        "update name_indexes set segments = 64, blocks = 32768",
        vec![],
    )
    .await;
    bed.apply(
        "update resellers set order_count = 2097151 where id = 2001",
        vec![],
    )
    .await;
    assert!(index(bed).await && !index(bed).await);
    assert_eq!(
        bed.int("select count(*) from name_postings").await,
        both - parts
    );
    assert_eq!(
        found(bed, &named("shop65535."), 9, 1).await,
        (vec![65_535], 1, true)
    );
}

async fn more_names_than_are_looked_at_are_told(bed: &Bed) {
    store_resellers(bed).await;
    fill(bed, 1, LOOKED_AT_MOST + 5).await;
    let last_page = LOOKED_AT_MOST.unsigned_abs() / 100;
    let (ids, total, is_complete) = found(bed, &named("shop"), 100, last_page).await;
    assert_eq!((ids.last(), total, is_complete), (Some(&6), 10_000, false));
    let beyond = found(bed, &named("shop"), 100, last_page + 1).await;
    assert_eq!(beyond, (vec![], 10_000, false));
    bed.apply("update orders set organization_id = 8", vec![])
        .await;
    let organization = OrderFilter {
        organization: Some(OrganizationId(8)),
        ..OrderFilter::default()
    };
    let (ids, total, is_complete) = found(bed, &organization, 100, last_page).await;
    assert_eq!((ids.last(), total, is_complete), (Some(&6), 10_000, false));
    bed.apply("update orders set common_name = 'shop.example'", vec![])
        .await;
    let equal = OrderFilter {
        common_name: Some(TextFilter::Equal("shop.example".to_owned())),
        products: Some(BTreeSet::from(["product1".to_owned()])),
        ..OrderFilter::default()
    };
    let (ids, total, is_complete) = found(bed, &equal, 2, 1).await;
    assert_eq!((ids, is_complete), (vec![10_003, 10_000], false));
    assert_eq!(total, 3_333);
}

async fn pages_reach_over_many_buckets_and_blocks(bed: &Bed) {
    const FIRST: i64 = (1 << 20) - 12_000;
    const LAST: i64 = (1 << 20) + 12_000;
    store_resellers(bed).await;
    // What lies before has gone by without a trace in the counts, as if of other stages.
    fill(bed, FIRST, LAST).await;
    let wanted = |is_wanted: &dyn Fn(i64) -> bool| {
        let all = (FIRST..=LAST).rev().filter(|n| is_wanted(*n));
        all.collect::<Vec<i64>>()
    };
    let time = |n: i64| Some(Timestamp::from_second(n).unwrap());
    let is_cancelled = |n: i64| n % 1_000 < 10;
    let stages = Some(BTreeSet::from([Stage::Cancelled, Stage::Refused]));
    let products = Some(BTreeSet::from(["product1".to_owned()]));
    let any = OrderFilter::default;
    let (low, high) = (FIRST + 3_333, LAST - 4_444);
    for (filter, wanted) in [
        (
            OrderFilter {
                stages: stages.clone(),
                ..any()
            },
            wanted(&is_cancelled),
        ),
        (
            OrderFilter {
                products: products.clone(),
                ..any()
            },
            wanted(&|n| n % 3 == 1),
        ),
        (
            OrderFilter {
                stages: stages.clone(),
                products,
                placed_from: time(low),
                ..any()
            },
            wanted(&|n| is_cancelled(n) && n % 3 == 1 && n >= low),
        ),
        (
            OrderFilter {
                stages: stages.clone(),
                placed_from: time(low),
                placed_before: time(high),
                ..any()
            },
            wanted(&|n| is_cancelled(n) && n >= low && n < high),
        ),
        (
            OrderFilter {
                placed_from: time(low),
                placed_before: time(high),
                ..any()
            },
            wanted(&|n| n >= low && n < high),
        ),
        (
            OrderFilter {
                stages,
                placed_from: time(high),
                placed_before: time(high + 3_000),
                ..any()
            },
            wanted(&|n| is_cancelled(n) && n >= high && n < high + 3_000),
        ),
    ] {
        for size in [7, 100] {
            let pages = wanted.len().div_ceil(size);
            for page in BTreeSet::from([1, 2, pages / 2 + 1, pages, pages + 1]) {
                let of_page = wanted.iter().skip((page - 1) * size).take(size);
                let of_page: Vec<i64> = of_page.copied().collect();
                let size = u32::try_from(size).unwrap();
                let (ids, total, _) = found(bed, &filter, size, page as u64).await;
                assert_eq!(
                    (ids, total),
                    (of_page, wanted.len() as u64),
                    "{filter:?} {page}"
                );
            }
        }
    }
}
