//! A server that runs: where it listens, and how it stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// How many connections a server serves at once; more are closed at once.
const CONNECTION_LIMIT: usize = 64;

/// How long to wait when the system has no room for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Listening {
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Tells the tasks of a server when to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Resolves when the server was asked to stop, or its handle is gone.
    pub(crate) async fn asked(&mut self) {
        // An error means that the handle was dropped, which is the same wish.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

pub(crate) fn channel() -> (watch::Sender<bool>, Stopping) {
    let (sender, receiver) = watch::channel(false);
    (sender, Stopping(receiver))
}

/// Accepts connections until asked to stop, and serves each in a task of its own.
pub(crate) async fn serve_connections<S, F>(listener: TcpListener, mut stopping: Stopping, serve: S)
where
    S: Fn(TcpStream, SocketAddr) -> F,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    loop {
        let accepted = tokio::select! {
            () = stopping.asked() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            continue;
        };
        let conversation = serve(stream, peer);
        let mut stopping = stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.asked() => {}
                // However a connection ends, there is nobody left to tell.
                _ = conversation => {}
            }
            drop(slot);
        });
    }
}

impl Listening {
    pub(crate) fn new(
        local_addr: SocketAddr,
        stop: watch::Sender<bool>,
        tasks: Vec<JoinHandle<()>>,
    ) -> Self {
        Self {
            local_addr,
            stop,
            tasks,
        }
    }

    /// The address the server listens on, its port included where it was left open.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops the server and waits until its sockets are closed.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::error!(%error, "an OTE server ended badly");
            }
        }
    }
}
