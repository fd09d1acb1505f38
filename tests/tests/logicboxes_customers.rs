//! Customers over the LogicBoxes dialect: signed up, shown, changed and deleted, and never another's.

use std::collections::BTreeSet;

use chancery_testkit::{LogicBoxes, Reply, TestServer, itself, on_both_engines, order_for, with};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

on_both_engines!(
    a_customer_is_told_as_it_was_captured,
    all_that_is_wrong_is_told_at_once,
    a_username_is_one_customers,
    the_default_contact_is_made_of_the_customer,
    a_customer_says_something_else_of_itself,
    whatever_a_customer_says_is_kept,
    a_customer_goes_with_its_contacts,
    the_reseller_itself_is_a_customer_that_stays,
    customers_of_others_are_not_there,
);

/// A customer as the captures have one: with a calling code of 0.
pub(crate) const ANN: &[(&str, &str)] = &[
    ("username", "ann@shop.example"),
    ("passwd", "a pass word"),
    ("name", "Ann O'Neill"),
    ("company", "Shop Ltd"),
    ("address-line-1", "1 High Street"),
    ("city", "London"),
    ("state", "Not Applicable"),
    ("other-state", "Greater London"),
    ("country", "GB"),
    ("zipcode", "SW1A 1AA"),
    ("phone-cc", "0"),
    ("phone", "2079460000"),
    ("lang-pref", "en"),
];

/// Signs a customer up and gives its number.
pub(crate) async fn sign_up(client: &LogicBoxes, others: &[(&str, &str)]) -> String {
    let id = client.done("customers/signup", &with(ANN, others)).await;
    assert!(id.is_i64(), "{id}");
    id.to_string()
}

pub(crate) async fn by_id(client: &LogicBoxes, id: &str) -> Value {
    let parameters = [("customer-id", id)];
    client.done("customers/details-by-id", &parameters).await
}

/// A text in its answer, with the moment it was created made up.
fn without_moment(reply: &Reply) -> String {
    let text = reply.text();
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    for before in ["\"creationdt\":\"", "<string>creationdt</string><string>"] {
        if let Some(at) = text.find(before) {
            let at = at + before.len();
            let end = at + digits(&text[at..]);
            return format!("{}1{}", &text[..at], &text[end..]);
        }
    }
    panic!("no moment in {text}")
}

async fn a_customer_is_told_as_it_was_captured(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let reseller = itself(&client, server).await;
    let all = [
        ("address-line-2", "Floor 2"),
        ("alt-phone-cc", "44"),
        ("alt-phone", "2079460001"),
        ("fax-cc", "44"),
        ("fax", "2079460002"),
        ("mobile-cc", "44"),
        ("mobile", "7700900000"),
        ("vat-id", "GB123456789"),
        ("sms-consent", "true"),
        ("accept-policy", "true"),
        ("marketing-email-consent", "false"),
    ];
    let reply = client.call("customers/signup", &with(ANN, &all)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.text(), "10000001");
    let by_name = client
        .call("customers/details", &[("username", "Ann@shop.example")])
        .await;
    let text = without_moment(&by_name);
    assert_eq!(text, GOLDEN_JSON.replace("{reseller}", &reseller));
    let by_id = client
        .call_for(
            "xml",
            "customers/details-by-id",
            &[("customer-id", "10000001")],
        )
        .await;
    let xml = without_moment(&by_id);
    assert!(xml.starts_with("<hashtable><entry><string>"), "{xml}");
    assert!(
        xml.contains("<entry><string>isDominicanTaxConfiguredByParent</string><boolean>false</boolean></entry>"),
        "{xml}"
    );
    assert!(
        xml.contains("<entry><string>salespersonshash</string><hashtable></hashtable></entry>"),
        "{xml}"
    );
    let keys: Vec<&str> = xml
        .split("<entry><string>")
        .skip(1)
        .map(|entry| entry.split('<').next().unwrap())
        .collect();
    assert_eq!(keys, by_name.wire().keys());
    let xml = client
        .call_for(
            "xml",
            "customers/v2/signup",
            &with(ANN, &[("username", "bob@shop.example")]),
        )
        .await;
    assert_eq!(xml.text(), "<int>10000002</int>");
    // What is not set is left out.
    let plain = client
        .done("customers/details", &[("username", "bob@shop.example")])
        .await;
    for key in ["address2", "faxno", "faxnocc", "mobileno", "alttelno"] {
        assert!(plain.get(key).is_none(), "{plain}");
    }
    let unknown = client
        .refused("customers/details", &[("username", "nobody@shop.example")])
        .await;
    assert_eq!(unknown, "Customer nobody@shop.example not found");
    let unknown = client
        .refused("customers/details-by-id", &[("customer-id", "5")])
        .await;
    assert_eq!(unknown, "Invalid customer-id");
}

