//! One call, one reply: the only crate that prints, reads the environment and opens the log.
//!
//! kubelet reads stdout and stderr as one stream and expects exactly one JSON object in it, whatever
//! happens: a panic, a closed stdout, a log that cannot be opened, SIGTERM.

use std::{ffi::OsString, process::ExitCode, sync::Arc};

use command::{Runner, SystemRunner};
use flexvolume::Driver;

mod call_log;
mod cli;
mod log_file;
mod log_line;
mod log_pipe;
mod log_place;
mod log_writer;
mod panic_hook;
mod reply;
mod signal;

pub use call_log::Log;

/// Runs the call in the process's arguments and prints its reply, or `help` if it is asked for.
///
/// The exit status belongs to the reply (`docs/protocol.md`).
pub fn exec(log: &Log, help: &str, driver: impl FnOnce() -> Box<dyn Driver>) -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(text) = cli::answer(&args, help) {
        let _ = reply::print(&text);
        return ExitCode::SUCCESS;
    }
    if log_writer::is_asked(&args) {
        log_writer::run(log);
        return ExitCode::SUCCESS;
    }
    panic_hook::reply_to_panics(&args);
    signal::reply_to_signals(&args);
    log.start(&args);
    let driver = driver();
    let reply = flexvolume::dispatch(&*driver, &args);
    if reply::print_once(&reply).is_ok() {
        driver.said();
    }
    call_log::outcome(&args, &reply, &driver.particulars());
    ExitCode::from(reply.exit_code())
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn env_var(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The runner of this host's programs, which are looked for on `search_path`.
pub fn host_runner(search_path: OsString) -> Arc<dyn Runner> {
    Arc::new(SystemRunner { search_path })
}
