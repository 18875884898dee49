//! A volume grows under a session that knows its old size.

use std::{fs, os::unix::fs::PermissionsExt as _};

use oci_sim::NewVolume;
use testbed::{FaultRow, failure_with, seen_to_fail, success};

use crate::{guest::Guest, shell::sh, volume::Volume};

fn volume_of_a_gib(guest: &Guest) -> Volume<'_> {
    guest.volume_like(NewVolume { disk_bytes: Some(GIB), ..NewVolume::default() })
}

/// The volume has this size; the initiator is not told. It loses its session meanwhile, and comes back.
fn grow(volume: &Volume<'_>, bytes: u64) {
    volume.guest.storage.grow(&volume.ocid, bytes).unwrap();
    sh("for disk in /sys/class/iscsi_session/*/device/target*/*/block/*/device; do
            [ ! -e $disk ] || timeout 180 sh -c \"until grep -qx running $disk/state; do sleep 0.1; done\"
        done");
}

/// The kernel's size of the disk.
fn size(device: &str) -> u64 {
    sh(&format!("blockdev --getsize64 /dev/{}", Volume::disk(device))).parse().unwrap()
}

/// The bytes of the mounted file system, after a look whether its file is there.
#[track_caller]
fn room(volume: &Volume<'_>) -> u64 {
    assert_eq!(sh(&format!("cat {}/letter", volume.dir())), "letter");
    volume.room()
}

#[track_caller]
fn check_online(fs_type: &str) {
    let guest = Guest::fresh();
    let volume = volume_of_a_gib(&guest);
    let asked = [("kubernetes.io/fsType", fs_type)];
    let device = volume.attached(1);
    success(&volume.mount_with(1, &device, &asked));
    sh(&format!("echo letter >{}/letter", volume.dir()));

    let mut stale = FaultRow::new("E6", format!("{fs_type}: the volume has 2 GiB, the session 1"));
    grow(&volume, 2 * GIB);
    assert_eq!(size(&device), GIB, "the kernel was not told");
    let answer = volume.expand(&device, 3 * GIB);
    stale.shows(&answer);
    failure_with(&answer, &["has 2147483648 bytes, and 3221225472 are asked for"]);
    assert!(room(&volume) < GIB);

    let mut row = FaultRow::new("E7", format!("{fs_type} on iSCSI, mounted; twice"));
    for _ in 0..2 {
        let answer = volume.expand(&device, 2 * GIB);
        row.shows(&answer);
        success(&answer);
        assert!(room(&volume) > GIB * 19 / 10);
    }
    success(&volume.unmount());
    success(&volume.mount_with(1, &device, &asked));
    assert!(room(&volume) > GIB * 19 / 10);
    success(&volume.unmount());
    success(&volume.detach(1));
    assert_eq!(guest.sim.violations(), [""; 0]);
}

#[test]
fn ext4_grows_while_it_is_mounted() {
    check_online("ext4");
}

#[test]
fn xfs_grows_while_it_is_mounted() {
    check_online("xfs");
}

#[test]
fn ext4_grows_at_the_next_mount() {
    let guest = Guest::fresh();
    let volume = volume_of_a_gib(&guest);
    let device = volume.up();
    sh(&format!("echo letter >{}/letter", volume.dir()));
    success(&volume.unmount());
    grow(&volume, 2 * GIB);
    let answer = volume.expand(&device, 2 * GIB);
    seen_to_fail(
        "E8",
        "ext4 on iSCSI, unmounted, the volume grown; then mountdevice",
        &answer,
        &["is not mounted", "grows when it is mounted the next time"],
    );
    assert_eq!(guest.sessions(), 0, "a call that only grows makes no session");
    success(&volume.mount(&device));
    assert!(room(&volume) > GIB * 19 / 10);
}

#[test]
fn waitforattach_notices_a_larger_volume() {
    let guest = Guest::fresh();
    let volume = volume_of_a_gib(&guest);
    let device = volume.up();
    grow(&volume, 2 * GIB);
    success(&volume.wait(&device));
    assert_eq!(size(&device), 2 * GIB);
}

#[test]
fn a_resize2fs_that_was_killed_is_finished() {
    let guest = Guest::fresh();
    let volume = volume_of_a_gib(&guest);
    let device = volume.up();
    sh(&format!("echo letter >{}/letter", volume.dir()));
    // Killed together with the driver after so many hundredths of a second.
    let tools = "/tmp/hosts/tools";
    fs::create_dir_all(tools).unwrap();
    for (round, after) in [0, 1, 2, 5, 10, 20].into_iter().enumerate() {
        let mut row = FaultRow::new("E10", format!("resize2fs and driver killed after {after} cs"));
        let bytes = (round as u64 + 2) * GIB;
        grow(&volume, bytes);
        let tool = format!("{tools}/resize2fs");
        let script = format!(
            "#!/bin/sh\nPATH=/usr/sbin:/sbin:/usr/bin:/bin\nresize2fs \"$@\" & sleep 0.{after:02}\n\
             kill -9 $! $PPID\n"
        );
        fs::write(&tool, script).unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        let (options, dir, asked) = (volume.options(&[]), volume.dir(), bytes.to_string());
        let place = guest.node(1);
        let mut command = place.command(&["expandfs", &options, &device, &dir, &asked, "0"]);
        let path = format!("{tools}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("OCI_FLEXD_TOOL_PATH", path);
        assert!(!command.output().unwrap().status.success(), "it was not killed");

        let answer = volume.expand(&device, bytes);
        row.shows(&answer);
        success(&answer);
        assert!(room(&volume) > bytes / 20 * 19, "{} of {bytes}", room(&volume));
    }
    let disk = Volume::disk(&device);
    sh(&format!("sync; umount {}; e2fsck -fn /dev/{disk}", volume.dir()));
}

const GIB: u64 = 1 << 30;
