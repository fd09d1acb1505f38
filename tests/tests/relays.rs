//! Mail relays that take some messages and not others, or take their time: no message waits for another's reader, none
//! is lost however long a relay is away, and none is sent twice because somebody asked for it meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;

use chancery_domain::SignedDuration;
use chancery_testkit::{Panel, TestServer, on_both_engines};
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::production::Outside;

on_both_engines!(
    a_reader_who_cannot_be_reached_holds_up_no_other_message_and_is_never_given_up,
    a_message_is_sent_once_though_it_is_asked_for_while_it_is_sent,
    many_orders_at_once_do_not_flood_an_approver,
);

/// What a relay does, and has done.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Whom it takes nothing for at the moment, by a part of the address.
    turned_away: Option<&'static str>,
    /// Whether it keeps those waiting that have handed a message over.
    pub is_slow: bool,
    /// How many messages were begun.
    pub begun: usize,
    /// For whom it took messages.
    taken: Vec<String>,
}

/// A relay of the test's own.
pub struct Relay {
    pub address: SocketAddr,
    standing: Arc<watch::Sender<Standing>>,
    serving: JoinHandle<()>,
}

impl Relay {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let standing = Arc::new(watch::Sender::default());
        let of_relay = Arc::clone(&standing);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&of_relay)));
            }
        });
        Self {
            address,
            standing,
            serving,
        }
    }

    pub fn change(&self, change: impl FnOnce(&mut Standing)) {
        self.standing.send_modify(change);
    }

    /// Waits until it stands so.
    pub async fn stands(&self, so: impl FnMut(&Standing) -> bool) {
        let mut seen = self.standing.subscribe();
        seen.wait_for(so).await.unwrap();
    }

    pub fn end(self) {
        self.serving.abort();
    }

    pub fn taken(&self) -> Vec<String> {
        let mut taken = self.standing.borrow().taken.clone();
        taken.sort();
        taken
    }
}

/// Speaks SMTP with one client (RFC 5321), as far as ours does.
async fn converse(stream: TcpStream, standing: Arc<watch::Sender<Standing>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 relay ready\r\n").await.ok()?;
    let mut reader = String::new();
    loop {
        let line = line(&mut stream).await?;
        let answer = match line.get(..4)? {
            "RCPT" => {
                let turned_away = standing.borrow().turned_away;
                reader = line;
                match turned_away.is_some_and(|part| reader.contains(part)) {
                    true => "451 4.2.1 later",
                    false => "250 fine",
                }
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                while self::line(&mut stream).await? != "." {}
                standing.send_modify(|standing| standing.begun += 1);
                let mut seen = standing.subscribe();
                seen.wait_for(|standing| !standing.is_slow).await.ok()?;
                standing.send_modify(|standing| standing.taken.push(reader.clone()));
                "250 taken"
            }
            _ => "250 relay",
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.write_all(b"\r\n").await.ok()?;
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

/// Starts the server again in production mode, with this relay.
async fn around(server: &mut TestServer, relay: &Relay) -> Outside {
    let outside = Outside::start().await;
    let (resolver, port) = (outside.resolver(), relay.address.port());
    outside
        .surround(server, resolver, |config| config.smtp.port = port)
        .await;
    outside
}

async fn send(panel: &Panel, id: &str) {
    let path = format!("/ssl/v2/orders/{id}/approver-email/send");
    assert_eq!(panel.http.send("POST", &path, "").await.status, 200);
}

async fn a_reader_who_cannot_be_reached_holds_up_no_other_message_and_is_never_given_up(
    server: &mut TestServer,
) {
    let relay = Relay::start().await;
    let outside = around(server, &relay).await;
    relay.change(|standing| standing.turned_away = Some("admin@a-shop.com"));
    let panel = server.another_panel("1000.00").await;
    let names = ["a-shop.com", "z-shop.com"];
    let order = panel.order("ssl123", "email", &names).await;
    let placed = panel.place(&order).await;
    server.app().run_due_jobs().await.unwrap();
    assert_eq!(relay.taken(), ["RCPT TO:<admin@z-shop.com>"]);
    let seen = panel.auth_info(&placed.id).await["observations"].clone();
    assert!(seen.to_string().contains("unreachable"), "{seen:#}");

    // A long weekend.
    for _ in 0..50 {
        let hours = SignedDuration::from_hours(2);
        server.app().advance_clock(hours).await.unwrap();
        server.app().run_due_jobs().await.unwrap();
    }
    assert_eq!(relay.taken().len(), 1);
    assert_eq!(server.app().job_counts().await.unwrap().parked, 0);
    relay.change(|standing| standing.turned_away = None);
    // Who asks for it does not wait until it is tried again.
    let panel = panel.again().await;
    send(&panel, &placed.id).await;
    server.app().run_due_jobs().await.unwrap();
    assert_eq!(
        relay.taken(),
        [
            "RCPT TO:<admin@a-shop.com>",
            "RCPT TO:<admin@z-shop.com>",
            "RCPT TO:<admin@z-shop.com>"
        ]
    );
    let errors = server.logs.take_errors();
    assert!(
        errors.iter().all(|line| line.contains("job failed")),
        "{errors:#?}"
    );
    relay.end();
    outside.end().await;
}

async fn a_message_is_sent_once_though_it_is_asked_for_while_it_is_sent(server: &mut TestServer) {
    let relay = Relay::start().await;
    let outside = around(server, &relay).await;
    relay.change(|standing| standing.is_slow = true);
    let panel = server.another_panel("1000.00").await;
    let names = ["a-shop.com", "z-shop.com"];
    let order = panel.order("ssl123", "email", &names).await;
    let placed = panel.place(&order).await;
    relay.stands(|standing| standing.begun == 1).await;
    // The job is run anew, and finds the first message in other hands.
    send(&panel, &placed.id).await;
    relay.stands(|standing| standing.begun == 2).await;
    relay.change(|standing| standing.is_slow = false);
    relay.stands(|standing| standing.taken.len() == 2).await;
    server.app().run_due_jobs().await.unwrap();
    let minute = SignedDuration::from_mins(1);
    server.app().advance_clock(minute).await.unwrap();
    server.app().run_due_jobs().await.unwrap();
    assert_eq!(
        relay.taken(),
        ["RCPT TO:<admin@a-shop.com>", "RCPT TO:<admin@z-shop.com>"]
    );
    relay.end();
    outside.end().await;
}

async fn many_orders_at_once_do_not_flood_an_approver(server: &mut TestServer) {
    const AT_ONCE: usize = 20;
    let (panel, world) = (server.another_panel("5000.00").await, server.world());
    let mut order = panel.order("ssl123", "email", &["shop.test"]).await;
    order["approverEmail"] = json!(["admin@shop.test"]);
    let place = || panel.http.post("/ssl/v2/orders/new", &order);
    let placed = join_all((0..40).map(|_| place())).await;
    let placed = placed.iter().filter(|reply| reply.status == 200).count();
    assert!(placed > AT_ONCE, "{placed}");
    world.run_due_jobs().await;
    assert_eq!(world.mails().await.len(), AT_ONCE);
    // The others follow one by one.
    world.advance(3_700).await;
    assert_eq!(world.mails().await.len(), AT_ONCE + 1);
    world.advance(3_600).await;
    assert_eq!(world.mails().await.len(), AT_ONCE + 2);
}
