//! Approval by mail: one message for each address and order, which names what its one click covers; who is written
//! to, and how often.

use chancery_testkit::{Panel, PlacedOrder, TestServer, World, on_both_engines};
use serde_json::{Value, json};

on_both_engines!(
    a_hundred_names_at_one_address_are_one_mail_and_one_click,
    mail_and_page_name_exactly_what_is_approved,
    an_old_link_covers_what_is_still_asked,
    a_mail_whose_names_changed_is_not_repeated_but_written_anew,
    a_reseller_that_writes_much_is_slowed_and_others_are_not,
    links_of_before_still_work,
    the_default_approver_is_at_the_registered_domain,
    an_approver_of_a_parent_domain_serves_the_names_below,
    an_approver_that_fits_no_name_is_refused_everywhere,
    blank_approvers_are_left_out,
    a_name_that_comes_along_is_told_to_who_approves,
);

async fn placed(panel: &Panel, names: &[&str], approvers: Value) -> PlacedOrder {
    let mut order = panel.order("ssl123", "email", names).await;
    order["approverEmail"] = approvers;
    panel.place(&order).await
}

/// Who is asked about each name, by name.
async fn approvers(panel: &Panel, id: &str) -> Vec<(String, String, String)> {
    let info = panel.auth_info(id).await;
    let mut names = vec![info["commonName"].clone()];
    names.extend(info["san"].as_array().unwrap().iter().cloned());
    let told = |name: &Value| {
        let text = |key: &str| name[key].as_str().unwrap().to_owned();
        (text("name"), text("value"), text("status"))
    };
    names.iter().map(told).collect()
}

async fn statuses(panel: &Panel, id: &str) -> Vec<String> {
    let asked = approvers(panel, id).await;
    asked.into_iter().map(|(_, _, status)| status).collect()
}

/// The texts of the messages to an address.
async fn texts(world: &World, address: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for mail in world.mails().await {
        if mail["to"].to_string().contains(address) {
            let mail = world.mail(&mail["id"]).await;
            texts.push(mail["text"].as_str().unwrap().replace("\r\n", "\n"));
        }
    }
    texts
}

async fn approve(server: &TestServer, link: &str) -> u16 {
    let status = server.http().send("POST", link, "").await.status;
    server.world().run_due_jobs().await;
    status
}

