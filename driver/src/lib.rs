//! One call, one reply: the only crate that prints, reads the environment and opens the log.
//!
//! kubelet reads stdout and stderr as one stream and expects exactly one JSON object in it, whatever
//! happens: a panic, a closed stdout, a log that cannot be opened, SIGTERM.

use std::{
    ffi::OsString,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    sync::Arc,
};

use command::{Runner, SystemRunner};
use flexvolume::{Driver, Reply};

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
    silence_panics();
    // Without a log the call goes on: the reply tells what happened.
    let _ = log.start();
    signal::reply_to_sigterm(&args);
    let reply = panic::catch_unwind(AssertUnwindSafe(|| flexvolume::dispatch(&*driver(), &args)))
        .unwrap_or_else(|_| Reply::failure(PANICKED).for_call(&args));
    reply::print_once(&reply)
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

/// A panic's text goes to the log; it may show anything, so not into the reply.
fn silence_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        log::error!("panic at {place}");
    }));
}

const PANICKED: &str = "the driver met a bug and stopped; nothing more was done, the call may be \
                        repeated, and the log says where: please report it";
