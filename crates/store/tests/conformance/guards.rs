//! Things that name each other, made and deleted at once: by two processes, and never both.

use chancery_domain::contact_types::ContactType;
use chancery_domain::contacts::{Contact, DefaultContacts};
use chancery_domain::customers::{Customer, CustomerId};
use chancery_domain::orders::Order;
use chancery_domain::organizations::Organization;
use chancery_store::customer_tokens::CustomerToken;
use chancery_store::{Change, Store, StoreError};
use futures_util::future::join_all;

use crate::bed::{Bed, on_both_engines};
use crate::organizations::an_organization;
use crate::things::{OURS, a_contact, an_issuance, an_order, at, commit, place, store_resellers};

on_both_engines!(
    no_contact_outlives_its_customer,
    no_default_names_a_deleted_contact,
    no_order_names_a_deleted_contact,
    no_organization_names_a_deleted_contact,
    no_token_outlives_the_password_it_was_made_for,
    of_two_sponsors_of_a_name_one_is_there,
);

/// How many pairs are at it at once.
const PAIRS: i64 = 40;

fn a_customer(id: i64) -> Customer {
    Customer {
        id: CustomerId(id),
        reseller: OURS,
        profile: None,
        created_at: at(1),
        modified_at: at(1),
        deleted_at: None,
        temporary_until: None,
        version: 1,
    }
}

fn a_contact_of(customer: i64, id: i64) -> Contact {
    Contact {
        customer: CustomerId(customer),
        ..a_contact(id)
    }
}

/// Stores so many customers, from 1,001 on.
async fn store_customers(bed: &Bed) {
    store_resellers(bed).await;
    commit(bed, |change| {
        for n in 0..PAIRS {
            change.insert_customer(&a_customer(1_001 + n), None);
        }
    })
    .await
    .unwrap();
}

fn change(add: impl FnOnce(&mut Change)) -> Change {
    let mut change = Change::new();
    add(&mut change);
    change
}

/// Commits two sets at a time of each pair, by two stores, and checks that of no pair both are applied.
async fn one_of_each(bed: &Bed, pair: impl Fn(i64) -> [Change; 2]) {
    let other = bed.another().await;
    let commit = async |store: &Store, change| store.commit(change).await.map(drop);
    let pairs = (0..PAIRS).map(|n| {
        let [first, second] = pair(n);
        let stores = match n % 2 {
            0 => [&bed.store, &other],
            _ => [&other, &bed.store],
        };
        async move { tokio::join!(commit(stores[0], first), commit(stores[1], second)) }
    });
    for outcome in join_all(pairs).await {
        let is_one = matches!(
            outcome,
            (Ok(()), Err(StoreError::Conflict { .. })) | (Err(StoreError::Conflict { .. }), Ok(()))
        );
        assert!(is_one, "{outcome:?}");
    }
    other.close().await;
}

async fn no_contact_outlives_its_customer(bed: &Bed) {
    store_customers(bed).await;
    one_of_each(bed, |n| {
        let customer = a_customer(1_001 + n);
        let made = change(|change| {
            change.expect_customer(OURS, customer.id);
            change.insert_contact(&a_contact_of(customer.id.0, 1 + n));
        });
        let deleted = change(|change| {
            change.delete_customer(&customer, at(9));
            change.expect_no_contacts(&customer);
        });
        [made, deleted]
    })
    .await;
    let left = "
        select count(*) from contacts n join customers c on c.id = n.customer_id
        where c.deleted_at is not null";
    assert_eq!(bed.int(left).await, 0);
}

async fn no_default_names_a_deleted_contact(bed: &Bed) {
    store_customers(bed).await;
    commit(bed, |change| {
        for n in 0..PAIRS {
            change.insert_contact(&a_contact_of(1_001 + n, 1 + n));
        }
    })
    .await
    .unwrap();
    one_of_each(bed, |n| {
        let contact = a_contact_of(1_001 + n, 1 + n);
        let named = change(|change| {
            change.expect_contacts(OURS, [contact.id; 4]);
            let all = DefaultContacts::all(contact.id);
            change.set_default_contacts(contact.customer, contact.kind, &all);
        });
        let deleted = change(|change| {
            change.expect_no_default(&contact);
            change.save_contact(&contact, &contact.deleted(at(9)));
        });
        [named, deleted]
    })
    .await;
    let left = "
        select count(*) from contact_defaults d join contacts n on n.id = d.billing_id
        where n.deleted_at is not null";
    assert_eq!(bed.int(left).await, 0);
}

