//! The simulator's calls of host programs.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Output};

use crate::error::Error;

/// A host program and the Debian package it comes with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
}

impl Program {
    #[expect(
        clippy::disallowed_methods,
        reason = "shares no code with what it tests, so no Runner"
    )]
    pub(crate) fn command(self) -> Command {
        Command::new(self.name)
    }

    /// Runs it to its end; what it wrote to stdout.
    pub(crate) fn run<A: AsRef<OsStr>>(
        self,
        args: impl IntoIterator<Item = A>,
    ) -> Result<String, Error> {
        let mut command = self.command();
        let output = command.args(args).output().map_err(|error| self.failed(&command, &error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(Error::Failed { command: line(&command), reason: reason(&output) })
    }

    /// The error for a program that could not be started.
    pub(crate) fn failed(self, command: &Command, error: &io::Error) -> Error {
        if error.kind() == io::ErrorKind::NotFound {
            return Error::Missing { program: self.name, package: self.package };
        }
        Error::Failed { command: line(command), reason: error.to_string() }
    }
}

/// Fails with one line if this process is not root.
pub(crate) fn demand_root(what: &'static str) -> Result<(), Error> {
    if rustix::process::geteuid().is_root() { Ok(()) } else { Err(Error::NotRoot { what }) }
}

fn line(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn reason(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().last().map_or_else(|| output.status.to_string(), str::to_owned)
}
