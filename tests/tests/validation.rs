//! Names that are not proved: every way of failing leaves the order unvalidated, with an observation that says
//! why. And the ways of asking: approval links, their repetition, other approvers, other methods.

use chancery_testkit::{Panel, PlacedOrder, TestServer, World, on_both_engines};
use serde_json::{Value, json};

on_both_engines!(
    a_wrong_record_is_told_from_none,
    a_name_that_does_not_exist,
    name_servers_that_are_silent_or_fail,
    a_wrong_file,
    what_stands_in_the_way_is_named,
    redirects_that_lead_astray,
    redirects_that_are_followed,
    looking_at_an_approval_link_approves_nothing,
    an_approval_link_ends_with_its_order,
    a_repeated_mail_is_the_same_mail,
    another_approver,
    an_approver_nothing_is_said_of_stays,
    an_approver_for_a_name_that_is_proved_is_refused,
    only_constructed_addresses_approve,
    another_method_voids_what_was_asked,
    names_nobody_may_own,
    what_the_public_list_forbids_a_wildcard,
);

const PROBE: &str = "/.well-known/pki-validation/fileauth.txt";

async fn placed(server: &TestServer, method: &str) -> (Panel, World, PlacedOrder) {
    let panel = server.panel().await;
    let placed = panel
        .place(&panel.order("ssl123", method, &["shop.test"]).await)
        .await;
    (panel, server.world(), placed)
}

/// Has the platform look, and gives what it saw; the order must still wait.
async fn observed(panel: &Panel, id: &str) -> Value {
    panel.look(id).await;
    let (order, certificate) = panel.statuses(id).await;
    assert_eq!((&order[..], &certificate[..]), ("IN_PROCESS", "INITIAL"));
    let info = panel.auth_info(id).await;
    assert_eq!(info["commonName"]["status"], "PENDING");
    let seen = info["observations"].as_array().unwrap();
    assert_eq!(seen.len(), 1, "{info:#}");
    seen[0].clone()
}

fn says(seen: &Value, outcome: &str, found: &str, advice: &str) {
    assert_eq!(seen["outcome"], outcome, "{seen:#}");
    let text = |key: &str| seen[key].as_str().unwrap().to_owned();
    assert!(text("found").contains(found), "{seen:#}");
    assert!(text("advice").contains(advice), "{seen:#}");
    assert!(
        !text("of").is_empty() && !text("asked").is_empty(),
        "{seen:#}"
    );
}

async fn a_wrong_record_is_told_from_none(server: &mut TestServer) {
    let (panel, world, placed) = placed(server, "dns").await;
    let value = placed.challenges()[0]["value"].as_str().unwrap().to_owned();
    let advice = format!("a TXT record at _dnsauth.shop.test with the value {value}");

    // Something else is published there, but no text.
    world
        .put_dns("_dnsauth.shop.test", "A", &["127.0.0.1"])
        .await;
    let seen = observed(&panel, &placed.id).await;
    says(&seen, "not_found", "no TXT record", &advice);
    assert!(
        seen["asked"]
            .as_str()
            .unwrap()
            .contains("TXT _dnsauth.shop.test"),
        "{seen:#}"
    );

    world
        .put_dns("_dnsauth.shop.test", "TXT", &["yesterday's value"])
        .await;
    let seen = observed(&panel, &placed.id).await;
    says(&seen, "wrong_value", "yesterday's value", &advice);

    // The right value among others is the right value.
    world
        .put_dns("_dnsauth.shop.test", "TXT", &["yesterday's value", &value])
        .await;
    panel.finish(&placed.id).await;
}

async fn a_name_that_does_not_exist(server: &mut TestServer) {
    let (panel, _, placed) = placed(server, "dns").await;
    let seen = observed(&panel, &placed.id).await;
    says(
        &seen,
        "no_such_name",
        "NXDOMAIN",
        "Create a TXT record at _dnsauth.shop.test",
    );
    assert_eq!(seen["name"], "shop.test");
    assert_eq!(seen["authType"], "dns");
}

