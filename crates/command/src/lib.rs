//! Running a host program, within a time limit.
//!
//! A [`Command`] is a value: crates that know a tool build it, a [`Runner`] runs it. [`SystemRunner`] is the
//! only place of the workspace that starts a process; tests use `testing::Script` (feature `testing`).

use std::fmt::Debug;

mod capture;
mod error;
mod line;
mod package;
mod process;
mod shortened;
mod system;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::Error;
pub use line::Command;
pub use shortened::shortened;
pub use system::SystemRunner;

/// What a program left behind when it ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit code. What it means only the crate knows that knows the tool.
    pub code: i32,
    /// The first MiB of standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Beginning and end of standard error, 1024 characters on one line: control characters, line ends too,
    /// are single blanks.
    pub stderr: String,
}

impl Output {
    /// Whether the program says that all went well.
    pub fn success(&self) -> bool {
        self.code == 0
    }
}

/// Something that runs commands.
pub trait Runner: Debug + Send + Sync {
    /// Runs `command` to its end. An exit code other than 0 is not an error here.
    ///
    /// # Errors
    /// The program could not be started, did not end in time, or was killed. After the latter two it is not
    /// known what the program has done: look at the thing it works on.
    fn run(&self, command: &Command) -> Result<Output, Error>;

    /// Runs `command`, and calls `meanwhile` once while it is at work. A runner that only plays the program
    /// does one after the other.
    ///
    /// # Errors
    /// As [`Runner::run`]; `meanwhile` may not have been called if the program could not be started.
    fn run_beside(&self, command: &Command, meanwhile: &mut dyn FnMut()) -> Result<Output, Error> {
        meanwhile();
        self.run(command)
    }
}
