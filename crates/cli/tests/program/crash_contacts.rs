//! What a program that keeps contacts knows of them, whenever the server is killed.

use std::collections::BTreeMap;

use chancery_testkit::LogicBoxes;
use serde_json::Value;
use tokio::task::JoinSet;

/// What every contact is, beside its name.
const PERSON: [(&str, &str); 10] = [
    ("customer-id", "2001"),
    ("type", "Contact"),
    ("company", "Example Ltd"),
    ("email", "ann@shop.example"),
    ("address-line-1", "1 High Street"),
    ("city", "London"),
    ("country", "GB"),
    ("zipcode", "SW1A 1AA"),
    ("phone-cc", "44"),
    ("phone", "2079460000"),
];

/// A contact whose making was acknowledged.
pub struct Kept {
    name: String,
    /// Whether its deletion was acknowledged, too; nothing if no answer came.
    is_deleted: Option<bool>,
}

/// The contacts that were acknowledged, by number.
pub type Contacts = BTreeMap<i64, Kept>;

/// Programs that keep contacts at the same time.
const CLIENTS: usize = 4;

/// Adds contacts from several programs at once and deletes every second one, until no answer comes.
pub async fn add_until_killed(client: &LogicBoxes, round: usize) -> Contacts {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (client, who) = (client.clone(), format!("Round {round} Client {number}"));
        clients.spawn(async move { add(&client, who).await });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

async fn add(client: &LogicBoxes, who: String) -> Contacts {
    let mut kept = Contacts::new();
    for number in 0.. {
        let name = format!("{who} Number {number}");
        let parameters = [&PERSON[..], &[("name", &name)]].concat();
        let Some(Value::Number(id)) = answer(client, "contacts/add", &parameters).await else {
            break;
        };
        let is_deleted = match number % 2 {
            0 => Some(false),
            _ => {
                let contact = [("contact-id", &id.to_string()[..])];
                answer(client, "contacts/delete", &contact)
                    .await
                    .map(|_| true)
            }
        };
        let is_over = is_deleted.is_none();
        kept.insert(id.as_i64().unwrap(), Kept { name, is_deleted });
        if is_over {
            break;
        }
    }
    kept
}

/// What a method answers; `None` where no answer came. Any answer but success is a fault.
async fn answer(client: &LogicBoxes, method: &str, parameters: &[(&str, &str)]) -> Option<Value> {
    let path = format!("/api/{method}.json?{}", client.form(parameters));
    let reply = client.http.try_send("POST", &path, "").await.ok()?;
    assert_eq!(reply.status, 200, "{method}: {}", reply.text());
    Some(reply.json())
}

/// Every contact is what was acknowledged of it, and is found by its name while it is not deleted.
pub async fn check(client: &LogicBoxes, contacts: &Contacts) {
    for (id, Kept { name, is_deleted }) in contacts {
        let told = client
            .done("contacts/details", &[("contact-id", &id.to_string())])
            .await;
        assert_eq!(told["name"], name.as_str(), "{id}");
        let is_gone = told["currentstatus"] == "Deleted";
        assert_eq!(is_deleted.unwrap_or(is_gone), is_gone, "{id}");
        let named = [
            ("customer-id", "2001"),
            ("no-of-records", "10"),
            ("page-no", "1"),
            ("name", name),
        ];
        let found = client.done("contacts/search", &named).await;
        let first = found["result"][0]["entity.entityid"].as_str();
        let is_found = first == Some(&id.to_string());
        assert_eq!(is_found, !is_gone, "{found}");
    }
}
