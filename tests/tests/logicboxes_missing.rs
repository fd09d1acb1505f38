//! Parameters that a method of the LogicBoxes dialect requires: each is told when it is missing, before anything that is
//! wrong with the others.

use chancery_testkit::{LogicBoxes, TestServer, itself, on_both_engines, with};
use serde_json::Value;

use crate::logicboxes_contacts::DOCUMENTED;

on_both_engines!(
    what_is_missing_is_told_before_what_is_wrong,
    a_company_is_missing_where_the_type_needs_one,
    a_customer_that_is_no_number_is_told_with_the_rest,
);

/// What the contract document says that methods require, each in its order.
fn required() -> Vec<(String, Vec<String>)> {
    let document = chancery_logicboxes::openapi();
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &Value)| {
        let method = path.trim_start_matches("/api/").trim_end_matches(".json");
        let told = methods.as_object().unwrap().values().next().unwrap();
        let form = "/requestBody/content/application~1x-www-form-urlencoded/schema/required";
        let names: Vec<String> = match (&told["parameters"], told.pointer(form)) {
            (Value::Array(all), _) => all
                .iter()
                .filter(|one| one["required"] == true)
                .map(|one| one["name"].as_str().unwrap().to_owned())
                .collect(),
            (_, Some(names)) => serde_json::from_value(names.clone()).unwrap(),
            _ => Vec::new(),
        };
        (method.to_owned(), names)
    };
    paths.iter().map(of_path).collect()
}

async fn is_missing(client: &LogicBoxes, method: &str, given: &[(&str, &str)], name: &str) {
    let message = format!("Required parameter missing: {name}");
    assert_eq!(client.refused(method, given).await, message, "{method}");
}

async fn what_is_missing_is_told_before_what_is_wrong(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let required = required();
    let mut asked = 0;
    for (method, names) in &required {
        for (place, name) in names.iter().enumerate() {
            let others = names.iter().filter(|other| *other != name);
            // Wrong in every way: nothing that is known, no number, and with different values.
            let wrong = others.flat_map(|other| [(&other[..], "?"), (other, "abc")]);
            // Which the document cannot say are required, as that is a matter of type and country.
            let at_times = [("company", "x"), ("zipcode", "x")];
            let at_times = at_times.into_iter().filter(|(other, _)| name != other);
            let wrong: Vec<_> = wrong.chain(at_times.clone()).collect();
            is_missing(&client, method, &wrong, name).await;
            let before = names[..place].iter().map(|other| (&other[..], "?"));
            let before: Vec<_> = before.chain(at_times).collect();
            is_missing(&client, method, &before, name).await;
            asked += 1;
        }
    }
    assert_eq!(required.len(), chancery_logicboxes::routes().len());
    assert!(asked > 90, "{asked}");
    for (method, given, name) in [
        ("contacts/add", ("customer-id", "abc"), "name"),
        ("contacts/modDefault", ("type", "Bogus"), "customer-id"),
        ("contacts/search", ("no-of-records", "x"), "customer-id"),
        ("contacts/modify", ("contact-id", "1"), "name"),
        ("customers/signup", ("name", "a"), "username"),
    ] {
        is_missing(&client, method, &[given], name).await;
    }
}

async fn a_company_is_missing_where_the_type_needs_one(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let whole = with(DOCUMENTED, &[("customer-id", &customer)]);
    for (kind, message) in [
        ("Contact", "Required parameter missing: company"),
        ("Kontakt", "Required parameter missing: company"),
        ("", "Required parameter missing: company"),
        ("EsContact", "Required parameter missing: state"),
    ] {
        let of_kind = with(&whole, &[("type", kind), ("company", "")]);
        assert_eq!(client.refused("contacts/add", &of_kind).await, message);
    }
    let person = [
        ("type", "EsContact"),
        ("company", ""),
        ("state", "Madrid"),
        ("country", "ES"),
        ("zipcode", "28001"),
        ("attr-name1", "es_form_juridica"),
        ("attr-value1", "1"),
        ("attr-name2", "es_tipo_identificacion"),
        ("attr-value2", "0"),
        ("attr-name3", "es_identificacion"),
        ("attr-value3", "X1"),
    ];
    let person = with(&whole, &person);
    let id = client.done("contacts/add", &person).await.to_string();
    let changed = with(&person, &[("contact-id", &id), ("city", "Madrid")]);
    client.done("contacts/modify", &changed).await;
    let firm = with(&person, &[("attr-value1", "524")]);
    let message = "Required parameter missing: company";
    assert_eq!(client.refused("contacts/add", &firm).await, message);
    let changed = with(&changed, &[("attr-value1", "524")]);
    assert_eq!(client.refused("contacts/modify", &changed).await, message);
}

async fn a_customer_that_is_no_number_is_told_with_the_rest(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let wrong = [
        ("country", "nn"),
        ("zipcode", "0"),
        ("phone-cc", "0"),
        ("phone", "0"),
    ];
    for method in ["contacts/add", "contacts/coop/add-sponsor"] {
        for number in ["abc", "0", "-1", "99999999999999999999", "1.0"] {
            let alone = with(DOCUMENTED, &[("customer-id", number)]);
            let message = client.refused(method, &alone).await;
            assert_eq!(message, "Invalid customer-id", "{number}");
            assert_eq!(
                client.refused(method, &with(&alone, &wrong)).await,
                "{telno=TelephoneNo is invalid, telnocc=TelephoneNo Country Code is invalid, \
                 zip=Postal Code is invalid, customerid=Customer Id is invalid, \
                 country=Country is invalid}"
            );
        }
    }
}
