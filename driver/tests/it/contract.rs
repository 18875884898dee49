//! One JSON object, whatever happens.

use std::{
    ffi::OsString,
    io,
    os::unix::{ffi::OsStringExt, process::ExitStatusExt},
    process::Command,
};

use expect_test::{Expect, expect};
use proptest::prelude::*;
use testbed::{Answer, FaultRow, Setup};

use crate::support::{binary, cluster_with, example, read_log, success};

/// Runs the binary without a cluster.
fn call(args: &[OsString], prepare: impl FnOnce(&mut Command)) -> Answer {
    let mut command = Command::new(binary());
    command.args(args).env_clear().current_dir("/");
    command.env("OCI_FLEXD_DRIVER_LOG_DIR", "/dev/null/log");
    prepare(&mut command);
    testbed::run(command).unwrap()
}

#[track_caller]
fn check(args: &[&str], code: i32, expected: Expect) {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let answer = call(&args, |_| ());
    expected.assert_eq(&answer.text);
    answer.json().unwrap();
    assert_eq!(answer.code, Some(code));
}

#[test]
fn every_argv_has_its_reply() {
    let mut row = FaultRow::new("X1", "every call, those of other drivers, and none");
    row.saw("Not supported", "");
    check(
        &["init"],
        0,
        expect![[r#"
        {"status":"Success","capabilities":{"attach":true,"selinuxRelabel":true,"supportsMetrics":true,"fsGroup":true,"requiresFSResize":true}}
    "#]],
    );
    for call in [
        &["getvolumename", "{}"][..],
        &["mount", "/d", "{}"],
        &["unmount", "/d"],
        &["waitfordetach", "/dev/x"],
        &["bogus"],
        &[""],
    ] {
        check(
            call,
            0,
            expect![[r#"
            {"status":"Not supported"}
        "#]],
        );
    }
}

#[test]
fn wrong_arguments_are_a_failure_that_says_what_is_expected() {
    let mut row = FaultRow::new("X1", "too few arguments, too many, broken JSON");
    for args in [
        &[][..],
        &["attach"],
        &["attach", "{}"],
        &["attach", "{", "node"],
        &["attach", "[]", "node"],
        &["attach", "{}", "node", "more"],
        &["mountdevice", "/d", "{}"],
        &["unmountdevice"],
        &["detach", "volume"],
        &["waitforattach", "/dev/x", "not json"],
    ] {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let answer = call(&args, |_| ());
        row.shows(&answer);
        assert_eq!(answer.json().unwrap()["status"], "Failure", "{args:?}");
        assert!(answer.message().len() > 20, "{args:?}: {answer:?}");
        assert_eq!(answer.code, Some(1));
    }
}

mod properties {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_get_one_json_object(
            verb in prop::sample::select(vec!["", "attach", "isattached", "waitforattach", "mountdevice", "unmountdevice", "detach", "expandfs"]),
            rest in prop::collection::vec(prop::collection::vec(1_u8..=255, 0..40), 0..6),
        ) {
            // A folder that does not exist, so that no call can do anything.
            let mut args = vec![OsString::from(verb)];
            args.extend(rest.into_iter().map(OsString::from_vec));
            let dir = tempfile::tempdir().unwrap();
            let answer = call(&args, |command| {
                for variable in ["OCI_FLEXD_DRIVER_DIRECTORY", "OCI_FLEXD_STATE_DIRECTORY", "OCI_FLEXD_RUN_DIRECTORY"] {
                    command.env(variable, dir.path());
                }
            });
            answer.json().unwrap();
            prop_assert!(matches!(answer.code, Some(0 | 1)));
        }
    }
}

#[test]
fn a_panic_is_a_failure_that_shows_nothing_of_the_call() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(example("panics"));
    command.args(["attach", r#"{"key":"MARKER"}"#, "node"]);
    command.env("OCI_FLEXD_DRIVER_LOG_DIR", dir.path());
    let answer = testbed::run(command).unwrap();
    expect![[r#"
        {"status":"Failure","message":"the driver met a bug and stopped; nothing more was done, the call may be repeated, and the log says where: please report it"}
    "#]]
    .assert_eq(&answer.text);
    assert_eq!(answer.code, Some(1));
    let log = read_log(&dir.path().join("log"));
    assert!(log.contains("msg=panic place=driver/examples/panics.rs:"), "{log}");
    assert!(!log.contains("MARKER"), "{log}");
}

#[test]
fn a_panic_of_another_thread_ends_the_call_too() {
    let mut command = Command::new(example("panics"));
    command.args(["isattached", "{}", "node"]).env("OCI_FLEXD_DRIVER_LOG_DIR", "/dev/null");
    let answer = testbed::run(command).unwrap();
    assert_eq!((answer.code, &answer.message()[..20]), (Some(1), "the driver met a bug"));
}

#[test]
fn a_panic_does_not_make_kubelet_log_secrets() {
    let mut command = Command::new(example("panics"));
    command.args(["attach", r#"{"kubernetes.io/secret/key":"TUFSS0VS"}"#, "node"]);
    command.env("OCI_FLEXD_DRIVER_LOG_DIR", "/dev/null");
    let answer = testbed::run(command).unwrap();
    assert_eq!((answer.code, &answer.message()[..20]), (Some(0), "the driver met a bug"));
}

#[test]
fn a_closed_stdout_changes_nothing_but_the_reply() {
    let mut row = FaultRow::new("X12", "init, without a reader");
    let mut command = Command::new(binary());
    let (output, input) = io::pipe().unwrap();
    drop(output);
    command.arg("init").stdout(input.try_clone().unwrap()).stderr(input);
    let status = command.status().unwrap();
    row.saw(&status.to_string(), "");
    assert_eq!((status.code(), status.signal()), (Some(0), None));
}

#[test]
fn the_environment_may_be_bare_and_the_folder_gone() {
    let mut row = FaultRow::new("X13", "init with umask 000 in a folder that is gone");
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    std::fs::create_dir(&gone).unwrap();
    let script = r#"cd "$0" && rmdir "$0" && umask 000 && exec "$1" init"#;
    let output = Command::new("sh").args(["-c", script]).arg(&gone).arg(binary()).output().unwrap();
    row.saw("Success", "");
    assert!(output.stdout.starts_with(br#"{"status":"Success""#), "{output:?}");
    assert_eq!(output.stderr, b"");
}

#[test]
fn people_get_version_and_help() {
    for (arg, start) in [("--version", "oci 0."), ("--help", "oci - flexvolume driver")] {
        let output = Command::new(binary()).arg(arg).output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().starts_with(start));
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn nothing_is_written_where_kubelet_watches() {
    let mut row = FaultRow::new("I2", "init, attach, isattached; the driver's folder is looked at");
    row.saw("Success", "nothing was written");
    let cluster = cluster_with(&Setup { nodes: 1, ..Setup::default() });
    let options = cluster.options(&[]);
    let place = cluster.controller();
    for args in
        [&["init"][..], &["attach", &options, "node-1"], &["isattached", &options, "node-1"]]
    {
        success(&place.call(args).unwrap());
    }
    let watched = place.folder("OCI_FLEXD_DRIVER_DIRECTORY").unwrap();
    assert!(!watched.exists(), "the driver directory was made");
    let left: Vec<_> = std::fs::read_dir(cluster.config_dir()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
