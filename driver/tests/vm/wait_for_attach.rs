//! What can be wrong between the API's answer and a disk in hand.

use std::{fs, path::Path, thread, time::Duration};

use testbed::{FaultRow, run};

use crate::{
    guest::Guest,
    shell::{is_zero, sh, try_sh, wait_for},
    volume::{Volume, failure, success},
};

#[test]
fn a_dead_iscsid_is_named() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    guest.kill_iscsid();
    let mut row = FaultRow::new("W2", "iscsid killed before the login");
    let answer = volume.wait(&device);
    row.shows(&answer);
    failure(&answer, &["iscsid is not running", "systemctl enable --now iscsid"]);
    drop(row);
    guest.start_iscsid();
    success(&volume.wait(&device));
    assert_eq!(guest.sessions(), 1);
}

#[test]
fn a_missing_iscsiadm_is_named_by_its_package() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    sh(
        "mv /usr/sbin/iscsiadm /usr/sbin/iscsiadm.away; mv /usr/bin/iscsiadm /usr/bin/iscsiadm.away || :",
    );
    let mut row = FaultRow::new("W2", "iscsiadm moved away");
    let answer = volume.wait(&device);
    sh(
        "for it in /usr/sbin /usr/bin; do [ ! -e $it/iscsiadm.away ] || mv $it/iscsiadm.away $it/iscsiadm; done",
    );
    row.shows(&answer);
    failure(&answer, &["iscsiadm", "open-iscsi"]);
}

#[test]
fn a_portal_that_refuses_is_named() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    guest.storage.kill();
    let mut row = FaultRow::new("W3", "the target daemon killed: the portal refuses");
    let answer = volume.wait(&device);
    row.shows(&answer);
    failure(&answer, &["169.254.2.2:3260"]);
    drop(row);
    assert_eq!(guest.sessions(), 0);
    guest.storage.restart();
    success(&volume.wait(&device));
}

#[test]
fn a_portal_behind_a_filter_is_named() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    guest.filter(&device);
    let mut row = FaultRow::new("W3", "the portal's packets dropped");
    let answer = volume.wait(&device);
    row.shows(&answer);
    failure(&answer, &["169.254.2.2:3260"]);
    drop(row);
    guest.unfilter(&device);
    success(&volume.wait(&device));
    assert_eq!(guest.sessions(), 1);
}

#[test]
fn a_target_that_is_gone_is_named() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    success(&volume.detach(1));
    let mut row =
        FaultRow::new("W2", "the volume detached before the login: the target is unknown");
    let answer = volume.wait(&device);
    row.shows(&answer);
    failure(&answer, &["cannot log in to", "169.254.2.2:3260: ", "(iscsiadm exit code "]);
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn a_lost_session_comes_back() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    success(&volume.wait(&device));
    guest.give_up_after(1, 1);
    guest.storage.kill();
    let disk = Volume::disk(&device);
    wait_for(&format!("grep -q transport-offline /sys/block/{disk}/device/state"));
    let mut row =
        FaultRow::new("W5", "the storage failed until the disk was offline, and came back");
    guest.storage.restart();
    let answer = volume.wait(&device);
    row.shows(&answer);
    success(&answer);
    assert_eq!((guest.sessions(), Volume::disk(&device)), (1, disk));
    success(&volume.mount(&device));
}

#[test]
fn a_blocked_disk_is_not_read() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    success(&volume.wait(&device));
    guest.storage.kill();
    let disk = Volume::disk(&device);
    wait_for(&format!("grep -q blocked /sys/block/{disk}/device/state"));
    let mut row = FaultRow::new("W5", "the storage failed, and the disk is blocked");
    let answer = volume.mount(&device);
    row.shows(&answer);
    failure(&answer, &["169.254.2.2:3260"]);
}

#[test]
fn a_disk_that_was_deleted_is_scanned_for() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    success(&volume.wait(&device));
    sh(&format!("echo 1 >/sys/block/{}/device/delete", Volume::disk(&device)));
    assert!(!try_sh("ls /dev/sd?"));
    let mut row = FaultRow::new("W6", "the disk deleted through sysfs, its session alive");
    let answer = volume.wait(&device);
    row.shows(&answer);
    success(&answer);
    assert_eq!(guest.sessions(), 1);
    success(&volume.mount(&device));
}