/// In the order in which a Java `Hashtable` of these keys would tell them.
const GOLDEN_JSON: &str = concat!(
    r#"{"twofactorgoogleauth_enabled":"false","salescontactid":"0","isDominicanTaxConfiguredByPar"#,
    r#"ent":false,"alttelno":"2079460001","company":"Shop Ltd","username":"ann@shop.example","sta"#,
    r#"te":"Not Applicable","customerid":"10000001","useremail":"ann@shop.example","pin":"","tota"#,
    r#"lreceipts":"0.0","stateid":"0","alttelnocc":"44","telno":"2079460000","customerstatus":"Ac"#,
    r#"tive","ispasswdexpired":"false","creationdt":"1","mobilenocc":"44","mobileno":"7700900000""#,
    r#","twofactorsmsauth_enabled":"false","salespersonshash":{},"twofactorauth_enabled":"false","#,
    r#""parentid":"{reseller}","langpref":"en","other_state":"Greater London","faxnocc":"44","res"#,
    r#"ellerid":"{reseller}","country":"GB","city":"London","address2":"Floor 2","address1":"1 Hi"#,
    r#"gh Street","faxno":"2079460002","zip":"SW1A 1AA","telnocc":"0","name":"Ann O\u0027Neill"}"#,
);

async fn all_that_is_wrong_is_told_at_once(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let refused = async |others: &[(&str, &str)]| {
        client.refused("customers/signup", &with(ANN, others)).await
    };
    for (name, _) in ANN.iter().filter(|(name, _)| *name != "other-state") {
        let message = format!("Required parameter missing: {name}");
        assert_eq!(refused(&[(name, "")]).await, message);
    }
    let first = refused(&[("name", ""), ("phone", ""), ("username", "x")]).await;
    assert_eq!(first, "Required parameter missing: name");
    let all = [
        ("username", "nobody"),
        ("passwd", "short"),
        ("country", "gb"),
        ("zipcode", "#1"),
        ("phone-cc", "999"),
        ("phone", "207 946"),
        ("mobile", "12"),
        ("alt-phone", "5550100"),
        ("alt-phone-cc", "x"),
        ("company", "a\u{7}b"),
    ];
    let message = refused(&all).await;
    let inner = message
        .strip_prefix('{')
        .unwrap()
        .strip_suffix('}')
        .unwrap();
    let pairs: BTreeSet<&str> = inner.split(", ").collect();
    let expected = [
        "alttelnocc=Alternate TelephoneNo Country Code is invalid",
        "company=Company Name is invalid",
        "country=Country is invalid",
        "mobileno=MobileNo is invalid",
        "mobilenocc=MobileNo Country Code is invalid",
        "passwd=Password must have 8 to 128 characters",
        "telno=TelephoneNo is invalid",
        "telnocc=TelephoneNo Country Code is invalid",
        "username=Username is invalid",
        "zip=Postal Code is invalid",
    ];
    assert_eq!(pairs, BTreeSet::from(expected));
    assert_eq!(
        refused(&[("sms-consent", "yes")]).await,
        "Invalid sms-consent"
    );
    let page = [("no-of-records", "10"), ("page-no", "0"), ("name", "ann")];
    let found = client.done("customers/search", &page).await;
    assert_eq!(found, json!({ "recsonpage": "0", "recsindb": "0" }));
}

async fn a_username_is_one_customers(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let attempts = join_all((0..4).map(|_| client.call("customers/signup", ANN))).await;
    let (taken, others): (Vec<&Reply>, Vec<&Reply>) =
        attempts.iter().partition(|reply| reply.status == 200);
    assert_eq!((taken.len(), others.len()), (1, 3));
    let id = taken[0].text();
    for reply in others {
        let message = reply.logicboxes_error();
        assert_eq!(message, "{username=Username is already taken}");
    }
    let again = with(ANN, &[("username", "ANN@Shop.Example"), ("zipcode", "#1")]);
    let both = client.refused("customers/signup", &again).await;
    assert!(
        both.contains("username=Username is already taken"),
        "{both}"
    );
    assert!(both.contains("zip=Postal Code is invalid"), "{both}");
    // The names of another reseller's customers do not matter, nor do those of deleted ones.
    let other = server.another_logicboxes().await;
    sign_up(&other, &[]).await;
    let parameters = [("customer-id", &id[..])];
    let deleted = client.done("customers/delete", &parameters).await;
    assert_eq!(deleted, json!(true));
    assert_ne!(sign_up(&client, &[]).await, id);
}

