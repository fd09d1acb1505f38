//! Resellers, credentials and money: whose they are, and not a cent more or less.

use chancery_domain::access::{Access, Networks, Scope};
use chancery_domain::issuances::Issuance;
use chancery_domain::ledger::Posting;
use chancery_domain::operators::{ActKind, OperatorAct, OperatorName};
use chancery_domain::resellers::{Credential, CredentialKind, ProofScope, ResellerId};
use chancery_store::{Change, Sequence, StoreError};
use futures_util::future::join_all;

use crate::bed::{Bed, on_both_engines};
use crate::things::{
    OURS, THEIRS, a_reseller, an_issuance, an_order, at, commit, store_resellers, usd,
};

on_both_engines!(
    a_reseller_comes_back_as_it_went,
    settings_of_a_reseller_are_saved_once_over_what_was_read,
    acts_of_operators_stay_in_order,
    a_credential_leads_to_its_reseller,
    a_credential_is_revoked_once,
    access_is_changed_until_the_credential_is_revoked,
    money_moves_in_both_books,
    a_charge_above_the_balance_changes_nothing,
    an_order_is_given_back_once,
    many_charges_at_once_keep_the_books,
);

async fn a_reseller_comes_back_as_it_went(bed: &Bed) {
    assert!(bed.store.resellers().await.unwrap().is_empty());
    store_resellers(bed).await;
    assert_eq!(
        bed.store.reseller(OURS).await.unwrap(),
        Some(a_reseller(OURS))
    );
    assert_eq!(bed.store.reseller(ResellerId(9)).await.unwrap(), None);
    assert_eq!(
        bed.store.resellers().await.unwrap(),
        [a_reseller(OURS), a_reseller(THEIRS)]
    );
    assert_eq!(bed.store.balance(OURS).await.unwrap(), Some(usd(0)));
    assert_eq!(bed.store.balance(ResellerId(9)).await.unwrap(), None);
}

async fn settings_of_a_reseller_are_saved_once_over_what_was_read(bed: &Bed) {
    store_resellers(bed).await;
    let mut changed = a_reseller(OURS);
    changed.name = "Händler, umbenannt".to_owned();
    changed.settings.proof_scope = ProofScope::Reseller;
    changed.settings.suspended_at = Some(at(77));
    let save = async || commit(bed, |change| change.set_reseller_settings(&changed)).await;
    save().await.unwrap();
    let found = bed.store.reseller(OURS).await.unwrap().unwrap();
    assert_eq!(found.version, changed.version + 1);
    assert_eq!(
        (&found.name, &found.settings),
        (&changed.name, &changed.settings)
    );
    assert!(found.is_suspended());
    // Who read it before does not undo that.
    assert!(matches!(save().await, Err(StoreError::Conflict { .. })));
    let other = bed.store.reseller(THEIRS).await.unwrap();
    assert_eq!(other, Some(a_reseller(THEIRS)));
}

async fn acts_of_operators_stay_in_order(bed: &Bed) {
    store_resellers(bed).await;
    let act = |id: i64, kind, reseller| OperatorAct {
        id,
        at: at(id),
        operator: OperatorName::parse("olga").unwrap(),
        kind,
        subject: "reseller ☃".to_owned(),
        reseller,
        detail: (id == 1).then(|| "unpaid".to_owned()),
    };
    let acts = [
        act(1, ActKind::ResellerSuspended, Some(OURS)),
        act(2, ActKind::ResellerSet, Some(THEIRS)),
        act(3, ActKind::ResellerResumed, Some(OURS)),
    ];
    commit(bed, |change| {
        acts.iter().for_each(|act| change.insert_operator_act(act));
    })
    .await
    .unwrap();
    let found = async |reseller, before, most| {
        bed.store
            .operator_acts(reseller, before, most)
            .await
            .unwrap()
    };
    assert_eq!(
        found(Some(OURS), None, 9).await,
        [acts[2].clone(), acts[0].clone()]
    );
    assert_eq!(found(None, Some(3), 1).await, [acts[1].clone()]);
}

