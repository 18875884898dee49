//! The log: useful, and never a reason to fail.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
};

use expect_test::expect;
use testbed::{Cluster, Setup};

use crate::support::{Kubelet, cluster_with, read_log, seen_to_succeed, success};

fn one_node() -> Cluster {
    cluster_with(&Setup { nodes: 1, ..Setup::default() })
}

fn log_of(cluster: &Cluster) -> PathBuf {
    cluster
        .controller()
        .folder("OCI_FLEXD_DRIVER_LOG_DIR")
        .unwrap()
        .join("oci_flexvolume_driver.log")
}

/// The value of a field of a line.
fn field<'a>(line: &'a str, key: &str) -> &'a str {
    let start = format!(" {key}=");
    let value = line.split_once(&start).unwrap_or_else(|| panic!("no {key} in {line}")).1;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap().0,
        None => value.split(' ').next().unwrap(),
    }
}

#[test]
fn a_call_leaves_two_lines_and_a_failure_its_reason() {
    let cluster = one_node();
    let controller = cluster.controller();
    success(&controller.call(&["attach", &cluster.options(&[]), "node-1"]).unwrap());
    let failed = controller.call(&["attach", &cluster.options(&[]), "node-9"]).unwrap();
    let log = read_log(&log_of(&cluster));
    let ends = |text: &str| {
        log.lines().filter(|it| it.contains(text)).map(str::to_owned).collect::<Vec<_>>()
    };
    let (begun, ended) = (ends("msg=\"call begins\""), ends("msg=\"call ends\""));
    assert_eq!((begun.len(), ended.len()), (2, 2), "{log}");
    for (begun, ended) in begun.iter().zip(&ended) {
        assert_eq!(field(begun, "call"), field(ended, "call"));
        for line in [begun, ended] {
            assert_eq!(field(line, "verb"), "attach");
            assert_eq!(field(line, "volume"), cluster.volume_name());
        }
    }
    assert_ne!(field(&ended[0], "call"), field(&ended[1], "call"));
    assert_eq!((field(&ended[0], "result"), field(&ended[0], "node")), ("Success", "node-1"));
    assert_eq!((field(&ended[1], "result"), field(&ended[1], "level")), ("Failure", "error"));
    assert_eq!(field(&ended[1], "error"), failed.message());
    let mode = fs::metadata(log_of(&cluster)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

/// Each change has its line, with what shows that it was right, and each call the number of its requests.
#[test]
fn every_change_of_a_volumes_life_has_its_line() {
    let cluster = one_node();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());
    success(&kubelet.detach());
    let node = cluster.node(1).folder("OCI_FLEXD_DRIVER_LOG_DIR").unwrap().clone();
    let node = read_log(&node.join("oci_flexvolume_driver.log"));
    let master = read_log(&log_of(&cluster));
    // Sentences that name the volume are about a decision, not about a change.
    let changes = |log: &str| {
        let messages = log.lines().map(|it| field(it, "msg"));
        let changes = messages.filter(|it| !it.contains(cluster.volume_name()));
        changes.map(|it| format!("{it}\n")).collect::<String>()
    };
    expect![[r#"
        call begins
        request answered
        attached
        call ends
        call begins
        request answered
        detached, as OCI says
        call ends
    "#]]
    .assert_eq(&changes(&master));
    expect![[r#"
        call begins
        disk identified
        nothing is found on the disk
        record written
        formatting
        file system made, and checked
        record written
        mounted
        call ends
        call begins
        unmounted
        call ends
    "#]]
    .assert_eq(&changes(&node));
    for (line, pairs) in [
        (&master, &["method=POST", "status=200", "opc_request_id="][..]),
        (&master, &["msg=attached", "state=ATTACHED", "attachment=ocid1.volumeattachment."]),
        (&master, &["msg=\"call ends\" verb=attach", " requests=", " opc_request_ids="]),
        (&master, &["method=DELETE", "status=204"]),
        (&node, &["msg=mounted", "mountinfo=\"/dev/loop", ", ext4, read-write)\""]),
        (&node, &["msg=unmounted", "flushed=true"]),
    ] {
        let found = line.lines().any(|line| pairs.iter().all(|it| line.contains(it)));
        assert!(found, "{pairs:?} is not in {line}");
    }
}

#[test]
fn lines_are_json_objects_if_that_is_asked_for() {
    let cluster = one_node();
    let options = cluster.options(&[]);
    let mut command = cluster.controller().command(&["isattached", &options, "no\nde\u{85}"]);
    command.env("OCI_FLEXD_LOG_FORMAT", "json").env("OCI_FLEXD_LOG_LEVEL", "trace");
    testbed::run(command).unwrap();
    let log = read_log(&log_of(&cluster));
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!(last["msg"], "call ends");
    assert_eq!(last["node"], "no de ");
    assert!(last["pid"].is_u64() && last["ms"].is_u64(), "{last}");
}

#[test]
fn an_unknown_level_or_format_is_an_error_in_the_log() {
    let cluster = one_node();
    for (variable, value, known) in [
        ("OCI_FLEXD_LOG_LEVEL", "verbose", "error, warn, info, debug, trace, off"),
        ("OCI_FLEXD_LOG_FORMAT", "logstash", "text, json"),
    ] {
        let _ = fs::remove_file(log_of(&cluster));
        for call in [&["init"][..], &["isattached", &cluster.options(&[]), "node-1"]] {
            assert!(!log_of(&cluster).exists());
            let mut command = cluster.controller().command(call);
            success(
                &testbed::run({
                    command.env(variable, value);
                    command
                })
                .unwrap(),
            );
        }
        let log = read_log(&log_of(&cluster));
        let line = log.lines().next().unwrap();
        let rest = format!(
            "msg=\"the environment asks for a log that does not exist\" variable={variable} value={value} known=\"{known}\""
        );
        assert!(line.contains(" level=error ") && line.ends_with(&rest), "{line}");
        assert!(log.contains(" level=info "), "{log}");
    }
}

/// What kubelet's prober watches changes by nothing but the installer: no write there, no rotation, no new file.
#[test]
fn the_installers_link_is_followed_and_stays() {
    let cluster = one_node();
    let watched = cluster.dir().join("exec/oracle~oci");
    fs::create_dir_all(&watched).unwrap();
    fs::create_dir_all(log_of(&cluster).parent().unwrap()).unwrap();
    let name = log_of(&cluster).file_name().unwrap().to_owned();
    symlink(log_of(&cluster), watched.join(&name)).unwrap();
    let changed = || {
        let status = fs::metadata(&watched).unwrap();
        (status.ctime(), status.ctime_nsec())
    };
    let before = changed();
    for _ in 0..2 {
        let mut command =
            cluster.controller().command(&["isattached", &cluster.options(&[]), "node-1"]);
        command
            .env("OCI_FLEXD_DRIVER_LOG_DIR", &watched)
            .env("OCI_FLEXD_DRIVER_DIRECTORY", &watched);
        command.env("OCI_FLEXD_CONFIG_DIRECTORY", cluster.config_dir());
        success(&testbed::run(command).unwrap());
        fs::OpenOptions::new()
            .write(true)
            .open(log_of(&cluster))
            .unwrap()
            .set_len(10 << 20)
            .unwrap();
    }
    assert_eq!(changed(), before);
    assert_eq!(fs::read_link(watched.join(&name)).unwrap(), log_of(&cluster));
    assert!(log_of(&cluster).with_extension("log.1").exists());
}

/// A program that is left behind would keep the pipe to the log's writer open. Of what the caller has left open the
/// driver knows nothing, so calls with and without a log are compared.
#[test]
fn programs_of_the_host_do_not_inherit_the_log() {
    let cluster = one_node();
    let tools = cluster.dir().join("tools");
    fs::create_dir(&tools).unwrap();
    let seen = cluster.dir().join("seen");
    let script = format!(
        "#!/bin/sh\nPATH=/usr/bin:/bin; ls /proc/self/fd | wc -l >> {}\nexit 1\n",
        seen.display()
    );
    for tool in ["blkid", "wipefs", "udevadm", "mount", "iscsiadm", "umount"] {
        fs::write(tools.join(tool), &script).unwrap();
        fs::set_permissions(tools.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    let inherited = ["off", "info"].map(|level| {
        let mut command =
            cluster.node(1).command(&["mountdevice", &kubelet.dir(), &device, &options]);
        command.env("OCI_FLEXD_TOOL_PATH", &tools).env("OCI_FLEXD_LOG_LEVEL", level);
        testbed::run(command).unwrap();
        let counts = fs::read_to_string(&seen).unwrap();
        fs::remove_file(&seen).unwrap();
        counts
    });
    assert_eq!(inherited[0], inherited[1]);
}

#[test]
fn init_leaves_nothing() {
    let cluster = one_node();
    success(&cluster.controller().call(&["init"]).unwrap());
    assert!(!log_of(&cluster).exists());
}

#[test]
fn a_log_that_cannot_be_written_changes_nothing() {
    let cluster = one_node();
    let controller = cluster.controller();
    let dir = cluster.dir().join("unwritable");
    fs::write(&dir, "a file, not a folder").unwrap();
    let full = cluster.dir().join("full");
    fs::create_dir(&full).unwrap();
    std::os::unix::fs::symlink("/dev/full", full.join("oci_flexvolume_driver.log")).unwrap();
    for place in [dir, full, "/proc/none".into()] {
        for args in [&["init"][..], &["attach", &cluster.options(&[]), "node-1"]] {
            let mut command = controller.command(args);
            command.env("OCI_FLEXD_DRIVER_LOG_DIR", &place);
            let done =
                format!("{} with the log at {}", args[0], place.file_name().unwrap().display());
            seen_to_succeed("X3", &done, &testbed::run(command).unwrap());
        }
    }
}
