//! Answers as the contract writes them: which keys, in which order, with values of which kind. Amounts have a
//! decimal point, numbers of orders are strings, and times come in three forms.
//!
//! An outline is [`chancery_testkit::Wire::outline`]: `0` is an integer, `"0"` a string of digits, `0.0` a number
//! with a point, `text` any other string.

use chancery_testkit::{Panel, Reply, TestServer, csr, on_both_engines};
use serde_json::{Value, json};

use crate::conformance::person;

on_both_engines!(
    accounts_contacts_and_organizations,
    products_and_prices,
    csrs_both_ways,
    orders_and_their_names,
    orders_over_their_life,
    refusals,
);

/// Text with words in braces, each standing for an outline.
fn outline(text: &str) -> String {
    let words = [
        ("{DETAILS}", DETAILS),
        ("{PRODUCT}", PRODUCT),
        ("{BY_DNS}", BY_DNS),
        ("{SECONDS}", r#""0-0-0T0:0:0Z""#),
        ("{MICROSECONDS}", r#""0-0-0T0:0:0.0Z""#),
        ("{AT_EIGHT}", r#""0-0-0T0:0:0.0+0:0""#),
    ];
    words.iter().fold(text.to_owned(), |text, (word, meant)| {
        text.replace(word, meant)
    })
}

/// A person or an organization: thirteen keys, always.
const DETAILS: &str = concat!(
    "{company:text,firstName:text,lastName:text,address1:text,address2:null,city:text,state:text,",
    r#"countryCode:text,zip:"0",phoneNumber:text,faxNumber:null,email:text,jobTitle:"#
);

const PRODUCT: &str = concat!(
    "productKey:text,productName:text,provider:text,certType:text,validationType:text,wildcard:bool,",
    "allowSan:bool,allowWsan:bool,allowWSan:bool,bundle:"
);

const BY_DNS: &str = "{name:text,authType:text,value:text,recordType:text,host:text,status:text}";

/// A success, its envelope as recorded and its data of this outline.
fn has(reply: &Reply, expected: &str) {
    let text = reply.text();
    let start = r#"{"code":"1000","message":"Command completed successfully.","data":"#;
    assert!(text.starts_with(start), "{text}");
    let wire = reply.wire();
    assert_eq!(wire.keys(), ["code", "message", "data"]);
    assert_eq!(wire.get("data").outline(), outline(expected), "{text}");
}

async fn accounts_contacts_and_organizations(server: &mut TestServer) {
    let panel = server.panel().await;
    let http = &panel.http;
    let [username, password] = panel.credential();
    let credential = json!({ "username": username, "password": password });
    let reply = http.post("/reseller/v2/api-user/token", &credential).await;
    has(&reply, "{access_token:text,expires_in:0}");
    has(
        &http.get("/reseller/v2/balance").await,
        "{balance:[{amount:0.0,currency:text}]}",
    );

    let contact = |item: &str| {
        format!(
            "{{contactId:\"SSL0T\",resid:0,details:{{DETAILS}}{item}}},contactType:text,\
             dtcreate:{{AT_EIGHT}},dtmodify:{{AT_EIGHT}}}}"
        )
    };
    let both = json!({ "technical": person(), "administrator": person() });
    let made = http.post("/ssl/v2/contact/create", &both).await;
    has(&made, &format!("[{}]", contact("null")));
    // The administrator first, however they came.
    let made = made.data();
    let types = [0, 1].map(|at| made[at]["contactType"].clone());
    assert_eq!(types, ["administrator", "technical"]);
    let id = made[0]["contactId"].as_str().unwrap();
    let found = http
        .get(&format!("/ssl/v2/contact/info?contactId={id}"))
        .await;
    has(&found, &contact("null"));
    let deleted = http
        .delete(&format!("/ssl/v2/contact?contactId={id}"))
        .await;
    has(&deleted, "\"SSL0T\"");

    let mut organization = person();
    organization["jobTitle"] = json!("CEO");
    let shown = |technical: &str| {
        format!(
            "{{organizationId:0,resid:0,digicertOrganizationId:\"0\",details:{{DETAILS}}text}},\
             {technical}dtcreate:{{MICROSECONDS}},dtmodify:{{MICROSECONDS}}}}"
        )
    };
    let mut body = json!({ "organization": organization });
    let made = http.post("/ssl/v2/organization/create", &body).await;
    has(&made, &shown(""));
    let path = format!("/ssl/v2/organization/{}", made.data()["organizationId"]);
    body["technicalContactId"] = made_technical(&panel).await;
    let technical = "tecid:\"SSL0T\",";
    has(
        &http.put(&format!("{path}/contact/update"), &body).await,
        &shown(technical),
    );
    has(&http.get(&format!("{path}/info")).await, &shown(technical));
    let page = format!(
        "{{pageSize:0,totalPages:0,totalItems:0,items:[{}]}}",
        shown(technical)
    );
    has(
        &http.post("/ssl/v2/organization/search", &json!([])).await,
        &page,
    );
    let submitted = http
        .post(
            &format!("{path}/validation/submit"),
            &json!({ "type": "OV" }),
        )
        .await;
    assert_eq!(submitted.wire().keys(), ["code", "message"]);
    let status = http.get(&format!("{path}/validation/status")).await;
    has(&status, "[{type:text,status:text,dtexpire:null}]");
}

async fn made_technical(panel: &Panel) -> Value {
    let [_, technical] = panel.contacts().await;
    json!(technical)
}

async fn products_and_prices(server: &mut TestServer) {
    let panel = server.panel().await;
    let http = &panel.http;
    let bundles = |more: &str| {
        let of = |bundle: &str, companion: &str| {
            format!("{{{{PRODUCT}}{bundle}{more},maxSan:0,companion:{companion}}}")
        };
        let kinds = [of("{san:0,wSan:0}", "null"), of("{}", "text")];
        format!("[{}]", kinds.join("|"))
    };
    has(&http.get("/ssl/v2/products/list").await, &bundles(""));
    has(
        &http.get("/ssl/v2/products/list/price").await,
        &bundles(",price:0.0"),
    );
    let info = http.get("/ssl/v2/products/info?productKey=ssl123").await;
    has(
        &info,
        "{{PRODUCT}{san:0,wSan:0},price:0.0,maxSan:0,companion:null}",
    );
    let rules = http.get("/ssl/v2/products/rules?productKey=ssl123").await;
    has(
        &rules,
        "{productKey:text,rules:{terms:[0],minSan:0,maxSan:0,wildcard:bool,allowSan:bool,allowWsan:bool,\
         authTypes:[text],wildcardAuthTypes:[text],requiredFields:[text],renewalDays:0}}",
    );
    for query in ["", "&commonSAN=2&wildcardSAN=1"] {
        let path = format!("/ssl/v2/products/pricing?productKey=ssl123&term=1{query}");
        has(
            &http.get(&path).await,
            "{price:0.0,currency:text,term:0,termType:text,\
             priceBreakdown:{baseCertPrice:0.0,commonSANPrice:0.0,wildcardSANPrice:0.0}}",
        );
    }
}

async fn csrs_both_ways(server: &mut TestServer) {
    let panel = server.panel().await;
    let body = json!({
        "commonName": "shop.test", "organization": "Shop Ltd", "city": "Basel", "countryCode": "CH",
        "sanfield": ["www.shop.test"],
    });
    let made = panel.http.post("/ssl/v2/generate-csr", &body).await;
    has(&made, "{csr:text,privateKey:text}");
    let body = json!({ "csr": made.data()["csr"] });
    has(
        &panel.http.post("/ssl/v2/decode-csr", &body).await,
        "{commonName:text,organization:text,organizationUnit:null,city:text,state:null,countryCode:text,\
         email:null,keySize:0,signatureAlgorithm:text,sanfield:[text],ignored:[]}",
    );
}

async fn orders_and_their_names(server: &mut TestServer) {
    let panel = server.panel().await;
    let names = ["shop.test", "www.shop.test"];
    let by_mail = "{name:text,authType:text,value:text,status:text}";
    let by_file = "{name:text,authType:text,value:text,path:text,fileName:text,status:text}";
    for (method, asked) in [("dns", BY_DNS), ("file", by_file), ("email", by_mail)] {
        let order = panel.order("ssl123", method, &names).await;
        let placed = panel.http.post("/ssl/v2/orders/new", &order).await;
        let frame = format!("{{orderId:\"0\",commonName:{asked},san:[{asked}]");
        has(&placed, &format!("{frame}}}"));
        let id = placed.data()["orderId"].as_str().unwrap().to_owned();
        let path = format!("/ssl/v2/orders/{id}");
        let info = panel.http.get(&format!("{path}/auth/info")).await;
        has(&info, &format!("{frame},observations:[]}}"));
        let changed = json!({ "authType": method });
        let changed = panel.http.put(&format!("{path}/auth"), &changed).await;
        has(&changed, &format!("{frame},observations:[]}}"));
        panel.look(&id).await;
        let status = panel.http.get(&format!("{path}/dcv-status")).await;
        has(&status, "{orderId:\"0\",orderStatus:text,certStatus:text}");
        let seen = "{name:text,authType:text,at:{SECONDS},asked:text,of:text,found:text,outcome:text,advice:text}";
        let info = panel.http.get(&format!("{path}/auth/info")).await;
        has(&info, &format!("{frame},observations:[{seen}]}}"));
        if method == "email" {
            let body = json!({ "approverEmail": "webmaster@shop.test" });
            let changed = panel
                .http
                .put(&format!("{path}/approver-email"), &body)
                .await;
            let data = changed.wire().get("data").outline();
            assert!(data.starts_with(&frame), "{data}");
        }
    }
    let path = "/ssl/v2/domainValidations/approver-list?commonName=shop.test";
    has(&panel.http.get(path).await, "[text]");
}

/// What is documented of an order with its note; the dates of its certificate are of the kind given.
fn documented_order(dates: &str) -> String {
    outline(&format!(
        "{{id:0,orderId:\"0\",commonName:text,resid:0,sanfield:[text],term:\"0\",orderStatus:text,\
         certStatus:text,product:text,renewal:bool,reissue:bool,cancel:bool,dtcreate:{{SECONDS}},\
         dtmodify:{{SECONDS}},dtsettle:{dates},dtorderexpire:{dates},dtcertexpire:{dates},\
         admid:\"SSL0T\",tecid:\"SSL0T\",specialInstruction:text,"
    ))
}

async fn orders_over_their_life(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let info = async |id: &str| {
        let path = format!("/ssl/v2/orders/info?orderId={id}");
        panel.http.get(&path).await.wire().get("data").clone()
    };
    let mut order = panel
        .order("ssl123", "dns", &["shop.test", "www.shop.test"])
        .await;
    order["specialInstruction"] = json!("by night");
    let placed = panel.place(&order).await;
    let open = info(&placed.id).await.outline();
    assert!(open.starts_with(&documented_order("null")), "{open}");

    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
    let issued = info(&placed.id).await;
    let told = issued.outline();
    assert!(told.starts_with(&documented_order("{SECONDS}")), "{told}");
    let plan = issued.get("plan");
    assert_eq!(plan.keys(), ["certificates", "authorizations"]);
    let certificate =
        "[{status:text,dtissue:{SECONDS},dtstart:{SECONDS},dtexpire:{SECONDS},capDays:0,dtreplace:";
    let told = plan.get("certificates").outline();
    assert!(told.starts_with(&outline(certificate)), "{told}");
    let authorization =
        "[{name:text,authType:text,dtvalidate:{SECONDS},dtexpire:{SECONDS},dtrenew:";
    let told = plan.get("authorizations").outline();
    assert!(told.starts_with(&outline(authorization)), "{told}");

    let found = panel
        .http
        .post("/ssl/v2/orders/search", &json!({ "filters": [] }))
        .await;
    has(
        &found,
        "{pageSize:0,totalPages:0,totalItems:0,items:[{orderId:\"0\",commonName:text,term:\"0\",\
         orderStatus:text,certStatus:text,product:text,dtcreate:{SECONDS},dtorderexpire:{SECONDS},\
         dtcertexpire:{SECONDS},email:text,company:text}]}",
    );
    let counted = panel.http.get("/ssl/v2/orders/statistics").await;
    has(
        &counted,
        "{total:0,totalActive:0,totalExpired:0,totalExpiring:0,totalPending:0,totalCancelled:0,\
         totalRefunded:0,totalRejected:0,totalRevoked:0,totalLapsed:0}",
    );
    let by_month = panel.http.get("/ssl/v2/orders/statistics/graph").await;
    let told = by_month.wire().get("data").outline();
    let month = "{month:text,total:0,products:[{productKey:text,total:0}]}";
    assert!(told.contains(month), "{told}");

    let body = json!({ "csr": csr(&["shop.test"]) });
    let reissued = panel
        .http
        .post(&format!("/ssl/v2/orders/{}/reissue", placed.id), &body)
        .await;
    let frame = "{orderId:\"0\",commonName:{BY_DNS},san:[{BY_DNS}]}";
    has(&reissued, frame);
    panel.world.run_due_jobs().await;
    let renewed = panel
        .http
        .post(
            &format!("/ssl/v2/orders/{}/renew", placed.id),
            &json!({ "term": 1 }),
        )
        .await;
    has(&renewed, &format!("{{renewOrder:{frame}}}"));
    let old = info(&placed.id).await;
    let keys = old.keys();
    let ours = keys.iter().position(|key| *key == "specialInstruction");
    assert_eq!(
        keys[ours.unwrap()..][..3],
        ["specialInstruction", "renewedBy", "plan"]
    );
}

async fn refusals(server: &mut TestServer) {
    let panel = server.panel().await;
    let one = r#"{"code":"2400","message":"System message","error":{"subCode":"SSL2400","message":"Order not found."}}"#;
    assert_eq!(
        panel.http.get("/ssl/v2/orders/info?orderId=1").await.text(),
        one
    );
    let outline_of =
        async |path: &str, body: &Value| panel.http.post(path, body).await.wire().outline();
    let error = "{code:\"0\",message:text,error:{subCode:text,message:text}";
    let told = outline_of("/ssl/v2/orders/new", &json!({})).await;
    assert_eq!(
        told,
        format!("{error},validationErrors:[{{field:text,message:text}}]}}")
    );
    let mut wrong = person();
    wrong["firstName"] = json!("x".repeat(61));
    let told = outline_of("/ssl/v2/contact/create", &json!({ "administrator": wrong })).await;
    assert_eq!(
        told,
        format!("{error},fieldErrors:[{{field:text,messages:[text]}}]}}")
    );
}
