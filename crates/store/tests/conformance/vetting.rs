//! Vetting: one open case of a kind, each state as it went, evidence with and without files.

use chancery_domain::checklists::{ChecklistItem, Source, VettingKind};
use chancery_domain::evidence::{Evidence, EvidenceFile, EvidenceId};
use chancery_domain::operators::OperatorName;
use chancery_domain::orders::Order;
use chancery_domain::registrations::{EntityCategory, Registration};
use chancery_domain::vetting::{Approval, CaseId, CaseState, VettingCase};
use chancery_store::{JobId, Lease, NewJob, Queue, StoreError};

use crate::bed::{Bed, on_both_engines};
use crate::organizations::{an_organization, store_organization};
use crate::things::{an_issuance, an_order, at, commit, place, store_an_order, store_resellers};

on_both_engines!(
    a_case_comes_back_in_each_state,
    one_case_of_a_kind_is_open,
    a_case_that_moved_is_not_moved_again,
    a_decision_has_its_orders_look_whoever_is_at_work,
    cases_are_listed_from_the_newest,
    evidence_comes_back_as_it_went,
    a_file_of_megabytes_comes_back,
);

fn operator(name: &str) -> OperatorName {
    OperatorName::parse(name).unwrap()
}

fn registration() -> Registration {
    let category = EntityCategory::BusinessEntity;
    Registration::check(category, "DE", Some("NRW"), Some("Köln"), "HRB 1").unwrap()
}

fn a_case(id: i64, kind: VettingKind) -> VettingCase {
    VettingCase::open(CaseId(id), &an_organization(1), kind, at(id))
}

async fn store_case(bed: &Bed, case: &VettingCase) -> Result<(), StoreError> {
    commit(bed, |change| change.insert_case(case)).await
}

async fn prepare(bed: &Bed) {
    store_resellers(bed).await;
    store_organization(bed, &an_organization(1)).await.unwrap();
}

async fn a_case_comes_back_in_each_state(bed: &Bed) {
    prepare(bed).await;
    let approved = |registration| {
        CaseState::Approved(Approval {
            by: operator("bert"),
            at: at(9),
            evidence_from: at(3),
            registration,
        })
    };
    let states = [
        CaseState::Open,
        approved(None),
        approved(Some(registration())),
        CaseState::Rejected {
            by: OperatorName::platform("approver"),
            at: at(9),
            reason: "aufgelöst".to_owned(),
        },
        CaseState::Voided { at: at(9) },
    ];
    let mut stored = Vec::new();
    for (id, state) in (1..).zip(states) {
        let opened = a_case(id, VettingKind::Ev);
        store_case(bed, &opened).await.unwrap();
        let moved = VettingCase {
            state,
            ..opened.clone()
        };
        commit(bed, |change| change.save_case(&moved))
            .await
            .unwrap();
        let found = bed.store.vetting_case(opened.id).await.unwrap().unwrap();
        let expected = VettingCase {
            version: 1,
            ..moved
        };
        assert_eq!(found.case, expected);
        assert_eq!(found.company, an_organization(1).details.company);
        stored.insert(0, expected.clone());
        if expected.state == CaseState::Open {
            // Room for the next one.
            let ended = VettingCase {
                state: CaseState::Voided { at: at(9) },
                ..expected
            };
            commit(bed, |change| change.save_case(&ended))
                .await
                .unwrap();
            stored[0] = VettingCase {
                version: 2,
                ..ended
            };
        }
    }
    let id = an_organization(1).id;
    let found = bed.store.cases_of_organization(id).await.unwrap();
    assert_eq!(found, stored);
    assert!(bed.store.vetting_case(CaseId(99)).await.unwrap().is_none());
}

async fn one_case_of_a_kind_is_open(bed: &Bed) {
    prepare(bed).await;
    let first = a_case(1, VettingKind::Ov);
    store_case(bed, &first).await.unwrap();
    let again = store_case(bed, &a_case(2, VettingKind::Ov)).await;
    assert!(matches!(again, Err(StoreError::Refused("vetting case"))));
    store_case(bed, &a_case(3, VettingKind::Ev)).await.unwrap();
    let reason = "no such company";
    let rejected = first.reject(operator("anna"), reason, at(5)).unwrap();
    commit(bed, |change| change.save_case(&rejected))
        .await
        .unwrap();
    store_case(bed, &a_case(4, VettingKind::Ov)).await.unwrap();
    // Nor is there one of an edition that never was.
    let stray = VettingCase {
        edition: 2,
        ..a_case(5, VettingKind::Ov)
    };
    assert!(store_case(bed, &stray).await.is_err());
}

async fn a_case_that_moved_is_not_moved_again(bed: &Bed) {
    prepare(bed).await;
    let case = a_case(1, VettingKind::Ov);
    store_case(bed, &case).await.unwrap();
    commit(bed, |change| change.save_case(&case)).await.unwrap();
    let late = commit(bed, |change| change.save_case(&case)).await;
    assert!(matches!(
        late,
        Err(StoreError::Conflict {
            what: "vetting case",
            id: 1
        })
    ));
}

