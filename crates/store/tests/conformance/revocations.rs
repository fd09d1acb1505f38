//! Certificates by what they are revoked for, and keys that are blocked.

use chancery_domain::certificates::CertificateId;
use chancery_domain::resellers::ResellerId;
use chancery_domain::revocations::{BlockedKey, BlockedKeyId, Requester};
use chancery_store::certificates::CertificateFilter;
use chancery_store::{StoreError, values};

use crate::bed::{Bed, on_both_engines};
use crate::things::{a_certificate, at, commit, name, store_an_order};

on_both_engines!(
    certificates_are_found_by_key_serial_and_name,
    a_blocked_key_is_blocked_once_and_never_stored_under,
);

async fn certificates_are_found_by_key_serial_and_name(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    for (id, key) in [(77, 1), (78, 2), (79, 1)] {
        let mut certificate = a_certificate(id, &issuance);
        certificate.spki_sha256 = vec![key; 32];
        commit(bed, |change| {
            change.insert_certificate(&certificate);
            if id != 79 {
                change.store_signed(certificate.id, vec![1], at(40));
            }
        })
        .await
        .unwrap();
    }
    // Serials are looked for below the issuers on record.
    bed.apply(
        "insert into issuing_cas (number, issuer, certificate, key, created_at)
         values (2, 'embedded', $1, $1, 1)",
        values![vec![1_u8]],
    )
    .await;
    let found = async |filter: CertificateFilter| -> Vec<i64> {
        let lines = bed
            .store
            .certificate_lines(&filter, CertificateId(0), 9)
            .await;
        lines.unwrap().iter().map(|line| line.id.0).collect()
    };
    assert_eq!(found(CertificateFilter::Key([1; 32])).await, [77]);
    assert_eq!(found(CertificateFilter::Serial(vec![0x11, 78])).await, [78]);
    assert!(
        found(CertificateFilter::Serial(vec![0x11]))
            .await
            .is_empty()
    );
    assert_eq!(
        found(CertificateFilter::Name(name("*.shop.example"))).await,
        [77, 78]
    );
    assert!(
        found(CertificateFilter::Name(name("hop.example")))
            .await
            .is_empty()
    );
    assert_eq!(found(CertificateFilter::All).await, [77, 78]);
    let in_force = async |reseller, now| -> Vec<i64> {
        let store = &bed.store;
        let lines = store.certificates_in_force_of_key(&[1; 32], reseller, at(now), 9);
        let lines = lines.await.unwrap();
        lines.iter().map(|line| line.id.0).collect()
    };
    assert_eq!(in_force(None, 9_000).await, [77]);
    assert_eq!(in_force(Some(issuance.reseller), 41).await, [77]);
    assert!(in_force(Some(ResellerId(1)), 41).await.is_empty());
    assert!(in_force(None, 9_001).await.is_empty());
}

async fn a_blocked_key_is_blocked_once_and_never_stored_under(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    let certificate = a_certificate(77, &issuance);
    commit(bed, |change| change.insert_certificate(&certificate))
        .await
        .unwrap();
    let block = |id, byte: u8| BlockedKey {
        id: BlockedKeyId(id),
        spki_sha256: [byte; 32],
        by: Requester::KeyHolder,
        note: Some("found in a repository".to_owned()),
        at: at(50 + id),
    };
    for key in [block(1, 9), block(2, 9), block(3, 8)] {
        commit(bed, |change| change.block_key(&key)).await.unwrap();
    }
    let store = async || {
        commit(bed, |change| {
            change.store_signed(certificate.id, vec![1], at(60));
        })
        .await
    };
    assert!(matches!(
        store().await,
        Err(StoreError::Conflict {
            what: "certificate",
            ..
        })
    ));
    assert_eq!(
        bed.store.blocked_key(&[9; 32]).await.unwrap(),
        Some(block(1, 9))
    );
    assert_eq!(bed.store.blocked_key(&[7; 32]).await.unwrap(), None);
    let by_id = async |id| bed.store.blocked_key_by_id(BlockedKeyId(id)).await.unwrap();
    assert_eq!(by_id(3).await, Some(block(3, 8)));
    assert_eq!(by_id(2).await, None);
    let page = bed.store.blocked_keys(BlockedKeyId(0), 1).await.unwrap();
    assert_eq!(page, [block(1, 9)]);
    let page = bed.store.blocked_keys(BlockedKeyId(1), 9).await.unwrap();
    assert_eq!(page, [block(3, 8)]);
}
