//! What can be wrong between the last pod's end and the detach.

use testbed::{seen_to_fail, seen_to_succeed, success};

use crate::{
    guest::Guest,
    shell::{Background, sh, try_sh, wait_for},
    volume::Volume,
    wait_for_attach::iqn,
};

#[test]
fn pods_that_still_have_it_are_named() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    volume.up();
    let dir = volume.dir();
    sh(&format!("mkdir -p /var/lib/kubelet/pods/1 && mount --bind {dir} /var/lib/kubelet/pods/1"));
    let answer = volume.unmount();
    seen_to_fail("U2", "a pod's bind mount is left", &answer, &["/var/lib/kubelet/pods/1"]);
    assert_eq!(guest.sessions(), 1);
}

#[test]
fn lost_data_is_said_once() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up();
    guest.give_up_after(1, 15);
    sh(&format!("echo lost >{}/file", volume.dir()));
    guest.storage.kill();
    let state = format!("/sys/block/{}/device/state", Volume::disk(&device));
    wait_for(&format!("grep -q blocked {state}"));
    let answer = volume.unmount();
    seen_to_fail("B7", "the storage failed: I/O waits; unmountdevice", &answer, &["blocked"]);
    assert!(try_sh(&format!("mountpoint -q {}", volume.dir())));

    wait_for(&format!("grep -q transport-offline {state}"));
    let answer = volume.unmount();
    seen_to_fail("U3", "the storage stays away until I/O fails", &answer, &["may be lost"]);
    let answer = volume.unmount();
    seen_to_succeed("U8", "unmountdevice again, the portal still dead", &answer);
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn an_unmount_ends_though_the_storage_has_fallen_silent() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    volume.up();
    guest.give_up_after(1, 1);
    sh(&format!("echo lost >{}/file", volume.dir()));
    guest.storage.suspend();
    let answer = volume.unmount();
    seen_to_fail(
        "B7",
        "the storage answers nothing any more; unmountdevice",
        &answer,
        &["may be lost"],
    );
}

#[test]
fn a_file_that_is_open_after_a_lazy_unmount_keeps_the_session() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    volume.up();
    let dir = volume.dir();
    let holder = Background::run(&format!("exec 9>{dir}/file; exec sleep 1000"));
    wait_for(&format!("[ -e {dir}/file ]"));
    sh(&format!("umount -l {dir}"));
    let answer = volume.unmount();
    seen_to_fail("U4", "umount -l with a file open", &answer, &["in use"]);
    assert_eq!(guest.sessions(), 1);
    drop(holder);
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn a_mount_in_another_namespace_keeps_the_session() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up();
    let holder = Background::run("exec unshare --mount --propagation private sleep 1000");
    wait_for("pgrep -x sleep");
    let answer = volume.unmount();
    seen_to_fail(
        "B9",
        "the mount copied into another mount namespace; unmountdevice",
        &answer,
        &["in use"],
    );
    assert_eq!(guest.sessions(), 1);
    let answer = volume.mount(&device);
    seen_to_fail("X15", "mounted in another mount namespace; mountdevice", &answer, &["in use"]);
    drop(holder);
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn a_dead_iscsid_is_not_taken_for_a_logout() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    volume.up();
    guest.kill_iscsid();
    let answer = volume.unmount();
    seen_to_fail("U5", "iscsid killed before the logout", &answer, &["iscsid is not running"]);
    assert_eq!(guest.sessions(), 1);
    guest.start_iscsid();
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn two_sessions_are_too_many() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    volume.up();
    sh(
        "iscsiadm -m session -r 1 -o new || iscsiadm -m session -r $(ls /sys/class/iscsi_session | tr -d a-z | head -1) -o new",
    );
    assert_eq!(guest.sessions(), 2);
    let answer = volume.unmount();
    seen_to_fail("U6", "a second session to the same portal", &answer, &["there are 2 sessions"]);
}

#[test]
fn no_record_is_needed() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    volume.up();
    sh("rm -r /etc/iscsi/nodes");
    let answer = volume.unmount();
    seen_to_succeed("U7", "the node records removed", &answer);
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn what_a_killed_logout_has_left_goes_with_the_next_call() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    volume.up();
    sh(&format!("umount {}; iscsiadm -m session --logout", volume.dir()));
    assert_eq!(sh("ls /etc/iscsi/nodes | wc -l"), "1");
    let answer = volume.unmount();
    seen_to_succeed("X7", "unmountdevice killed after the logout itself", &answer);
    assert_eq!(sh("ls /etc/iscsi/nodes /run/oci-flexvolume-driver/sessions | grep -v :$ || :"), "");
}

#[test]
fn other_disks_of_the_target_stay() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    sh("truncate -s 64M /tmp/volumes/second");
    guest.storage.add_unit(&volume.ocid, 2, "/tmp/volumes/second");
    success(&volume.wait(&device));
    success(&volume.mount(&device));
    sh("for it in /sys/class/scsi_host/*/scan; do echo '- - 2' >$it; done");
    wait_for("ls /sys/class/scsi_device | grep -q ':2$'");
    let answer = volume.unmount();
    seen_to_succeed("U10", "a second LUN on the target", &answer);
    assert_eq!(guest.sessions(), 1);
    assert_eq!(sh("ls /sys/class/scsi_disk | sed 's/.*://'"), "2");
}

#[test]
fn a_mounted_volume_is_not_detached() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up();
    let answer = volume.detach(1);
    seen_to_fail(
        "D9",
        "detach of a volume that is mounted on this host",
        &answer,
        &["still mounted"],
    );
    assert!(guest.storage.has_initiator(&volume.ocid), "{}", iqn(&device));
    assert_eq!(guest.sim.violations(), [""; 0]);
    sh(&format!("echo still here >{}/file && sync", volume.dir()));
    assert_eq!(Volume::disk(&device).len(), 3);
}
