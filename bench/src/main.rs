//! Measures the shipped server in one run on one machine: what it reaches, and beside it what the machine and a
//! peer can do, so that the ratios mean something. Writes a table into `docs/performance.md`.
//!
//! It is a client like any other: the server is the release binary, in a process of its own, over HTTP. It
//! never ships.

mod cfssl;
mod chancery;
mod contacts;
mod empty_server;
mod engines;
mod filling;
mod http;
mod limits;
mod load;
mod orders;
mod processes;
mod report;
mod resellers;
mod searches;
mod silence;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use tempfile::TempDir;

use crate::cfssl::Durability;
use crate::limits::EmptyServer;
use crate::load::Repeat;
use crate::report::Report;
use crate::resellers::Csrs;

#[derive(Parser)]
#[command(about = "Measures the server beside the limits of this machine and a peer")]
pub(crate) struct Options {
    #[command(subcommand)]
    child: Option<Part>,
    /// A short run, to see that everything works; its numbers mean little
    #[arg(long)]
    quick: bool,
    /// Measure on this engine only; the report is then printed, not kept
    #[arg(long, global = true)]
    engine: Option<Engine>,
    /// Seconds for each measurement
    #[arg(long, global = true, default_value_t = 5.0)]
    seconds: f64,
    /// Orders to be issued
    #[arg(long, default_value_t = 100_000)]
    orders: usize,
    /// Connections of the load generator
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Resellers that order
    #[arg(long, default_value_t = 8)]
    resellers: usize,
    /// The program to measure; the one built beside this one, unless said otherwise
    #[arg(long, value_name = "FILE")]
    chancery: Option<PathBuf>,
    /// Where data folders are made; must be a real disk
    #[arg(long, global = true, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// A superuser's URL of a PostgreSQL server
    #[arg(long, env = "TEST_POSTGRES", value_name = "URL")]
    postgres: Option<String>,
    /// Keep the report in this file, between its marks
    #[arg(long, global = true, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Part {
    /// Serve empty answers; started by the program itself
    #[command(hide = true)]
    EmptyServer,
    /// Add, read and search contacts over the LogicBoxes dialect; a part of the whole run, too
    Contacts {
        /// How many contacts names are searched among
        #[arg(long, default_value_t = contacts::MANY)]
        many: u64,
    },
    /// Place orders while two thousand names are silent; a part of the whole run, too
    Silence,
    /// Search among ten thousand and among ten million orders; takes a quarter of an hour and 15 GB of disk
    Searches {
        /// How many orders the longer list has
        #[arg(long, default_value_t = 10_000_000)]
        many: u64,
        /// How many orders the shorter list has
        #[arg(long, default_value_t = 10_000)]
        few: u64,
    },
}

/// A database engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Options {
    /// How long one measurement takes.
    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// The engines to measure on, one after the other.
    fn engines(&self) -> Vec<Engine> {
        match self.engine {
            Some(engine) => vec![engine],
            None => vec![Engine::Sqlite, Engine::Postgres],
        }
    }

    /// A folder of this run's own.
    fn a_folder(&self) -> Result<TempDir> {
        let mut folder = tempfile::Builder::new();
        Ok(folder.prefix("chancery-bench.").tempdir_in(&self.folder)?)
    }

    fn chancery(&self) -> Result<PathBuf> {
        match &self.chancery {
            Some(file) => Ok(file.clone()),
            None => Ok(std::env::current_exe()?.with_file_name("chancery")),
        }
    }

    fn postgres(&self) -> Result<&str> {
        let url = self.postgres.as_deref();
        url.context("no PostgreSQL: set --postgres or TEST_POSTGRES")
    }
}

fn main() -> Result<()> {
    let mut options = Options::parse();
    if let Some(Part::EmptyServer) = options.child {
        return empty_server::serve();
    }
    if let Some(Part::Searches { few, many }) = options.child {
        let table = searches::measure(&options, [few, many])?.markdown();
        println!("{table}");
        let is_whole = many == 10_000_000 && options.engine.is_none();
        return keep(&options, is_whole, report::BENCH_SEARCHES, &table);
    }
    if let Some(Part::Contacts { many }) = options.child {
        return measure_contacts(&options, many);
    }
    if let Some(Part::Silence) = options.child {
        return measure_silence(&options);
    }
    if options.quick {
        options.seconds = options.seconds.min(1.0);
        options.orders = options.orders.min(4_000);
    }
    ensure!(options.resellers > 0 && options.connections >= options.resellers);
    let report = measure(&options)?;
    let table = report.markdown();
    println!("{table}");
    let is_whole = !options.quick && options.engine.is_none();
    keep(&options, is_whole, report::BENCH, &table)?;
    let many = if options.quick {
        10_000
    } else {
        contacts::MANY
    };
    measure_contacts(&options, many)?;
    measure_silence(&options)
}

fn measure_silence(options: &Options) -> Result<()> {
    let table = silence::measure(options)?.markdown();
    println!("{table}");
    keep(
        options,
        options.engine.is_none(),
        report::BENCH_SILENCE,
        &table,
    )
}

fn measure_contacts(options: &Options, many: u64) -> Result<()> {
    let table = contacts::measure(options, many)?.markdown();
    println!("{table}");
    let is_whole = many == contacts::MANY && options.engine.is_none();
    keep(options, is_whole, report::BENCH_CONTACTS, &table)
}

/// Keeps a table in the file, if one is asked for.
fn keep(options: &Options, is_whole: bool, writer: &str, table: &str) -> Result<()> {
    if let Some(file) = &options.report {
        ensure!(is_whole, "a partial run is not worth keeping");
        report::keep(file, writer, table)?;
        say(&format!("written to {}", file.display()));
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Report> {
    let foreign = processes::busy_processors(Duration::from_secs(2))?;
    if foreign > 0.1 {
        say(&format!(
            "beware: other programs keep {foreign:.1} processors busy"
        ));
    }
    let folder = options.a_folder()?;
    say("making CSRs");
    let csrs = Csrs::make(2_000)?;
    say("signatures");
    let signatures = limits::signatures_a_second(options.time())?;
    say("empty handler");
    let empty = {
        let server = EmptyServer::start()?;
        let request = http::request("GET", "/", "", &[]);
        let clients = (0..options.connections).map(|_| Repeat(request.clone()));
        let run = load::run(server.address, clients.collect(), options.time());
        load::block_on(run)?.0
    };
    say("cfssl");
    let peer = |durability| {
        let connections = options.connections;
        let (folder, time) = (folder.path(), options.time());
        cfssl::measure(folder, &csrs.proved, connections, durability, time)
    };
    let cfssl = peer(Durability::AsItComes)?;
    let durable_cfssl = peer(Durability::Full)?;
    let engines = options
        .engines()
        .into_iter()
        .map(|engine| engines::measure(engine, options, folder.path(), &csrs))
        .collect::<Result<_>>()?;
    Ok(Report {
        processors: std::thread::available_parallelism()?.get(),
        orders: options.orders,
        connections: options.connections,
        resellers: options.resellers,
        foreign,
        signatures,
        empty,
        cfssl,
        durable_cfssl,
        cfssl_version: cfssl::version()?,
        engines,
    })
}

/// Tells on standard error how far we are.
pub(crate) fn say(what: &str) {
    eprintln!("{what}");
}
