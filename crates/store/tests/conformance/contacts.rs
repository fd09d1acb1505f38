//! Contacts: whose they are, what finds them, and what is left of them.

use chancery_domain::contact_details::{ContactDetails, PersonName};
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Contact, ContactEvent, ContactEventKind, ContactId, Role};
use chancery_domain::customers::CustomerId;
use chancery_domain::events::{Actor, Event, EventKind};
use chancery_domain::orders::{Order, OrderId};
use chancery_domain::resellers::ResellerId;
use chancery_store::contact_searches::ContactFilter;
use chancery_store::{Change, DatabaseUrl, Store, StoreError, values};

use crate::bed::{Bed, on_both_engines, settings};
use crate::things::{OURS, THEIRS, a_contact, an_order, at, commit, place, store_resellers};

on_both_engines!(
    a_contact_comes_back_as_it_went,
    a_deleted_contact_can_be_looked_at,
    an_erased_contact_is_in_no_index_and_no_history,
    operators_find_contacts_by_their_addresses,
    searches_find_contacts_by_their_words,
    whoever_is_meant_comes_first,
    a_text_that_finds_too_much_is_compared_with_what_others_find,
    a_contacts_history_is_kept,
    contacts_of_the_release_before_are_indexed_later,
    anothers_contact_is_not_there,
);

async fn store_contact(bed: &Bed, contact: &Contact) {
    commit(bed, |change| change.insert_contact(contact))
        .await
        .unwrap();
}

async fn a_contact_comes_back_as_it_went(bed: &Bed) {
    store_resellers(bed).await;
    let contact = a_contact(1);
    let technical = Contact {
        role: Role::Technical,
        ..a_contact(2)
    };
    store_contact(bed, &contact).await;
    store_contact(bed, &technical).await;
    assert_eq!(
        bed.store.contact(OURS, contact.id).await.unwrap(),
        Some(contact.clone())
    );
    let ids = [ContactId(1), ContactId(2), ContactId(1)];
    let mut found = bed.store.contacts(OURS, ids).await.unwrap();
    found.sort_by_key(|found| found.id);
    assert_eq!(found, [contact, technical]);
    let orphan = Contact {
        reseller: ResellerId(9),
        ..a_contact(3)
    };
    assert!(
        commit(bed, |change| change.insert_contact(&orphan))
            .await
            .is_err()
    );
}

async fn a_deleted_contact_can_be_looked_at(bed: &Bed) {
    store_resellers(bed).await;
    let contact = a_contact(1);
    store_contact(bed, &contact).await;
    let deleted = contact.deleted(at(9));
    let save = async |read: &Contact, now: &Contact| {
        commit(bed, |change| change.save_contact(read, now)).await
    };
    let of_others = Contact {
        reseller: THEIRS,
        ..contact.clone()
    };
    let conflict = |result| {
        matches!(
            result,
            Err(StoreError::Conflict {
                what: "contact",
                id: 1
            })
        )
    };
    assert!(conflict(save(&of_others, &of_others.deleted(at(9))).await));
    save(&contact, &deleted).await.unwrap();
    let found = async |is_deleted: bool| match is_deleted {
        true => bed
            .store
            .contact_or_deleted(OURS, contact.id)
            .await
            .unwrap(),
        false => bed.store.contact(OURS, contact.id).await.unwrap(),
    };
    assert_eq!(found(false).await, None);
    assert_eq!(found(true).await, Some(deleted.clone()));
    assert!(conflict(save(&contact, &deleted).await));

    commit(bed, |change| change.erase_contact(&deleted, at(10)))
        .await
        .unwrap();
    assert_eq!(found(true).await, None);
    let again = commit(bed, |change| change.erase_contact(&deleted, at(10))).await;
    assert!(conflict(again));
    let texts = "select count(*) from search_texts";
    assert_eq!(bed.int(texts).await, 0);
}

