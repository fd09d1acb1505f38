//! What the database must hold whenever no job is under way, whatever happened before: read by SQL, so that no
//! code of the product vouches for itself.

use std::collections::{BTreeMap, BTreeSet};

use chancery_store::{DatabaseUrl, Row, Store, StoreSettings};

/// What was found, for comparison with what clients were told.
pub struct Evidence {
    /// Every order.
    pub orders: Vec<i64>,
    /// Those of them that are cancelled.
    pub cancelled: BTreeSet<i64>,
    /// The order of each idempotency key.
    pub of_keys: BTreeMap<String, i64>,
    /// The signed certificate of each order that has one, DER.
    pub certificates: BTreeMap<i64, Vec<u8>>,
}

impl Evidence {
    /// Reads a database and holds it to its promises.
    pub async fn examine(url: &str) -> Self {
        let url = DatabaseUrl::parse(url).unwrap();
        let store = Store::open(&url, &StoreSettings::default()).await.unwrap();
        for (promise, sql) in PROMISES {
            let broken = store.scan(sql, Vec::new()).await.unwrap();
            assert!(broken.is_empty(), "{promise}: {}", shown(&broken));
        }
        let orders = store
            .scan("select id from orders order by id", Vec::new())
            .await
            .unwrap();
        let cancelled = "select id from orders where state in ('cancelled', 'refunded')";
        let cancelled = store.scan(cancelled, Vec::new()).await.unwrap();
        let keys = store
            .scan("select key, order_id from idempotency", Vec::new())
            .await
            .unwrap();
        let signed = "select order_id, tbs, der from certificates where state = 'issued'";
        let signed = store.scan(signed, Vec::new()).await.unwrap();
        let mut certificates = BTreeMap::new();
        for row in &signed {
            let (order, tbs, der) = (
                row.int(0).unwrap(),
                row.bytes(1).unwrap(),
                row.bytes(2).unwrap(),
            );
            // A certificate of more than 255 octets begins with four of its own (X.690 §8.1.3.5).
            assert_eq!(der[..2], [0x30, 0x82], "order {order}");
            assert!(
                der[4..].starts_with(tbs),
                "order {order}: what was signed is not what was reserved"
            );
            assert!(
                certificates.insert(order, der.to_vec()).is_none(),
                "order {order} has two certificates"
            );
        }
        store.close().await;
        Self {
            orders: orders.iter().map(|row| row.int(0).unwrap()).collect(),
            cancelled: cancelled.iter().map(|row| row.int(0).unwrap()).collect(),
            of_keys: keys
                .iter()
                .map(|row| (row.string(0).unwrap(), row.int(1).unwrap()))
                .collect(),
            certificates,
        }
    }
}

/// Promises, each with a question that has no answer while it is kept.
const PROMISES: [(&str, &str); 14] = [
    (
        "every posting sums to zero, in two entries",
        "select posting_id from ledger_entries group by posting_id having sum(amount) <> 0 or count(*) <> 2",
    ),
    (
        "a balance is the sum of its entries",
        "select r.id from resellers r where r.balance <>
            coalesce((select sum(e.amount) from ledger_entries e where e.reseller_id = r.id), 0)",
    ),
    (
        "every run that costs is charged once, at its price",
        "select i.id from issuances i where i.amount > 0 and 1 <> (select count(*) from ledger_entries e
            where e.issuance_id = i.id and e.kind = 'charge' and e.account = 'reseller'
                and e.amount = -i.amount)",
    ),
    (
        "an order has cost what was charged and not given back",
        "select o.id from orders o where o.amount <> -coalesce((select sum(e.amount) from ledger_entries e
            where e.order_id = o.id and e.account = 'reseller'), 0)",
    ),
    (
        "orders are counted where they are",
        "select cast(n as bigint) from (select reseller_id, product_key, stage, count(*) as n from orders group by 1, 2, 3
            except select reseller_id, product_key, stage, sum(n) from order_counts where level = 10
                group by 1, 2, 3) as odd",
    ),
    (
        "every charge has its order",
        "select e.id from ledger_entries e where e.order_id is not null
            and not exists (select 1 from orders o where o.id = e.order_id)",
    ),
    (
        "an order is paid back once if it was cancelled or failed, and else never",
        "select o.id from orders o where (case when o.state in
                ('cancelled', 'refunded', 'validation_expired', 'issuer_refused') then 1 else 0 end) <>
            (select count(*) from ledger_entries e where e.order_id = o.id and e.kind = 'refund'
                and e.account = 'reseller')",
    ),
    (
        "every order has its issuance",
        "select o.id from orders o where not exists
            (select 1 from issuances i where i.id = o.issuance_id and i.order_id = o.id)",
    ),
    (
        "nothing is reserved and unsigned when no job is under way",
        "select id from certificates where state = 'reserved'",
    ),
    (
        "what is signed was reserved before, and has its bytes",
        "select id from certificates where state = 'issued'
            and (der is null or signed_at is null or signed_at < reserved_at)",
    ),
    (
        "an order is active when its certificate is signed, and only then",
        "select o.id from orders o where (case when o.state = 'active' then 1 else 0 end) <>
            (select count(*) from certificates c where c.order_id = o.id
                and (c.state = 'issued' or c.state = 'revoked' and o.state = 'active'))",
    ),
    (
        "no certificate in force has a key that is blocked",
        "select c.id from certificates c join blocked_keys b on b.spki_sha256 = c.spki_sha256
            where c.state = 'issued'",
    ),
    (
        "whatever is revoked was asked for, by somebody",
        "select id from certificates where state = 'revoked'
            and (revoked_at is null or revocation_asked_at is null or revoked_by is null)",
    ),
    ("no job gave up", "select id, kind, last_error from jobs where parked_at is not null"),
];

fn shown(rows: &[Row]) -> String {
    rows.iter()
        .take(5)
        .map(|row| format!("{:?}", row.values()))
        .collect::<Vec<_>>()
        .join(" ")
}
