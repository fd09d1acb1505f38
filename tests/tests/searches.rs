//! Searches and statistics: pages of orders, the newest first, and counts that follow every move.

use chancery_testkit::{Panel, TestServer, on_both_engines};
use serde_json::{Value, json};

on_both_engines!(
    every_order_is_listed_with_the_documented_keys,
    pages_follow_each_other,
    filters_narrow_the_list_together,
    names_are_found_in_every_spelling,
    what_cannot_be_searched_for_is_told,
    statistics_follow_the_orders,
    months_are_counted_by_product,
    anothers_orders_are_neither_listed_nor_counted,
    orders_are_found_by_number_and_by_their_administrator,
    orders_are_found_by_any_of_their_names,
    names_are_found_by_parts_in_their_own_letters,
    certificates_are_found_by_their_end_and_sorted,
    blank_filters_filter_nothing,
);

const SEARCH: &str = "/ssl/v2/orders/search";
const STATISTICS: &str = "/ssl/v2/orders/statistics";

async fn place(panel: &Panel, product: &str, name: &str) -> String {
    let order = panel.order(product, "dns", &[name]).await;
    panel.place(&order).await.id
}

async fn search(panel: &Panel, filters: Value) -> Value {
    let body = json!({ "filters": filters, "pagination": { "page": 1, "pageSize": 100 } });
    panel.http.post(SEARCH, &body).await.data()
}

fn filter(field: &str, operator: &str, value: &str) -> Value {
    json!({ "field": field, "operator": operator, "value": value })
}

/// The numbers of the orders on a page.
fn ids(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["orderId"].as_str().unwrap())
        .collect()
}

/// What a search with these filters finds, which has to agree with its count.
async fn found(panel: &Panel, filters: &[Value]) -> Vec<String> {
    let page = search(panel, filters.into()).await;
    let found = ids(&page);
    assert_eq!(page["totalItems"], found.len(), "{page:#}");
    assert_eq!(page["pageSize"], found.len());
    assert_eq!(page["totalPages"], usize::from(!found.is_empty()));
    found.into_iter().map(str::to_owned).collect()
}

async fn every_order_is_listed_with_the_documented_keys(server: &mut TestServer) {
    let panel = server.panel().await;
    let nothing = panel.http.send("POST", SEARCH, "").await;
    assert_eq!(
        nothing.text(),
        concat!(
            r#"{"code":"1000","message":"Command completed successfully.","#,
            r#""data":{"pageSize":0,"totalPages":0,"totalItems":0,"items":[]}}"#
        )
    );
    let issued = panel.issue("ssl123", &["shop.test"]).await;
    let open = place(&panel, "dv-wildcard", "*.open.test").await;
    let info = panel.info(&issued).await;
    let reply = panel.http.post(SEARCH, &json!({ "filters": [] })).await;
    let text = reply.text();
    let page = reply.data();
    assert_eq!(ids(&page), [&open[..], &issued]);
    let open = &page["items"][0];
    for key in ["dtorderexpire", "dtcertexpire"] {
        assert_eq!(open[key], Value::Null);
    }
    assert_eq!(
        (&open["orderStatus"], &open["certStatus"]),
        (&json!("PENDING"), &json!("INITIAL"))
    );
    let item = &page["items"][1];
    for key in [
        "orderId",
        "commonName",
        "term",
        "orderStatus",
        "certStatus",
        "product",
        "dtcreate",
        "dtorderexpire",
        "dtcertexpire",
    ] {
        assert_eq!(item[key], info[key], "{key}");
    }
    assert_eq!(item["email"], "ann@shop.example");
    assert_eq!(item["company"], "Shop Ltd");
    let last = &text[text.rfind("{\"orderId\"").unwrap()..];
    let mut places = Vec::new();
    for key in [
        "orderId",
        "commonName",
        "term",
        "orderStatus",
        "certStatus",
        "product",
        "dtcreate",
        "dtorderexpire",
        "dtcertexpire",
        "email",
        "company",
    ] {
        places.push(last.find(&format!("\"{key}\":")).unwrap());
    }
    assert!(places.is_sorted(), "{last}");
}

