//! Searches and statistics on ten thousand and on ten million orders, and how much slower the latter are.
//!
//! For each engine two servers run, one on each database; every kind of request is sent to the one and then at
//! once to the other, so that what else goes on in the machine strikes both.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use crate::chancery::{Chancery, Installation};
use crate::engines::{self, Database, create};
use crate::filling::{DAYS, PRODUCTS, fill, is_indexed, name};
use crate::http::HttpConnection;
use crate::load::{self, Measured, Round};
use crate::report::{thousands, title, word};
use crate::resellers::Reseller;
use crate::{Engine, Options, processes, say};

/// How much slower the larger list may be.
const AIM: f64 = 3.0;

const PAGE_SIZE: u64 = 100;

/// Few enough that an answer waits for its own work, and not in a queue.
const CONNECTIONS: usize = 2;

/// How many requests of a kind there are; they are sent round and round.
const VARIETY: u64 = 256;

/// What all engines have shown.
pub(crate) struct SearchReport {
    sizes: [u64; 2],
    foreign: f64,
    engines: Vec<Findings>,
}

struct Findings {
    engine: Engine,
    version: String,
    /// How long filling and indexing the larger database took.
    filled: Duration,
    indexed: Duration,
    cases: Vec<(&'static str, [Measured; 2])>,
}

/// Measures everything.
pub(crate) fn measure(options: &Options, sizes: [u64; 2]) -> Result<SearchReport> {
    let foreign = processes::busy_processors(Duration::from_secs(2))?;
    let found = engines::on_each(options, |engine, folder| {
        on_engine(engine, options, folder, sizes)
    })?;
    Ok(SearchReport {
        sizes,
        foreign,
        engines: found,
    })
}

/// A server on a list of some length.
struct Bed {
    server: Chancery,
    database: Database,
    reseller: Reseller,
    orders: u64,
    filled: Duration,
    indexed: Duration,
}

fn on_engine(
    engine: Engine,
    options: &Options,
    folder: &Path,
    sizes: [u64; 2],
) -> Result<Findings> {
    let (small, version) = Bed::make(engine, options, folder, sizes[0])?;
    let (large, _) = Bed::make(engine, options, folder, sizes[1])?;
    let beds = [small, large];
    let mut cases = Vec::new();
    for case in CASES {
        let mut measured = Vec::new();
        for bed in &beds {
            measured.push(bed.measure(&case, options.time())?);
        }
        let [small, large] = [measured.remove(0), measured.remove(0)];
        say(&format!(
            "  {}: p99 {:.2} and {:.2} ms",
            case.name,
            small.millis(99),
            large.millis(99)
        ));
        cases.push((case.name, [small, large]));
    }
    let [small, large] = beds;
    let (filled, indexed) = (large.filled, large.indexed);
    for bed in [small, large] {
        bed.server.stop()?;
        bed.database.remove(options)?;
    }
    Ok(Findings {
        engine,
        version,
        filled,
        indexed,
        cases,
    })
}

impl Bed {
    fn make(
        engine: Engine,
        options: &Options,
        folder: &Path,
        orders: u64,
    ) -> Result<(Self, String)> {
        let data = folder.join(orders.to_string());
        fs::create_dir(&data)?;
        let (database, version) = create(engine, options, &data, &format!("_{orders}"))?;
        let installation = Installation {
            program: options.chancery()?,
            data,
            database: database.url(),
        };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = installation.start(listen)?;
        let reseller = Reseller::add_all(&installation, server.address, 1)?.remove(0);
        server.stop()?;
        say(&format!("{version}: filling in {orders} orders"));
        let began = Instant::now();
        fill(&database, orders)?;
        let filled = began.elapsed();
        say(&format!("  {:.0} s; indexing", filled.as_secs_f64()));
        let server = installation.start(listen)?;
        let indexed = wait_for_index(&database, orders)?;
        let bed = Self {
            server,
            database,
            reseller,
            orders,
            filled,
            indexed,
        };
        Ok((bed, version))
    }

    /// Sends one kind of requests for a while, after a while that does not count.
    fn measure(&self, case: &Case, time: Duration) -> Result<Measured> {
        let requests: Vec<Vec<u8>> = (0..VARIETY)
            .map(|turn| (case.request)(self, spread(turn, self.orders)))
            .collect();
        load::block_on(async {
            let address = self.server.address;
            let mut connection = HttpConnection::open(address).await?;
            let answer = connection.json(&requests[0]).await?;
            let total = &answer["data"]["totalItems"];
            ensure!(total != &json!(0), "{} finds nothing: {answer}", case.name);
            drop(connection);
            let requests: Rc<[Vec<u8>]> = requests.into();
            let clients = || Round::clients(CONNECTIONS, &requests).collect();
            load::run(address, clients(), time / 4).await?;
            Ok(load::run(address, clients(), time).await?.0)
        })
    }

