//! Disks that hold anything: refused, and byte for byte the same afterwards.

use std::{fs, os::unix::fs::PermissionsExt};

use oci_sim::NewVolume;
use testbed::{FaultRow, Setup};

use crate::support::{
    Kubelet, cluster, cluster_with, failure_with, read_log, seen_to_fail, seen_to_succeed, success,
};
use table::Destroyer;

mod table;

/// mountdevice refuses each, says what it holds, and writes nothing.
#[track_caller]
fn check(disks: &[Destroyer], disk_bytes: u64) {
    let disk_bytes = Some(disk_bytes);
    let cluster = cluster_with(&Setup { nodes: 1, disk_bytes, ..Setup::default() });
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    let scratch = cluster.dir().display();
    // How many writes the kernel has ever sent to it.
    let writes = || {
        let statistics = format!("cat /sys/block/$(basename $(readlink -f {device}))/stat");
        kubelet.sh(&statistics).split_whitespace().nth(4).unwrap().to_owned()
    };
    for Destroyer { name, script, said } in disks {
        let number = if name.contains("at once") { "M9" } else { "M8" };
        let mut row = FaultRow::new(number, *name);
        kubelet.sh(&format!(
            r#"
            set -e; disk={device}; dir={scratch}
            put() {{ printf -- "$2" | dd of=$disk bs=64k oflag=seek_bytes seek=$1 conv=notrunc status=none; }}
            zero() {{ head -c $2 /dev/zero | dd of=$disk bs=64k oflag=seek_bytes seek=$1 conv=notrunc status=none; }}
            end() {{ echo $(($(blockdev --getsize64 $disk) - $1)); }}
            {{ blkdiscard -f $disk; {script}; }} >/dev/null
            sync $disk; blockdev --flushbufs $disk"#
        ));
        let before = (kubelet.contents(&device), writes());
        let answer = kubelet.mount(&device, &options);
        row.shows(&answer);
        assert!(answer.message().contains(said), "{name}: {said:?} is not in {answer:?}");
        failure_with(&answer, &[said]);
        let writes = writes();
        assert_eq!((kubelet.contents(&device), writes), before, "{name} was changed");
    }
    // The proof is not simply impossible.
    kubelet.sh(&format!("blkdiscard -f {device}"));
    seen_to_succeed("M6", "zeros", &kubelet.mount(&device, &options));
}

#[test]
fn nothing_is_formatted_over() {
    check(table::SMALL, 16 << 20);
}

#[test]
fn nothing_is_formatted_over_on_larger_disks() {
    check(table::LARGE, 320 << 20);
}

#[test]
fn a_full_check_reads_what_samples_miss() {
    let disk_bytes = Some(320 << 20);
    let cluster = cluster_with(&Setup { nodes: 1, disk_bytes, ..Setup::default() });
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[("blankCheck", "full")]);
    let device = kubelet.attach(&options);
    for offset in [100_000_000_u64, 123_456_789, 222_222_222] {
        kubelet.sh(&format!(
            "blkdiscard -f {device}
             printf x | dd of={device} bs=1 seek={offset} conv=notrunc status=none"
        ));
        let answer = kubelet.mount(&device, &options);
        let said = format!("holds data of unknown kind at offset {offset}");
        seen_to_fail("M8", format!("one byte at {offset}, read in full"), &answer, &[&said]);
    }
}

/// Any sector, while the budget is long enough to read a disk of this size.
#[test]
fn one_sector_of_a_disk_of_2_gib_is_found() {
    let disk_bytes = Some(2 << 30);
    let cluster = cluster_with(&Setup { nodes: 1, disk_bytes, ..Setup::default() });
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[("blankCheckSeconds", "300")]);
    let device = kubelet.attach(&options);
    for (offset, bytes) in [(1_234_567_680_u64, 512), (1_999_999_488, 512), (700 << 20, 8 << 20)] {
        kubelet.sh(&format!(
            "blkdiscard -f {device}
             yes x | head -c {bytes} | dd of={device} bs=64k oflag=seek_bytes seek={offset} conv=notrunc status=none"
        ));
        let answer = kubelet.mount(&device, &options);
        let said = format!("holds data of unknown kind at offset {offset}");
        seen_to_fail("M8", format!("{bytes} bytes at {offset} of 2 GiB"), &answer, &[&said]);
    }
    kubelet.sh(&format!("blkdiscard -f {device}"));
    success(&kubelet.mount(&device, &options));
    let log = cluster
        .node(1)
        .folder("OCI_FLEXD_DRIVER_LOG_DIR")
        .unwrap()
        .join("oci_flexvolume_driver.log");
    let log = read_log(&log);
    assert!(log.contains("proven: all 2147483648 bytes were read, all of them zeros"), "{log}");
}

