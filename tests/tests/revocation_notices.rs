//! Who is told of a revocation, and what stands in the order's history.

use chancery_domain::orders::OrderId;
use chancery_domain::reseller_settings::ResellerChanges;
use chancery_domain::resellers::NoticeRecipients;
use chancery_testkit::{TestServer, on_both_engines};
use serde_json::json;

use crate::revocations::revoke;

on_both_engines!(somebody_is_told_of_a_revocation_whatever_is_set);

async fn somebody_is_told_of_a_revocation_whatever_is_set(server: &mut TestServer) {
    let own = "certificates@panel.example";
    let people = "ann@shop.example";
    // The reseller reads notices at an address of its own only.
    let cases = [
        (NoticeRecipients::Reseller, true, &[own][..]),
        (NoticeRecipients::Administrator, true, &[people, own]),
        (NoticeRecipients::Administrator, false, &[people]),
        (NoticeRecipients::Both, true, &[people, own]),
        (NoticeRecipients::None, true, &[own]),
        (NoticeRecipients::None, false, &[people]),
    ];
    for (number, (notices_to, has_own, expected)) in cases.into_iter().enumerate() {
        let changes = ResellerChanges {
            notices_to: Some(notices_to),
            notice_email: Some(if has_own {
                own.to_owned()
            } else {
                String::new()
            }),
            ..ResellerChanges::default()
        };
        server.set_reseller(changes).await;
        let panel = server.panel().await;
        let name = format!("shop{number}.test");
        let id = panel.issue("ssl123", &[&name]).await;
        panel.world.clear_mail().await;
        let asked = json!({ "reason": "superseded" });
        let revoked = revoke(&panel, &id, &asked).await.data();
        panel.world.run_due_jobs().await;

        let mut read = Vec::new();
        for mail in panel.world.mails().await {
            let subject = format!("The certificate for {name} was revoked");
            assert_eq!(mail["subject"], json!(subject));
            read.push(mail["to"].as_str().unwrap().to_owned());
        }
        read.sort();
        assert_eq!(read, expected, "{notices_to:?}, {has_own}");

        let order = OrderId(id.parse().unwrap());
        let history = server.operations().order_history(order).await.unwrap();
        let of = |kind: &str| {
            let events = history.iter().filter(|event| event.kind.as_str() == kind);
            let details = events.map(|event| event.detail.clone().unwrap_or_default());
            details.collect::<Vec<_>>()
        };
        let told = of("certificate_revoked");
        let one = &revoked["certificates"][0];
        assert_eq!(told.len(), 1, "{history:?}");
        for part in [
            one["serial"].as_str().unwrap(),
            "superseded, asked for by reseller at ",
            ", due by ",
            // To the second, as the answer has it.
            one["dtdeadline"].as_str().unwrap().trim_end_matches('Z'),
        ] {
            assert!(told[0].contains(part), "{part}: {told:?}");
        }
        let persons = of("person_told");
        assert_eq!(persons.len(), expected.len().max(1), "{persons:?}");
    }
}
