//! Customers' passwords and tokens over the LogicBoxes dialect.

use chancery_domain::reseller_settings::ResellerChanges;
use chancery_testkit::{LogicBoxes, TestServer, on_both_engines};
use serde_json::{Value, json};

use crate::logicboxes_customers::{ANN, sign_up};

on_both_engines!(
    a_password_is_traded_for_a_token,
    who_guesses_waits,
    who_guesses_from_everywhere_waits,
    a_token_ends_after_two_minutes,
    a_temporary_password_serves_for_three_days,
    a_token_tells_whom_the_customer_turns_to,
    a_password_is_mailed,
    a_changed_password_ends_all_others,
    no_secret_is_kept_in_clear,
);

const NAME: &str = "ann@shop.example";
const PASSWORD: &str = "a pass word";
const WRONG: &str = "Invalid username or password";

fn signing_in<'a>(name: &'a str, password: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("username", name),
        ("passwd", password),
        ("ip", "192.0.2.1"),
    ]
}

async fn token(client: &LogicBoxes, password: &str) -> Result<String, String> {
    let reply = client
        .call("customers/generate-token", &signing_in(NAME, password))
        .await;
    match reply.status {
        200 => Ok(reply.json().as_str().unwrap().to_owned()),
        _ => Err(reply.logicboxes_error()),
    }
}

async fn by_token(client: &LogicBoxes, token: &str) -> Result<Value, String> {
    let reply = client
        .call("customers/authenticate-token", &[("token", token)])
        .await;
    match reply.status {
        200 => Ok(reply.json()),
        _ => Err(reply.logicboxes_error()),
    }
}

async fn by_id(client: &LogicBoxes, id: &str) -> Value {
    let parameters = [("customer-id", id)];
    client.done("customers/details-by-id", &parameters).await
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let is_hex = |letter: char| letter == '-' || letter.is_ascii_hexdigit();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(is_hex) && &text[14..15] == "4"
}

/// All that is kept of customers, their tokens, their history and their mail, as text.
async fn kept(server: &TestServer) -> String {
    let store = chancery_server::open_store(&server.config).await.unwrap();
    let mut all = String::new();
    for sql in [
        "select username, profile, password, temporary_password from customers",
        "select address from customer_tokens",
        "select kind, detail from customer_events",
        "select message_id from password_mails",
        "select kind, coalesce(dedup, ''), coalesce(last_error, '') from jobs",
    ] {
        for row in store.query(sql, Vec::new()).await.unwrap() {
            all.push_str(&format!("{row:?}"));
        }
    }
    for sql in [
        "select sealed_password from password_mails",
        "select token_hash from customer_tokens",
    ] {
        for row in store.query(sql, Vec::new()).await.unwrap() {
            all.push_str(&String::from_utf8_lossy(row.bytes(0).unwrap()));
        }
    }
    store.close().await;
    all
}

async fn a_password_is_traded_for_a_token(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let id = sign_up(&client, &[]).await;
    let first = token(&client, PASSWORD).await.unwrap();
    let second = token(&client, PASSWORD).await.unwrap();
    assert!(is_uuid(&first) && first != second, "{first} {second}");
    let told = by_token(&client, &first).await.unwrap();
    assert_eq!(told["customerid"], id[..]);
    assert_eq!(
        by_token(&client, &first.to_uppercase()).await.unwrap(),
        told
    );
    let login = [("customer-id", &id[..]), ("ip", "2001:db8::1")];
    let login = client.done("customers/generate-login-token", &login).await;
    assert!(is_uuid(login.as_str().unwrap()));
    assert_eq!(
        by_token(&client, login.as_str().unwrap()).await.unwrap(),
        told
    );
    // Another reseller's program knows nothing of it.
    let other = server.another_logicboxes().await;
    assert_eq!(by_token(&other, &first).await.unwrap_err(), "Invalid token");
    assert_eq!(token(&other, PASSWORD).await.unwrap_err(), WRONG);
    let nowhere = [("customer-id", &id[..]), ("ip", "nowhere")];
    let refused = client
        .refused("customers/generate-login-token", &nowhere)
        .await;
    assert_eq!(refused, "{ip=IP Address is invalid}");
    for missing in ["username", "passwd", "ip"] {
        let asked = signing_in(NAME, PASSWORD);
        let asked: Vec<_> = asked
            .into_iter()
            .filter(|(name, _)| *name != missing)
            .collect();
        let refused = client.refused("customers/generate-token", &asked).await;
        assert_eq!(refused, format!("Required parameter missing: {missing}"));
    }
}

