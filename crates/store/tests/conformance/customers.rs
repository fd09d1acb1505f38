//! Customers: whose they are, who has a user name, what proves them, and what they are found by.

use std::collections::BTreeSet;

use chancery_domain::contact_details::RawContactDetails;
use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Contact, ContactId, DefaultContacts};
use chancery_domain::customer_profiles::RawCustomer;
use chancery_domain::customers::{
    Customer, CustomerEvent, CustomerEventKind, CustomerId, CustomerProfile, Username,
};
use chancery_domain::events::Actor;
use chancery_domain::resellers::ResellerId;
use chancery_store::customer_searches::CustomerFilter;
use chancery_store::customer_tokens::CustomerToken;
use chancery_store::customers::{PasswordHashes, USERNAME};
use chancery_store::password_mails::PasswordMail;
use chancery_store::retention::Stale;
use chancery_store::{Change, StoreError};

use crate::bed::{Bed, on_both_engines};
use crate::things::{OURS, THEIRS, a_contact, at, commit, store_resellers};

on_both_engines!(
    a_customer_comes_back_as_it_went,
    a_customer_is_deleted_with_all_its_contacts,
    nothing_is_left_of_an_erased_customer,
    the_reseller_itself_is_a_customer,
    a_user_name_is_one_customers,
    a_customer_is_saved_over_what_was_read,
    passwords_serve_until_they_end,
    tokens_lead_to_their_customer,
    mailed_passwords_are_wiped,
    customers_are_found,
    history_and_defaults_are_kept,
);

fn a_profile(username: &str) -> CustomerProfile {
    let text = |text: &str| Some(text.to_owned());
    let raw = RawCustomer {
        username: text(username),
        details: RawContactDetails {
            name: text("Zoë O'Neill"),
            company: text("Händler GmbH"),
            address1: text("1 Hohe Straße"),
            city: text("Köln"),
            state: text("Nordrhein-Westfalen"),
            country: text("DE"),
            zip: text("50667"),
            phone_code: text("49"),
            phone: text("2210000"),
            ..RawContactDetails::default()
        },
        mobile_code: text("0"),
        mobile: text("1710000"),
        language: text("de"),
        takes_advertising: true,
        ..RawCustomer::default()
    };
    CustomerProfile::check(raw).unwrap()
}

fn a_customer(id: i64, username: &str) -> Customer {
    Customer {
        id: CustomerId(id),
        reseller: OURS,
        profile: Some(a_profile(username)),
        created_at: at(id),
        modified_at: at(id),
        deleted_at: None,
        temporary_until: None,
        version: 1,
    }
}

/// Stores the two resellers and a customer of the first.
async fn stored(bed: &Bed) -> Customer {
    store_resellers(bed).await;
    let customer = a_customer(11, "zoe@shop.example");
    insert(bed, &customer).await.unwrap();
    customer
}

async fn insert(bed: &Bed, customer: &Customer) -> Result<(), StoreError> {
    commit(bed, |change| change.insert_customer(customer, Some("hash"))).await
}

async fn read(bed: &Bed, id: i64) -> Option<Customer> {
    let id = CustomerId(id);
    bed.store.customer_or_deleted(OURS, id).await.unwrap()
}

fn is_conflict(result: &Result<(), StoreError>) -> bool {
    matches!(
        result,
        Err(StoreError::Conflict {
            what: "customer",
            ..
        })
    )
}

