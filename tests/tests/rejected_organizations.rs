//! An organization that is rejected ends the orders that wait for it, whatever became of their names; until the
//! decision they say what they wait for.

use chancery_testkit::{TestServer, on_both_engines};

use crate::vetted_orders::{by_hand, is_in, open_case, operator, proved};

on_both_engines!(
    an_order_that_waits_for_vetting_says_so,
    a_rejection_ends_orders_whose_names_are_not_proved,
    a_rejection_and_an_approval_of_names_at_the_same_moment,
);

async fn an_order_that_waits_for_vetting_says_so(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let organization = panel.organization("Patient Ltd").await;
    let order = panel
        .order_of(organization, "ov-multi", &["open.test"])
        .await;
    let open = panel.place(&order).await;
    let shown = proved(&panel, organization, "ov-multi", "shop.test").await;
    let waits = format!("the OV validation of organization {organization}");
    for id in [&open.id, &shown.id] {
        let info = panel.info(id).await;
        assert_eq!(info["remarks"], format!("waits for {waits}"), "{info:#}");
        let seen = panel.auth_info(id).await["observations"].clone();
        let seen = seen.as_array().unwrap().last().unwrap().clone();
        assert_eq!(seen["outcome"], "waiting", "{seen:#}");
        assert_eq!(seen["asked"], waits, "{seen:#}");
    }
    // Whose certificate names nobody waits for nobody.
    let order = panel.order("ssl123", "dns", &["dv.test"]).await;
    let placed = panel.place(&order).await;
    assert!(panel.info(&placed.id).await.get("remarks").is_none());
}

async fn a_rejection_ends_orders_whose_names_are_not_proved(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let before = panel.cents().await;
    let organization = panel.organization("Dissolved Ltd").await;
    let mut orders = Vec::new();
    for (method, name) in [("dns", "a.test"), ("file", "b.test"), ("email", "c.test")] {
        let mut order = panel.order_of(organization, "ov-multi", &[name]).await;
        order["authType"] = method.into();
        orders.push(panel.place(&order).await.id);
    }
    let shown = proved(&panel, organization, "ov-multi", "shop.test").await;
    orders.push(shown.id);
    server.world().run_due_jobs().await;
    let link = server.world().approval_links("@c.test").await.remove(0);
    let case = open_case(server).await;
    let reason = "no such company";
    server
        .operations()
        .reject_case(case, &operator("anna"), reason)
        .await
        .unwrap();
    server.world().run_due_jobs().await;
    for id in &orders {
        is_in(&panel, id, "REJECTED", "FAILED").await;
        let remarks = format!("the organization was not vetted: {reason}");
        assert_eq!(panel.info(id).await["remarks"], remarks);
    }
    assert_eq!(panel.cents().await, before);
    assert_ne!(server.http().send("POST", &link, "").await.status, 200);
    // An order placed afterwards is a new question, asked of people.
    let again = proved(&panel, organization, "ov-multi", "shop.test").await;
    is_in(&panel, &again.id, "IN_PROCESS", "INITIAL").await;
}

async fn a_rejection_and_an_approval_of_names_at_the_same_moment(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let before = panel.cents().await;
    for round in 0..4 {
        let organization = panel.organization(&format!("Hasty {round} Ltd")).await;
        let name = format!("hasty{round}.test");
        let mut order = panel.order_of(organization, "ov-multi", &[&name]).await;
        order["authType"] = "email".into();
        let id = panel.place(&order).await.id;
        server.world().run_due_jobs().await;
        let links = server.world().approval_links(&format!("@{name}")).await;
        let case = open_case(server).await;
        let (operations, http) = (server.operations(), server.http());
        let by = operator("anna");
        let (rejected, answered) = tokio::join!(
            operations.reject_case(case, &by, "no such company"),
            http.send("POST", &links[0], "")
        );
        rejected.unwrap();
        assert!(
            [200, 404, 409].contains(&answered.status),
            "{}",
            answered.text()
        );
        server.world().run_due_jobs().await;
        is_in(&panel, &id, "REJECTED", "FAILED").await;
        assert_eq!(panel.cents().await, before);
    }
}
