//! stdout: the first reply wins, and there is never a second.

use std::{
    fs::File,
    io::{self, Write},
    sync::OnceLock,
    thread::{self, ThreadId},
};

use flexvolume::Reply;

/// Prints `reply`, unless this thread has printed one already. While another thread prints, and ends the process,
/// it waits for that end.
///
/// # Errors
/// It is not printed. The exit status tells all the same.
pub(crate) fn print_once(reply: &Reply) -> io::Result<()> {
    let this = thread::current().id();
    match FIRST.set(this) {
        Ok(()) => print(&reply.to_line()),
        Err(_) if FIRST.get() == Some(&this) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => loop {
            thread::park();
        },
    }
}

/// Prints `reply` as [`print_once`] does, does what is `left`, and ends the process, whatever other threads are at.
#[expect(clippy::exit, reason = "the main thread may be waiting in the kernel")]
pub(crate) fn end_with(reply: &Reply, left: impl FnOnce()) -> ! {
    let _ = print_once(reply);
    left();
    std::process::exit(reply.exit_code().into());
}

/// Writes `text` in one piece.
///
/// # Errors
/// stdout is closed, or takes no more.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    hang_up();
    printed
}

/// Lets go of both streams, so that a caller who reads to their end has it now. They lead nowhere then, and not to
/// the next file that is opened.
fn hang_up() {
    if let Ok(nowhere) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&nowhere);
        let _ = rustix::stdio::dup2_stderr(&nowhere);
    }
}

/// The thread whose reply it is.
static FIRST: OnceLock<ThreadId> = OnceLock::new();
