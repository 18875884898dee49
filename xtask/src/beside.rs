//! A task that runs beside others, as a process of its own; what it prints is shown when it has ended.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::checkout::Checkout;

/// A task of this program that runs. Dropped, it is ended.
pub(crate) struct Beside {
    task: &'static str,
    child: Child,
    output: PathBuf,
}

impl Beside {
    /// Starts `cargo xtask <task>`. Where processors are short, what runs in the foreground goes first: it has
    /// limits of time to keep.
    #[expect(clippy::disallowed_methods, reason = "xshell waits for what it starts")]
    pub(crate) fn start(checkout: &Checkout, task: &'static str) -> Result<Self> {
        let output = checkout.target().join(format!("{task}.log"));
        let file =
            File::create(&output).with_context(|| format!("cannot write {}", output.display()))?;
        println!("▸ {task} runs beside what follows, and prints into {}", output.display());
        // By this name, because a build may have replaced the file that was started.
        let child = Command::new("nice")
            .args(["-n", "5", &format!("/proc/{}/exe", std::process::id()), task])
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("cannot run nice (coreutils)")?;
        Ok(Self { task, child, output })
    }

    /// Waits for its end and shows what it printed.
    pub(crate) fn end(mut self) -> Result<()> {
        let status = self.child.wait()?;
        print!("{}", fs::read_to_string(&self.output)?);
        ensure!(status.success(), "{} failed: {status}", self.task);
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let (Ok(None), Ok(id)) = (self.child.try_wait(), i32::try_from(self.child.id())) {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}
