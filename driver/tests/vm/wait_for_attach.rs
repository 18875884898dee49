//! What can be wrong between the API's answer and a connected disk.

use std::{fs, path::Path, thread, time::Duration};

use testbed::{run, seen_to_fail, seen_to_succeed, success};

use crate::{
    guest::Guest,
    shell::{is_zero, sh, try_sh, wait_for},
    volume::Volume,
};

#[test]
fn a_dead_iscsid_is_named() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    guest.kill_iscsid();
    let answer = volume.wait(&device);
    seen_to_fail(
        "W2",
        "iscsid killed before the login",
        &answer,
        &["iscsid is not running", "systemctl enable --now iscsid"],
    );
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
    let answer = volume.wait(&device);
    sh(
        "for it in /usr/sbin /usr/bin; do [ ! -e $it/iscsiadm.away ] || mv $it/iscsiadm.away $it/iscsiadm; done",
    );
    seen_to_fail("W2", "iscsiadm moved away", &answer, &["iscsiadm", "open-iscsi"]);
}

#[test]
fn a_portal_that_refuses_is_named() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    guest.storage.kill();
    let answer = volume.wait(&device);
    seen_to_fail(
        "W3",
        "the target daemon killed: the portal refuses",
        &answer,
        &["169.254.2.2:3260"],
    );
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
    let answer = volume.wait(&device);
    seen_to_fail("W3", "the portal's packets dropped", &answer, &["169.254.2.2:3260"]);
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
    let answer = volume.wait(&device);
    seen_to_fail(
        "W2",
        "the volume detached before the login: the target is unknown",
        &answer,
        &["cannot log in to", "169.254.2.2:3260: ", "(iscsiadm exit code "],
    );
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
    guest.storage.restart();
    let answer = volume.wait(&device);
    seen_to_succeed("W5", "the storage failed until the disk was offline, and came back", &answer);
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
    let said = ["in use on this host, or may be", "blocked"];
    seen_to_fail("D9", "the disk is this host's, and blocked; detach", &volume.detach(1), &said);
    let answer = volume.mount(&device);
    seen_to_fail(
        "W5",
        "the storage failed, and the disk is blocked",
        &answer,
        &["169.254.2.2:3260"],
    );
}

#[test]
fn a_disk_that_was_deleted_comes_back() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    success(&volume.wait(&device));
    sh(&format!("echo 1 >/sys/block/{}/device/delete", Volume::disk(&device)));
    assert!(!try_sh("ls /dev/sd?"));
    let answer = volume.wait(&device);
    seen_to_succeed("W6", "the disk deleted through sysfs, its session alive", &answer);
    assert_eq!(guest.sessions(), 1);
    success(&volume.mount(&device));
}

#[test]
fn no_link_is_needed() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    sh("pkill -9 -x systemd-udevd; rm -rf /dev/disk");
    let device = volume.attached(1);
    let answer = volume.wait(&device);
    seen_to_succeed("W7", "udevd killed, /dev/disk removed", &answer);
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
    let answer = right.mount(&device);
    seen_to_succeed("W8", "the by-path link led to another volume's disk", &answer);
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
        let answer = match call {
            "waitforattach" => volume.wait(&device),
            _ => volume.mount(&device),
        };
        seen_to_fail(
            row,
            format!("another LUN behind the live session; {call}"),
            &answer,
            &["is not the one that was seen before"],
        );
    }
    assert!(is_zero(Path::new("/tmp/volumes/other")), "it was written to");
}

#[test]
fn a_disk_that_is_not_ready_is_waited_for() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    guest.storage.set_ready(&volume.ocid, false);
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_secs(3));
            guest.storage.set_ready(&volume.ocid, true);
        });
        volume.wait(&device)
    });
    seen_to_succeed("W10", "the disk not ready for three seconds after the login", &answer);
    success(&volume.mount(&device));
}

#[test]
fn another_portal_to_the_same_target_is_refused() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    log_in(&device, "169.254.2.77");
    let answer = volume.wait(&device);
    seen_to_fail(
        "W14",
        "a session to the target through another portal",
        &answer,
        &["already reached through another portal, 169.254.2.77:3260"],
    );
    assert_eq!(guest.sessions(), 1);
}

#[test]
fn a_foreign_session_is_adopted() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    log_in(&device, "169.254.2.2");
    let record = format!("iscsiadm -m node -T {} -p 169.254.2.2", iqn(&device));
    sh(&format!(
        "{record} -o update -n node.startup -v automatic -n node.session.timeo.replacement_timeout -v -1
         {record} --logout; {record} --login && udevadm settle"
    ));
    wait_for("ls /dev/sd?");
    let patience = "cat /sys/class/iscsi_session/*/recovery_tmo";
    assert_eq!(sh(patience), "off");
    let answer = volume.wait(&device);
    seen_to_succeed(
        "W16",
        "logged in before by hand, with node.startup automatic and no replacement_timeout",
        &answer,
    );
    assert_eq!(sh(patience), "120");
    // Nor does iscsid take it back when it brings the session up again.
    guest.storage.kill();
    wait_for("grep -q FAILED /sys/class/iscsi_session/*/state");
    guest.storage.restart();
    wait_for("grep -q LOGGED_IN /sys/class/iscsi_session/*/state");
    assert_eq!(sh(patience), "120");
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
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            wait_for("pgrep -f '[-]-login'");
            sh("pkill -TERM -x oci");
        });
        run(command).unwrap()
    });
    seen_to_fail("W17", "SIGTERM during a login that hangs", &answer, &["SIGTERM"]);
}

#[test]
fn the_boot_volume_is_never_touched() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    log_in(&device, "169.254.0.2");
    let boot = device.replace("169.254.2.2", "169.254.0.2");
    let answer = volume.wait(&boot);
    seen_to_fail(
        "U9",
        "the boot volume's portal in waitforattach and unmountdevice",
        &answer,
        &["it is the portal of this instance's boot volume"],
    );
    sh(&format!(
        "mkfs.ext4 -q /dev/{0}; mkdir -p {1}; mount /dev/{0} {1}",
        Volume::disk(&device),
        volume.dir()
    ));
    let answer = volume.unmount();
    seen_to_fail(
        "U9",
        "the boot volume's disk mounted where a volume would be; unmountdevice",
        &answer,
        &["it is the portal of this instance's boot volume"],
    );
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
