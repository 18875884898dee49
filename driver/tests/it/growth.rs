//! A file system follows its volume: online by expandfs, else at the next mount; it is never cut.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use testbed::{Answer, Cluster, FaultRow};

use crate::support::{Kubelet, cluster, failure, failure_with, success};

/// An xfs volume, mounted on node 1 with a file in it.
struct Scene<'a> {
    kubelet: Kubelet<'a>,
    device: String,
    options: String,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        let kubelet = Kubelet { cluster, number: 1 };
        let options = cluster.options(&[("kubernetes.io/fsType", "xfs"), QUICK]);
        let device = kubelet.attach(&options);
        success(&kubelet.mount(&device, &options));
        kubelet.sh(r#"echo kept > "$0/file""#);
        Self { kubelet, device, options }
    }

    /// The volume gets this size by the API, and the kernel of the node knows it.
    fn grow_volume(&self, gib: u64) {
        let (options, bytes) = (&self.options, (gib * GIB).to_string());
        let args = ["expandvolume", options, "oracle/oci/mounts/x", &bytes, "0"];
        success(&self.kubelet.cluster.controller().call(&args).unwrap());
    }

    /// expandfs of the global directory.
    fn expand(&self, bytes: u64) -> Answer {
        self.expand_at(&self.device, &self.kubelet.dir(), bytes)
    }

    fn expand_at(&self, device: &str, dir: &str, bytes: u64) -> Answer {
        let bytes = bytes.to_string();
        let args = ["expandfs", &self.options, device, dir, &bytes, "0"];
        self.kubelet.cluster.node(1).call(&args).unwrap()
    }

    /// The bytes of the mounted file system, after a look whether its file is there.
    #[track_caller]
    fn room(&self) -> u64 {
        assert_eq!(self.kubelet.sh(r#"cat "$0/file""#), "kept");
        self.kubelet.sh(r#"df --block-size=1 --output=size "$0" | tail -1"#).trim().parse().unwrap()
    }
}

#[track_caller]
fn grown(answer: &Answer, bytes: u64) {
    success(answer);
    assert_eq!(answer.json().unwrap()["volumeNewSize"], bytes);
}

#[test]
fn a_mounted_file_system_grows_once() {
    let mut row = FaultRow::new("E7", "xfs, mounted, the volume grown from 0.3 to 51 GiB; thrice");
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    scene.grow_volume(51);
    // At a pod's directory, as kubelet calls it after it has bound the volume there.
    let pod = cluster.pod_mount(1);
    let pod = pod.to_str().unwrap();
    scene.kubelet.sh(&format!(r#"mkdir -p {pod} && mount --bind "$0" {pod}"#));
    let answer = scene.expand_at(&scene.device, pod, 51 * GIB);
    row.shows(&answer);
    grown(&answer, 51 * GIB);
    assert!(scene.room() > 50 * GIB);
    for _ in 0..2 {
        grown(&scene.expand(51 * GIB), 51 * GIB);
    }
    // Less than there is asks for nothing.
    grown(&scene.expand(0), 51 * GIB);
    assert!(scene.room() > 50 * GIB);
    scene.kubelet.sh(&format!("umount {pod}"));
    success(&scene.kubelet.unmount());
    success(&scene.kubelet.mount(&scene.device, &scene.options));
    assert!(scene.room() > 50 * GIB);
}

#[test]
fn the_directory_may_stand_where_the_device_belongs() {
    let mut row =
        FaultRow::new("E5", "expandfs with the global directory as device, and with none");
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    scene.grow_volume(51);
    let dir = scene.kubelet.dir();
    let answer = scene.expand_at(&dir, &dir, 51 * GIB);
    row.shows(&answer);
    grown(&answer, 51 * GIB);
    grown(&scene.expand_at("", &dir, 51 * GIB), 51 * GIB);
    failure_with(
        &scene.expand_at("/dev/sdb", &dir, 51 * GIB),
        &["`/dev/sdb` is no device path of this driver"],
    );
}

#[test]
fn a_disk_that_the_kernel_knows_as_small_is_not_enough() {
    let mut row = FaultRow::new("E6", "the disk grown behind the kernel's back, 51 GiB asked");
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    let device = scene.kubelet.sh(&format!("readlink -f {}", scene.device));
    scene.kubelet.sh(&format!("truncate -s 51G $(losetup -nO BACK-FILE {device})"));
    let answer = scene.expand(51 * GIB);
    row.shows(&answer);
    let volume = cluster.volume_name();
    failure(
        &answer,
        &format!(
            "the disk at {device} of volume {volume} has 335544320 bytes, and 54760833024 are asked \
             for: grow the volume itself (in the console, or `oci bv volume update --size-in-gbs \
             51`); the next call asks the disk again, and until then a pod that starts waits"
        ),
    );
    assert!(scene.room() < GIB);
    scene.kubelet.sh(&format!("losetup --set-capacity {device}"));
    grown(&scene.expand(51 * GIB), 51 * GIB);
    assert!(scene.room() > 50 * GIB);
}

#[test]
fn what_is_not_mounted_grows_when_it_is() {
    let mut row = FaultRow::new("E8", "xfs, unmounted, the volume grown; then mountdevice");
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    success(&scene.kubelet.unmount());
    scene.grow_volume(51);
    let answer = scene.expand(51 * GIB);
    row.shows(&answer);
    let device = scene.kubelet.sh(&format!("readlink -f {}", scene.device));
    failure(
        &answer,
        &format!(
            "the disk at {device} of volume {} is not mounted: its file system grows when it is \
             mounted the next time",
            cluster.volume_name()
        ),
    );
    success(&scene.kubelet.mount(&scene.device, &scene.options));
    assert!(scene.room() > 50 * GIB);
    success(&scene.kubelet.unmount());
    success(&scene.kubelet.detach());
    failure_with(&scene.expand(51 * GIB), &["is not mounted"]);
}

/// The API's call is all that real clusters make of a larger volume, if kubelet does not call expandfs.
#[test]
fn ext4_is_mounted_whether_it_can_grow_or_not() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[QUICK]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    kubelet.sh(r#"echo kept > "$0/file""#);
    success(&kubelet.unmount());
    let scene = Scene { kubelet, device, options };
    scene.grow_volume(51);
    success(&scene.kubelet.mount(&scene.device, &scene.options));
    scene.room();
    success(&scene.kubelet.unmount());
    let check = scene.kubelet.sh(&format!("e2fsck -fn {} && echo sound", scene.device));
    assert!(check.ends_with("sound"), "{check}");
}

#[test]
fn another_disk_at_the_place_is_not_grown() {
    let mut row = FaultRow::new("E9", "another disk is mounted at the directory that is named");
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    scene.grow_volume(51);
    let other = cluster.dir().join("other");
    let other = other.to_str().unwrap();
    scene.kubelet.sh(&format!(
        "mkdir {other} && truncate -s 300M {other}.img && mkfs.xfs -q {other}.img && \
         mount -o loop {other}.img {other} && truncate -s 400M {other}.img && \
         losetup --set-capacity $(findmnt -no SOURCE {other})"
    ));
    let source = scene.kubelet.sh(&format!("findmnt -no SOURCE,MAJ:MIN {other} | tr -s ' '"));
    let (source, number) = source.split_once(' ').unwrap();
    let answer = scene.expand_at(&scene.device, other, 51 * GIB);
    row.shows(&answer);
    let device = scene.kubelet.sh(&format!("readlink -f {}", scene.device));
    failure(
        &answer,
        &format!(
            "{other} is a mount point of {source} ({}, xfs), not of the disk at {device} of volume \
             {}; nothing was grown (of a partition, grow the partition first)",
            number.trim(),
            cluster.volume_name()
        ),
    );
    assert!(scene.room() < GIB);
    let theirs = scene.kubelet.sh(&format!("df --block-size=1M --output=size {other} | tail -1"));
    assert!(theirs.trim().parse::<u64>().unwrap() <= 300);
    scene.kubelet.sh(&format!("umount {other}"));
}

#[test]
fn a_partition_is_left_to_its_owner() {
    let mut row = FaultRow::new("E11", "a partition of the disk is mounted at the directory");
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    let disk = kubelet.sh(&format!("readlink -f {device}"));
    kubelet.sh(&format!(
        "echo , | sfdisk --quiet {disk}; partx --add {disk} 2>/dev/null; mkfs.ext4 -q {disk}p1 && \
         mkdir -p \"$0\" && mount {disk}p1 \"$0\""
    ));
    let scene = Scene { kubelet, device, options };
    let answer = scene.expand(0);
    row.shows(&answer);
    failure_with(
        &answer,
        &["is a mount point of", "not of the disk at", "grow the partition first"],
    );
    scene.kubelet.sh(&format!("umount \"$0\"; partx --delete {disk}"));
    // And it is not mounted as a whole.
    failure_with(&scene.kubelet.mount(&scene.device, &scene.options), &["dos", "neither mounted"]);
}

#[test]
fn a_read_only_mount_stays_as_it_is() {
    let mut row = FaultRow::new("E12", "xfs, mounted read-only, the volume grown");
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    success(&scene.kubelet.unmount());
    let read_only = cluster.options(&[
        ("kubernetes.io/fsType", "xfs"),
        ("kubernetes.io/readwrite", "ro"),
        QUICK,
    ]);
    scene.grow_volume(51);
    success(&scene.kubelet.mount(&scene.device, &read_only));
    assert!(scene.room() < GIB, "a read-only mount grows nothing");
    let answer = scene.expand(51 * GIB);
    row.shows(&answer);
    grown(&answer, 51 * GIB);
    assert!(scene.room() < GIB);
    success(&scene.kubelet.unmount());
    success(&scene.kubelet.mount(&scene.device, &scene.options));
    assert!(scene.room() > 50 * GIB);
}

#[track_caller]
fn check_cut(mkfs: &str, fs_type: &str) {
    let mut row = FaultRow::new("E13", format!("{fs_type} of 400 MiB on a disk of 320 MiB"));
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let device = kubelet.attach(&cluster.options(&[]));
    let image = cluster.dir().join("image");
    let image = image.to_str().unwrap();
    kubelet.sh(&format!(
        "truncate -s 400M {image} && {mkfs} {image} && dd if={image} of={device} bs=1M count=320 \
         conv=fsync status=none"
    ));
    let disk = kubelet.sh(&format!("readlink -f {device}"));
    let message = format!(
        "the {fs_type} file system on the disk at {disk} has 419430400 bytes and the disk only \
         335544320; it is neither mounted nor checked: grow the volume to at least the size of the \
         file system"
    );
    let asked = ("kubernetes.io/fsType", fs_type);
    for mode in ["rw", "ro"] {
        let options = cluster.options(&[asked, ("kubernetes.io/readwrite", mode)]);
        let answer = kubelet.mount(&device, &options);
        row.shows(&answer);
        failure(&answer, &message);
    }
    kubelet.sh(&format!("cmp -n 335544320 {image} {device}"));
}

#[test]
fn a_file_system_that_is_larger_than_its_disk_is_left_alone() {
    check_cut("mkfs.ext4 -q", "ext4");
    check_cut("mkfs.xfs -q", "xfs");
}

/// The driver is killed before, after and together with the program that grows.
#[test]
fn a_growth_that_was_broken_off_is_finished() {
    for (how, deed) in [
        ("before", r#"kill -9 $PPID; exec "$real" "$@""#),
        ("together with", "kill -9 $PPID; exit 1"),
        ("after", r#""$real" "$@"; kill -9 $PPID; exit 0"#),
    ] {
        let mut row = FaultRow::new("E10", format!("the driver killed {how} xfs_growfs"));
        let cluster = cluster();
        let scene = Scene::new(&cluster);
        scene.grow_volume(51);
        let tools = cluster.dir().join("tools");
        write_tool(&tools, deed);
        let bytes = (51 * GIB).to_string();
        let dir = scene.kubelet.dir();
        let args = ["expandfs", &scene.options, &scene.device, &dir, &bytes, "0"];
        let mut command = cluster.node(1).command(&args);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools.display());
        command.env("OCI_FLEXD_TOOL_PATH", path);
        assert!(!command.output().unwrap().status.success(), "it was not killed");
        let answer = scene.expand(51 * GIB);
        row.shows(&answer);
        grown(&answer, 51 * GIB);
        assert!(scene.room() > 50 * GIB);
        success(&scene.kubelet.unmount());
        scene.kubelet.sh(&format!("xfs_repair -n {} 2>&1", scene.device));
    }
}

fn write_tool(dir: &Path, deed: &str) {
    fs::create_dir_all(dir).unwrap();
    let path = dir.join("xfs_growfs");
    fs::write(&path, format!("#!/bin/sh\nreal=/usr/sbin/xfs_growfs\ncase $1 in -n) exec $real \"$@\";; esac\n{deed}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

const GIB: u64 = 1 << 30;
/// Most of what the disk gets is read within a moment.
const QUICK: (&str, &str) = ("blankCheckSeconds", "1");
