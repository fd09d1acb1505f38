//! Orders, issuances and certificates: each state there and back, each save by version.

use chancery_domain::certificates::{CertificateId, CertificateState};
use chancery_domain::contacts::ContactId;
use chancery_domain::issuances::{Issuance, IssuanceId, IssuanceState};
use chancery_domain::notices::{News, Notice, NoticeId};
use chancery_domain::operators::OperatorName;
use chancery_domain::orders::{Failure as OrderFailure, NameCounts, Order, OrderId, OrderState};
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
use chancery_domain::stages::Stage;
use chancery_store::certificates::CertificateFilter;
use chancery_store::{Change, Engine, StoreError, values};
use futures_util::{StreamExt, stream};

use crate::bed::{Bed, on_both_engines};
use crate::things::{
    OURS, THEIRS, a_certificate, a_proof, an_issuance, an_order, at, commit, name, place,
    store_an_order, store_resellers, usd,
};

on_both_engines!(
    an_order_comes_back_as_it_went,
    every_state_of_an_order_comes_back,
    an_order_saved_twice_from_one_reading_is_a_conflict,
    anothers_order_is_not_there,
    the_newest_order_with_a_name_is_found,
    a_contact_is_in_use_while_an_order_needs_it,
    every_state_of_an_issuance_comes_back,
    an_issuance_saved_twice_from_one_reading_is_a_conflict,
    a_certificate_is_reserved_then_signed_once,
    an_abandoned_certificate_is_never_signed,
    a_serial_is_used_once,
    issued_certificates_come_the_oldest_first_and_are_revoked_once,
    a_notice_is_decided_once,
    two_processes_count_one_resellers_orders_without_waiting_for_each_other,
    revoked_certificates_are_listed_until_they_expire,
    rows_that_make_no_sense_are_corrupt,
);

fn is_conflict<T>(outcome: &Result<T, StoreError>, expected: &str) -> bool {
    matches!(outcome, Err(StoreError::Conflict { what, .. }) if *what == expected)
}

async fn an_order_comes_back_as_it_went(bed: &Bed) {
    let (order, issuance) = store_an_order(bed, 1).await;
    let file = bed.store.find_order(OURS, order.id).await.unwrap().unwrap();
    assert_eq!(
        (&file.order, &file.issuance, file.certificate),
        (&order, &issuance, None)
    );
    assert_eq!(bed.store.order_file(order.id).await.unwrap().unwrap(), file);
    assert_eq!(
        bed.store.issuance(issuance.id).await.unwrap().unwrap(),
        issuance
    );
    assert_eq!(bed.store.order_file(OrderId(9)).await.unwrap(), None);
    assert_eq!(bed.store.issuance(IssuanceId(9)).await.unwrap(), None);
}

async fn every_state_of_an_order_comes_back(bed: &Bed) {
    let (mut order, _) = store_an_order(bed, 1).await;
    let states = [
        OrderState::Active {
            settled_at: at(50),
            expires_at: at(5_000),
        },
        OrderState::Refunded {
            settled_at: at(50),
            expires_at: at(5_000),
        },
        OrderState::Cancelled,
        OrderState::Failed(OrderFailure::ValidationExpired),
        OrderState::Failed(OrderFailure::IssuerRefused("CAA says no".to_owned())),
        OrderState::Open,
    ];
    for (round, state) in (0..).zip(states) {
        let before = order.stage;
        order = Order {
            state,
            stage: Stage::ALL[usize::try_from(round).unwrap()],
            names: vec![name("shop.example")],
            price: usd(round),
            certificate: Some(CertificateId(round)),
            renewed_by: Some(OrderId(round)),
            reuse_key: [None, Some(false), Some(true)][usize::try_from(round % 3).unwrap()],
            companion: (round % 2 == 0).then(|| name("shop.example")),
            modified_at: at(100 + round),
            ..order
        };
        commit(bed, |change| change.save_order(&order, before))
            .await
            .unwrap();
        order.version += 1;
        let found = bed.store.order_file(order.id).await.unwrap().unwrap().order;
        assert_eq!(found, order);
    }
}

async fn an_order_saved_twice_from_one_reading_is_a_conflict(bed: &Bed) {
    let (order, issuance) = store_an_order(bed, 1).await;
    let cancelled = order.clone().cancel(at(99)).unwrap();
    commit(bed, |change| change.save_order(&cancelled, Stage::Placed))
        .await
        .unwrap();
    let settled = (order.settle(
        &issuance,
        CertificateId(9),
        NameCounts::default(),
        None,
        at(99),
    ))
    .unwrap();
    assert!(is_conflict(
        &commit(bed, |change| change.save_order(&settled, Stage::Placed)).await,
        "order"
    ));
    let found = bed
        .store
        .order_file(settled.id)
        .await
        .unwrap()
        .unwrap()
        .order;
    assert_eq!(found.state, OrderState::Cancelled);
}

