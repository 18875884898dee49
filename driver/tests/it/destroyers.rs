//! Disks that hold anything: refused, and byte for byte the same afterwards.

use std::{fs, os::unix::fs::PermissionsExt};

use oci_sim::NewVolume;

use crate::support::{Kubelet, cluster, failure_with, success};

/// A disk, made by a script whose `$1` is the device, and what is said of it.
const DISKS: &[(&str, &str, &str)] = &[
    ("xfs", "mkfs.xfs -q \"$1\"", "holds xfs and the pod asks for ext4"),
    ("swap", "mkswap -q \"$1\"", "swap"),
    ("an MBR partition table", "printf '2048,,L\\n' | sfdisk -q --no-reread \"$1\"", "dos"),
    (
        "a LUKS header",
        "printf 'LUKS\\272\\276\\000\\002' | dd of=\"$1\" conv=notrunc status=none",
        "LUKS",
    ),
    (
        "one byte in the first MiB",
        "printf x | dd of=\"$1\" bs=1 seek=777777 conv=notrunc status=none",
        "holds data of unknown kind at offset",
    ),
    (
        "one byte at the very end",
        "printf x | dd of=\"$1\" bs=1 seek=$(($(blockdev --getsize64 \"$1\") - 1)) conv=notrunc status=none",
        "holds data of unknown kind at offset",
    ),
    (
        "an ext4 whose superblock was erased",
        "mkfs.ext4 -q \"$1\"; dd if=/dev/zero of=\"$1\" bs=1k seek=1 count=1 conv=notrunc status=none",
        "ext",
    ),
];

#[test]
fn nothing_is_formatted_over() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    for (name, make, said) in DISKS {
        kubelet.sh(&format!("set -- x {device}; shift; blkdiscard -f \"$1\"; {make}; sync \"$1\""));
        let hash = || kubelet.sh(&format!("sha256sum < {device}"));
        let before = hash();
        let answer = kubelet.mount(&device, &options);
        failure_with(&answer, &[said]);
        assert_eq!(hash(), before, "{name} was changed");
    }
    // The proof is not simply impossible.
    kubelet.sh(&format!("blkdiscard -f {device}"));
    success(&kubelet.mount(&device, &options));
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
        failure_with(&kubelet.mount(&device, &options), &["is damaged", "it is not formatted"]);
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
    failure_with(&kubelet.mount(&device, &options), &["/tmp/elsewhere"]);
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
    failure_with(
        &kubelet.mount(&device, &options),
        &["holds 1 entries on the node's own disk", "move them away"],
    );
    kubelet.sh(r#"rm -r "$0"; touch "$0""#);
    failure_with(&kubelet.mount(&device, &options), &["is a file"]);
    // And nothing was formatted meanwhile.
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
}

#[test]
fn an_interrupted_format_does_not_excuse_the_next_disk() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    // mkfs is killed at once, so a format is noted down as begun.
    let tools = cluster.dir().join("tools");
    fs::create_dir(&tools).unwrap();
    let script = "#!/bin/sh\ncase $1 in -V) exit 0;; *) kill -9 $$;; esac\n";
    fs::write(tools.join("mkfs.ext4"), script).unwrap();
    fs::set_permissions(tools.join("mkfs.ext4"), fs::Permissions::from_mode(0o755)).unwrap();
    let place = cluster.node(1);
    let mut command = place.command(&["mountdevice", &kubelet.dir(), &device, &options]);
    command.env("OCI_FLEXD_TOOL_PATH", format!("{}:/usr/sbin:/usr/bin", tools.display()));
    failure_with(&testbed::run(command).unwrap(), &["mkfs.ext4"]);

    // Another disk of the same size takes the path; it holds data without any signature.
    let other =
        cluster.sim.add_volume(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() });
    let name = other.rsplit('.').next().unwrap();
    let other_device = kubelet.attach(&cluster.options(&[("kubernetes.io/pvOrVolumeName", name)]));
    let disk = kubelet.sh(&format!("readlink {other_device}"));
    kubelet.sh(&format!(
        "ln -sf {disk} {device}; yes precious | dd of={device} bs=1M count=20 status=none"
    ));
    let hash = || kubelet.sh(&format!("sha256sum < {disk}"));
    let before = hash();
    failure_with(
        &kubelet.mount(&device, &options),
        &["a format of volume", "was interrupted here", "it is left alone"],
    );
    assert_eq!(hash(), before);
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
    failure_with(&stateless(), &["it is not formatted"]);
    assert_eq!(kubelet.sh(&format!("blkid -p {device} || echo $?")), "2");
    success(&kubelet.mount(&device, &options));
    success(&kubelet.unmount());
    success(&stateless());
}
