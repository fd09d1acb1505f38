//! Domain control and what surrounds it: looks, authorizations, approvals, events, requests remembered,
//! the CA on record.

use chancery_domain::authorizations::{Authorization, Method, ProofId};
use chancery_domain::events::{Actor, Event, EventKind};
use chancery_domain::issuances::IssuanceId;
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::orders::{Order, OrderId};
use chancery_store::StoreError;
use chancery_store::approvals::{Approval, CountedMail, Sendings};
use chancery_store::authorities::{AuthorityRow, CrlRow, IssuingCaRow};
use chancery_store::authorizations::{Holder, ProofFilter};
use chancery_store::idempotency::Remembered;
use chancery_store::retention::Stale;

use crate::bed::{Bed, on_both_engines};
use crate::things::{OURS, THEIRS, at, commit, name, store_an_order};

on_both_engines!(
    the_latest_look_at_each_name_is_found,
    authorizations_are_found_by_base_domain_and_age,
    proofs_belong_to_orders_and_their_renewals,
    an_older_proof_of_a_renewed_order_is_dropped_with_the_newer,
    nothing_is_begun_on_a_proof_that_was_dropped,
    an_approval_is_answered_once,
    a_void_approval_cannot_be_answered,
    approvals_and_their_messages_are_counted,
    one_at_a_time_hands_a_message_over,
    history_comes_in_order,
    a_request_is_remembered_once,
    there_is_one_authority,
    issuing_cas_follow_each_other_once,
    a_crl_number_is_used_once,
    old_crls_are_dropped_in_small_steps,
    a_fact_is_replaced,
);

fn a_look(of: &str, outcome: Outcome, seconds: i64) -> Observation {
    Observation {
        name: name(of),
        method: Method::Dns,
        at: at(seconds),
        asked: format!("TXT _dnsauth.{of}"),
        of: "127.0.0.1:53".to_owned(),
        found: "\"ünïcode\"".to_owned(),
        outcome,
        advice: "add the record".to_owned(),
        proved_domain: (outcome == Outcome::Proved).then(|| name("shop.example")),
    }
}

async fn the_latest_look_at_each_name_is_found(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    let looks = [
        a_look("a.shop.example", Outcome::NotFound, 1),
        a_look("b.shop.example", Outcome::Timeout, 2),
        a_look("a.shop.example", Outcome::Proved, 3),
        a_look("b.shop.example", Outcome::WrongValue, 4),
    ];
    assert!(
        bed.store
            .latest_observations(issuance.id)
            .await
            .unwrap()
            .is_empty()
    );
    for (id, look) in (1..).zip(&looks) {
        commit(bed, |change| {
            change.insert_observation(id, issuance.id, look);
        })
        .await
        .unwrap();
    }
    assert_eq!(
        bed.store.latest_observations(issuance.id).await.unwrap(),
        looks[2..]
    );
    let all = bed.store.observations(issuance.id, 3).await.unwrap();
    assert_eq!(all, [looks[3].clone(), looks[2].clone(), looks[1].clone()]);
    assert!(
        bed.store
            .observations(IssuanceId(99), 3)
            .await
            .unwrap()
            .is_empty()
    );
}

fn proved(domain: &str, method: Method, seconds: i64) -> Authorization {
    Authorization {
        domain: name(domain),
        method,
        obtained_at: at(seconds),
    }
}

/// Keeps proofs of an order.
async fn keep(bed: &Bed, from: i64, order: OrderId, proofs: &[Authorization]) {
    for (id, proved) in (from..).zip(proofs) {
        commit(bed, |change| {
            change.insert_authorization(id, (OURS, order), IssuanceId(5), proved);
        })
        .await
        .unwrap();
    }
}

