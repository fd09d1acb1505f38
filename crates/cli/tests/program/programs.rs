//! Starting the binary, and stopping it in all ways.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chancery_testkit::{
    Database, Engine, Http, LogicBoxes, Panel, Signal, World, python, send_signal,
    within_file_limits,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

/// A data folder and a database, for one server at a time.
pub struct Installation {
    pub folder: TempDir,
    pub database: Database,
}

/// A server that runs.
pub struct Running {
    pub address: SocketAddr,
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

/// What a chore left behind.
#[derive(Debug)]
pub struct Outcome {
    pub succeeded: bool,
    pub printed: String,
    pub complained: String,
}

impl Outcome {
    fn of(output: &std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            succeeded: output.status.success(),
            printed: text(&output.stdout),
            complained: text(&output.stderr),
        }
    }
}

impl Installation {
    pub async fn new(engine: Engine) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            database: Database::create(engine).await,
        }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The flags that say where it is.
    pub fn place(&self) -> Vec<String> {
        let mut flags = vec!["--data".to_owned(), self.data().display().to_string()];
        if let Some(url) = &self.database.url {
            flags.extend(["--database".to_owned(), url.clone()]);
        }
        flags
    }

    /// The URL of its database.
    pub fn database_url(&self) -> String {
        let file = || format!("sqlite://{}/chancery.db", self.data().display());
        self.database.url.clone().unwrap_or_else(file)
    }

    /// Starts the server in OTE mode and waits until it serves.
    pub async fn serve(&self) -> Running {
        self.serve_with(&[]).await
    }

    /// The same with environment variables.
    pub async fn serve_with(&self, variables: &[(&str, &str)]) -> Running {
        let mut running = self.spawn_with(variables);
        running.read_address(self).await;
        running
    }

    /// Starts the server in OTE mode and waits for nothing.
    pub fn spawn(&self) -> Running {
        self.spawn_with(&[])
    }

    pub fn spawn_with(&self, variables: &[(&str, &str)]) -> Running {
        let mut command = self.command(&["serve", "--ote", "--listen", "127.0.0.1:0"]);
        command.envs(variables.iter().copied());
        self.spawn_command(&command)
    }

    fn spawn_command(&self, command: &Command) -> Running {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut own = tokio::process::Command::new(command.get_program());
        own.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => own.env(name, value),
                None => own.env_remove(name),
            };
        }
        own.stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        let mut child = own.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Running {
            address: ([127, 0, 0, 1], 0).into(),
            child,
            output,
        }
    }

    /// Starts the server in OTE mode with settings from a file, and what it writes within limits that can be changed;
    /// waits until it serves.
    pub async fn serve_from(&self, file: &Path) -> Running {
        let mut command = self.command(&["serve", "--ote", "--listen", "127.0.0.1:0"]);
        // The environment would have the last word.
        command.arg("--config").arg(file).env_remove("CHANCERY_LOG");
        let mut running = self.spawn_command(&within_file_limits(&command));
        running.read_address(self).await;
        running
    }

    /// Runs a chore to its end.
    pub fn chore(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&self.command(arguments).output().unwrap())
    }

    /// A chore that may be killed.
    pub fn tokio_command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::from(self.command(arguments));
        command.kill_on_drop(true);
        command
    }

    /// Runs a chore from an account of this name, which says nothing of who acts.
    pub fn chore_of_account(&self, name: &str, arguments: &[&str]) -> Outcome {
        let mut command = self.command(arguments);
        command.env_remove("CHANCERY_OPERATOR").env("USER", name);
        Outcome::of(&command.output().unwrap())
    }

    /// Runs a chore that must succeed, and reads its JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let outcome = self.chore(arguments);
        assert!(outcome.succeeded, "{arguments:?}: {outcome:?}");
        serde_json::from_str(&outcome.printed).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).args(self.place());
        for world in ["DNS", "WEB", "SMTP"] {
            command.env(format!("CHANCERY_OTE_{world}_LISTEN"), "127.0.0.1:0");
        }
        command.env("CHANCERY_DNS_TIMEOUT_SECONDS", "1");
        command.env("CHANCERY_OTE_VETTING", "by-hand");
        command.env("CHANCERY_OPERATOR", "tester");
        command.env("CHANCERY_LOG", "warn").env("NO_COLOR", "1");
        command
    }

    /// What every server here has written to its log.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// What every server here has logged, from warnings up.
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// What every server here has complained of.
    pub fn logged_errors(&self) -> Vec<String> {
        let log = self.log_text();
        log.lines()
            .filter(|line| line.contains("ERROR") || line.contains("panicked"))
            .map(str::to_owned)
            .collect()
    }

    /// Every row of every table, as text.
    pub fn tables(&self) -> Vec<u8> {
        let Some(url) = &self.database.url else {
            let script = "import sqlite3, sys\n\
                database = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)\n\
                print('\\n'.join(database.iterdump()))";
            let file = self.data().join("chancery.db");
            return python(script, &[file]).unwrap().into_bytes();
        };
        let output = Command::new("pg_dump").arg(url).output();
        let output =
            output.expect("pg_dump is not installed (on Debian: apt-get install postgresql)");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// Removes the database.
    pub async fn remove(self) {
        self.database.remove().await;
    }
}

