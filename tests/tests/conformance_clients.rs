//! Clients in use, each known by what it does, from their token to the last thing they do with an order.

use chancery_testkit::{TestServer, csr, on_both_engines};
use serde_json::{Value, json};

use crate::conformance::{form, person, placed, raw};

on_both_engines!(
    tokens_as_clients_ask_for_them,
    a_client_that_signs_in_again_when_refused,
    a_panel_that_posts_everything,
    a_client_that_checks_before_it_acts,
);

async fn tokens_as_clients_ask_for_them(server: &mut TestServer) {
    let panel = server.panel().await;
    let [username, password] = panel.credential();
    let body = json!({ "username": username, "password": password }).to_string();
    let length = format!("Content-Length: {}", body.len());
    let json = "Content-Type: application/json";
    let mut tokens = vec![panel.token.clone()];
    for more in [
        &[json, "Accept: application/json"][..],
        &[
            json,
            "Accept: */*",
            "Accept-Encoding: deflate, gzip, br, zstd",
            "User-Agent: sdk/1.0",
        ],
        &[
            "Content-Type: application/json; charset=utf-8",
            "X-Requested-With: XMLHttpRequest",
        ],
        &[
            json,
            "Cookie: session=1",
            "X-Trace: 00-1-2-3",
            "Cache-Control: no-cache",
            "Connection: close",
        ],
        // A token of yesterday is sent along.
        &[json, "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"],
    ] {
        let head = [
            "POST /reseller/v2/api-user/token HTTP/1.1",
            "Host: x",
            &length,
        ];
        let reply = raw(&panel, &[&head[..], more].concat(), &body).await;
        let told = reply.json();
        assert_eq!(
            (reply.status, &told["code"]),
            (200, &json!("1000")),
            "{more:?}"
        );
        assert_eq!(told["data"]["expires_in"], json!(3600));
        tokens.push(told["data"]["access_token"].as_str().unwrap().to_owned());
    }
    // All of them at once, the first among them.
    for token in &tokens {
        let reply = server
            .http()
            .with_token(token)
            .get("/reseller/v2/balance")
            .await;
        assert_eq!(reply.status, 200);
    }
}

async fn a_client_that_signs_in_again_when_refused(server: &mut TestServer) {
    let panel = server.panel().await;
    server.world().advance_clock(3_599).await;
    panel.cents().await;
    server.world().advance_clock(2).await;
    for (path, sub_code) in [
        ("/reseller/v2/balance", "RES4010"),
        ("/ssl/v2/products/list", "SSL4010"),
    ] {
        let refusal = panel.http.get(path).await.refusal();
        // One client goes by the status, another by the very text.
        let text = "Invalid or expired token. Reason: Provided token isn't active";
        refusal.is(401, sub_code, text);
    }
    panel.again().await.cents().await;
}

/// A panel that has one way to send: `POST` with a JSON array, empty where there is nothing to say. It takes any
/// answer whose `code` is the string `1000` for a success, and then reads `data` without looking.
async fn a_panel_that_posts_everything(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let http = panel.http.with_header("accept", "application/json");
    let post = async |path: &str, body: &Value| -> Value {
        let reply = http.post(path, body).await.json();
        assert_eq!(reply["code"], "1000", "{path} {reply}");
        reply["data"].clone()
    };
    let products = http.get("/ssl/v2/products/list").await.data();
    let product = products
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["productKey"] == "ssl123");
    assert!(product.unwrap()["allowSan"].as_bool().unwrap());

    let made = post(
        "/ssl/v2/contact/create",
        &json!({ "administrator": person(), "technical": person() }),
    )
    .await;
    let of_type = |kind: &str| {
        let made = made.as_array().unwrap().iter();
        made.clone()
            .find(|item| item["contactType"] == kind)
            .unwrap()["contactId"]
            .clone()
    };
    let order = json!({
        "productKey": "ssl123", "term": 1, "csr": csr(&["shop.test"]), "sanfield": ["www.shop.test"],
        "administratorContactId": of_type("administrator"), "technicalContactId": of_type("technical"),
        "shipmentContactId": of_type("administrator"), "authType": "email",
        "approverEmail": ["admin@shop.test", "admin@shop.test"],
    });
    let data = post("/ssl/v2/orders/new", &order).await;
    let id = data["orderId"].as_str().unwrap().to_owned();
    assert_eq!(data["commonName"]["name"], "shop.test");
    assert_eq!(data["san"][0]["name"], "www.shop.test");
    let path = "/ssl/v2/domainValidations/approver-list?commonName=shop.test";
    let approvers = http.get(path).await.data();
    assert!(approvers.as_array().unwrap().iter().all(Value::is_string));

    let auth = format!("/ssl/v2/orders/{id}/auth");
    post(
        &auth,
        &json!({ "authType": "email", "approverEmail": "hostmaster@shop.test" }),
    )
    .await;
    let data = post(&auth, &json!({ "authType": "dns" })).await;
    assert!(data["commonName"]["host"].is_string() && data["commonName"]["recordType"] == "TXT");
    let again = http
        .get(&format!("/ssl/v2/orders/{id}/auth/info"))
        .await
        .data();
    assert_eq!(again["commonName"], data["commonName"]);
    panel.publish(&data).await;
    panel.finish(&id).await;
    let info = http
        .get(&format!("/ssl/v2/orders/info?orderId={id}"))
        .await
        .data();
    for key in ["commonName", "admid", "tecid", "orderStatus", "certStatus"] {
        assert!(info[key].is_string(), "{key}");
    }
    let (kind, body) = form(
        "------------------------d74496d66958873e",
        &[("bundle", "", "true")],
    );
    let download = http.with_header("content-type", &kind);
    let path = format!("/ssl/v2/orders/{id}/download/format/PEM");
    let file = download.send("POST", &path, body).await;
    assert_eq!(file.status, 200);
    assert!(file.text().starts_with("-----BEGIN CERTIFICATE-----"));

    let data = post(
        &format!("/ssl/v2/orders/{id}/reissue"),
        &json!({ "csr": csr(&["shop.test"]) }),
    )
    .await;
    assert!(data["commonName"].is_object() && data["san"].is_array());
    panel.look(&id).await;
    let data = post(&format!("/ssl/v2/orders/{id}/renew"), &json!({ "term": 1 })).await;
    assert_ne!(data["renewOrder"]["orderId"], json!(id));
    let other = placed(&panel, "dns", "other.example").await.id;
    post(&format!("/ssl/v2/orders/{other}/cancel"), &json!([])).await;
    assert_eq!(panel.statuses(&other).await.0, "CANCELLED");
}

