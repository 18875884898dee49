//! Options that are refused: by which calls, and before what.

use std::{fs, path::Path};

use testbed::{Answer, Cluster};

use crate::support::{Kubelet, cluster, failure, success};

const MISSPELT: (&str, &str) = ("formatt", "never");
const REFUSED: &str = "`formatt` is no option of this driver; did you mean `format`?";

/// All files below the folders in which a host's driver keeps something, but what every call leaves for its log.
fn kept(cluster: &Cluster, host: &str) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["state", "run"] {
        list(&cluster.dir().join(host).join(folder), &mut found);
    }
    found.retain(|path| !path.contains("/run/log"));
    found
}

fn list(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        list(&path, found);
        found.push(path.display().to_string());
    }
}

fn controllers_calls(cluster: &Cluster, options: &str) -> [Answer; 2] {
    let dir = cluster.global_mount(1);
    let dir = dir.to_str().unwrap();
    [&["attach", options, "node-1"][..], &["expandvolume", options, dir, "1", "1"]]
        .map(|args| cluster.controller().call(args).unwrap())
}

fn kubelets_calls(cluster: &Cluster, device: &str, options: &str) -> [Answer; 3] {
    let dir = cluster.global_mount(1);
    let dir = dir.to_str().unwrap();
    [
        &["waitforattach", device, options][..],
        &["mountdevice", dir, device, options],
        &["expandfs", options, device, dir, "1", "1"],
    ]
    .map(|args| cluster.node(1).call(args).unwrap())
}

#[test]
fn what_is_refused_is_refused_before_anything_is_asked_for_or_written() {
    let cluster = cluster();
    let device = "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.2015-12.com.oracleiaas:x-lun-1";
    for (option, value, message) in [
        ("formatt", "never", REFUSED),
        ("useChap", "yes", "the option useChap is `yes`; it may be false (the default) or true"),
        ("format", "no", "the option format is `no`; it may be if-blank (the default) or never"),
        (
            "blankCheck",
            "half",
            "the option blankCheck is `half`; it may be sampled (the default) or full",
        ),
        (
            "mountOptions",
            "bind",
            "mount option \"bind\" is refused: it makes mount do something other than mounting the \
             volume",
        ),
        (
            "kubernetes.io/fsType",
            "ntfs",
            "file system \"ntfs\" is not supported: use ext4, ext3 or xfs",
        ),
    ] {
        let options = cluster.options(&[("attachmentType", "iscsi"), (option, value)]);
        for answer in controllers_calls(&cluster, &options) {
            failure(&answer, message);
        }
        for answer in kubelets_calls(&cluster, device, &options) {
            failure(&answer, message);
        }
    }
    assert_eq!(cluster.sim.requests().len(), 0);
    assert_eq!(kept(&cluster, "controller"), [""; 0]);
    assert_eq!(kept(&cluster, "node-1"), [""; 0]);
}

/// A driver that knew less, or ignored more, has attached and mounted it.
#[test]
fn a_volume_that_runs_with_a_refused_option_is_found_and_let_go() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let device = kubelet.attach(&cluster.options(&[]));
    success(&kubelet.mount(&device, &cluster.options(&[])));

    let options = cluster.options(&[MISSPELT]);
    for (node, attached) in [("node-1", true), ("node-2", false)] {
        let answer = cluster.controller().call(&["isattached", &options, node]).unwrap();
        success(&answer);
        assert_eq!(answer.json().unwrap()["attached"], attached);
    }
    for answer in kubelets_calls(&cluster, &device, &options) {
        failure(&answer, REFUSED);
    }
    let dir = cluster.global_mount(1);
    success(&cluster.node(1).call(&["unmountdevice", dir.to_str().unwrap()]).unwrap());
    let args = ["detach", cluster.volume_name(), "node-1"];
    success(&cluster.controller().call(&args).unwrap());
    assert_eq!(cluster.sim.attachments()[0].lifecycle_state, "DETACHED");
}
