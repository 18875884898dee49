//! stdout: the first reply wins, and there is never a second.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::OnceLock,
    thread::{self, ThreadId},
};

use flexvolume::Reply;

/// Prints `reply`, unless this thread has printed one already. While another thread prints, and ends the process,
/// it waits for that end.
pub(crate) fn print_once(reply: &Reply) -> ExitCode {
    let this = thread::current().id();
    match FIRST.set(this) {
        Ok(()) => print(&reply.to_line(), reply.exit_code()),
        Err(_) if FIRST.get() == Some(&this) => ExitCode::from(reply.exit_code()),
        Err(_) => loop {
            thread::park();
        },
    }
}

/// Prints `reply` as [`print_once`] does, and ends the process, whatever other threads are at.
#[expect(clippy::exit, reason = "the main thread may be waiting in the kernel")]
pub(crate) fn end_with(reply: &Reply) -> ! {
    print_once(reply);
    std::process::exit(reply.exit_code().into());
}

/// Writes `text` in one piece. A closed stdout changes nothing: the exit status tells.
pub(crate) fn print(text: &str, code: u8) -> ExitCode {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    ExitCode::from(code)
}

/// The thread whose reply it is.
static FIRST: OnceLock<ThreadId> = OnceLock::new();