async fn anothers_order_is_not_there(bed: &Bed) {
    let (order, _) = store_an_order(bed, 1).await;
    assert!(
        bed.store
            .find_order(THEIRS, order.id)
            .await
            .unwrap()
            .is_none()
    );
    let by_name = bed
        .store
        .find_order_by_name(THEIRS, &name("shop.example"))
        .await
        .unwrap();
    assert!(by_name.is_none());
    assert!(
        !bed.store
            .is_contact_in_use(THEIRS, order.technical, at(0))
            .await
            .unwrap()
    );
}

async fn the_newest_order_with_a_name_is_found(bed: &Bed) {
    store_an_order(bed, 100).await;
    let (newest, _) = store_an_order(bed, 200).await;
    let found = bed
        .store
        .find_order_by_name(OURS, &name("shop.example"))
        .await
        .unwrap();
    assert_eq!(found.unwrap().order, newest);
    // Only the common name counts.
    assert!(
        bed.store
            .find_order_by_name(OURS, &name("*.shop.example"))
            .await
            .unwrap()
            .is_none()
    );
}

async fn a_contact_is_in_use_while_an_order_needs_it(bed: &Bed) {
    let (order, _) = store_an_order(bed, 1).await;
    let in_use = |contact, seconds| bed.store.is_contact_in_use(OURS, contact, at(seconds));
    assert!(in_use(order.administrator, 0).await.unwrap());
    assert!(in_use(order.technical, 0).await.unwrap());
    assert!(!in_use(ContactId(99), 0).await.unwrap());

    let state = OrderState::Active {
        settled_at: at(50),
        expires_at: at(500),
    };
    let active = Order { state, ..order };
    commit(bed, |change| change.save_order(&active, Stage::Placed))
        .await
        .unwrap();
    assert!(in_use(active.technical, 499).await.unwrap());
    assert!(!in_use(active.technical, 500).await.unwrap());

    let cancelled = Order {
        state: OrderState::Cancelled,
        version: 1,
        ..active
    };
    commit(bed, |change| change.save_order(&cancelled, Stage::Placed))
        .await
        .unwrap();
    assert!(!in_use(cancelled.technical, 0).await.unwrap());
}

async fn every_state_of_an_issuance_comes_back(bed: &Bed) {
    let (order, mut issuance) = store_an_order(bed, 1).await;
    let certificate = CertificateId(77);
    let states = [
        IssuanceState::Signing { certificate },
        IssuanceState::Issued { certificate },
        IssuanceState::Rejected {
            reason: "too late".to_owned(),
        },
        IssuanceState::Cancelled,
        IssuanceState::Validating,
    ];
    issuance.names[0].proof = Some(a_proof());
    for state in states {
        issuance = Issuance { state, ..issuance };
        issuance.looked(at(60));
        commit(bed, |change| change.save_issuance(&issuance))
            .await
            .unwrap();
        issuance.version += 1;
        assert_eq!(
            bed.store.issuance(issuance.id).await.unwrap().unwrap(),
            issuance
        );
        let file = bed.store.order_file(order.id).await.unwrap().unwrap();
        assert_eq!(file.issuance, issuance);
    }
}

async fn an_issuance_saved_twice_from_one_reading_is_a_conflict(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    commit(bed, |change| change.save_issuance(&issuance))
        .await
        .unwrap();
    let again = commit(bed, |change| change.save_issuance(&issuance)).await;
    assert!(is_conflict(&again, "issuance"));
}

async fn a_certificate_is_reserved_then_signed_once(bed: &Bed) {
    let (order, issuance) = store_an_order(bed, 1).await;
    let mut certificate = a_certificate(77, &issuance);
    let signing = Issuance {
        state: IssuanceState::Signing {
            certificate: certificate.id,
        },
        ..issuance
    };
    commit(bed, |change| {
        change.insert_certificate(&certificate);
        change.save_issuance(&signing);
    })
    .await
    .unwrap();
    assert_eq!(
        bed.store
            .certificate(certificate.id)
            .await
            .unwrap()
            .unwrap(),
        certificate
    );
    let summaries = bed.store.issued_certificates(order.id).await.unwrap();
    assert_eq!(summaries, []);

    let sign = async |der: &[u8]| {
        commit(bed, |change| {
            change.store_signed(certificate.id, der.to_vec(), at(40));
        })
        .await
    };
    sign(&[1; 1_000]).await.unwrap();
    assert!(is_conflict(&sign(&[2; 1_000]).await, "certificate"));
    certificate.state = CertificateState::Issued {
        der: vec![1; 1_000],
        signed_at: at(40),
    };
    assert_eq!(
        bed.store
            .certificate(certificate.id)
            .await
            .unwrap()
            .unwrap(),
        certificate
    );
    let in_force = Order {
        certificate: Some(certificate.id),
        ..order
    };
    commit(bed, |change| change.save_order(&in_force, Stage::Placed))
        .await
        .unwrap();
    let file = bed.store.order_file(in_force.id).await.unwrap().unwrap();
    assert_eq!(file.certificate, certificate.summary());
    let summaries = bed.store.issued_certificates(in_force.id).await.unwrap();
    assert_eq!(summaries, [certificate.summary().unwrap()]);
    assert_eq!(
        bed.store.certificate(CertificateId(78)).await.unwrap(),
        None
    );
}

