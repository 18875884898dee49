//! What lies behind a file system is not overwritten: it grows only into zeros, and at a mount only when its disk was
//! seen smaller here.

use std::{fs, os::unix::fs::PermissionsExt};

use testbed::{Answer, Cluster, FaultRow, Setup};

use crate::support::{Kubelet, cluster, cluster_with, failure, failure_with, read_log, success};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A disk of 1 GiB with a file system of 512 MiB that another machine has made.
struct Scene<'a> {
    kubelet: Kubelet<'a>,
    device: String,
    options: String,
    fs_type: &'a str,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a Cluster, fs_type: &'a str) -> Self {
        let kubelet = Kubelet { cluster, number: 1 };
        let options = cluster.options(&[("kubernetes.io/fsType", fs_type)]);
        let device = kubelet.attach(&options);
        kubelet.sh(&match fs_type {
            "xfs" => format!("mkfs.xfs -q -d size=512m {device}"),
            _ => format!("mke2fs -q -t {fs_type} -b 4096 {device} 512m"),
        });
        Self { kubelet, device, options, fs_type }
    }

    fn sh(&self, script: &str) -> String {
        self.kubelet.sh(&script.replace("DISK", &self.device))
    }

    /// Data without a signature, from `offset` on.
    fn put_data(&self, offset: u64, bytes: u64) {
        self.sh(&format!(
            "yes precious | head -c {bytes} | dd of=DISK bs=64k oflag=seek_bytes seek={offset} conv=notrunc,fsync \
             status=none"
        ));
    }

    /// What lies behind the file system, where a growth writes first and where the data is.
    fn rest(&self) -> String {
        self.sh("for mib in 512 513 600 640 768 896 1000 1023; do dd if=DISK bs=1M skip=$mib count=1 status=none; done | sha256sum")
    }

    /// The MiB of the mounted file system.
    fn room(&self) -> u64 {
        let room = self.sh(r#"df --block-size=1M --output=size "$0" | tail -1"#);
        room.trim().parse().unwrap()
    }

    fn mount(&self) -> Answer {
        self.kubelet.mount(&self.device, &self.options)
    }

    fn expand(&self, options: &str) -> Answer {
        let args = ["expandfs", options, &self.device, &self.kubelet.dir(), "0", "0"];
        self.kubelet.cluster.node(1).call(&args).unwrap()
    }

    /// The kernel lets only some roots enlarge ext4; that it was tried is seen in the log.
    fn log(&self) -> String {
        let dir = self.kubelet.cluster.node(1).folder("OCI_FLEXD_DRIVER_LOG_DIR").unwrap().clone();
        read_log(&dir.join("oci_flexvolume_driver.log"))
    }

    fn record(&self) -> String {
        let state =
            self.kubelet.cluster.node(1).folder("OCI_FLEXD_STATE_DIRECTORY").unwrap().clone();
        let name = format!("{}.json", self.kubelet.cluster.volume_name());
        fs::read_to_string(state.join("volumes").join(name)).unwrap()
    }
}

fn gib() -> Cluster {
    cluster_with(&Setup { nodes: 1, disk_bytes: Some(GIB), ..Setup::default() })
}

#[test]
fn a_disk_that_was_never_seen_smaller_is_mounted_as_it_is() {
    for fs_type in ["xfs", "ext4"] {
        let mut row = FaultRow::new(
            "M24",
            format!("{fs_type} of 512 MiB on 1 GiB whose rest holds data; rw"),
        );
        let cluster = gib();
        let scene = Scene::new(&cluster, fs_type);
        scene.put_data(600 * MIB, 96 << 10);
        let rest = scene.rest();
        for _ in 0..2 {
            let answer = scene.mount();
            row.shows(&answer);
            success(&answer);
            assert!(scene.room() < 512);
            success(&scene.kubelet.unmount());
        }
        assert_eq!(scene.rest(), rest, "{fs_type}");
        assert!(
            scene
                .log()
                .contains("is left as it is: the disk was not seen here when it was smaller")
        );
    }
}

#[test]
fn who_asks_for_growth_is_told_what_lies_behind() {
    for fs_type in ["xfs", "ext4"] {
        let mut row = FaultRow::new(
            "E14",
            format!("{fs_type} of 512 MiB on 1 GiB whose rest holds data; expandfs"),
        );
        let cluster = gib();
        let scene = Scene::new(&cluster, fs_type);
        success(&scene.mount());
        let device = scene.sh("readlink -f DISK");
        for offset in [512 * MIB, 600 * MIB, 1000 * MIB + 512, GIB - 512] {
            scene.put_data(offset, 512);
            let rest = scene.rest();
            let answer = scene.expand(&scene.options);
            row.shows(&answer);
            failure(
                &answer,
                &format!(
                    "the disk at {device} of volume {} holds data of unknown kind at offset {offset}, behind the \
                     end of its file system at 536870912; growing would overwrite it, so nothing was grown: if \
                     nothing there is wanted, grow the file system by hand (resize2fs of the disk, xfs_growfs of the \
                     mount point)",
                    cluster.volume_name()
                ),
            );
            assert_eq!(scene.rest(), rest);
            assert!(scene.room() < 512);
            scene.sh(&format!("head -c 512 /dev/zero | dd of=DISK bs=512 oflag=seek_bytes seek={offset} conv=notrunc,fsync status=none"));
        }
        // Zeros are free.
        let answer = scene.expand(&scene.options);
        if fs_type == "xfs" {
            success(&answer);
            assert!(scene.room() > 800);
            assert!(!scene.record().contains("growing"), "{}", scene.record());
        } else {
            assert!(!answer.message().contains("unknown kind"), "{answer:?}");
        }
    }
}

