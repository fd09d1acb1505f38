//! Organizations: once for a reseller, found by what they are called, each edition of their facts kept.

use chancery_domain::contacts::ContactId;
use chancery_domain::events::Actor;
use chancery_domain::operators::OperatorName;
use chancery_domain::organizations::{
    Organization, OrganizationEvent, OrganizationEventKind, OrganizationId,
};
use chancery_domain::resellers::ResellerId;
use chancery_domain::vetting::CaseId;
use chancery_store::StoreError;
use chancery_store::organizations::{OrganizationFilter, TextFilter};

use crate::bed::{Bed, on_both_engines};
use crate::things::{OURS, THEIRS, a_contact, at, commit, store_resellers};

on_both_engines!(
    an_organization_comes_back_as_it_went,
    the_same_identity_is_refused_once_a_reseller,
    a_changed_organization_keeps_its_editions,
    organizations_are_found_by_what_they_are_called,
    pages_follow_each_other,
    history_is_kept_in_order,
);

pub fn an_organization(id: i64) -> Organization {
    let mut details = a_contact(1).details;
    details.job_title = Some("Geschäftsführerin".to_owned());
    Organization {
        id: OrganizationId(id),
        reseller: OURS,
        details,
        technical: None,
        edition: 1,
        created_at: at(4),
        modified_at: at(4),
        version: 0,
    }
}

fn key(id: i64) -> [u8; 32] {
    [u8::try_from(id).unwrap(); 32]
}

pub async fn store_organization(bed: &Bed, organization: &Organization) -> Result<(), StoreError> {
    commit(bed, |change| {
        change.insert_organization(organization, key(organization.id.0));
    })
    .await
}

async fn an_organization_comes_back_as_it_went(bed: &Bed) {
    store_resellers(bed).await;
    let organization = Organization {
        technical: Some(ContactId(12)),
        ..an_organization(1)
    };
    store_organization(bed, &organization).await.unwrap();
    let id = organization.id;
    let found = bed.store.organization(OURS, id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&organization));
    let found = bed
        .store
        .organization_of_identity(OURS, key(1))
        .await
        .unwrap();
    assert_eq!(found, Some(organization));
    assert_eq!(bed.store.organization(THEIRS, id).await.unwrap(), None);
    let theirs = bed.store.organization_of_identity(THEIRS, key(1)).await;
    assert_eq!(theirs.unwrap(), None);
    let is_used = async |contact| bed.store.is_contact_of_organization(OURS, contact).await;
    assert!(is_used(ContactId(12)).await.unwrap());
    assert!(!is_used(ContactId(11)).await.unwrap());
}

async fn the_same_identity_is_refused_once_a_reseller(bed: &Bed) {
    store_resellers(bed).await;
    let organization = an_organization(1);
    store_organization(bed, &organization).await.unwrap();
    let twin = Organization {
        id: OrganizationId(2),
        ..organization.clone()
    };
    let again = commit(bed, |change| change.insert_organization(&twin, key(1))).await;
    assert!(matches!(again, Err(StoreError::Refused("organization"))));
    let theirs = Organization {
        reseller: THEIRS,
        ..twin
    };
    commit(bed, |change| change.insert_organization(&theirs, key(1)))
        .await
        .unwrap();
    let stranger = Organization {
        reseller: ResellerId(9),
        ..an_organization(3)
    };
    assert!(store_organization(bed, &stranger).await.is_err());
    // Nor can one become another by a change.
    let other = an_organization(4);
    store_organization(bed, &other).await.unwrap();
    let changed = commit(bed, |change| change.save_organization(&other, key(1))).await;
    assert!(matches!(
        changed,
        Err(StoreError::Conflict {
            what: "organization",
            id: 4
        })
    ));
}

async fn a_changed_organization_keeps_its_editions(bed: &Bed) {
    store_resellers(bed).await;
    let first = an_organization(1);
    store_organization(bed, &first).await.unwrap();
    let mut details = first.details.clone();
    details.email = "new@shop.example".to_owned();
    let person = first.clone().update(details.clone(), None, at(5));
    commit(bed, |change| change.save_organization(&person, key(1)))
        .await
        .unwrap();
    details.company = "Käse AG".to_owned();
    let read_then = Organization {
        version: 1,
        ..person.clone()
    };
    let renamed = read_then.update(details, Some(ContactId(3)), at(6));
    commit(bed, |change| change.save_organization(&renamed, key(2)))
        .await
        .unwrap();
    let late = commit(bed, |change| change.save_organization(&person, key(1))).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })));

    let found = bed.store.organization(OURS, first.id).await.unwrap();
    assert_eq!(
        found,
        Some(Organization {
            version: 2,
            ..renamed.clone()
        })
    );
    let editions = bed.store.organization_editions(first.id).await.unwrap();
    assert_eq!(editions, [first.facts(), renamed.facts()]);
}

