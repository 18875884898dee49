//! Host programs for tests; a missing one fails the test and names its package.

use std::{
    io::ErrorKind,
    process::{Command, Stdio},
};

use command::SystemRunner;

/// Runs the crate's own programs.
pub(crate) fn runner() -> SystemRunner {
    SystemRunner { search_path: "/usr/sbin:/usr/bin:/sbin:/bin".into() }
}

/// Runs a line of words successfully, and returns what it wrote to its standard output.
#[track_caller]
pub(crate) fn run(line: &str) -> String {
    let (code, stdout, stderr) = outcome(line);
    assert_eq!(code, Some(0), "{line}: {stdout}{stderr}");
    stdout
}

/// Runs a line of words, and returns its exit code and all that it wrote.
#[track_caller]
pub(crate) fn try_run(line: &str) -> (Option<i32>, String) {
    let (code, stdout, stderr) = outcome(line);
    (code, stdout + &stderr)
}

#[track_caller]
fn outcome(line: &str) -> (Option<i32>, String, String) {
    let words: Vec<_> = line.split_whitespace().collect();
    let output = Command::new(words[0])
        .args(&words[1..])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (output.status.code(), text(&output.stdout), text(&output.stderr))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("{}: install {}", words[0], package(words[0]))
        }
        Err(error) => panic!("{line}: {error}"),
    }
}

fn package(program: &str) -> &'static str {
    match program {
        "losetup" | "mount" | "umount" => "mount",
        "mke2fs" | "debugfs" => "e2fsprogs",
        "mkfs.xfs" | "xfs_io" => "xfsprogs",
        _ => "util-linux",
    }
}