fn a_credential(username: &str) -> Credential {
    Credential {
        username: username.to_owned(),
        kind: CredentialKind::LogicBoxes,
        reseller: OURS,
        secret_hash: [5; 32],
        access: Access {
            scope: Scope::Orders,
            allowed: Networks::parse("203.0.113.0/24, 2001:db8::1").unwrap(),
        },
        created_at: at(5),
        revoked_at: None,
    }
}

async fn a_credential_leads_to_its_reseller(bed: &Bed) {
    store_resellers(bed).await;
    let credential = a_credential("ann");
    commit(bed, |change| change.insert_credential(&credential))
        .await
        .unwrap();
    let found = bed.store.credential("ann").await.unwrap();
    assert!(found == Some((credential, a_reseller(OURS))));
    assert!(bed.store.credential("bob").await.unwrap().is_none());

    let again = commit(bed, |change| change.insert_credential(&a_credential("ann"))).await;
    assert!(matches!(again, Err(StoreError::Database(_))));
    let stranger = Credential {
        reseller: ResellerId(9),
        ..a_credential("cay")
    };
    assert!(
        commit(bed, |change| change.insert_credential(&stranger))
            .await
            .is_err()
    );
}

async fn a_credential_is_revoked_once(bed: &Bed) {
    store_resellers(bed).await;
    for username in ["ann", "bea"] {
        commit(bed, |change| {
            change.insert_credential(&a_credential(username));
        })
        .await
        .unwrap();
    }
    let revoke = async || commit(bed, |change| change.revoke_credential("ann", at(9))).await;
    revoke().await.unwrap();
    let again = revoke().await;
    assert!(matches!(
        again,
        Err(StoreError::Conflict {
            what: "credential",
            ..
        })
    ));
    let found = bed.store.credentials(OURS).await.unwrap();
    let revoked: Vec<_> = found.iter().map(|found| found.revoked_at).collect();
    assert_eq!(revoked, [Some(at(9)), None]);
    assert!(bed.store.credentials(THEIRS).await.unwrap().is_empty());
}

async fn access_is_changed_until_the_credential_is_revoked(bed: &Bed) {
    store_resellers(bed).await;
    commit(bed, |change| {
        change.insert_credential(&a_credential("ann"));
    })
    .await
    .unwrap();
    let held = async || bed.store.credential("ann").await.unwrap().unwrap().0.access;
    assert_eq!(held().await, a_credential("ann").access);
    let everywhere = Networks::default();
    commit(bed, |change| change.set_scope("ann", Scope::Read))
        .await
        .unwrap();
    commit(bed, |change| change.set_allowed("ann", &everywhere))
        .await
        .unwrap();
    let (scope, allowed) = (Scope::Read, everywhere.clone());
    assert_eq!(held().await, Access { scope, allowed });
    commit(bed, |change| change.revoke_credential("ann", at(9)))
        .await
        .unwrap();
    for username in ["ann", "nobody"] {
        let scope = commit(bed, |change| change.set_scope(username, Scope::Money)).await;
        let allowed = commit(bed, |change| change.set_allowed(username, &everywhere)).await;
        for refused in [scope, allowed] {
            assert!(matches!(refused, Err(StoreError::Conflict { .. })));
        }
    }
}

async fn post(bed: &Bed, posting: Posting) -> Result<(), StoreError> {
    let ids = [posting.id * 10, posting.id * 10 + 1];
    commit(bed, |change| change.post(&posting, ids)).await
}

