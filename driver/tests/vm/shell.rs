//! What a case does to the machine, in the words of a shell.

use std::{
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Runs a script that must succeed; what it prints.
#[track_caller]
pub(crate) fn sh(script: &str) -> String {
    let output = output(script);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {} {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Runs a script; whether it succeeds.
pub(crate) fn try_sh(script: &str) -> bool {
    output(script).status.success()
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

fn output(script: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null()).output().unwrap()
}

const PATIENCE: Duration = Duration::from_secs(20);