async fn pages_follow_each_other(server: &mut TestServer) {
    let panel = server.panel().await;
    let mut placed = Vec::new();
    for at in 0..5 {
        placed.push(place(&panel, "ssl123", &format!("shop{at}.test")).await);
    }
    placed.reverse();
    for filters in [
        json!([]),
        json!([filter("orderStatus", "EQUAL", "PENDING")]),
    ] {
        let mut seen = Vec::new();
        for page in 1..=4 {
            let pagination = json!({ "page": page, "pageSize": 2 });
            let body = json!({ "filters": filters, "pagination": pagination });
            let page = panel.http.post(SEARCH, &body).await.data();
            assert_eq!(
                (&page["totalPages"], &page["totalItems"]),
                (&json!(3), &json!(5))
            );
            seen.push(ids(&page).len());
            let known = placed
                .iter()
                .skip(seen.iter().sum::<usize>() - ids(&page).len());
            assert!(ids(&page).into_iter().eq(known.take(ids(&page).len())));
        }
        assert_eq!(seen, [2, 2, 1, 0]);
    }
}

async fn filters_narrow_the_list_together(server: &mut TestServer) {
    let panel = server.panel().await;
    let world = server.world();
    let first = panel.issue("ssl123", &["one.shop.test"]).await;
    let cancelled = place(&panel, "ssl123", "two.shop.test").await;
    panel.cancel(&cancelled).await.data();
    let before = world.now().await;
    world.advance(86_400 * 2).await;
    let panel = panel.again().await;
    let open = place(&panel, "dv-multi", "three.test").await;
    let today = &world.now().await[..10].to_owned();
    let equal = |field: &str, value: &str| filter(field, "EQUAL", value);

    for (filters, wanted) in [
        (vec![equal("orderStatus", "COMPLETED")], vec![&first]),
        (vec![equal("certStatus", "ACTIVE")], vec![&first]),
        (
            vec![equal("orderStatus", "cancelled,PENDING, IN_PROCESS")],
            vec![&open, &cancelled],
        ),
        (
            vec![
                equal("orderStatus", "CANCELLED,COMPLETED"),
                equal("certStatus", "CANCELLED"),
            ],
            vec![&cancelled],
        ),
        (vec![equal("orderStatus", "INITIAL")], vec![]),
        (vec![equal("productKey", "dv-multi")], vec![&open]),
        (vec![filter("product", "LIKE", "multi")], vec![&open]),
        (
            vec![equal("productKey", "ssl123")],
            vec![&cancelled, &first],
        ),
        (
            vec![
                equal("productKey", "ssl123"),
                equal("orderStatus", "COMPLETED"),
            ],
            vec![&first],
        ),
        (vec![equal("dtcreateFrom", today)], vec![&open]),
        (
            vec![equal("dtcreateTo", &before[..10])],
            vec![&cancelled, &first],
        ),
        (vec![equal("dtcreateTo", &before)], vec![&cancelled, &first]),
        (
            vec![
                equal("dtcreateFrom", &before[..10]),
                equal("dtcreateTo", today),
            ],
            vec![&open, &cancelled, &first],
        ),
        (
            vec![
                equal("dtcreateFrom", today),
                equal("dtcreateTo", &before[..10]),
            ],
            vec![],
        ),
        (
            vec![
                filter("commonName", "LIKE", "shop"),
                equal("orderStatus", "CANCELLED"),
            ],
            vec![&cancelled],
        ),
        (
            vec![
                equal("commonName", "three.test"),
                equal("dtcreateFrom", today),
                equal("productKey", "ssl123,dv-multi"),
            ],
            vec![&open],
        ),
        (vec![equal("organizationId", "7")], vec![]),
    ] {
        assert!(
            found(&panel, &filters)
                .await
                .iter()
                .eq(wanted.iter().copied()),
            "{filters:?}"
        );
    }
}

