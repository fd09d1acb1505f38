//! Clients that place orders and ask for them.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::{try_join, try_join_all};

use crate::http::{Answer, HttpConnection, find};
use crate::load::{self, Client, Measured, micros};
use crate::resellers::Reseller;

/// How long a watcher waits before it asks again, and how long it asks.
const GLANCE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);

/// For runs that end by themselves.
const FOREVER: Duration = Duration::from_secs(3_600);

/// How many connections place one order at a time and watch it until its certificate is there.
const WATCHERS: usize = 2;

/// How many of the last orders are watched to find the end of a run.
const LAST: usize = 64;

/// Ready-made requests of one reseller, to be sent in turn.
pub(crate) type Requests = Rc<[Vec<u8>]>;

/// Requests to place orders, for each reseller in turn a part of the CSRs.
pub(crate) fn place_requests(resellers: &[Reseller], csrs: &[String]) -> Vec<Requests> {
    let of = |(at, reseller): (usize, &Reseller)| {
        let own = csrs.iter().skip(at).step_by(resellers.len());
        own.map(|csr| reseller.order_request(csr)).collect()
    };
    resellers.iter().enumerate().map(of).collect()
}

/// Orders placed, by reseller.
pub(crate) type Orders = Vec<Vec<u64>>;

/// Places orders for a reseller, as long as any are left to place.
pub(crate) struct Place {
    reseller: usize,
    requests: Requests,
    turn: usize,
    left: Rc<Cell<usize>>,
    placed: Vec<u64>,
}

impl Place {
    /// One client for each connection, the resellers in turn; together they place `count` orders at most.
    pub(crate) fn clients(connections: usize, requests: &[Requests], count: usize) -> Vec<Self> {
        let left = Rc::new(Cell::new(count));
        (0..connections)
            .map(|at| Self {
                reseller: at % requests.len(),
                requests: Rc::clone(&requests[at % requests.len()]),
                turn: at,
                left: Rc::clone(&left),
                placed: Vec::new(),
            })
            .collect()
    }
}

impl Client for Place {
    fn request(&mut self) -> Option<&[u8]> {
        self.left.set(self.left.get().checked_sub(1)?);
        self.turn += 1;
        Some(&self.requests[self.turn % self.requests.len()])
    }

    fn answered(&mut self, answer: &Answer<'_>) -> Result<()> {
        self.placed.push(order_id(answer.body)?);
        Ok(())
    }
}

/// Places `count` orders whose names are proved, and waits until the last has its certificate.
///
/// The latencies are those from placing to issued, of orders that watchers place beside the others.
pub(crate) async fn place_to_issued(
    address: SocketAddr,
    connections: usize,
    resellers: &[Reseller],
    requests: &[Requests],
    count: usize,
) -> Result<(Measured, Orders)> {
    let clients = Place::clients(connections + WATCHERS, requests, count);
    let (watchers, placers) = clients
        .into_iter()
        .enumerate()
        .partition::<Vec<_>, _>(|(at, _)| *at < WATCHERS);
    let placers = placers.into_iter().map(|(_, client)| client).collect();
    let watchers = watchers
        .into_iter()
        .map(|(_, client)| watch(address, &resellers[client.reseller], client));

    let began = Instant::now();
    let placing = load::run(address, placers, FOREVER);
    let ((_, placers), watched) = try_join(placing, try_join_all(watchers)).await?;
    let mut latencies = Vec::new();
    let mut orders: Orders = vec![Vec::new(); resellers.len()];
    let watched = watched.into_iter().map(|(client, own)| {
        latencies.extend(own);
        client
    });
    for client in watched.collect::<Vec<_>>().into_iter().chain(placers) {
        orders[client.reseller].extend(client.placed);
    }

    await_issued(address, resellers, &last(&orders)).await?;
    let mut ended = Instant::now();
    let late = not_issued(address, connections, resellers, &orders).await?;
    if !late.is_empty() {
        // The last ones placed were not the last ones issued: the run ends when all are.
        await_issued(address, resellers, &late).await?;
        ended = Instant::now();
    }
    let placed = orders.iter().map(Vec::len).sum();
    let seconds = (ended - began).as_secs_f64();
    Ok((Measured::new(placed, seconds, latencies), orders))
}

/// Places one order after the other and watches each; returns microseconds from placing to issued.
async fn watch(
    address: SocketAddr,
    reseller: &Reseller,
    mut client: Place,
) -> Result<(Place, Vec<u32>)> {
    let mut connection = HttpConnection::open(address).await?;
    let mut latencies = Vec::new();
    while let Some(request) = client.request() {
        let placed = Instant::now();
        let answer = connection.exchange(request).await?;
        answer.ensure_success()?;
        let order = order_id(answer.body)?;
        client.placed.push(order);
        until_issued(&mut connection, &reseller.info_request(order)).await?;
        latencies.push(micros(placed.elapsed()));
    }
    Ok((client, latencies))
}

async fn until_issued(connection: &mut HttpConnection, request: &[u8]) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let answer = connection.exchange(request).await?;
        answer.ensure_success()?;
        if is_issued(answer.body) {
            return Ok(());
        }
        tokio::time::sleep(GLANCE).await;
    }
    anyhow::bail!("an order was not issued in time")
}

