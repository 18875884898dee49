//! A pod moves from one node to another, and the volume with it. The nodes are two machines.

use std::{process::Stdio, thread, time::Duration};

use oci_sim::{Config, Delay};
use testbed::{seen_to_fail, seen_to_succeed, success};

use crate::{
    guest::Guest,
    shell::{sh, wait_for},
    volume::Volume,
};

#[test]
fn a_volume_is_not_taken_from_the_node_that_has_it() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up();
    let letter = volume.write(1, "letter");
    let answer = volume.attach(2);
    seen_to_fail(
        "A9",
        "attach to a second node while a pod writes on the first",
        &answer,
        &["is attached to instance node-1", "never taken away"],
    );

    let answer = volume.wait_on(2, &device);
    seen_to_fail(
        "W3",
        "waitforattach on a second node that the volume is not attached to",
        &answer,
        &["iscsi"],
    );
    assert_eq!(guest.sh(2, "ls /sys/class/iscsi_session"), "");

    let more = volume.write(1, "more");
    volume.down_from(1);
    volume.up_on(2, &[]);
    assert_eq!([volume.read(2, "letter"), volume.read(2, "more")], [letter, more]);
    volume.down_from(2);
    assert_eq!(guest.sim.violations(), [""; 0]);
}

#[test]
fn a_volume_that_is_leaving_the_first_node_is_waited_for() {
    let guest = Guest::in_cloud(Config {
        detach_delay: Delay::Time(Duration::from_secs(3)),
        ..Config::default()
    });
    let volume = guest.volume();
    volume.up();
    let letter = volume.write(1, "letter");
    success(&volume.unmount());
    thread::scope(|scope| {
        let leaving = scope.spawn(|| volume.detach(1));
        while guest.sim.attachments().iter().all(|it| it.lifecycle_state != "DETACHING") {
            thread::sleep(Duration::from_millis(10));
        }
        let answer = volume.attach_by_another_master(2);
        for row in ["A10", "D13"] {
            let done = "attach to a second node while the volume is leaving the first";
            seen_to_succeed(row, done, &answer);
        }
        success(&leaving.join().unwrap());
    });
    volume.up_on(2, &[]);
    assert_eq!(volume.read(2, "letter"), letter);
    volume.down_from(2);
    assert_eq!(guest.sim.violations(), [""; 0]);
}

#[test]
fn a_forced_detach_loses_nothing_that_was_synced() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let dir = volume.dir();
    let device = volume.up();
    let safe = volume.write(1, "safe");
    sh(&format!("echo lost >{dir}/lost"));
    guest.give_up_after(1, 1);
    guest.sim.force_detach(&volume.ocid);

    volume.up_on(2, &[]);
    assert_eq!(volume.read(2, "safe"), safe);
    let new = volume.write(2, "new");

    let disk = Volume::disk(&device);
    wait_for(&format!("grep -q transport-offline /sys/block/{disk}/device/state"));
    sh(&format!("! dd if=/dev/urandom of=/dev/{disk} bs=1M oflag=direct"));
    let answer = volume.unmount();
    seen_to_fail(
        "U3",
        "the volume detached by force under a written file system, and attached to a second node",
        &answer,
        &["may be lost"],
    );
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
    assert_eq!([volume.read(2, "safe"), volume.read(2, "new")], [safe, new]);
    volume.down_from(2);
}

