//! Searches and counts: whatever was placed and moved, a page is what a look at every order would give.

use std::collections::BTreeSet;

use chancery_domain::authorizations::Method;
use chancery_domain::contacts::ContactId;
use chancery_domain::months::Month;
use chancery_domain::orders::{NameCounts, Order, OrderId, OrderState};
use chancery_domain::organizations::OrganizationId;
use chancery_domain::resellers::ResellerId;
use chancery_domain::stages::Stage;
use chancery_domain::{SignedDuration, Timestamp};
use chancery_store::Change;
use chancery_store::order_searches::{OrderFilter, OrderPage};
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

pub(crate) fn ids(page: &OrderPage) -> Vec<i64> {
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
        ..OrderFilter::default()
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
        .settle(
            &issuance,
            certificate.id,
            NameCounts::default(),
            None,
            at(40),
        )
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
