//! stdout: the first reply wins, and there is never a second.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Mutex,
};

use flexvolume::Reply;

/// Prints `reply`, unless one was printed already.
pub(crate) fn print_once(reply: &Reply) -> ExitCode {
    // Held for ever: whoever comes second waits here until the process ends.
    let Ok(guard) = PRINTING.lock() else { return ExitCode::from(reply.exit_code()) };
    std::mem::forget(guard);
    print(&reply.to_line(), reply.exit_code())
}

/// Writes `text` in one piece. A closed stdout changes nothing: the exit status tells.
pub(crate) fn print(text: &str, code: u8) -> ExitCode {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    ExitCode::from(code)
}

static PRINTING: Mutex<()> = Mutex::new(());
