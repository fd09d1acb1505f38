//! What is sold and for how much, as panels ask for it.

use chancery_testkit::{TestServer, on_both_engines};
use serde_json::{Value, json};

on_both_engines!(
    products_are_listed,
    a_product_and_its_rules,
    prices_add_up,
    what_cannot_be_priced_is_told
);

async fn products_are_listed(server: &mut TestServer) {
    let panel = server.panel().await;
    let list = panel.http.get("/ssl/v2/products/list").await.data();
    let list = list.as_array().unwrap();
    let keys: Vec<&str> = list
        .iter()
        .map(|item| item["productKey"].as_str().unwrap())
        .collect();
    assert!(keys.contains(&"ssl123"), "{keys:?}");
    for item in list {
        for key in ["productName", "provider", "certType"] {
            assert!(item[key].is_string(), "{key} {item}");
        }
        for key in ["wildcard", "allowSan", "allowWsan", "allowWSan"] {
            assert!(item[key].is_boolean(), "{key} {item}");
        }
        assert!(
            item["bundle"].is_object() && item.get("price").is_none(),
            "{item}"
        );
    }
    let types: Vec<&Value> = list.iter().map(|item| &item["certType"]).collect();
    for kind in ["DV", "OV", "EV"] {
        assert!(types.contains(&&json!(kind)), "{kind}");
    }
    let priced = panel.http.get("/ssl/v2/products/list/price").await.data();
    assert_eq!(priced.as_array().unwrap().len(), list.len());
    for item in priced.as_array().unwrap() {
        assert!(item["price"].is_f64(), "{item}");
    }
}

async fn a_product_and_its_rules(server: &mut TestServer) {
    let panel = server.panel().await;
    let info = panel
        .http
        .get("/ssl/v2/products/info?productKey=dv-wildcard")
        .await
        .data();
    assert_eq!(
        (&info["wildcard"], &info["certType"]),
        (&json!(true), &json!("DV"))
    );
    let rules = panel
        .http
        .get("/ssl/v2/products/rules?productKey=dv-wildcard")
        .await
        .data();
    assert_eq!(rules["productKey"], "dv-wildcard");
    assert_eq!(rules["rules"]["terms"], json!([1]));
    assert_eq!(rules["rules"]["authTypes"], json!(["email", "dns"]));
    for path in ["info", "rules"] {
        let http = &panel.http;
        let unknown = http
            .get(&format!("/ssl/v2/products/{path}?productKey=gold"))
            .await
            .refusal();
        unknown.is(400, "SSL2400", "Invalid product key.");
        let missing = http
            .get(&format!("/ssl/v2/products/{path}"))
            .await
            .refusal();
        missing.is(400, "SSL4000", "Field validation error.");
        let text = "Required request parameter 'productKey' for method parameter type String is not present";
        assert_eq!(missing.about("productKey"), [text]);
    }
}

async fn prices_add_up(server: &mut TestServer) {
    let panel = server.panel().await;
    let reply = panel
        .http
        .get("/ssl/v2/products/pricing?productKey=ssl123&term=1&commonSAN=2&wildcardSAN=1")
        .await;
    let documented = concat!(
        r#"{"code":"1000","message":"Command completed successfully.","data":{"price":50.0,"currency":"USD","#,
        r#""term":1,"termType":"year","priceBreakdown":{"baseCertPrice":10.0,"commonSANPrice":20.0,"#,
        r#""wildcardSANPrice":20.0}}}"#
    );
    assert_eq!(reply.text(), documented);
    let short = panel
        .http
        .get("/ssl/v2/products/pricing?productKey=ssl123&term=2")
        .await
        .data();
    assert_eq!(short["price"].to_string(), "18.0");
    // Two names are within the price of this one.
    let bundled = panel
        .http
        .get("/ssl/v2/products/pricing?productKey=dv-multi&term=1&commonSAN=3")
        .await
        .data();
    assert_eq!(bundled["price"].to_string(), "37.0");

    // The price that was told is the price that is charged.
    for (product, names, query) in [
        (
            "ssl123",
            &["a.test", "b.test", "*.c.test"][..],
            "commonSAN=1&wildcardSAN=1",
        ),
        (
            "dv-multi",
            &["a.test", "b.test", "c.test", "d.test", "*.e.test"],
            "commonSAN=3&wildcardSAN=1",
        ),
        ("dv-wildcard", &["*.a.test", "a.test"], "commonSAN=1"),
    ] {
        let path = format!("/ssl/v2/products/pricing?productKey={product}&term=1&{query}");
        let told = panel.http.get(&path).await.data()["price"].to_string();
        let before = panel.cents().await;
        panel.place(&panel.order(product, "dns", names).await).await;
        assert_eq!(
            chancery_testkit::cents(&told),
            before - panel.cents().await,
            "{product}: {told}"
        );
    }
}

async fn what_cannot_be_priced_is_told(server: &mut TestServer) {
    let panel = server.panel().await;
    let ask = async |query: &str| {
        panel
            .http
            .get(&format!("/ssl/v2/products/pricing?{query}"))
            .await
            .refusal()
    };
    ask("productKey=gold&term=1")
        .await
        .is(400, "SSL2400", "Invalid product key.");
    let terms = "Invalid terms. Supported terms are [1, 2, 3]";
    ask("productKey=ssl123&term=9")
        .await
        .is(400, "SSL2400", terms);
    ask("productKey=ssl123&term=-1")
        .await
        .is(400, "SSL2400", terms);
    let wrong = ask("term=two&commonSAN=-1&wildcardSAN=x").await;
    wrong.is(400, "SSL4000", "Field validation error.");
    for field in ["productKey", "term", "commonSAN", "wildcardSAN"] {
        assert_eq!(wrong.about(field).len(), 1, "{field}: {wrong:?}");
    }
    let missing = ask("").await;
    assert_eq!(missing.fields.len(), 2, "{missing:?}");
}
