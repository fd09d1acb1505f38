//! What is made and deleted at once: whatever names a contact or a customer, and its deletion, never both happen.

use chancery_app::{AppError, Refusal};
use chancery_domain::contacts::ContactId;
use chancery_domain::customers::CustomerId;
use chancery_domain::operators::OperatorName;
use chancery_domain::resellers::ResellerId;
use chancery_testkit::{LogicBoxes, TestServer, itself, on_both_engines, order_for, with};
use futures_util::future::{join_all, join5};
use serde_json::json;

use crate::logicboxes_contacts::DOCUMENTED;
use crate::logicboxes_customers::sign_up;

on_both_engines!(
    a_deleted_customer_has_no_living_contact,
    a_deleted_contact_is_no_default,
    a_deleted_or_erased_contact_is_behind_no_order,
    a_deleted_contact_is_behind_no_organization,
);

/// How many pairs are at it at once.
const PAIRS: usize = 8;

async fn add(client: &LogicBoxes, customer: &str) -> String {
    let parameters = with(DOCUMENTED, &[("customer-id", customer)]);
    client.done("contacts/add", &parameters).await.to_string()
}

async fn with_contacts(server: &TestServer) -> (LogicBoxes, String, Vec<String>) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let mut contacts = Vec::new();
    for _ in 0..PAIRS {
        contacts.push(add(&client, &customer).await);
    }
    (client, customer, contacts)
}

async fn a_deleted_customer_has_no_living_contact(server: &mut TestServer) {
    let client = &server.logicboxes().await;
    let reseller = ResellerId(itself(client, server).await.parse().unwrap());
    for round in 0..5 {
        let username = format!("ann{round}@shop.example");
        let customer = sign_up(client, &[("username", &username)]).await;
        let kept = add(client, &customer).await;
        let named = [("customer-id", &customer[..])];
        let adding = with(DOCUMENTED, &named);
        let sponsor = with(&adding, &[("type", "")]);
        let defaults = [
            ("customer-id", &customer[..]),
            ("type", "Contact"),
            ("reg-contact-id", &kept),
            ("admin-contact-id", &kept),
            ("tech-contact-id", &kept),
            ("billing-contact-id", &kept),
        ];
        let (first, second, sponsor, set, deleted) = join5(
            client.call("contacts/add", &adding),
            client.call("contacts/add", &adding),
            client.call("contacts/coop/add-sponsor", &sponsor),
            client.call("contacts/modDefault", &defaults),
            client.call("customers/delete", &named),
        )
        .await;
        assert_eq!(deleted.status, 200, "{}", deleted.text());
        for reply in [first, second, sponsor] {
            if reply.status != 200 {
                assert!(reply.logicboxes_error().starts_with("Invalid customer-id"));
            }
        }
        if set.status != 200 {
            set.logicboxes_error();
        }
        let customer = CustomerId(customer.parse().unwrap());
        let operations = server.operations();
        let left = operations.contacts(reseller, Some(customer), None, ContactId(0));
        let left = left.await.unwrap().records;
        assert!(left.len() >= 2);
        assert!(left.iter().all(|contact| contact.deleted_at.is_some()));
    }
}

async fn a_deleted_contact_is_no_default(server: &mut TestServer) {
    let (client, customer, contacts) = with_contacts(server).await;
    for id in &contacts {
        let defaults = [
            ("customer-id", &customer[..]),
            ("type", "Contact"),
            ("reg-contact-id", id),
            ("admin-contact-id", id),
            ("tech-contact-id", id),
            ("billing-contact-id", id),
        ];
        let contact = [("contact-id", &id[..])];
        let (set, deleted) = tokio::join!(
            client.call("contacts/modDefault", &defaults),
            client.call("contacts/delete", &contact)
        );
        match set.status == 200 {
            true => assert_eq!(
                deleted.logicboxes_error(),
                format!("Cannot Delete Contact: {id} is in use")
            ),
            false => {
                assert_eq!(deleted.status, 200, "{}", deleted.text());
                assert!(set.logicboxes_error().contains("is invalid"));
            }
        }
    }
}

async fn a_deleted_or_erased_contact_is_behind_no_order(server: &mut TestServer) {
    let (client, _, contacts) = with_contacts(server).await;
    let panel = server.panel().await;
    let operations = server.operations();
    let operator = OperatorName::parse("alice").unwrap();
    let pairs = contacts.iter().enumerate().map(async |(n, id)| {
        let number = format!("SSL{id}T");
        let name = format!("shop{n}.test");
        let order = order_for("ssl123", "dns", &[&name], &number, &number);
        let placing = panel.http.post("/ssl/v2/orders/new", &order);
        let deleting = async {
            if n % 2 == 0 {
                let contact = [("contact-id", &id[..])];
                let reply = client.call("contacts/delete", &contact).await;
                let refusal = format!("Cannot Delete Contact: {id} is in use");
                let is_done = reply.status == 200;
                assert!(is_done || reply.logicboxes_error() == refusal);
                return is_done;
            }
            let id = ContactId(id.parse().unwrap());
            match operations
                .erase_contact(id, &operator, "asked for it")
                .await
            {
                Ok(_) => true,
                Err(AppError::Refused(Refusal::ContactHeld(..))) => false,
                Err(other) => panic!("{other}"),
            }
        };
        let (placed, is_deleted) = tokio::join!(placing, deleting);
        match is_deleted {
            false => assert_eq!(placed.status, 200, "{}", placed.text()),
            true => {
                let message = format!("Contact not found: {number}");
                placed.refusal().is(400, "SSL2400", &message);
            }
        }
    });
    join_all(pairs).await;
}

async fn a_deleted_contact_is_behind_no_organization(server: &mut TestServer) {
    let (client, _, contacts) = with_contacts(server).await;
    let panel = server.panel().await;
    let known = panel.organization("Known Ltd").await;
    let pairs = contacts.iter().enumerate().map(async |(n, id)| {
        let details = json!({
            "company": format!("Shop {n}"), "firstName": "Ann", "lastName": "Example",
            "address1": "1 High Street", "city": "London", "state": "London", "countryCode": "GB",
            "zip": "SW1A 1AA", "phoneNumber": "+44.2079460000", "email": "ann@shop.example",
            "jobTitle": "Engineer",
        });
        let body = json!({ "organization": details, "technicalContactId": format!("SSL{id}T") });
        let path = format!("/ssl/v2/organization/{known}/contact/update");
        let contact = [("contact-id", &id[..])];
        let telling = async {
            match n {
                0 => panel.http.put(&path, &body).await,
                _ => panel.http.post("/ssl/v2/organization/create", &body).await,
            }
        };
        let (told, deleted) = tokio::join!(telling, client.call("contacts/delete", &contact));
        match deleted.status == 200 {
            false => assert_eq!(told.status, 200, "{}", told.text()),
            true => {
                let message = format!("Contact not found: SSL{id}T");
                told.refusal().is(400, "SSL2400", &message);
            }
        }
    });
    join_all(pairs).await;
}