async fn a_customer_comes_back_as_it_went(bed: &Bed) {
    let customer = stored(bed).await;
    assert_eq!(read(bed, 11).await, Some(customer.clone()));
    let store = &bed.store;
    let by_id = store.customer(OURS, customer.id).await.unwrap();
    assert_eq!(by_id, Some(customer.clone()));
    let any = store.any_customer(customer.id).await.unwrap();
    assert_eq!(any, Some(customer.clone()));
    let name = Username::parse("ZOE@shop.example").unwrap();
    let by_name = store.customer_of_username(OURS, &name).await.unwrap();
    assert_eq!(by_name, Some(customer.clone()));
    assert_eq!(store.customer(THEIRS, customer.id).await.unwrap(), None);
    let theirs = store.customer_or_deleted(THEIRS, customer.id).await;
    assert_eq!(theirs.unwrap(), None);
    let theirs = store.customer_of_username(THEIRS, &name).await.unwrap();
    assert_eq!(theirs, None);

    commit(bed, |change| change.delete_customer(&customer, at(50)))
        .await
        .unwrap();
    assert_eq!(store.customer(OURS, customer.id).await.unwrap(), None);
    assert_eq!(store.any_customer(customer.id).await.unwrap(), None);
    let gone = store.customer_of_username(OURS, &name).await.unwrap();
    assert_eq!(gone, None);
    let deleted = read(bed, 11).await.unwrap();
    assert_eq!((deleted.deleted_at, deleted.version), (Some(at(50)), 2));
    assert_eq!(deleted.profile, customer.profile);
    let again = commit(bed, |change| change.delete_customer(&deleted, at(51))).await;
    assert!(is_conflict(&again), "{again:?}");
}

async fn a_customer_is_deleted_with_all_its_contacts(bed: &Bed) {
    let customer = stored(bed).await;
    let contact = Contact {
        customer: customer.id,
        ..a_contact(5)
    };
    commit(bed, |change| change.insert_contact(&contact))
        .await
        .unwrap();
    let listed = bed.store.contact_ids_of_customer(customer.id).await;
    assert_eq!(listed.unwrap(), [contact.id]);
    let alone = commit(bed, |change| {
        change.delete_customer(&customer, at(50));
        change.expect_no_contacts(&customer);
    });
    let alone = alone.await;
    assert!(is_conflict(&alone), "{alone:?}");
    let together = commit(bed, |change| {
        change.delete_customer(&customer, at(50));
        change.save_contact(&contact, &contact.deleted(at(50)));
        change.expect_no_contacts(&customer);
    });
    together.await.unwrap();
}

async fn nothing_is_left_of_an_erased_customer(bed: &Bed) {
    let customer = stored(bed).await;
    let contact = Contact {
        customer: customer.id,
        ..a_contact(5)
    };
    let token = CustomerToken {
        hash: [1; 32],
        customer: customer.id,
        address: "192.0.2.1".to_owned(),
        created_at: at(20),
        expires_at: at(90),
    };
    let mail = PasswordMail {
        id: 1,
        customer: customer.id,
        sealed_password: vec![1],
        message_id: "1@chancery".to_owned(),
        created_at: at(20),
        expires_at: at(90),
    };
    commit(bed, |change| {
        change.insert_contact(&contact);
        change.insert_customer_token(&token);
        change.insert_password_mail(&mail);
        let defaults = DefaultContacts::all(contact.id);
        change.set_default_contacts(customer.id, ContactType::GENERAL, &defaults);
    })
    .await
    .unwrap();
    let deleted = Customer {
        deleted_at: Some(at(50)),
        version: 2,
        ..customer.clone()
    };
    let living = commit(bed, |change| change.erase_customer(&customer, at(50))).await;
    assert!(is_conflict(&living), "{living:?}");
    let gone = contact.deleted(at(50));
    let erase = |change: &mut Change, with_contact: bool| {
        change.delete_customer(&customer, at(50));
        change.save_contact(&contact, &gone);
        if with_contact {
            change.erase_contact_with_customer(&gone, at(50));
        }
        change.erase_customer(&deleted, at(50));
    };
    let without_contact = commit(bed, |change| erase(change, false)).await;
    assert!(is_conflict(&without_contact), "{without_contact:?}");
    assert!(read(bed, 11).await.is_some());
    commit(bed, |change| erase(change, true)).await.unwrap();

    assert_eq!(read(bed, 11).await, None);
    let everyone = CustomerFilter {
        with_living: true,
        with_deleted: true,
        ..CustomerFilter::default()
    };
    let page = bed.store.search_customers(OURS, &everyone, 10, 0).await;
    assert_eq!(page.unwrap().unwrap().total, 1, "the reseller itself");
    let record = bed.store.customer_record(customer.id).await;
    let record = record.unwrap().unwrap();
    assert_eq!(record.erased_at, Some(at(50)));
    assert_eq!(record.customer.profile, None);
    let listed = bed.store.customer_records(OURS, CustomerId(0), 10).await;
    let listed: Vec<i64> = (listed.unwrap().iter())
        .map(|record| record.customer.id.0)
        .collect();
    assert_eq!(listed, [11, OURS.0]);
    for table in [
        "search_texts",
        "customer_tokens",
        "password_mails",
        "contact_defaults",
    ] {
        let left = format!("select count(*) from {table}");
        assert_eq!(bed.int(left.leak()).await, 0, "{table}");
    }
    let told = "select count(*) from customers where username is not null or password is not null";
    assert_eq!(bed.int(told).await, 0);
    let erased = record.customer;
    let again = commit(bed, |change| change.erase_customer(&erased, at(60))).await;
    assert!(is_conflict(&again), "{again:?}");
}

