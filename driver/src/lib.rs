//! One call, one reply: the only crate that prints, reads the environment and opens the log.
//!
//! kubelet reads stdout and stderr as one stream and expects exactly one JSON object in it, whatever
//! happens: a panic, a closed stdout, a log that cannot be opened, SIGTERM.

use std::{ffi::OsString, process::ExitCode, sync::Arc};

use command::{Runner, SystemRunner};
use flexvolume::Driver;

mod bug;
mod log_file;
mod people;
mod reply;
mod signal;

pub use log_file::Log;

/// Runs the call in the process's arguments and prints its reply.
///
/// The exit status belongs to the reply (`docs/protocol.md`).
pub fn exec(log: &Log, driver: impl FnOnce() -> Box<dyn Driver>) -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(text) = people::answer(&args) {
        return reply::print(&text, 0);
    }
    bug::reply_to_panics(&args);
    // Without a log the call goes on: the reply tells what happened.
    let _ = log.start();
    signal::reply_to_sigterm(&args);
    reply::print_once(&flexvolume::dispatch(&*driver(), &args))
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the one door to the environment")]
pub fn env_var(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The runner of this host's programs, which are looked for on `search_path`.
pub fn host_runner(search_path: OsString) -> Arc<dyn Runner> {
    Arc::new(SystemRunner { search_path })
}
