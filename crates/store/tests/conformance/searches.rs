//! Searches and counts: whatever was placed and moved, a page is what a look at every order would give.

use std::collections::BTreeSet;

use chancery_domain::authorizations::Method;
use chancery_domain::contacts::ContactId;
use chancery_domain::months::Month;
use chancery_domain::orders::{Order, OrderId, OrderState};
use chancery_domain::organizations::OrganizationId;
use chancery_domain::resellers::ResellerId;
use chancery_domain::stages::Stage;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::Change;
use chancery_store::order_searches::{LOOKED_AT_MOST, OrderFilter, OrderPage};
use chancery_store::organizations::TextFilter;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::bed::{Bed, on_both_engines};
use crate::things::{
    OURS, THEIRS, a_certificate, a_contact, an_issuance, an_order, at, commit, name, place,
    store_resellers,
};

on_both_engines!(
    a_line_tells_of_its_order,
    every_page_is_what_a_look_at_all_orders_gives,
    orders_that_swapped_their_places_are_on_the_right_side_of_a_limit,
    names_are_found_however_far_the_index_has_come,
    merged_segments_have_what_their_parts_had,
    more_names_than_are_looked_at_are_told,
    pages_reach_over_many_buckets_and_blocks,
    orders_are_counted_by_stage_month_and_end,
    a_miscount_is_told,
);

const PRODUCTS: [&str; 3] = ["ssl123", "ssl_23", "true\"biz"];
const NAMES: [&str; 6] = [
    "shop.example",
    "*.shop.example",
    "unrelated-shop.example",
    "www.bank.example",
    "xn--kse-qla.example",
    "a.b.example",
];

/// What the store was told, in the order of ordinals.
#[derive(Default)]
struct Model(Vec<Order>);

impl Model {
    async fn place(&mut self, bed: &Bed, orders: Vec<Order>) {
        for orders in orders.chunks(100) {
            commit(bed, |change| {
                for order in orders {
                    place(change, order);
                }
            })
            .await
            .unwrap();
        }
        self.0.extend(orders);
    }

    async fn put(&mut self, bed: &Bed, at: usize, state: OrderState, stage: Stage) {
        let order = &mut self.0[at];
        let before = order.stage;
        order.state = state;
        order.stage = stage;
        commit(bed, |change| change.save_order(order, before))
            .await
            .unwrap();
        order.version += 1;
    }

    /// The ids that a filter lets through, the newest first.
    fn wanted(&self, reseller: ResellerId, filter: &OrderFilter) -> Vec<i64> {
        let is_wanted = |order: &&Order| {
            let name = order.common_name().as_str();
            let is_named = match &filter.common_name {
                None => true,
                Some(TextFilter::Equal(text)) => name == text,
                Some(TextFilter::Contains(text)) => name.contains(text),
            };
            let stages = filter.stages.as_ref();
            let products = filter.products.as_ref();
            order.reseller == reseller
                && is_named
                && stages.is_none_or(|stages| stages.contains(&order.stage))
                && products.is_none_or(|products| products.contains(&order.product_key))
                && filter
                    .placed_from
                    .is_none_or(|from| order.created_at >= from)
                && filter
                    .placed_before
                    .is_none_or(|before| order.created_at < before)
                && filter
                    .organization
                    .is_none_or(|id| order.organization == Some(id))
        };
        let wanted = self.0.iter().rev().filter(is_wanted);
        wanted.map(|order| order.id.0).collect()
    }

    async fn check(&self, bed: &Bed, filter: &OrderFilter, size: u32) {
        for reseller in [OURS, THEIRS] {
            let wanted = self.wanted(reseller, filter);
            let pages = u64::try_from(wanted.len()).unwrap().div_ceil(size.into());
            for page in BTreeSet::from([0, 1, pages / 2, pages.saturating_sub(1), pages]) {
                let skip = page * u64::from(size);
                let found = bed.store.search_orders(reseller, filter, size, skip);
                let found = found.await.unwrap();
                let of_page = wanted.iter().skip(usize::try_from(skip).unwrap());
                let of_page: Vec<i64> = of_page.take(size as usize).copied().collect();
                assert_eq!(ids(&found), of_page, "{filter:?} {page} of {size}");
                assert_eq!(found.total, wanted.len() as u64, "{filter:?}");
                assert!(found.is_complete);
            }
        }
    }
}

fn ids(page: &OrderPage) -> Vec<i64> {
    page.lines.iter().map(|line| line.id.0).collect()
}

