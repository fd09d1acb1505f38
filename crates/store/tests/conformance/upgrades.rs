//! Databases of before are brought up with all that is in them: one of the first release, and one whose names
//! are indexed in a single tier.

use std::cell::Cell;
use std::collections::BTreeSet;

use chancery_domain::Timestamp;
use chancery_domain::certificates::CertificateId;
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::ContactId;
use chancery_domain::customers::CustomerId;
use chancery_domain::issuances::{IssuanceId, Purpose};
use chancery_domain::names::DomainName;
use chancery_domain::orders::{NameCounts, OrderId};
use chancery_domain::resellers::ResellerId;
use chancery_domain::stages::Stage;
use chancery_store::authorizations::Holder;
use chancery_store::contact_searches::ContactFilter;
use chancery_store::order_searches::OrderFilter;
use chancery_store::{Lease, Queue};

use crate::bed::Bed;
use crate::long_lists::{fill_and_count, found, named};
use crate::searches::index;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_the_first_release_is_brought_up() {
    let bed = Bed::empty_sqlite().await;
    bring_up(
        &bed,
        include_str!("../../migrations/sqlite/0001_foundation.sql"),
    )
    .await;
    bed.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_of_the_first_release_is_brought_up() {
    let bed = Bed::empty_postgres().await;
    bring_up(
        &bed,
        include_str!("../../migrations/postgres/0001_foundation.sql"),
    )
    .await;
    bed.remove().await;
}

/// Orders as the first release left them: in force, being proved, cancelled.
const CONTENT: &str = "
    insert into resellers (id, name, currency, balance, created_at) values (2001, 'A', 'USD', 500, 1);
    insert into orders (id, reseller_id, product_key, product_name, term_years, common_name, names,
        administrator_id, technical_id, issuance_id, amount, currency, state, settled_at, expires_at,
        created_at, modified_at, version)
    values (11, 2001, 'ssl123', 'SSL 123', 1, 'a.test', '[\"a.test\",\"b.test\",\"*.c.test\"]', 1, 2, 21,
        4000, 'USD', 'active', 1764000000000000, 1795536000000000, 1764000000000000, 1764000000000000, 3),
        (12, 2001, 'ssl123', 'SSL 123', 1, 'd.test', '[\"d.test\"]', 1, 2, 22, 1000, 'USD', 'open', null,
        null, 1764000000000001, 1764000000000001, 0),
        (13, 2001, 'dv-single', 'DV', 1, 'e.test', '[\"e.test\"]', 1, 2, 23, 690, 'USD', 'cancelled', null,
        null, 1767225600000000, 1767225600000000, 1);
    insert into issuances (id, order_id, reseller_id, state, csr, spki, method, controls, looks,
        validate_by, certificate_id, created_at, modified_at, version)
    values (21, 11, 2001, 'issued', 'c', 's', 'dns', '[]', 1, 9, 31, 1, 1, 2),
        (22, 12, 2001, 'validating', 'c', 's', 'dns', '[]', 2, 9, null, 1, 1, 2),
        (23, 13, 2001, 'cancelled', 'c', 's', 'dns', '[]', 0, 9, null, 1, 1, 2);
    insert into certificates (id, issuance_id, order_id, reseller_id, issuer, serial, names, spki_sha256,
        not_before, not_after, tbs, reserved_at, state, der, signed_at)
    values (31, 21, 11, 2001, 'x', 'n', '[\"a.test\"]', 'h', 1, 2, 't', 1, 'issued', 'd', 2);
    insert into ledger_entries (id, posting_id, account, reseller_id, order_id, amount, currency, kind, at)
    values (1, 1, 'reseller', 2001, 13, -690, 'USD', 'charge', 1), (2, 1, 'sales', null, 13, 690, 'USD',
        'charge', 1), (3, 3, 'reseller', 2001, 13, 690, 'USD', 'refund', 2), (4, 3, 'sales', null, 13,
        -690, 'USD', 'refund', 2);
    insert into contacts (id, reseller_id, role, details, created_at, modified_at, deleted_at)
    values (1, 2001, 'administrator', '{\"company\":\"Shop Ltd\",\"first_name\":\"Ann\",\"last_name\":\"Example\",
        \"address1\":\"1 Market Street\",\"address2\":null,\"city\":\"Kuala Lumpur\",\"state\":\"Selangor\",
        \"country\":\"my\",\"zip\":\"50000\",\"phone\":\"+60.123456789\",\"fax\":null,
        \"email\":\"ann@shop.example\",\"job_title\":null}', 5, 5, null);
    insert into authorizations (id, reseller_id, issuance_id, domain, base_domain, method, obtained_at)
    values (61, 2001, 21, 'a.test', 'a.test', 'dns', 7);
    insert into observations (id, issuance_id, name, method, at, asked, of_whom, found, outcome, advice)
    values (71, 22, 'd.test', 'email', 8, 'approval', 'admin@d.test', 'sent', 'waiting', 'open it');
    insert into approvals (token_hash, issuance_id, sealed_token, name, domain, address, message_id, created_at,
        expires_at, sent_at)
    values ('hash567890123456789012345678901h', 22, 'sealed', 'd.test', 'd.test', 'admin@d.test', 'm', 8, 9, 8);
    insert into events (id, order_id, issuance_id, at, actor, kind, detail)
    values (51, 11, null, 5, 'platform', 'person_told', 'csr_wanted: ann@shop.example, bob@shop.example'),
        (52, 11, null, 6, 'platform', 'person_told', 'order_ending: ann@shop.example: it was refused'),
        (53, 11, null, 7, 'platform', 'approver_mailed', 'admin@a.test');
    insert into jobs (id, kind, subject, run_at, attempt, tries, created_at, last_error)
    values (499, 'mail_notice', 7, 9000000000000000, 3, 3, 1, '450 <ann@shop.example> greylisted'),
        (498, 'poll_dcv', 22, 9000000000000000, 0, 0, 1, null);
    update sequences set next = 500 where name = 'row';";

async fn bring_up(bed: &Bed, first: &'static str) {
    // The bytes of the first release are text here, which only SQLite has to be told.
    let is_sqlite = first.contains(") strict;");
    let content = match is_sqlite {
        true => CONTENT
            .replace("'c', 's', 'dns'", "x'63', x'73', 'dns'")
            .replace("'x', 'n',", "'x', x'6e',")
            .replace(
                "'hash567890123456789012345678901h', 22, 'sealed'",
                "$hash, 22, x'73'",
            )
            .replace("$hash", "cast('hash567890123456789012345678901h' as blob)")
            .replace(
                "'h', 1, 2, 't', 1, 'issued', 'd', 2",
                "x'68', 1, 2, x'74', 1, 'issued', x'64', 2",
            ),
        false => CONTENT.to_owned(),
    };
    run(bed, is_sqlite, &[first, JOURNAL, content.leak()]).await;
    bed.store.migrate().await.unwrap();
    assert_eq!(bed.store.pending_migrations().await.unwrap(), 0);

    let order = |id| async move { bed.store.order_file(OrderId(id)).await.unwrap().unwrap() };
    let active = order(11).await;
    assert_eq!(active.order.stage, Stage::Active);
    assert_eq!(active.order.certificate, Some(CertificateId(31)));
    assert_eq!(active.certificate.unwrap().id, CertificateId(31));
    let paid = NameCounts {
        names: 1,
        wildcards: 1,
    };
    assert_eq!(active.order.paid, paid);
    assert_eq!(active.issuance.purpose, Purpose::First);
    assert_eq!(
        (active.issuance.price.minor, active.order.price.minor),
        (4000, 4000)
    );
    assert_eq!(order(12).await.order.stage, Stage::Validating);
    let cancelled = order(13).await.order;
    assert_eq!(
        (cancelled.stage, cancelled.price.minor),
        (Stage::Cancelled, 0)
    );
    assert!(
        bed.store
            .charged_issuances(OrderId(13))
            .await
            .unwrap()
            .is_empty()
    );

    // Proofs belong to the orders of their runs; looks and messages are where they were.
    let (proved, holder) = (DomainName::parse("a.test").unwrap(), OrderId(11));
    let held = bed
        .store
        .authorizations(Holder::Order(holder), &proved, Timestamp::UNIX_EPOCH)
        .await;
    assert_eq!(held.unwrap().len(), 1);
    let run = IssuanceId(22);
    assert_eq!(bed.store.observations(run, 9).await.unwrap().len(), 1);
    let approvals = bed.store.approvals_of(run).await.unwrap();
    assert_eq!(approvals.len(), 1);
    assert_eq!(approvals[0].names, [DomainName::parse("d.test").unwrap()]);
    let mails = bed
        .store
        .approval_mails("admin@d.test", Timestamp::UNIX_EPOCH);
    assert_eq!(mails.await.unwrap().len(), 1);

    let contact = bed.store.contact(ResellerId(2001), ContactId(1)).await;
    let contact = contact.unwrap().unwrap();
    assert_eq!(contact.customer, CustomerId(2001));
    assert_eq!(contact.kind, ContactType::GENERAL);
    let by_name = ContactFilter {
        name: Some("exam".to_owned()),
        with_living: true,
        ..ContactFilter::default()
    };
    assert!(!bed.store.index_contacts().await.unwrap());
    let found = bed
        .store
        .search_contacts(CustomerId(2001), &by_name, 9, 0)
        .await;
    assert_eq!(found.unwrap().unwrap().contacts, [contact]);

    let told = bed.store.events(OrderId(11)).await.unwrap();
    let told: Vec<Option<&str>> = told.iter().map(|event| event.detail.as_deref()).collect();
    let kept = [
        Some("csr_wanted"),
        Some("order_ending"),
        Some("admin@a.test"),
    ];
    assert_eq!(told, kept);
    let quoted = "select count(*) from jobs where last_error is not null";
    assert_eq!(bed.int(quoted).await, 0);

    let queues = "select queue, owner from jobs where id in (498, 499) order by id";
    let queues: Vec<_> = (bed.rows(queues).await.iter())
        .map(|row| [0, 1].map(|column| row.int(column).unwrap()))
        .collect();
    assert_eq!(queues, [[2, 2001], [1, 0]]);

    let sum = "select cast(sum(n) as bigint) from order_counts where level = 20";
    assert_eq!(bed.int(sum).await, 3);
    let months = "select month from order_months order by month";
    let months: Vec<i64> = (bed.rows(months).await.iter())
        .map(|row| row.int(0).unwrap())
        .collect();
    // November 2025 and January 2026.
    assert_eq!(months, [2025 * 12 + 10, 2026 * 12]);
    let placed = "select order_count from resellers";
    assert_eq!(bed.int(placed).await, 3);
    let now = Timestamp::UNIX_EPOCH;
    let lease = Lease {
        holder: 77,
        until: now,
    };
    let due = bed.store.claim_jobs(Queue::Work, now, lease, 9);
    let due = due.await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(
        (&due[0].kind[..], due[0].subject, due[0].id.0),
        ("tend", 11, 500)
    );
    let next = "select next from sequences where name = 'row'";
    assert_eq!(bed.int(next).await, 501);
    assert_eq!(bed.store.ledger_sum().await.unwrap(), 0);
    assert!(
        bed.store
            .reseller(ResellerId(2001))
            .await
            .unwrap()
            .is_some()
    );
}

const JOURNAL: &str = "create table migrations (number bigint primary key, name text not null);
    insert into migrations (number, name) values (1, '0001_foundation');";

async fn run(bed: &Bed, is_sqlite: bool, scripts: &[&'static str]) {
    for script in scripts {
        if is_sqlite {
            for statement in statements(script) {
                bed.apply(statement, vec![]).await;
            }
        } else {
            bed.admin().await.batch_execute(script).await.unwrap();
        }
    }
}

macro_rules! scripts {
    ($engine:literal: $($name:literal)*) => {
        [$(include_str!(concat!("../../migrations/", $engine, "/", $name, ".sql"))),*]
    };
}

macro_rules! scripts_before_the_tiers {
    ($engine:literal) => {
        scripts!($engine: "0001_foundation" "0002_order_years" "0003_organizations" "0004_access"
            "0005_prices" "0006_issuing_cas" "0007_search")
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_a_file_are_found_while_their_index_becomes_tiers() {
    let bed = Bed::empty_sqlite().await;
    run(&bed, true, &scripts_before_the_tiers!("sqlite")).await;
    run(&bed, true, &[JOURNAL, INDEXED]).await;
    find_while_indexing(&bed).await;
    bed.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_a_postgres_are_found_while_their_index_becomes_tiers() {
    let bed = Bed::empty_postgres().await;
    run(&bed, false, &scripts_before_the_tiers!("postgres")).await;
    run(&bed, false, &[JOURNAL, INDEXED]).await;
    find_while_indexing(&bed).await;
    bed.remove().await;
}

/// A reseller in a database whose names are indexed in a single tier.
const INDEXED: &str = "
    insert into migrations (number, name) values (7, '0007_search');
    insert into resellers (id, name, currency, balance, created_at) values (2001, 'A', 'USD', 500, 1);";

/// Blocks as they always were, the first of which has a line for an order 0, and orders beyond them.
const KEPT: [&str; 3] = [
    "insert into name_blocks (reseller_id, block, names)
    select reseller_id, ordinal >> 6,
        case when ordinal >> 6 = 0 then '\n' else '' end || string_agg(common_name, '\n' order by ordinal)
    from orders where ordinal < 132800 group by reseller_id, ordinal >> 6",
    "insert into name_indexes (reseller_id, blocks, segments) values (2001, 2075, 1)",
    // All were placed in January 1970.
    "insert into order_months (reseller_id, month, product_key, n)
    select reseller_id, 1970 * 12, product_key, count(*) from orders group by 1, 3",
];

async fn find_while_indexing(bed: &Bed) {
    const LAST: i64 = 133_000;
    fill_and_count(bed, 1, LAST, &[20, 10]).await;
    for sql in KEPT {
        bed.apply(sql, vec![]).await;
    }
    // Lists as they are no more.
    bed.apply(
        "insert into name_postings (reseller_id, page, segment, postings) values (2001, 1000, 0, $1)",
        chancery_store::values![&b"abc"[..]],
    )
    .await;
    bed.store.migrate().await.unwrap();
    assert_eq!(bed.store.pending_migrations().await.unwrap(), 0);
    assert_eq!(bed.store.miscounts().await.unwrap(), [""; 0]);
    let cancelled = OrderFilter {
        stages: Some(BTreeSet::from([Stage::Cancelled])),
        ..OrderFilter::default()
    };
    let far_back = (vec![2, 1], 1_330, true);
    assert_eq!(found(bed, &cancelled, 4, 333).await, far_back);

    let check = async || {
        for ordinal in [1, 63, 64, 77_777, 132_799, 132_800, LAST] {
            let name = format!("shop{ordinal}.");
            let page = found(bed, &named(&name), 9, 1).await;
            assert_eq!(page, (vec![ordinal], 1, true), "{name}");
        }
        let few = found(bed, &named(".rare."), 9, 1).await;
        assert_eq!(few, (vec![77_777], 1, true));
    };
    check().await;
    let is_indexed = Cell::new(false);
    let searches = async {
        while !is_indexed.get() {
            check().await;
        }
    };
    let indexing = async {
        while index(bed).await {}
        is_indexed.set(true);
    };
    tokio::join!(searches, indexing);
    check().await;
    let written = "select segments * 10000 + blocks from name_indexes";
    assert_eq!(bed.int(written).await, 42_078);
}

/// The statements of a script, without its comments.
fn statements(script: &'static str) -> impl Iterator<Item = &'static str> {
    let code = script
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect::<Vec<_>>()
        .join("\n");
    let code: &'static str = code.leak();
    code.split(';')
        .map(str::trim)
        .filter(|code| !code.is_empty())
}
