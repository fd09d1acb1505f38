//! Contacts over the LogicBoxes dialect: changed, named as defaults, vouched for, deleted.

use std::collections::BTreeSet;

use chancery_domain::contacts::{ContactEventKind, ContactId};
use chancery_domain::customers::{CustomerEventKind, CustomerId};
use chancery_testkit::{LogicBoxes, TestServer, itself, on_both_engines, order_for, with};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::logicboxes_contacts::DOCUMENTED;

on_both_engines!(
    a_change_is_an_action_that_is_over,
    what_a_type_fixes_stays,
    changes_at_once_all_count,
    attributes_are_told_later,
    defaults_are_told_by_type,
    a_deleted_contact_is_told_still,
    what_is_needed_is_not_deleted,
    contacts_are_the_same_in_both_dialects,
    registrants_are_eligible_by_what_they_tell,
    a_sponsor_is_added_once,
    others_contacts_are_not_there,
);

/// A client and a contact of its reseller's own.
async fn with_contact(server: &TestServer, more: &[(&str, &str)]) -> (LogicBoxes, String, String) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let id = add(&client, &customer, more).await;
    (client, customer, id)
}

async fn add(client: &LogicBoxes, customer: &str, more: &[(&str, &str)]) -> String {
    let of_customer = with(DOCUMENTED, &[("customer-id", customer)]);
    let id = client.done("contacts/add", &with(&of_customer, more)).await;
    id.to_string()
}

async fn details(client: &LogicBoxes, id: &str) -> Value {
    client.done("contacts/details", &[("contact-id", id)]).await
}

fn is_done(answer: &Value, id: &str, kind: &str) {
    assert_eq!(answer["entityid"], id);
    assert_eq!(answer["actiontype"], kind);
    assert_eq!(answer["status"], "Success");
    assert_eq!(answer["actionstatus"], "Success");
    assert!(answer["eaqid"].as_str().unwrap().parse::<i64>().unwrap() > 0);
    assert_eq!(answer.as_object().unwrap().len(), 7, "{answer}");
}

async fn a_change_is_an_action_that_is_over(server: &mut TestServer) {
    let attributes = [
        ("attr-name1", "purpose"),
        ("attr-value1", "P1"),
        ("attr-name2", "category"),
        ("attr-value2", "C11"),
    ];
    let (client, customer, id) = with_contact(server, &attributes).await;
    let changed = with(
        DOCUMENTED,
        &[
            ("contact-id", &id),
            ("name", "Another Name"),
            ("state", "Texas"),
            ("attr-name1", "purpose"),
            ("attr-value1", "P3"),
            ("type", "EuContact"),
            ("customer-id", "1"),
        ],
    );
    is_done(&client.done("contacts/modify", &changed).await, &id, "Mod");
    let told = details(&client, &id).await;
    for (key, text) in [
        ("name", "Another Name"),
        ("state", "Texas"),
        ("city", "city"),
        ("type", "Contact"),
        ("customerid", &customer[..]),
        ("ApplicationPurpose", "P3"),
        ("NexusCategory", "C11"),
    ] {
        assert_eq!(told[key], text, "{key}");
    }
    let wrong = with(&changed, &[("zipcode", "0"), ("attr-value1", "P9")]);
    assert_eq!(
        client.refused("contacts/modify", &wrong).await,
        "{purpose=purpose is invalid, zip=Postal Code is invalid}"
    );
    let missing = with(&changed, &[("city", "")]);
    assert_eq!(
        client.refused("contacts/modify", &missing).await,
        "Required parameter missing: city"
    );
    let search = async |name| {
        let page = [
            ("customer-id", &customer[..]),
            ("no-of-records", "10"),
            ("page-no", "1"),
            ("name", name),
        ];
        client.done("contacts/search", &page).await["recsindb"].clone()
    };
    assert_eq!(search("Another").await, "1");
    assert_eq!(search("name").await, "1");
    assert_eq!(details(&client, &id).await, told);
    // To change nothing is done, too, but leaves no line in history.
    let again = client.done("contacts/modify", &changed).await;
    assert_eq!(again["status"], "Success");
    assert_eq!(details(&client, &id).await, told);

    let number: i64 = id.parse().unwrap();
    let (_, history) = server
        .operations()
        .contact(ContactId(number))
        .await
        .unwrap();
    let lines: Vec<_> = history
        .iter()
        .map(|event| (event.kind, event.detail.as_deref()))
        .collect();
    let changed = (
        ContactEventKind::DetailsChanged,
        Some("name, state, purpose"),
    );
    assert_eq!(lines, [(ContactEventKind::Created, None), changed]);
}

