//! The log: useful, and never a reason to fail.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use testbed::{Cluster, Setup};

use crate::support::{cluster_with, seen_to_succeed, success};

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

#[test]
fn a_call_leaves_its_line_and_a_failure_its_reason() {
    let cluster = one_node();
    let controller = cluster.controller();
    success(&controller.call(&["attach", &cluster.options(&[]), "node-1"]).unwrap());
    let failed = controller.call(&["attach", &cluster.options(&[]), "node-9"]).unwrap();
    let log = fs::read_to_string(log_of(&cluster)).unwrap();
    assert!(log.contains("INFO flexvolume::dispatch: Attach"), "{log}");
    assert!(log.contains(&format!("ERROR flexvolume::dispatch: {}", failed.message())), "{log}");
    let mode = fs::metadata(log_of(&cluster)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
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