fn sample<T: std::fmt::Debug>(runner: &mut TestRunner, strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

fn an_order_of(runner: &mut TestRunner, id: i64) -> Order {
    let (theirs, product, common, organization) = sample(
        runner,
        (
            prop::bool::weighted(0.2),
            0..PRODUCTS.len(),
            0..NAMES.len(),
            prop::option::of(1..4_i64),
        ),
    );
    Order {
        reseller: if theirs { THEIRS } else { OURS },
        product_key: PRODUCTS[product].to_owned(),
        names: vec![name(NAMES[common])],
        organization: organization.map(OrganizationId),
        created_at: at(id * 3_600),
        ..an_order(id)
    }
}

fn a_filter(runner: &mut TestRunner, span: i64) -> OrderFilter {
    let text = prop_oneof![
        prop::sample::select(&NAMES[..]).prop_map(|name| TextFilter::Equal(name.to_owned())),
        prop::sample::select(
            &[
                "shop",
                "shop.example",
                "e",
                ".",
                "%",
                "_",
                "bank.exa",
                "-",
                "zzz",
                "*.",
                "ple"
            ][..]
        )
        .prop_map(|text| TextFilter::Contains(text.to_owned())),
    ];
    let stages = prop::collection::btree_set(prop::sample::select(&Stage::ALL[..]), 0..6);
    let products = prop::sample::select(&["ssl123", "ssl_23", "true\"biz", "none"][..]);
    let products = prop::collection::btree_set(products.prop_map(str::to_owned), 0..3);
    let moment = (0..span + 2).prop_map(|id| at(id * 3_600));
    let often = |weight| prop::bool::weighted(weight);
    let (text, stages, products, from, before, organization) = sample(
        runner,
        (text, stages, products, moment.clone(), moment, 1..5_i64),
    );
    let uses = sample(runner, prop::array::uniform6(often(0.4)));
    OrderFilter {
        common_name: uses[0].then_some(text),
        stages: uses[1].then_some(stages),
        products: uses[2].then_some(products),
        placed_from: uses[3].then_some(from),
        placed_before: uses[4].then_some(before),
        organization: uses[5].then_some(OrganizationId(organization)),
    }
}

/// A state that goes with a stage.
fn state_of(stage: Stage, end: Timestamp) -> OrderState {
    let (settled_at, expires_at) = (at(5), end);
    match stage {
        Stage::Placed | Stage::Validating | Stage::Issuing => OrderState::Open,
        Stage::Active | Stage::Reissuing | Stage::Lapsed | Stage::Revoked | Stage::Expired => {
            OrderState::Active {
                settled_at,
                expires_at,
            }
        }
        Stage::Refunded => OrderState::Refunded {
            settled_at,
            expires_at,
        },
        Stage::Cancelled | Stage::ValidationExpired | Stage::Refused => OrderState::Cancelled,
    }
}

async fn every_page_is_what_a_look_at_all_orders_gives(bed: &Bed) {
    store_resellers(bed).await;
    let mut runner = TestRunner::deterministic();
    let mut model = Model::default();
    let (rounds, filters) = (6, 25);
    for round in 1..=rounds {
        let next = model.0.len() as i64 + 1;
        let orders = (next..next + 70).map(|id| an_order_of(&mut runner, id));
        model.place(bed, orders.collect()).await;
        for _ in 0..40 {
            let place = sample(&mut runner, 0..model.0.len());
            let stage = sample(&mut runner, prop::sample::select(&Stage::ALL[..]));
            let state = state_of(stage, at(place as i64 * 40_000));
            // What is over does not begin again, and a term that has begun goes on or is given back.
            let may_follow = match model.0[place].state {
                OrderState::Open => stage != Stage::Refunded,
                OrderState::Active { .. } => matches!(
                    state,
                    OrderState::Active { .. } | OrderState::Refunded { .. }
                ),
                _ => false,
            };
            if may_follow {
                model.put(bed, place, state, stage).await;
            }
        }
        while round % 2 == 0 && index(bed).await {}
        for _ in 0..filters {
            let filter = a_filter(&mut runner, next + 70);
            let size = sample(&mut runner, 1..40_u32);
            model.check(bed, &filter, size).await;
        }
        assert_eq!(bed.store.miscounts().await.unwrap(), [""; 0]);
    }
}

/// Takes the index of names one step further.
pub(crate) async fn index(bed: &Bed) -> bool {
    let mut more = false;
    for reseller in bed.store.resellers_to_index().await.unwrap() {
        more |= bed.store.index_names(reseller).await.unwrap();
    }
    more
}

async fn orders_that_swapped_their_places_are_on_the_right_side_of_a_limit(bed: &Bed) {
    store_resellers(bed).await;
    let mut model = Model::default();
    // In each group of four, the times go down.
    let orders = (0..400).map(|place: i64| Order {
        created_at: at((place / 4) * 4 + 3 - place % 4),
        ..an_order(place + 1)
    });
    model.place(bed, orders.collect()).await;
    for limit in [0, 1, 2, 3, 4, 201, 202, 203, 399, 400, 401] {
        let from = OrderFilter {
            placed_from: Some(at(limit)),
            ..OrderFilter::default()
        };
        model.check(bed, &from, 50).await;
        let before = OrderFilter {
            placed_before: Some(at(limit)),
            stages: Some(BTreeSet::from([Stage::Placed])),
            ..OrderFilter::default()
        };
        model.check(bed, &before, 50).await;
    }
}

async fn a_line_tells_of_its_order(bed: &Bed) {
    store_resellers(bed).await;
    let contact = a_contact(11);
    let order = Order {
        administrator: ContactId(11),
        organization: None,
        ..an_order(7)
    };
    let issuance = an_issuance(&order);
    assert_eq!(issuance.method, Method::Dns);
    let certificate = a_certificate(3, &issuance);
    commit(bed, |change| {
        change.insert_contact(&contact);
        place(change, &order);
        change.insert_issuance(&issuance);
        change.insert_certificate(&certificate);
    })
    .await
    .unwrap();
    let all = OrderFilter::default();
    let page = bed.store.search_orders(OURS, &all, 10, 0).await.unwrap();
    let [line] = &page.lines[..] else {
        panic!("{page:?}")
    };
    assert_eq!((line.id, &line.common_name[..]), (order.id, "shop.example"));
    assert_eq!((line.term, line.stage), (order.term, order.stage));
    assert_eq!(line.product_name, order.product_name);
    assert_eq!(line.created_at, order.created_at);
    assert_eq!((line.expires_at, line.certificate_expires_at), (None, None));
    assert_eq!(line.administrator.as_ref(), Some(&contact.details));

    let settled = order
        .settle(&issuance, certificate.id, SignedDuration::ZERO, at(40))
        .unwrap();
    commit(bed, |change| change.save_order(&settled, Stage::Placed))
        .await
        .unwrap();
    let page = bed.store.search_orders(OURS, &all, 10, 0).await.unwrap();
    let line = &page.lines[0];
    assert!(line.expires_at.is_some());
    assert_eq!(
        line.certificate_expires_at,
        Some(certificate.validity.not_after)
    );

    let unknown = bed.store.search_orders(ResellerId(9), &all, 10, 0).await;
    assert_eq!(unknown.unwrap().total, 0);
}

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

async fn orders_are_counted_by_stage_month_and_end(bed: &Bed) {
    store_resellers(bed).await;
    let mut model = Model::default();
    let times = [
        "2026-01-31T23:59:59Z",
        "2026-02-01T00:00:00Z",
        "2026-02-28T00:00:00Z",
    ];
    let placed = (1..).zip(times).map(|(id, time)| Order {
        created_at: time.parse().unwrap(),
        product_key: PRODUCTS[usize::from(id == 3)].to_owned(),
        ..an_order(id)
    });
    model.place(bed, placed.collect()).await;
    let end: Timestamp = "2027-03-01T12:00:00Z".parse().unwrap();
    for (place, stage) in [(0, Stage::Active), (1, Stage::Active), (1, Stage::Revoked)] {
        model.put(bed, place, state_of(stage, end), stage).await;
    }
    let mut stages = bed.store.orders_by_stage(OURS).await.unwrap();
    stages.retain(|(_, orders)| *orders > 0);
    stages.sort_unstable();
    assert_eq!(
        stages,
        [(Stage::Placed, 1), (Stage::Active, 1), (Stage::Revoked, 1)]
    );
    let month = |text: &str| Month::parse(text).unwrap();
    let counts = bed
        .store
        .orders_by_month(OURS, month("2026-02"), month("2026-12"))
        .await
        .unwrap();
    let counts: Vec<(String, &str, u64)> = counts
        .iter()
        .map(|count| {
            (
                count.month.to_string(),
                &count.product_key[..],
                count.orders,
            )
        })
        .collect();
    let february = "2026-02".to_owned();
    assert_eq!(
        counts,
        [(february.clone(), "ssl123", 1), (february, "ssl_23", 1)]
    );
    let day = SignedDuration::from_hours(24);
    let ending = async |from, to| bed.store.orders_ending(OURS, from, to).await.unwrap();
    assert_eq!(ending(end - day, end).await, 2);
    assert_eq!(ending(end + day, end + day * 9).await, 0);
    for (place, stage) in [(0, Stage::Refunded), (1, Stage::Expired)] {
        model.put(bed, place, state_of(stage, end), stage).await;
    }
    assert_eq!(ending(end, end).await, 0);
    assert_eq!(bed.store.orders_by_stage(THEIRS).await.unwrap(), []);
    assert_eq!(bed.store.miscounts().await.unwrap(), [""; 0]);
}

async fn a_miscount_is_told(bed: &Bed) {
    store_resellers(bed).await;
    let mut change = Change::new();
    let order = Order {
        created_at: "2024-02-29T00:00:00Z".parse().unwrap(),
        ..an_order(1)
    };
    place(&mut change, &order);
    bed.store.commit(change).await.unwrap();
    assert_eq!(bed.store.miscounts().await.unwrap(), [""; 0]);
    for (sql, told) in [
        (
            "update resellers set order_count = 2",
            "the count of orders",
        ),
        (
            "update order_counts set n = 2 where level = 10",
            "the cell 10/0 of ssl123, placed",
        ),
        ("delete from order_months", "the month 24289 of ssl123"),
        (
            "insert into order_ends (reseller_id, day, n) values (2001, 9, 1)",
            "the day 9",
        ),
    ] {
        bed.apply(sql, vec![]).await;
        let miscounts = bed.store.miscounts().await.unwrap();
        assert!(
            miscounts.iter().any(|text| text.contains(told)),
            "{miscounts:?}"
        );
    }
    assert!(bed.store.order_file(OrderId(1)).await.unwrap().is_none());
}