async fn search(bed: &Bed, filter: &OrganizationFilter) -> Vec<i64> {
    let found = bed
        .store
        .search_organizations(OURS, filter, 10, 0)
        .await
        .unwrap();
    let count = bed.store.count_organizations(OURS, filter).await.unwrap();
    assert_eq!(count, i64::try_from(found.len()).unwrap());
    found.iter().map(|found| found.id.0).collect()
}

async fn organizations_are_found_by_what_they_are_called(bed: &Bed) {
    store_resellers(bed).await;
    for (id, company, country) in [
        (1, "Käse & Söhne", "DE"),
        (2, "KÄSE 100% Ltd", "my"),
        (3, "Brot_Haus", "MY"),
    ] {
        let mut organization = an_organization(id);
        organization.details.company = company.to_owned();
        organization.details.country = country.to_owned();
        store_organization(bed, &organization).await.unwrap();
    }
    let any = OrganizationFilter::default;
    assert_eq!(search(bed, &any()).await, [3, 2, 1]);
    let company = |company| OrganizationFilter {
        company: Some(company),
        ..any()
    };
    let contains = |text: &str| company(TextFilter::Contains(text.to_owned()));
    assert_eq!(search(bed, &contains("käSE")).await, [2, 1]);
    assert_eq!(search(bed, &contains("0%")).await, [2]);
    assert_eq!(search(bed, &contains("%")).await, [2]);
    assert_eq!(search(bed, &contains("t_h")).await, [3]);
    assert_eq!(search(bed, &contains("t!h")).await, [0; 0]);
    let equal = |text: &str| company(TextFilter::Equal(text.to_owned()));
    assert_eq!(search(bed, &equal("käse &  söhne")).await, [1]);
    assert_eq!(search(bed, &equal("käse")).await, [0; 0]);
    let malaysian = OrganizationFilter {
        country: Some("my".to_owned()),
        ..any()
    };
    assert_eq!(search(bed, &malaysian).await, [3, 2]);
    let both = OrganizationFilter {
        country: Some("MY".to_owned()),
        ..contains("käse")
    };
    assert_eq!(search(bed, &both).await, [2]);
    let one = OrganizationFilter {
        id: Some(OrganizationId(3)),
        ..any()
    };
    assert_eq!(search(bed, &one).await, [3]);
    let theirs = bed.store.search_organizations(THEIRS, &any(), 10, 0).await;
    assert!(theirs.unwrap().is_empty());
}

async fn pages_follow_each_other(bed: &Bed) {
    store_resellers(bed).await;
    for id in 1..=5 {
        store_organization(bed, &an_organization(id)).await.unwrap();
    }
    let any = OrganizationFilter::default();
    let mut pages = Vec::new();
    for skip in [0, 2, 4, 6] {
        let page = bed.store.search_organizations(OURS, &any, 2, skip).await;
        let ids: Vec<i64> = page.unwrap().iter().map(|found| found.id.0).collect();
        pages.push(ids);
    }
    assert_eq!(pages, [vec![5, 4], vec![3, 2], vec![1], vec![]]);
    assert_eq!(bed.store.count_organizations(OURS, &any).await.unwrap(), 5);
}

async fn history_is_kept_in_order(bed: &Bed) {
    store_resellers(bed).await;
    let organization = an_organization(1);
    store_organization(bed, &organization).await.unwrap();
    let mut told = Vec::new();
    for (id, kind) in (1..).zip(OrganizationEventKind::ALL) {
        let event = OrganizationEvent {
            id,
            organization: organization.id,
            case: (id > 3).then_some(CaseId(7)),
            at: at(id),
            actor: Actor::Operator,
            operator: match id {
                4 => Some(OperatorName::platform("collector")),
                _ => OperatorName::parse("anna").ok(),
            },
            kind,
            detail: (id == 2).then(|| "the person".to_owned()),
        };
        commit(bed, |change| change.insert_organization_event(&event))
            .await
            .unwrap();
        told.push(event);
    }
    let found = bed.store.organization_events(organization.id).await;
    assert_eq!(found.unwrap(), told);
}
