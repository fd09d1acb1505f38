//! The real server on one database engine, from an empty database to 100,000 issued orders, and the limits of
//! that same database.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio_postgres::NoTls;

use crate::chancery::{Chancery, Installation, sqlite_url, start_up};
use crate::limits::{Load, ROWS, postgres_commits_a_second, sqlite_commits_a_second};
use crate::load::{self, Measured, Repeat};
use crate::orders::{Browse, Orders, Place, place_requests, place_to_issued};
use crate::processes::{cpu_seconds, own_cpu_seconds, parent, resident_bytes};
use crate::resellers::{Csrs, Reseller};
use crate::{Engine, Options, say};

/// What is found on one engine.
pub(crate) struct Findings {
    pub(crate) engine: Engine,
    pub(crate) version: String,
    pub(crate) token: Work,
    pub(crate) place: Work,
    pub(crate) info: Work,
    pub(crate) issue: Work,
    /// After all orders were placed, issued and looked at.
    pub(crate) resident_bytes: u64,
    pub(crate) start_up: Duration,
    pub(crate) commits: Commits,
}

/// One kind of work.
pub(crate) struct Work {
    pub(crate) measured: Measured,
    /// Microseconds of processor time for each piece: the server's, the database server's, and the load
    /// generator's.
    pub(crate) cpu: [f64; 3],
}

/// Durable commits a second of the database alone.
pub(crate) struct Commits {
    pub(crate) one_row: f64,
    pub(crate) many_rows: f64,
    /// Not measured where there is no round trip to save.
    pub(crate) ten_statements: Option<f64>,
}

/// Where the database is.
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres {
        url: String,
        /// The process that all of the server's processes descend from.
        postmaster: u32,
    },
}

/// Measures something on each engine, in a folder that goes when it is done.
pub(crate) fn on_each<T>(
    options: &Options,
    measure: impl Fn(Engine, &Path) -> Result<T>,
) -> Result<Vec<T>> {
    let folder = options.a_folder()?;
    let one = |engine: Engine| {
        let data = folder.path().join(engine.name());
        fs::create_dir(&data)?;
        let found = measure(engine, &data)?;
        fs::remove_dir_all(&data)?;
        Ok(found)
    };
    options.engines().into_iter().map(one).collect()
}

/// Runs everything on one engine.
pub(crate) fn measure(
    engine: Engine,
    options: &Options,
    folder: &Path,
    csrs: &Csrs,
) -> Result<Findings> {
    let data = folder.join(engine.name());
    fs::create_dir(&data)?;
    let (database, version) = create(engine, options, &data, "")?;
    let installation = Installation {
        program: options.chancery()?,
        data,
        database: database.url(),
    };

    say(&format!("{version}: setting up"));
    let server = installation.start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = server.address;
    let resellers = Reseller::add_all(&installation, address, options.resellers)?;
    for reseller in &resellers {
        load::block_on(reseller.prove(address))?;
    }
    let bed = Bed {
        server,
        database: &database,
        options,
        resellers: &resellers,
    };

    say("tokens");
    let token = bed.tokens()?;
    say("place to issued");
    let (issue, orders) = bed.issue(csrs)?;
    say("order info");
    let info = bed.info(&orders)?;
    let resident_bytes = resident_bytes(bed.server.pid())?;
    say("starting again");
    bed.server.stop()?;
    let (server, start_up) = start_up(&installation, address)?;
    let bed = Bed { server, ..bed };
    say("placing");
    let place = bed.place(csrs)?;
    bed.server.stop()?;
    let audit = installation.run(&["balance", "audit"])?;
    ensure!(audit.contains("agrees with the ledger"), "{audit}");
    say("limits of the database");
    Ok(Findings {
        engine,
        version,
        token,
        place,
        info,
        issue,
        resident_bytes,
        start_up,
        commits: commits(&database, options.time())?,
    })
}

/// A server with resellers, ready for load.
struct Bed<'a> {
    server: Chancery,
    database: &'a Database,
    options: &'a Options,
    resellers: &'a [Reseller],
}

impl Bed<'_> {
    fn tokens(&self) -> Result<Work> {
        let clients = (0..self.options.connections)
            .map(|at| Repeat(self.resellers[at % self.resellers.len()].token_request()))
            .collect();
        self.work(
            |address| async move { Ok(load::run(address, clients, self.options.time()).await?.0) },
        )
    }

    fn info(&self, orders: &Orders) -> Result<Work> {
        let clients = Browse::clients(self.options.connections, self.resellers, orders);
        self.work(
            |address| async move { Ok(load::run(address, clients, self.options.time()).await?.0) },
        )
    }

    fn issue(&self, csrs: &Csrs) -> Result<(Work, Orders)> {
        let requests = place_requests(self.resellers, &csrs.proved);
        let mut orders = Vec::new();
        let work = self.work(async |address| {
            let (measured, placed) = place_to_issued(
                address,
                self.options.connections,
                self.resellers,
                &requests,
                self.options.orders,
            )
            .await?;
            orders = placed;
            Ok(measured)
        })?;
        Ok((work, orders))
    }

    /// Places orders that wait for proof. Less time than it takes until the platform looks for the first.
    fn place(&self, csrs: &Csrs) -> Result<Work> {
        let requests = place_requests(self.resellers, &csrs.unproved);
        let clients = Place::clients(self.options.connections, &requests, usize::MAX);
        let time = self.options.time().min(Duration::from_millis(4_500));
        self.work(|address| async move { Ok(load::run(address, clients, time).await?.0) })
    }

    fn work(&self, run: impl AsyncFnOnce(SocketAddr) -> Result<Measured>) -> Result<Work> {
        work(&self.server, self.database, run)
    }
}