async fn authorizations_are_found_by_base_domain_and_age(bed: &Bed) {
    let proofs = [
        proved("shop.example", Method::File, 10),
        proved("a.b.shop.example", Method::File, 30),
        proved("workshop.example", Method::File, 20),
    ];
    keep(bed, 1, OrderId(7), &proofs).await;
    let find = async |reseller, domain, since| {
        let holder = Holder::Reseller(reseller);
        bed.store
            .authorizations(holder, &name(domain), at(since))
            .await
            .unwrap()
    };
    let both = [proofs[1].clone(), proofs[0].clone()];
    assert_eq!(find(OURS, "shop.example", 10).await, both);
    assert_eq!(find(OURS, "shop.example", 11).await, both[..1]);
    assert_eq!(find(OURS, "workshop.example", 0).await, proofs[2..]);
    assert!(find(THEIRS, "shop.example", 0).await.is_empty());

    // Found once for each domain and method, at its latest; what covers more comes first.
    let by_dns = proved("shop.example", Method::Dns, 15);
    let again = proved("shop.example", Method::File, 40);
    keep(bed, 10, OrderId(8), &[by_dns.clone(), again.clone()]).await;
    let found = find(OURS, "shop.example", 0).await;
    assert_eq!(found, [by_dns, again, proofs[1].clone()]);
}

/// Two orders, the second of which renews the first.
async fn store_a_renewal(bed: &Bed) -> (Order, Order) {
    let (first, _) = store_an_order(bed, 1).await;
    let (renewal, _) = store_an_order(bed, 2).await;
    let link = "update orders set renews_id = $1 where id = $2";
    bed.apply(link, chancery_store::values![first.id.0, renewal.id.0])
        .await;
    (first, renewal)
}

async fn proofs_belong_to_orders_and_their_renewals(bed: &Bed) {
    let (first, renewal) = store_a_renewal(bed).await;
    let of_first = proved("shop.example", Method::Dns, 10);
    let of_renewal = proved("shop.example", Method::File, 20);
    keep(bed, 100, first.id, std::slice::from_ref(&of_first)).await;
    keep(bed, 200, renewal.id, std::slice::from_ref(&of_renewal)).await;
    let held = async |holder| {
        bed.store
            .authorizations(holder, &name("shop.example"), at(0))
            .await
            .unwrap()
    };
    let of_first_alone = std::slice::from_ref(&of_first);
    assert_eq!(held(Holder::Order(first.id)).await, of_first_alone);
    let both = [of_first.clone(), of_renewal.clone()];
    assert_eq!(held(Holder::Order(renewal.id)).await, both);
    assert!(held(Holder::Order(OrderId(9))).await.is_empty());

    // Dropped ones are found by nobody who looks for something to use.
    let listed = async |reseller, filter: &ProofFilter| {
        let found = bed.store.proofs(reseller, filter, 9).await.unwrap();
        found.iter().map(|proof| proof.id.0).collect::<Vec<_>>()
    };
    let all = ProofFilter::default();
    assert_eq!(listed(OURS, &all).await, [200, 100]);
    assert!(listed(THEIRS, &all).await.is_empty());
    let of_order = ProofFilter {
        order: Some(first.id),
        ..ProofFilter::default()
    };
    assert_eq!(listed(OURS, &of_order).await, [100]);
    assert!(listed(THEIRS, &of_order).await.is_empty());
    let of_domain = ProofFilter {
        base_domain: Some(name("shop.example")),
        before: Some(ProofId(200)),
        ..ProofFilter::default()
    };
    assert_eq!(listed(OURS, &of_domain).await, [100]);
    let proof = bed.store.proof(OURS, ProofId(100)).await.unwrap().unwrap();
    assert_eq!(bed.store.proof(THEIRS, ProofId(100)).await.unwrap(), None);
    commit(bed, |change| change.drop_proof(&proof, at(50)))
        .await
        .unwrap();
    assert!(held(Holder::Order(first.id)).await.is_empty());
    assert_eq!(held(Holder::Order(renewal.id)).await, [of_renewal]);
    assert_eq!(listed(OURS, &all).await, [200]);
    assert_eq!(bed.store.proof(OURS, ProofId(100)).await.unwrap(), None);
    let proofs = std::slice::from_ref(&of_first);
    let dropped = bed.store.dropped_proofs(OURS, proofs).await.unwrap();
    assert_eq!(dropped, proofs);
    let others = [proved("other.example", Method::Dns, 0)];
    assert!(
        (bed.store.dropped_proofs(OURS, &others).await)
            .unwrap()
            .is_empty()
    );
}