async fn name_servers_that_are_silent_or_fail(server: &mut TestServer) {
    let (panel, world, placed) = placed(server, "dns").await;
    world
        .put_dns_set("_dnsauth.shop.test", "TXT", &json!({ "drop": true }))
        .await;
    let seen = observed(&panel, &placed.id).await;
    says(&seen, "timeout", "no answer in time", "reachable");
    world
        .put_dns_set("_dnsauth.shop.test", "TXT", &json!({ "rcode": "SERVFAIL" }))
        .await;
    let seen = observed(&panel, &placed.id).await;
    says(
        &seen,
        "server_failure",
        "",
        "Make the name servers of the domain answer",
    );
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
}

async fn a_wrong_file(server: &mut TestServer) {
    let (panel, world, placed) = placed(server, "file").await;
    let seen = observed(&panel, &placed.id).await;
    says(
        &seen,
        "not_found",
        "404",
        &format!("http://shop.test{PROBE}"),
    );
    world.put_web("shop.test", PROBE, "something else").await;
    says(
        &observed(&panel, &placed.id).await,
        "wrong_value",
        "something else",
        "serve a file",
    );
    let value = placed.challenges()[0]["value"].as_str().unwrap().to_owned();
    world
        .put_web("shop.test", PROBE, &format!("see {value}"))
        .await;
    says(
        &observed(&panel, &placed.id).await,
        "wrong_value",
        "see",
        "nothing else",
    );
    // White space at the end is an editor's doing.
    world
        .put_web("shop.test", PROBE, &format!("{value}\r\n"))
        .await;
    panel.finish(&placed.id).await;
}

async fn what_stands_in_the_way_is_named(server: &mut TestServer) {
    let panel = server.panel().await;
    let world = server.world();
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["kiosk.test"]).await)
        .await;
    let value = placed.challenges()[0]["value"].as_str().unwrap().to_owned();
    world
        .put_dns("_dnsauth.kiosk.test", "CNAME", &["verify.panel.example"])
        .await;
    says(
        &observed(&panel, &placed.id).await,
        "not_found",
        "verify.panel.example",
        "A CNAME record stands at _dnsauth.kiosk.test and leads to verify.panel.example",
    );
    world.delete_dns("_dnsauth.kiosk.test", "CNAME").await;
    world.put_dns("kiosk.test", "TXT", &[&value]).await;
    says(
        &observed(&panel, &placed.id).await,
        "not_found",
        "the value stands at kiosk.test",
        "stands at the wrong place, kiosk.test",
    );
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;

    let (panel, world, placed) = self::placed(server, "file").await;
    let value = placed.challenges()[0]["value"].as_str().unwrap().to_owned();
    for (content, advice) in [
        (format!("\u{feff}{value}"), "byte order mark"),
        (format!("\"{value}\""), "quotation marks"),
        (format!("<html>{value}</html>"), "HTML page"),
    ] {
        world.put_web("shop.test", PROBE, &content).await;
        let seen = observed(&panel, &placed.id).await;
        says(&seen, "wrong_value", "", advice);
    }
    let location = "https://www.shop.test.well-known/pki-validation/fileauth.txt";
    world
        .put_web_answer("shop.test", PROBE, 301, Some(location))
        .await;
    let seen = observed(&panel, &placed.id).await;
    says(&seen, "forbidden", location, "no slash after the host name");
    world
        .put_web_answer("shop.test", PROBE, 301, Some("http://93.184.215.14/file"))
        .await;
    let seen = observed(&panel, &placed.id).await;
    says(&seen, "forbidden", "outside the test environment", PROBE);
    panel.publish(&placed.data).await;
    panel.finish(&placed.id).await;
}

async fn redirects_that_lead_astray(server: &mut TestServer) {
    let (panel, world, placed) = placed(server, "file").await;
    // The right file waits at the end of each: it is the way there that is forbidden.
    panel
        .publish(&json!({ "commonName": renamed(&placed.challenges()[0], "www.shop.test") }))
        .await;
    let target = format!("www.shop.test{PROBE}");
    for (status, location, found) in [
        (302, format!("http://www.shop.test:8080{PROBE}"), "8080"),
        (301, format!("http://www.shop.test:22{PROBE}"), "22"),
        (302, "ftp://www.shop.test/file".to_owned(), "ftp"),
        (302, format!("http://user:word@{target}"), ""),
        (303, format!("http://{target}"), "303"),
        (300, format!("http://{target}"), "300"),
    ] {
        world
            .put_web_answer("shop.test", PROBE, status, Some(&location))
            .await;
        let seen = observed(&panel, &placed.id).await;
        let outcome = seen["outcome"].as_str().unwrap();
        assert!(
            ["forbidden", "bad_status"].contains(&outcome),
            "{location} {seen:#}"
        );
        assert!(
            seen["found"].as_str().unwrap().contains(found),
            "{location} {seen:#}"
        );
    }
    // In a circle.
    world
        .put_web_answer("shop.test", PROBE, 302, Some(PROBE))
        .await;
    says(
        &observed(&panel, &placed.id).await,
        "forbidden",
        "redirect",
        "redirect",
    );
    world.put_web_answer("shop.test", PROBE, 500, None).await;
    says(
        &observed(&panel, &placed.id).await,
        "bad_status",
        "500",
        "With status 200",
    );
}

