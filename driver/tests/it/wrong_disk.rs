//! A device path that leads to another volume's disk.

use std::{fs, os::unix::fs::symlink};

use oci_sim::NewVolume;

use testbed::Setup;

use crate::support::{
    Kubelet, cluster, cluster_with, failure_with, seen_to_fail, seen_to_succeed, success,
};

#[test]
fn a_path_that_leads_to_another_disk_is_noticed() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());

    // A second volume takes the path of the first, as after a reboot.
    let other =
        cluster.sim.add_volume(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() });
    let other_name = other.rsplit('.').next().unwrap();
    let other_options = cluster.options(&[("kubernetes.io/pvOrVolumeName", other_name)]);
    let other_device = kubelet.attach(&other_options);
    assert_ne!(device, other_device);
    let disk = kubelet.sh(&format!("readlink {other_device}"));
    kubelet.sh(&format!("ln -sf {disk} {device}"));

    // Blank, but it is another volume's.
    let other_mount = {
        let args =
            ["mountdevice", &*format!("{}-other", kubelet.dir()), &other_device, &other_options];
        cluster.node(1).call(&args).unwrap()
    };
    success(&other_mount);
    kubelet.sh(r#"umount "$0-other""#);
    seen_to_fail(
        "M20",
        "the path leads to another volume's disk",
        &kubelet.mount(&device, &options),
        &["was seen here as that of volume", other_name],
    );
    // Its record is lost: the file system still is not ours.
    let state = cluster.node(1).folder("OCI_FLEXD_STATE_DIRECTORY").unwrap().clone();
    fs::remove_file(state.join("volumes").join(format!("{other_name}.json"))).unwrap();
    seen_to_fail(
        "W15",
        "the path leads to a disk with another file system",
        &kubelet.mount(&device, &options),
        &["is not the one that was seen before", "the file system's UUID was"],
    );
    // Nor is a blank disk.
    kubelet.sh(&format!("blkdiscard -f {device}"));
    failure_with(&kubelet.mount(&device, &options), &["now reads blank", "not formatted again"]);
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
}

#[test]
fn a_file_system_that_is_another_volumes_is_not_mounted_for_this_one() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());
    // kubelet passes the device of another volume (kubernetes issue 55314).
    let other = cluster.options(&[("kubernetes.io/pvOrVolumeName", "another")]);
    seen_to_fail(
        "M20",
        "kubelet passes the device of another volume",
        &kubelet.mount(&device, &other),
        &["was seen here as that of volume", cluster.volume_name()],
    );
}

#[test]
fn only_paths_that_attach_composes_are_opened() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    let disk = kubelet.sh(&format!("readlink -f {device}"));
    for path in [&*disk, "/dev/null", "/dev/oracleoci/../null", "/etc/passwd", "relative"] {
        let said = ["is no device path of this driver"];
        seen_to_fail(
            "M20",
            "a path that attach does not compose",
            &kubelet.mount(path, &options),
            &said,
        );
        let place = cluster.node(1);
        let answer = place.call(&["waitforattach", path, &options]).unwrap();
        seen_to_fail("W1", "a path that attach does not compose", &answer, &said);
    }
}

#[test]
fn a_path_that_is_no_block_device_is_refused() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let folder = kubelet.cluster.dir().join("fake");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "").unwrap();
    symlink(folder.join("file"), folder.join("link")).unwrap();
    let place = cluster.node(1);
    let path = "/dev/oracleoci/oraclevdz";
    kubelet.sh(&format!("ln -sf {} {path}", folder.join("link").display()));
    // Not waited for: the path is there, and it is the wrong thing.
    for args in
        [&["mountdevice", &*kubelet.dir(), path, &options][..], &["waitforattach", path, &options]]
    {
        failure_with(&place.call(args).unwrap(), &["fake/file is not a block device"]);
    }
}

#[test]
fn a_name_that_is_used_again_does_not_make_another_disk_the_volumes() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());
    success(&kubelet.detach());
    // The next volume gets the path, and as a rule the kernel's name too.
    let other =
        cluster.sim.add_volume(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() });
    let name = other.rsplit('.').next().unwrap();
    let other_options = cluster.options(&[("kubernetes.io/pvOrVolumeName", name)]);
    assert_eq!(kubelet.attach(&other_options), device);
    let hash = || kubelet.contents(&device);
    for script in ["true", "yes precious | head -c 65536", "mke2fs -q -t ext4 $disk"] {
        kubelet.sh(&format!("disk={device}; blkdiscard -f $disk; {{ {script}; }} | dd of=$disk conv=notrunc status=none; sync"));
        let before = hash();
        let answer = kubelet.mount(&device, &options);
        seen_to_fail("M20", format!("another disk at the path: {script}"), &answer, &[]);
        assert_eq!(hash(), before, "{script}");
    }
    // For the volume that it belongs to, it is the right one.
    kubelet.sh(&format!("blkdiscard -f {device}"));
    let args = ["mountdevice", &*format!("{}-other", kubelet.dir()), &device, &other_options];
    success(&cluster.node(1).call(&args).unwrap());
    kubelet.sh(r#"umount "$0-other""#);
}

