//! Contacts over the LogicBoxes dialect: adding them, reading them, and finding them by name among a million.
//!
//! The million is written by a statement of its own, as the product would have written them but for what
//! searches go by: that the server makes itself, as it does for contacts of an earlier release.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio_postgres::NoTls;

use crate::chancery::{Chancery, Installation};
use crate::engines::{self, Database, Work, create, work};
use crate::http::{Answer, HttpConnection, request};
use crate::load::{self, Client, Measured, Round};
use crate::report::{thousands, title, word};
use crate::{Engine, Options, processes, say};

/// How many contacts names are searched among.
pub(crate) const MANY: u64 = 1_000_000;

const ADD_AIM: f64 = 2_000.0;
const DETAILS_AIM: f64 = 8_000.0;
const SEARCH_AIM_MILLIS: f64 = 20.0;

/// Few enough that a search waits for its own work, and not in a queue.
const SEARCHERS: usize = 2;

const PAGE_SIZE: u64 = 50;

/// How many requests of a kind there are; they are sent round and round.
const VARIETY: u64 = 256;

/// What all engines have shown.
pub(crate) struct ContactsReport {
    connections: usize,
    many: u64,
    foreign: f64,
    engines: Vec<Findings>,
}

struct Findings {
    engine: Engine,
    version: String,
    add: Work,
    details: Work,
    indexed: Duration,
    searches: Vec<(&'static str, Measured)>,
}

/// Measures everything.
pub(crate) fn measure(options: &Options, many: u64) -> Result<ContactsReport> {
    let foreign = processes::busy_processors(Duration::from_secs(2))?;
    let found = engines::on_each(options, |engine, folder| {
        on_engine(engine, options, folder, many)
    })?;
    Ok(ContactsReport {
        connections: options.connections,
        many,
        foreign,
        engines: found,
    })
}

fn on_engine(engine: Engine, options: &Options, folder: &Path, many: u64) -> Result<Findings> {
    let (database, version) = create(engine, options, folder, "_contacts")?;
    let installation = Installation {
        program: options.chancery()?,
        data: folder.to_owned(),
        database: database.url(),
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = installation.start(listen)?;
    let caller = Caller::add(&installation)?;
    say(&format!("{version}: adding contacts"));
    let (add, ids) = add(&server, &database, options, &caller)?;
    say("reading contacts");
    let details = details(&server, &database, options, &caller, &ids)?;
    server.stop()?;
    say(&format!("filling in {many} contacts"));
    fill(&database, &caller, many)?;
    let server = installation.start(listen)?;
    say("indexing them");
    let indexed = wait_for_index(&database)?;
    let mut searches = Vec::new();
    for case in CASES {
        let measured = search(&server, options, &caller, &case, many)?;
        say(&format!(
            "  {}: p99 {:.2} ms",
            case.name,
            measured.millis(99)
        ));
        searches.push((case.name, measured));
    }
    server.stop()?;
    database.remove(options)?;
    Ok(Findings {
        engine,
        version,
        add,
        details,
        indexed,
        searches,
    })
}

/// A reseller's program that speaks the dialect.
struct Caller {
    reseller: String,
    /// What begins each query.
    credential: String,
}

impl Caller {
    fn add(installation: &Installation) -> Result<Self> {
        let made = ["reseller", "add", "--name", "Bench", "--currency", "USD"];
        let id = &installation.chore(&[&made[..], &["--json"]].concat())?["resellerId"];
        let reseller = id.to_string();
        let made = ["credential", "add", "--reseller", &reseller];
        let kind = ["--kind", "logicboxes", "--json"];
        let made = installation.chore(&[&made[..], &kind].concat())?;
        let part = |name: &str| {
            let part = made[name].as_str();
            part.with_context(|| format!("no {name} in {made}"))
        };
        let credential = format!(
            "auth-userid={}&api-key={}",
            part("username")?,
            part("password")?
        );
        Ok(Self {
            reseller,
            credential,
        })
    }

    /// A call whose parameters are all in the query, as many clients send them.
    fn call(&self, method: &str, path: &str, parameters: &str) -> Vec<u8> {
        let credential = &self.credential;
        let path = format!("/api/contacts/{path}.json?{credential}&{parameters}");
        request(method, &path, "content-length: 0\r\n", &[])
    }

    fn add_request(&self, n: u64) -> Vec<u8> {
        let reseller = &self.reseller;
        let parameters = format!(
            "name=Ben+Chmark+{n}&company=Bench+{n}+Ltd&email=ben{n}%40shop.example&address-line-1=1+High+Street\
             &city=Kuala+Lumpur&state=Selangor&country=MY&zipcode=57100&phone-cc=60&phone=36506503\
             &customer-id={reseller}&type=Contact"
        );
        self.call("POST", "add", &parameters)
    }
}

/// Adds contacts and keeps their ids.
struct Add {
    round: Round,
    ids: Vec<u64>,
}

impl Client for Add {
    fn request(&mut self) -> Option<&[u8]> {
        self.round.request()
    }

    fn answered(&mut self, answer: &Answer<'_>) -> Result<()> {
        let id = serde_json::from_slice(answer.body).context("no bare integer")?;
        self.ids.push(id);
        Ok(())
    }
}

fn add(
    server: &Chancery,
    database: &Database,
    options: &Options,
    caller: &Caller,
) -> Result<(Work, Vec<u64>)> {
    let requests: Rc<[Vec<u8>]> = (0..VARIETY).map(|n| caller.add_request(n)).collect();
    let clients = Round::clients(options.connections, &requests);
    let clients = clients.map(|round| Add {
        round,
        ids: Vec::new(),
    });
    let clients: Vec<Add> = clients.collect();
    let mut ids = Vec::new();
    let work = work(server, database, async |address| {
        let (measured, clients) = load::run(address, clients, options.time()).await?;
        ids = clients.into_iter().flat_map(|client| client.ids).collect();
        Ok(measured)
    })?;
    Ok((work, ids))
}

fn details(
    server: &Chancery,
    database: &Database,
    options: &Options,
    caller: &Caller,
    ids: &[u64],
) -> Result<Work> {
    ensure!(!ids.is_empty(), "no contact was added");
    let spread = ids.len().div_ceil(4_096).max(1);
    let request = |id: &u64| caller.call("GET", "details", &format!("contact-id={id}"));
    let requests: Rc<[Vec<u8>]> = ids.iter().step_by(spread).map(request).collect();
    let clients = Round::clients(options.connections, &requests).collect();
    work(server, database, async |address| {
        Ok(load::run(address, clients, options.time()).await?.0)
    })
}

/// A kind of search.
struct Case {
    name: &'static str,
    /// The filters, by a number of a contact.
    filters: fn(u64) -> String,
}

const CASES: [Case; 5] = [
    Case {
        name: "whole name, a few of a million",
        filters: |n| format!("name={}+{}", given(n), family(n)),
    },
    Case {
        name: "family name, 200 of a million",
        filters: |n| format!("name={}", family(n)),
    },
    Case {
        name: "given name, 1,000 of a million",
        filters: |n| format!("name={}", given(n)),
    },
    Case {
        name: "name of every hundredth",
        filters: |_| "name=john+smith".to_owned(),
    },
    Case {
        name: "e-mail address, one of a million",
        filters: |n| format!("email=person{n}%40shop.example"),
    },
];

fn given(n: u64) -> String {
    format!("Given{}", 1_000 + n % 1_000)
}

fn family(n: u64) -> String {
    format!("Family{}", 10_000 + n * 7_919 % 5_000)
}

/// The n-th contacts. `$numbers` is the engine's way to count.
const CONTACTS: &str = "
    insert into contacts (id, reseller_id, customer_id, role, kind, details, attributes, created_at,
        modified_at, version, is_indexed)
    $numbers
    select 1000000000 + n, $reseller, $reseller, 'administrator', 'Contact',
        '{\"company\":\"Works ' || n || ' Ltd\",\"name\":\"' || name
            || '\",\"address1\":\"1 High Street\",\"address2\":null,\"city\":\"Kuala Lumpur\",\"state\":\"Selangor\"'
            || ',\"country\":\"MY\",\"zip\":\"57100\",\"phone\":\"+60.36506503\",\"fax\":null,\"email\":\"person'
            || n || '@shop.example\",\"job_title\":null}',
        '{}', 1700000000000000 + n, 1700000000000000 + n, 1, 0
    from (
        select n, case when n % 100 = 0 then 'John Smith'
            else 'Given' || (1000 + n % 1000) || ' Family' || (10000 + n * 7919 % 5000) end as name
        from numbers) as named";

const TO_INDEX: &str = "select count(*) from contacts where is_indexed = 0";

fn fill(database: &Database, caller: &Caller, count: u64) -> Result<()> {
    let sql = |numbers: &str| {
        let sql = CONTACTS.replace("$numbers", numbers);
        let sql = sql.replace("$count", &count.to_string());
        sql.replace("$reseller", &caller.reseller)
    };
    match database {
        Database::Sqlite(file) => {
            let numbers = "with recursive numbers (n) as (
                select 1 union all select n + 1 from numbers where n < $count)";
            let connection = rusqlite::Connection::open(file)?;
            connection.execute_batch(&sql(numbers))?;
            Ok(connection.execute_batch("pragma wal_checkpoint(truncate)")?)
        }
        Database::Postgres { url, .. } => load::block_on(async {
            let numbers = "with numbers (n) as (
                select n from generate_series(cast(1 as bigint), $count) as s (n))";
            let (client, driver) = tokio_postgres::connect(url, NoTls).await?;
            let driver = tokio::spawn(driver);
            client.batch_execute(&sql(numbers)).await?;
            client.batch_execute("vacuum (analyze)").await?;
            drop(client);
            driver.await??;
            Ok(())
        }),
    }
}