async fn the_default_contact_is_made_of_the_customer(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let id = sign_up(&client, &[]).await;
    let page = [
        ("customer-id", &id[..]),
        ("no-of-records", "10"),
        ("page-no", "1"),
    ];
    let found = client.done("contacts/search", &page).await;
    assert_eq!(found["recsindb"], "1");
    let row = &found["result"][0];
    for (key, value) in [
        ("contact.name", "Ann O'Neill"),
        ("contact.company", "Shop Ltd"),
        ("contact.emailaddr", "ann@shop.example"),
        ("contact.state", "Greater London"),
        ("contact.telnocc", "0"),
        ("contact.telno", "2079460000"),
        ("contact.type", "Contact"),
        ("entity.customerid", &id),
    ] {
        assert_eq!(row[key], value, "{row:#}");
    }
    let kind = chancery_domain::contact_types::ContactType::GENERAL;
    let customer = chancery_domain::customers::CustomerId(id.parse().unwrap());
    let store = chancery_server::open_store(&server.config).await.unwrap();
    let defaults = store
        .default_contacts(customer, kind)
        .await
        .unwrap()
        .unwrap();
    let contact = row["contact.contactid"].as_str().unwrap().parse().unwrap();
    let contact = chancery_domain::contacts::ContactId(contact);
    let all = chancery_domain::contacts::DefaultContacts::all(contact);
    assert_eq!(defaults, all);
    let events = store.customer_events(customer).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["signed_up"]);
    let events = store.contact_events(contact).await.unwrap();
    assert_eq!(events.len(), 1);
    store.close().await;
}

async fn a_customer_says_something_else_of_itself(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let id = sign_up(&client, &[("mobile-cc", "44"), ("mobile", "7700900000")]).await;
    let bob = sign_up(&client, &[("username", "bob@shop.example")]).await;
    let before = by_id(&client, &id).await;
    let asked = with(ANN, &[("customer-id", &id), ("passwd", "")]);
    let moved = with(
        &asked,
        &[("city", "Leeds"), ("username", "ann@new.example")],
    );
    assert_eq!(client.done("customers/modify", &moved).await, json!(true));
    assert_eq!(client.done("customers/modify", &moved).await, json!(true));
    let after = by_id(&client, &id).await;
    for (key, value) in before.as_object().unwrap() {
        match &key[..] {
            "city" => assert_eq!(after[key], "Leeds"),
            "username" | "useremail" => assert_eq!(after[key], "ann@new.example"),
            // What is left out is not kept.
            "mobileno" | "mobilenocc" => assert_eq!(after.get(key), None),
            _ => assert_eq!(&after[key], value, "{key}"),
        }
    }
    let page = [("no-of-records", "10"), ("page-no", "1")];
    for (name, text, found) in [
        ("city", "london", "1"),
        ("city", "leeds", "1"),
        ("username", "ann@shop", "0"),
    ] {
        let answer = client
            .done("customers/search", &with(&page, &[(name, text)]))
            .await;
        assert_eq!(answer["recsindb"], found, "{name} {text}");
    }
    let taken = with(
        &asked,
        &[("customer-id", &bob), ("username", "ann@new.example")],
    );
    assert_eq!(
        client.refused("customers/modify", &taken).await,
        "{username=Username is already taken}"
    );
    let wrong = with(&asked, &[("zipcode", "#1"), ("phone", "1")]);
    assert_eq!(
        client.refused("customers/modify", &wrong).await,
        "{telno=TelephoneNo is invalid, zip=Postal Code is invalid}"
    );
    let missing = client
        .refused("customers/modify", &with(&asked, &[("customer-id", "")]))
        .await;
    assert_eq!(missing, "Required parameter missing: customer-id");
    let unknown = with(&asked, &[("customer-id", "77")]);
    assert_eq!(
        client.refused("customers/modify", &unknown).await,
        "Invalid customer-id"
    );
    let store = chancery_server::open_store(&server.config).await.unwrap();
    let customer = chancery_domain::customers::CustomerId(id.parse().unwrap());
    let events = store.customer_events(customer).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| event.detail.as_deref()).collect();
    assert_eq!(told, [None, Some("username, city, mobile telephone")]);
    store.close().await;
}

