//! Signals to processes, sent without a program (a minimal system has no `kill`), and limits to what they write.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, kill_process, prlimit};

pub use rustix::process::Signal;

/// Sends a signal to a process that this test started and has not waited for yet.
pub fn send_signal(process: u32, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(process, signal).unwrap();
}

/// Lets a process write files up to so many octets and no further, as on a disk that is full; `None` lifts it. The process
/// must have been started with [`within_file_limits`].
pub fn limit_files(process: u32, octets: Option<u64>) {
    let process = Pid::from_raw(i32::try_from(process).unwrap());
    let before = prlimit(
        process,
        Resource::Fsize,
        Rlimit {
            current: octets,
            maximum: getrlimit(Resource::Fsize).maximum,
        },
    );
    before.unwrap();
}

/// A command that starts a program which gets errors, and no signal, where it writes beyond its limit.
pub fn within_file_limits(program: &Command) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args())
        .stdin(Stdio::null());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