async fn money_moves_in_both_books(bed: &Bed) {
    store_resellers(bed).await;
    assert_eq!(bed.store.ledger_sum().await.unwrap(), 0);
    let note = Some("wire 17".to_owned());
    post(bed, Posting::credit(1, OURS, usd(1_000), note, at(1)))
        .await
        .unwrap();
    post(bed, Posting::charge(2, &a_run(OURS, 1, 300), at(2)))
        .await
        .unwrap();
    post(bed, Posting::charge(3, &a_run(OURS, 2, 700), at(3)))
        .await
        .unwrap();
    post(bed, Posting::refund(4, &a_run(OURS, 2, 700), at(4)))
        .await
        .unwrap();
    assert_eq!(bed.store.balance(OURS).await.unwrap(), Some(usd(700)));
    assert_eq!(bed.store.balance(THEIRS).await.unwrap(), Some(usd(0)));
    assert_eq!(bed.store.ledger_sum().await.unwrap(), 0);
    assert_eq!(
        bed.store.ledger_audit().await.unwrap(),
        [(OURS, 700, 700), (THEIRS, 0, 0)]
    );

    let sql = "select account, reseller_id, order_id, amount, kind, note from ledger_entries
        order by id";
    let rows = bed.rows(sql).await;
    assert_eq!(rows.len(), 8);
    assert_eq!(rows[0].text(0).unwrap(), "deposits");
    assert_eq!(rows[0].opt_int(1).unwrap(), None);
    assert_eq!(rows[1].opt_int(1).unwrap(), Some(OURS.0));
    assert_eq!(rows[1].opt_text(5).unwrap(), Some("wire 17"));
    assert_eq!(rows[2].int(3).unwrap(), -300);
    assert_eq!(rows[3].text(0).unwrap(), "sales");
    assert_eq!(rows[7].opt_int(2).unwrap(), Some(2));
}

/// A run of an order that costs so much.
fn a_run(reseller: ResellerId, order: i64, minor: i64) -> Issuance {
    Issuance {
        reseller,
        price: usd(minor),
        ..an_issuance(&an_order(order))
    }
}

async fn a_charge_above_the_balance_changes_nothing(bed: &Bed) {
    store_resellers(bed).await;
    post(bed, Posting::credit(1, OURS, usd(1_000), None, at(1)))
        .await
        .unwrap();
    let refused = post(bed, Posting::charge(2, &a_run(OURS, 1, 1_001), at(2))).await;
    assert!(matches!(refused, Err(StoreError::Refused("balance"))));
    let stranger = post(bed, Posting::credit(3, ResellerId(9), usd(1), None, at(2))).await;
    assert!(matches!(stranger, Err(StoreError::Refused("balance"))));
    assert_eq!(bed.store.balance(OURS).await.unwrap(), Some(usd(1_000)));
    assert_eq!(
        bed.int("select cast(count(*) as bigint) from ledger_entries")
            .await,
        2
    );
}

async fn an_order_is_given_back_once(bed: &Bed) {
    store_resellers(bed).await;
    post(bed, Posting::credit(1, OURS, usd(1_000), None, at(1)))
        .await
        .unwrap();
    post(bed, Posting::charge(2, &a_run(OURS, 7, 400), at(2)))
        .await
        .unwrap();
    post(bed, Posting::refund(3, &a_run(OURS, 7, 400), at(3)))
        .await
        .unwrap();
    let again = post(bed, Posting::refund(4, &a_run(OURS, 7, 400), at(4))).await;
    assert!(matches!(again, Err(StoreError::Refused("posting"))));
    assert_eq!(
        bed.store.ledger_audit().await.unwrap(),
        [(OURS, 1_000, 1_000), (THEIRS, 0, 0)]
    );
}

async fn many_charges_at_once_keep_the_books(bed: &Bed) {
    store_resellers(bed).await;
    for (id, reseller) in [(1, OURS), (2, THEIRS)] {
        post(bed, Posting::credit(id, reseller, usd(1_000), None, at(1)))
            .await
            .unwrap();
    }
    let charges = (0..300_i64).map(async |n| {
        let mut ids = [0; 3];
        for id in &mut ids {
            *id = 100 + bed.store.next_id(Sequence::Row).await.unwrap();
        }
        let reseller = if n % 2 == 0 { OURS } else { THEIRS };
        let posting = Posting::charge(ids[0], &a_run(reseller, n, 10), at(2));
        let mut change = Change::new();
        change.post(&posting, [ids[1], ids[2]]);
        bed.store.commit(change).await.is_ok()
    });
    let charged = join_all(charges)
        .await
        .into_iter()
        .filter(|charged| *charged)
        .count();
    assert_eq!(charged, 200);
    assert_eq!(bed.store.ledger_sum().await.unwrap(), 0);
    assert_eq!(
        bed.store.ledger_audit().await.unwrap(),
        [(OURS, 0, 0), (THEIRS, 0, 0)]
    );
}