async fn an_abandoned_certificate_is_never_signed(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    let mut certificate = a_certificate(77, &issuance);
    let id = certificate.id;
    commit(bed, |change| change.insert_certificate(&certificate))
        .await
        .unwrap();
    commit(bed, |change| change.abandon_certificate(id))
        .await
        .unwrap();
    certificate.state = CertificateState::Abandoned;
    assert_eq!(
        bed.store.certificate(id).await.unwrap().unwrap(),
        certificate
    );
    let signed = commit(bed, |change| change.store_signed(id, vec![1], at(40))).await;
    assert!(is_conflict(&signed, "certificate"));
    let again = commit(bed, |change| change.abandon_certificate(id)).await;
    assert!(is_conflict(&again, "certificate"));
}

async fn a_serial_is_used_once(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    let first = a_certificate(77, &issuance);
    commit(bed, |change| change.insert_certificate(&first))
        .await
        .unwrap();
    let mut second = a_certificate(78, &issuance);
    second.serial.clone_from(&first.serial);
    let taken = commit(bed, |change| change.insert_certificate(&second)).await;
    assert!(is_conflict(&taken, "certificate"));
    second.issuer = "another".to_owned();
    commit(bed, |change| change.insert_certificate(&second))
        .await
        .unwrap();
}

async fn issued_certificates_come_the_oldest_first_and_are_revoked_once(bed: &Bed) {
    let (order, issuance) = store_an_order(bed, 1).await;
    for (id, signed) in [(77, 50), (78, 40), (79, 45)] {
        let certificate = a_certificate(id, &issuance);
        commit(bed, |change| {
            change.insert_certificate(&certificate);
            change.store_signed(certificate.id, vec![1], at(signed));
        })
        .await
        .unwrap();
    }
    let issued = async || bed.store.issued_certificates(order.id).await.unwrap();
    let ids: Vec<i64> = issued().await.iter().map(|issued| issued.id.0).collect();
    assert_eq!(ids, [78, 79, 77]);
    let revoke = async || {
        commit(bed, |change| {
            let by = Requester::Operator(OperatorName::parse("anna").unwrap());
            let revocation = Revocation::new(RevocationReason::Superseded, by, at(59), at(60));
            change.revoke_certificate(CertificateId(79), &revocation);
        })
        .await
    };
    revoke().await.unwrap();
    assert!(is_conflict(&revoke().await, "certificate"));
    let revoked = issued().await[1];
    assert_eq!(revoked.revoked_at, Some(at(60)));
    assert_eq!(
        revoked.revocation_reason,
        Some(RevocationReason::Superseded)
    );
    let filter = CertificateFilter::Order(order.id);
    let lines = async |after, limit| {
        let after = CertificateId(after);
        let lines = bed.store.certificate_lines(&filter, after, limit).await;
        lines.unwrap()
    };
    let all = lines(0, 10).await;
    let ids: Vec<i64> = all.iter().map(|line| line.id.0).collect();
    assert_eq!(ids, [77, 78, 79]);
    let revocation = all[2].revocation.clone().unwrap();
    assert_eq!(
        (revocation.asked_at, revocation.by.to_string()),
        (at(59), "operator anna".to_owned())
    );
    assert_eq!(lines(77, 1).await, all[1..2]);
    // Later it turns out to be worse; that is told once.
    let amend = async || commit(bed, |change| change.amend_revocation(CertificateId(79))).await;
    amend().await.unwrap();
    assert!(is_conflict(&amend().await, "certificate"));
    assert_eq!(
        issued().await[1].revocation_reason,
        Some(RevocationReason::KeyCompromise)
    );
}

