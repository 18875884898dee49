//! The driver's end of the log: a pipe to the process that writes the file.
//!
//! A write to a file system that has died cannot be made one that does not wait, and a thread that waits in the
//! kernel keeps its whole process from ending. So another process writes ([`crate::log_writer`]), and this one
//! never touches the file: what the pipe does not take at once is lost.

use std::{
    convert::Infallible,
    io::{self, Write},
    iter, mem,
    os::unix::process::CommandExt,
    process::{self, Child, ChildStdin, Stdio},
    time::Duration,
};

use clock::SystemClock;

use crate::log_writer::WRITE_LOG;

/// The lines on their way to the file.
#[derive(Debug, Default)]
pub(crate) struct LogPipe {
    state: State,
    /// Of the line that the pipe has taken in part.
    rest: Vec<u8>,
    /// Since the last line that was taken.
    lost: usize,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing was logged yet.
    #[default]
    Idle,
    Open(Child, ChildStdin),
    /// No process has it open for writing.
    Closed,
}

impl LogPipe {
    /// Starts the process that writes. Later it might inherit the lock of a volume, which is shared with programs that
    /// work on its disk.
    pub(crate) fn open(&mut self) {
        if matches!(self.state, State::Idle) {
            self.state = start().map_or(State::Closed, |(child, pipe)| State::Open(child, pipe));
        }
    }

    /// Sends a line, or loses it; `notice` is the line that says how many are missing before it.
    pub(crate) fn send(&mut self, line: String, notice: impl FnOnce(usize) -> String) {
        self.open();
        self.push();
        if !self.rest.is_empty() {
            self.lost += 1;
            return;
        }
        if self.lost > 0 {
            self.rest = notice(mem::take(&mut self.lost)).into_bytes();
        }
        self.rest.extend_from_slice(line.as_bytes());
        self.push();
    }

    /// Gives the lines some time to reach the file, and ends.
    pub(crate) fn finish(&mut self) {
        let _ = poll(|| {
            self.push();
            self.rest.is_empty().then_some(())
        });
        if let State::Open(mut child, pipe) = mem::replace(&mut self.state, State::Closed) {
            drop(pipe);
            // One that waits for a dead file system is left behind; the others are only slow.
            let _ = poll(|| child.try_wait().ok().flatten());
        }
    }

    /// Writes as much as the pipe takes.
    fn push(&mut self) {
        let State::Open(_, pipe) = &mut self.state else {
            self.rest.clear();
            return;
        };
        while !self.rest.is_empty() {
            match pipe.write(&self.rest) {
                Ok(length) => drop(self.rest.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The reader is gone.
                Err(_) => self.rest.clear(),
            }
        }
    }
}

/// Starts the process that writes: this program, whatever has become of its file meanwhile.
///
/// It inherits no stream of the call, which would keep the call's caller waiting, and no signal that is meant for
/// the call's process group.
fn start() -> io::Result<(Child, ChildStdin)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "no program of the host, and the call does not wait for it"
    )]
    let mut writer = process::Command::new("/proc/self/exe");
    writer.arg0("oci").arg(WRITE_LOG).process_group(0);
    writer.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = writer.spawn()?;
    let pipe = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    rustix::io::ioctl_fionbio(&pipe, true)?;
    Ok((child, pipe))
}

/// Asks until there is an answer, for about a second.
fn poll<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let waits = iter::successors(Some(FIRST_WAIT), |wait| Some((*wait * 2).min(LONGEST_WAIT)));
    let attempt = || Ok::<_, Infallible>(ask());
    match clock::poll(&SystemClock, waits.take(WAITS), attempt) {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

const FIRST_WAIT: Duration = Duration::from_micros(200);
const LONGEST_WAIT: Duration = Duration::from_millis(25);
/// Seven short ones, and a second in all.
const WAITS: usize = 47;
