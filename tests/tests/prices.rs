//! Prices of a reseller's own: told on every page, charged when an order is placed, and never after.

use chancery_app::{Amounts, PriceChange, PriceChangeError, built_in_catalogue};
use chancery_domain::Timestamp;
use chancery_domain::resellers::ResellerId;
use chancery_testkit::{Panel, TestServer, csr, on_both_engines};
use serde_json::{Value, json};

on_both_engines!(
    a_price_of_one_s_own_is_told_and_charged,
    a_price_counts_from_its_date_on,
    an_order_keeps_what_it_cost,
    a_term_of_one_s_own_can_be_ordered,
    price_lists_only_grow_and_never_into_the_past,
);

const DAY: i64 = 86_400;

/// The reseller that OTE mode begins with.
async fn first_reseller(server: &TestServer) -> ResellerId {
    server.operations().resellers().await.unwrap()[0].id
}

/// Gives that reseller a price: base, further name, further wildcard.
async fn set(
    server: &TestServer,
    (product, years): (&str, u8),
    [base, name, wildcard]: [&str; 3],
    from: Option<Timestamp>,
) -> Result<(), PriceChangeError> {
    let catalogue = built_in_catalogue();
    let asked = PriceChange {
        reseller: first_reseller(server).await,
        product: catalogue.product(product).unwrap(),
        years,
        from,
    };
    let amounts = Amounts {
        base,
        name: (!name.is_empty()).then_some(name),
        wildcard: (!wildcard.is_empty()).then_some(wildcard),
    };
    let set = server.operations().set_price(asked, amounts).await;
    set.map(drop)
}

async fn end(
    server: &TestServer,
    (product, years): (&str, u8),
    from: Option<Timestamp>,
) -> Result<(), PriceChangeError> {
    let catalogue = built_in_catalogue();
    let asked = PriceChange {
        reseller: first_reseller(server).await,
        product: catalogue.product(product).unwrap(),
        years,
        from,
    };
    server.operations().end_price(asked).await.map(drop)
}

async fn get(panel: &Panel, path: &str) -> Value {
    panel
        .http
        .get(&format!("/ssl/v2/products/{path}"))
        .await
        .data()
}

/// The base price of one year of `ssl123` on every page that tells it.
async fn told(panel: &Panel) -> [String; 3] {
    let list = get(panel, "list/price").await;
    let listed = list.as_array().unwrap().iter();
    let mut listed = listed.filter(|item| item["productKey"] == "ssl123");
    let info = get(panel, "info?productKey=ssl123").await;
    let priced = get(panel, "pricing?productKey=ssl123&term=1").await;
    [
        listed.next().unwrap()["price"].to_string(),
        info["price"].to_string(),
        priced["price"].to_string(),
    ]
}

/// What placing costs, in cents.
async fn charged(panel: &Panel, order: &Value) -> i64 {
    let before = panel.cents().await;
    panel.place(order).await;
    before - panel.cents().await
}

async fn a_price_of_one_s_own_is_told_and_charged(server: &mut TestServer) {
    let (panel, other) = (server.panel().await, server.another_panel("100.00").await);
    assert_eq!(told(&panel).await, ["10.0", "10.0", "10.0"]);
    set(server, ("ssl123", 1), ["8.00", "1.50", "2.25"], None)
        .await
        .unwrap();
    assert_eq!(told(&panel).await, ["8.0", "8.0", "8.0"]);
    assert_eq!(told(&other).await, ["10.0", "10.0", "10.0"]);

    let query = "pricing?productKey=ssl123&term=1&commonSAN=2&wildcardSAN=1";
    let parts = &get(&panel, query).await["priceBreakdown"];
    let told_parts =
        ["baseCertPrice", "commonSANPrice", "wildcardSANPrice"].map(|part| parts[part].to_string());
    assert_eq!(told_parts, ["8.0", "3.0", "2.25"]);
    let names = ["shop.test", "a.shop.test", "b.shop.test", "*.c.shop.test"];
    let order = panel.order("ssl123", "dns", &names).await;
    assert_eq!(charged(&panel, &order).await, 1325);
    let order = other.order("ssl123", "dns", &names).await;
    assert_eq!(charged(&other, &order).await, 5000);
    // Another term has the catalogue's price still.
    let two_years = get(&panel, "pricing?productKey=ssl123&term=2").await;
    assert_eq!(two_years["price"].to_string(), "18.0");

    end(server, ("ssl123", 1), None).await.unwrap();
    assert_eq!(told(&panel).await, ["10.0", "10.0", "10.0"]);
}

