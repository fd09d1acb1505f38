//! Vetting: opened when asked for, of the organization as it is, good for 398 days, and in a test environment
//! done by itself.

use chancery_app::NewEvidence;
use chancery_domain::checklists::{ChecklistItem, VettingKind};
use chancery_domain::operators::OperatorName;
use chancery_domain::vetting::{CaseId, CaseState};
use chancery_server::config::{OteVetting, TwoOperators};
use chancery_testkit::{Panel, TestServer, on_both_engines};
use futures_util::future::join_all;
use serde_json::{Value, json};

on_both_engines!(
    a_test_environment_vets_by_itself,
    creating_alone_starts_nothing_and_submitting_twice_starts_once,
    a_changed_fact_voids_what_was_vetted,
    a_validation_ends_after_398_days,
    two_people_are_asked_for_where_the_operator_wants_them,
    decisions_at_once_agree,
);

const DAY: i64 = 86_400;

fn operator(name: &str) -> OperatorName {
    OperatorName::parse(name).unwrap()
}

async fn by_hand(server: &mut TestServer) -> Panel {
    server
        .restart_with(|config| config.ote.vetting = OteVetting::ByHand)
        .await;
    server.panel().await
}

/// The ids of the open cases, the newest first.
async fn open_cases(server: &TestServer) -> Vec<CaseId> {
    let found = server.operations().vetting_cases(true, None).await.unwrap();
    found.iter().map(|found| found.case.id).collect()
}

/// Has one person record everything a case for OV asks for.
async fn record_all(server: &TestServer, case: CaseId, by: &str) {
    for row in VettingKind::Ov.checklist() {
        let found = NewEvidence {
            item: row.item,
            source: row.sources[0],
            reference: None,
            text: Some("as told".to_owned()),
            file: None,
            registration: None,
            obtained_at: None,
        };
        let operations = server.operations();
        operations
            .record_evidence(case, &operator(by), found)
            .await
            .unwrap();
    }
}

fn statuses(validations: &Value) -> Vec<(&str, &str)> {
    let all = validations.as_array().unwrap().iter();
    all.map(|one| {
        (
            one["type"].as_str().unwrap(),
            one["status"].as_str().unwrap(),
        )
    })
    .collect()
}

async fn a_test_environment_vets_by_itself(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.organization("Self Ltd").await;
    let path = format!("/ssl/v2/organization/{id}/validation");
    let both = json!({ "validations": [{ "type": "ev", "verified_users": [] }, { "type": "ov" }] });
    let submitted = panel.http.post(&path, &both).await;
    assert_eq!(
        submitted.text(),
        r#"{"code":"1000","message":"Command completed successfully."}"#
    );
    server.world().run_due_jobs().await;
    let status = panel.validation_status(id).await;
    assert_eq!(statuses(&status), [("OV", "PENDING"), ("EV", "PENDING")]);
    let cases = open_cases(server).await;
    server.world().advance(5).await;
    let status = panel.validation_status(id).await;
    assert_eq!(statuses(&status), [("OV", "APPROVED"), ("EV", "APPROVED")]);
    // By two names of the platform's, with evidence that says what it is worth.
    let file = server.operations().vetting_case(cases[0]).await.unwrap();
    assert_eq!(file.case.kind, VettingKind::Ev);
    let CaseState::Approved(approval) = &file.case.state else {
        panic!("{file:?}")
    };
    assert_eq!(approval.by.as_str(), "platform:approver");
    assert!(approval.registration.is_some());
    for evidence in &file.evidence {
        let is_check = evidence.item == ChecklistItem::CrossCheck;
        assert_eq!(evidence.collected_by == approval.by, is_check);
        assert_eq!(evidence.source.as_str(), "test-environment");
    }
    assert_eq!(file.evidence.len(), VettingKind::Ev.checklist().count());
}

async fn creating_alone_starts_nothing_and_submitting_twice_starts_once(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let id = panel.organization("Twice Ltd").await;
    assert_eq!(panel.validation_status(id).await, json!([]));
    assert!(open_cases(server).await.is_empty());
    let submitted = join_all((0..6).map(async |_| panel.submit_validation(id, "ov").await.status));
    assert_eq!(submitted.await, [200; 6]);
    assert_eq!(open_cases(server).await.len(), 1);
    server.world().advance(600).await;
    assert_eq!(
        statuses(&panel.validation_status(id).await),
        [("OV", "PENDING")]
    );

    let refusal = panel.submit_validation(id, "DV").await.refusal();
    refusal.is(400, "SSL4000", "Field validation error.");
    let text = "'type' is invalid. Acceptable values are 'OV', 'EV'.";
    assert_eq!(refusal.about("type"), [text]);
    let path = format!("/ssl/v2/organization/{id}/validation/submit");
    for nothing in ["", "[]", "{}"] {
        let refusal = panel.http.send("POST", &path, nothing).await.refusal();
        assert_eq!(refusal.about("type"), ["'type' is required."]);
    }
    let other = server.another_panel("0.00").await;
    let refusal = other.submit_validation(id, "OV").await.refusal();
    refusal.is(400, "SSL2400", "Organization not found");
}