async fn an_older_proof_of_a_renewed_order_is_dropped_with_the_newer(bed: &Bed) {
    let (first, renewal) = store_a_renewal(bed).await;
    keep(
        bed,
        100,
        first.id,
        &[proved("shop.example", Method::Dns, 10)],
    )
    .await;
    keep(
        bed,
        200,
        renewal.id,
        &[proved("shop.example", Method::Dns, 20)],
    )
    .await;
    let proof = bed.store.proof(OURS, ProofId(200)).await.unwrap().unwrap();
    commit(bed, |change| change.drop_proof(&proof, at(50)))
        .await
        .unwrap();
    let held = (bed.store)
        .authorizations(Holder::Order(renewal.id), &name("shop.example"), at(0))
        .await;
    assert!(held.unwrap().is_empty());
}

async fn nothing_is_begun_on_a_proof_that_was_dropped(bed: &Bed) {
    let (order, issuance) = store_an_order(bed, 1).await;
    let kept = proved("shop.example", Method::Dns, 10);
    let gone = proved("kiosk.example", Method::Dns, 10);
    keep(bed, 100, order.id, &[kept.clone(), gone.clone()]).await;
    let begin = async |proofs: &[Authorization]| {
        commit(bed, |change| {
            change.expect_undropped(OURS, issuance.id, proofs);
        })
        .await
    };
    begin(&[kept.clone(), gone.clone()]).await.unwrap();
    let proof = bed.store.proof(OURS, ProofId(101)).await.unwrap().unwrap();
    // By a clock that is far behind.
    commit(bed, |change| change.drop_proof(&proof, at(-500)))
        .await
        .unwrap();
    begin(std::slice::from_ref(&kept)).await.unwrap();
    let refused = begin(&[kept.clone(), gone.clone()]).await;
    assert!(matches!(
        refused,
        Err(StoreError::Conflict { what: "proof", .. })
    ));
    let serving = async |holders: &[Holder]| {
        let (whose, proofs) = ((OURS, IssuanceId(999)), [kept.clone(), gone.clone()]);
        let found = bed.store.serving_proofs(whose, holders, &proofs).await;
        found.unwrap()
    };
    let kept = std::slice::from_ref(&kept);
    assert_eq!(serving(&[Holder::Order(order.id)]).await, kept);
    assert_eq!(serving(&[Holder::Reseller(OURS)]).await, kept);
    assert!(serving(&[]).await.is_empty());
    assert!(serving(&[Holder::Ahead(OURS)]).await.is_empty());
}

fn an_approval(hash: u8, issuance: IssuanceId) -> Approval {
    Approval {
        token_hash: [hash; 32],
        sealed_token: vec![hash; 60],
        run: issuance.into(),
        names: vec![name("*.shop.example"), name("shop.example")],
        domain: name("shop.example"),
        address: "admin@shop.example".to_owned(),
        message_id: format!("<{hash}@ca.example>"),
        created_at: at(i64::from(hash)),
        expires_at: at(1_000),
        send_from: at(i64::from(hash)),
        sending_since: None,
        sent_at: None,
        approved_at: None,
    }
}

