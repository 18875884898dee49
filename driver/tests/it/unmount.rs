//! What stands in the way of an unmount, and what does not.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader},
    os::unix::ffi::OsStringExt as _,
    process::{Child, Stdio},
};

use testbed::FaultRow;

use crate::support::{Kubelet, cluster, failure_with, success};

/// A process on the node that stays until it is dropped, with the global directory as its last argument.
struct Staying(Child);

impl Staying {
    /// Runs a program that prints a line as soon as it is where it stays.
    fn new(kubelet: &Kubelet<'_>, program: &str, args: &[&str]) -> Self {
        let mut command = kubelet.cluster.node(kubelet.number).tool(program);
        command.args(args).arg(kubelet.dir()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "in\n");
        Self(child)
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn what_is_not_mounted_is_unmounted() {
    let mut row = FaultRow::new("B5", "unmountdevice of a missing directory, then of an empty one");
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let answer = kubelet.unmount();
    row.shows(&answer);
    success(&answer);
    kubelet.sh(r#"mkdir -p "$0""#);
    success(&kubelet.unmount());
}

/// A loop device that is detached while it is mounted goes when the mount does; its node stays, without a size.
#[test]
fn a_disk_that_goes_with_its_mount_is_nobodys() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    kubelet.sh(&format!(r#"echo kept > "$0/file"; losetup --detach $(readlink -f {device})"#));
    success(&kubelet.unmount());
    assert_eq!(kubelet.sh(&format!("blockdev --getsize64 {device}")), "0");
    success(&kubelet.unmount());
}

#[test]
fn what_uses_it_is_named() {
    let mut row = FaultRow::new("B6", "a process has its working directory in the file system");
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    let user = Staying::new(&kubelet, "sh", &["-c", r#"cd "$0" && echo in && exec sleep 300"#]);
    let answer = kubelet.unmount();
    row.shows(&answer);
    failure_with(&answer, &["is busy: sleep uses", &kubelet.dir()]);
    drop(user);
    success(&kubelet.unmount());
}

#[test]
fn a_dead_mount_point_is_unmounted_all_the_same() {
    let mut row = FaultRow::new("B8", "xfs shut down under the mount: every look at it is EIO");
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[("kubernetes.io/fsType", "xfs")]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    kubelet.sh(r#"xfs_io -x -c shutdown "$0" && ! ls "$0" 2>/dev/null"#);
    let answer = kubelet.unmount();
    row.shows(&answer);
    failure_with(&answer, &["writes to", "may be lost"]);
    kubelet.sh(r#"! grep -qF " $0 " /proc/self/mountinfo"#);
    success(&kubelet.unmount());
    success(&kubelet.mount(&device, &options));
}

#[test]
fn a_mount_in_another_namespace_keeps_the_disk() {
    let mut row = FaultRow::new("B9", "a process with mounts of its own still has the file system");
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    let in_private = ["--mount", "--propagation", "private", "sh", "-c", "echo in; exec sleep 300"];
    let other = Staying::new(&kubelet, "unshare", &in_private);
    let answer = kubelet.unmount();
    row.shows(&answer);
    failure_with(&answer, &["is in use: it is mounted at", "in the mount namespace of"]);
    drop(other);
    success(&kubelet.unmount());
}

#[test]
fn paths_are_taken_as_they_are() {
    let mut row =
        FaultRow::new("B10", "blanks, a line end, a backslash and half a UTF-8 character");
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    let place = cluster.node(1);
    for folder in [&b"a b\tc\nd\\040e"[..], b"x\xc3"] {
        let mut dir = cluster.dir().join(OsString::from_vec(folder.to_vec()));
        dir.push(cluster.volume_name());
        let mount = ["mountdevice".as_ref(), dir.as_os_str(), device.as_ref(), options.as_ref()];
        let is_mounted =
            || place.tool("mountpoint").arg("-q").arg(&dir).status().unwrap().success();
        success(&place.call(&mount).unwrap());
        success(&place.call(&mount).unwrap());
        assert!(is_mounted());
        let answer = place.call(&["unmountdevice".as_ref(), dir.as_os_str()]).unwrap();
        row.shows(&answer);
        success(&answer);
        assert!(!is_mounted());
    }
}
