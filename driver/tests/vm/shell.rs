//! What a case does to the machine, in the words of a shell.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Runs a script that must succeed; what it prints.
#[track_caller]
pub(crate) fn sh(script: &str) -> String {
    run(&mut command(script), script)
}

/// Runs a command that must succeed and is called `what`; what it prints.
#[track_caller]
pub(crate) fn run(command: &mut Command, what: &str) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {} {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Runs a script; whether it succeeds.
pub(crate) fn try_sh(script: &str) -> bool {
    command(script).output().unwrap().status.success()
}

/// Whether a file holds nothing but zeros.
pub(crate) fn is_zero(file: &Path) -> bool {
    let bytes = fs::metadata(file).unwrap().len();
    try_sh(&format!("cmp -n {bytes} {} /dev/zero", file.display()))
}

/// Looks every 20 ms until the script succeeds.
#[track_caller]
pub(crate) fn wait_for(script: &str) {
    let start = Instant::now();
    while !try_sh(script) {
        assert!(start.elapsed() < PATIENCE, "in vain: {script}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A script that runs until it is dropped.
pub(crate) struct Background(Child);

impl Background {
    pub(crate) fn run(script: &str) -> Self {
        Self(command(script).spawn().unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn command(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

/// A second machine boots in ten seconds; on a host that is much too busy, in two minutes.
const PATIENCE: Duration = Duration::from_secs(180);