async fn await_issued(
    address: SocketAddr,
    resellers: &[Reseller],
    orders: &[(usize, u64)],
) -> Result<()> {
    let mut connection = HttpConnection::open(address).await?;
    for (reseller, order) in orders {
        let request = resellers[*reseller].info_request(*order);
        until_issued(&mut connection, &request).await?;
    }
    Ok(())
}

/// The orders with the highest ids.
fn last(orders: &Orders) -> Vec<(usize, u64)> {
    let all = orders.iter().enumerate();
    let mut all: Vec<_> = all
        .flat_map(|(reseller, own)| own.iter().map(move |order| (reseller, *order)))
        .collect();
    all.sort_unstable_by_key(|(_, order)| *order);
    all.split_off(all.len().saturating_sub(LAST))
}

/// Asks for every order and returns those that are not issued.
async fn not_issued(
    address: SocketAddr,
    connections: usize,
    resellers: &[Reseller],
    orders: &Orders,
) -> Result<Vec<(usize, u64)>> {
    let mut clients = Vec::new();
    for (at, own) in orders.iter().enumerate().filter(|(_, own)| !own.is_empty()) {
        let share = own.len().div_ceil(connections.div_ceil(orders.len()));
        for part in own.chunks(share) {
            clients.push(Check {
                reseller: at,
                ask: Ask::new(&resellers[at], part),
                missing: Vec::new(),
            });
        }
    }
    let (_, clients) = load::run(address, clients, FOREVER).await?;
    let missing = clients.into_iter().flat_map(|client| {
        let reseller = client.reseller;
        client
            .missing
            .into_iter()
            .map(move |order| (reseller, order))
    });
    Ok(missing.collect())
}

/// Asks for orders in turn, writing each id into the same request.
struct Ask {
    orders: Vec<u64>,
    request: Vec<u8>,
    place: usize,
    turn: usize,
}

/// A number with as many digits as an order's, to be written over.
const BLANK: u64 = 9_999_999_999;

impl Ask {
    fn new(reseller: &Reseller, orders: &[u64]) -> Self {
        let request = reseller.info_request(BLANK);
        let digits = BLANK.to_string();
        let place = find(&request, digits.as_bytes()).unwrap_or(0);
        Self {
            orders: orders.to_vec(),
            request,
            place,
            turn: 0,
        }
    }

    fn about(&mut self, order: u64) -> &[u8] {
        let mut rest = order;
        for place in (self.place..self.place + 10).rev() {
            self.request[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &self.request
    }
}

/// Asks for each order once and keeps those that are not issued.
struct Check {
    reseller: usize,
    ask: Ask,
    missing: Vec<u64>,
}

impl Client for Check {
    fn request(&mut self) -> Option<&[u8]> {
        let order = *self.ask.orders.get(self.ask.turn)?;
        self.ask.turn += 1;
        Some(self.ask.about(order))
    }

    fn answered(&mut self, answer: &Answer<'_>) -> Result<()> {
        if !is_issued(answer.body) {
            self.missing.push(self.ask.orders[self.ask.turn - 1]);
        }
        Ok(())
    }
}

/// Asks for orders of a reseller, here and there.
pub(crate) struct Browse {
    ask: Ask,
    random: u64,
}

impl Browse {
    /// One client for each connection, the resellers in turn.
    pub(crate) fn clients(
        connections: usize,
        resellers: &[Reseller],
        orders: &Orders,
    ) -> Vec<Self> {
        (0..connections)
            .map(|at| Self {
                ask: Ask::new(
                    &resellers[at % resellers.len()],
                    &orders[at % resellers.len()],
                ),
                random: at as u64 + 1,
            })
            .collect()
    }
}

impl Client for Browse {
    fn request(&mut self) -> Option<&[u8]> {
        // Xorshift (Marsaglia 2003); any order will do, as long as the next is far away.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let order = self.ask.orders[(self.random % self.ask.orders.len() as u64) as usize];
        Some(self.ask.about(order))
    }

    fn answered(&mut self, _: &Answer<'_>) -> Result<()> {
        Ok(())
    }
}

fn order_id(body: &[u8]) -> Result<u64> {
    const KEY: &[u8] = b"\"orderId\":\"";
    let at = find(body, KEY).context("the answer has no orderId")? + KEY.len();
    let digits = body[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |id, digit| id * 10 + u64::from(digit - b'0')))
}

fn is_issued(body: &[u8]) -> bool {
    find(body, b"\"orderStatus\":\"COMPLETED\"").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_its_order_and_status() {
        let body = br#"{"data":{"orderId":"1000000007","orderStatus":"COMPLETED"}}"#;
        assert_eq!(order_id(body).unwrap(), 1_000_000_007);
        assert!(is_issued(body));
        assert!(order_id(b"{}").is_err());
    }

    #[test]
    fn the_last_orders_are_those_with_the_highest_ids() {
        let orders = vec![(1..=100).collect(), (50..=80).collect()];
        let last = last(&orders);
        assert_eq!(last.len(), LAST);
        assert_eq!(last.last(), Some(&(0, 100)));
    }
}