async fn the_reseller_itself_is_a_customer(bed: &Bed) {
    store_resellers(bed).await;
    for reseller in [OURS, THEIRS] {
        let id = CustomerId::itself(reseller);
        let itself = bed.store.customer(reseller, id).await.unwrap().unwrap();
        assert!(itself.is_reseller() && itself.profile.is_none());
    }
}

async fn a_user_name_is_one_customers(bed: &Bed) {
    let first = stored(bed).await;
    let second = insert(bed, &a_customer(12, "ZOE@shop.example")).await;
    assert!(matches!(second, Err(StoreError::Refused(USERNAME))));
    assert_eq!(read(bed, 12).await, None);
    let theirs = Customer {
        reseller: THEIRS,
        ..a_customer(13, "zoe@shop.example")
    };
    insert(bed, &theirs).await.unwrap();
    insert(bed, &a_customer(14, "bob@shop.example"))
        .await
        .unwrap();
    let bob = read(bed, 14).await.unwrap();
    let renamed = a_customer(14, "zoe@shop.example");
    let taken = commit(bed, |change| change.save_customer(&bob, &renamed)).await;
    assert!(is_conflict(&taken), "{taken:?}");
    commit(bed, |change| change.delete_customer(&first, at(50)))
        .await
        .unwrap();
    commit(bed, |change| change.save_customer(&bob, &renamed))
        .await
        .unwrap();
}

async fn a_customer_is_saved_over_what_was_read(bed: &Bed) {
    let read_before = stored(bed).await;
    let mut profile = a_profile("zoe@shop.example");
    profile.details.city = "Bonn".to_owned();
    let saved = Customer {
        profile: Some(profile),
        modified_at: at(60),
        ..read_before.clone()
    };
    let save = async || commit(bed, |change| change.save_customer(&read_before, &saved)).await;
    save().await.unwrap();
    let again = save().await;
    assert!(is_conflict(&again), "{again:?}");
    let expected = Customer {
        version: 2,
        ..saved.clone()
    };
    assert_eq!(read(bed, 11).await, Some(expected));
    for (city, found) in [("köln", 0), ("bonn", 1)] {
        let filter = CustomerFilter {
            city: Some(city.to_owned()),
            with_living: true,
            ..CustomerFilter::default()
        };
        let page = bed.store.search_customers(OURS, &filter, 10, 0).await;
        assert_eq!(page.unwrap().unwrap().total, found, "{city}");
    }
}

