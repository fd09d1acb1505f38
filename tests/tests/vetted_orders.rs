//! OV and EV orders: they wait for names and organization, go on by themselves, name what was vetted, and end
//! with their price back where it was rejected.

use chancery_app::{NewEvidence, Operations};
use chancery_domain::checklists::{ChecklistItem, Source, VettingKind};
use chancery_domain::operators::OperatorName;
use chancery_domain::registrations::{EntityCategory, Registration};
use chancery_domain::reseller_settings::ProofScope;
use chancery_domain::vetting::{CaseId, CaseState};
use chancery_server::config::OteVetting;
use chancery_testkit::{Panel, PlacedOrder, TestServer, csr, on_both_engines, openssl};
use serde_json::{Value, json};

use crate::proofs::share_proofs;

on_both_engines!(
    an_order_waits_for_its_organization_and_goes_on_by_itself,
    ev_is_not_issued_where_one_person_did_all,
    a_test_environment_issues_by_itself,
    a_rejection_ends_the_order_and_gives_its_price_back,
    a_later_rejection_ends_what_was_approved,
    what_was_vetted_399_days_ago_does_not_count,
    a_reissue_waits_for_vetting_that_has_run_out,
    a_changed_name_is_vetted_before_it_is_certified,
    a_replacement_that_was_refused_is_tried_again_the_next_day,
    orders_need_an_organization_of_the_resellers_own,
    mail_approvals_wait_for_vetting_too,
);

const DAY: i64 = 86_400;

pub(crate) async fn by_hand(server: &mut TestServer) -> Panel {
    server
        .restart_with(|config| config.ote.vetting = OteVetting::ByHand)
        .await;
    server.panel().await
}

pub(crate) fn operator(name: &str) -> OperatorName {
    OperatorName::parse(name).unwrap()
}

/// The one open case.
pub(crate) async fn open_case(server: &TestServer) -> CaseId {
    let found = server.operations().vetting_cases(true, None).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].case.id
}

fn told(item: ChecklistItem, source: Source) -> NewEvidence {
    let registration = || {
        let category = EntityCategory::PrivateOrganization;
        Registration::check(category, "MY", None, None, "1550001-A").unwrap()
    };
    NewEvidence {
        item,
        source,
        reference: None,
        text: Some("as told".to_owned()),
        file: None,
        registration: (item == ChecklistItem::Registration).then(registration),
        obtained_at: None,
    }
}

/// Has one person record all but the cross-check.
async fn record_all(operations: &Operations, case: CaseId, by: &str) {
    let kind = operations.vetting_case(case).await.unwrap().case.kind;
    for row in kind.checklist() {
        if row.item != ChecklistItem::CrossCheck {
            let found = told(row.item, row.sources[0]);
            operations
                .record_evidence(case, &operator(by), found)
                .await
                .unwrap();
        }
    }
}

/// Has two people vet what is open, then what waits for it go on.
async fn vet(server: &TestServer) {
    let (operations, case) = (server.operations(), open_case(server).await);
    record_all(&operations, case, "anna").await;
    let kind = operations.vetting_case(case).await.unwrap().case.kind;
    let cross_check = (kind == VettingKind::Ev).then_some("no discrepancies");
    operations
        .approve_case(case, &operator("bert"), cross_check)
        .await
        .unwrap();
    server.world().run_due_jobs().await;
}

/// Places an order and shows control of its names.
pub(crate) async fn proved(
    panel: &Panel,
    organization: i64,
    product: &str,
    name: &str,
) -> PlacedOrder {
    let order = panel.order_of(organization, product, &[name]).await;
    let placed = panel.place(&order).await;
    panel.publish(&placed.data).await;
    panel.look(&placed.id).await;
    placed
}

pub(crate) async fn is_in(panel: &Panel, id: &str, order: &str, certificate: &str) {
    let expected = (order.to_owned(), certificate.to_owned());
    assert_eq!(panel.statuses(id).await, expected);
}

async fn subject(panel: &Panel, id: &str) -> String {
    let pem = panel.certificate(id).await;
    let arguments = [
        "x509",
        "-noout",
        "-subject",
        "-nameopt",
        "sep_comma_plus_space,utf8,sname",
    ];
    openssl(&arguments, pem.as_bytes()).unwrap()
}

