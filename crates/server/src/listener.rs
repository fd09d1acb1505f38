//! The HTTP listener: bounded in connections and time, drained at the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::complaints::Complaints;
use crate::config::LimitsConfig;
use crate::continues::{Quiet, WithoutContinue};
use crate::dialects;
use crate::places::{Admission, Manner, Place, Places};
use crate::reloads::Reloadable;
use crate::requests::Reception;
use crate::write_deadline::WriteDeadline;

/// The most a connection may hold of a request not yet parsed, in bytes.
const MAX_BUFFER: usize = 64 * 1024;

/// How long a client may take to ask where only what must always be answered is, with head and body each.
pub(crate) const RESERVED_PATIENCE: Duration = Duration::from_secs(5);

/// Serves until told to stop, then lets the requests under way finish, within bounds.
///
/// Trusted proxies are those that are believed where they say whom they ask for.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    trusted_proxies: Arc<Reloadable>,
    limits: LimitsConfig,
    mut stop: watch::Receiver<bool>,
) {
    let places = Places::new(limits.connections, limits.connections_per_client);
    let budget = limits.body_mebibytes.saturating_mul(1024 * 1024);
    let patience = Duration::from_secs(limits.request_seconds);
    let reception = Reception::new(router, Arc::clone(&trusted_proxies), budget);
    let reception = Arc::new(reception);
    let graceful = GracefulShutdown::new();
    let mut troubles = Complaints::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // Out of file descriptors, or a client that left: give others time to close.
            Err(error) => {
                let cause = Trouble::Accepting(error.raw_os_error());
                if let Some(times) = troubles.count(cause, Instant::now()) {
                    tracing::warn!(%error, times, "accepting a connection failed");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let is_proxy = trusted_proxies.read(|proxies| proxies.contains(peer.ip()));
        let talk = Talk {
            stream,
            peer,
            reception: Arc::clone(&reception),
            patience,
            watcher: graceful.watcher(),
        };
        match places.admit(peer.ip(), is_proxy) {
            Admission::Place(place) => drop(tokio::spawn(talk.hold(place))),
            Admission::Later(later) => drop(tokio::spawn(async move {
                if let Some(place) = later.place().await {
                    talk.hold(place).await;
                }
            })),
            Admission::Refused => {
                if let Some(times) = troubles.count(Trouble::TooMany, Instant::now()) {
                    let client = peer.ip();
                    tracing::warn!(%client, times, "a connection was closed: there are too many");
                }
            }
        }
    }
    drop(listener);
    let drain = Duration::from_secs(limits.drain_seconds);
    if tokio::time::timeout(drain, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time");
    }
}

/// What keeps connections from being served. Clients bring it about at any rate: it is told once a minute.
#[derive(Eq, Hash, PartialEq)]
enum Trouble {
    /// With the number of the system's error.
    Accepting(Option<i32>),
    TooMany,
}

/// A connection.
struct Talk {
    stream: TcpStream,
    peer: SocketAddr,
    reception: Arc<Reception>,
    patience: Duration,
    watcher: Watcher,
}

impl Talk {
    /// Answers the requests of the connection.
    async fn hold(self, place: Place) {
        let Self {
            stream,
            peer,
            reception,
            patience,
            watcher,
        } = self;
        let _ = stream.set_nodelay(true);
        let manner = place.manner;
        let is_reserved = manner == Manner::Reserved;
        let patience = match is_reserved {
            true => patience.min(RESERVED_PATIENCE),
            false => patience,
        };
        let quiet = Quiet::default();
        let stream = WithoutContinue::new(WriteDeadline::new(stream, patience), quiet.clone());
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .keep_alive(!is_reserved)
            .max_buf_size(MAX_BUFFER);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            quiet.set(dialects::is_logicboxes(request.uri().path()));
            let reception = Arc::clone(&reception);
            async move { reception.answer(request, peer, manner).await }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpSocket;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::places::RESERVE;

    async fn serving(limits: LimitsConfig) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let here = || axum::routing::get(async || "here");
        let router = Router::new()
            .route("/", here())
            .route("/health", here())
            .route("/pki/root.crl", here());
        let proxies = Arc::<Reloadable>::default();
        let serving = tokio::spawn(serve(listener, router, proxies, limits, stopped));
        (address, stop, serving)
    }

    async fn asked(address: SocketAddr, path: &str) -> (TcpStream, String) {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        (client, String::from_utf8(head).unwrap())
    }

    #[tokio::test]
    async fn a_stop_is_heard_with_every_slot_taken() {
        let (address, stop, serving) = serving(LimitsConfig {
            connections: 1,
            ..LimitsConfig::default()
        })
        .await;
        let (_client, head) = asked(address, "/").await;
        assert!(head.contains("x-request-id: "), "{head}");
        stop.send(true).unwrap();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn who_is_over_the_limit_keeps_nobody_from_being_accepted() {
        let (address, stop, serving) = serving(LimitsConfig {
            connections: 1_000,
            connections_per_client: 1,
            ..LimitsConfig::default()
        })
        .await;
        let (_held, _) = asked(address, "/").await;
        // Over the limit, silent, and more than there are reserved places.
        let mut silent = Vec::new();
        for _ in 0..RESERVE + 1 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let other = TcpSocket::new_v4().unwrap();
        other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut other = other.connect(address).await.unwrap();
        other
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut status = [0; 12];
        other.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        drop((silent, other));
        stop.send(true).unwrap();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn health_and_the_repository_answer_at_the_limit_and_all_else_is_told_to_come_back() {
        let both = [(1, 10), (10, 1)];
        for (connections, connections_per_client) in both {
            let (address, stop, serving) = serving(LimitsConfig {
                connections,
                connections_per_client,
                ..LimitsConfig::default()
            })
            .await;
            let (held, head) = asked(address, "/").await;
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            for (path, status) in [
                ("/health", "200"),
                ("/pki/root.crl", "200"),
                ("/", "503"),
                ("/ssl/v2/orders/info", "503"),
                ("/api/contacts/details.json", "503"),
            ] {
                let (_, head) = asked(address, path).await;
                assert!(
                    head.starts_with(&format!("HTTP/1.1 {status}")),
                    "{path} {head}"
                );
                assert!(head.contains("connection: close"), "{path} {head}");
                assert_eq!(
                    head.contains("retry-after: "),
                    status == "503",
                    "{path} {head}"
                );
            }
            drop(held);
            stop.send(true).unwrap();
            serving.await.unwrap();
        }
    }
}
