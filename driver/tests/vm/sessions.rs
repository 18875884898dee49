//! Sessions that begin or end without a call: left over, late, lost, and through IPv6.

use std::{fs, thread, time::Duration};

use testbed::{seen_to_fail, seen_to_succeed, success};

use crate::{
    guest::Guest,
    shell::{sh, wait_for},
};

/// As if no call had wanted any volume for an hour.
fn time_passes() {
    sh("touch -d '1 hour ago' /run/oci-flexvolume-driver/sessions/*");
}

#[test]
fn a_session_left_over_is_ended_on_the_way_of_another_call() {
    let guest = Guest::fresh();
    let (left, used) = (guest.volume(), guest.volume());
    let device = left.attached(1);
    success(&left.wait(&device));
    let other = used.up();
    assert_eq!(guest.sessions(), 2);

    time_passes();
    // A process reads it: no mount, no claim, but in use.
    sh(
        "sleep 1000 </dev/$(ls /sys/class/iscsi_session/*/device/target*/*:1/block | grep -m 1 sd) >/dev/null 2>&1 & echo $! >/tmp/reader",
    );
    success(&used.wait(&other));
    assert_eq!(guest.sessions(), 2);
    sh("kill $(cat /tmp/reader)");

    time_passes();
    let answer = used.wait(&other);
    seen_to_succeed(
        "U11",
        "waitforattach of another volume, an hour after the last call for this one",
        &answer,
    );
    assert_eq!(guest.sessions(), 1);
    assert!(!guest.storage.has_initiator(&left.ocid));
    assert!(guest.storage.has_initiator(&used.ocid), "a mounted volume was logged out");
    sh(&format!("echo still here >{0}/file; sync -f {0}", used.dir()));

    // It comes back when it is wanted, and a stranger's session stays.
    success(&left.wait(&device));
    success(&left.unmount());
    let iqn = device.split("-iscsi-").nth(1).unwrap().split("-lun-").next().unwrap();
    let portal = device.split("/ip-").nth(1).unwrap().split("-iscsi-").next().unwrap();
    sh(&format!(
        "iscsiadm -m node -T {iqn} -p {portal} -o new; iscsiadm -m node -T {iqn} -p {portal} -l"
    ));
    time_passes();
    success(&used.wait(&other));
    success(&used.unmount());
    assert_eq!(guest.sessions(), 1, "a session that this driver has not made");
}

#[test]
fn a_login_that_outlives_its_call_is_not_lost() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    let call = || {
        sh("pkill -STOP tgtd");
        let args = ["waitforattach", &device, &volume.options(&[])];
        let mut call = guest.node(1).command(&args).spawn().unwrap();
        wait_for("pgrep -f 'iscsiadm.*--login'");
        // iscsid has heard of it by then, and waits for the target.
        thread::sleep(Duration::from_secs(1));
        call.kill().unwrap();
        call.wait().unwrap();
        sh("pkill -KILL iscsiadm || true; pkill -CONT tgtd");
        wait_for("grep -q LOGGED_IN /sys/class/iscsi_session/*/state");
    };
    call();
    let again = volume.wait(&device);
    seen_to_succeed("W12", "killed during the login, which iscsid completes by itself", &again);
    assert_eq!(guest.sessions(), 1);
    success(&volume.mount(&device));
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);

    // And if no call for it comes again, another volume's call ends it.
    call();
    time_passes();
    let other = guest.volume();
    let theirs = other.attached(1);
    let answer = other.wait(&theirs);
    seen_to_succeed("U11", "killed during the login, and never called again", &answer);
    assert!(!guest.storage.has_initiator(&volume.ocid));
    assert_eq!(guest.sessions(), 1);
}

#[test]
fn a_logout_that_outlives_its_call_does_not_end_a_session_in_use() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up();
    sh("pkill -STOP -x iscsid");
    let mut call = guest.node(1).command(&["unmountdevice", &volume.dir()]).spawn().unwrap();
    let logout = "pgrep -f 'iscsiadm.*[-]-logout'";
    wait_for(logout);
    // It has asked iscsid by then, which carries it out when it comes back to life.
    thread::sleep(Duration::from_secs(1));
    call.kill().unwrap();
    call.wait().unwrap();
    sh("pkill -KILL iscsiadm");

    // The pod comes back before that.
    let answer = thread::scope(|scope| {
        let alive = scope.spawn(|| {
            thread::sleep(Duration::from_secs(5));
            sh("pkill -CONT -x iscsid");
        });
        let answer = volume.wait(&device);
        if answer.is_success() {
            success(&volume.mount(&device));
        }
        alive.join().unwrap();
        answer
    });
    seen_to_succeed(
        "X7",
        "iscsid stopped; unmountdevice killed while it logged out; waitforattach and mountdevice, iscsid alive again",
        &answer,
    );
    thread::sleep(Duration::from_secs(3));
    assert_eq!(guest.sessions(), 1);
    let written = volume.write(1, "file");
    sh("echo 3 >/proc/sys/vm/drop_caches");
    assert_eq!(volume.read(1, "file"), written);
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn the_lock_of_a_killed_iscsiadm_is_not_waited_for_without_end() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    // What a SIGKILL between two of its system calls leaves.
    let lock = "/run/lock/iscsi/lock";
    sh(&format!("mkdir -p $(dirname {lock}); touch {lock}; ln {lock} {lock}.write"));
    let answer = volume.wait(&device);
    seen_to_succeed("X7", "iscsiadm killed while it had the lock on its records", &answer);
    assert!(!fs::exists(format!("{lock}.write")).unwrap());
}

#[test]
fn a_portal_may_have_an_ipv6_address() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    sh(
        "ip -6 addr replace fd00:c1::2/64 dev node nodad; ip -n storage -6 addr replace fd00:c1::1/64 dev storage nodad",
    );
    let device = volume.attached(1);
    let (_, rest) = device.split_once("-iscsi-").unwrap();
    let device = format!("/dev/disk/by-path/ip-[fd00:c1::1]:3260-iscsi-{rest}");
    let answer = volume.wait(&device);
    success(&answer);
    assert_eq!(answer.field("device").unwrap(), device);
    success(&volume.mount(&device));
    // As udev writes it.
    let bare = device.replace(['[', ']'], "");
    success(&volume.wait(&bare));
    sh(&format!("echo letter >{}/letter", volume.dir()));
    assert_eq!(guest.sessions(), 1);
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
    assert_eq!(sh("ls /etc/iscsi/nodes"), "");
}

#[test]
fn a_mount_of_the_lost_disk_does_not_stay_beside_the_new_one() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up();
    sh(&format!("echo kept >{0}/kept; sync -f {0}; echo lost >{0}/lost", volume.dir()));
    // What iscsiadm does to a mounted disk when it is asked to.
    sh("iscsiadm -m session --logout");
    let answer = volume.wait(&device);
    seen_to_fail(
        "W13",
        "the session was logged out under the mount, and comes back",
        &answer,
        &["may be lost: the disk did not take them"],
    );
    assert_eq!(sh(&format!("grep -c ' {} ' /proc/self/mountinfo || true", volume.dir())), "0");
    success(&volume.wait(&device));
    success(&volume.mount(&device));
    assert_eq!(sh(&format!("cat {}/kept", volume.dir())), "kept");
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}