async fn what_a_type_fixes_stays(server: &mut TestServer) {
    let canadian = [
        ("type", "CaContact"),
        ("country", "CA"),
        ("zipcode", "K1A 0B1"),
        ("attr-name1", "CPR"),
        ("attr-value1", "RES"),
        ("attr-name2", "AgreementVersion"),
        ("attr-value2", "2.0"),
        ("attr-name3", "AgreementValue"),
        ("attr-value3", "y"),
    ];
    let (client, _, id) = with_contact(server, &canadian).await;
    let told = details(&client, &id).await;
    assert_eq!(told["CPR"], "RES");
    assert_eq!(told["contacttype"], json!(["dotca"]));
    assert!(told.get("AgreementVersion").is_none());
    let changed = |more: &[(&'static str, &'static str)]| {
        let all = with(DOCUMENTED, &canadian);
        with(&all, more)
    };
    let modify = async |more: &[(&'static str, &'static str)]| {
        let parameters = changed(more);
        client
            .call(
                "contacts/modify",
                &with(&parameters, &[("contact-id", &id)]),
            )
            .await
    };
    assert_eq!(modify(&[("city", "Ottawa")]).await.status, 200);
    assert_eq!(
        modify(&[("name", "Somebody Else")])
            .await
            .logicboxes_error(),
        "{name=Name cannot be changed}"
    );
    assert_eq!(
        modify(&[("attr-value1", "CCT")]).await.logicboxes_error(),
        "{CPR=CPR cannot be changed}"
    );
    assert_eq!(details(&client, &id).await["city"], "Ottawa");
}

async fn changes_at_once_all_count(server: &mut TestServer) {
    let (client, _, id) = with_contact(server, &[]).await;
    let values = [("purpose", "P1"), ("purpose", "P2"), ("purpose", "P3")];
    let changes = values.map(|(_, value)| {
        let (client, id) = (client.clone(), id.clone());
        async move {
            let changed = with(
                DOCUMENTED,
                &[
                    ("contact-id", &id),
                    ("city", value),
                    ("attr-name1", "purpose"),
                    ("attr-value1", value),
                    ("attr-name2", "category"),
                    ("attr-value2", "C11"),
                ],
            );
            client.call("contacts/modify", &changed).await.status
        }
    });
    assert_eq!(join_all(changes).await, [200; 3]);
    let told = details(&client, &id).await;
    assert_eq!(told["city"], told["ApplicationPurpose"]);
    let number: i64 = id.parse().unwrap();
    let (_, history) = server
        .operations()
        .contact(ContactId(number))
        .await
        .unwrap();
    assert_eq!(history.len(), 4);
}

async fn attributes_are_told_later(server: &mut TestServer) {
    let (client, _, id) = with_contact(server, &[]).await;
    let set = async |keys: &[&str], value: &str| {
        let mut parameters = vec![("contact-id", &id[..])];
        parameters.extend(keys.iter().map(|key| ("product-key", *key)));
        parameters.extend([
            ("attr-name1", "purpose"),
            ("attr-value1", value),
            ("attr-name2", "category"),
            ("attr-value2", "C12"),
            ("attr-name3", "profession"),
            ("attr-value3", "Notary"),
        ]);
        client.call("contacts/set-details", &parameters).await
    };
    assert_eq!(set(&["domus"], "P2").await.text(), "true");
    let told = details(&client, &id).await;
    assert_eq!(told["ApplicationPurpose"], "P2");
    assert_eq!(told["contacttype"], json!(["domus"]));
    assert!(told.get("profession").is_none());
    for keys in [&["dotca"][..], &["domxx"], &["domus", "dotca"]] {
        assert_eq!(set(keys, "P3").await.text(), "false", "{keys:?}");
    }
    assert_eq!(
        set(&["domus"], "P9").await.logicboxes_error(),
        "{purpose=purpose is invalid}"
    );
    assert_eq!(details(&client, &id).await, told);
}