async fn names_are_found_in_every_spelling(server: &mut TestServer) {
    let panel = server.panel().await;
    let shop = place(&panel, "ssl123", "example.test").await;
    let wildcard = place(&panel, "dv-wildcard", "*.example.test").await;
    let other = place(&panel, "ssl123", "unrelated-example.test").await;
    let like = async |text: &str| found(&panel, &[filter("commonName", "LIKE", text)]).await;
    let equal = async |text: &str| found(&panel, &[filter("commonName", "EQUAL", text)]).await;
    for _ in 0..2 {
        assert_eq!(like("Example.TEST").await, [&other[..], &wildcard, &shop]);
        assert_eq!(like("*.ex").await, [&wildcard[..]]);
        assert_eq!(like("d-").await, [&other[..]]);
        for nothing in ["%", "_", "example_test", "e%t", "!", "käse", "' or 1=1"] {
            assert_eq!(like(nothing).await, [""; 0], "{nothing}");
        }
        assert_eq!(equal("EXAMPLE.test").await, [&shop[..]]);
        assert_eq!(equal("example.").await, [""; 0]);
        assert_eq!(equal("*.example.test").await, [&wildcard[..]]);
        // Enough for the index to begin.
        let order = panel.order("ssl123", "dns", &["many.test"]).await;
        for _ in 0..64 {
            panel.place(&order).await;
        }
        server.world().advance(60).await;
    }
    assert_eq!(
        search(&panel, json!([filter("commonName", "LIKE", "any.te")])).await["totalItems"],
        128
    );
}

async fn what_cannot_be_searched_for_is_told(server: &mut TestServer) {
    let panel = server.panel().await;
    let body = json!({ "filters": [
        filter("colour", "EQUAL", "x"),
        filter("commonName", "GREATER", "x"),
        filter("orderStatus", "EQUAL", "DONE"),
        filter("certStatus", "LIKE", "ACTIVE"),
        filter("dtcreateFrom", "EQUAL", "yesterday"),
    ] });
    let refusal = panel.http.post(SEARCH, &body).await.refusal();
    refusal.is(400, "SSL4000", "Field validation error.");
    // What is wrong with the form is told first.
    assert_eq!(
        refusal.about("filters[1].operator"),
        ["'filters[1].operator' is invalid. Acceptable values are 'EQUAL', 'LIKE'."]
    );
    let body = json!({ "filters": [
        filter("colour", "EQUAL", "x"),
        filter("orderStatus", "EQUAL", "DONE"),
        filter("certStatus", "LIKE", "ACTIVE"),
        filter("dtcreateFrom", "EQUAL", "yesterday"),
    ] });
    let refusal = panel.http.post(SEARCH, &body).await.refusal();
    refusal.is(400, "SSL4000", "Field validation error.");
    let fields: Vec<&str> = refusal.fields.iter().map(|(field, _)| &field[..]).collect();
    assert_eq!(
        fields,
        [
            "filters[0].field",
            "filters[1].value",
            "filters[2].operator",
            "filters[3].value"
        ]
    );
    let refusal = panel.http.get(&format!("{STATISTICS}?type=best")).await;
    assert!(refusal.refusal().about("type")[0].contains("'totalActive'"));
    let refusal = panel
        .http
        .get(&format!("{STATISTICS}/graph?from=May"))
        .await;
    assert_eq!(
        refusal.refusal().about("from"),
        ["'from' is invalid. Expected a month like '2026-11'."]
    );
}

async fn statistics(panel: &Panel) -> Value {
    panel.http.get(STATISTICS).await.data()
}

