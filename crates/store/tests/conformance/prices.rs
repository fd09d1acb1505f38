//! Price lists: only ever longer, and each reseller's own.

use chancery_domain::prices::{OwnPrice, TermPrice};
use chancery_domain::products::Term;
use chancery_domain::resellers::ResellerId;
use chancery_store::StoreError;

use crate::bed::{Bed, on_both_engines};
use crate::things::{OURS, THEIRS, a_reseller, at, commit, store_resellers, usd};

on_both_engines!(
    a_price_list_comes_back_as_it_went,
    prices_are_of_resellers_that_exist,
);

fn a_price(id: i64, reseller: ResellerId, product: &str) -> OwnPrice {
    OwnPrice {
        id,
        reseller,
        product: product.to_owned(),
        term: Term(2),
        price: Some(TermPrice {
            base: usd(i64::MAX),
            name: usd(0),
            wildcard: usd(250),
        }),
        valid_from: at(100 - id),
        created_at: at(id),
    }
}

async fn a_price_list_comes_back_as_it_went(bed: &Bed) {
    store_resellers(bed).await;
    let currency = a_reseller(OURS).currency;
    let ended = OwnPrice {
        price: None,
        ..a_price(2, OURS, "ssl123")
    };
    let rows = [
        a_price(1, OURS, "ssl123"),
        ended,
        a_price(3, OURS, "dv-multi"),
        a_price(4, THEIRS, "ssl123"),
    ];
    for row in &rows {
        commit(bed, |change| change.insert_own_price(row, currency))
            .await
            .unwrap();
    }
    let [first, ended, other, theirs] = rows;
    let listed = bed.store.own_prices(OURS).await.unwrap();
    assert_eq!(listed, [other.clone(), ended.clone(), first.clone()]);
    assert_eq!(bed.store.own_prices(THEIRS).await.unwrap(), [theirs]);
    let mut of_product = bed.store.own_prices_of(OURS, "ssl123").await.unwrap();
    of_product.sort_by_key(|row| row.id);
    assert_eq!(of_product, [first, ended]);
    assert_eq!(
        bed.store.own_prices_of(OURS, "dv-multi").await.unwrap(),
        [other]
    );
    let none = bed.store.own_prices_of(OURS, "ov-multi").await.unwrap();
    assert!(none.is_empty());
}

async fn prices_are_of_resellers_that_exist(bed: &Bed) {
    let currency = a_reseller(OURS).currency;
    let nobody = a_price(1, ResellerId(9), "ssl123");
    let refused = commit(bed, |change| change.insert_own_price(&nobody, currency)).await;
    assert!(
        matches!(refused, Err(StoreError::Database(_))),
        "{refused:?}"
    );
}