async fn defaults_are_told_by_type(server: &mut TestServer) {
    let (client, customer, id) = with_contact(server, &[]).await;
    let other = add(&client, &customer, &[("name", "Other Name")]).await;
    let types = [
        ("customer-id", &customer[..]),
        ("type", "Contact"),
        ("type", "EuContact"),
    ];
    assert_eq!(client.done("contacts/default", &types).await, json!({}));
    let roles = [
        ("reg-contact-id", &id[..]),
        ("admin-contact-id", &other),
        ("tech-contact-id", "-1"),
        ("billing-contact-id", &id),
    ];
    let set = client
        .done("contacts/modDefault", &[&types[..], &roles].concat())
        .await;
    let found = client.done("contacts/default", &types).await;
    assert_eq!(set, found);
    let number = CustomerId(customer.parse().unwrap());
    let (_, history) = server.operations().customer(number).await.unwrap();
    let last = history.last().unwrap();
    assert_eq!(last.kind, CustomerEventKind::DefaultsSet);
    assert_eq!(last.detail.as_deref(), Some("Contact, EuContact"));
    let page = [
        ("customer-id", &customer[..]),
        ("no-of-records", "10"),
        ("page-no", "1"),
    ];
    let rows = client.done("contacts/search", &page).await["result"].clone();
    for kind in ["Contact", "EuContact"] {
        let expected = json!({
            "type": kind, "registrant": id, "admin": other, "billing": id,
            "registrantContactDetails": rows[0], "adminContactDetails": rows[1],
            "billingContactDetails": rows[0],
        });
        assert_eq!(found[kind], expected);
    }
    let xml = client
        .call_for("xml", "contacts/default", &types[..2])
        .await
        .text();
    let begin = "<hashtable><entry><string>Contact</string><hashtable><entry>";
    assert!(xml.starts_with(begin), "{xml}");

    let refused = async |others: &[(&str, &str)]| {
        let parameters = with(&[&types[..2], &roles].concat(), others);
        client.refused("contacts/modDefault", &parameters).await
    };
    assert_eq!(
        refused(&[("admin-contact-id", "5")]).await,
        "Invalid admin-contact-id"
    );
    assert_eq!(
        refused(&[("billing-contact-id", "5"), ("tech-contact-id", "6")]).await,
        "{tech=Tech Contact is invalid, billing=Billing Contact is invalid}"
    );
    assert_eq!(
        refused(&[("tech-contact-id", "")]).await,
        "Required parameter missing: tech-contact-id"
    );
    assert_eq!(
        refused(&[("type", "Sponsor")]).await,
        "{type=Contact Type is invalid}"
    );
    assert_eq!(
        client
            .refused("contacts/delete", &[("contact-id", &other)])
            .await,
        format!("Cannot Delete Contact: {other} is in use")
    );
}

async fn a_deleted_contact_is_told_still(server: &mut TestServer) {
    let (client, customer, id) = with_contact(server, &[]).await;
    let living = details(&client, &id).await;
    let contact = [("contact-id", &id[..])];
    is_done(&client.done("contacts/delete", &contact).await, &id, "Del");
    let mut expected = living.clone();
    for key in ["currentstatus", "contactstatus"] {
        expected[key] = json!("Deleted");
    }
    assert_eq!(details(&client, &id).await, expected);
    for unknown in [&id[..], "5"] {
        let message = client
            .refused("contacts/delete", &[("contact-id", unknown)])
            .await;
        assert_eq!(message, "You are not allowed to perform this action");
    }
    let changed = with(DOCUMENTED, &[("contact-id", &id)]);
    assert_eq!(
        client.refused("contacts/modify", &changed).await,
        "Invalid contact-id"
    );
    let found = async |status: &str| {
        let page = [
            ("customer-id", &customer[..]),
            ("no-of-records", "10"),
            ("page-no", "1"),
            ("name", "name"),
            ("status", status),
        ];
        client.done("contacts/search", &page).await["recsindb"].clone()
    };
    assert_eq!(found("").await, "0");
    assert_eq!(found("Active").await, "0");
    assert_eq!(found("Deleted").await, "1");
}