async fn statistics_follow_the_orders(server: &mut TestServer) {
    let panel = server.panel().await;
    let text = panel.http.get(STATISTICS).await.text();
    let zeros = concat!(
        r#""data":{"total":0,"totalActive":0,"totalExpired":0,"totalExpiring":0,"totalPending":0,"#,
        r#""totalCancelled":0,"totalRefunded":0,"totalRejected":0,"totalRevoked":0,"totalLapsed":0}}"#
    );
    assert!(text.ends_with(zeros), "{text}");
    let is = async |wanted: &[(&str, u64)]| {
        let told = statistics(&panel).await;
        let told = told.as_object().unwrap().iter();
        let mut told: Vec<(&str, u64)> = told
            .map(|(name, number)| (&name[..], number.as_u64().unwrap()))
            .filter(|(_, number)| *number > 0)
            .collect();
        told.sort_unstable();
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        assert_eq!(told, wanted);
    };
    let kept = panel.issue("ssl123", &["kept.test"]).await;
    let given_back = panel.issue("ssl123", &["back.test"]).await;
    let cancelled = place(&panel, "ssl123", "cancelled.test").await;
    let late = place(&panel, "ssl123", "late.test").await;
    is(&[("total", 4), ("totalActive", 2), ("totalPending", 2)]).await;
    panel.cancel(&cancelled).await.data();
    panel.cancel(&given_back).await.data();
    is(&[
        ("total", 4),
        ("totalActive", 1),
        ("totalPending", 1),
        ("totalCancelled", 1),
        ("totalRefunded", 1),
    ])
    .await;
    let typed = panel.http.get(&format!("{STATISTICS}?type=active")).await;
    assert_eq!(typed.data(), 1);
    let world = server.world();
    world.advance(86_400 * 340).await;
    let panel = panel.again().await;
    let (status, _) = panel.statuses(&late).await;
    assert_eq!(status, "EXPIRED");
    let told = statistics(&panel).await;
    assert_eq!(
        (&told["totalExpiring"], &told["totalExpired"]),
        (&json!(1), &json!(2))
    );
    world.advance(86_400 * 40).await;
    let panel = panel.again().await;
    assert_eq!(panel.statuses(&kept).await.0, "EXPIRED");
    let told = statistics(&panel).await;
    assert_eq!(
        (&told["totalExpiring"], &told["totalExpired"]),
        (&json!(0), &json!(2))
    );
    let expired = found(&panel, &[filter("orderStatus", "EQUAL", "EXPIRED")]).await;
    assert_eq!(expired, [&late[..], &kept]);
}

async fn months_are_counted_by_product(server: &mut TestServer) {
    let panel = server.panel().await;
    let world = server.world();
    let first = world.now().await[..7].to_owned();
    place(&panel, "ssl123", "a.test").await;
    place(&panel, "dv-multi", "b.test").await;
    place(&panel, "ssl123", "c.test").await;
    world.advance(86_400 * 31).await;
    let panel = panel.again().await;
    let now = world.now().await[..7].to_owned();
    place(&panel, "ssl123", "d.test").await;
    let graph = async |query: &str| {
        panel
            .http
            .get(&format!("{STATISTICS}/graph{query}"))
            .await
            .data()
    };
    let all = graph("").await;
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 12);
    assert_eq!(all[11]["month"], now);
    assert_eq!(
        all[11]["products"],
        json!([{ "productKey": "ssl123", "total": 1 }])
    );
    let of_first = all.iter().find(|month| month["month"] == first).unwrap();
    assert_eq!(
        of_first,
        &json!({ "month": first, "total": 3, "products": [
            { "productKey": "dv-multi", "total": 1 },
            { "productKey": "ssl123", "total": 2 },
        ] })
    );
    let range = graph(&format!("?from={first}&to={first}&productKey=dv-multi")).await;
    assert_eq!(
        range,
        json!([{ "month": first, "total": 1, "products": [{ "productKey": "dv-multi", "total": 1 }] }])
    );
    assert_eq!(
        graph("?year=2001").await[11],
        json!({ "month": "2001-12", "total": 0, "products": [] })
    );
}

async fn anothers_orders_are_neither_listed_nor_counted(server: &mut TestServer) {
    let panel = server.panel().await;
    place(&panel, "ssl123", "shop.test").await;
    let other = server.another_panel("1000.00").await;
    for filters in [
        vec![],
        vec![filter("commonName", "EQUAL", "shop.test")],
        vec![filter("commonName", "LIKE", "shop")],
        vec![filter("orderStatus", "EQUAL", "PENDING")],
        vec![filter("organizationId", "EQUAL", "1")],
    ] {
        assert_eq!(found(&other, &filters).await, [""; 0]);
    }
    assert_eq!(statistics(&other).await["total"], 0);
    let graph = other.http.get(&format!("{STATISTICS}/graph")).await.data();
    assert!(
        graph
            .as_array()
            .unwrap()
            .iter()
            .all(|month| month["total"] == 0)
    );
    let theirs = place(&other, "ssl123", "shop.test").await;
    assert_eq!(found(&other, &[]).await, [theirs]);
}

