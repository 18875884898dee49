//! Running commands on this machine.

use std::{ffi::OsString, os::unix::process::ExitStatusExt, process};

use crate::{
    Command, Error, Output, Runner,
    process::{End, Process, piped},
    shortened,
};

/// Runs commands for real.
///
/// A program inherits nothing: its environment is the search path and `LC_ALL=C`, its directory `/`, its input
/// empty, its outputs pipes of the caller. It is alone in its process group, which is stopped at the command's limit: SIGTERM,
/// 2 s later SIGKILL, and when not even that ends it within 2 s, it is left behind.
#[derive(Clone, Debug)]
pub struct SystemRunner {
    /// Where programs are looked for: directories separated by colons. The caller's `PATH` plays no role.
    pub search_path: OsString,
}

impl Runner for SystemRunner {
    fn run(&self, command: &Command) -> Result<Output, Error> {
        self.run_beside(command, &mut || {})
    }

    fn run_beside(&self, command: &Command, meanwhile: &mut dyn FnMut()) -> Result<Output, Error> {
        let result = self.run_quietly(command, meanwhile);
        match &result {
            Ok(Output { code, stderr, .. }) if stderr.is_empty() => {
                log::debug!("{command}: exit code {code}");
            }
            Ok(Output { code, stderr, .. }) => log::debug!("{command}: exit code {code}: {stderr}"),
            Err(error) => log::debug!("{command}: {error}"),
        }
        result
    }
}

impl SystemRunner {
    fn run_quietly(&self, command: &Command, meanwhile: &mut dyn FnMut()) -> Result<Output, Error> {
        let program = command.program();
        let failed = |source| Error::Watch { program, source };
        let process = Process::new(self.start(command)?).map_err(failed)?;
        meanwhile();
        let end = process.finish(command.limit()).map_err(failed)?;
        match end {
            End::TimedOut { stuck } => {
                Err(Error::Timeout { program, limit: command.limit(), stuck })
            }
            End::Exited { status, stdout, stderr } => match (status.code(), status.signal()) {
                (Some(code), _) => Ok(Output {
                    code,
                    stdout,
                    stderr: shortened(&command.redact(stderr), STDERR_SHOWN),
                }),
                (None, signal) => {
                    Err(Error::Signalled { program, signal: signal.unwrap_or_default() })
                }
            },
        }
    }

    fn start(&self, command: &Command) -> Result<process::Child, Error> {
        let program = command.program();
        let path = which::which_in(program, Some(&self.search_path), "/")
            .map_err(|_| Error::NotFound { program, search_path: self.search_path.clone() })?;
        #[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
        let mut child = process::Command::new(path);
        child
            .args(command.arguments())
            .env_clear()
            .env("PATH", &self.search_path)
            .env("LC_ALL", "C")
            .current_dir("/");
        piped(&mut child).spawn().map_err(|source| Error::Spawn { program, source })
    }
}

/// Characters.
const STDERR_SHOWN: usize = 1024;
