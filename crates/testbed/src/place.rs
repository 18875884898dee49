//! A place where the driver is called: a master, a node with its own mounts, or another machine.

use std::{
    ffi::OsStr,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use oci_sim::Node;

use crate::Answer;

/// A place where the driver is called.
#[derive(Debug)]
pub struct Place<'a> {
    pub(crate) binary: PathBuf,
    pub(crate) site: Site<'a>,
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
}

/// What a call sees.
#[derive(Debug)]
pub(crate) enum Site<'a> {
    /// This machine.
    Here,
    /// This machine with the mounts of a node.
    Mounts(&'a Node),
    /// Another machine, where this program runs what it is given.
    Beyond(PathBuf),
}

impl<'a> Place<'a> {
    /// This machine itself: the driver sees all that is here.
    pub fn here(binary: &Path, environment: Vec<(&'static str, PathBuf)>) -> Self {
        Self { binary: binary.to_owned(), site: Site::Here, environment }
    }

    /// Another machine: `shell` is a program that runs there what its arguments say, with the same
    /// output and exit code.
    pub fn beyond(shell: &Path, binary: &Path, environment: Vec<(&'static str, PathBuf)>) -> Self {
        Self { site: Site::Beyond(shell.to_owned()), ..Self::here(binary, environment) }
    }

    /// Calls the driver as kubelet does and waits for its end.
    ///
    /// # Errors
    /// The driver could not be started.
    pub fn call<A: AsRef<OsStr>>(&self, args: &[A]) -> io::Result<Answer> {
        run(self.command(args))
    }

    /// The call as a command: stdin from `/dev/null`, nothing in the environment but what is set
    /// here, `/` as working directory.
    pub fn command<A: AsRef<OsStr>>(&self, args: &[A]) -> Command {
        self.command_under::<&str, A>(&[], args)
    }

    /// As [`Place::command`], but `program` is started, and given the call as its last arguments: a
    /// tracer, for example.
    pub fn command_under<P: AsRef<OsStr>, A: AsRef<OsStr>>(
        &self,
        program: &[P],
        args: &[A],
    ) -> Command {
        let mut words = program.iter().map(AsRef::as_ref).chain([self.binary.as_os_str()]);
        if let Site::Beyond(_) = self.site {
            // This machine's environment does not reach there.
            let mut command = self.tool("env");
            command.args(["--ignore-environment", "--chdir=/", SEARCH]);
            for (name, value) in &self.environment {
                command.arg(format!("{name}={}", value.display()));
            }
            command.args(words).args(args);
            return command;
        }
        let mut command = self.tool(words.next().unwrap_or_default());
        command.args(words).args(args);
        command.env_clear().envs(SEARCH.split_once('=')).current_dir("/");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Any program, run in this place.
    pub fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        match &self.site {
            Site::Here => new_command(program.as_ref()),
            Site::Mounts(node) => node.command(program),
            Site::Beyond(shell) => {
                let mut command = new_command(shell.as_os_str());
                command.arg(program);
                command
            }
        }
    }

    /// The folder that a variable of the environment names.
    pub fn folder(&self, variable: &str) -> Option<&PathBuf> {
        self.environment.iter().find(|(name, _)| *name == variable).map(|(_, path)| path)
    }
}

/// Runs a command with both streams in one pipe and waits until the pipe is closed by everybody, as
/// kubelet does; but not without end, as kubelet would.
///
/// # Errors
/// The program could not be started, or it was killed because it hangs.
pub fn run(mut command: Command) -> io::Result<Answer> {
    let (output, input) = io::pipe()?;
    let start = now();
    let mut child =
        command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input).spawn()?;
    // The command holds the pipe's other end too.
    drop(command);
    let text = match read(output).recv_timeout(PATIENCE) {
        Ok(text) => text?,
        Err(_) => {
            child.kill()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the call hangs and was killed"));
        }
    };
    let status = child.wait()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Answer { text, code: status.code(), took: start.elapsed() })
}

/// Reads to the end on a thread of its own, which a hanging call cannot hold up.
fn read(mut output: io::PipeReader) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let read = output.read_to_end(&mut text).map(|_| text);
        // The receiver is gone if it took too long.
        let _ = sender.send(read);
    });
    receiver
}

#[expect(clippy::disallowed_methods, reason = "shows how long a call takes")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "plays kubelet, which starts the driver")]
fn new_command(program: &OsStr) -> Command {
    Command::new(program)
}

const SEARCH: &str = "PATH=/usr/bin:/bin";
/// Twice what the longest call may take.
const PATIENCE: Duration = Duration::from_secs(300);