async fn a_price_counts_from_its_date_on(server: &mut TestServer) {
    let now: Timestamp = server.world().now().await.parse().unwrap();
    let at = |days: i64| Timestamp::from_second(now.as_second() + days * DAY).unwrap();
    for (base, days) in [("9.00", 10), ("7.00", 20)] {
        set(server, ("ssl123", 1), [base, "1", "1"], Some(at(days)))
            .await
            .unwrap();
    }
    end(server, ("ssl123", 1), Some(at(30))).await.unwrap();
    for (passed, price) in [(0, "10.0"), (11, "9.0"), (10, "7.0"), (10, "10.0")] {
        server.world().advance(passed * DAY).await;
        server.restart().await;
        let panel = server.panel().await;
        assert_eq!(told(&panel).await[2], price);
        let order = panel.order("ssl123", "dns", &["shop.test"]).await;
        let cents = chancery_testkit::cents(price);
        assert_eq!(charged(&panel, &order).await, cents, "{price}");
    }
}

async fn an_order_keeps_what_it_cost(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = panel.order("ssl123", "dns", &["shop.test"]).await;
    let cents = panel.cents().await;
    let placed = panel.place(&order).await;
    let issued = panel
        .issue("ssl123", &["other.test", "www.other.test"])
        .await;
    set(server, ("ssl123", 1), ["99.00", "3.00", "4.00"], None)
        .await
        .unwrap();
    assert_eq!(panel.cents().await, cents - 3000);
    panel.cancel(&placed.id).await.data();
    assert_eq!(panel.cents().await, cents - 2000, "what it cost comes back");

    // What is bought later has the price of the day.
    let more = ["www.other.test", "shop.other.test"];
    let body = json!({ "csr": csr(&["other.test"]), "sanfield": more });
    let path = format!("/ssl/v2/orders/{issued}/reissue");
    panel.http.post(&path, &body).await.data();
    assert_eq!(panel.cents().await, cents - 2000 - 300);
}

async fn a_term_of_one_s_own_can_be_ordered(server: &mut TestServer) {
    let panel = server.panel().await;
    let terms = async || get(&panel, "rules?productKey=dv-single").await["rules"]["terms"].clone();
    assert_eq!(terms().await, json!([1]));
    set(server, ("dv-single", 3), ["15.00", "", ""], None)
        .await
        .unwrap();
    assert_eq!(terms().await, json!([1, 3]));
    let mut order = panel.order("dv-single", "dns", &["shop.test"]).await;
    order["term"] = json!(3);
    assert_eq!(charged(&panel, &order).await, 1500);
    order["term"] = json!(2);
    let refusal = panel
        .http
        .post("/ssl/v2/orders/new", &order)
        .await
        .refusal();
    refusal.is(400, "SSL2400", "Invalid terms. Supported terms are [1, 3]");
}

async fn price_lists_only_grow_and_never_into_the_past(server: &mut TestServer) {
    let now: Timestamp = server.world().now().await.parse().unwrap();
    let yesterday = Timestamp::from_second(now.as_second() - DAY).unwrap();
    let price = ["8.00", "1.00", "2.00"];
    let ssl123 = ("ssl123", 1);
    let past = set(server, ssl123, price, Some(yesterday)).await;
    assert!(matches!(past, Err(PriceChangeError::Past(_))), "{past:?}");
    let nothing = end(server, ssl123, None).await;
    assert!(matches!(nothing, Err(PriceChangeError::NothingToEnd)));
    for years in [0, 11] {
        let term = set(server, ("ssl123", years), price, None).await;
        assert!(matches!(term, Err(PriceChangeError::Term)), "{years}");
    }
    for wrong in [
        ["8.001", "1.00", "2.00"],
        ["-1", "1.00", "2.00"],
        ["much", "1.00", "2.00"],
        ["8.00", "", "2.00"],
        ["8.00", "1.00", ""],
    ] {
        let refused = set(server, ssl123, wrong, None).await;
        assert!(
            matches!(refused, Err(PriceChangeError::Price(_))),
            "{wrong:?}"
        );
    }
    let reseller = first_reseller(server).await;
    let list = async || server.operations().price_list(reseller).await.unwrap();
    assert!(list().await.is_empty());

    for base in ["8.00", "7.00"] {
        set(server, ssl123, [base, "1.00", "2.00"], None)
            .await
            .unwrap();
    }
    end(server, ssl123, None).await.unwrap();
    let again = end(server, ssl123, None).await;
    assert!(matches!(again, Err(PriceChangeError::NothingToEnd)));
    let rows = list().await;
    let bases: Vec<Option<String>> = rows
        .iter()
        .map(|listed| listed.row.price.map(|price| price.base.to_string()))
        .collect();
    let written = |text: &str| Some(text.to_owned());
    assert_eq!(bases, [written("8.00 USD"), written("7.00 USD"), None]);
}