/// Runs a load, and tells what each process spent on it.
pub(crate) fn work(
    server: &Chancery,
    database: &Database,
    run: impl AsyncFnOnce(SocketAddr) -> Result<Measured>,
) -> Result<Work> {
    let spent = || -> Result<[f64; 3]> {
        let database = match database {
            Database::Sqlite(_) => 0.0,
            Database::Postgres { postmaster, .. } => cpu_seconds(*postmaster)?,
        };
        Ok([cpu_seconds(server.pid())?, database, own_cpu_seconds()?])
    };
    let before = spent()?;
    let measured = load::block_on(run(server.address))?;
    let after = spent()?;
    let each = |at: usize| (after[at] - before[at]) * 1e6 / measured.count as f64;
    let cpu = [each(0), each(1), each(2)];
    say(&format!("  {:.0} a second", measured.rate()));
    Ok(Work { measured, cpu })
}

fn commits(database: &Database, time: Duration) -> Result<Commits> {
    match database {
        Database::Sqlite(file) => Ok(Commits {
            one_row: sqlite_commits_a_second(file, 1, time)?,
            many_rows: sqlite_commits_a_second(file, ROWS, time)?,
            ten_statements: None,
        }),
        Database::Postgres { url, .. } => Ok(Commits {
            one_row: postgres_commits_a_second(url, Load::OneRow, time)?,
            many_rows: postgres_commits_a_second(url, Load::ManyRows, time)?,
            ten_statements: Some(postgres_commits_a_second(url, Load::TenStatements, time)?),
        }),
    }
}

/// Makes an empty database, in the folder or on the server of PostgreSQL; tells the version of its engine.
pub(crate) fn create(
    engine: Engine,
    options: &Options,
    folder: &Path,
    suffix: &str,
) -> Result<(Database, String)> {
    match engine {
        Engine::Sqlite => {
            let version = format!("SQLite {}", rusqlite::version());
            Ok((Database::Sqlite(folder.join("chancery.db")), version))
        }
        Engine::Postgres => load::block_on(create_database(options.postgres()?, suffix)),
    }
}

impl Database {
    /// As the server is told of it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(file) => sqlite_url(file),
            Self::Postgres { url, .. } => url.clone(),
        }
    }

    /// Gives the disk back that a database on a server takes; a file goes with its folder.
    pub(crate) fn remove(&self, options: &Options) -> Result<()> {
        let Self::Postgres { url, .. } = self else {
            return Ok(());
        };
        let (_, name) = url.rsplit_once('/').context("the URL names no database")?;
        load::block_on(async {
            let (client, driver) = tokio_postgres::connect(options.postgres()?, NoTls).await?;
            let driver = tokio::spawn(driver);
            client
                .batch_execute(&format!("drop database {name}"))
                .await?;
            drop(client);
            driver.await??;
            Ok(())
        })
    }
}

/// Makes an empty database on the server that `superuser` leads to, to be reached by the server's socket: it
/// is on this machine, and TCP would only cost time.
async fn create_database(superuser: &str, suffix: &str) -> Result<(Database, String)> {
    let name = format!("chancery_bench{suffix}");
    let config: tokio_postgres::Config = superuser.parse()?;
    let user = config.get_user().context("the URL names no user")?;
    let (client, driver) = config.connect(NoTls).await?;
    let driver = tokio::spawn(driver);
    let setting = async |name: &str| -> Result<String> {
        const SQL: &str = "select current_setting($1)";
        Ok(client.query_one(SQL, &[&name]).await?.get(0))
    };
    for durability in ["fsync", "synchronous_commit", "full_page_writes"] {
        let value = setting(durability).await?;
        ensure!(
            value == "on",
            "the PostgreSQL server has {durability} {value}"
        );
    }
    for sql in ["drop database if exists", "create database"] {
        client.batch_execute(&format!("{sql} {name}")).await?;
    }
    let sockets = setting("unix_socket_directories").await?;
    let folder = sockets.split(',').next().unwrap_or_default().trim();
    let folder = folder.replace('%', "%25").replace('/', "%2F");
    let port = setting("port").await?;
    let version = setting("server_version").await?;
    let version = version.split(' ').next().unwrap_or_default();
    let backend: i32 = client
        .query_one("select pg_backend_pid()", &[])
        .await?
        .get(0);
    let database = Database::Postgres {
        url: format!("postgres://{user}@{folder}:{port}/{name}"),
        postmaster: parent(u32::try_from(backend)?)?,
    };
    drop(client);
    driver.await??;
    Ok((database, format!("PostgreSQL {version}")))
}
