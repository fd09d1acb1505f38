//! Second opinions: OpenSSL, Java's keytool, Python with packages of it, pkilint and schemathesis, which know
//! nothing of our code.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder this repository is in.
pub fn repository_root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

/// Runs OpenSSL; gives what it printed, or what it complained of.
pub fn openssl<A: AsRef<OsStr>>(arguments: &[A], input: &[u8]) -> Result<String, String> {
    let mut command = Command::new("openssl");
    command.args(arguments);
    let missing = "openssl is not installed (on Debian: apt-get install openssl)";
    ran(command, input, missing)
}

/// Runs Java's keytool; gives what it printed, or what it complained of.
pub fn keytool<A: AsRef<OsStr>>(arguments: &[A]) -> Result<String, String> {
    let mut command = Command::new("keytool");
    command.arg("-J-Duser.language=en").args(arguments);
    let missing = "keytool is not installed (on Debian: apt-get install default-jre-headless)";
    ran(command, b"", missing)
}

/// Runs a Python script; gives what it printed, or what it complained of.
pub fn python<A: AsRef<OsStr>>(script: &str, arguments: &[A]) -> Result<String, String> {
    let mut command = Command::new("python3");
    command.args(["-c", script]).args(arguments);
    let missing = "python3 is not installed (on Debian: apt-get install python3)";
    ran(command, b"", missing)
}

/// Runs a Python script that may use the packages of `scripts/python-requirements.txt`; gives what it printed, or
/// what it complained of.
pub fn python_with_packages(script: &str, input: &[u8]) -> Result<String, String> {
    let mut command = Command::new(repository_root().join(".venv/bin/python"));
    command.args(["-c", script]);
    let missing = "there is no .venv: run scripts/install-deps.sh test";
    ran(command, input, missing)
}

/// Runs one of pkilint's programs; gives its findings, each with the place it is about. What it marks as mere
/// information is left out: it says what was recognized.
pub fn pkilint<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Vec<String> {
    let mut command = Command::new(repository_root().join(".venv/bin").join(program));
    command.args(arguments);
    let missing = "pkilint is not installed: run scripts/install-deps.sh test";
    let printed = ran(command, b"", missing).unwrap_or_else(|said| said);
    let mut findings = Vec::new();
    let mut place = "";
    for line in printed.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with(' ') || !line.contains(" @ ") {
            let is_information = line.contains(" (INFO)");
            findings.extend((!is_information).then(|| format!("{} [{place}]", line.trim())));
        } else {
            place = line;
        }
    }
    findings
}

/// Has schemathesis make up requests from an OpenAPI document, in a folder it may leave things in; gives what it
/// printed, or what it complained of.
pub fn schemathesis<A: AsRef<OsStr>>(folder: &Path, arguments: &[A]) -> Result<String, String> {
    let root = repository_root();
    let mut command = Command::new(root.join(".venv/bin/schemathesis"));
    command
        .arg("--config-file")
        .arg(root.join("tests/schemathesis.toml"))
        .args(["--no-color", "run"])
        .args(arguments)
        .current_dir(folder);
    let missing = "schemathesis is not installed: run scripts/install-deps.sh test";
    ran(command, b"", missing)
}

fn ran(mut command: Command, input: &[u8], missing: &str) -> Result<String, String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{missing}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    // A program that needs no input may have closed it already.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(printed)
    } else {
        Err(format!("{printed}{said}"))
    }
}
