//! What panels were seen to send and to ask for over the LogicBoxes dialect.

use chancery_domain::reseller_settings::ResellerChanges;
use chancery_testkit::{TestServer, itself, on_both_engines, with};
use serde_json::json;

use crate::logicboxes_contacts::DOCUMENTED;
use crate::logicboxes_customers::{ANN, sign_up};

on_both_engines!(
    a_whole_address_finds_its_person_and_nobody_else,
    numbers_booleans_and_calling_codes_come_in_several_ways,
    who_signs_up_may_have_any_postal_code,
    contacts_may_have_postal_codes_as_people_write_them,
    a_reseller_asks_for_its_own_details,
    a_refusal_by_address_names_the_address,
);

const PAGE: [(&str, &str); 2] = [("no-of-records", "10"), ("page-no", "1")];

async fn a_whole_address_finds_its_person_and_nobody_else(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let longer = "ann@shop.example.org";
    let other = sign_up(&client, &[("username", longer)]).await;
    let found = async |method: &str, more: &[(&str, &str)]| {
        let page = with(&PAGE, more);
        client.done(method, &page).await["recsindb"].clone()
    };
    let by_name = async |name: &str| found("customers/search", &[("username", name)]).await;
    assert_eq!(by_name("ann@shop.example").await, "0");
    assert_eq!(by_name("ann@shop").await, "1");
    let ann = sign_up(&client, &[]).await;
    let answer = with(&PAGE, &[("username", " ANN@shop.example ")]);
    let answer = client.done("customers/search", &answer).await;
    assert_eq!(answer["recsindb"], "1");
    assert_eq!(answer["1"]["customer.customerid"], ann[..]);
    assert_eq!(by_name(longer).await, "1");
    assert_eq!(by_name("ann@").await, "2");

    let of_customer = [("customer-id", &other[..])];
    let by_email = async |email: &str| {
        let more = [of_customer[0], ("email", email)];
        found("contacts/search", &more).await
    };
    assert_eq!(by_email("ann@shop.example").await, "0");
    assert_eq!(by_email("ann@shop").await, "1");
    assert_eq!(by_email(longer).await, "1");
}

async fn numbers_booleans_and_calling_codes_come_in_several_ways(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let more = [
        ("phone-cc", "+44"),
        ("sms-consent", "True"),
        ("marketing-email-consent", "FALSE"),
    ];
    let id = sign_up(&client, &more).await;
    let details = client
        .done("customers/details-by-id", &[("customer-id", &id)])
        .await;
    assert_eq!(details["telnocc"], "44");
    let page = [
        ("no-of-records", "1.0"),
        ("page-no", "1"),
        ("creation-date-start", "1577836800.0"),
    ];
    let found = client.done("customers/search", &page).await;
    assert_eq!(found["recsonpage"], "1");
    for wrong in ["1577836800.5", "1e9", ".0"] {
        let page = with(&page, &[("creation-date-start", wrong)]);
        let refused = client.refused("customers/search", &page).await;
        assert_eq!(refused, "Invalid creation-date-start");
    }
    let contact = with(
        DOCUMENTED,
        &[
            ("customer-id", &id),
            ("phone-cc", "+1"),
            ("fax-cc", "+1"),
            ("fax", "7135745288"),
        ],
    );
    let contact = client.done("contacts/add", &contact).await.to_string();
    let told = client
        .done("contacts/details", &[("contact-id", &contact)])
        .await;
    assert_eq!([&told["telnocc"], &told["faxnocc"]], ["1", "1"]);
}

async fn who_signs_up_may_have_any_postal_code(server: &mut TestServer) {
    let client = server.logicboxes().await;
    for (at, (country, zip)) in [
        ("DE", "0"),
        ("US", "N/A"),
        ("GB", "12345"),
        ("IE", "D02 X285"),
        ("IE", "-"),
        ("HK", "-"),
        ("AE", "--"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("user{at}@shop.example");
        let more = [
            ("username", &name[..]),
            ("country", country),
            ("zipcode", zip),
        ];
        let id = sign_up(&client, &more).await;
        let told = client
            .done("customers/details-by-id", &[("customer-id", &id)])
            .await;
        assert_eq!(told["zip"], zip);
    }
    for (zip, text) in [
        (
            "12345678901",
            "Postal Code cannot be more than 10 characters",
        ),
        ("<b>1</b>", "Postal Code is invalid"),
    ] {
        let refused = client
            .refused("customers/signup", &with(ANN, &[("zipcode", zip)]))
            .await;
        assert_eq!(refused, format!("{{zip={text}}}"));
    }
}

async fn contacts_may_have_postal_codes_as_people_write_them(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let customer = itself(&client, server).await;
    let of = |country, zip| {
        let more = [
            ("customer-id", &customer[..]),
            ("country", country),
            ("zipcode", zip),
        ];
        with(DOCUMENTED, &more)
    };
    for (country, zip) in [
        ("DE", "D-80331"),
        ("DE", "D 80331"),
        ("LU", "L-1234"),
        ("RS", "11000"),
        ("RS", "110000"),
        ("KR", "110-062"),
        ("TW", "106"),
        ("IE", ""),
        ("IE", "0000"),
        ("IE", "N/A"),
    ] {
        client.done("contacts/add", &of(country, zip)).await;
    }
    for (country, zip) in [
        ("DE", "L-1234"),
        ("DE", "8033"),
        ("US", "0"),
        ("IE", "Dublin"),
    ] {
        let refused = client.refused("contacts/add", &of(country, zip)).await;
        assert_eq!(refused, "{zip=Postal Code is invalid}", "{country} {zip}");
    }
    let missing = client.refused("contacts/add", &of("DE", "")).await;
    assert_eq!(missing, "Required parameter missing: zipcode");
}

async fn a_reseller_asks_for_its_own_details(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let reseller = itself(&client, server).await;
    let changes = ResellerChanges {
        name: Some("Panel".to_owned()),
        company: Some("Panel Ltd".to_owned()),
        branding_url: Some("https://panel.example".to_owned()),
        ..ResellerChanges::default()
    };
    server.set_reseller(changes).await;
    // A panel was told no number but that of its credential.
    let numbers = [&reseller[..], &client.user_id];
    let [by_own, by_credential] = numbers.map(|number| [("reseller-id", number)]);
    for asked in [&[][..], &by_own, &by_credential] {
        let told = client.done("resellers/details", asked).await;
        let expected = json!({
            "resellerid": reseller, "parentid": "0", "username": "", "useremail": "", "name": "Panel",
            "company": "Panel Ltd", "brandname": "Panel Ltd", "brandingurl": "https://panel.example",
            "resellerstatus": "Active", "creationdt": told["creationdt"], "sellingcurrencysymbol": "USD",
            "accountingcurrencysymbol": "USD", "parentsellingcurrencysymbol": "USD",
        });
        assert_eq!(told, expected);
    }
    let other = server.another_logicboxes().await;
    for asked in [by_own, by_credential] {
        let refused = other.refused("resellers/details", &asked).await;
        assert_eq!(refused, "You are not allowed to perform this action");
    }
}

async fn a_refusal_by_address_names_the_address(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let networks = ["203.0.113.7/32".parse().unwrap()].into_iter().collect();
    let operations = server.operations();
    operations
        .set_allowed(&client.user_id, &networks)
        .await
        .unwrap();
    let refused = client.refused("resellers/details", &[]).await;
    assert_eq!(
        refused,
        "Access Denied. You are not authorized to perform this action. The request came from 127.0.0.1."
    );
}