#[test]
fn a_mounted_volume_whose_path_leads_elsewhere_is_not_mounted_twice() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    let other =
        cluster.sim.add_volume(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() });
    let name = other.rsplit('.').next().unwrap();
    let other_device = kubelet.attach(&cluster.options(&[("kubernetes.io/pvOrVolumeName", name)]));
    kubelet.sh(&format!("ln -sf $(readlink {other_device}) {device}"));
    let answer = kubelet.mount(&device, &options);
    seen_to_fail(
        "M3",
        "the volume is mounted, and its path leads to another disk by now",
        &answer,
        &[&kubelet.dir()],
    );
    assert_eq!(kubelet.sh(r#"grep -cF " $0 " /proc/self/mountinfo"#), "1");
    assert_eq!(kubelet.sh(&format!("blkid -p {other_device} || echo $?")), "2");
}

#[test]
fn a_clone_is_not_mounted_beside_its_original() {
    for fs_type in ["ext4", "xfs"] {
        let cluster = cluster();
        let kubelet = Kubelet { cluster: &cluster, number: 1 };
        let options = cluster.options(&[("kubernetes.io/fsType", fs_type)]);
        let device = kubelet.attach(&options);
        success(&kubelet.mount(&device, &options));
        let clone = cluster
            .sim
            .add_volume(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() });
        let name = clone.rsplit('.').next().unwrap();
        let clone_options = cluster
            .options(&[("kubernetes.io/fsType", fs_type), ("kubernetes.io/pvOrVolumeName", name)]);
        let clone_device = kubelet.attach(&clone_options);
        kubelet.sh(&format!(
            "sync; dd if={device} of={clone_device} bs=1M conv=sparse,notrunc status=none"
        ));
        let dir = format!("{}-clone", kubelet.dir());
        let args = ["mountdevice", &*dir, &clone_device, &clone_options];
        let answer = cluster.node(1).call(&args).unwrap();
        let done = format!("{fs_type}, the original is mounted");
        // The original shows that it is another disk. The kernel has two ext4 with one UUID, but not two xfs.
        if fs_type == "xfs" {
            seen_to_fail("M17", &done, &answer, &["is a copy of", "which is mounted at"]);
        } else {
            success(&answer);
            kubelet.sh(r#"umount "$0-clone""#);
        }
    }
}

/// What was formatted and let go here, and a volume that was restored from its backup.
#[test]
fn a_restored_backup_is_mounted_if_it_shows_that_it_is_another_disk() {
    for (bytes, is_told) in [(640 << 20, true), (320 << 20, false)] {
        let cluster = cluster_with(&Setup { disk_bytes: Some(320 << 20), ..Setup::default() });
        let kubelet = Kubelet { cluster: &cluster, number: 1 };
        let options = cluster.options(&[]);
        let device = kubelet.attach(&options);
        success(&kubelet.mount(&device, &options));
        kubelet.sh(r#"echo kept > "$0/file""#);
        success(&kubelet.unmount());
        let backup = cluster.dir().join("backup");
        let backup = backup.display();
        kubelet.sh(&format!("dd if={device} of={backup} bs=1M conv=sparse status=none"));
        success(&kubelet.detach());

        let volume = NewVolume { disk_bytes: Some(bytes), ..NewVolume::default() };
        let restored = cluster.sim.add_volume(volume);
        let name = restored.rsplit('.').next().unwrap();
        let options = cluster.options(&[("kubernetes.io/pvOrVolumeName", name)]);
        // No serial number, and the path of the original: a loop device has nothing but its size.
        assert_eq!(kubelet.attach(&options), device);
        kubelet
            .sh(&format!("dd if={backup} of={device} bs=1M conv=sparse,notrunc status=none; sync"));
        let dir = format!("{}-restored", kubelet.dir());
        let answer = cluster.node(1).call(&["mountdevice", &*dir, &device, &options]).unwrap();
        if is_told {
            success(&answer);
            assert_eq!(kubelet.sh(r#"cat "$0-restored/file"; umount "$0-restored""#), "kept");
        } else {
            failure_with(
                &answer,
                &[
                    "which was seen here on volume",
                    "shows nothing that tells it from the disk of that volume",
                ],
            );
        }
    }
}

/// The image of a disk of ZFS, in a file of an xfs, just where ZFS has its labels.
#[test]
fn a_file_with_the_labels_of_zfs_is_a_file() {
    let cluster = cluster_with(&Setup { disk_bytes: Some(320 << 20), ..Setup::default() });
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[("kubernetes.io/fsType", "xfs")]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    kubelet.sh(
        r#"head -c 4M /dev/zero > "$0/image"
           for label in 0 262144; do for slot in $(seq 0 127); do
             printf '\014\261\272\0\0\0\0\0\005\0\0\0\0\0\0\0' |
               dd of="$0/image" bs=64k oflag=seek_bytes seek=$((label + 131072 + slot * 1024)) conv=notrunc status=none
           done; done; sync"#,
    );
    success(&kubelet.unmount());
    assert_eq!(kubelet.sh(&format!("blkid -p {device} 2>&1 | grep -c ambivalent")), "1");
    let state = cluster.node(1).folder("OCI_FLEXD_STATE_DIRECTORY").unwrap().clone();
    let answer = kubelet.mount(&device, &options);
    success(&answer);
    kubelet.sh(r#"test -e "$0/image""#);
    success(&kubelet.unmount());
    // On a node that has never seen it, too.
    fs::remove_file(state.join("volumes").join(format!("{}.json", cluster.volume_name()))).unwrap();
    success(&kubelet.mount(&device, &options));
}

#[test]
fn a_path_may_be_late() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    let disk = kubelet.sh(&format!("readlink {device}; rm {device}"));
    let answer = std::thread::scope(|scope| {
        let call =
            scope.spawn(|| cluster.node(1).call(&["waitforattach", &device, &options]).unwrap());
        kubelet.sh(&format!("sleep 1; ln -s {disk} {device}"));
        call.join().unwrap()
    });
    seen_to_succeed("W15", "the path appears a second after the call", &answer);
}

#[test]
fn a_link_is_followed_when_udev_says_so() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    let other =
        cluster.sim.add_volume(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() });
    let name = other.rsplit('.').next().unwrap();
    let theirs = kubelet.attach(&cluster.options(&[("kubernetes.io/pvOrVolumeName", name)]));
    let [disk, another] = [&device, &theirs].map(|it| kubelet.sh(&format!("readlink {it}")));
    // The link of a disk that has gone leads to the other volume's, and udev's record is of the one that has gone.
    kubelet.sh(&format!(
        "mount -t tmpfs none /run && mkdir -p /run/udev/data && ln -sf {another} {device}
         number=$(cat /sys/block/$(basename {another})/dev)
         printf 'S:{link}\\nE:DISKSEQ=1\\n' >/run/udev/data/b$number",
        link = device.trim_start_matches("/dev/"),
    ));
    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| kubelet.mount(&device, &options));
        kubelet.sh(&format!(
            "sleep 1; ln -sf {disk} {device}; cd /sys/block/$(basename {disk})
             printf 'S:{link}\\nE:DISKSEQ=%s\\n' $(cat diskseq) >/run/udev/data/b$(cat dev)",
            link = device.trim_start_matches("/dev/"),
        ));
        call.join().unwrap()
    });
    seen_to_succeed("M20", "a link to another disk until udev has heard of it", &answer);
    assert_eq!(kubelet.sh(r#"findmnt -no SOURCE "$0""#).trim(), disk);
    assert_eq!(kubelet.sh(&format!("blkid -p {another} || echo $?")), "2");
}

/// The superblock names another disk as its journal, and the kernel and e2fsck believe it.
#[test]
fn a_file_system_with_its_journal_on_another_disk_is_not_mounted() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let disk_bytes = Some(320 << 20);
    let other = cluster.sim.add_volume(NewVolume { disk_bytes, ..NewVolume::default() });
    let other = other.rsplit('.').next().unwrap();
    let other = kubelet.attach(&cluster.options(&[("kubernetes.io/pvOrVolumeName", other)]));
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    kubelet.sh(&format!(
        "mke2fs -q -O journal_dev {other} && mke2fs -q -t ext4 -J device=$(readlink -f {other}) {device}"
    ));
    let hash = || [&other, &device].map(|disk| kubelet.contents(disk));
    let before = hash();
    for mode in ["rw", "ro"] {
        let options = cluster.options(&[("kubernetes.io/readwrite", mode)]);
        failure_with(&kubelet.mount(&device, &options), &["has its journal on another disk"]);
    }
    assert_eq!(hash(), before);
}