#[test]
fn no_link_is_needed() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    sh("pkill -9 -x systemd-udevd; rm -rf /dev/disk");
    let mut row = FaultRow::new("W7", "udevd killed, /dev/disk removed");
    let device = volume.attached(1);
    let answer = volume.wait(&device);
    row.shows(&answer);
    success(&answer);
    success(&volume.mount(&device));
    success(&volume.unmount());
    assert!(!try_sh("ls /dev/disk"));
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn a_link_that_lies_is_not_followed() {
    let guest = Guest::fresh();
    let (right, wrong) = (guest.volume(), guest.volume());
    let (device, other) = (right.attached(1), wrong.attached(1));
    success(&right.wait(&device));
    success(&wrong.wait(&other));
    sh("udevadm settle");
    sh(&format!("ln -sf ../../{} {device}", Volume::disk(&other)));
    let mut row = FaultRow::new("W8", "the by-path link led to another volume's disk");
    let answer = right.mount(&device);
    row.shows(&answer);
    success(&answer);
    let number = sh(&format!("cat /sys/block/{}/dev", Volume::disk(&device)));
    assert_eq!(sh(&format!("findmnt -no MAJ:MIN {} | tr -d ' '", right.dir())), number);
    assert_eq!(sh(&format!("blkid -p /dev/{} || echo $?", Volume::disk(&other))), "2");
}

#[test]
fn a_disk_that_was_exchanged_is_refused() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up();
    success(&volume.unmount());
    success(&volume.wait(&device));
    sh("truncate -s 16M /tmp/volumes/other");
    guest.storage.exchange(&volume.ocid, "/tmp/volumes/other", Some(0xabc));
    for (row, call) in [("W9", "waitforattach"), ("M20", "mountdevice")] {
        let mut row = FaultRow::new(row, format!("another LUN behind the live session; {call}"));
        let answer = match call {
            "waitforattach" => volume.wait(&device),
            _ => volume.mount(&device),
        };
        row.shows(&answer);
        failure(&answer, &["is not the one that was seen before"]);
    }
    assert!(is_zero(Path::new("/tmp/volumes/other")), "it was written to");
}

#[test]
fn a_disk_that_is_not_ready_is_waited_for() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    guest.storage.set_ready(&volume.ocid, false);
    let mut row = FaultRow::new("W10", "the disk not ready for three seconds after the login");
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_secs(3));
            guest.storage.set_ready(&volume.ocid, true);
        });
        volume.wait(&device)
    });
    row.shows(&answer);
    success(&answer);
    success(&volume.mount(&device));
}

#[test]
fn another_portal_to_the_same_target_is_refused() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    log_in(&device, "169.254.2.77");
    let mut row = FaultRow::new("W14", "a session to the target through another portal");
    let answer = volume.wait(&device);
    row.shows(&answer);
    failure(&answer, &["already reached through another portal, 169.254.2.77:3260"]);
    assert_eq!(guest.sessions(), 1);
}

#[test]
fn a_session_of_somebody_else_is_adopted() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    log_in(&device, "169.254.2.2");
    let record = format!("iscsiadm -m node -T {} -p 169.254.2.2", iqn(&device));
    sh(&format!("{record} -o update -n node.startup -v automatic"));
    let mut row = FaultRow::new("W16", "somebody logged in before, with node.startup automatic");
    let answer = volume.wait(&device);
    row.shows(&answer);
    success(&answer);
    assert_eq!(sh(&format!("{record} | grep node.startup")), "node.startup = manual");
    success(&volume.mount(&device));
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn sigterm_is_answered_while_the_portal_is_silent() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    guest.filter(&device);
    let args = ["waitforattach", &*device, &volume.options(&[])];
    let command = guest.node(1).command(&args);
    let mut row = FaultRow::new("W17", "SIGTERM during a login that hangs");
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            wait_for("pgrep -f '[-]-login'");
            sh("pkill -TERM -x oci");
        });
        run(command).unwrap()
    });
    row.shows(&answer);
    failure(&answer, &["SIGTERM"]);
}

#[test]
fn the_boot_volume_is_never_touched() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    log_in(&device, "169.254.0.2");
    let boot = device.replace("169.254.2.2", "169.254.0.2");
    let mut row =
        FaultRow::new("U9", "the boot volume's portal in waitforattach and unmountdevice");
    let answer = volume.wait(&boot);
    row.shows(&answer);
    failure(&answer, &["it is the portal of this instance's boot volume"]);
    drop(row);
    sh(&format!(
        "mkfs.ext4 -q /dev/{0}; mkdir -p {1}; mount /dev/{0} {1}",
        Volume::disk(&device),
        volume.dir()
    ));
    let mut row = FaultRow::new(
        "U9",
        "the boot volume's disk mounted where a volume would be; unmountdevice",
    );
    let answer = volume.unmount();
    row.shows(&answer);
    failure(&answer, &["it is the portal of this instance's boot volume"]);
    assert_eq!(guest.sessions(), 1);
    assert!(fs::exists(format!("/dev/{}", Volume::disk(&device))).unwrap());
}

/// Logs in as an administrator would.
pub(crate) fn log_in(device: &str, address: &str) {
    let node = format!("iscsiadm -m node -T {} -p {address}", iqn(device));
    sh(&format!("{node} -o new && {node} --login && udevadm settle"));
    wait_for("ls /dev/sd?");
}

/// The target's name in a device path.
pub(crate) fn iqn(device: &str) -> &str {
    device.split("-iscsi-").nth(1).unwrap().split("-lun-").next().unwrap()
}
