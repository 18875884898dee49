//! A place where the driver is called: a master, or a node with its own mounts.

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
    /// The node whose mount namespace the call runs in; the controller manager has none.
    pub(crate) node: Option<&'a Node>,
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
}

impl<'a> Place<'a> {
    /// This machine itself: the driver sees all that is here.
    pub fn here(binary: &Path, environment: Vec<(&'static str, PathBuf)>) -> Self {
        Self { binary: binary.to_owned(), node: None, environment }
    }

    /// This machine with mounts of its own.
    pub fn on(node: &'a Node, binary: &Path, environment: Vec<(&'static str, PathBuf)>) -> Self {
        Self { node: Some(node), ..Self::here(binary, environment) }
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
        let mut command = self.tool(words.next().unwrap_or_default());
        command.args(words).args(args);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Any program, run in this place.
    pub fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        match self.node {
            Some(node) => node.command(program),
            None => new_command(program.as_ref()),
        }
    }

    /// The folder that a variable of the environment names.
    pub fn folder(&self, variable: &str) -> Option<&PathBuf> {
        self.environment.iter().find(|(name, _)| *name == variable).map(|(_, path)| path)
    }
}

/// Runs a command with both streams in one pipe and waits until the pipe is closed by everybody, as
/// kubelet does; but not for ever, as kubelet would.
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
        // Nobody listens any more if it took too long.
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

/// Twice what the longest call may take.
const PATIENCE: Duration = Duration::from_secs(300);