/// The binary, free of the settings of whoever runs the tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    for (name, _) in std::env::vars() {
        if name.starts_with("CHANCERY_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

impl Running {
    async fn read_address(&mut self, installation: &Installation) {
        while let Some(line) = self.output.next_line().await.unwrap() {
            if let Some(url) = line.strip_prefix("Chancery listens on http://") {
                self.address = url.trim().parse().unwrap();
                return;
            }
        }
        let log = installation.log_text();
        panic!("the server did not start: {log}");
    }

    pub fn http(&self) -> Http {
        Http::new(self.address)
    }

    pub fn world(&self) -> World {
        World::new(self.http())
    }

    /// The panel of the reseller that OTE mode begins with.
    pub async fn panel(&self, data: &Path) -> Panel {
        let [username, password] = credential(&data.join("ote-credential.json"));
        Panel::sign_in(self.http(), &username, &password).await
    }

    /// That reseller's program for the LogicBoxes dialect.
    pub fn logicboxes(&self, data: &Path) -> LogicBoxes {
        let [user_id, key] = credential(&data.join("ote-logicboxes-credential.json"));
        LogicBoxes::new(self.http(), &user_id, &key)
    }

    /// What it goes on to print, up to the line with this word.
    pub async fn printed_until(&mut self, word: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.output.next_line().await.unwrap() {
            let is_last = line.contains(word);
            lines.push(line);
            if is_last {
                return lines;
            }
        }
        panic!("'{word}' was not printed: {lines:#?}");
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits until it serves.
    pub async fn serving(&mut self, installation: &Installation) {
        self.read_address(installation).await;
    }

    /// Its number.
    pub fn process(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        send_signal(self.process(), signal);
    }

    /// Waits for its end and gives its exit code.
    pub async fn wait(&mut self) -> Option<i32> {
        self.child.wait().await.unwrap().code()
    }

    /// Sends SIGTERM and expects a good end.
    pub async fn stop(mut self) {
        self.terminate();
        assert_eq!(self.wait().await, Some(0));
    }

    /// Sends SIGKILL: no more instructions of it run.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Runs a test on both engines.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                chancery_testkit::run(async |_| super::$name(chancery_testkit::Engine::Sqlite).await);
            })*
        }
        mod postgres {
            $(#[test]
            fn $name() {
                chancery_testkit::run(async |_| super::$name(chancery_testkit::Engine::Postgres).await);
            })*
        }
    };
}
pub(crate) use on_both_engines;

/// User name and secret, as OTE mode keeps them in a file.
fn credential(file: &Path) -> [String; 2] {
    let credential: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    ["username", "password"].map(|name| credential[name].as_str().unwrap().to_owned())
}