#[test]
fn a_node_that_is_cut_off_writes_nothing_once_another_has_its_volume() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let dir = volume.dir();
    volume.up_on(2, &[]);
    let safe = volume.write(2, "safe");
    let pod = format!("while date >>{dir}/diary && sync {dir}/diary; do :; done");
    guest.sh(2, &format!("({pod}; touch /run/pod-is-dead) >/dev/null 2>&1 </dev/null &"));
    guest.sh(2, &format!("until [ -s {dir}/diary ]; do sleep 0.1; done"));
    // Long enough that it still wants to write when it comes back.
    guest.give_up_after(2, 20);
    guest.second().cut_off();

    let answer = volume.attach(1);
    seen_to_fail(
        "A9",
        "attach to a second node while the first is cut off from the storage",
        &answer,
        &["is attached to instance node-2", "never taken away"],
    );
    guest.sim.force_detach(&volume.ocid);
    volume.up_on(1, &[]);
    assert_eq!(volume.read(1, "safe"), safe);
    let diary = volume.read(1, "diary");
    let new = volume.write(1, "new");

    guest.second().reconnect();
    guest.sh(2, &format!("until [ -e /run/pod-is-dead ]; do sleep 0.1; done; ! touch {dir}/late"));
    let answer = volume.unmount_on(2);
    seen_to_fail(
        "U3",
        "cut off while a pod wrote, the volume given to another node meanwhile",
        &answer,
        &["may be lost"],
    );
    success(&volume.unmount_on(2));
    assert_eq!(guest.sh(2, "ls /sys/class/iscsi_session"), "");

    sh("echo 3 >/proc/sys/vm/drop_caches");
    assert_eq!(["safe", "diary", "new"].map(|it| volume.read(1, it)), [safe, diary, new]);
    volume.down_from(1);
}

#[test]
fn a_node_that_lost_its_power_finds_its_volume_again() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let dir = volume.dir();
    let device = volume.up_on(2, &[]);
    let safe = volume.write(2, "safe");
    guest.sh(2, &format!("echo lost >{dir}/lost"));
    guest.second().lose_power().power_on();
    assert_eq!(guest.sh(2, "ls /sys/class/iscsi_session; mount | grep kubelet || true"), "");

    assert_eq!(volume.attached(2), device);
    success(&volume.wait_on(2, &device));
    let answer = volume.mount_with(2, &device, &[]);
    for row in ["X10", "M12"] {
        seen_to_succeed(row, "power lost with the volume mounted and written", &answer);
    }
    assert_eq!(volume.read(2, "safe"), safe);
    volume.down_from(2);
}

#[test]
fn a_format_that_lost_its_power_is_completed() {
    let guest = Guest::fresh();
    for (done, mkfs) in [
        ("power lost before mkfs wrote anything", ""),
        ("power lost when all that mkfs wrote was on the disk", "mke2fs -t ext4 \"$@\" && sync &&"),
    ] {
        let volume = guest.volume();
        let device = volume.attached(2);
        success(&volume.wait_on(2, &device));
        // The root file system is in memory: after the reset the real one is back.
        guest.sh(
            2,
            &format!(
                "cat >/tmp/mkfs <<'END' && chmod 755 /tmp/mkfs && mv /tmp/mkfs /usr/sbin/mkfs.ext4
#!/bin/sh
{mkfs} echo b >/proc/sysrq-trigger
END"
            ),
        );
        let boot = guest.second().boot();
        let args = ["mountdevice", &volume.dir(), &device, &volume.options(&[])];
        let mut call = guest.node(2).command(&args).stdout(Stdio::null()).spawn().unwrap();
        boot.wait_for_its_end();
        boot.power_on();
        call.kill().unwrap();
        call.wait().unwrap();

        success(&volume.wait_on(2, &device));
        let answer = volume.mount_with(2, &device, &[]);
        for row in ["X10", "M15"] {
            seen_to_succeed(row, done, &answer);
        }
        let letter = volume.write(2, "letter");
        assert_eq!(volume.read(2, "letter"), letter);
        volume.down_from(2);
    }
}

#[test]
fn the_pod_of_a_dead_node_finds_its_data_on_another() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up_on(2, &[]);
    let safe = volume.write(2, "safe");
    let boot = guest.second().lose_power();

    let answer = volume.attach(1);
    seen_to_fail(
        "A9",
        "attach to a second node, the first dead",
        &answer,
        &["is attached to instance node-2"],
    );
    success(&volume.detach(2));
    volume.up_on(1, &[]);
    assert_eq!(volume.read(1, "safe"), safe);
    let new = volume.write(1, "new");

    boot.power_on();
    let answer = volume.unmount_on(2);
    seen_to_succeed(
        "X10",
        "a node back from the dead, its volume on another: unmountdevice",
        &answer,
    );
    let answer = volume.wait_on(2, &device);
    seen_to_fail(
        "W3",
        "waitforattach with the path of an attachment that is no more",
        &answer,
        &["iscsi"],
    );
    assert_eq!([volume.read(1, "safe"), volume.read(1, "new")], [safe, new]);
    volume.down_from(1);
}