async fn a_hundred_names_at_one_address_are_one_mail_and_one_click(server: &mut TestServer) {
    let panel = server.another_panel("5000.00").await;
    let world = server.world();
    let names: Vec<String> = (0..100).map(|at| format!("n{at}.shop.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let placed = placed(&panel, &names, json!(["hostmaster@shop.test"])).await;
    world.run_due_jobs().await;
    assert_eq!(world.mails().await.len(), 1);
    let links = world.approval_links("hostmaster@shop.test").await;
    assert_eq!(links.len(), 1);
    let text = texts(&world, "hostmaster@shop.test").await.remove(0);
    assert!(
        names
            .iter()
            .all(|name| text.contains(&format!("  {name}\n")))
    );
    assert_eq!(approve(server, &links[0]).await, 200);
    assert_eq!(panel.statuses(&placed.id).await.0, "COMPLETED");
}

async fn mail_and_page_name_exactly_what_is_approved(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let names = ["shop.test", "*.shop.test", "a.b.shop.test", "kiosk.test"];
    let asked = json!([
        { "domain": "shop.test", "email": "admin@shop.test" },
        { "domain": "a.b.shop.test", "email": "webmaster@b.shop.test" },
    ]);
    let placed = placed(&panel, &names, asked).await;
    world.run_due_jobs().await;
    assert_eq!(world.mails().await.len(), 3);
    let text = texts(&world, "\"admin@shop.test\"").await.remove(0);
    let (covered, further) = text.split_once("further names").unwrap();
    for name in ["  shop.test\n", "  *.shop.test\n"] {
        assert!(covered.contains(name), "{text}");
    }
    for name in ["  a.b.shop.test\n", "  kiosk.test\n"] {
        assert!(!covered.contains(name) && further.contains(name), "{text}");
    }
    assert!(text.contains("control of shop.test"), "{text}");
    let link = world.approval_links("\"admin@shop.test\"").await.remove(0);
    let page = server.http().get(&link).await.text();
    for name in ["<li>shop.test</li>", "<li>*.shop.test</li>"] {
        assert!(
            page.split("Further names").next().unwrap().contains(name),
            "{page}"
        );
    }
    assert_eq!(approve(server, &link).await, 200);
    // Not a.b.shop.test, though it lies below: its own approver was not heard yet.
    let shown = ["VALIDATED", "VALIDATED", "PENDING", "PENDING"];
    assert_eq!(statuses(&panel, &placed.id).await, shown);
    for address in ["webmaster@b.shop.test", "admin@kiosk.test"] {
        let link = world.approval_links(address).await.remove(0);
        assert_eq!(approve(server, &link).await, 200);
    }
    assert_eq!(panel.statuses(&placed.id).await.0, "COMPLETED");
}

async fn change_approver(panel: &Panel, id: &str, approvers: Value) {
    let path = format!("/ssl/v2/orders/{id}/approver-email");
    let body = json!({ "approverEmail": approvers });
    panel.http.put(&path, &body).await.data();
    panel.world.run_due_jobs().await;
}

async fn an_old_link_covers_what_is_still_asked(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let names = ["shop.test", "www.shop.test", "kiosk.test"];
    let placed = placed(&panel, &names, json!(["admin@shop.test"])).await;
    world.run_due_jobs().await;
    let old = world.approval_links("admin@shop.test").await.remove(0);
    let other = json!([{ "domain": "www.shop.test", "email": "admin@www.shop.test" }]);
    change_approver(&panel, &placed.id, other).await;
    // Only who is asked something new is written to.
    assert_eq!(world.mails().await.len(), 3);
    let links = world.approval_links("admin@shop.test").await;
    assert_eq!(links, std::slice::from_ref(&old));
    let page = server.http().get(&old).await.text();
    let (covered, rest) = page.split_once("asked of you no more").unwrap();
    assert!(covered.contains("<li>shop.test</li>"), "{page}");
    assert!(!covered.contains("<li>www.shop.test</li>"), "{page}");
    assert!(rest.contains("<li>www.shop.test</li>"), "{page}");
    assert_eq!(approve(server, &old).await, 200);
    let shown = ["VALIDATED", "PENDING", "PENDING"];
    assert_eq!(statuses(&panel, &placed.id).await, shown);
    let new = world.approval_links("admin@www.shop.test").await.remove(0);
    assert_eq!(approve(server, &new).await, 200);
    let shown = ["VALIDATED", "VALIDATED", "PENDING"];
    assert_eq!(statuses(&panel, &placed.id).await, shown);
    // Another method: nothing is asked by mail any more.
    let link = world.approval_links("admin@kiosk.test").await.remove(0);
    panel
        .change_method(&placed.id, &json!({ "authType": "dns" }))
        .await
        .data();
    assert_ne!(approve(server, &link).await, 200);
    assert_eq!(statuses(&panel, &placed.id).await, shown);
}

async fn a_mail_whose_names_changed_is_not_repeated_but_written_anew(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let names = ["shop.test", "www.shop.test"];
    let placed = placed(&panel, &names, json!(["admin@shop.test"])).await;
    world.run_due_jobs().await;
    let old = world.approval_links("admin@shop.test").await.remove(0);
    let other = json!([{ "domain": "www.shop.test", "email": "webmaster@shop.test" }]);
    change_approver(&panel, &placed.id, other).await;
    let send = format!("/ssl/v2/orders/{}/approver-email/send", placed.id);
    assert_eq!(panel.http.send("POST", &send, "").await.status, 200);
    world.run_due_jobs().await;
    let links = world.approval_links("admin@shop.test").await;
    assert_eq!(links.len(), 2);
    assert_eq!(links[0], old);
    assert_ne!(links[1], old);
    assert_eq!(server.http().get(&old).await.status, 404);
    let text = texts(&world, "admin@shop.test").await.remove(1);
    let covered = text.split("further names").next().unwrap();
    assert!(!covered.contains("www.shop.test"), "{text}");
    // The other one is sent again as it was.
    let links = world.approval_links("webmaster@shop.test").await;
    assert_eq!(links[0], links[1]);
}

async fn a_reseller_that_writes_much_is_slowed_and_others_are_not(server: &mut TestServer) {
    let (panel, world) = (server.another_panel("5000.00").await, server.world());
    let admin = json!(["admin@shop.test"]);
    for _ in 0..20 {
        let placed = placed(&panel, &["shop.test"], admin.clone()).await;
        world.run_due_jobs().await;
        panel.cancel(&placed.id).await.data();
    }
    assert_eq!(world.mails().await.len(), 20);
    let slowed = placed(&panel, &["shop.test"], admin.clone()).await;
    world.run_due_jobs().await;
    assert_eq!(world.mails().await.len(), 20);
    let seen = panel.auth_info(&slowed.id).await["observations"][0].clone();
    assert_eq!(seen["outcome"], "waiting", "{seen:#}");
    let found = seen["found"].as_str().unwrap();
    assert!(found.contains("the message is sent on"), "{seen:#}");

    let another = server.another_panel("50.00").await;
    placed_and_mailed(&another, admin.clone(), 21).await;
    // Its turn comes by itself, an hour after the one before.
    world.advance(3_700).await;
    assert_eq!(world.mails().await.len(), 22);
    let panel = panel.again().await;
    let seen = panel.auth_info(&slowed.id).await["observations"][0].clone();
    assert!(
        seen["found"].as_str().unwrap().contains("handed to"),
        "{seen:#}"
    );

    // What waits has an end: then the reseller is refused, and nobody else.
    let mut order = panel.order("ssl123", "email", &["shop.test"]).await;
    order["approverEmail"] = admin.clone();
    let mut waiting = 0;
    let refusal = loop {
        let reply = panel.http.post("/ssl/v2/orders/new", &order).await;
        if reply.status != 200 {
            break reply.refusal();
        }
        waiting += 1;
        assert!(waiting < 30);
    };
    assert!(refusal.message.contains("approval mails"), "{refusal:?}");
    world.run_due_jobs().await;
    assert_eq!(world.mails().await.len(), 22);
    placed_and_mailed(&another.again().await, admin, 23).await;
}

async fn placed_and_mailed(panel: &Panel, approvers: Value, mails: usize) {
    placed(panel, &["shop.test"], approvers).await;
    panel.world.run_due_jobs().await;
    assert_eq!(panel.world.mails().await.len(), mails);
}

async fn links_of_before_still_work(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let names = ["shop.test", "www.shop.test"];
    let placed = placed(&panel, &names, json!(["admin@shop.test"])).await;
    world.run_due_jobs().await;
    let link = world.approval_links("admin@shop.test").await.remove(0);
    // As a release left them that asked for each name by itself.
    let as_before = "update approvals set names = null, send_from = null";
    server.execute(as_before).await;
    let page = server.http().get(&link).await.text();
    assert!(page.contains("<li>shop.test</li>"), "{page}");
    assert_eq!(approve(server, &link).await, 200);
    let shown = ["VALIDATED", "PENDING"];
    assert_eq!(statuses(&panel, &placed.id).await, shown);
}

async fn the_default_approver_is_at_the_registered_domain(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = panel.order("ssl123", "email", &["www.shop.test"]).await;
    let placed = panel.place(&order).await;
    assert_eq!(placed.data["commonName"]["value"], "admin@shop.test");
    let path = "/ssl/v2/domainValidations/approver-list?commonName=www.shop.test";
    let list = panel.http.get(path).await.data();
    assert_eq!(list[0], "admin@shop.test");
    assert_eq!(list[5], "admin@www.shop.test");
    // Also for who comes to mail later.
    let order = panel.order("ssl123", "dns", &["a.b.shop.test"]).await;
    let placed = panel.place(&order).await;
    let changed = panel
        .change_method(&placed.id, &json!({ "authType": "email" }))
        .await
        .data();
    assert_eq!(changed["commonName"]["value"], "admin@shop.test");
}

async fn an_approver_of_a_parent_domain_serves_the_names_below(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let of_parent = json!([{ "domain": "shop.test", "email": "hostmaster@shop.test" }]);
    let placed = placed(&panel, &["www.shop.test"], of_parent.clone()).await;
    assert_eq!(placed.data["commonName"]["value"], "hostmaster@shop.test");
    world.run_due_jobs().await;
    assert_eq!(world.approval_links("hostmaster@shop.test").await.len(), 1);
    let names = ["a.shop.test", "*.shop.test", "kiosk.test"];
    let order = panel.order("ssl123", "dns", &names).await;
    let placed = panel.place(&order).await;
    let body = json!({ "authType": "email", "approverEmail": of_parent });
    panel.change_method(&placed.id, &body).await.data();
    let asked: Vec<String> = approvers(&panel, &placed.id)
        .await
        .into_iter()
        .map(|(_, address, _)| address)
        .collect();
    let hostmaster = "hostmaster@shop.test";
    assert_eq!(asked, [hostmaster, hostmaster, "admin@kiosk.test"]);
}

async fn an_approver_that_fits_no_name_is_refused_everywhere(server: &mut TestServer) {
    server.renew_at_once().await;
    let panel = server.panel().await;
    let names = ["www.shop.test"];
    let by_dns = panel
        .place(&panel.order("ssl123", "dns", &names).await)
        .await;
    let by_mail = placed(&panel, &names, json!(null)).await;
    let issued = panel.issue("ssl123", &names).await;
    let csr = chancery_testkit::csr(&names);
    let before = panel.cents().await;
    for wrong in [
        json!([{ "domain": "other.test", "email": "admin@other.test" }]),
        json!([{ "domain": "shop.test", "email": "admin@shop.test" },
            { "domain": "other.test", "email": "admin@other.test" }]),
        json!([{ "name": "mail.www.shop.test", "email": "admin@shop.test" }]),
        json!(["admin@shop.test", "admin@other.test"]),
        json!(["admin@shop.test", "webmaster@shop.test"]),
        json!("ann@shop.test"),
        json!({ "www.shop.test": "admin@shop.test" }),
        json!([{ "domainName": "www.shop.test", "approver": "admin@shop.test" }]),
    ] {
        let mut order = panel.order("ssl123", "email", &names).await;
        order["approverEmail"] = wrong.clone();
        let asked = json!({ "authType": "email", "approverEmail": wrong });
        let [mut renewal, mut reissue, mut ahead] = [(); 3].map(|()| asked.clone());
        ahead["domain"] = json!(names[0]);
        renewal["term"] = json!(1);
        renewal["csr"] = json!(csr);
        reissue["csr"] = json!(csr);
        let path = |id: &str, what: &str| format!("/ssl/v2/orders/{id}/{what}");
        let http = &panel.http;
        let replies = [
            http.post("/ssl/v2/orders/new", &order).await,
            http.put(&path(&by_dns.id, "auth"), &asked).await,
            http.put(&path(&by_mail.id, "auth"), &asked).await,
            http.put(&path(&by_mail.id, "approver-email"), &asked).await,
            http.post(&path(&issued, "renew"), &renewal).await,
            http.post(&path(&issued, "reissue"), &reissue).await,
            http.post("/ssl/v2/domains/validate", &ahead).await,
        ];
        for reply in replies {
            let refusal = reply.refusal();
            assert_eq!(
                refusal.about("approverEmail").len(),
                1,
                "{wrong} {refusal:?}"
            );
        }
    }
    assert_eq!(panel.cents().await, before);
}

async fn a_name_that_comes_along_is_told_to_who_approves(server: &mut TestServer) {
    let panel = server.panel().await;
    let order = panel.order("dv-single", "email", &["shop.test"]).await;
    panel.place(&order).await;
    panel.world.run_due_jobs().await;
    let mails = server.world().mails().await;
    let mail = server.world().mail(&mails[0]["id"]).await;
    let sentence = "The certificate will cover www.shop.test, too";
    assert!(mail["text"].to_string().contains(sentence), "{mail}");
    let links = server.world().approval_links("@shop.test").await;
    let page = server.http().get(&links[0]).await.text();
    assert!(page.contains(sentence), "{page}");
}

async fn blank_approvers_are_left_out(server: &mut TestServer) {
    let panel = server.panel().await;
    let names = ["shop.test", "www.shop.test"];
    let admin = "admin@shop.test";
    for (blank, expected) in [
        (json!([]), [admin, admin]),
        (json!(""), [admin, admin]),
        (json!(["", ""]), [admin, admin]),
        (
            json!(["", "webmaster@shop.test"]),
            [admin, "webmaster@shop.test"],
        ),
        (
            json!([{ "domain": "shop.test", "email": "" }]),
            [admin, admin],
        ),
        (
            json!([{ "domain": "", "email": "" }, { "domain": "www.shop.test", "email": "admin@www.shop.test" }]),
            [admin, "admin@www.shop.test"],
        ),
    ] {
        let placed = placed(&panel, &names, blank.clone()).await;
        let asked = [&placed.data["commonName"], &placed.data["san"][0]];
        assert_eq!(asked.map(|name| &name["value"]), expected, "{blank}");
    }
}