#[test]
fn a_volume_that_was_formatted_here_must_not_read_blank() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());
    kubelet.sh(&format!("blkdiscard -f {device}"));
    failure_with(
        &kubelet.mount(&device, &options),
        &["held file system", "now reads blank; it is not formatted again"],
    );
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
}

#[test]
fn a_damaged_record_is_not_a_new_volume() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());
    let state = cluster.node(1).folder("OCI_FLEXD_STATE_DIRECTORY").unwrap().clone();
    let record = state.join("volumes").join(format!("{}.json", cluster.volume_name()));
    fs::write(record, "garbage").unwrap();
    kubelet.sh(&format!("blkdiscard -f {device}"));
    for _ in 0..2 {
        let answer = kubelet.mount(&device, &options);
        let said = ["is damaged", "it is not formatted"];
        seen_to_fail("X5", "the record is garbage, the disk reads blank", &answer, &said);
    }
}

#[test]
fn a_disk_that_is_in_use_is_not_touched() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    kubelet.sh(&format!(
        "mkfs.ext4 -q {device}; mkdir -p /tmp/elsewhere; mount {device} /tmp/elsewhere"
    ));
    let answer = kubelet.mount(&device, &options);
    seen_to_fail("M4", "mounted at /tmp/elsewhere", &answer, &["/tmp/elsewhere"]);
    kubelet.sh("umount /tmp/elsewhere; rmdir /tmp/elsewhere");
    success(&kubelet.mount(&device, &options));
}

