//! The table: what was reached, what it is held against, and whether the aim was met.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::Engine;
use crate::engines::{Findings, Work};
use crate::limits::ROWS;
use crate::load::Measured;

/// What writes a table; its marks in the file name it.
pub(crate) const BENCH: &str = "make bench";
pub(crate) const BENCH_CONTACTS: &str = "make bench, contacts";
pub(crate) const BENCH_SILENCE: &str = "make bench, silence";
pub(crate) const BENCH_SEARCHES: &str = "make bench-searches";

const RESIDENT_AIM: f64 = 100.0;
const START_AIM: f64 = 1.0;

/// Everything one run found.
pub(crate) struct Report {
    pub(crate) processors: usize,
    pub(crate) orders: usize,
    pub(crate) connections: usize,
    pub(crate) resellers: usize,
    /// How many processors others kept busy when the run began.
    pub(crate) foreign: f64,
    /// P-256 signatures a second of one processor.
    pub(crate) signatures: f64,
    pub(crate) empty: Measured,
    /// Signed and stored, without a flush for each commit; and with one.
    pub(crate) cfssl: Measured,
    pub(crate) durable_cfssl: Measured,
    pub(crate) cfssl_version: String,
    pub(crate) engines: Vec<Findings>,
}

/// What a rate is held against.
struct Yardstick {
    name: &'static str,
    rate: f64,
    /// The least share of it to be reached, where there is an aim.
    aim: Option<f64>,
}

