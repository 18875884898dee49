//! What a program finds: the right file, and nothing of its caller's.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::support::{LONG, output, runner, shell};
use command::{Command, Error, Runner, SystemRunner};

#[test]
fn the_environment_holds_two_variables() {
    let mut lines: Vec<_> = output("env").stdout.lines().map(str::to_owned).collect();
    lines.retain(|line| !line.starts_with("PWD=") && !line.starts_with("_=")); // the shell's own
    lines.sort();
    assert_eq!(lines, ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
}

#[test]
fn the_directory_is_the_root() {
    assert_eq!(output("pwd").stdout, "/\n");
}

#[test]
fn our_open_files_are_not_inherited() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    assert!(!output("ls -l /proc/self/fd").stdout.contains(path));
    assert_eq!(output("readlink /proc/self/fd/0").stdout, "/dev/null\n");
}

#[test]
fn the_program_leads_its_own_process_group() {
    let ids = output("echo $$; cut -d ' ' -f 5 /proc/$$/stat").stdout;
    let (pid, group) = ids.trim().split_once('\n').unwrap();
    assert_eq!(pid, group);
}

#[test]
fn a_missing_tool_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let lost = missing(dir.path(), "iscsiadm");
    assert!(lost.is_not_started());
    assert_eq!(
        lost.to_string(),
        format!(
            "cannot run iscsiadm: no executable file of this name in {}; \
             install open-iscsi (Debian, Ubuntu) or iscsi-initiator-utils (Oracle Linux)",
            dir.path().display()
        )
    );
}

#[test]
fn a_file_that_is_not_executable_is_no_tool() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "#!/bin/sh\nexit 0\n", 0o644);
    assert!(matches!(missing(dir.path(), "tool"), Error::NotFound { .. }));
}

#[test]
fn a_file_that_cannot_be_started_says_why() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "#!/no/such/interpreter\n", 0o755);
    let error = missing(dir.path(), "tool");
    assert!(error.is_not_started());
    assert_eq!(error.to_string(), "cannot start tool");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "No such file or directory (os error 2)");
}

#[test]
fn only_the_search_path_counts() {
    let dir = tempfile::tempdir().unwrap();
    tool(dir.path(), "#!/bin/sh\necho mine\n", 0o755);
    let runner = SystemRunner { search_path: dir.path().into() };
    let output = runner.run(&Command::new("tool", LONG)).unwrap();
    assert_eq!(output.stdout, "mine\n");
    // `sh` is on the PATH of this test, not on the runner's.
    assert!(matches!(runner.run(&shell("true", LONG)), Err(Error::NotFound { .. })));
}

#[test]
fn arguments_arrive_unchanged() {
    let odd = ["", "two words", "a'b", "$HOME", "*", "-x", "line\nbreak"];
    let command = shell("for a; do printf '<%s>' \"$a\"; done", LONG).arg("sh").args(odd);
    let output = runner().run(&command).unwrap();
    assert_eq!(output.stdout, "<><two words><a'b><$HOME><*><-x><line\nbreak>");
}

fn missing(dir: &Path, program: &'static str) -> Error {
    let runner = SystemRunner { search_path: dir.into() };
    runner.run(&Command::new(program, LONG)).unwrap_err()
}

fn tool(dir: &Path, script: &str, mode: u32) {
    let path = dir.join("tool");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}
