//! Contacts over the LogicBoxes dialect: made, shown, found, changed and deleted, and never another's.

use chancery_testkit::{TestServer, itself, on_both_engines, with};
use serde_json::json;

on_both_engines!(
    the_documented_request_is_refused_in_the_documented_words,
    a_contact_is_told_as_it_was_captured,
    searches_tell_rows_as_captured,
);

/// The request of the method's own page; a customer and a country that there is are added to it.
pub(crate) const DOCUMENTED: &[(&str, &str)] = &[
    ("name", "name"),
    ("company", "company"),
    ("email", "email@email.com"),
    ("address-line-1", "addrline1"),
    ("city", "city"),
    ("country", "US"),
    ("zipcode", "10001"),
    ("phone-cc", "1"),
    ("phone", "7135745287"),
    ("type", "Contact"),
];

async fn the_documented_request_is_refused_in_the_documented_words(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let of_customer = with(DOCUMENTED, &[("customer-id", &customer)]);
    let refused = async |others: &[(&str, &str)]| {
        client
            .refused("contacts/add", &with(&of_customer, others))
            .await
    };
    let all = [
        ("country", "nn"),
        ("zipcode", "0"),
        ("phone-cc", "0"),
        ("phone", "0"),
    ];
    assert_eq!(
        refused(&all).await,
        "{telno=TelephoneNo is invalid, telnocc=TelephoneNo Country Code is invalid, \
         zip=Postal Code is invalid, country=Country is invalid}"
    );
    assert_eq!(
        refused(&[("phone-cc", "0"), ("zipcode", "0")]).await,
        "{telnocc=TelephoneNo Country Code is invalid, zip=Postal Code is invalid}"
    );
    assert_eq!(
        refused(&[("phone-cc", "0")]).await,
        "{telnocc=TelephoneNo Country Code is invalid}"
    );
    for name in ["phone", "company", "customer-id", "type"] {
        let message = format!("Required parameter missing: {name}");
        assert_eq!(refused(&[(name, "")]).await, message);
    }
    assert_eq!(
        refused(&[
            ("company", ""),
            ("email", ""),
            ("zipcode", "0"),
            ("type", "")
        ])
        .await,
        "Required parameter missing: company"
    );
    assert_eq!(
        refused(&[("customer-id", "1")]).await,
        "Invalid customer-id"
    );
    assert_eq!(
        refused(&[("customer-id", "1"), ("zipcode", "0")]).await,
        "{zip=Postal Code is invalid, customerid=Customer Id is invalid}"
    );
    assert_eq!(
        refused(&[
            ("type", "Kontakt"),
            ("attr-name1", "purpose"),
            ("attr-value1", "?")
        ])
        .await,
        "{type=Contact Type is invalid}"
    );
    let search = [
        ("customer-id", &customer[..]),
        ("no-of-records", "10"),
        ("page-no", "1"),
    ];
    let nothing = client.call("contacts/search", &search).await;
    assert_eq!(
        nothing.text(),
        r#"{"result":[],"recsonpage":"0","recsindb":"0"}"#
    );

    let reply = client.call("contacts/add", &of_customer).await;
    let text = reply.text();
    assert!(text.bytes().all(|octet| octet.is_ascii_digit()), "{text}");
    let again = client.call_for("xml", "contacts/add", &of_customer).await;
    let again = again.text();
    assert!(
        again.starts_with("<int>") && again.ends_with("</int>") && !again.contains(&text),
        "{again}"
    );
}

async fn a_contact_is_told_as_it_was_captured(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let asked = with(
        DOCUMENTED,
        &[
            ("customer-id", &customer),
            ("state", "Texas"),
            ("fax-cc", "1"),
            ("fax", "7135745288"),
            ("attr-name1", "purpose"),
            ("attr-value1", "P1"),
            ("attr-name3", "category"),
            ("attr-value3", "C11"),
            ("attr-name4", "idnLanguageCode"),
            ("attr-value4", "en"),
        ],
    );
    let id = client.done("contacts/add", &asked).await.to_string();
    let told = client
        .done("contacts/details", &[("contact-id", &id)])
        .await;
    let expected = json!({
        "contactid": id, "entityid": id, "customerid": customer, "type": "Contact",
        "name": "name", "company": "company", "emailaddr": "email@email.com",
        "telnocc": "1", "telno": "7135745287", "faxnocc": "1", "faxno": "7135745288",
        "address1": "addrline1", "city": "city", "state": "Texas", "country": "US", "zip": "10001",
        "currentstatus": "Active", "contactstatus": "Active",
        "parentkey": format!("999999999_999999998_{customer}"), "entitytypeid": "66", "eaqid": "0",
        "actioncompleted": "0", "description": "DomainContact", "classkey": "domcontact",
        "classname": "com.logicboxes.foundation.sfnb.order.domcontact.DomContact",
        "jumpConditions": [], "contacttype": ["domus"],
        "whoisValidity": { "valid": "true", "invalidData": [] },
        "ApplicationPurpose": "P1", "NexusCategory": "C11",
    });
    assert_eq!(told, expected);
    let xml = client
        .call_for("xml", "contacts/details", &[("contact-id", &id)])
        .await
        .text();
    let entry = "<entry><string>zip</string><string>10001</string></entry>";
    assert!(
        xml.starts_with("<hashtable><entry>") && xml.contains(entry),
        "{xml}"
    );

    let other = server.another_logicboxes().await;
    for (who, id) in [(&other, &id[..]), (&client, "1")] {
        let message = who.refused("contacts/details", &[("contact-id", id)]).await;
        assert_eq!(message, "Invalid contact-id");
    }
}