async fn an_erased_contact_is_in_no_index_and_no_history(bed: &Bed) {
    store_resellers(bed).await;
    let (contact, other) = (a_contact(11), a_contact(13));
    store_contact(bed, &contact).await;
    store_contact(bed, &other).await;
    let told = |id, order: i64, detail: &str| Event {
        id,
        order: OrderId(order),
        issuance: None,
        at: at(id),
        actor: Actor::Platform,
        kind: EventKind::PersonTold,
        detail: Some(detail.to_owned()),
    };
    let of_others = Order {
        administrator: other.id,
        technical: other.id,
        ..an_order(200)
    };
    commit(bed, |change| {
        place(change, &an_order(100));
        place(change, &of_others);
        change.insert_event(&told(
            1,
            100,
            "csr_wanted: ann@shop.example, bob@shop.example",
        ));
        change.insert_event(&told(2, 100, "order_ending: the administrator, contact 11"));
        change.insert_event(&told(3, 200, "csr_wanted: other@shop.example"));
    })
    .await
    .unwrap();
    // A release before this one changed and deleted the contact, and left its texts as they were.
    let details = serde_json::to_string(&ContactDetails {
        company: "Other Ltd".to_owned(),
        ..contact.details.clone()
    });
    let details = details.unwrap();
    let as_before = "update contacts set details = $1, deleted_at = 9000000 where id = 11";
    bed.apply(as_before, values![details.as_str()]).await;
    let deleted = bed.store.contact_or_deleted(OURS, contact.id).await;
    let deleted = deleted.unwrap().unwrap();
    commit(bed, |change| change.erase_contact(&deleted, at(10)))
        .await
        .unwrap();
    let texts = "select count(*) from search_texts where subject_id = 11";
    assert_eq!(bed.int(texts).await, 0);
    let texts = "select count(*) from search_texts where subject_id = 13";
    assert!(bed.int(texts).await > 0);
    let details = async |order| {
        let events = bed.store.events(OrderId(order)).await.unwrap();
        let details = events.into_iter().map(|event| event.detail.unwrap());
        details.collect::<Vec<_>>()
    };
    let kept = ["csr_wanted", "order_ending: the administrator, contact 11"];
    assert_eq!(details(100).await, kept);
    assert_eq!(details(200).await, ["csr_wanted: other@shop.example"]);
}

/// Without a vacuum: pages that became free are wiped, too.
#[tokio::test]
async fn what_was_deleted_cannot_be_read_in_a_file() {
    const FILL: &str = "
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
        insert into search_texts (owner_id, field, text, subject_id)
        select 1, 'name', 'forget-me-' || i, i from n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chancery.db");
    let url = DatabaseUrl::sqlite(file.clone()).unwrap();
    let store = Store::open(&url, &settings()).await.unwrap();
    store.migrate().await.unwrap();
    let sweep = "delete from search_texts where subject_id > 0";
    for sql in [FILL, sweep] {
        let mut change = Change::new();
        change.execute(sql, vec![]);
        store.commit(change).await.unwrap();
    }
    store.close().await;
    let octets = std::fs::read(file).unwrap();
    let needle = b"forget-me-";
    let found = octets
        .windows(needle.len())
        .filter(|window| window == needle);
    assert_eq!(found.count(), 0);
}

async fn operators_find_contacts_by_their_addresses(bed: &Bed) {
    store_resellers(bed).await;
    let told = |id: i64, email: &str| {
        let contact = a_contact(id);
        Contact {
            details: ContactDetails {
                email: email.to_owned(),
                ..contact.details
            },
            ..contact
        }
    };
    let people = [
        told(1, "ann@first.example"),
        told(2, "bob@second.example"),
        told(3, "ann@second.example"),
    ];
    for contact in &people {
        store_contact(bed, contact).await;
    }
    let gone = people[2].deleted(at(9));
    commit(bed, |change| change.save_contact(&people[2], &gone))
        .await
        .unwrap();
    let found = async |reseller, customer, text: &str, after| {
        let found =
            bed.store
                .contact_records_by_email(reseller, customer, text, ContactId(after), 10);
        let found = found.await.unwrap();
        found.iter().map(|record| record.id.0).collect::<Vec<_>>()
    };
    assert_eq!(found(OURS, None, "ANN@", 0).await, [1, 3]);
    assert_eq!(found(OURS, None, "ann@second.example", 0).await, [3]);
    assert_eq!(found(OURS, None, "ann", 1).await, [3]);
    assert_eq!(found(OURS, Some(CustomerId(7)), "ann@", 0).await, [0; 0]);
    assert_eq!(found(THEIRS, None, "ann@", 0).await, [0; 0]);
    assert_eq!(found(OURS, None, "@", 0).await, [0; 0]);
}