/// What searches go by is made by the server, in its own time.
fn wait_for_index(database: &Database) -> Result<Duration> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1_800) {
        let left: i64 = match database {
            Database::Sqlite(file) => {
                let connection = rusqlite::Connection::open(file)?;
                connection.query_row(TO_INDEX, [], |row| row.get(0))?
            }
            Database::Postgres { url, .. } => load::block_on(async {
                let (client, driver) = tokio_postgres::connect(url, NoTls).await?;
                let driver = tokio::spawn(driver);
                let left = client.query_one(TO_INDEX, &[]).await?.get(0);
                drop(client);
                driver.await??;
                Ok(left)
            })?,
        };
        if left == 0 {
            return Ok(began.elapsed());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    bail!("the contacts were not indexed");
}

/// Sends one kind of searches for a while, after a while that does not count.
fn search(
    server: &Chancery,
    options: &Options,
    caller: &Caller,
    case: &Case,
    many: u64,
) -> Result<Measured> {
    let one = |turn: u64| {
        // A number far from the one before, and never of a John Smith.
        let n = (turn * 2_654_435_761 + 12_345) % many / 100 * 100 + 1 + turn % 99;
        let filters = (case.filters)(n);
        let reseller = &caller.reseller;
        let page = format!("customer-id={reseller}&no-of-records={PAGE_SIZE}&page-no=1");
        caller.call("GET", "search", &format!("{page}&{filters}"))
    };
    let requests: Rc<[Vec<u8>]> = (0..VARIETY).map(one).collect();
    load::block_on(async {
        let mut connection = HttpConnection::open(server.address).await?;
        let answer: Value = connection.json(&requests[0]).await?;
        let found = answer["recsindb"].as_str().unwrap_or("0");
        ensure!(found != "0", "{} finds nothing: {answer}", case.name);
        let clients = || Round::clients(SEARCHERS, &requests).collect();
        load::run(server.address, clients(), options.time() / 5).await?;
        Ok(load::run(server.address, clients(), options.time())
            .await?
            .0)
    })
}

impl ContactsReport {
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        self.write(&mut text)
            .expect("a String takes all that is written");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let versions: Vec<&str> = self.engines.iter().map(|f| &f.version[..]).collect();
        writeln!(
            out,
            "{}; {} connections, for searches {SEARCHERS}, in pages of {PAGE_SIZE} among {}. Before the run, other \
             programs kept {:.2} processors busy.\n",
            versions.join("; "),
            self.connections,
            thousands(self.many as f64),
            self.foreign
        )?;
        writeln!(
            out,
            "| work | engine | a second | p50 ms | p99 ms | aim | met | server µs | database server µs |"
        )?;
        writeln!(out, "|---|---|--:|--:|--:|--:|---|--:|--:|")?;
        for found in &self.engines {
            let rows = [
                ("add a contact", &found.add, ADD_AIM),
                ("contact details", &found.details, DETAILS_AIM),
            ];
            for (name, work, aim) in rows {
                let Work { measured, cpu } = work;
                let [server, database, _] = cpu;
                // The aims are for the embedded default; the other engine is told for comparison.
                let (aim, met) = match found.engine {
                    Engine::Sqlite => (
                        format!("≥ {} a second", thousands(aim)),
                        word(measured.rate() >= aim),
                    ),
                    Engine::Postgres => (String::new(), ""),
                };
                let row = row(name, found.engine, measured, &aim, met);
                writeln!(out, "{row} {server:.0} | {database:.0} |")?;
            }
            for (name, measured) in &found.searches {
                let aim = format!("p99 ≤ {SEARCH_AIM_MILLIS:.0} ms");
                let met = word(measured.millis(99) <= SEARCH_AIM_MILLIS);
                let name = format!("search: {name}");
                let row = row(&name, found.engine, measured, &aim, met);
                writeln!(out, "{row} | |")?;
            }
        }
        writeln!(out)?;
        for found in &self.engines {
            writeln!(
                out,
                "{}: the server indexed {} contacts in {:.0} s.",
                title(found.engine),
                thousands(self.many as f64),
                found.indexed.as_secs_f64()
            )?;
        }
        Ok(())
    }
}

fn row(name: &str, engine: Engine, measured: &Measured, aim: &str, met: &str) -> String {
    format!(
        "| {name} | {} | {} | {:.2} | {:.2} | {aim} | {met} |",
        title(engine),
        thousands(measured.rate()),
        measured.millis(50),
        measured.millis(99),
    )
}