async fn orders_are_found_by_number_and_by_their_administrator(server: &mut TestServer) {
    let panel = server.panel().await;
    let shop = place(&panel, "ssl123", "shop.test").await;
    let person = json!({
        "company": "Kiosk & Söhne", "firstName": "Bob", "lastName": "Example", "address1": "1 Market Street",
        "city": "Kuala Lumpur", "state": "Selangor", "countryCode": "MY", "zip": "50000",
        "phoneNumber": "+60.123456789", "email": "Bob@kiosk.example",
    });
    let made = json!({ "administrator": person });
    let made = panel
        .http
        .post("/ssl/v2/contact/create", &made)
        .await
        .data();
    let mut order = panel.order("ssl123", "dns", &["kiosk.test"]).await;
    order["administratorContactId"] = made[0]["contactId"].clone();
    let kiosk = panel.place(&order).await.id;

    assert_eq!(
        found(&panel, &[filter("orderId", "EQUAL", &shop)]).await,
        [&*shop]
    );
    let both = format!("{shop}, {kiosk}");
    assert_eq!(
        found(&panel, &[filter("orderId", "EQUAL", &both)])
            .await
            .len(),
        2
    );
    assert!(
        found(&panel, &[filter("orderId", "EQUAL", "4711")])
            .await
            .is_empty()
    );
    let others = server.another_panel("10.00").await;
    assert!(
        found(&others, &[filter("orderId", "EQUAL", &shop)])
            .await
            .is_empty()
    );
    for (field, operator, value) in [
        ("email", "EQUAL", "bob@KIOSK.example"),
        ("email", "LIKE", "kiosk.ex"),
        ("company", "EQUAL", "kiosk & söhne"),
        ("company", "LIKE", "SÖHNE"),
    ] {
        let told = found(&panel, &[filter(field, operator, value)]).await;
        assert_eq!(told, [&*kiosk], "{field} {operator} {value}");
        assert!(
            found(&others, &[filter(field, operator, value)])
                .await
                .is_empty()
        );
    }
    assert!(
        found(&panel, &[filter("email", "EQUAL", "kiosk.example")])
            .await
            .is_empty()
    );
    let with_status = [
        filter("company", "LIKE", "kiosk"),
        filter("orderStatus", "EQUAL", "COMPLETED"),
    ];
    assert!(found(&panel, &with_status).await.is_empty());
}

async fn orders_are_found_by_any_of_their_names(server: &mut TestServer) {
    let panel = server.panel().await;
    let shop = panel
        .issue("ssl123", &["shop.test", "mail.shop.test"])
        .await;
    let single = panel.issue("dv-single", &["kiosk.test"]).await;
    let open = panel
        .place(
            &panel
                .order("ssl123", "dns", &["open.test", "mail.open.test"])
                .await,
        )
        .await
        .id;
    let by =
        async |operator: &str, value: &str| found(&panel, &[filter("name", operator, value)]).await;
    assert_eq!(by("EQUAL", "mail.shop.test").await, [&*shop]);
    assert_eq!(by("EQUAL", "SHOP.test").await, [&*shop]);
    assert_eq!(by("EQUAL", "www.kiosk.test").await, [&*single]);
    assert_eq!(by("EQUAL", "mail.open.test").await, [&*open]);
    assert_eq!(by("LIKE", "mail").await, [&*open, &*shop]);
    assert_eq!(by("LIKE", "www.").await, [&*single]);
    assert!(by("EQUAL", "mail.test").await.is_empty());
    // What a reissue has dropped is not among its names any more.
    let path = format!("/ssl/v2/orders/{shop}/reissue");
    let asked = json!({ "sanfield": ["new.shop.test"] });
    panel.http.post(&path, &asked).await.data();
    panel.world.run_due_jobs().await;
    assert!(by("EQUAL", "mail.shop.test").await.is_empty());
    assert_eq!(by("EQUAL", "new.shop.test").await, [&*shop]);
    assert_eq!(by("LIKE", "mail").await, [&*open]);
    let others = server.another_panel("10.00").await;
    let theirs = found(&others, &[filter("name", "LIKE", "shop")]).await;
    assert!(theirs.is_empty());
}