async fn redirects_that_are_followed(server: &mut TestServer) {
    let panel = server.panel().await;
    let world = server.world();
    for (number, status) in [301, 302, 307, 308].into_iter().enumerate() {
        let host = format!("shop{number}.test");
        let placed = panel
            .place(&panel.order("ssl123", "file", &[&host]).await)
            .await;
        let elsewhere = format!("www.{host}");
        panel
            .publish(&json!({ "commonName": renamed(&placed.challenges()[0], &elsewhere) }))
            .await;
        let location = format!("http://{elsewhere}{PROBE}");
        world
            .put_web_answer(&host, PROBE, status, Some(&location))
            .await;
        panel.finish(&placed.id).await;
    }
}

/// The same challenge, to be published for another host.
fn renamed(asked: &Value, host: &str) -> Value {
    let mut asked = asked.clone();
    asked["name"] = json!(host);
    asked
}

async fn looking_at_an_approval_link_approves_nothing(server: &mut TestServer) {
    let (panel, world, placed) = placed(server, "email").await;
    world.run_due_jobs().await;
    // The first of the constructed addresses is the default.
    let first = placed.challenges()[0]["value"].as_str().unwrap().to_owned();
    let link = world.approval_links(&first).await.remove(0);
    for method in ["GET", "HEAD", "GET"] {
        let page = server.http().send(method, &link, "").await;
        assert_eq!(page.status, 200, "{method}");
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{method}"
        );
    }
    panel.look(&placed.id).await;
    let info = panel.auth_info(&placed.id).await;
    assert_eq!(info["commonName"]["status"], "PENDING", "{info:#}");
    assert_eq!(info["observations"][0]["outcome"], "waiting", "{info:#}");
    assert_eq!(server.http().send("PUT", &link, "").await.status, 405);

    // Twice is as good as once.
    for _ in 0..2 {
        let page = server.http().send("POST", &link, "").await;
        assert_eq!(page.status, 200, "{}", page.text());
    }
    panel.finish(&placed.id).await;
    assert_eq!(server.http().send("POST", &link, "").await.status, 200);
    let info = panel.auth_info(&placed.id).await;
    assert_eq!(info["observations"][0]["outcome"], "proved", "{info:#}");

    for wrong in ["/approve/", "/approve/0000", &format!("{link}x")] {
        assert_eq!(server.http().get(wrong).await.status, 404, "{wrong}");
        assert_eq!(
            server.http().send("POST", wrong, "").await.status,
            404,
            "{wrong}"
        );
    }
}

async fn an_approval_link_ends_with_its_order(server: &mut TestServer) {
    let (panel, world, placed) = placed(server, "email").await;
    world.run_due_jobs().await;
    let link = world.approval_links("@shop.test").await.remove(0);
    panel.cancel(&placed.id).await.data();
    let page = server.http().send("POST", &link, "").await;
    assert!(
        [404, 409].contains(&page.status),
        "{} {}",
        page.status,
        page.text()
    );
    world.run_due_jobs().await;
    assert_eq!(panel.statuses(&placed.id).await.0, "CANCELLED");
}

async fn a_repeated_mail_is_the_same_mail(server: &mut TestServer) {
    let (panel, world, placed) = placed(server, "email").await;
    world.run_due_jobs().await;
    let send = format!("/ssl/v2/orders/{}/approver-email/send", placed.id);
    let sent = panel.http.send("POST", &send, "").await;
    assert_eq!(
        sent.json(),
        json!({ "code": "1000", "message": "Command completed successfully." })
    );
    world.run_due_jobs().await;
    world.advance(600).await;
    let mails = world.mails().await;
    assert_eq!(mails.len(), 2);
    let [first, second] = [
        world.mail(&mails[0]["id"]).await,
        world.mail(&mails[1]["id"]).await,
    ];
    assert_eq!(first["raw"], second["raw"]);
    assert_eq!(first["to"], second["to"]);

    let by_dns = panel
        .place(&panel.order("ssl123", "dns", &["other.test"]).await)
        .await;
    let send = format!("/ssl/v2/orders/{}/approver-email/send", by_dns.id);
    let refusal = panel.http.send("POST", &send, "").await.refusal();
    refusal.is(400, "SSL2400", "The order is not validated by email.");
}