async fn who_guesses_waits(server: &mut TestServer) {
    server
        .restart_with(|config| config.rates.limited = Some(true))
        .await;
    let client = server.logicboxes().await;
    sign_up(&client, &[]).await;
    let guess = async |name: &str, password: &str, ip: &str| {
        let at = [("username", name), ("passwd", password), ("ip", ip)];
        client.call("customers/generate-token", &at).await
    };
    let too_long = "x".repeat(200);
    for (name, password) in [
        (NAME, "wrong word"),
        ("nobody@shop.example", PASSWORD),
        ("nobody", PASSWORD),
        (NAME, &too_long),
    ] {
        let reply = guess(name, password, "192.0.2.7").await;
        assert_eq!(reply.logicboxes_error(), WRONG);
    }
    let mut held = None;
    for _ in 0..40 {
        let reply = guess(NAME, "wrong word", "192.0.2.1").await;
        if reply.logicboxes_error() != WRONG {
            held = Some(reply);
            break;
        }
    }
    let held = held.unwrap();
    let message = held.logicboxes_error();
    assert!(
        message.starts_with("Too many wrong credentials. Try again in "),
        "{message}"
    );
    assert_ne!(held.header("retry-after"), "");
    let reply = guess(NAME, PASSWORD, "192.0.2.1").await;
    assert!(reply.logicboxes_error().starts_with("Too many"));
    // Who is somewhere else is not held with them.
    assert_eq!(guess(NAME, PASSWORD, "192.0.2.2").await.status, 200);
    server.world().advance(60).await;
    assert_eq!(guess(NAME, PASSWORD, "192.0.2.1").await.status, 200);
}

async fn who_guesses_from_everywhere_waits(server: &mut TestServer) {
    server
        .restart_with(|config| {
            config.rates.limited = Some(true);
            config.rates.failed_sign_ins_per_minute = 2;
        })
        .await;
    let client = server.logicboxes().await;
    sign_up(&client, &[]).await;
    let guess = async |name: &str, password: &str, ip: &str| {
        let at = [("username", name), ("passwd", password), ("ip", ip)];
        client.call("customers/generate-token", &at).await
    };
    let mut wrong = 0;
    for number in 0..200 {
        let ip = format!("192.0.2.{number}");
        if guess(NAME, "wrong word", &ip).await.logicboxes_error() != WRONG {
            break;
        }
        wrong += 1;
    }
    assert!((20..200).contains(&wrong), "{wrong}");
    let refused = guess("bob@shop.example", PASSWORD, "192.0.2.1").await;
    assert_eq!(refused.logicboxes_error(), WRONG, "others are not held");
    server.world().advance(60).await;
    assert_eq!(guess(NAME, PASSWORD, "192.0.2.1").await.status, 200);
}

async fn a_token_ends_after_two_minutes(server: &mut TestServer) {
    let client = server.logicboxes().await;
    sign_up(&client, &[]).await;
    let world = server.world();
    let early = token(&client, PASSWORD).await.unwrap();
    world.advance_clock(100).await;
    assert!(by_token(&client, &early).await.is_ok());
    world.advance_clock(20).await;
    assert_eq!(
        by_token(&client, &early).await.unwrap_err(),
        "Invalid token"
    );
    let unknown = "00000000-0000-4000-8000-000000000000";
    assert_eq!(
        by_token(&client, unknown).await.unwrap_err(),
        "Invalid token"
    );
    // What has ended is forgotten.
    world.advance(2 * 86_400).await;
    let rows = kept(server).await;
    assert!(!rows.contains("192.0.2.1"));
}

async fn a_temporary_password_serves_for_three_days(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let id = sign_up(&client, &[]).await;
    assert_eq!(by_id(&client, &id).await["ispasswdexpired"], "false");
    let lend = async || {
        let parameters = [("customer-id", &id[..])];
        let reply = client.call("customers/temp-password", &parameters).await;
        let lent = reply.json().as_str().unwrap().to_owned();
        assert_eq!(reply.text(), format!("\"{lent}\""));
        lent
    };
    let first = lend().await;
    assert_eq!(first.len(), 16);
    assert_eq!(by_id(&client, &id).await["ispasswdexpired"], "true");
    assert!(token(&client, &first).await.is_ok());
    assert!(token(&client, PASSWORD).await.is_ok());
    let second = lend().await;
    assert_eq!(token(&client, &first).await.unwrap_err(), WRONG);
    assert!(token(&client, &second).await.is_ok());
    server.world().advance(3 * 86_400 - 60).await;
    assert!(token(&client, &second).await.is_ok());
    server.world().advance(60).await;
    assert_eq!(token(&client, &second).await.unwrap_err(), WRONG);
    assert!(token(&client, PASSWORD).await.is_ok());
    assert_eq!(by_id(&client, &id).await["ispasswdexpired"], "false");
}