async fn a_changed_fact_voids_what_was_vetted(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let id = panel.organization("Old Name Ltd").await;
    panel.submit_validation(id, "OV").await.data();
    panel.submit_validation(id, "EV").await.data();
    let first = open_cases(server).await[1];
    record_all(server, first, "anna").await;
    let operations = server.operations();
    operations
        .approve_case(first, &operator("anna"), None)
        .await
        .unwrap();
    // The person to ask is no legal fact.
    let told = json!({ "organization": {
        "company": "Old Name Ltd", "firstName": "Bea", "lastName": "Other",
        "address1": "1 Market Street", "address2": "", "city": "Kuala Lumpur",
        "state": "Selangor", "countryCode": "MY", "zip": "50000",
        "phoneNumber": "+60.111222333", "email": "bea@shop.example",
    } });
    let path = format!("/ssl/v2/organization/{id}/contact/update");
    panel.http.put(&path, &told).await.data();
    let status = panel.validation_status(id).await;
    assert_eq!(statuses(&status), [("OV", "APPROVED"), ("EV", "PENDING")]);

    panel.rename_organization(id, "New Name Ltd").await;
    // What was decided is void; what was being looked into is looked into anew.
    let status = panel.validation_status(id).await;
    assert_eq!(statuses(&status), [("EV", "PENDING")]);
    let open = open_cases(server).await;
    let file = operations.vetting_case(open[0]).await.unwrap();
    assert_eq!((open.len(), file.case.edition), (1, 2));
    let voided = operations.vetting_case(first).await.unwrap();
    assert!(matches!(voided.case.state, CaseState::Voided { .. }));
    // The old name back is another edition yet.
    panel.rename_organization(id, "Old Name Ltd").await;
    let status = panel.validation_status(id).await;
    assert_eq!(statuses(&status), [("EV", "PENDING")]);
}

async fn a_validation_ends_after_398_days(server: &mut TestServer) {
    let panel = server.panel().await;
    let id = panel.organization("Aging Ltd").await;
    panel.submit_validation(id, "OV").await.data();
    server.world().advance(10).await;
    let status = panel.validation_status(id).await;
    let until = status[0]["dtexpire"].clone();
    server.world().advance(397 * DAY).await;
    let panel = panel.again().await;
    let status = panel.validation_status(id).await;
    assert_eq!(statuses(&status), [("OV", "APPROVED")]);
    server.world().advance(2 * DAY).await;
    let panel = panel.again().await;
    let status = panel.validation_status(id).await;
    assert_eq!(statuses(&status), [("OV", "EXPIRED")]);
    assert_eq!(status[0]["dtexpire"], until);
    panel.submit_validation(id, "OV").await.data();
    let status = panel.validation_status(id).await;
    assert_eq!(statuses(&status), [("OV", "PENDING")]);
    server.world().advance(10).await;
    let status = panel.validation_status(id).await;
    assert_eq!(statuses(&status), [("OV", "APPROVED")]);
}

async fn two_people_are_asked_for_where_the_operator_wants_them(server: &mut TestServer) {
    server
        .restart_with(|config| config.vetting.two_operators = TwoOperators::Always)
        .await;
    let panel = by_hand(server).await;
    let id = panel.organization("Strict Ltd").await;
    panel.submit_validation(id, "OV").await.data();
    let case = open_cases(server).await[0];
    record_all(server, case, "anna").await;
    let operations = server.operations();
    let approve = async |by: &str| operations.approve_case(case, &operator(by), None).await;
    let refused = approve("anna").await.unwrap_err().to_string();
    assert!(
        refused.contains("somebody else has to approve it"),
        "{refused}"
    );
    approve("bert").await.unwrap();
}

async fn decisions_at_once_agree(server: &mut TestServer) {
    let panel = by_hand(server).await;
    let id = panel.organization("Busy Ltd").await;
    panel.submit_validation(id, "OV").await.data();
    let case = open_cases(server).await[0];
    record_all(server, case, "anna").await;
    let operations = server.operations();
    let decide = async |at: usize| {
        let by = operator("bert");
        match at % 2 {
            0 => operations.approve_case(case, &by, None).await.is_ok(),
            _ => operations.reject_case(case, &by, "no").await.is_ok(),
        }
    };
    let decided = join_all((0..6).map(decide)).await;
    // A rejection may follow an approval, and nothing follows a rejection.
    let rejections = decided.iter().skip(1).step_by(2).filter(|done| **done);
    let approvals = decided.iter().step_by(2).filter(|done| **done);
    assert!(
        approvals.count() <= 1 && rejections.count() == 1,
        "{decided:?}"
    );
    let status = panel.validation_status(id).await;
    assert_eq!(statuses(&status), [("OV", "REJECTED")]);
}