async fn passwords_serve_until_they_end(bed: &Bed) {
    let customer = stored(bed).await;
    let hashes = async |seconds| {
        let found = bed.store.password_hashes(customer.id, at(seconds)).await;
        found.unwrap()
    };
    let of = |chosen: Option<&str>, temporary: Option<&str>| PasswordHashes {
        chosen: chosen.map(str::to_owned),
        temporary: temporary.map(str::to_owned),
    };
    assert!(hashes(20).await == of(Some("hash"), None));
    let lend = |change: &mut Change| change.set_temporary_password(&customer, "lent", at(90));
    commit(bed, lend).await.unwrap();
    assert!(hashes(89).await == of(Some("hash"), Some("lent")));
    assert!(hashes(90).await == of(Some("hash"), None));
    let again = commit(bed, lend).await;
    assert!(is_conflict(&again), "{again:?}");
    let lent = read(bed, 11).await.unwrap();
    assert!(lent.should_choose_password(at(89)) && !lent.should_choose_password(at(90)));
    let choose = |change: &mut Change| change.set_password(&lent, "chosen", at(30));
    commit(bed, choose).await.unwrap();
    assert!(hashes(31).await == of(Some("chosen"), None));
    let again = commit(bed, choose).await;
    assert!(is_conflict(&again), "{again:?}");
    let chosen = read(bed, 11).await.unwrap();
    assert_eq!((chosen.temporary_until, chosen.version), (None, 3));
    commit(bed, |change| change.delete_customer(&chosen, at(40)))
        .await
        .unwrap();
    assert!(hashes(41).await == PasswordHashes::default());
}

async fn tokens_lead_to_their_customer(bed: &Bed) {
    let customer = stored(bed).await;
    let token = |hash: u8, expires: i64| CustomerToken {
        hash: [hash; 32],
        customer: customer.id,
        address: "192.0.2.1".to_owned(),
        created_at: at(20),
        expires_at: at(expires),
    };
    for (hash, expires) in [(1, 100), (2, 200), (3, 300)] {
        let token = token(hash, expires);
        commit(bed, |change| change.insert_customer_token(&token))
            .await
            .unwrap();
    }
    let found = async |reseller: ResellerId, hash: u8, seconds| {
        let store = &bed.store;
        let found = store.customer_of_token(reseller, [hash; 32], at(seconds));
        found.await.unwrap().map(|customer| customer.id)
    };
    assert_eq!(found(OURS, 1, 99).await, Some(customer.id));
    assert_eq!(found(OURS, 1, 100).await, None);
    assert_eq!(found(THEIRS, 1, 99).await, None);
    assert_eq!(found(OURS, 9, 99).await, None);
    bed.store
        .prune(Stale::CustomerTokens, at(200), 9)
        .await
        .unwrap();
    let count = "select count(*) from customer_tokens";
    assert_eq!(bed.int(count).await, 2);
    commit(bed, |change| change.end_customer_tokens(customer.id))
        .await
        .unwrap();
    assert_eq!(found(OURS, 3, 99).await, None);
}

async fn mailed_passwords_are_wiped(bed: &Bed) {
    let customer = stored(bed).await;
    let mail = |id: i64| PasswordMail {
        id,
        customer: customer.id,
        sealed_password: vec![1, 2, 3],
        message_id: format!("{id}@chancery"),
        created_at: at(id),
        expires_at: at(id + 100),
    };
    for id in [1, 2, 3] {
        commit(bed, |change| change.insert_password_mail(&mail(id)))
            .await
            .unwrap();
    }
    let store = &bed.store;
    assert_eq!(store.password_mail(2).await.unwrap(), Some(mail(2)));
    commit(bed, |change| change.wipe_password_mail(2))
        .await
        .unwrap();
    assert_eq!(store.password_mail(2).await.unwrap(), None);
    assert_eq!(store.password_mail(3).await.unwrap(), Some(mail(3)));
    commit(bed, |change| change.void_password_mails(customer.id))
        .await
        .unwrap();
    assert_eq!(store.password_mail(3).await.unwrap(), None);
    let since = async |seconds| store.password_mails_since(customer.id, at(seconds)).await;
    assert_eq!(since(0).await.unwrap(), 3);
    assert_eq!(since(1).await.unwrap(), 2);
    bed.store
        .prune(Stale::PasswordMails, at(3), 9)
        .await
        .unwrap();
    assert_eq!(since(0).await.unwrap(), 1);
}