/// A client that writes a content type on whatever it sends, encodes what it puts into paths, and looks at status
/// and price before it acts.
async fn a_client_that_checks_before_it_acts(server: &mut TestServer) {
    let panel = server.panel().await;
    let http = panel.http.with_header("content-type", "application/json");
    let priced = http.get("/ssl/v2/products/list/price").await.data();
    let mut priced: Vec<&Value> = priced.as_array().unwrap().iter().collect();
    priced.retain(|item| item["certType"] == "DV");
    priced.sort_by(|one, other| {
        let price = |item: &Value| item["price"].as_f64().unwrap();
        price(one).total_cmp(&price(other))
    });
    let mut cheapest = None;
    for item in priced {
        let key = item["productKey"].as_str().unwrap();
        let path = format!("/ssl/v2/products/rules?productKey={key}");
        let rules = http.get(&path).await.data();
        if rules["rules"]["authTypes"].to_string().contains("email") {
            cheapest = Some(key);
            break;
        }
    }
    let [administrator, _] = panel.contacts().await;
    let order = json!({
        "productKey": cheapest, "term": 1, "csr": csr(&["shop.test"]),
        "administratorContactId": administrator, "authType": "email",
        "approverEmail": [{ "domain": "shop.test", "email": "webmaster@shop.test" }],
        "specialInstruction": "by night",
    });
    let placed = panel.place(&order).await;
    assert_eq!(placed.data["commonName"]["value"], "webmaster@shop.test");
    let status = http
        .get(&format!("/ssl/v2/orders/{}/dcv-status", placed.id))
        .await
        .data();
    assert_eq!(status["orderId"], json!(placed.id));
    let info = http
        .get(&format!(
            "/ssl/v2/orders/info?orderId={}&commonName=shop.test",
            placed.id
        ))
        .await;
    assert_eq!(info.data()["specialInstruction"], "by night");
    let found = async |filters: Value| {
        let body = json!({ "filters": filters, "pagination": { "page": 1, "pageSize": 100 } });
        let data = http.post("/ssl/v2/orders/search", &body).await.data();
        let items = data["items"].as_array().unwrap().iter();
        items
            .map(|item| item["orderId"].clone())
            .collect::<Vec<_>>()
    };
    let by_name = json!([{ "field": "commonName", "operator": "LIKE", "value": "HOP.tes" }]);
    let by_status =
        json!([{ "field": "orderStatus", "operator": "EQUAL", "value": "PENDING,IN_PROCESS" }]);
    let other = json!([{ "field": "commonName", "operator": "LIKE", "value": "kiosk" }]);
    for filters in [by_name, by_status, json!([])] {
        assert_eq!(found(filters).await, [json!(placed.id)]);
    }
    assert!(found(other).await.is_empty());
    let cancel = format!("POST /ssl/v2/orders/{}/cancel HTTP/1.1", placed.id);
    let lines = [
        &cancel[..],
        "Host: x",
        "Authorization: Bearer TOKEN",
        "Content-Length: 0",
        "Content-Type: application/json",
    ];
    let reply = raw(&panel, &lines, "").await;
    assert!(reply.status == 200 && reply.json()["code"] == "1000");
    assert_eq!(
        panel.statuses(&placed.id).await,
        ("CANCELLED".to_owned(), "CANCELLED".to_owned())
    );
}
