//! The shipped program, started as an operator would start it, in OTE mode with a data folder of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a start or a stop may take before something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// One installation: a program, its data folder and its database.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub(crate) program: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) database: String,
}

/// A server that runs. Killed when dropped.
pub(crate) struct Chancery {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Kept open: a server whose output nobody takes would stumble over it.
    _output: BufReader<ChildStdout>,
}

impl Installation {
    /// Starts the server and waits until it answers.
    pub(crate) fn start(&self, listen: SocketAddr) -> Result<Chancery> {
        let mut command = self.command();
        command.args(["serve", "--ote", "--listen", &listen.to_string()]);
        command.args(["--data".as_ref(), self.data.as_os_str()]);
        command.args(["--database", &self.database]);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| self.program.display().to_string())?;
        let output = child.stdout.take().context("the server has no output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        let address = loop {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                bail!("the server did not start: {}", child.wait()?);
            }
            if let Some((_, address)) = line.trim().split_once("listens on http://") {
                break address.parse()?;
            }
        };
        Ok(Chancery {
            child,
            address,
            _output: output,
        })
    }

    /// Runs one of the operator's chores and reads the JSON it prints.
    pub(crate) fn chore(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.run(arguments)?;
        serde_json::from_str(&text).with_context(|| format!("{arguments:?} printed {text}"))
    }

    /// Runs one of the operator's chores and returns what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command();
        command.args(arguments);
        command.args(["--data".as_ref(), self.data.as_os_str()]);
        command.args(["--database", &self.database]);
        let output = command.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "{arguments:?}: {}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The program with no settings but ours.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CHANCERY_") {
                command.env_remove(name);
            }
        }
        command.env("CHANCERY_LOG", "warn");
        for listener in ["DNS", "WEB", "SMTP"] {
            command.env(format!("CHANCERY_OTE_{listener}_LISTEN"), "127.0.0.1:0");
        }
        command
    }
}

impl Chancery {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the server ended with {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the server did not stop");
    }
}

impl Drop for Chancery {
    fn drop(&mut self) {
        // It has ended already, unless something went wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long a start takes, from starting the process to the first 200 of `/health`.
pub(crate) fn start_up(
    installation: &Installation,
    address: SocketAddr,
) -> Result<(Chancery, Duration)> {
    let began = Instant::now();
    let watcher = std::thread::spawn(move || -> Result<Duration> {
        while began.elapsed() < PATIENCE {
            if is_healthy(address) {
                return Ok(began.elapsed());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        bail!("the server did not become healthy");
    });
    let server = installation.start(address)?;
    let took = watcher
        .join()
        .map_err(|_| anyhow::anyhow!("the watcher panicked"))??;
    Ok((server, took))
}

fn is_healthy(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200 "))
    };
    ask().unwrap_or(false)
}

/// The database of an installation that keeps it in a file.
pub(crate) fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}