async fn what_is_needed_is_not_deleted(server: &mut TestServer) {
    let (client, _, id) = with_contact(server, &[]).await;
    let panel = server.panel().await;
    let [_, technical] = panel.contacts().await;
    let order = order_for("ssl123", "dns", &["shop.test"], &number_of(&id), &technical);
    let placed = panel.place(&order).await;
    let contact = [("contact-id", &id[..])];
    let message = client.refused("contacts/delete", &contact).await;
    assert_eq!(message, format!("Cannot Delete Contact: {id} is in use"));
    panel.cancel(&placed.id).await.data();
    is_done(&client.done("contacts/delete", &contact).await, &id, "Del");
}

/// A contact's number as the WebNIC dialect writes it.
fn number_of(id: &str) -> String {
    format!("SSL{id}T")
}

async fn contacts_are_the_same_in_both_dialects(server: &mut TestServer) {
    let (client, customer, id) = with_contact(server, &[("name", "Ann Maria Example")]).await;
    let panel = server.panel().await;
    let [administrator, _] = panel.contacts().await;
    let number = administrator
        .trim_start_matches("SSL")
        .trim_end_matches('T');
    let told = details(&client, number).await;
    for (key, text) in [
        ("customerid", &customer[..]),
        ("type", "Contact"),
        ("name", "Ann Example"),
        ("telnocc", "60"),
        ("telno", "123456789"),
    ] {
        assert_eq!(told[key], text, "{key}");
    }
    let search = async |name: &str| {
        let page = [
            ("customer-id", &customer[..]),
            ("no-of-records", "10"),
            ("page-no", "1"),
            ("name", name),
        ];
        client.done("contacts/search", &page).await["recsindb"].clone()
    };
    assert_eq!(search("ann").await, "3");

    let path = format!("/ssl/v2/contact/info?contactId={}", number_of(&id));
    let shown = panel.http.get(&path).await.data();
    assert_eq!(shown["details"]["firstName"], "Ann Maria");
    assert_eq!(shown["details"]["lastName"], "Example");
    assert_eq!(shown["details"]["phoneNumber"], "+1.7135745287");
    assert_eq!(shown["contactType"], "administrator");
    let delete = format!("/ssl/v2/contact?contactId={administrator}");
    assert_eq!(panel.http.delete(&delete).await.status, 200);
    assert_eq!(details(&client, number).await["currentstatus"], "Deleted");
    assert_eq!(search("ann").await, "2");
}

async fn registrants_are_eligible_by_what_they_tell(server: &mut TestServer) {
    let attributes = [
        ("attr-name1", "purpose"),
        ("attr-value1", "P1"),
        ("attr-name2", "category"),
        ("attr-value2", "C11"),
    ];
    let (client, customer, id) = with_contact(server, &attributes).await;
    let european = add(
        &client,
        &customer,
        &[("country", "FR"), ("zipcode", "33380")],
    )
    .await;
    let asked = [
        ("contact-id", &id[..]),
        ("contact-id", &european),
        ("eligibility-criteria", "APP_PREF_NEXUS"),
        ("eligibility-criteria", "EUROPEAN_COUNTRY"),
    ];
    let mut expected = json!({});
    expected[&id] = json!({ "APP_PREF_NEXUS": "true", "EUROPEAN_COUNTRY": "false" });
    expected[&european] = json!({ "APP_PREF_NEXUS": "false", "EUROPEAN_COUNTRY": "true" });
    assert_eq!(
        client.done("contacts/validate-registrant", &asked).await,
        expected
    );
    let refused = async |others: &[(&str, &str)]| {
        let parameters = with(&asked, others);
        client
            .refused("contacts/validate-registrant", &parameters)
            .await
    };
    assert_eq!(refused(&[("contact-id", "5")]).await, "Invalid contact-id");
    assert_eq!(
        refused(&[("eligibility-criteria", "cpr")]).await,
        "Invalid eligibility-criteria"
    );
    assert_eq!(
        refused(&[("eligibility-criteria", "")]).await,
        "Required parameter missing: eligibility-criteria"
    );
}