async fn a_token_tells_whom_the_customer_turns_to(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let id = sign_up(&client, &[]).await;
    let changes = ResellerChanges {
        name: Some("Panel Ltd".to_owned()),
        notice_email: Some("sales@panel.example".to_owned()),
        ..ResellerChanges::default()
    };
    server.set_reseller(changes).await;
    let token = token(&client, PASSWORD).await.unwrap();
    let told = by_token(&client, &token).await.unwrap();
    assert_eq!(
        told["salesrepresentative"],
        "Panel Ltd (sales@panel.example)"
    );
    assert_eq!([&told["address2"], &told["address3"]], ["", ""]);
    let details = by_id(&client, &id).await;
    for (key, value) in details.as_object().unwrap() {
        assert_eq!(&told[key], value, "{key}");
    }
    let again = client
        .done(
            "customers/authenticate-token-without-history",
            &[("token", &token)],
        )
        .await;
    assert_eq!(again, told);
}

/// The words that stand alone on their lines in the only message there is.
async fn mailed(server: &TestServer) -> String {
    let world = server.world();
    let mails = world.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0]["to"].to_string().contains(NAME), "{mails:?}");
    let text = world.mail(&mails[0]["id"]).await["text"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut alone = text
        .lines()
        .map(str::trim)
        .filter(|line| line.len() == 16 && !line.contains(' '));
    alone.next().unwrap_or_else(|| panic!("{text}")).to_owned()
}

async fn a_password_is_mailed(server: &mut TestServer) {
    let client = server.logicboxes().await;
    sign_up(&client, &[]).await;
    let world = server.world();
    let asked = [("username", "Ann@Shop.example")];
    for count in 1..=5 {
        world.clear_mail().await;
        assert_eq!(
            client.done("customers/forgot-password", &asked).await,
            json!(true)
        );
        world.run_due_jobs().await;
        let password = mailed(server).await;
        assert!(token(&client, &password).await.is_ok(), "{count}");
        assert!(token(&client, PASSWORD).await.is_ok());
        assert!(!kept(server).await.contains(&password));
    }
    let refused = client.refused("customers/forgot-password", &asked).await;
    assert_eq!(refused, "Too many passwords were mailed to this customer");
    world.advance(86_400).await;
    world.clear_mail().await;
    client.done("customers/forgot-password", &asked).await;
    world.run_due_jobs().await;
    mailed(server).await;
    for name in ["nobody@shop.example", "nobody"] {
        let refused = client
            .refused("customers/forgot-password", &[("username", name)])
            .await;
        assert_eq!(refused, format!("Customer {name} not found"));
    }
}

async fn a_changed_password_ends_all_others(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let id = sign_up(&client, &[]).await;
    let of_customer = [("customer-id", &id[..])];
    let lent = client.done("customers/temp-password", &of_customer).await;
    let before = token(&client, PASSWORD).await.unwrap();
    let change = async |method: &str, password: &str| {
        let asked = [("customer-id", &id[..]), ("new-passwd", password)];
        client.done(method, &asked).await
    };
    assert_eq!(
        change("customers/change-password", "another word").await,
        json!(true)
    );
    assert_eq!(token(&client, PASSWORD).await.unwrap_err(), WRONG);
    assert_eq!(
        token(&client, lent.as_str().unwrap()).await.unwrap_err(),
        WRONG
    );
    assert_eq!(
        by_token(&client, &before).await.unwrap_err(),
        "Invalid token"
    );
    assert!(token(&client, "another word").await.is_ok());
    assert_eq!(by_id(&client, &id).await["ispasswdexpired"], "false");
    change("customers/v2/change-password", "a third word").await;
    assert!(token(&client, "a third word").await.is_ok());
    let short = [("customer-id", &id[..]), ("new-passwd", "1234567")];
    let refused = client.refused("customers/change-password", &short).await;
    assert_eq!(refused, "{passwd=Password must have 8 to 128 characters}");
    let missing = client
        .refused("customers/change-password", &of_customer)
        .await;
    assert_eq!(missing, "Required parameter missing: new-passwd");
    client.done("customers/delete", &of_customer).await;
    assert_eq!(token(&client, "a third word").await.unwrap_err(), WRONG);
}

async fn no_secret_is_kept_in_clear(server: &mut TestServer) {
    let client = server.logicboxes().await;
    let id = sign_up(&client, &[]).await;
    let token = token(&client, PASSWORD).await.unwrap();
    let of_customer = [("customer-id", &id[..])];
    let lent = client.done("customers/temp-password", &of_customer).await;
    let rows = kept(server).await;
    assert!(rows.contains("$argon2id$v=19$m=19456,t=2,p=1$"));
    for secret in [PASSWORD, &token, lent.as_str().unwrap()] {
        assert!(!rows.contains(secret));
    }
    assert!(ANN.iter().any(|(_, value)| *value == PASSWORD));
}
