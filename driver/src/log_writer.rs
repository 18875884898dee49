//! The process that writes the log for a call: lines come in over its standard input until the call has ended.
//!
//! When the log's file system has died it may wait in the kernel without end, and no call waits for it.

use std::{
    convert::Infallible,
    ffi::OsString,
    fs::File,
    io::{self, BufRead},
    iter,
    path::Path,
    time::Duration,
};

use clock::SystemClock;

use crate::{Log, log_file::LogFile, signal};

/// The argument that asks for it. No call of the protocol begins with a hyphen.
pub(crate) const WRITE_LOG: &str = "--write-log";

/// Whether this process is to write the log of another.
pub(crate) fn is_asked(args: &[OsString]) -> bool {
    matches!(args, [only] if only == WRITE_LOG)
}

/// Writes what comes in.
pub(crate) fn run(log: &Log) {
    // What ends the call does not end what it has still to say; the end of the pipe does.
    signal::ignore(signal::ENDING.into_iter().chain([signal::FILE_TOO_LARGE]));
    let mut turn = Turn::new(&log.run_dir);
    let mut file = LogFile::new(log);
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while matches!(input.read_until(b'\n', &mut line), Ok(1..)) {
        if !line.ends_with(b"\n") {
            // The call was killed while it wrote.
            line.push(b'\n');
        }
        turn.take(|| file.append(&line));
        line.clear();
    }
}

/// Lets one process write at a time, so that a file system that has died holds up one and not hundreds.
struct Turn {
    lock: Option<File>,
    /// It was held for too long: one try is enough from now on.
    gave_up: bool,
}

impl Turn {
    /// Where there is no place for a lock, as in some containers, there are no turns.
    fn new(run_dir: &Path) -> Self {
        Self { lock: oci_block::log_turn(run_dir).ok(), gave_up: false }
    }

    fn take(&mut self, write: impl FnOnce()) {
        let Some(lock) = &self.lock else { return write() };
        let waits = iter::repeat_n(LOOK_AGAIN, if self.gave_up { 0 } else { LOOKS });
        let attempt = || Ok::<_, Infallible>(lock.try_lock().ok());
        self.gave_up = !matches!(clock::poll(&SystemClock, waits, attempt), Ok(Some(())));
        if !self.gave_up {
            write();
            // It is given back at the end of the process, if not now.
            let _ = lock.unlock();
        }
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(5);
const LOOKS: usize = 100;
