//! Faults of the node that no other file is about: programs that are missing or fail, what else is
//! mounted, folders that are full.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio, thread};

use oci_sim::NewVolume;
use testbed::{Answer, Cluster, FaultRow};

use crate::support::{Kubelet, cluster, failure_with, seen_to_fail, seen_to_succeed, success};

/// A node with a blank volume.
struct Scene<'a> {
    kubelet: Kubelet<'a>,
    device: String,
    options: String,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        let kubelet = Kubelet { cluster, number: 1 };
        let options = cluster.options(&[]);
        Self { device: kubelet.attach(&options), options, kubelet }
    }

    /// Formatted, and unmounted again.
    fn formatted(cluster: &'a Cluster) -> Self {
        let scene = Self::new(cluster);
        success(&scene.mount());
        success(&scene.kubelet.unmount());
        scene
    }

    fn mount(&self) -> Answer {
        self.kubelet.mount(&self.device, &self.options)
    }

    /// mountdevice with `program` in place of the host's.
    fn mount_with(&self, program: &str, script: &str) -> Answer {
        let tools = self.kubelet.cluster.dir().join("tools");
        fs::create_dir_all(&tools).unwrap();
        let path = tools.join(program);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self.mount_on(&format!("{}:{HOST}", tools.display()))
    }

    /// mountdevice with the programs on `search_path`.
    fn mount_on(&self, search_path: &str) -> Answer {
        let args = ["mountdevice", &*self.kubelet.dir(), &self.device, &self.options];
        let mut command = self.kubelet.cluster.node(1).command(&args);
        command.env("OCI_FLEXD_TOOL_PATH", search_path);
        testbed::run(command).unwrap()
    }

    fn is_blank(&self) -> bool {
        self.kubelet.sh(&format!("cmp {} /dev/zero 2>&1 || true", self.device)).contains("EOF")
    }
}

#[test]
fn a_missing_program_is_named_with_its_package() {
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    for (missing, package) in
        [("blkid", "util-linux"), ("wipefs", "util-linux"), ("mkfs.ext4", "e2fsprogs")]
    {
        let tools = cluster.dir().join(format!("without-{missing}"));
        fs::create_dir(&tools).unwrap();
        for dir in HOST.split(':') {
            for entry in fs::read_dir(dir).unwrap().flatten() {
                if entry.file_name() != missing {
                    // The same name in two folders.
                    let _ = std::os::unix::fs::symlink(entry.path(), tools.join(entry.file_name()));
                }
            }
        }
        let answer = scene.mount_on(tools.to_str().unwrap());
        seen_to_fail("X14", format!("{missing} is missing"), &answer, &[missing, package]);
        assert!(scene.is_blank());
    }
    success(&scene.mount());
}

