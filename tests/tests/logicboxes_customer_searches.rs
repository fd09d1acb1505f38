//! Searches among customers over the LogicBoxes dialect.

use chancery_testkit::{LogicBoxes, TestServer, itself, on_both_engines, with};
use serde_json::Value;

use crate::logicboxes_customers::{by_id, sign_up};

on_both_engines!(
    searches_tell_rows_as_captured,
    searches_find_words_by_their_beginnings,
    searches_are_bounded_by_more_than_words,
);

async fn searches_tell_rows_as_captured(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let reseller = itself(&client, server).await;
    let id = sign_up(&client, &[("phone-cc", "44")]).await;
    let page = [
        ("no-of-records", "10"),
        ("page-no", "1"),
        ("customer-id", &id[..]),
    ];
    let found = client.call("customers/search", &page).await;
    let golden = GOLDEN_ROW
        .replace("{reseller}", &reseller)
        .replace("{id}", &id);
    assert_eq!(found.text(), golden);
    for (name, value) in [
        ("no-of-records", "0"),
        ("no-of-records", "501"),
        ("no-of-records", "ten"),
        ("page-no", "-1"),
        ("creation-date-start", "yesterday"),
        ("total-receipt-end", "much"),
    ] {
        let refused = client
            .refused("customers/search", &with(&page, &[(name, value)]))
            .await;
        assert_eq!(refused, format!("Invalid {name}"));
    }
}

const GOLDEN_ROW: &str = concat!(
    r#"{"recsonpage":"1","1":{"customer.username":"ann@shop.example","customer.telno":"2079460000"#,
    r#"","customer.name":"Ann O\u0027Neill","customer.resellerid":"{reseller}","customer.totalrec"#,
    r#"eipts":"0.0","customer.country":"GB","customer.telnocc":"044","customer.city":"London","cu"#,
    r#"stomer.websitecount":"0","customer.customerstatus":"Active","customer.company":"Shop Ltd","#,
    r#""customer.customerid":"{id}"},"recsindb":"1"}"#,
);

/// What a search finds: how many in all, and who is on the page.
async fn found(client: &LogicBoxes, others: &[(&str, &str)]) -> (String, Vec<String>) {
    let page = [("no-of-records", "10"), ("page-no", "1")];
    let answer = client.done("customers/search", &with(&page, others)).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let on_page: usize = text(&answer["recsonpage"]).parse().unwrap();
    let rows = (1..=on_page).map(|row| text(&answer[row.to_string()]["customer.customerid"]));
    assert_eq!(answer.as_object().unwrap().len(), on_page + 2);
    (text(&answer["recsindb"]), rows.collect())
}

/// Twelve customers of many companies, one who is someone else, and one of another reseller's.
async fn many(server: &TestServer) -> (LogicBoxes, Vec<String>, String) {
    let client = server.logicboxes().await;
    let other = server.another_logicboxes().await;
    sign_up(&other, &[]).await;
    let mut ids = Vec::new();
    for number in 0..12 {
        let username = format!("c{number:02}@shop{number}.example");
        let company = format!("Company {number}");
        let others = [("username", &username[..]), ("company", &company[..])];
        ids.push(sign_up(&client, &others).await);
    }
    let cay = [
        ("username", "cay@else.example"),
        ("name", "Cay Åsberg"),
        ("city", "Leeds"),
    ];
    let cay = sign_up(&client, &cay).await;
    (client, ids, cay)
}

fn only(id: &str) -> (String, Vec<String>) {
    ("1".to_owned(), vec![id.to_owned()])
}

fn none() -> (String, Vec<String>) {
    ("0".to_owned(), Vec::new())
}

async fn searches_find_words_by_their_beginnings(server: &mut TestServer) {
    let (client, ids, cay) = many(server).await;
    let found = async |others: &[(&str, &str)]| found(&client, others).await;
    // The reseller itself comes first, then customers as they signed up.
    let (all, first) = found(&[]).await;
    assert_eq!((&all[..], &first[1..]), ("14", &ids[..9]));
    let (_, second) = found(&[("page-no", "2")]).await;
    assert_eq!(
        second,
        [&ids[9], &ids[10], &ids[11], &cay].map(String::clone)
    );
    assert_eq!(found(&[("page-no", "0")]).await.1, first);
    assert_eq!(found(&[("page-no", "3")]).await.1, [""; 0]);
    for (name, text) in [
        ("name", "åsb"),
        ("name", "CAY   ås"),
        ("city", "leeds"),
        ("username", "cay@"),
        ("username", "CAY@else.example"),
    ] {
        assert_eq!(found(&[(name, text)]).await, only(&cay), "{name} {text}");
    }
    for (name, text) in [("name", "sberg"), ("city", "eeds"), ("username", "else")] {
        assert_eq!(found(&[(name, text)]).await, none(), "{name} {text}");
    }
    assert_eq!(found(&[("company", "company 1")]).await.0, "3");
    assert_eq!(
        found(&[("company", "company 1"), ("username", "c11@shop11")]).await,
        only(&ids[11])
    );
    assert_eq!(
        found(&[("name", "ann"), ("customer-id", &ids[3])]).await,
        only(&ids[3])
    );
    assert_eq!(
        found(&[("state", "not app"), ("name", "cay")]).await,
        only(&cay)
    );
}

async fn searches_are_bounded_by_more_than_words(server: &mut TestServer) {
    let (client, _, cay) = many(server).await;
    let found = async |others: &[(&str, &str)]| found(&client, others).await;
    assert_eq!(
        found(&[("name", "cay"), ("reseller-id", "1")]).await,
        none()
    );
    let by_credential = [("name", "cay"), ("reseller-id", &client.user_id[..])];
    assert_eq!(found(&by_credential).await, only(&cay));
    assert_eq!(
        found(&[("name", "cay"), ("total-receipt-start", "0.01")]).await,
        none()
    );
    let receipts = [
        ("name", "cay"),
        ("total-receipt-start", "0"),
        ("total-receipt-end", "5"),
    ];
    assert_eq!(found(&receipts).await, only(&cay));
    let now = by_id(&client, &cay).await["creationdt"]
        .as_str()
        .unwrap()
        .to_owned();
    let later = (now.parse::<i64>().unwrap() + 60).to_string();
    assert_eq!(
        found(&[("name", "cay"), ("creation-date-end", &now)]).await,
        only(&cay)
    );
    assert_eq!(
        found(&[("name", "cay"), ("creation-date-start", &later)]).await,
        none()
    );
    client
        .done("customers/delete", &[("customer-id", &cay)])
        .await;
    assert_eq!(found(&[("name", "cay")]).await, none());
    assert_eq!(
        found(&[("name", "cay"), ("status", "Deleted")]).await,
        only(&cay)
    );
    assert_eq!(
        found(&[("name", "cay"), ("status", "Suspended")]).await,
        none()
    );
}