async fn searches_tell_rows_as_captured(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let of_customer = ("customer-id", &customer[..]);
    let mut ids = Vec::new();
    for name in ["Ann Example", "Bob Sample", "Zoë Ånnsdóttir"] {
        let asked = with(DOCUMENTED, &[of_customer, ("name", name)]);
        ids.push(client.done("contacts/add", &asked).await.to_string());
    }
    let search = async |more: &[(&str, &str)]| {
        let page = [of_customer, ("no-of-records", "10"), ("page-no", "1")];
        client.done("contacts/search", &with(&page, more)).await
    };
    let found = async |more: &[(&str, &str)]| {
        let found = search(more).await;
        let rows = found["result"].as_array().unwrap();
        assert_eq!(found["recsonpage"], rows.len().to_string());
        let ids = rows
            .iter()
            .map(|row| row["entity.entityid"].as_str().unwrap().to_owned());
        (
            found["recsindb"].as_str().unwrap().to_owned(),
            ids.collect::<Vec<_>>(),
        )
    };
    let page = |total: &str, of: &[usize]| {
        let of = of.iter().map(|at| ids[*at].clone());
        (total.to_owned(), of.collect::<Vec<_>>())
    };
    assert_eq!(found(&[]).await, page("3", &[0, 1, 2]));
    assert_eq!(
        found(&[("page-no", "0"), ("no-of-records", "2")]).await,
        page("3", &[0, 1])
    );
    assert_eq!(
        found(&[("page-no", "2"), ("no-of-records", "2")]).await,
        page("3", &[2])
    );
    assert_eq!(found(&[("name", "exam")]).await, page("1", &[0]));
    assert_eq!(
        found(&[("name", "ÅNNS"), ("domain", "x")]).await,
        page("1", &[2])
    );
    assert_eq!(
        found(&[("email", "Email@email"), ("company", "COMP")]).await,
        page("3", &[0, 1, 2])
    );
    // An address is found by its own beginning only, for clients take the first row as the one they mean.
    assert_eq!(found(&[("email", "email.com")]).await, page("0", &[]));
    assert_eq!(found(&[("type", "EuContact")]).await, page("0", &[]));
    assert_eq!(found(&[("status", "Deleted")]).await, page("0", &[]));
    let two = [
        ("contact-id", &ids[2][..]),
        ("contact-id", "5"),
        ("contact-id", &ids[0]),
    ];
    assert_eq!(found(&two).await, page("2", &[0, 2]));

    let row = &search(&[("name", "Bob")]).await["result"][0];
    let moment = row["contact.timestamp"].as_str().unwrap();
    let form: String = moment
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(form, "0000-00-00 00:00:00.000000+00");
    let created: i64 = row["contact.creationdt"].as_str().unwrap().parse().unwrap();
    assert!(created > 1_500_000_000);
    let expected = json!({
        "contact.contactid": ids[1], "entity.entityid": ids[1], "entity.customerid": customer,
        "entity.currentstatus": "Active", "entity.description": "DomainContact",
        "contact.type": "Contact", "contact.name": "Bob Sample", "contact.company": "company",
        "contact.emailaddr": "email@email.com", "contact.telnocc": "1",
        "contact.telno": "7135745287", "contact.address1": "addrline1", "contact.city": "city",
        "contact.country": "US", "contact.zip": "10001",
        "contact.creationdt": row["contact.creationdt"], "contact.timestamp": moment,
        "designated-agent": "true", "whoisValidity": { "valid": "true", "invalidData": [] },
    });
    assert_eq!(row, &expected);

    let refused = async |more: &[(&str, &str)]| {
        let page = [of_customer, ("no-of-records", "10"), ("page-no", "1")];
        client.refused("contacts/search", &with(&page, more)).await
    };
    assert_eq!(
        refused(&[("page-no", "")]).await,
        "Required parameter missing: page-no"
    );
    assert_eq!(
        refused(&[("no-of-records", "501")]).await,
        "Invalid no-of-records"
    );
    assert_eq!(refused(&[("page-no", "-1")]).await, "Invalid page-no");
    assert_eq!(refused(&[("status", "Gone")]).await, "Invalid status");
    assert_eq!(
        refused(&[("include-invalid", "maybe")]).await,
        "Invalid include-invalid"
    );
    let other = server.another_logicboxes().await;
    let page = [of_customer, ("no-of-records", "10"), ("page-no", "1")];
    assert_eq!(
        other.refused("contacts/search", &page).await,
        "Invalid customer-id"
    );
}