async fn a_sponsor_is_added_once(server: &mut TestServer) {
    let (client, customer, _) = with_contact(server, &[]).await;
    let of_customer = with(DOCUMENTED, &[("customer-id", &customer), ("type", "")]);
    let adding = (0..8).map(|_| client.done("contacts/coop/add-sponsor", &of_customer));
    let ids: BTreeSet<String> = join_all(adding)
        .await
        .iter()
        .map(Value::to_string)
        .collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let id = ids.into_iter().next().unwrap();
    let other = with(&of_customer, &[("company", "Other Company")]);
    let other = client
        .done("contacts/coop/add-sponsor", &other)
        .await
        .to_string();
    let sponsors = client
        .done("contacts/sponsors", &[("customer-id", &customer)])
        .await;
    let mut expected = json!({});
    for (id, company) in [(&id, "company"), (&other, "Other Company")] {
        expected[id] = json!({
            "company": company, "name": "name", "emailaddr": "email@email.com", "country": "US",
        });
    }
    assert_eq!(sponsors, expected);
    let found = async |kind: &str| {
        let page = [
            ("customer-id", &customer[..]),
            ("no-of-records", "10"),
            ("page-no", "1"),
            ("type", kind),
        ];
        client.done("contacts/search", &page).await["recsindb"].clone()
    };
    assert_eq!(
        (found("Sponsor").await, found("Contact").await),
        (json!("2"), json!("1"))
    );
    let as_contact = with(&of_customer, &[("type", "Sponsor")]);
    assert_eq!(
        client.refused("contacts/add", &as_contact).await,
        "{type=Contact Type is invalid}"
    );
    client.done("contacts/delete", &[("contact-id", &id)]).await;
    let again = client
        .done("contacts/coop/add-sponsor", &of_customer)
        .await
        .to_string();
    assert!(again != id && again != other);
    let wrong = with(&of_customer, &[("phone-cc", "0")]);
    assert_eq!(
        client.refused("contacts/coop/add-sponsor", &wrong).await,
        "{telnocc=TelephoneNo Country Code is invalid}"
    );
}

async fn others_contacts_are_not_there(server: &mut TestServer) {
    let (client, customer, id) = with_contact(server, &[]).await;
    let other = server.another_logicboxes().await;
    let theirs = itself(&other, server).await;
    let changed = with(DOCUMENTED, &[("contact-id", &id)]);
    assert_eq!(
        other.refused("contacts/modify", &changed).await,
        "Invalid contact-id"
    );
    let roles = ["reg", "admin", "tech", "billing"].map(|role| format!("{role}-contact-id"));
    let mut defaults = vec![("customer-id", &theirs[..]), ("type", "Contact")];
    defaults.extend(roles.iter().map(|role| (&role[..], &id[..])));
    let message = other.refused("contacts/modDefault", &defaults).await;
    assert!(
        message.starts_with('{') && message.contains("registrant=Registrant Contact is invalid"),
        "{message}"
    );
    // Nor are contacts of another customer of the same reseller.
    let signed_up = crate::logicboxes_customers::sign_up(&client, &[]).await;
    let defaults = with(&defaults, &[("customer-id", &signed_up)]);
    assert!(
        client
            .refused("contacts/modDefault", &defaults)
            .await
            .starts_with('{')
    );
    let page = [
        ("customer-id", &signed_up[..]),
        ("no-of-records", "10"),
        ("page-no", "1"),
    ];
    let only = [&page[..], &[("contact-id", &id)]].concat();
    assert_eq!(client.done("contacts/search", &only).await["recsindb"], "0");
    let found = client.done("contacts/search", &page).await;
    assert_eq!(found["recsindb"], "1");
    let default = [("customer-id", &signed_up[..]), ("type", "Contact")];
    let default = client.done("contacts/default", &default).await;
    let own = &found["result"][0];
    assert_eq!(default["Contact"]["registrant"], own["entity.entityid"]);
    assert_eq!(&default["Contact"]["techContactDetails"], own);
    assert_eq!(
        other
            .refused("contacts/sponsors", &[("customer-id", &customer)])
            .await,
        "Invalid customer-id"
    );
}