async fn customers_are_found(bed: &Bed) {
    store_resellers(bed).await;
    for id in 11..16 {
        let customer = a_customer(id, &format!("user{id}@shop.example"));
        insert(bed, &customer).await.unwrap();
    }
    let theirs = Customer {
        reseller: THEIRS,
        ..a_customer(20, "user20@shop.example")
    };
    insert(bed, &theirs).await.unwrap();
    let last = read(bed, 15).await.unwrap();
    commit(bed, |change| change.delete_customer(&last, at(90)))
        .await
        .unwrap();
    let all = CustomerFilter {
        with_living: true,
        ..CustomerFilter::default()
    };
    let found = async |filter: CustomerFilter, limit, skip| {
        let page = bed.store.search_customers(OURS, &filter, limit, skip).await;
        let page = page.unwrap().unwrap();
        let ids = page.customers.iter().map(|customer| customer.id.0);
        (page.total, ids.collect::<Vec<_>>())
    };
    let with = |change: fn(&mut CustomerFilter)| {
        let mut filter = all.clone();
        change(&mut filter);
        filter
    };
    // The reseller itself has the time of the reseller and the greatest id.
    let itself = OURS.0;
    assert_eq!(
        found(all.clone(), 10, 0).await,
        (5, vec![11, 12, 13, 14, itself])
    );
    assert_eq!(found(all.clone(), 2, 1).await, (5, vec![12, 13]));
    assert_eq!(found(all.clone(), 10, 9).await, (5, vec![]));
    let both = with(|filter| filter.with_deleted = true);
    assert_eq!(found(both, 10, 0).await.0, 6);
    let deleted = with(|filter| {
        filter.with_deleted = true;
        filter.with_living = false;
    });
    assert_eq!(found(deleted, 10, 0).await, (1, vec![15]));
    let name = with(|filter| filter.name = Some("o'neill".to_owned()));
    assert_eq!(found(name.clone(), 3, 2).await, (4, vec![13, 14]));
    let both = CustomerFilter {
        username: Some("user12".to_owned()),
        ..name.clone()
    };
    assert_eq!(found(both, 10, 0).await, (1, vec![12]));
    let neither = CustomerFilter {
        state: Some("bayern".to_owned()),
        ..name
    };
    assert_eq!(found(neither, 10, 0).await, (0, vec![]));
    let listed = with(|filter| filter.ids = Some(BTreeSet::from([12, 15, 20].map(CustomerId))));
    assert_eq!(found(listed, 10, 0).await, (1, vec![12]));
    let of_both = with(|filter| {
        filter.ids = Some(BTreeSet::from([12, 13].map(CustomerId)));
        filter.company = Some("händler".to_owned());
    });
    assert_eq!(found(of_both, 10, 0).await, (2, vec![12, 13]));
    let none = with(|filter| filter.ids = Some(BTreeSet::new()));
    assert_eq!(found(none, 10, 0).await, (0, vec![]));
    let between = with(|filter| {
        filter.created_from = Some(at(12));
        filter.created_until = Some(at(13));
    });
    assert_eq!(found(between, 10, 0).await, (2, vec![12, 13]));
}

async fn history_and_defaults_are_kept(bed: &Bed) {
    let customer = stored(bed).await;
    let events = [CustomerEventKind::SignedUp, CustomerEventKind::Deleted].map(|kind| {
        let id = kind as i64 + 1;
        CustomerEvent {
            id,
            customer: customer.id,
            at: at(id),
            actor: Actor::Reseller,
            kind,
            detail: Some(kind.as_str().to_owned()),
        }
    });
    for event in &events {
        commit(bed, |change| change.insert_customer_event(event))
            .await
            .unwrap();
    }
    let kept = bed.store.customer_events(customer.id).await.unwrap();
    assert_eq!(kept, events);
    let kind = ContactType::GENERAL;
    let defaults = async || bed.store.default_contacts(customer.id, kind).await.unwrap();
    assert_eq!(defaults().await, None);
    let some = DefaultContacts {
        billing: None,
        ..DefaultContacts::all(ContactId(5))
    };
    for set in [DefaultContacts::all(ContactId(4)), some] {
        commit(bed, |change| {
            change.set_default_contacts(customer.id, kind, &set);
        })
        .await
        .unwrap();
        assert_eq!(defaults().await, Some(set));
    }
    let none = bed.store.contact_ids_of_customer(customer.id).await;
    assert_eq!(none.unwrap(), []);
}
