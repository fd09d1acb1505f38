//! What a restored database gets back, the pulse, revoked CAs, and looking for damage.

use chancery_domain::certificates::CertificateId;
use chancery_domain::revocations::{Requester, Revocation, RevocationReason};
use chancery_store::authorities::RevokedCaRow;
use chancery_store::lost_certificates::{LostCertificate, LostFilter};
use chancery_store::record::Record;
use chancery_store::{Sequence, StoreError};

use crate::bed::{Bed, on_both_engines};
use crate::things::{a_certificate, at, commit, store_an_order};

on_both_engines!(
    the_pulse_counts_and_keeps_the_latest_time,
    sequences_and_the_pulse_are_raised_and_never_lowered,
    a_lost_certificate_is_revoked_once_and_listed_once,
    what_is_known_of_a_lost_certificate_only_grows,
    numbers_that_were_given_out_before_are_not_given_out_again,
    a_revoked_ca_stores_no_signature,
    references_that_lead_nowhere_are_found,
);

fn lost(serial: u8) -> LostCertificate {
    LostCertificate {
        issuer: "embedded".to_owned(),
        serial: vec![0x11, serial],
        order: Some(7),
        reseller: Some(8),
        names: vec!["shop.example".to_owned()],
        spki_sha256: Some(vec![9; 32]),
        not_after: at(9_000),
        signed_at: Some(at(3)),
        found_at: at(4),
        revocation: None,
    }
}

async fn the_pulse_counts_and_keeps_the_latest_time(bed: &Bed) {
    assert_eq!(bed.store.latest_time().await.unwrap(), None);
    assert_eq!(bed.store.pulse_count().await.unwrap(), 0);
    for (now, count, latest) in [(5, 1, 5), (9, 2, 9), (3, 3, 9), (9, 4, 9)] {
        let pulse = bed.store.pulse(at(now)).await.unwrap();
        assert_eq!((pulse.count, pulse.latest), (count, at(latest)));
    }
    commit(bed, |change| change.set_latest_time(at(2)))
        .await
        .unwrap();
    assert_eq!(bed.store.latest_time().await.unwrap(), Some(at(2)));
    assert_eq!(bed.store.pulse_count().await.unwrap(), 4);
}

async fn sequences_and_the_pulse_are_raised_and_never_lowered(bed: &Bed) {
    let next = async || bed.store.sequence_numbers().await.unwrap()["order"];
    let before = next().await;
    for (asked, expected) in [(before + 50, before + 50), (before, before + 50)] {
        commit(bed, |change| change.raise_sequence("order", asked))
            .await
            .unwrap();
        assert_eq!(next().await, expected);
    }
    for (asked, expected) in [(40, 40), (30, 40)] {
        commit(bed, |change| change.raise_pulse(asked))
            .await
            .unwrap();
        assert_eq!(bed.store.pulse_count().await.unwrap(), expected);
    }
}

async fn a_lost_certificate_is_revoked_once_and_listed_once(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    // One that the database has, and that is revoked there as well.
    let held = a_certificate(2, &issuance);
    let reason = RevocationReason::Unspecified;
    let revocation = Revocation::new(reason, Requester::Platform, at(6), at(6));
    commit(bed, |change| {
        change.insert_certificate(&held);
        change.store_signed(held.id, vec![1], at(5));
        change.revoke_certificate(held.id, &revocation);
        change.insert_lost_certificate(&lost(1));
        change.insert_lost_certificate(&lost(1));
        change.insert_lost_certificate(&LostCertificate {
            revocation: Some(Revocation {
                reason: RevocationReason::Superseded,
                ..revocation.clone()
            }),
            ..lost(2)
        });
    })
    .await
    .unwrap();
    let listed = async || {
        let found = bed
            .store
            .revoked_lost_certificates("embedded", at(100))
            .await;
        found.unwrap()
    };
    assert_eq!(listed().await, []);
    let reason = RevocationReason::CessationOfOperation;
    let told = Revocation::new(reason, Requester::KeyHolder, at(6), at(7));
    let revoke = async || {
        commit(bed, |change| {
            change.revoke_lost_certificate(&lost(1), &told);
        })
        .await
    };
    revoke().await.unwrap();
    assert!(matches!(revoke().await, Err(StoreError::Conflict { .. })));
    assert_eq!(listed().await, [(vec![0x11, 1], at(7), Some(5))]);
    let amend = async || commit(bed, |change| change.amend_lost_revocation(&lost(1))).await;
    amend().await.unwrap();
    assert!(matches!(amend().await, Err(StoreError::Conflict { .. })));
    assert_eq!(listed().await, [(vec![0x11, 1], at(7), Some(1))]);
    let found = bed
        .store
        .lost_certificate("embedded", &[0x11, 1])
        .await
        .unwrap()
        .unwrap();
    let expected = LostCertificate {
        revocation: Some(Revocation {
            reason: RevocationReason::KeyCompromise,
            ..told
        }),
        ..lost(1)
    };
    assert_eq!(found, expected);
    for (filter, count) in [
        (LostFilter::All, 2),
        (LostFilter::Serial(vec![0x11, 1]), 1),
        (LostFilter::Key([9; 32]), 2),
        (LostFilter::Key([8; 32]), 0),
        (LostFilter::Order(7), 2),
        (LostFilter::Order(8), 0),
    ] {
        let found = bed.store.lost_certificates(&filter, at(100)).await.unwrap();
        assert_eq!(found.len(), count, "{filter:?}");
        let ended = bed.store.lost_certificates(&filter, at(10_000)).await;
        assert_eq!(ended.unwrap(), [], "{filter:?}");
    }
    let by_serial = bed
        .store
        .certificate_by_serial("embedded", &[0x11, 2])
        .await;
    let by_serial = by_serial.unwrap().unwrap();
    assert_eq!(
        (by_serial.id, by_serial.state.as_str()),
        (held.id, "revoked")
    );
}