async fn a_decision_has_its_orders_look_whoever_is_at_work(bed: &Bed) {
    prepare(bed).await;
    let (order, _) = store_an_order(bed, 100).await;
    let other = an_order(200);
    let other = Order {
        organization: None,
        vetting: None,
        ..other
    };
    commit(bed, |change| {
        place(change, &other);
        change.insert_issuance(&an_issuance(&other));
    })
    .await
    .unwrap();
    let job = |id: i64, order: &Order, kind: &'static str| NewJob {
        id: JobId(id),
        kind,
        subject: order.issuance.0,
        queue: Queue::Work,
        owner: order.reseller.0,
        created_at: at(1),
        dedup: None,
    };
    commit(bed, |change| {
        change.enqueue(job(1, &order, "look"), at(2));
        change.enqueue(job(2, &order, "mail"), at(900));
        change.enqueue(job(3, &other, "look"), at(900));
    })
    .await
    .unwrap();
    let lease = Lease {
        holder: 77,
        until: at(500),
    };
    let run = bed
        .store
        .claim_jobs(Queue::Work, at(2), lease, 9)
        .await
        .unwrap();
    assert_eq!((run.len(), run[0].id), (1, JobId(1)));
    let organization = order.organization.unwrap();
    commit(bed, |change| {
        change.have_orders_look(organization, "look", at(3));
    })
    .await
    .unwrap();
    // Whoever was at it has missed the decision, and finds no end.
    let late = commit(bed, |change| change.finish_job(run[0].id, run[0].attempt)).await;
    assert!(matches!(
        late,
        Err(StoreError::Conflict { what: "job", .. })
    ));
    let due = bed
        .store
        .claim_jobs(Queue::Work, at(3), lease, 9)
        .await
        .unwrap();
    let ids: Vec<_> = due.iter().map(|job| (job.id, job.tries)).collect();
    assert_eq!(ids, [(JobId(1), 1)]);
}

async fn cases_are_listed_from_the_newest(bed: &Bed) {
    prepare(bed).await;
    for id in 2..=4 {
        store_organization(bed, &an_organization(id)).await.unwrap();
    }
    for id in 1..=4 {
        let case = VettingCase {
            organization: an_organization(id).id,
            ..a_case(id, VettingKind::Ov)
        };
        store_case(bed, &case).await.unwrap();
        if id == 2 {
            let ended = case.void(at(9)).unwrap();
            commit(bed, |change| change.save_case(&ended))
                .await
                .unwrap();
        }
    }
    let list = async |only_open, before, limit| -> Vec<i64> {
        let found = bed.store.vetting_cases(only_open, CaseId(before), limit);
        let found = found.await.unwrap();
        found.iter().map(|found| found.case.id.0).collect()
    };
    assert_eq!(list(true, i64::MAX, 10).await, [4, 3, 1]);
    assert_eq!(list(false, i64::MAX, 2).await, [4, 3]);
    assert_eq!(list(false, 3, 2).await, [2, 1]);
}

fn a_piece(id: i64) -> Evidence {
    Evidence {
        id: EvidenceId(id),
        case: CaseId(1),
        item: ChecklistItem::Registration,
        source: Source::GovernmentRegister,
        reference: Some("https://register.example/1".to_owned()),
        text: Some("active since 1999".to_owned()),
        file: None,
        registration: Some(registration()),
        collected_by: operator("anna"),
        obtained_at: at(3),
        recorded_at: at(4),
    }
}

fn a_file(bytes: &[u8]) -> EvidenceFile {
    EvidenceFile {
        name: "extract ü.pdf".to_owned(),
        size: bytes.len() as u64,
        sha256: [6; 32],
    }
}

async fn evidence_comes_back_as_it_went(bed: &Bed) {
    prepare(bed).await;
    store_case(bed, &a_case(1, VettingKind::Ev)).await.unwrap();
    let bytes = b"%PDF\0\xff";
    let bare = Evidence {
        reference: None,
        text: None,
        registration: None,
        item: ChecklistItem::Telephone,
        file: Some(a_file(bytes)),
        ..a_piece(2)
    };
    commit(bed, |change| {
        change.insert_evidence(&a_piece(1), None);
        change.insert_evidence(&bare, Some(bytes.to_vec()));
    })
    .await
    .unwrap();
    let found = bed.store.evidence(CaseId(1)).await.unwrap();
    assert_eq!(found, [a_piece(1), bare]);
    let file = async |id| bed.store.evidence_file(EvidenceId(id)).await.unwrap();
    assert_eq!(file(2).await.as_deref(), Some(&bytes[..]));
    assert_eq!(file(1).await, None);
    assert_eq!(file(3).await, None);
    assert!(bed.store.evidence(CaseId(2)).await.unwrap().is_empty());
    let stray = Evidence {
        case: CaseId(9),
        ..a_piece(5)
    };
    let refused = commit(bed, |change| change.insert_evidence(&stray, None)).await;
    assert!(refused.is_err());
}

async fn a_file_of_megabytes_comes_back(bed: &Bed) {
    prepare(bed).await;
    store_case(bed, &a_case(1, VettingKind::Ev)).await.unwrap();
    let bytes: Vec<u8> = (0..5 << 20)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();
    let piece = Evidence {
        file: Some(a_file(&bytes)),
        ..a_piece(1)
    };
    let file = bytes.clone();
    commit(bed, |change| change.insert_evidence(&piece, Some(file)))
        .await
        .unwrap();
    let found = bed.store.evidence_file(piece.id).await.unwrap();
    assert!(found == Some(bytes));
}