impl Report {
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        self.write(&mut text)
            .expect("a String takes all that is written");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let versions: Vec<&str> = self.engines.iter().map(|f| f.version.as_str()).collect();
        writeln!(
            out,
            "{} processors, for the server, its database and the load generator together; {}; cfssl {}. \
             {} connections of {} resellers. Before the run, other programs kept {:.2} processors busy.\n",
            self.processors,
            versions.join("; "),
            self.cfssl_version,
            self.connections,
            self.resellers,
            self.foreign,
        )?;
        self.write_reached(out)?;
        writeln!(out)?;
        self.write_limits(out)?;
        writeln!(out)?;
        self.write_costs(out)
    }

    fn write_reached(&self, out: &mut String) -> std::fmt::Result {
        out.push_str("| work | engine | a second | p50 ms | p99 ms | held against | its rate | ratio | aim | met |\n");
        out.push_str("|---|---|--:|--:|--:|---|--:|--:|--:|---|\n");
        for found in &self.engines {
            for (work, measured, yardstick) in self.rows(found) {
                let ratio = measured.rate() / yardstick.rate;
                let (aim, met) = match yardstick.aim {
                    Some(aim) => (format!("≥ {aim:.2}"), word(ratio >= aim)),
                    None => (String::new(), ""),
                };
                writeln!(
                    out,
                    "| {work} | {} | {} | {:.2} | {:.2} | {} | {} | {ratio:.2} | {aim} | {met} |",
                    title(found.engine),
                    thousands(measured.rate()),
                    measured.millis(50),
                    measured.millis(99),
                    yardstick.name,
                    thousands(yardstick.rate),
                )?;
            }
        }
        writeln!(out)?;
        out.push_str("| on a database of so many orders | engine | reached | aim | met |\n");
        out.push_str("|---|---|--:|--:|---|\n");
        for found in &self.engines {
            let (engine, orders) = (title(found.engine), thousands(self.orders as f64));
            let megabytes = found.resident_bytes as f64 / 1e6;
            let seconds = found.start_up.as_secs_f64();
            writeln!(
                out,
                "| resident memory after {orders} | {engine} | {megabytes:.0} MB | < {RESIDENT_AIM:.0} MB | {} |",
                word(megabytes < RESIDENT_AIM)
            )?;
            writeln!(
                out,
                "| start-up, to the first 200 of `/health`, on {orders} | {engine} | {seconds:.2} s | < {START_AIM:.0} s | {} |",
                word(seconds < START_AIM)
            )?;
        }
        Ok(())
    }

    fn rows<'a>(&self, found: &'a Findings) -> [(&'static str, &'a Measured, Yardstick); 4] {
        let empty = |aim| Yardstick {
            name: "empty handler",
            rate: self.empty.rate(),
            aim,
        };
        let (placing, issuing) = match found.commits.ten_statements {
            None => {
                let one_row = Yardstick {
                    name: "one-row commits",
                    rate: found.commits.one_row,
                    aim: Some(1.5),
                };
                (one_row, 1.5)
            }
            Some(rate) => {
                let ten_statements = Yardstick {
                    name: "pipelined ten-statement commits",
                    rate,
                    aim: Some(0.5),
                };
                (ten_statements, 0.7)
            }
        };
        let peer = Yardstick {
            name: "cfssl, signed and stored",
            rate: self.cfssl.rate(),
            aim: Some(issuing),
        };
        [
            ("place to issued", &found.issue.measured, peer),
            ("place an order", &found.place.measured, placing),
            ("order info", &found.info.measured, empty(Some(0.5))),
            ("token", &found.token.measured, empty(None)),
        ]
    }

    fn write_limits(&self, out: &mut String) -> std::fmt::Result {
        out.push_str("| limit or peer | a second | p50 ms | p99 ms |\n|---|--:|--:|--:|\n");
        let signatures = thousands(self.signatures);
        writeln!(
            out,
            "| P-256 signatures, one processor | {signatures} | | |"
        )?;
        for (name, measured) in [
            ("empty handler, same listener", &self.empty),
            (
                "cfssl: P-256, signed and stored in SQLite, not flushed",
                &self.cfssl,
            ),
            ("the same, each commit flushed", &self.durable_cfssl),
        ] {
            writeln!(
                out,
                "| {name} | {} | {:.2} | {:.2} |",
                thousands(measured.rate()),
                measured.millis(50),
                measured.millis(99)
            )?;
        }
        for found in &self.engines {
            let engine = title(found.engine);
            let commits = &found.commits;
            let lines = [
                (Some(commits.one_row), "of one row".to_owned()),
                (Some(commits.many_rows), format!("of {ROWS} rows")),
                (
                    commits.ten_statements,
                    "of ten statements, pipelined".to_owned(),
                ),
            ];
            for (rate, what) in lines {
                if let Some(rate) = rate {
                    let rate = thousands(rate);
                    writeln!(out, "| {engine}: durable commits {what} | {rate} | | |")?;
                }
            }
        }
        Ok(())
    }

    fn write_costs(&self, out: &mut String) -> std::fmt::Result {
        out.push_str("| processor time for each, µs | engine | server | database server | load generator |\n");
        out.push_str("|---|---|--:|--:|--:|\n");
        for found in &self.engines {
            let rows: [(&str, &Work); 4] = [
                ("place to issued", &found.issue),
                ("place an order", &found.place),
                ("order info", &found.info),
                ("token", &found.token),
            ];
            for (name, work) in rows {
                let [server, database, generator] = work.cpu;
                let database = match found.engine {
                    Engine::Sqlite => "–".to_owned(),
                    Engine::Postgres => format!("{database:.0}"),
                };
                writeln!(
                    out,
                    "| {name} | {} | {server:.0} | {database} | {generator:.0} |",
                    title(found.engine)
                )?;
            }
        }
        Ok(())
    }
}

/// Writes a table between its marks, and leaves the rest of the file as it is.
pub(crate) fn keep(file: &Path, writer: &str, table: &str) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let text = replaced(&text, writer, table).context("the file lacks the marks of the table")?;
    Ok(fs::write(file, text)?)
}

fn replaced(text: &str, writer: &str, table: &str) -> Option<String> {
    let begin = format!("<!-- begin: written by {writer} -->");
    let end = format!("<!-- end: written by {writer} -->");
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    let table = table.trim_end();
    Some(format!("{before}{begin}\n\n{table}\n\n{end}{after}"))
}

pub(crate) fn title(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
    }
}

pub(crate) fn word(met: bool) -> &'static str {
    if met { "yes" } else { "**no**" }
}

/// A whole number, with commas.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(thousands(999.4), "999");
        assert_eq!(thousands(1_234.0), "1,234");
        assert_eq!(thousands(12_345_678.0), "12,345,678");
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let (begin, end) = (
            "<!-- begin: written by it -->",
            "<!-- end: written by it -->",
        );
        let text = format!("before {begin} old {end} after");
        let new = replaced(&text, "it", "new\n").unwrap();
        assert_eq!(new, format!("before {begin}\n\nnew\n\n{end} after"));
        assert!(replaced(&text, "another", "new").is_none());
    }
}
