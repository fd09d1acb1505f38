//! The part of the command line that is about jobs.

use chancery_app::JobFilter;
use clap::Subcommand;

use super::{OperatorFlag, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// List jobs: those that gave up, unless others are asked for
    List {
        /// Which: `parked` gave up, `failing` are tried again, `waiting` wait for their time or run, or `all`
        #[arg(long, default_value = "parked", value_parser = filter)]
        state: JobFilter,
        /// Only those about this order
        #[arg(long, value_name = "ID")]
        order: Option<i64>,
        /// At most so many lines
        #[arg(long, value_name = "LINES", default_value_t = 100)]
        limit: u32,
        /// Answer in JSON, a line for each
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show a job
    Show {
        /// The job's id
        #[arg(long)]
        id: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Make a job due at once, whether it waits, fails or gave up; a run under way counts for nothing
    Run {
        /// The job's id
        #[arg(long)]
        id: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
    /// Put a job that gave up back into the queue
    Retry {
        /// The job's id
        #[arg(long)]
        id: i64,
        #[command(flatten)]
        operator: OperatorFlag,
        #[command(flatten)]
        place: Place,
    },
}

fn filter(text: &str) -> Result<JobFilter, String> {
    match text {
        "parked" => Ok(JobFilter::Parked),
        "failing" => Ok(JobFilter::Failing),
        "waiting" => Ok(JobFilter::Waiting),
        "all" => Ok(JobFilter::All),
        _ => Err("it is one of: parked, failing, waiting, all".to_owned()),
    }
}