async fn searches_find_contacts_by_their_words(bed: &Bed) {
    store_resellers(bed).await;
    let named = |id: i64, name: &str, company: &str| {
        let contact = a_contact(id);
        let name = PersonName::Whole {
            name: name.to_owned(),
        };
        Contact {
            details: ContactDetails {
                name,
                company: company.to_owned(),
                ..contact.details
            },
            ..contact
        }
    };
    let people = [
        named(1, "Ann Example", "Shop Ltd"),
        named(2, "Zoë ANNANDALE", "Other Shop"),
        named(3, "Bob Ann", "Cannery"),
        named(4, "Ann Gone", "Shop Ltd"),
    ];
    for contact in &people {
        store_contact(bed, contact).await;
    }
    let gone = people[3].deleted(at(9));
    commit(bed, |change| change.save_contact(&people[3], &gone))
        .await
        .unwrap();
    let customer = people[0].customer;
    let found = async |filter: &ContactFilter, size: u32, skip: u64| {
        let page = bed
            .store
            .search_contacts(customer, filter, size, skip)
            .await;
        let page = page.unwrap().unwrap();
        let ids: Vec<i64> = page.contacts.iter().map(|contact| contact.id.0).collect();
        (page.total, ids)
    };
    let living = ContactFilter {
        with_living: true,
        ..ContactFilter::default()
    };
    let named = |text: &str| ContactFilter {
        name: Some(text.to_owned()),
        ..living.clone()
    };
    assert_eq!(found(&living, 10, 0).await, (3, vec![1, 2, 3]));
    assert_eq!(found(&living, 2, 2).await, (3, vec![3]));
    assert_eq!(found(&living, 2, 9).await, (3, vec![]));
    assert_eq!(found(&named("ann"), 10, 0).await, (3, vec![1, 2, 3]));
    assert_eq!(found(&named("ann"), 1, 1).await, (3, vec![2]));
    assert_eq!(found(&named("ANN  exam"), 10, 0).await, (1, vec![1]));
    assert_eq!(found(&named("zoë"), 10, 0).await, (1, vec![2]));
    for nothing in ["nn", "...", "ann%", "annz"] {
        assert_eq!(
            found(&named(nothing), 10, 0).await,
            (0, vec![]),
            "{nothing}"
        );
    }
    let in_shop = ContactFilter {
        company: Some("shop".to_owned()),
        ..named("ann")
    };
    assert_eq!(found(&in_shop, 10, 0).await, (2, vec![1, 2]));
    let both = ContactFilter {
        with_deleted: true,
        ..in_shop.clone()
    };
    assert_eq!(found(&both, 10, 0).await, (3, vec![1, 2, 4]));
    assert_eq!(found(&both, 2, 1).await, (3, vec![2, 4]));
    let listed = ContactFilter {
        ids: Some([2, 3, 4, 77].into_iter().map(ContactId).collect()),
        ..living.clone()
    };
    assert_eq!(found(&listed, 10, 0).await, (2, vec![2, 3]));
    let of_type = |kind| ContactFilter {
        kind: Some(kind),
        ..in_shop.clone()
    };
    assert_eq!(found(&of_type(ContactType::GENERAL), 10, 0).await.0, 2);
    let other = ContactType::parse("EuContact").unwrap();
    assert_eq!(found(&of_type(other), 10, 0).await.0, 0);

    let renamed = people[0].changed(
        people[2].details.clone(),
        people[0].attributes.clone(),
        at(10),
    );
    let renamed = renamed.unwrap();
    commit(bed, |change| change.save_contact(&people[0], &renamed))
        .await
        .unwrap();
    assert_eq!(found(&named("exam"), 10, 0).await, (0, vec![]));
    assert_eq!(found(&named("bob"), 10, 0).await, (2, vec![1, 3]));
    let theirs = CustomerId::itself(THEIRS);
    let page = bed.store.search_contacts(theirs, &living, 10, 0).await;
    assert_eq!(page.unwrap().unwrap().total, 0);
}