#[test]
fn two_calls_at_once_do_the_work_once() {
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    let mut row = FaultRow::new("X8", "mountdevice of a blank disk, twice at once");
    let answers = thread::scope(|scope| {
        let calls = [(); 2].map(|()| scope.spawn(|| scene.mount()));
        calls.map(|call| call.join().unwrap())
    });
    for answer in &answers {
        if !answer.is_success() {
            row.shows(answer);
            failure_with(answer, &["another call for volume", "is still running (mountdevice"]);
        }
    }
    assert!(answers.iter().any(Answer::is_success), "{answers:?}");
    if answers.iter().all(Answer::is_success) {
        row.saw("Success", "the second has waited");
    }
    success(&scene.mount());
    assert_eq!(scene.kubelet.sh(r#"grep -cF " $0 " /proc/self/mountinfo"#), "1");
    success(&scene.kubelet.unmount());
    scene.kubelet.sh(&format!("e2fsck -fn {} >&2", scene.device));
}

#[test]
fn init_needs_nothing_and_leaves_work_to_the_calls() {
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    let place = cluster.node(1);
    let mut command = place.command(&["init"]);
    for variable in ["OCI_FLEXD_DRIVER_DIRECTORY", "OCI_FLEXD_CONFIG_DIRECTORY"] {
        command.env(variable, "/nowhere");
    }
    command
        .env("OCI_METADATA_BASE_URL", "http://127.0.0.1:1")
        .env("OCI_FLEXD_TOOL_PATH", "/nowhere");
    seen_to_succeed(
        "I1",
        "no folder, no config, no programs, no metadata",
        &testbed::run(command).unwrap(),
    );

    scene.mount_with("mkfs.ext4", "case $1 in -V) exit 0;; *) kill -9 $$;; esac");
    let state = place.folder("OCI_FLEXD_STATE_DIRECTORY").unwrap().display();
    let left = || {
        scene.kubelet.sh(&format!("ls -lR --time-style=full-iso {state}; cat {state}/volumes/*"))
    };
    let before = left();
    let answer = place.call(&["init"]).unwrap();
    assert_eq!(left(), before);
    seen_to_succeed("I3", "a format was interrupted", &answer);
    seen_to_succeed("M16", "mkfs was killed; mountdevice again", &scene.mount());
}

#[test]
fn what_else_is_mounted_there_is_named() {
    let cluster = cluster();
    let scene = Scene::formatted(&cluster);
    scene.kubelet.sh(r#"mkdir -p "$0"; mount -t tmpfs tmpfs "$0""#);
    seen_to_fail(
        "M3",
        "a tmpfs is mounted there",
        &scene.mount(),
        &["tmpfs", &scene.kubelet.dir()],
    );
    scene.kubelet.sh(r#"umount "$0""#);

    let other =
        cluster.sim.add_volume(NewVolume { disk_bytes: Some(32 << 20), ..NewVolume::default() });
    let name = other.rsplit('.').next().unwrap();
    let other = scene.kubelet.attach(&cluster.options(&[("kubernetes.io/pvOrVolumeName", name)]));
    scene.kubelet.sh(&format!(r#"mke2fs -q -t ext4 {other}; mount {other} "$0""#));
    seen_to_fail(
        "M3",
        "another volume's disk is mounted there",
        &scene.mount(),
        &[&scene.kubelet.dir()],
    );
}

#[test]
fn a_user_that_no_mount_shows_keeps_the_disk() {
    let cluster = cluster();
    let scene = Scene::formatted(&cluster);
    let script = format!(
        "mkdir -p $0-lazy; mount {} $0-lazy; exec 9>$0-lazy/file; umount -l $0-lazy; echo ready; cat",
        scene.device
    );
    let mut holder = cluster
        .node(1)
        .tool("sh")
        .args(["-c", &script, &scene.kubelet.dir()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(holder.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    assert_eq!(line, "ready\n");
    let answer = scene.mount();
    // It ends with its stdin.
    drop(holder.stdin.take());
    holder.wait().unwrap();
    seen_to_fail("M5", "lazily unmounted, with an open file", &answer, &["in use"]);
    success(&scene.mount());
}

#[test]
fn every_end_of_e2fsck_is_understood() {
    let cluster = cluster();
    let scene = Scene::formatted(&cluster);
    for code in [4, 8, 12, 16, 32, 128] {
        let answer = scene.mount_with("e2fsck", &format!("echo what it said; exit {code}"));
        seen_to_fail("M13", format!("e2fsck ends with {code}"), &answer, &["what it said"]);
        assert_eq!(scene.kubelet.sh(r#"grep -cF " $0 " /proc/self/mountinfo || true"#), "0");
    }
    let answer = scene.mount_with("e2fsck", "exit 1");
    seen_to_succeed("M13", "e2fsck ends with 1", &answer);
}

#[test]
fn a_file_system_that_the_kernel_refuses_is_not_repaired() {
    let cluster = cluster();
    let scene = Scene::formatted(&cluster);
    let device = &scene.device;
    // Marked clean, and without a root directory.
    scene.kubelet.sh(&format!("debugfs -w -R 'clri <2>' {device} >&2"));
    seen_to_fail(
        "M14",
        "the root inode is gone, the superblock says clean",
        &scene.mount(),
        &["e2fsck -f"],
    );
    assert_eq!(scene.kubelet.sh(&format!("blkid -p -o value -s TYPE {device}")), "ext4");
}

#[test]
fn a_mount_of_another_disk_is_undone() {
    let cluster = cluster();
    let scene = Scene::formatted(&cluster);
    let other = cluster.dir().join("other");
    scene.kubelet.sh(&format!("truncate -s 8M {0}; mke2fs -q -t ext4 {0}", other.display()));
    // The last argument is the directory.
    let script =
        format!("for dir; do :; done; exec /bin/mount -o loop {} \"$dir\"", other.display());
    let answer = scene.mount_with("mount", &script);
    seen_to_fail("M19", "mount mounts another disk", &answer, &[]);
    assert_eq!(scene.kubelet.sh(r#"grep -cF " $0 " /proc/self/mountinfo || true"#), "0");
    success(&scene.mount());
}

#[test]
fn a_full_file_system_has_no_room_for_the_directory() {
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    scene.kubelet.sh(r#"mkdir -p "${0%/*}"; mount -t tmpfs -o nr_inodes=1 tmpfs "${0%/*}""#);
    seen_to_fail(
        "M23",
        "no inode is left where the directory should be",
        &scene.mount(),
        &[&scene.kubelet.dir()],
    );
    assert!(scene.is_blank());
    scene.kubelet.sh(r#"umount "${0%/*}""#);
    success(&scene.mount());
}

#[test]
fn mounts_that_come_and_go_meanwhile_hide_nothing() {
    let cluster = cluster();
    let scene = Scene::formatted(&cluster);
    success(&scene.mount());
    let script = "while :; do for n in 1 2 3 4 5 6 7 8; do mkdir -p $0-$n; mount -t tmpfs tmpfs $0-$n; done; \
                  for n in 1 2 3 4 5 6 7 8; do umount $0-$n; done; done";
    let mut churn = cluster
        .node(1)
        .tool("sh")
        .args(["-c", script, &scene.kubelet.dir()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let answers: Vec<_> = (0..20).map(|_| scene.mount()).collect();
    churn.kill().unwrap();
    churn.wait().unwrap();
    for answer in &answers {
        seen_to_succeed("U12", "other mounts come and go during the call", answer);
    }
    assert_eq!(scene.kubelet.sh(r#"grep -cF " $0 " /proc/self/mountinfo"#), "1");
}

const HOST: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