/// Whatever signs up is shown as it was sent, and stays so when only its city changes.
async fn whatever_a_customer_says_is_kept(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let text = || "[A-Za-zÀ-žЀ-я一-九&=+%{},<>'\"\\\\ ]{0,30}[A-Za-zÀ-žЀ-я一-九]";
    let strategy = (
        text(),
        text(),
        text(),
        text(),
        "[1-9][0-9]{3,11}",
        prop::option::of("[0-9]{4,12}"),
    );
    let mut runner = TestRunner::deterministic();
    for number in 0..12 {
        let drawn = strategy.new_tree(&mut runner).unwrap().current();
        let (name, company, line, state, phone, mobile) = drawn;
        let username = format!("user{number}@shop.example");
        let mut sent = with(
            ANN,
            &[
                ("username", &username),
                ("name", &name),
                ("company", &company),
                ("address-line-1", &line),
                ("state", &state),
                ("phone", &phone),
            ],
        );
        if let Some(mobile) = &mobile {
            sent.extend([("mobile-cc", "49"), ("mobile", &mobile[..])]);
        }
        let id = client.done("customers/signup", &sent).await.to_string();
        let told = by_id(&client, &id).await;
        for (key, value) in [
            ("name", &name),
            ("company", &company),
            ("address1", &line),
            ("state", &state),
            ("telno", &phone),
        ] {
            assert_eq!(told[key], value.trim(), "{key}");
        }
        assert_eq!(
            told.get("mobileno"),
            mobile.clone().map(Value::from).as_ref()
        );
        let moved = with(&sent, &[("customer-id", &id), ("city", "Elsewhere")]);
        client.done("customers/modify", &moved).await;
        let mut expected = told.clone();
        expected["city"] = json!("Elsewhere");
        assert_eq!(by_id(&client, &id).await, expected);
    }
}

async fn a_customer_goes_with_its_contacts(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let panel = server.panel().await;
    let id = sign_up(&client, &[]).await;
    let page = [
        ("customer-id", &id[..]),
        ("no-of-records", "10"),
        ("page-no", "1"),
    ];
    let found = client.done("contacts/search", &page).await;
    let contact = found["result"][0]["contact.contactid"]
        .as_str()
        .unwrap()
        .to_owned();
    let number = format!("SSL{contact}T");
    let order = order_for("ssl123", "dns", &["shop.test"], &number, &number);
    let placed = panel.place(&order).await;
    let parameters = [("customer-id", &id[..])];
    let refused = client.refused("customers/delete", &parameters).await;
    assert_eq!(
        refused,
        format!("Cannot Delete Customer: Contact {contact} is in use")
    );
    panel.cancel(&placed.id).await.data();
    let deleted = client.done("customers/delete", &parameters).await;
    assert_eq!(deleted, json!(true));
    assert_eq!(by_id(&client, &id).await["customerstatus"], "Deleted");
    for method in [
        "customers/delete",
        "customers/temp-password",
        "contacts/search",
    ] {
        let refused = client.refused(method, &with(&page, &parameters)).await;
        assert_eq!(refused, "Invalid customer-id", "{method}");
    }
    let gone = client
        .refused("customers/details", &[("username", "ann@shop.example")])
        .await;
    assert_eq!(gone, "Customer ann@shop.example not found");
    let told = client
        .done("contacts/details", &[("contact-id", &contact)])
        .await;
    assert_eq!(told["currentstatus"], "Deleted");
}

async fn the_reseller_itself_is_a_customer_that_stays(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let reseller = itself(&client, server).await;
    let told = by_id(&client, &reseller).await;
    assert_eq!(told["customerid"], reseller);
    assert_eq!(told["name"], told["company"]);
    assert_eq!(told["username"], "");
    let parameters = [
        ("customer-id", &reseller[..]),
        ("new-passwd", "another word"),
    ];
    for method in [
        "customers/delete",
        "customers/temp-password",
        "customers/change-password",
    ] {
        let refused = client.refused(method, &parameters).await;
        assert_eq!(refused, "This customer is the reseller itself", "{method}");
    }
    let asked = with(ANN, &[("customer-id", &reseller)]);
    client.done("customers/modify", &asked).await;
    let told = by_id(&client, &reseller).await;
    assert_eq!(told["username"], "ann@shop.example");
    let refused = client
        .refused(
            "customers/forgot-password",
            &[("username", "ann@shop.example")],
        )
        .await;
    assert_eq!(refused, "This customer is the reseller itself");
}

async fn customers_of_others_are_not_there(server: &mut TestServer) {
    let [ours, theirs] = [server.logicboxes().await, server.another_logicboxes().await];
    let id = sign_up(&ours, &[]).await;
    let before = by_id(&ours, &id).await;
    let everything = [
        ("customer-id", &id[..]),
        ("new-passwd", "another word"),
        ("ip", "192.0.2.1"),
    ];
    let asked = with(ANN, &everything);
    for method in [
        "customers/details-by-id",
        "customers/modify",
        "customers/change-password",
        "customers/temp-password",
        "customers/generate-login-token",
        "customers/delete",
    ] {
        let refused = theirs.refused(method, &asked).await;
        assert_eq!(refused, "Invalid customer-id", "{method}");
    }
    for method in ["customers/details", "customers/forgot-password"] {
        let refused = theirs.refused(method, ANN).await;
        assert_eq!(refused, "Customer ann@shop.example not found", "{method}");
    }
    let page = [("no-of-records", "10"), ("page-no", "1"), ("name", "ann")];
    let found = theirs.done("customers/search", &page).await;
    assert_eq!(found["recsindb"], "0");
    assert_eq!(by_id(&ours, &id).await, before);
}