async fn another_approver(server: &mut TestServer) {
    let (panel, world, placed) = placed(server, "email").await;
    world.run_due_jobs().await;
    let old = world.approval_links("@shop.test").await.remove(0);
    world.clear_mail().await;
    let path = format!("/ssl/v2/orders/{}/approver-email", placed.id);
    let body =
        json!({ "approverEmail": [{ "name": "shop.test", "email": "HOSTMASTER@shop.test" }] });
    let data = panel.http.put(&path, &body).await.data();
    assert_eq!(data["commonName"]["value"], "hostmaster@shop.test");
    world.run_due_jobs().await;
    let new = world.approval_links("hostmaster@shop.test").await;
    assert_eq!(new.len(), 1);
    assert_eq!(
        server.http().send("POST", &old, "").await.status,
        404,
        "the old link is void"
    );
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.1, "INITIAL");
    assert_eq!(server.http().send("POST", &new[0], "").await.status, 200);
    panel.finish(&placed.id).await;
}

async fn an_approver_nothing_is_said_of_stays(server: &mut TestServer) {
    let panel = server.panel().await;
    let names = ["shop.test", "www.shop.test", "kiosk.test"];
    let mut order = panel.order("ssl123", "email", &names).await;
    let [webmaster, postmaster] = ["webmaster@shop.test", "postmaster@kiosk.test"];
    order["approverEmail"] = json!([webmaster, webmaster, postmaster]);
    let placed = panel.place(&order).await;
    let path = format!("/ssl/v2/orders/{}/approver-email", placed.id);
    let told = async |approvers: Value| {
        let body = json!({ "approverEmail": approvers });
        let data = panel.http.put(&path, &body).await.data();
        let names = [&data["commonName"], &data["san"][0], &data["san"][1]];
        names.map(|name| name["value"].as_str().unwrap().to_owned())
    };
    let one = json!([{ "domain": "www.shop.test", "email": "admin@www.shop.test" }]);
    assert_eq!(
        told(one).await,
        [webmaster, "admin@www.shop.test", postmaster]
    );
    // A bare address is for every name that it may approve.
    let hostmaster = "hostmaster@shop.test";
    assert_eq!(
        told(json!(hostmaster)).await,
        [hostmaster, hostmaster, postmaster]
    );
}

async fn only_constructed_addresses_approve(server: &mut TestServer) {
    let panel = server.panel().await;
    let path = "/ssl/v2/domainValidations/approver-list?commonName=www.shop.test";
    let list = panel.http.get(path).await.data();
    let list: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a.as_str().unwrap())
        .collect();
    let users = [
        "admin",
        "administrator",
        "hostmaster",
        "postmaster",
        "webmaster",
    ];
    let expected = ["shop.test", "www.shop.test"];
    let expected = expected
        .iter()
        .flat_map(|host| users.map(|user| format!("{user}@{host}")));
    assert_eq!(list, expected.collect::<Vec<_>>());

    for wrong in ["ann@shop.test", "admin@other.test", "admin@test", "admin"] {
        let mut order = panel.order("ssl123", "email", &["www.shop.test"]).await;
        order["approverEmail"] = json!([wrong]);
        let refusal = panel
            .http
            .post("/ssl/v2/orders/new", &order)
            .await
            .refusal();
        assert_eq!(
            (refusal.status, &refusal.sub_code[..]),
            (400, "SSL4000"),
            "{refusal:?}"
        );
        let about = refusal.about("approverEmail");
        assert!(
            about.len() == 1 && about[0].contains("'admin@shop.test'"),
            "{wrong} {refusal:?}"
        );
    }
}

