//! Every call with right and wrong arguments, and the very line it is answered with.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

use flexvolume::{Call, CallError, dispatch};

use crate::backend::{Echo, MountOnly, call};

const OPTIONS: &str = r#"{"kubernetes.io/pvOrVolumeName":"pv-a"}"#;

#[track_caller]
fn check(args: &[&str], code: u8, line: &str) {
    let reply = call(&Echo, args);
    assert_eq!((reply.exit_code(), reply.to_line()), (code, format!("{line}\n")), "{args:?}");
}

#[track_caller]
fn check_failure(args: &[&str], message: &str) {
    let reply = call(&Echo, args);
    assert_eq!((reply.exit_code(), reply.message()), (1, Some(message)), "{args:?}");
}

#[test]
fn every_call_reaches_its_method_with_its_arguments() {
    check(
        &["init"],
        0,
        r#"{"status":"Success","capabilities":{"attach":true,"selinuxRelabel":true,"supportsMetrics":true,"fsGroup":true,"requiresFSResize":false}}"#,
    );
    check(&["attach", OPTIONS, "node1"], 0, r#"{"status":"Success","device":"/dev/pv-a@node1"}"#);
    check(&["isattached", OPTIONS, "node1"], 0, r#"{"status":"Success","attached":true}"#);
    check(&["isattached", OPTIONS, "node2"], 0, r#"{"status":"Success","attached":false}"#);
    check(
        &["waitforattach", "/dev/sdb", OPTIONS],
        0,
        r#"{"status":"Success","device":"/dev/sdb"}"#,
    );
    check_failure(&["detach", "pv-a", "node1"], r#""pv-a" "node1""#);
    check_failure(
        &["mountdevice", "/global", "/dev/sdb", OPTIONS],
        r#""/global" "/dev/sdb" {"kubernetes.io/pvOrVolumeName"}"#,
    );
    check_failure(&["unmountdevice", "/global"], r#""/global""#);
    check_failure(&["mount", "/pod", "{}"], r#""/pod" {} None"#);
    check_failure(&["unmount", "/pod"], r#""/pod""#);
    let grown = r#"{"status":"Success","volumeNewSize":10}"#;
    check(&["expandvolume", OPTIONS, "a/mounts/b", "0", "10"], 0, grown);
    check(&["expandfs", OPTIONS, "/dev/sdb", "/pod", "0", "10"], 0, grown);
    check_failure(&["expandvolume", OPTIONS, "a/mounts/b", "20", "10"], r#""a/mounts/b" 20 10"#);
    check_failure(
        &["expandfs", OPTIONS, "/dev/sdb", "/pod", "20", "0"],
        r#""/dev/sdb" "/pod" 20 0"#,
    );
}

#[test]
fn isattached_takes_its_arguments_in_either_order() {
    check(&["isattached", "node1", OPTIONS], 0, r#"{"status":"Success","attached":true}"#);
    check(&["isattached", "node2", " {}"], 0, r#"{"status":"Success","attached":false}"#);
    check_failure(
        &["isattached", "node1", "node2"],
        "`isattached`: cannot read the options: not a JSON object; it must begin with {",
    );
    check_failure(
        &["isattached", "{}", "{}"],
        "`isattached`: a JSON object stands where the node name belongs; expected <options> <node name>",
    );
}

#[test]
fn an_unknown_call_is_not_supported() {
    for args in [
        &["waitfordetach", "/dev/sdb"][..],
        &["INIT"],
        &["attach "],
        &[""],
        &["--frobnicate", "x", "{"],
        &["getvolumename"],
        &["getvolumename", "{}"],
        &["getvolumename", "{broken", "x"],
    ] {
        check(args, 0, r#"{"status":"Not supported"}"#);
    }
}

#[test]
fn init_is_answered_whatever_follows() {
    assert!(call(&Echo, &["init", "{", "x"]).to_line().starts_with(r#"{"status":"Success","#));
}

#[test]
fn a_mount_only_backend_leaves_the_rest_to_its_caller() {
    for args in [
        &["attach", "{}", "node1"][..],
        &["detach", "pv-a", "node1"],
        &["isattached", "{}", "node1"],
        &["waitforattach", "", "{}"],
        &["mountdevice", "/global", "", "{}"],
        &["unmountdevice", "/global"],
        &["expandvolume", "{}", "/global", "2", "1"],
        &["expandfs", "{}", "", "/pod", "2", "1"],
    ] {
        assert_eq!(call(&MountOnly, args).to_line(), "{\"status\":\"Not supported\"}\n");
    }
    assert_eq!(call(&MountOnly, &["mount", "/pod", "{}"]).to_line(), "{\"status\":\"Success\"}\n");
    assert_eq!(call(&MountOnly, &["unmount", "/pod"]).to_line(), "{\"status\":\"Success\"}\n");
}

#[test]
fn a_wrong_argument_count_says_what_is_right() {
    check_failure(&[], "no call given; the first argument must be one, as in `init`");
    check_failure(
        &["mount", "/pod"],
        "wrong number of arguments: expected 2, given 1; usage: mount <pod volume dir> <options>",
    );
    for (name, count) in COUNTS {
        for given in (0..8).filter(|given| *given != count) {
            let mut args = vec![name];
            args.extend(vec!["x"; given]);
            let message = call(&Echo, &args).message().unwrap().to_owned();
            let expected = format!(
                "wrong number of arguments: expected {count}, given {given}; usage: {name} <"
            );
            assert!(message.starts_with(&expected), "{message}");
        }
    }
}

const COUNTS: [(&str, usize); 10] = [
    ("attach", 2),
    ("detach", 2),
    ("isattached", 2),
    ("waitforattach", 2),
    ("mountdevice", 3),
    ("unmountdevice", 1),
    ("mount", 2),
    ("unmount", 1),
    ("expandvolume", 4),
    ("expandfs", 5),
];

#[test]
fn arguments_of_the_wrong_kind_are_named() {
    check_failure(
        &["attach", r#"{"a":"#, "node1"],
        "`attach`: cannot read the options: broken JSON at line 1, column 5",
    );
    check_failure(
        &["attach", "node1", "{}"],
        "`attach`: cannot read the options: not a JSON object; it must begin with {",
    );
    check_failure(
        &["attach", "{}", "{}"],
        "`attach`: a JSON object stands where the node name belongs; expected <options> <node name>",
    );
    check_failure(
        &["mountdevice", "{}", "/dev/sdb", "{}"],
        "`mountdevice`: a JSON object stands where the global mount dir belongs; expected <global mount dir> <device> <options>",
    );
    let long = "n".repeat(1025);
    for (name, args) in [
        ("volume name", ["detach", "", "node1"]),
        ("volume name", ["detach", &long, "node1"]),
        ("node name", ["detach", "pv-a", ""]),
        ("node name", ["attach", OPTIONS, ""]),
        ("node name", ["attach", OPTIONS, &long]),
        ("node name", ["isattached", OPTIONS, ""]),
    ] {
        let verb = args[0];
        check_failure(&args, &format!("`{verb}`: the {name} is empty or longer than 1024 bytes"));
    }
    for size in ["", "-1", "1Gi", "1e9", "18446744073709551616"] {
        check_failure(
            &["expandfs", "{}", "", "/pod", size, "0"],
            "`expandfs`: the new size is not a whole number of bytes",
        );
    }
    check_failure(
        &["attach", "{}", "node1"],
        r#"option "kubernetes.io/pvOrVolumeName" is missing or empty"#,
    );
}

#[test]
fn paths_need_not_be_utf8_but_names_must() {
    let raw = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let dir = b"/pods/\xff";
    match Call::parse(&[raw(b"unmount"), raw(dir)]) {
        Ok(Call::Unmount { dir: parsed }) => assert_eq!(parsed.into_os_string(), raw(dir)),
        other => panic!("{other:?}"),
    }
    let error = Call::parse(&[raw(b"detach"), raw(b"pv-a"), raw(b"\xff")]).unwrap_err();
    assert_eq!(error, CallError::NotUtf8 { call: "detach", what: "node name" });
    assert!(matches!(Call::parse(&[raw(b"\xff")]), Err(CallError::Unknown)));
    let reply = dispatch(&Echo, &[raw(b"waitforattach"), raw(b"/dev/\xff"), raw(b"{}")]);
    assert_eq!(reply.message(), Some("the path of the volume's device is not UTF-8"));
}

#[test]
fn an_empty_device_is_taken_but_never_given_back_by_waitforattach() {
    check_failure(&["waitforattach", "", "{}"], "the driver found no device for the volume");
}

#[test]
fn a_failure_names_its_causes_outermost_first() {
    check(
        &["attach", OPTIONS, "lost"],
        1,
        r#"{"status":"Failure","message":"cannot find node lost: HTTP 404"}"#,
    );
}