async fn an_order_waits_for_its_organization_and_goes_on_by_itself(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let organization = panel.organization("Bücher & Söhne").await;
    let order = panel
        .order_of(organization, "ov-multi", &["shop.test"])
        .await;
    let placed = panel.place(&order).await;
    // Placing it opened the case.
    let case = open_case(server).await;
    panel.publish(&placed.data).await;
    panel.look(&placed.id).await;
    is_in(&panel, &placed.id, "IN_PROCESS", "INITIAL").await;
    let names = panel.auth_info(&placed.id).await;
    assert_eq!(names["commonName"]["status"], "VALIDATED", "{names}");
    // However long it takes, and however many orders wait.
    let other = proved(&panel, organization, "ov-multi", "other.test").await;
    server.world().advance(2 * DAY).await;
    let panel = panel.again().await;
    is_in(&panel, &placed.id, "IN_PROCESS", "INITIAL").await;
    assert_eq!(open_case(server).await, case);

    vet(server).await;
    for (id, name) in [(&placed.id, "shop.test"), (&other.id, "other.test")] {
        is_in(&panel, id, "COMPLETED", "ACTIVE").await;
        panel.verify(id, &[name]).await;
        let subject = subject(&panel, id).await;
        for part in ["O=Bücher & Söhne", "C=MY", "ST=Selangor", "L=Kuala Lumpur"] {
            assert!(subject.contains(part), "{subject}");
        }
        assert!(!subject.contains("serialNumber"), "{subject}");
    }
    // The next one finds it vetted, and its names proved, where proofs are shared.
    share_proofs(server, ProofScope::Reseller).await;
    let order = panel
        .order_of(organization, "ov-multi", &["shop.test"])
        .await;
    let third = panel.place(&order).await;
    server.world().run_due_jobs().await;
    is_in(&panel, &third.id, "COMPLETED", "ACTIVE").await;
    assert_eq!(panel.info(&third.id).await["organizationId"], organization);
}

async fn ev_is_not_issued_where_one_person_did_all(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let organization = panel.organization("Careful Ltd").await;
    // That it is vetted for OV is not enough.
    panel.submit_validation(organization, "OV").await.data();
    vet(server).await;
    let placed = proved(&panel, organization, "ev-multi", "shop.test").await;
    is_in(&panel, &placed.id, "IN_PROCESS", "INITIAL").await;

    let (operations, case) = (server.operations(), open_case(server).await);
    record_all(&operations, case, "anna").await;
    let anna = operator("anna");
    let own_check = told(ChecklistItem::CrossCheck, Source::Review);
    assert!(
        operations
            .record_evidence(case, &anna, own_check)
            .await
            .is_err()
    );
    for cross_check in [None, Some("I looked again")] {
        assert!(
            operations
                .approve_case(case, &anna, cross_check)
                .await
                .is_err()
        );
        server.world().run_due_jobs().await;
        is_in(&panel, &placed.id, "IN_PROCESS", "INITIAL").await;
    }
    let check = told(ChecklistItem::CrossCheck, Source::Review);
    operations
        .record_evidence(case, &operator("cleo"), check)
        .await
        .unwrap();
    // With somebody else's cross-check, too, the collector does not approve.
    assert!(operations.approve_case(case, &anna, None).await.is_err());
    server.world().advance(DAY).await;
    let panel = panel.again().await;
    is_in(&panel, &placed.id, "IN_PROCESS", "INITIAL").await;

    operations
        .approve_case(case, &operator("bert"), None)
        .await
        .unwrap();
    server.world().run_due_jobs().await;
    is_in(&panel, &placed.id, "COMPLETED", "ACTIVE").await;
    let subject = subject(&panel, &placed.id).await;
    for part in [
        "O=Careful Ltd",
        "serialNumber=1550001-A",
        "businessCategory=Private Organization",
        "jurisdictionC=MY",
    ] {
        assert!(subject.contains(part), "{subject}");
    }
}

async fn a_test_environment_issues_by_itself(server: &mut TestServer) {
    let panel = server.panel().await;
    let organization = panel.organization("Quick Ltd").await;
    for product in ["ov-multi", "ev-multi"] {
        let name = format!("{product}.test");
        let order = panel.order_of(organization, product, &[&name]).await;
        let placed = panel.place(&order).await;
        panel.publish(&placed.data).await;
        panel.look(&placed.id).await;
        server.world().run_due_jobs().await;
        is_in(&panel, &placed.id, "COMPLETED", "ACTIVE").await;
        panel.verify(&placed.id, &[&name]).await;
    }
}