async fn names_are_found_by_parts_in_their_own_letters(server: &mut TestServer) {
    let panel = server.panel().await;
    let mueller = place(&panel, "ssl123", "www.müller-brot.test").await;
    place(&panel, "ssl123", "moeller.test").await;
    let cheese = place(&panel, "ssl123", "käse.test").await;
    for text in ["müller", "MÜLL", "w.müller-b", "xn--mller", "ller-brot"] {
        let told = found(&panel, &[filter("commonName", "LIKE", text)]).await;
        assert_eq!(told, [&*mueller], "{text}");
    }
    let both = [
        filter("commonName", "LIKE", "ä"),
        filter("orderStatus", "EQUAL", "PENDING"),
    ];
    assert_eq!(found(&panel, &both).await, [&*cheese]);
    assert_eq!(
        found(&panel, &[filter("name", "LIKE", "äse")]).await,
        [&*cheese]
    );
    assert!(
        found(&panel, &[filter("commonName", "LIKE", "ß")])
            .await
            .is_empty()
    );
}

async fn certificates_are_found_by_their_end_and_sorted(server: &mut TestServer) {
    let mut panel = server.panel().await;
    let mut issued = Vec::new();
    for name in ["b.test", "c.test", "a.test"] {
        issued.push(panel.issue("ssl123", &[name]).await);
        server.world().advance_clock(2 * 86_400).await;
        panel = panel.again().await;
    }
    let open = place(&panel, "ssl123", "open.test").await;
    let mut ends = Vec::new();
    for id in &issued {
        ends.push(
            panel.info(id).await["dtcertexpire"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let day = |at: usize| ends[at][..10].to_owned();
    let between = [
        filter("dtcertexpireFrom", "EQUAL", &day(1)),
        filter("dtcertexpireTo", "EQUAL", &day(1)),
    ];
    assert_eq!(found(&panel, &between).await, [&*issued[1]]);
    let until = found(&panel, &[filter("dtcertexpireTo", "EQUAL", &ends[1])]).await;
    assert_eq!(until, [&*issued[1], &*issued[0]]);
    let from = found(&panel, &[filter("dtcertexpireFrom", "EQUAL", &ends[1])]).await;
    assert_eq!(from, [&*issued[2], &*issued[1]]);
    let after = found(&panel, &[filter("dtcertexpireFrom", "EQUAL", "2099-01-01")]).await;
    assert!(after.is_empty());

    let [b, c, a] = [&*issued[0], &*issued[1], &*issued[2]];
    let open = &*open;
    for (field, order, expected) in [
        ("dtcreate", "ASC", [b, c, a, open]),
        ("dtcreate", "DESC", [open, a, c, b]),
        ("dtcertexpire", "ASC", [b, c, a, open]),
        ("dtcertexpire", "DESC", [a, c, b, open]),
        ("dtorderexpire", "ASC", [b, c, a, open]),
        ("commonName", "ASC", [a, b, c, open]),
        ("commonName", "DESC", [open, c, b, a]),
    ] {
        let mut told = Vec::new();
        // Page by page, as lists are shown.
        for page in 1..=3 {
            let body = json!({
                "sort": { "field": field, "order": order }, "pagination": { "page": page, "pageSize": 2 },
            });
            let page = panel.http.post(SEARCH, &body).await.data();
            assert_eq!(
                (&page["totalItems"], &page["totalPages"]),
                (&json!(4), &json!(2))
            );
            told.extend(ids(&page).into_iter().map(str::to_owned));
        }
        assert_eq!(told, expected, "{field} {order}");
    }
    let wrong = json!({ "sort": { "field": "city" } });
    let refusal = panel.http.post(SEARCH, &wrong).await.refusal();
    assert_eq!(refusal.about("sort.field").len(), 1, "{refusal:?}");
}

async fn blank_filters_filter_nothing(server: &mut TestServer) {
    let panel = server.panel().await;
    let shop = place(&panel, "ssl123", "shop.test").await;
    let blank = [
        "orderId",
        "email",
        "commonName",
        "dtcertexpireFrom",
        "orderStatus",
    ];
    let mut filters: Vec<Value> = blank.map(|field| filter(field, "EQUAL", " ")).to_vec();
    filters.push(json!({ "field": "company", "operator": "LIKE", "value": null }));
    filters.push(filter("name", "EQUAL", "shop.test"));
    assert_eq!(found(&panel, &filters).await, [&*shop]);
}
