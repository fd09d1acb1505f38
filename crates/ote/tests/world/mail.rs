//! Mail from the production mailer to the mailbox, and to relays that refuse.

use std::net::SocketAddr;
use std::sync::Arc;

use chancery_ote::{Mailbox, mail_server};
use chancery_outside::mail::{Mail, MailError, Mailer, SmtpSettings, SmtpTls};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::fixtures::{ANY_PORT, NOBODY, PATIENCE, address};

fn mailer(relay: SocketAddr) -> Mailer {
    let settings = SmtpSettings {
        host: relay.ip().to_string(),
        port: relay.port(),
        tls: SmtpTls::None,
        credentials: None,
        from: "Chancery <ca@ca.example>".to_owned(),
        timeout: PATIENCE,
    };
    Mailer::new(&settings).expect("a mailer")
}

fn mail(subject: &str) -> Mail {
    Mail {
        to: vec!["admin@shop.test".to_owned()],
        subject: subject.to_owned(),
        text: "Bitte bestätigen:\n.\n..\nhttp://127.0.0.1/approve?x=1\n".to_owned(),
        message_id: format!("{}@ca.example", subject.len()),
        date: "2027-01-31T12:00:00Z".parse().expect("a time"),
    }
}

/// A relay that answers one command with a refusal.
async fn refusing_relay(command: &'static str, reply: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(ANY_PORT).await.expect("a listener");
    let local_addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let _ = stream.write_all(b"220 relay\r\n").await;
            let mut line = String::new();
            while stream
                .read_line(&mut line)
                .await
                .is_ok_and(|length| length > 0)
            {
                let is_refused = line.to_uppercase().starts_with(command);
                let answer = if is_refused { reply } else { "250 fine\r\n" };
                let _ = stream.write_all(answer.as_bytes()).await;
                line.clear();
            }
        }
    });
    local_addr
}

#[tokio::test]
async fn messages_arrive_whole_one_after_the_other() {
    let mailbox = Arc::new(Mailbox::in_memory());
    let server = mail_server::start(address(ANY_PORT), Arc::clone(&mailbox))
        .await
        .unwrap();
    let mailer = mailer(server.local_addr());
    for subject in ["Grüße aus der Kanzlei", "2"] {
        mailer.send(&mail(subject)).await.unwrap();
    }
    let messages = mailbox.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].subject, "Grüße aus der Kanzlei");
    assert_eq!(messages[0].from, "ca@ca.example");
    assert_eq!(messages[0].to, "admin@shop.test");
    assert_eq!(messages[0].date, "2027-01-31T12:00:00Z");
    assert_eq!(messages[0].text.replace("\r\n", "\n"), mail("").text);
}

#[tokio::test]
async fn many_messages_at_once_arrive_too() {
    let mailbox = Arc::new(Mailbox::in_memory());
    let server = mail_server::start(address(ANY_PORT), Arc::clone(&mailbox))
        .await
        .unwrap();
    let mailer = mailer(server.local_addr());
    let sending = (0..20).map(|n| {
        let mailer = mailer.clone();
        tokio::spawn(async move { mailer.send(&mail(&n.to_string())).await })
    });
    for sent in sending.collect::<Vec<_>>() {
        sent.await.unwrap().unwrap();
    }
    assert_eq!(mailbox.messages().len(), 20);
}

#[tokio::test]
async fn a_message_too_large_is_refused_for_good() {
    let mailbox = Arc::new(Mailbox::in_memory());
    let server = mail_server::start(address(ANY_PORT), Arc::clone(&mailbox))
        .await
        .unwrap();
    let large = Mail {
        text: format!("{}\n", "x".repeat(70)).repeat(16 * 1024),
        ..mail("large")
    };
    let mailer = mailer(server.local_addr());
    let error = mailer.send(&large).await.unwrap_err();
    assert!(!error.may_pass_later(), "{error:?}");
    assert!(mailbox.messages().is_empty());
    mailer.send(&mail("small")).await.unwrap();
}

#[tokio::test]
async fn refusals_for_good_and_for_now_are_told_apart() {
    for (command, reply, may_pass_later) in [
        ("RCPT", "550 5.1.1 no such user\r\n", false),
        ("RCPT", "451 4.7.1 greylisted\r\n", true),
        ("MAIL", "452 4.3.1 full\r\n", true),
        ("MAIL", "530 5.7.0 authentication required\r\n", true),
        ("DATA", "554 5.6.0 not that\r\n", false),
        ("EHLO", "421 4.3.2 closing\r\n", true),
    ] {
        let relay = refusing_relay(command, reply).await;
        let error = mailer(relay).send(&mail("x")).await.unwrap_err();
        assert_eq!(error.may_pass_later(), may_pass_later, "{reply}: {error:?}");
    }
}

#[tokio::test]
async fn an_absent_and_a_silent_relay_are_tried_later() {
    let silent = TcpListener::bind(ANY_PORT).await.unwrap();
    let error = mailer(silent.local_addr().unwrap())
        .send(&mail("x"))
        .await
        .unwrap_err();
    assert!(matches!(error, MailError::Timeout), "{error:?}");
    let error = mailer(address(NOBODY)).send(&mail("x")).await.unwrap_err();
    assert!(matches!(error, MailError::TryLater(_)), "{error:?}");
}

#[tokio::test]
async fn a_bad_recipient_is_refused_before_anything_is_sent() {
    let bad = Mail {
        to: vec!["not an address".to_owned()],
        ..mail("x")
    };
    let error = mailer(address(NOBODY)).send(&bad).await.unwrap_err();
    assert!(matches!(error, MailError::Address(_)), "{error:?}");
}