async fn another_method_voids_what_was_asked(server: &mut TestServer) {
    let (panel, world, placed) = placed(server, "dns").await;
    panel.look(&placed.id).await;
    let old = placed.challenges()[0].clone();
    let data = panel
        .change_method(&placed.id, &json!({ "authType": "file" }))
        .await
        .data();
    let new = data["commonName"].clone();
    assert_eq!(new["authType"], "file");
    assert_ne!(new["value"], old["value"]);

    // Neither the old record nor the old value in the new place proves anything now.
    panel.publish(&placed.data).await;
    world
        .put_web("shop.test", PROBE, old["value"].as_str().unwrap())
        .await;
    let seen = observed(&panel, &placed.id).await;
    assert_eq!(seen["outcome"], "wrong_value", "{seen:#}");

    // Back again, by POST as some clients do: another value still.
    let path = format!("/ssl/v2/orders/{}/auth", placed.id);
    let data = panel
        .http
        .post(&path, &json!({ "authType": "dns" }))
        .await
        .data();
    assert_ne!(data["commonName"]["value"], old["value"]);
    assert_eq!(observed(&panel, &placed.id).await["outcome"], "wrong_value");
    panel.publish(&data).await;
    panel.finish(&placed.id).await;
    let refusal = panel
        .change_method(&placed.id, &json!({ "authType": "file" }))
        .await
        .refusal();
    refusal.is(400, "SSL2400", "Action prohibited for 'COMPLETED' status.");
}

async fn names_nobody_may_own(server: &mut TestServer) {
    let panel = server.panel().await;
    let [administrator, technical] = panel.contacts().await;
    for name in [
        "co.uk",
        "localhost.localdomain",
        "1.0.0.127.in-addr.arpa",
        "shop.internal",
        "shop.onion",
        "router.home.arpa",
        "4.3.2.1.e164.arpa",
        "printer.local",
    ] {
        let order =
            chancery_testkit::order_for("ssl123", "dns", &[name], &administrator, &technical);
        let refusal = panel
            .http
            .post("/ssl/v2/orders/new", &order)
            .await
            .refusal();
        assert_eq!(refusal.status, 400, "{name} {refusal:?}");
        assert!(!refusal.fields.is_empty(), "{name} {refusal:?}");
    }
}

async fn what_the_public_list_forbids_a_wildcard(server: &mut TestServer) {
    let panel = server.panel().await;
    for (product, method, name) in [
        ("dv-wildcard", "dns", "*.co.uk"),
        ("dv-wildcard", "file", "*.shop.test"),
        ("dv-single", "dns", "*.shop.test"),
    ] {
        let order = panel.order(product, method, &[name]).await;
        let refusal = panel
            .http
            .post("/ssl/v2/orders/new", &order)
            .await
            .refusal();
        assert_eq!(refusal.status, 400, "{name} {refusal:?}");
    }
}

async fn an_approver_for_a_name_that_is_proved_is_refused(server: &mut TestServer) {
    let panel = server.panel().await;
    let names = ["shop.test", "kiosk.test"];
    let placed = panel
        .place(&panel.order("ssl123", "dns", &names).await)
        .await;
    let shop = placed.challenges()[0].clone();
    panel.publish(&json!({ "commonName": shop })).await;
    panel.look(&placed.id).await;
    let choose = async |approver: &str| {
        let body = json!({ "authType": "email", "approverEmail": approver });
        panel.change_method(&placed.id, &body).await
    };
    // Nobody would ever write there.
    let refusal = choose("webmaster@shop.test").await.refusal();
    assert_eq!(refusal.about("approverEmail").len(), 1, "{refusal:?}");
    // For all names, each at its place or by name: those that are proved may be among them.
    for approvers in [
        json!(["webmaster@shop.test", "webmaster@kiosk.test"]),
        json!(["", "webmaster@kiosk.test"]),
        json!([{ "domain": "shop.test", "email": "webmaster@shop.test" },
            { "domain": "kiosk.test", "email": "webmaster@kiosk.test" }]),
    ] {
        let body = json!({ "authType": "email", "approverEmail": approvers });
        let changed = panel.change_method(&placed.id, &body).await.data();
        assert_eq!(
            changed["san"][0]["value"], "webmaster@kiosk.test",
            "{changed}"
        );
    }
    choose("webmaster@kiosk.test").await.data();
    panel.world.run_due_jobs().await;
    let mails = panel.world.mails().await;
    assert!(!mails.is_empty());
    for mail in mails {
        assert_eq!(mail["to"], "webmaster@kiosk.test", "{mail}");
    }
}