async fn what_is_known_of_a_lost_certificate_only_grows(bed: &Bed) {
    let revoked = |reason| {
        let reason = RevocationReason::from_code(reason).unwrap();
        Some(Revocation::new(reason, Requester::Platform, at(6), at(6)))
    };
    let of_a_list = LostCertificate {
        order: None,
        reseller: None,
        names: Vec::new(),
        spki_sha256: None,
        signed_at: None,
        revocation: revoked(4),
        ..lost(1)
    };
    let compromised = LostCertificate {
        revocation: revoked(1),
        ..of_a_list.clone()
    };
    let full = LostCertificate {
        revocation: revoked(4),
        ..lost(1)
    };
    let all = LostCertificate {
        revocation: revoked(1),
        ..lost(1)
    };
    for (told, expected) in [
        (&of_a_list, &of_a_list),
        (&lost(1), &full),
        (&of_a_list, &full),
        (&compromised, &all),
        (&full, &all),
    ] {
        commit(bed, |change| change.insert_lost_certificate(told))
            .await
            .unwrap();
        let found = bed.store.lost_certificate("embedded", &[0x11, 1]).await;
        let mut found = found.unwrap().unwrap();
        if let Some(kept) = &mut found.revocation {
            kept.due_at = expected.revocation.as_ref().unwrap().due_at;
        }
        assert_eq!(found, *expected);
    }
}

async fn numbers_that_were_given_out_before_are_not_given_out_again(bed: &Bed) {
    let records = tempfile::tempdir().unwrap();
    let record = Record::open(records.path(), "one").unwrap();
    bed.store.attach_record(record).await.unwrap();
    let first = bed.store.next_id(Sequence::Order).await.unwrap();
    commit(bed, |change| {
        change.execute(
            "update sequences set next = next - 1 where name = 'order'",
            Vec::new(),
        );
    })
    .await
    .unwrap();
    // Of its own sequence first, then of any.
    for sequence in [Sequence::Order, Sequence::Contact] {
        let refused = bed.store.next_id(sequence).await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{refused:?}"
        );
    }
    assert!(bed.store.is_behind());
    let record = Record::open(records.path(), "one").unwrap();
    let why = record.behind().unwrap().unwrap();
    assert!(
        why.contains("order") && why.contains(&first.to_string()),
        "{why}"
    );
}

async fn a_revoked_ca_stores_no_signature(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    let [one, other] = [a_certificate(1, &issuance), a_certificate(2, &issuance)];
    commit(bed, |change| {
        change.insert_certificate(&one);
        change.insert_certificate(&other);
        change.store_signed(one.id, vec![1], at(5));
    })
    .await
    .unwrap();
    let row = RevokedCaRow {
        issuer: "embedded".to_owned(),
        serial: vec![3],
        revoked_at: at(6),
        reason: 2,
        operator: "ann".to_owned(),
        replaced_at: None,
    };
    let revoke = async || commit(bed, |change| change.insert_revoked_ca(&row)).await;
    revoke().await.unwrap();
    assert!(matches!(
        revoke().await,
        Err(StoreError::Refused("revoked ca"))
    ));
    let stored = commit(bed, |change| change.store_signed(other.id, vec![1], at(7))).await;
    assert!(matches!(stored, Err(StoreError::Conflict { .. })));
    let found = bed
        .store
        .certificates_in_force("embedded", at(10), &[], 10)
        .await
        .unwrap();
    assert_eq!(
        found.iter().map(|held| held.id).collect::<Vec<_>>(),
        [one.id]
    );
    let after = bed
        .store
        .certificates_in_force("embedded", at(10), &one.serial, 10)
        .await;
    assert!(after.unwrap().is_empty());
    assert_eq!(
        bed.store.issuer_of(one.id).await.unwrap().as_deref(),
        Some("embedded")
    );
    commit(bed, |change| change.mark_ca_replaced("embedded", at(8)))
        .await
        .unwrap();
    let expected = RevokedCaRow {
        replaced_at: Some(at(8)),
        ..row.clone()
    };
    assert_eq!(bed.store.revoked_cas().await.unwrap(), [expected]);
}

async fn references_that_lead_nowhere_are_found(bed: &Bed) {
    let (order, issuance) = store_an_order(bed, 1).await;
    assert_eq!(bed.store.engine_faults().await.unwrap(), [""; 0]);
    let certificate = a_certificate(3, &issuance);
    commit(bed, |change| {
        change.insert_certificate(&certificate);
        change.execute("update orders set certificate_id = 4711", Vec::new());
    })
    .await
    .unwrap();
    let faults = bed.store.reference_faults().await.unwrap();
    let expected = format!(
        "order whose certificate is not there or not signed: {}",
        order.id
    );
    assert!(faults.contains(&expected), "{faults:#?}");
    let page = bed
        .store
        .each_certificate(CertificateId(0), 10)
        .await
        .unwrap();
    assert_eq!(page.len(), 1);
    assert_eq!(*page[0].1.as_ref().unwrap(), certificate);
    assert!(bed.store.sealed_messages().await.unwrap().is_empty());
}
