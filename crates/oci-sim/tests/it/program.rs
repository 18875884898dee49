//! The program: help, welcome, log, and a clean end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_oci-sim");

#[test]
fn help_tells_how_to_begin() {
    let output = Command::new(PROGRAM).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "oci-sim --instance node-1 --volume data=50",
        "--disk-folder <DIR>",
        "--attach-delay <DELAY>",
        "--script <FILE>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn mistakes_are_one_line() {
    for (args, line) in [
        (
            ["--script", "/none.json"],
            "oci-sim: cannot read /none.json: No such file or directory (os error 2)\n",
        ),
        (
            ["--disk-folder", "/proc/none"],
            "oci-sim: cannot create /proc/none: No such file or directory (os error 2)\n",
        ),
    ] {
        let output = Command::new(PROGRAM).args(args).output().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()),
            (Some(1), line)
        );
    }
}

#[test]
fn it_welcomes_logs_and_cleans_up() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("credentials");
    let mut child = Command::new(PROGRAM)
        .args(["--instance", "node-1,hostname=n1", "--volume", "data=32M", "--attach-delay", "0s"])
        .arg("--disk-folder")
        .arg(folder.path().join("disks"))
        .arg("--write-credentials")
        .arg(&credentials)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut welcome = String::new();
    while !welcome.contains("instance list") {
        assert_ne!(reader.read_line(&mut welcome).unwrap(), 0, "{welcome}");
    }
    let metadata = welcome.split_whitespace().find(|word| word.ends_with("/opc/v2")).unwrap();
    let text = ureq::get(format!("{metadata}/instance/hostname"))
        .header("authorization", "Bearer Oracle")
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    assert_eq!(text, "n1");
    for (name, begin) in [
        ("api_key.pem", "-----BEGIN PRIVATE KEY-----"),
        ("ca.pem", "-----BEGIN CERTIFICATE"),
        ("config.yaml", "auth:\n  tenancy: ocid1."),
        ("sdk-config", "[DEFAULT]\ntenancy=ocid1."),
    ] {
        let text = std::fs::read_to_string(credentials.join(name)).unwrap();
        assert!(text.starts_with(begin), "{name}: {text}");
    }
    let status = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(status.success());
    let mut log = String::new();
    reader.read_to_string(&mut log).unwrap();
    assert!(
        log.contains(" 200   Metadata                GET /opc/v2/instance/hostname\n"),
        "{log}"
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