/// A contact of this name and e-mail address.
fn called(id: i64, name: &str, email: &str) -> Contact {
    let contact = a_contact(id);
    let name = PersonName::Whole {
        name: name.to_owned(),
    };
    Contact {
        details: ContactDetails {
            name,
            email: email.to_owned(),
            ..contact.details
        },
        ..contact
    }
}

async fn found(bed: &Bed, filter: &ContactFilter) -> Option<Vec<i64>> {
    let itself = CustomerId::itself(OURS);
    let page = bed.store.search_contacts(itself, filter, 10, 0).await;
    let page = page.unwrap()?;
    let ids = page.contacts.iter().map(|contact| contact.id.0);
    Some(ids.collect())
}

async fn whoever_is_meant_comes_first(bed: &Bed) {
    store_resellers(bed).await;
    let long = "a".repeat(70);
    let people = [
        called(1, "Jo Ann", "jo-ann@shop.example"),
        called(2, "Ann Example", "ann@shop.example.org"),
        called(3, "Ann", "ann@shop.example"),
        called(4, "Bob Ann", "shop@ann.example"),
        called(5, &format!("{long} One"), &format!("{long}1@shop.example")),
        called(6, &format!("{long} Two"), &format!("{long}2@shop.example")),
        called(7, &long, &format!("{long}@shop.example")),
    ];
    for contact in &people {
        store_contact(bed, contact).await;
    }
    let living = ContactFilter {
        with_living: true,
        ..ContactFilter::default()
    };
    let by_name = async |text: &str| {
        let name = Some(text.to_owned());
        let filter = ContactFilter {
            name,
            ..living.clone()
        };
        found(bed, &filter).await.unwrap()
    };
    let by_email = async |text: &str| {
        let email = Some(text.to_owned());
        let filter = ContactFilter {
            email,
            ..living.clone()
        };
        found(bed, &filter).await.unwrap()
    };
    assert_eq!(by_name("ann").await, [3, 1, 2, 4]);
    assert_eq!(by_email("Ann@Shop.example").await, [3]);
    assert_eq!(by_email("Ann@Shop").await, [2, 3]);
    assert_eq!(by_email("shop").await, [4]);
    assert_eq!(by_email("example").await, [] as [i64; 0]);
    // More than is kept of a text.
    assert_eq!(by_name(&long).await, [7, 5, 6]);
    assert_eq!(by_name(&format!("{long} t")).await, [6]);
    assert_eq!(by_email(&format!("{long}2")).await, [6]);
    assert_eq!(by_email(&format!("{long}@shop.example")).await, [7]);
}