async fn a_rejection_ends_the_order_and_gives_its_price_back(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let before = panel.cents().await;
    let organization = panel.organization("Dissolved Ltd").await;
    let placed = proved(&panel, organization, "ov-multi", "shop.test").await;
    assert_eq!(panel.cents().await, before - 7900);
    let case = open_case(server).await;
    let reason = "the company was dissolved in 2024";
    let operations = server.operations();
    operations
        .reject_case(case, &operator("anna"), reason)
        .await
        .unwrap();
    server.world().run_due_jobs().await;
    is_in(&panel, &placed.id, "REJECTED", "FAILED").await;
    assert_eq!(panel.cents().await, before);
    let info = panel.info(&placed.id).await;
    let remarks = format!("the organization was not vetted: {reason}");
    assert_eq!(info["remarks"], remarks);
    let status = panel.validation_status(organization).await;
    assert_eq!(status[0]["reason"], reason);

    // An order placed afterwards is a new question.
    let again = proved(&panel, organization, "ov-multi", "shop.test").await;
    assert_ne!(open_case(server).await, case);
    is_in(&panel, &again.id, "IN_PROCESS", "INITIAL").await;
    vet(server).await;
    is_in(&panel, &again.id, "COMPLETED", "ACTIVE").await;
}

async fn a_later_rejection_ends_what_was_approved(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let organization = panel.organization("Fading Ltd").await;
    panel.submit_validation(organization, "OV").await.data();
    vet(server).await;
    // The approval counts for two more weeks, and is looked into again.
    server.world().advance(384 * DAY).await;
    let panel = panel.again().await;
    let reject = async |case| {
        let (operations, by) = (server.operations(), operator("anna"));
        operations
            .reject_case(case, &by, "dissolved")
            .await
            .unwrap();
        let status = panel.validation_status(organization).await;
        assert_eq!(status[0]["status"], "REJECTED", "{status}");
        assert_eq!(status[0]["reason"], "dissolved");
    };
    panel.submit_validation(organization, "OV").await.data();
    reject(open_case(server).await).await;
    let placed = proved(&panel, organization, "ov-multi", "shop.test").await;
    server.world().run_due_jobs().await;
    is_in(&panel, &placed.id, "IN_PROCESS", "INITIAL").await;

    // What was approved since stands, until it is taken back.
    let newest = open_case(server).await;
    vet(server).await;
    is_in(&panel, &placed.id, "COMPLETED", "ACTIVE").await;
    reject(newest).await;
    let order = panel
        .order_of(organization, "ov-multi", &["shop.test"])
        .await;
    let next = panel.place(&order).await;
    panel.look(&next.id).await;
    is_in(&panel, &next.id, "IN_PROCESS", "INITIAL").await;
}

async fn what_was_vetted_399_days_ago_does_not_count(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let early = panel.organization("Early Ltd").await;
    panel.submit_validation(early, "EV").await.data();
    vet(server).await;
    server.world().advance(397 * DAY).await;
    let panel = panel.again().await;
    let still = proved(&panel, early, "ev-multi", "still.test").await;
    is_in(&panel, &still.id, "COMPLETED", "ACTIVE").await;
    // It ends soon, so that the next one is under way.
    let next = open_case(server).await;

    server.world().advance(2 * DAY).await;
    let panel = panel.again().await;
    let late = proved(&panel, early, "ev-multi", "late.test").await;
    is_in(&panel, &late.id, "IN_PROCESS", "INITIAL").await;
    assert_eq!(open_case(server).await, next);
    // Evidence from then does not help, nor does the name.
    let old = NewEvidence {
        obtained_at: Some(server.app().now() - chancery_domain::validity::days(399)),
        ..told(ChecklistItem::Telephone, Source::Agency)
    };
    let operations = server.operations();
    let refused = operations
        .record_evidence(next, &operator("anna"), old)
        .await;
    assert!(refused.unwrap_err().to_string().contains("too old"));
    vet(server).await;
    is_in(&panel, &late.id, "COMPLETED", "ACTIVE").await;
}

async fn a_reissue_waits_for_vetting_that_has_run_out(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let organization = panel.organization("Long Ltd").await;
    panel.submit_validation(organization, "OV").await.data();
    vet(server).await;
    server.world().advance(300 * DAY).await;
    let panel = panel.again().await;
    let placed = proved(&panel, organization, "ov-multi", "shop.test").await;
    is_in(&panel, &placed.id, "COMPLETED", "ACTIVE").await;
    server.world().advance(100 * DAY).await;
    let panel = panel.again().await;
    let path = format!("/ssl/v2/orders/{}/reissue", placed.id);
    let body = json!({ "csr": csr(&["shop.test"]) });
    let asked = panel.http.post(&path, &body).await.data();
    panel.publish(&asked).await;
    panel.look(&placed.id).await;
    is_in(&panel, &placed.id, "PENDING_REISSUE", "PENDING_REISSUE").await;
    vet(server).await;
    is_in(&panel, &placed.id, "COMPLETED", "ACTIVE").await;
    // A rejected reissue leaves the order its certificate.
    let file = server
        .operations()
        .vetting_cases(false, None)
        .await
        .unwrap();
    let newest = file[0].case.clone();
    assert!(matches!(newest.state, CaseState::Approved(_)));
}