async fn store_contacts(bed: &Bed) {
    store_resellers(bed).await;
    commit(bed, |change| {
        for n in 0..PAIRS {
            change.insert_contact(&a_contact(1 + n));
        }
    })
    .await
    .unwrap();
}

fn deleted(contact: &Contact, placed: i64) -> Change {
    change(|change| {
        change.expect_unnamed(contact, placed);
        change.save_contact(contact, &contact.deleted(at(9)));
    })
}

async fn no_order_names_a_deleted_contact(bed: &Bed) {
    store_contacts(bed).await;
    assert_eq!(bed.store.orders_placed(OURS).await.unwrap(), 0);
    one_of_each(bed, |n| {
        let contact = a_contact(1 + n);
        let order = Order {
            administrator: contact.id,
            technical: contact.id,
            ..an_order(1_000 * (n + 1))
        };
        let placed = change(|change| {
            change.expect_contacts(OURS, [order.administrator, order.technical]);
            place(change, &order);
            change.insert_issuance(&an_issuance(&order));
        });
        [placed, deleted(&contact, 0)]
    })
    .await;
    let left = "
        select count(*) from orders o join contacts n on n.id = o.technical_id
        where n.deleted_at is not null";
    assert_eq!(bed.int(left).await, 0);
    // Orders that were there before are what the caller has looked at.
    let named = bed.rows("select technical_id from orders limit 1").await;
    if let Some(named) = named.first() {
        let contact = a_contact(named.int(0).unwrap());
        let placed = bed.store.orders_placed(OURS).await.unwrap();
        bed.store.commit(deleted(&contact, placed)).await.unwrap();
    }
}

async fn no_organization_names_a_deleted_contact(bed: &Bed) {
    store_contacts(bed).await;
    one_of_each(bed, |n| {
        let contact = a_contact(1 + n);
        let organization = Organization {
            technical: Some(contact.id),
            ..an_organization(1 + n)
        };
        let made = change(|change| {
            change.expect_contacts(OURS, organization.technical);
            change.insert_organization(&organization, [u8::try_from(n).unwrap(); 32]);
        });
        [made, deleted(&contact, 0)]
    })
    .await;
    let left = "
        select count(*) from organizations o join contacts n on n.id = o.technical_id
        where n.deleted_at is not null";
    assert_eq!(bed.int(left).await, 0);
}

async fn no_token_outlives_the_password_it_was_made_for(bed: &Bed) {
    store_customers(bed).await;
    let other = bed.another().await;
    let pairs = (0..PAIRS).map(|n| {
        let customer = a_customer(1_001 + n);
        let made = change(|change| {
            change.expect_customer_as_read(&customer);
            change.insert_customer_token(&CustomerToken {
                hash: [u8::try_from(n).unwrap(); 32],
                customer: customer.id,
                address: "192.0.2.1".to_owned(),
                created_at: at(20),
                expires_at: at(30),
            });
        });
        let changed = change(|change| {
            change.set_password(&customer, "another", at(20));
            change.end_customer_tokens(customer.id);
        });
        let (made, changed) = (bed.store.commit(made), other.commit(changed));
        async move { tokio::join!(made, changed) }
    });
    for (made, changed) in join_all(pairs).await {
        assert!(changed.is_ok(), "{changed:?}");
        let is_fair = matches!(made, Ok(_) | Err(StoreError::Conflict { .. }));
        assert!(is_fair, "{made:?}");
    }
    assert_eq!(bed.int("select count(*) from customer_tokens").await, 0);
    other.close().await;
}

async fn of_two_sponsors_of_a_name_one_is_there(bed: &Bed) {
    store_customers(bed).await;
    one_of_each(bed, |n| {
        [1, 1_000].map(|first| {
            let sponsor = Contact {
                kind: ContactType::SPONSOR,
                ..a_contact_of(1_001 + n, first + n)
            };
            change(|change| {
                change.expect_no_sponsor_like(&sponsor);
                change.insert_contact(&sponsor);
            })
        })
    })
    .await;
    for n in 0..PAIRS {
        let sponsors = bed.store.sponsors(CustomerId(1_001 + n)).await.unwrap();
        assert_eq!(sponsors.len(), 1);
    }
}
