//! Load: many connections, each sending its next request as soon as it has the answer to the last.
//!
//! All of them live on one thread. A latency is the time from handing the request to the system until the
//! last byte of the answer is there, queueing in the server included.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;

use crate::http::{Answer, HttpConnection};

/// What one connection asks for.
pub(crate) trait Client {
    /// The next request; `None` ends the connection's part.
    fn request(&mut self) -> Option<&[u8]>;

    /// Takes the answer, which was a success.
    fn answered(&mut self, answer: &Answer<'_>) -> Result<()>;
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) count: usize,
    pub(crate) seconds: f64,
    /// Microseconds, in ascending order; of all, or of a sample.
    latencies: Vec<u32>,
}

impl Measured {
    pub(crate) fn new(count: usize, seconds: f64, mut latencies: Vec<u32>) -> Self {
        latencies.sort_unstable();
        Self {
            count,
            seconds,
            latencies,
        }
    }

    /// How many a second.
    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.seconds
    }

    /// The latency in milliseconds that `percent` of a hundred answers stayed within.
    pub(crate) fn millis(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (self.latencies.len() * percent / 100).min(last);
        self.latencies
            .get(at)
            .map_or(f64::NAN, |micros| f64::from(*micros) / 1_000.0)
    }
}

/// Runs something on the one thread that generates load.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Lets every client ask until `time` is over, or until it has no more to ask.
pub(crate) async fn run<C: Client>(
    address: SocketAddr,
    clients: Vec<C>,
    time: Duration,
) -> Result<(Measured, Vec<C>)> {
    let mut connections = Vec::with_capacity(clients.len());
    for client in clients {
        connections.push((HttpConnection::open(address).await?, client));
    }
    let began = Instant::now();
    let runs = connections
        .into_iter()
        .map(|(connection, client)| ask(connection, client, began + time));
    let done = try_join_all(runs).await?;
    let seconds = began.elapsed().as_secs_f64();
    let mut latencies = Vec::new();
    let mut clients = Vec::with_capacity(done.len());
    for (client, own) in done {
        latencies.extend(own);
        clients.push(client);
    }
    let measured = Measured::new(latencies.len(), seconds, latencies);
    Ok((measured, clients))
}

async fn ask<C: Client>(
    mut connection: HttpConnection,
    mut client: C,
    deadline: Instant,
) -> Result<(C, Vec<u32>)> {
    let mut latencies = Vec::with_capacity(64 * 1024);
    let mut sent = Instant::now();
    while sent < deadline
        && let Some(request) = client.request()
    {
        let answer = connection.exchange(request).await?;
        answer.ensure_success()?;
        client.answered(&answer).context("the answer")?;
        let now = Instant::now();
        latencies.push(micros(now - sent));
        sent = now;
    }
    Ok((client, latencies))
}

/// Microseconds, as far as they count.
pub(crate) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// A client that asks the same again and again.
pub(crate) struct Repeat(pub(crate) Vec<u8>);

impl Client for Repeat {
    fn request(&mut self) -> Option<&[u8]> {
        Some(&self.0)
    }

    fn answered(&mut self, _: &Answer<'_>) -> Result<()> {
        Ok(())
    }
}

/// A client that sends some requests round and round.
pub(crate) struct Round {
    requests: Rc<[Vec<u8>]>,
    turn: usize,
}

impl Round {
    /// So many clients, each beginning elsewhere.
    pub(crate) fn clients(count: usize, requests: &Rc<[Vec<u8>]>) -> impl Iterator<Item = Self> {
        (0..count).map(move |at| Self {
            requests: Rc::clone(requests),
            turn: at * requests.len() / count,
        })
    }
}

impl Client for Round {
    fn request(&mut self) -> Option<&[u8]> {
        self.turn += 1;
        Some(&self.requests[self.turn % self.requests.len()])
    }

    fn answered(&mut self, _: &Answer<'_>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_latencies() {
        let measured = Measured::new(100, 2.0, (1..=100).rev().map(|n| n * 1_000).collect());
        assert!((measured.rate() - 50.0).abs() < 1e-9);
        assert!((measured.millis(50) - 51.0).abs() < 1e-9);
        assert!((measured.millis(99) - 100.0).abs() < 1e-9);
        assert!(Measured::default().millis(50).is_nan());
    }
}