async fn an_approval_is_answered_once(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    let (first, second) = (an_approval(1, issuance.id), an_approval(2, issuance.id));
    commit(bed, |change| {
        change.insert_approval(OURS, &first);
        change.insert_approval(OURS, &second);
    })
    .await
    .unwrap();
    assert_eq!(
        bed.store.approval([1; 32]).await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(bed.store.approval([3; 32]).await.unwrap(), None);

    commit(bed, |change| change.mark_sent([1; 32], at(20)))
        .await
        .unwrap();
    let answer = async || commit(bed, |change| change.approve([1; 32], at(30))).await;
    answer().await.unwrap();
    let again = answer().await;
    assert!(matches!(
        again,
        Err(StoreError::Conflict {
            what: "approval",
            ..
        })
    ));
    let answered = Approval {
        sealed_token: Vec::new(),
        sent_at: Some(at(20)),
        approved_at: Some(at(30)),
        ..first
    };
    assert_eq!(
        bed.store.approvals_of(issuance.id).await.unwrap(),
        [answered, second]
    );
}

async fn a_void_approval_cannot_be_answered(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    for hash in [1, 2] {
        let approval = an_approval(hash, issuance.id);
        commit(bed, |change| change.insert_approval(OURS, &approval))
            .await
            .unwrap();
    }
    commit(bed, |change| change.approve([1; 32], at(30)))
        .await
        .unwrap();
    commit(bed, |change| change.void_approvals(issuance.id, at(5)))
        .await
        .unwrap();
    let left = bed.store.approvals_of(issuance.id).await.unwrap();
    assert_eq!(
        left.iter()
            .map(|left| left.token_hash[0])
            .collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(bed.store.approval([2; 32]).await.unwrap(), None);
    let void = commit(bed, |change| change.approve([2; 32], at(30))).await;
    assert!(matches!(
        void,
        Err(StoreError::Conflict {
            what: "approval",
            ..
        })
    ));
}

async fn one_at_a_time_hands_a_message_over(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    let approval = an_approval(1, issuance.id);
    commit(bed, |change| change.insert_approval(OURS, &approval))
        .await
        .unwrap();
    let waits = async || {
        let counted = bed.store.approval_mails(&approval.address, at(50)).await;
        counted.unwrap()[0].waits
    };
    let claim = async |now, abandoned| {
        commit(bed, |change| {
            change.claim_mail(&approval, at(now), at(abandoned));
        })
        .await
        .is_ok()
    };
    assert!(waits().await);
    assert!(claim(10, 0).await && !waits().await);
    assert!(!claim(11, 1).await, "someone is at it");
    assert!(claim(60, 50).await, "who was at it is gone");
    commit(bed, |change| change.give_mail_back([1; 32], at(10)))
        .await
        .unwrap();
    assert!(!claim(61, 51).await, "it is not theirs any more");
    commit(bed, |change| change.give_mail_back([1; 32], at(60)))
        .await
        .unwrap();
    assert!(waits().await);
    commit(bed, |change| change.delay_mail(&approval, at(90)))
        .await
        .unwrap();
    let counted = bed.store.approval_mails(&approval.address, at(50)).await;
    let counted = counted.unwrap();
    assert_eq!(
        (counted[0].at, counted[0].waits, counted.len()),
        (at(90), true, 1)
    );
    let again = commit(bed, |change| change.delay_mail(&approval, at(91))).await;
    assert!(again.is_err(), "it was delayed already");
    assert!(claim(90, 50).await);
    commit(bed, |change| change.mark_sent([1; 32], at(95)))
        .await
        .unwrap();
    assert!(!claim(200, 190).await, "it was sent");
}

async fn approvals_and_their_messages_are_counted(bed: &Bed) {
    let (_, issuance) = store_an_order(bed, 1).await;
    for hash in [10, 20, 30] {
        let approval = an_approval(hash, issuance.id);
        commit(bed, |change| {
            change.void_approvals(issuance.id, at(5));
            change.insert_approval(OURS, &approval);
        })
        .await
        .unwrap();
    }
    let asked = async |since| bed.store.times_asked(issuance.id, at(since)).await.unwrap();
    assert_eq!(
        (asked(0).await, asked(10).await, asked(30).await),
        (3, 2, 0)
    );
    // What was void before its time was never sent.
    let address = "admin@shop.example";
    let counted = bed.store.approval_mails(address, at(40)).await.unwrap();
    let times = |mails: Vec<CountedMail>| -> Vec<_> {
        mails.iter().map(|mail| (mail.reseller, mail.at)).collect()
    };
    assert_eq!(times(counted), [(OURS, at(30))]);
    commit(bed, |change| {
        change.mail_again(OURS, &an_approval(30, issuance.id), at(50));
    })
    .await
    .unwrap();
    let counted = async |now| times(bed.store.approval_mails(address, at(now)).await.unwrap());
    assert_eq!(counted(40).await, [(OURS, at(30)), (OURS, at(50))]);
    assert_eq!(counted(86_400 + 40).await, [(OURS, at(50))]);
    let removed = bed.store.prune(Stale::ApprovalMails, at(51), 9).await;
    assert_eq!(removed.unwrap(), 2);
    assert!(counted(0).await.is_empty());

    assert!(bed.store.sendings(issuance.id).await.unwrap().is_empty());
    let seen = [
        (25, Outcome::Waiting),
        (35, Outcome::Waiting),
        (40, Outcome::Unreachable),
        (45, Outcome::Waiting),
    ];
    for (id, (seconds, outcome)) in (1..).zip(seen) {
        let look = Observation {
            method: Method::Email,
            ..a_look("*.shop.example", outcome, seconds)
        };
        commit(bed, |change| {
            change.insert_observation(id, issuance.id, &look);
        })
        .await
        .unwrap();
    }
    let expected = Sendings {
        count: 2,
        last: at(45),
    };
    assert_eq!(bed.store.sendings(issuance.id).await.unwrap(), [expected]);

    bed.store
        .prune(Stale::Approvals, at(1_001), 9)
        .await
        .unwrap();
    assert!(
        bed.store
            .approvals_of(issuance.id)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn history_comes_in_order(bed: &Bed) {
    let kinds = [
        EventKind::OrderPlaced,
        EventKind::OrderCancelled,
        EventKind::ValidationExpired,
        EventKind::IssuerRefused,
        EventKind::MethodChanged,
        EventKind::ApproverChanged,
        EventKind::ApproverMailed,
        EventKind::NameProved,
        EventKind::CertificateReserved,
        EventKind::CertificateIssued,
        EventKind::JobParked,
    ];
    let actors = [
        Actor::Reseller,
        Actor::Approver,
        Actor::Platform,
        Actor::Operator,
    ];
    let events: Vec<Event> = (0_usize..)
        .zip(kinds)
        .map(|(n, kind)| Event {
            id: n as i64,
            order: OrderId(1),
            issuance: (n % 2 == 0).then_some(IssuanceId(5)),
            at: at(n as i64),
            actor: actors[n % 4],
            kind,
            detail: (n % 3 == 0).then(|| "ünïcode".to_owned()),
        })
        .collect();
    commit(bed, |change| {
        events
            .iter()
            .rev()
            .for_each(|event| change.insert_event(event));
    })
    .await
    .unwrap();
    assert_eq!(bed.store.events(OrderId(1)).await.unwrap(), events);
    assert!(bed.store.events(OrderId(2)).await.unwrap().is_empty());
}

async fn a_request_is_remembered_once(bed: &Bed) {
    let first = Remembered {
        request_hash: [1; 32],
        order: OrderId(1),
        answer: "{}".to_owned(),
    };
    let remember = async |reseller, key: &str, seconds| {
        commit(bed, |change| {
            change.remember(reseller, key, &first, at(seconds));
        })
        .await
    };
    remember(OURS, "k", 10).await.unwrap();
    let again = remember(OURS, "k", 11).await;
    assert!(matches!(again, Err(StoreError::Refused("idempotency"))));
    remember(THEIRS, "k", 20).await.unwrap();
    remember(OURS, "l", 20).await.unwrap();
    assert_eq!(
        bed.store.remembered(OURS, "k").await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(bed.store.remembered(OURS, "m").await.unwrap(), None);

    bed.store.prune(Stale::RepeatKeys, at(20), 9).await.unwrap();
    assert_eq!(bed.store.remembered(OURS, "k").await.unwrap(), None);
    assert_eq!(
        bed.store.remembered(THEIRS, "k").await.unwrap(),
        Some(first.clone())
    );
    remember(OURS, "k", 30).await.unwrap();
}

async fn there_is_one_authority(bed: &Bed) {
    let row = |issuer: &str| AuthorityRow {
        issuer: issuer.to_owned(),
        root_certificate: vec![1],
        root_key: vec![2],
        issuing_certificate: vec![3],
        issuing_key: vec![4],
        created_at: at(1),
    };
    assert!(bed.store.authority().await.unwrap().is_none());
    commit(bed, |change| change.insert_authority(&row("one")))
        .await
        .unwrap();
    let another = commit(bed, |change| change.insert_authority(&row("two"))).await;
    assert!(matches!(another, Err(StoreError::Refused("authority"))));
    assert!(bed.store.authority().await.unwrap() == Some(row("one")));
}

async fn issuing_cas_follow_each_other_once(bed: &Bed) {
    let row = |number: i64, issuer: &str| IssuingCaRow {
        number,
        issuer: issuer.to_owned(),
        certificate: vec![5; 600],
        key: vec![6],
        created_at: at(number),
    };
    assert!(bed.store.issuing_cas_after(1).await.unwrap().is_empty());
    for (number, issuer) in [(2, "two"), (3, "three")] {
        commit(bed, |change| change.insert_issuing_ca(&row(number, issuer)))
            .await
            .unwrap();
    }
    for (number, issuer) in [(3, "four"), (4, "three"), (1, "first")] {
        let refused = commit(bed, |change| change.insert_issuing_ca(&row(number, issuer))).await;
        let expected = StoreError::Conflict {
            what: "issuing ca",
            id: number,
        };
        assert_eq!(
            refused.unwrap_err().to_string(),
            expected.to_string(),
            "{number} {issuer}"
        );
    }
    let after = async |number| bed.store.issuing_cas_after(number).await.unwrap();
    assert!(after(1).await == [row(2, "two"), row(3, "three")]);
    assert!(after(2).await == [row(3, "three")]);
    assert!(after(3).await.is_empty());
}

async fn a_crl_number_is_used_once(bed: &Bed) {
    let crl = |number| CrlRow {
        issuer: "one".to_owned(),
        number,
        this_update: at(number),
        next_update: at(number + 100),
        der: vec![7; 500],
    };
    assert_eq!(bed.store.latest_crl("one").await.unwrap(), None);
    for number in [1, 2] {
        commit(bed, |change| change.insert_crl(&crl(number)))
            .await
            .unwrap();
    }
    let taken = commit(bed, |change| change.insert_crl(&crl(2))).await;
    assert!(matches!(
        taken,
        Err(StoreError::Conflict { what: "crl", id: 2 })
    ));
    assert_eq!(bed.store.latest_crl("one").await.unwrap(), Some(crl(2)));
    assert_eq!(bed.store.latest_crl("two").await.unwrap(), None);
}

async fn old_crls_are_dropped_in_small_steps(bed: &Bed) {
    let crl = |issuer: &str, number| CrlRow {
        issuer: issuer.to_owned(),
        number,
        this_update: at(number),
        next_update: at(number + 100),
        der: vec![7; 500],
    };
    commit(bed, |change| {
        (1..=10).for_each(|number| change.insert_crl(&crl("busy", number * 3)));
        (1..=3).for_each(|number| change.insert_crl(&crl("quiet", number)));
    })
    .await
    .unwrap();
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(bed.store.prune_crls(3, 4).await.unwrap());
    }
    assert_eq!(steps, [4, 3, 0]);
    let head = bed.store.crl_head("busy").await.unwrap().unwrap();
    let expected = (30, at(30), at(130));
    assert_eq!((head.number, head.this_update, head.next_update), expected);
    assert_eq!(bed.store.crl_head("none").await.unwrap(), None);
    let kept = bed
        .store
        .query("select number from crls order by number", Vec::new());
    let kept: Vec<i64> = kept
        .await
        .unwrap()
        .iter()
        .map(|row| row.int(0).unwrap())
        .collect();
    assert_eq!(kept, [1, 2, 3, 24, 27, 30]);
}

async fn a_fact_is_replaced(bed: &Bed) {
    assert_eq!(bed.store.meta("colour").await.unwrap(), None);
    for colour in ["red", "blue"] {
        commit(bed, |change| change.set_meta("colour", colour))
            .await
            .unwrap();
        assert_eq!(
            bed.store.meta("colour").await.unwrap().as_deref(),
            Some(colour)
        );
    }
}