    fn search(&self, filters: &Value, page: u64) -> Vec<u8> {
        let body = json!({
            "filters": filters,
            "pagination": { "page": page, "pageSize": PAGE_SIZE },
        });
        self.reseller.post("/ssl/v2/orders/search", &body)
    }
}

/// The index of names is made by the server, in its own time.
fn wait_for_index(database: &Database, orders: u64) -> Result<Duration> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1_800) {
        if is_indexed(database, orders)? {
            return Ok(began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    bail!("the names were not indexed");
}

/// A number from 1 to so many, far from the one before.
fn spread(turn: u64, count: u64) -> u64 {
    (turn * 2_654_435_761 + 12_345) % count + 1
}

/// A kind of request.
struct Case {
    name: &'static str,
    /// The request, by a number of an order.
    request: fn(&Bed, u64) -> Vec<u8>,
}

const CASES: [Case; 13] = [
    Case {
        name: "first page",
        request: |bed, _| bed.search(&json!([]), 1),
    },
    Case {
        name: "page 10,000, or the last",
        request: |bed, _| bed.search(&json!([]), (bed.orders / PAGE_SIZE).min(10_000)),
    },
    Case {
        name: "any page",
        request: |bed, n| bed.search(&json!([]), n.div_ceil(PAGE_SIZE)),
    },
    Case {
        name: "expired, first page",
        request: |bed, _| bed.search(&status("EXPIRED"), 1),
    },
    Case {
        name: "expired, any page",
        request: |bed, n| bed.search(&status("EXPIRED"), n.div_ceil(2 * PAGE_SIZE)),
    },
    Case {
        name: "cancelled (5 of 100), first page",
        request: |bed, _| bed.search(&status("CANCELLED"), 1),
    },
    Case {
        name: "rejected (1 of 100), first page",
        request: |bed, _| bed.search(&status("REJECTED"), 1),
    },
    Case {
        name: "one product, thirty days, first page",
        request: |bed, n| {
            let [from, to] = month(bed, n);
            let product = format!("product-{}", n % PRODUCTS);
            let filters = json!([
                equal("productKey", &product),
                equal("dtcreateFrom", &from),
                equal("dtcreateTo", &to),
            ]);
            bed.search(&filters, 1)
        },
    },
    Case {
        name: "common name `EQUAL`",
        request: |bed, n| bed.search(&json!([equal("commonName", &name(n))]), 1),
    },
    Case {
        name: "common name `LIKE`, few",
        request: |bed, n| {
            let label = name(n).split('.').next().unwrap_or_default().to_uppercase();
            bed.search(&json!([like(&format!("{label}."))]), 1)
        },
    },
    Case {
        name: "common name `LIKE`, every second",
        request: |bed, _| bed.search(&json!([like("shop")]), 1),
    },
    Case {
        name: "statistics",
        request: |bed, _| bed.reseller.get("/ssl/v2/orders/statistics"),
    },
    Case {
        name: "graph statistics",
        request: |bed, _| bed.reseller.get("/ssl/v2/orders/statistics/graph"),
    },
];

fn equal(field: &str, value: &str) -> Value {
    json!({ "field": field, "operator": "EQUAL", "value": value })
}

fn like(value: &str) -> Value {
    json!({ "field": "commonName", "operator": "LIKE", "value": value })
}

fn status(word: &str) -> Value {
    json!([equal("orderStatus", word)])
}

/// Thirty days within the time that orders were placed in, as days of the calendar.
fn month(bed: &Bed, n: u64) -> [String; 2] {
    let last = bed.reseller.since;
    let first_day = n % (DAYS - 40);
    let day = |back: u64| {
        let back = chancery_domain::SignedDuration::from_hours(back as i64 * 24);
        (last - back).to_string()[..10].to_owned()
    };
    [day(first_day + 31), day(first_day + 2)]
}

impl SearchReport {
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        self.write(&mut text)
            .expect("a String takes all that is written");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let [small, large] = self.sizes.map(|size| thousands(size as f64));
        let versions: Vec<&str> = self.engines.iter().map(|f| &f.version[..]).collect();
        writeln!(
            out,
            "{}; {CONNECTIONS} connections; pages of {PAGE_SIZE}. Before the run, other programs kept {:.2} processors busy.\n",
            versions.join("; "),
            self.foreign
        )?;
        writeln!(
            out,
            "| search | engine | {small}: p50 ms | p99 ms | {large}: p50 ms | p99 ms | ratio of p99 | aim | met |"
        )?;
        writeln!(out, "|---|---|--:|--:|--:|--:|--:|--:|---|")?;
        for found in &self.engines {
            for (name, [small, large]) in &found.cases {
                let ratio = large.millis(99) / small.millis(99);
                writeln!(
                    out,
                    "| {name} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {ratio:.2} | ≤ {AIM:.0} | {} |",
                    title(found.engine),
                    small.millis(50),
                    small.millis(99),
                    large.millis(50),
                    large.millis(99),
                    word(ratio <= AIM)
                )?;
            }
        }
        writeln!(out)?;
        for found in &self.engines {
            writeln!(
                out,
                "{}: {large} orders were filled in in {:.0} s; the server indexed their names in {:.0} s.",
                title(found.engine),
                found.filled.as_secs_f64(),
                found.indexed.as_secs_f64()
            )?;
        }
        Ok(())
    }
}