async fn a_text_that_finds_too_much_is_compared_with_what_others_find(bed: &Bed) {
    const MANY: &str = "
        insert into search_texts (owner_id, field, text, subject_id)
        with recursive ids (id) as (
            select cast(1000000 as bigint) union all select id + 1 from ids where id < 1100000)
        select $1, 'company', 'shop', id from ids";
    store_resellers(bed).await;
    let company = |contact: Contact, company: &str| Contact {
        details: ContactDetails {
            company: company.to_owned(),
            ..contact.details
        },
        ..contact
    };
    let people = [
        company(called(1, "Zaphod Example", "a@shop.example"), "The Shop"),
        company(called(2, "Zaphod", "b@shop.example"), "Elsewhere"),
        company(called(3, "Zaphod Other", "c@shop.example"), "Shop"),
    ];
    for contact in &people {
        store_contact(bed, contact).await;
    }
    bed.apply(MANY, values![OURS.0]).await;
    let in_shop = ContactFilter {
        with_living: true,
        company: Some("shop".to_owned()),
        ..ContactFilter::default()
    };
    assert_eq!(found(bed, &in_shop).await, None);
    let named = ContactFilter {
        name: Some("zaphod".to_owned()),
        ..in_shop.clone()
    };
    assert_eq!(found(bed, &named).await, Some(vec![3, 1]));
    let listed = ContactFilter {
        ids: Some([1, 2].into_iter().map(ContactId).collect()),
        ..in_shop.clone()
    };
    assert_eq!(found(bed, &listed).await, Some(vec![1]));
}

async fn a_contacts_history_is_kept(bed: &Bed) {
    store_resellers(bed).await;
    store_contact(bed, &a_contact(1)).await;
    let event = |id, kind, detail: Option<&str>| ContactEvent {
        id,
        contact: ContactId(1),
        at: at(id),
        actor: Actor::Reseller,
        kind,
        detail: detail.map(str::to_owned),
    };
    let events = [
        event(1, ContactEventKind::Created, None),
        event(2, ContactEventKind::DetailsChanged, Some("name, city")),
    ];
    for event in &events {
        commit(bed, |change| change.insert_contact_event(event))
            .await
            .unwrap();
    }
    assert_eq!(
        bed.store.contact_events(ContactId(1)).await.unwrap(),
        events
    );
    assert!(
        bed.store
            .contact_events(ContactId(2))
            .await
            .unwrap()
            .is_empty()
    );
}

async fn contacts_of_the_release_before_are_indexed_later(bed: &Bed) {
    store_resellers(bed).await;
    let ours = a_contact(1);
    let as_before = "
        insert into contacts (id, reseller_id, role, details, created_at, modified_at, deleted_at)
        values ($1, $2, 'administrator', $3, 5, 5, $4)";
    let details = serde_json::to_string(&ours.details).unwrap();
    for (id, deleted_at) in [(1, None), (2, None), (3, Some(9))] {
        let values = values![id, OURS.0, details.as_str(), deleted_at];
        bed.apply(as_before, values).await;
    }
    let itself = CustomerId::itself(OURS);
    let found = bed.store.contact(OURS, ContactId(1)).await.unwrap();
    assert_eq!(found.unwrap().customer, itself);
    let named = ContactFilter {
        name: Some(ours.details.name.last().to_owned()),
        with_living: true,
        ..ContactFilter::default()
    };
    let total = async || {
        let page = bed.store.search_contacts(itself, &named, 10, 0).await;
        page.unwrap().unwrap().total
    };
    assert_eq!(total().await, 0);
    // One that cannot be read is passed over, and a reseller made by the older release has no customer yet.
    let unreadable = values![0, OURS.0, "{", None::<i64>];
    bed.apply(as_before, unreadable).await;
    let without = "delete from customers where id = $1";
    bed.apply(without, values![OURS.0]).await;
    assert_eq!(bed.store.customer(OURS, itself).await.unwrap(), None);
    assert!(!bed.store.index_contacts().await.unwrap());
    assert_eq!(total().await, 2);
    let made = bed.store.customer(OURS, itself).await.unwrap();
    assert!(made.is_some_and(|customer| customer.is_reseller()));
    assert!(!bed.store.index_contacts().await.unwrap());
    let left = "select count(*) from contacts where is_indexed = 0 or customer_id = 0";
    assert_eq!(bed.int(left).await, 0);
}

async fn anothers_contact_is_not_there(bed: &Bed) {
    store_resellers(bed).await;
    store_contact(bed, &a_contact(1)).await;
    assert!(
        bed.store
            .contact(THEIRS, ContactId(1))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        bed.store
            .contacts(THEIRS, [ContactId(1); 3])
            .await
            .unwrap()
            .is_empty()
    );
}
