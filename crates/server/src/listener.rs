//! The HTTP listener: bounded in connections and time, drained at the end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chancery_domain::access::Networks;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::config::LimitsConfig;
use crate::continues::{Quiet, WithoutContinue};
use crate::dialects;
use crate::requests::Reception;
use crate::write_deadline::WriteDeadline;

/// The most a connection may hold of a request not yet parsed, in bytes.
const MAX_BUFFER: usize = 64 * 1024;

/// Serves until told to stop, then lets the requests under way finish, within bounds.
///
/// Trusted proxies are those that are believed where they say whom they ask for.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    trusted_proxies: Networks,
    limits: LimitsConfig,
    mut stop: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let reception = Arc::new(Reception::new(router, trusted_proxies));
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        // A stop is heard with every slot taken, too.
        let (slot, accepted) = tokio::select! {
            next = next => next,
            _ = stop.changed() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // Out of file descriptors, or a client that left: give others time to close.
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let patience = Duration::from_secs(limits.request_seconds);
        let quiet = Quiet::default();
        let stream = WithoutContinue::new(WriteDeadline::new(stream, patience), quiet.clone());
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(MAX_BUFFER);
        let reception = Arc::clone(&reception);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            quiet.set(dialects::is_logicboxes(request.uri().path()));
            let reception = Arc::clone(&reception);
            async move { reception.answer(request, peer).await }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(slot);
        });
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_stop_is_heard_with_every_slot_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = LimitsConfig {
            connections: 1,
            ..LimitsConfig::default()
        };
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().route("/", axum::routing::get(async || "here"));
        let serving = tokio::spawn(serve(
            listener,
            router,
            Networks::default(),
            limits,
            stopped,
        ));
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains("x-request-id: "), "{head}");
        stop.send(true).unwrap();
        serving.await.unwrap();
    }
}
