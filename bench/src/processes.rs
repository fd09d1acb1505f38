//! What the system says about processes: processor time and memory, from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The system counts processor time in hundredths of a second, on every platform Debian has.
const TICKS_A_SECOND: f64 = 100.0;

/// Seconds of processor time of this process alone.
pub(crate) fn own_cpu_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let stat = Stat::parse(&text).context("stat")?;
    Ok(stat.own_ticks as f64 / TICKS_A_SECOND)
}

/// Seconds of processor time of a process and of all that descend from it, the ended ones included.
pub(crate) fn cpu_seconds(root: u32) -> Result<f64> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end while we look.
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat"))
            && let Some(stat) = Stat::parse(&text)
        {
            all.insert(pid, stat);
        }
    }
    let descends = |pid: u32| {
        let mut at = pid;
        while at != root {
            match all.get(&at) {
                Some(stat) => at = stat.parent,
                None => return false,
            }
        }
        true
    };
    let mine = all.iter().filter(|(pid, _)| descends(**pid));
    let ticks: u64 = mine.map(|(_, stat)| stat.ticks).sum();
    Ok(ticks as f64 / TICKS_A_SECOND)
}

/// The processor time of the calling thread.
pub(crate) fn thread_cpu() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split_ascii_whitespace().next().context("schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// Bytes of memory that a process holds.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kilobytes.context("VmRSS")?.parse::<u64>()? * 1024)
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Result<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(Stat::parse(&text).context("stat")?.parent)
}

/// How many processors were busy over the last moments, whoever kept them so.
pub(crate) fn busy_processors(time: Duration) -> Result<f64> {
    let before = busy_ticks()?;
    std::thread::sleep(time);
    let ticks = busy_ticks()?.saturating_sub(before);
    Ok(ticks as f64 / TICKS_A_SECOND / time.as_secs_f64())
}

fn busy_ticks() -> Result<u64> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("stat")?;
    let fields = line
        .split_ascii_whitespace()
        .skip(1)
        .map(str::parse::<u64>)
        .collect::<Result<Vec<_>, _>>()?;
    // The fourth and fifth are idle and waiting for a disk; those after the eighth repeat the first two.
    let busy = fields.iter().take(8).enumerate();
    Ok(busy
        .filter(|(at, _)| *at != 3 && *at != 4)
        .map(|(_, ticks)| ticks)
        .sum())
}

struct Stat {
    parent: u32,
    own_ticks: u64,
    /// Those of its own and of its children that have ended.
    ticks: u64,
}

impl Stat {
    /// Reads a line of `/proc/PID/stat` (proc(5)); the name, in parentheses, may hold anything.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let sum = |fields: &[&str]| {
            let ticks = fields.iter().map(|field| field.parse::<u64>().ok());
            ticks.sum::<Option<u64>>()
        };
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own_ticks: sum(fields.get(11..13)?)?,
            ticks: sum(fields.get(11..15)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let line = "7 (a) b) c) S 3 7 7 0 -1 0 0 0 0 0 11 12 13 14 20 0 1 0 5";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.parent, stat.own_ticks, stat.ticks), (3, 23, 50));
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let own = std::process::id();
        assert!(resident_bytes(own).unwrap() > 100_000);
        assert!(cpu_seconds(own).unwrap() >= 0.0);
        assert!(parent(own).unwrap() > 0);
        assert!(thread_cpu().unwrap() > Duration::ZERO);
    }
}