#[test]
fn what_lies_below_a_mount_point_is_not_hidden() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    kubelet.sh(r#"mkdir -p "$0"; echo precious > "$0/file""#);
    seen_to_fail(
        "M1",
        "the directory holds a file",
        &kubelet.mount(&device, &options),
        &["holds 1 entries on the node's own disk", "move them away"],
    );
    kubelet.sh(r#"rm -r "$0"; touch "$0""#);
    let answer = kubelet.mount(&device, &options);
    seen_to_fail("M1", "the directory is a file", &answer, &["is a file"]);
    // And nothing was formatted meanwhile.
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
}

/// mkfs is killed at once, so a format is noted down as begun.
#[track_caller]
fn format_interrupted(kubelet: &Kubelet<'_>, device: &str, options: &str) {
    let tools = kubelet.cluster.dir().join("tools");
    fs::create_dir(&tools).unwrap();
    let script = "#!/bin/sh\ncase $1 in -V) exit 0;; *) kill -9 $$;; esac\n";
    fs::write(tools.join("mkfs.ext4"), script).unwrap();
    fs::set_permissions(tools.join("mkfs.ext4"), fs::Permissions::from_mode(0o755)).unwrap();
    let place = kubelet.cluster.node(1);
    let mut command = place.command(&["mountdevice", &kubelet.dir(), device, options]);
    command.env("OCI_FLEXD_TOOL_PATH", format!("{}:/usr/sbin:/usr/bin", tools.display()));
    let answer = testbed::run(command).unwrap();
    seen_to_fail("M16", "mkfs kills itself", &answer, &["mkfs.ext4"]);
}

#[test]
fn a_format_that_another_node_found_finished_is_no_blank_disk() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    format_interrupted(&kubelet, &device, &options);
    let records = cluster.node(1).folder("OCI_FLEXD_STATE_DIRECTORY").unwrap().join("volumes");
    // In use elsewhere, and not as mkfs leaves it; then it comes back as a disk that appears anew.
    kubelet.sh(&format!(
        r#"disk=$(readlink -f {device}); mkdir /tmp/elsewhere
           uuid=$(sed -n 's/.*"formatting":"\([^"]*\)".*/\1/p' {}/*.json)
           mke2fs -q -t ext4 -U $uuid $disk && mount $disk /tmp/elsewhere
           echo kept >/tmp/elsewhere/file; umount /tmp/elsewhere; rmdir /tmp/elsewhere
           debugfs -w -R 'set_inode_field /file links_count 9' $disk 2>/dev/null
           image=$(losetup --noheadings --output BACK-FILE $disk)
           losetup --detach $disk && losetup $disk $image"#,
        records.display()
    ));
    let reading = cluster.options(&[("kubernetes.io/readwrite", "ro")]);
    seen_to_succeed(
        "M15",
        "mkfs was killed, and the volume was used on another node since; ro",
        &kubelet.mount(&device, &reading),
    );
    assert_eq!(kubelet.sh(r#"cat "$0/file""#), "kept");
}

#[test]
fn an_interrupted_format_does_not_excuse_the_next_disk() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    format_interrupted(&kubelet, &device, &options);

    // Another disk of the same size takes the path; it holds data without any signature.
    let other =
        cluster.sim.add_volume(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() });
    let name = other.rsplit('.').next().unwrap();
    let other_device = kubelet.attach(&cluster.options(&[("kubernetes.io/pvOrVolumeName", name)]));
    let disk = kubelet.sh(&format!("readlink {other_device}"));
    kubelet.sh(&format!(
        "ln -sf {disk} {device}; yes precious | dd of={device} bs=1M count=20 status=none"
    ));
    let hash = || kubelet.contents(&disk);
    let before = hash();
    seen_to_fail(
        "M15",
        "mkfs was killed, and now another disk is at the path",
        &kubelet.mount(&device, &options),
        &["a format of volume", "was interrupted here", "it is left alone"],
    );
    assert_eq!(hash(), before);
}

#[test]
fn an_interrupted_format_does_not_excuse_data_that_came_later() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    format_interrupted(&kubelet, &device, &options);
    kubelet.sh(&format!("yes precious | dd of={device} bs=64k count=9 conv=notrunc status=none"));
    let hash = || kubelet.contents(&device);
    let before = hash();
    seen_to_fail(
        "M15",
        "mkfs was killed, and the disk was written to since",
        &kubelet.mount(&device, &options),
        &["is not formatted again: it holds data of unknown kind at offset 0"],
    );
    assert_eq!(hash(), before);
    // What a mkfs leaves is not in the way.
    kubelet.sh(&format!("blkdiscard -f {device}"));
    success(&kubelet.mount(&device, &options));
}

#[test]
fn a_volume_may_not_borrow_another_ones_disk() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());
    kubelet.sh(&format!("blkdiscard -f {device}"));
    // kubelet passes the device of one volume for another (kubernetes issue 55314).
    let other = cluster.options(&[("kubernetes.io/pvOrVolumeName", "another")]);
    failure_with(
        &kubelet.mount(&device, &other),
        &["was seen here as that of volume", cluster.volume_name()],
    );
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
}

#[test]
fn ro_among_the_mount_options_formats_nothing() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[("mountOptions", "noatime,ro")]);
    let device = kubelet.attach(&options);
    failure_with(
        &kubelet.mount(&device, &options),
        &["is blank and the pod asks for it read-only"],
    );
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
}

#[test]
fn a_record_that_cannot_be_written_stops_a_format_and_nothing_else() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    let place = cluster.node(1);
    let args = ["mountdevice", &*kubelet.dir(), &device, &options];
    let stateless = || {
        let mut command = place.command(&args);
        command.env("OCI_FLEXD_STATE_DIRECTORY", "/dev/null");
        testbed::run(command).unwrap()
    };
    let answer = stateless();
    seen_to_fail("X4", "no record can be written", &answer, &["it is not formatted"]);
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());
    success(&stateless());
}