async fn a_replacement_that_was_refused_is_tried_again_the_next_day(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let organization = panel.organization("Before Ltd").await;
    let mut order = panel
        .order_of(organization, "ov-multi", &["shop.test"])
        .await;
    order["reuseKey"] = json!(true);
    let placed = panel.place(&order).await;
    panel.publish(&placed.data).await;
    panel.look(&placed.id).await;
    vet(server).await;
    is_in(&panel, &placed.id, "COMPLETED", "ACTIVE").await;
    panel.rename_organization(organization, "After Ltd").await;

    // Its replacement needs proof of the name and the organization.
    server.world().advance(135 * DAY).await;
    let panel = panel.again().await;
    panel.publish(&panel.auth_info(&placed.id).await).await;
    panel.look(&placed.id).await;
    let case = open_case(server).await;
    let reason = "the register does not know it";
    let operations = server.operations();
    operations
        .reject_case(case, &operator("anna"), reason)
        .await
        .unwrap();
    server.world().run_due_jobs().await;
    is_in(&panel, &placed.id, "COMPLETED", "ACTIVE").await;
    let is_open = async || !(operations.vetting_cases(true, None).await.unwrap()).is_empty();
    for _ in 0..3 {
        server.world().advance(7 * 3_600).await;
        assert!(!is_open().await, "it was asked for again at once");
    }
    server.world().advance(7 * 3_600).await;
    server.world().advance(60).await;
    assert!(is_open().await);
    vet(server).await;
    let panel = panel.again().await;
    is_in(&panel, &placed.id, "COMPLETED", "ACTIVE").await;
    assert!(subject(&panel, &placed.id).await.contains("O=After Ltd"));
}

async fn a_changed_name_is_vetted_before_it_is_certified(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let organization = panel.organization("Before Ltd").await;
    let placed = proved(&panel, organization, "ov-multi", "shop.test").await;
    let first = open_case(server).await;
    panel.rename_organization(organization, "After Ltd").await;
    let second = open_case(server).await;
    assert_ne!(first, second);
    let operations = server.operations();
    let by = operator("anna");
    assert!(operations.approve_case(first, &by, None).await.is_err());
    vet(server).await;
    is_in(&panel, &placed.id, "COMPLETED", "ACTIVE").await;
    assert!(subject(&panel, &placed.id).await.contains("O=After Ltd"));
    // What is vetted as something else is not certified either.
    panel.rename_organization(organization, "Third Ltd").await;
    let next = proved(&panel, organization, "ov-multi", "next.test").await;
    is_in(&panel, &next.id, "IN_PROCESS", "INITIAL").await;
    vet(server).await;
    assert!(subject(&panel, &next.id).await.contains("O=Third Ltd"));
}

async fn orders_need_an_organization_of_the_resellers_own(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let before = panel.cents().await;
    let theirs = server
        .another_panel("0.00")
        .await
        .organization("Theirs Ltd")
        .await;
    let order = panel.order("ov-multi", "dns", &["shop.test"]).await;
    let place = async |organization: Value| {
        let mut order = order.clone();
        order["organizationId"] = organization;
        panel
            .http
            .post("/ssl/v2/orders/new", &order)
            .await
            .refusal()
    };
    for unknown in [json!(theirs), json!("99999"), json!("eight"), json!("-1")] {
        place(unknown)
            .await
            .is(400, "SSL2400", "Organization not found");
    }
    let missing = place(Value::Null).await;
    assert_eq!(
        missing.about("organizationId"),
        ["'organizationId' is required."]
    );
    let wrong = place(json!([])).await;
    assert_eq!(wrong.about("organizationId").len(), 1, "{wrong:?}");
    assert_eq!(panel.cents().await, before);
    let open = server.operations().vetting_cases(true, None).await.unwrap();
    assert!(open.is_empty());
    // Its number may come as a text.
    let ours = panel.organization("Ours Ltd").await;
    let mut order = order.clone();
    order["organizationId"] = json!(ours.to_string());
    panel.place(&order).await;
}

async fn mail_approvals_wait_for_vetting_too(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let organization = panel.organization("Letter Ltd").await;
    let mut order = panel.order("ov-multi", "email", &["shop.test"]).await;
    order["organizationId"] = json!(organization);
    let placed = panel.place(&order).await;
    server.world().run_due_jobs().await;
    let links = server.world().approval_links("admin@shop.test").await;
    let answer = server
        .http()
        .send("POST", &links[0], "decision=approve")
        .await;
    assert!(answer.status < 400, "{}", answer.text());
    server.world().run_due_jobs().await;
    is_in(&panel, &placed.id, "IN_PROCESS", "INITIAL").await;
    vet(server).await;
    is_in(&panel, &placed.id, "COMPLETED", "ACTIVE").await;
}
