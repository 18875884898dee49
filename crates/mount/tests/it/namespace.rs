//! Tests that mount, or that claim a disk twice, run in a process of their own, in a mount
//! namespace that dies with it. (A thread that starts a program hands its open files, claims too,
//! to the new process for a moment; beside other tests a claim would seem to linger.)

use std::{env, process::Command, thread};

/// Runs the calling test once more, in a private mount namespace, where it does `test`.
#[track_caller]
pub(crate) fn private(test: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return test();
    }
    let name = thread::current().name().unwrap().to_owned();
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare: install util-linux");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

const INSIDE: &str = "TEST_IN_PRIVATE_MOUNT_NAMESPACE";