#[test]
fn growth_at_the_mount_stops_at_data_and_can_be_turned_off() {
    let mut row =
        FaultRow::new("E15", "xfs, the volume grown, data behind the file system; mountdevice");
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[("kubernetes.io/fsType", "xfs"), ("blankCheckSeconds", "2")]);
    let device = kubelet.attach(&options);
    let scene = Scene { kubelet, device, options, fs_type: "xfs" };
    success(&scene.mount());
    success(&scene.kubelet.unmount());
    let bytes = (51 * GIB).to_string();
    let args = ["expandvolume", &scene.options, "oracle/oci/mounts/x", &bytes, "0"];
    success(&cluster.controller().call(&args).unwrap());

    scene.put_data(20 * GIB, MIB);
    let answer = scene.mount();
    row.shows(&answer);
    success(&answer);
    assert!(scene.room() < 320);
    assert!(scene.log().contains("is left as it is: the disk at"), "{}", scene.log());
    assert!(scene.record().contains("\"grown_from\":335544320"), "{}", scene.record());
    success(&scene.kubelet.unmount());
    scene.sh("head -c 1M /dev/zero | dd of=DISK bs=64k oflag=seek_bytes seek=20G conv=notrunc,fsync status=none");

    let off = cluster.options(&[("kubernetes.io/fsType", "xfs"), ("growOnMount", "false")]);
    success(&scene.kubelet.mount(&scene.device, &off));
    assert!(scene.room() < 320);
    assert!(scene.log().contains("the option growOnMount is false"));
    success(&scene.kubelet.unmount());

    success(&scene.mount());
    assert!(scene.room() > 50 * 1024);
    assert!(!scene.record().contains("grow"), "{}", scene.record());
    failure_with(
        &scene.kubelet.mount(&scene.device, &cluster.options(&[("growOnMount", "yes")])),
        &["the option growOnMount is `yes`; it may be true (the default) or false"],
    );
}

/// A growth that is killed in the middle leaves what it has written behind the old end.
#[test]
fn what_a_killed_growth_has_left_is_no_obstacle() {
    for how in ["expandfs", "mountdevice"] {
        let mut row = FaultRow::new(
            "E10",
            format!("the driver and xfs_growfs killed in the middle of {how}"),
        );
        let cluster = cluster();
        let kubelet = Kubelet { cluster: &cluster, number: 1 };
        let options =
            cluster.options(&[("kubernetes.io/fsType", "xfs"), ("blankCheckSeconds", "2")]);
        let device = kubelet.attach(&options);
        let scene = Scene { kubelet, device, options, fs_type: "xfs" };
        success(&scene.mount());
        if how == "mountdevice" {
            success(&scene.kubelet.unmount());
        }
        let bytes = (51 * GIB).to_string();
        let args = ["expandvolume", &scene.options, "oracle/oci/mounts/x", &bytes, "0"];
        success(&cluster.controller().call(&args).unwrap());

        // As the kernel does: the headers of new groups are written before the superblock knows them.
        let tools = cluster.dir().join("tools");
        fs::create_dir_all(&tools).unwrap();
        let disk = scene.sh("readlink -f DISK");
        let script = format!(
            "#!/bin/sh\ncase $1 in -n) exec /usr/sbin/xfs_growfs \"$@\";; esac\n\
             yes XAGF | head -c 65536 | dd of={disk} bs=64k oflag=seek_bytes seek=330M conv=notrunc,fsync \
             status=none\nkill -9 $PPID\nexit 1\n"
        );
        fs::write(tools.join("xfs_growfs"), script).unwrap();
        fs::set_permissions(tools.join("xfs_growfs"), fs::Permissions::from_mode(0o755)).unwrap();
        let dir = scene.kubelet.dir();
        let expand = ["expandfs", &*scene.options, &scene.device, &dir, &bytes, "0"];
        let mount = ["mountdevice", &*dir, &scene.device, &scene.options];
        let args: &[&str] = if how == "expandfs" { &expand } else { &mount };
        let mut command = cluster.node(1).command(args);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools.display());
        command.env("OCI_FLEXD_TOOL_PATH", path);
        assert!(!command.output().unwrap().status.success(), "it was not killed");
        assert!(scene.record().contains("\"growing\":54760833024"), "{}", scene.record());
        assert!(scene.room() < 320);

        let answer = cluster.node(1).call(args).unwrap();
        row.shows(&answer);
        success(&answer);
        assert!(scene.room() > 50 * 1024);
        assert!(!scene.record().contains("grow"), "{}", scene.record());
        success(&scene.kubelet.unmount());
        scene.sh("xfs_repair -n DISK 2>&1");
        assert_eq!(scene.fs_type, "xfs");
    }
}

#[test]
fn without_a_record_of_its_beginning_no_growth_begins() {
    let mut row = FaultRow::new("X4", "expandfs where no record can be written");
    let cluster = gib();
    let scene = Scene::new(&cluster, "xfs");
    success(&scene.mount());
    let state = cluster.node(1).folder("OCI_FLEXD_STATE_DIRECTORY").unwrap().clone();
    let records = state.join("volumes").display().to_string();
    scene.sh(&format!("mount --bind {records} {records} && mount -o remount,bind,ro {records}"));
    let answer = scene.expand(&scene.options);
    row.shows(&answer);
    failure_with(&answer, &["cannot write the record", "the file system is not made larger"]);
    assert!(scene.room() < 512);
    scene.sh(&format!("umount {records}"));
    success(&scene.expand(&scene.options));
    assert!(scene.room() > 800);
}