async fn a_notice_is_decided_once(bed: &Bed) {
    let (order, _) = store_an_order(bed, 1).await;
    let notice = |id, left| Notice {
        id: NoticeId(id),
        order: order.id,
        certificate: Some(CertificateId(7)),
        news: News::CertificateEnding(CertificateId(7), left),
        created_at: at(50 + id),
        sent_at: None,
    };
    let (first, again, nearer) = (notice(1, 30), notice(2, 30), notice(3, 14));
    let insert = async |notice: &Notice| commit(bed, |change| change.insert_notice(notice)).await;
    insert(&first).await.unwrap();
    assert!(is_conflict(&insert(&again).await, "notice"));
    insert(&nearer).await.unwrap();
    let tell = async || commit(bed, |change| change.mark_told(first.id, at(60))).await;
    tell().await.unwrap();
    assert!(is_conflict(&tell().await, "notice"));
    let told = Notice {
        sent_at: Some(at(60)),
        ..first
    };
    let all = bed.store.notices(order.id).await.unwrap();
    assert_eq!(all, [told.clone(), nearer]);
    assert_eq!(bed.store.notice(told.id).await.unwrap(), Some(told));
}

async fn revoked_certificates_are_listed_until_they_expire(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    for (id, reason) in [(77, Some(1_i64)), (78, None), (79, Some(4))] {
        let certificate = a_certificate(id, &issuance);
        commit(bed, |change| {
            change.insert_certificate(&certificate);
            if id != 79 {
                change.store_signed(certificate.id, vec![1], at(40));
                let revoke = "update certificates
                    set state = 'revoked', revoked_at = $1, revocation_reason = $2 where id = $3";
                change.execute(revoke, values![at(50), reason, id]);
            }
        })
        .await
        .unwrap();
    }
    let listed = bed
        .store
        .revoked_certificates("embedded", at(9_000))
        .await
        .unwrap();
    assert_eq!(
        listed,
        [
            (vec![0x11, 77], at(50), Some(1)),
            (vec![0x11, 78], at(50), None)
        ]
    );
    assert!(
        bed.store
            .revoked_certificates("embedded", at(9_001))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        bed.store
            .revoked_certificates("another", at(0))
            .await
            .unwrap()
            .is_empty()
    );
    let found = bed
        .store
        .certificate(CertificateId(77))
        .await
        .unwrap()
        .unwrap();
    // What a release before has revoked of itself.
    let revocation = found.revocation().unwrap();
    assert_eq!(revocation.reason, RevocationReason::KeyCompromise);
    assert_eq!(revocation.by, Requester::Platform);
    assert_eq!(revocation.asked_at, at(50));
}

async fn rows_that_make_no_sense_are_corrupt(bed: &Bed) {
    let breakages = [
        "update orders set state = 'active'",
        "update orders set state = 'dreaming'",
        "update orders set names = '[]'",
        "update orders set names = 'shop.example'",
        "update orders set currency = 'dollars'",
        "update orders set term_years = 1000",
        "update issuances set state = 'issued'",
        "update issuances set method = 'magic'",
        "update issuances set controls = '{}'",
    ];
    store_resellers(bed).await;
    for (id, breakage) in (0..).zip(breakages) {
        let order = Order {
            version: 0,
            ..an_order(id * 10)
        };
        let issuance = an_issuance(&order);
        commit(bed, |change| {
            place(change, &order);
            change.insert_issuance(&issuance);
            change.execute(breakage, vec![]);
        })
        .await
        .unwrap();
        let found = bed.store.order_file(order.id).await;
        assert!(
            matches!(found, Err(StoreError::Corrupt { .. })),
            "{breakage}: {found:?}"
        );
        bed.apply("delete from issuances", vec![]).await;
        bed.apply("delete from orders", vec![]).await;
    }
}

async fn two_processes_count_one_resellers_orders_without_waiting_for_each_other(bed: &Bed) {
    store_resellers(bed).await;
    let (one, other) = (bed.another().await, bed.another().await);
    let placed = |id: i64| {
        let mut change = Change::new();
        place(&mut change, &an_order(id));
        change
    };
    let moved = |id: i64| {
        let stage = Stage::ALL[usize::try_from(id % 5).unwrap() + 1];
        let order = Order {
            stage,
            ..an_order(id)
        };
        let mut change = Change::new();
        change.save_order(&order, Stage::Placed);
        change
    };
    for id in 0..800 {
        bed.store.commit(placed(1_000 + id)).await.unwrap();
    }
    // Some touch the balance first and then the counts, some the counts alone, in several orders.
    let sets = (0..1_600_i64).map(|n| {
        let store = if n % 2 == 0 { &one } else { &other };
        store.commit(match n % 4 < 2 {
            true => moved(1_000 + n / 4 * 2 + n % 2),
            false => placed(4_000 + n),
        })
    });
    let outcomes: Vec<_> = stream::iter(sets).buffer_unordered(32).collect().await;
    for outcome in outcomes {
        outcome.unwrap();
    }
    // What a process has seen is counted when it leaves.
    one.close().await;
    other.close().await;
    if bed.store.engine() == Engine::Postgres {
        const DEADLOCKS: &str =
            "select deadlocks from pg_stat_database where datname = current_database()";
        assert_eq!(bed.int(DEADLOCKS).await, 0);
    }
}
