//! A volume's whole life, and what must not disturb it.

use testbed::{seen_to_succeed, success};

use crate::{guest::Guest, shell::sh, volume::Volume, xfs};

#[track_caller]
fn check(guest: &Guest, volume: &Volume<'_>, fs_type: &str) {
    let dir = volume.dir();
    let options = [("kubernetes.io/fsType", fs_type)];
    let device = volume.up_on(1, &options);
    success(&volume.mount_with(1, &device, &options));
    assert_eq!(sh(&format!("findmnt -no FSTYPE {dir}")), fs_type);
    sh(&format!("echo letter >{dir}/letter"));
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
    success(&volume.detach(1));

    volume.up_on(2, &options);
    assert_eq!(guest.sh(2, &format!("cat {dir}/letter")), "letter");
    success(&volume.unmount_on(2));
    success(&volume.detach(2));
    assert_eq!(guest.sh(2, "ls /sys/class/iscsi_session"), "");
    assert_eq!(guest.sim.violations(), [""; 0]);
}

#[test]
fn what_is_written_on_one_node_is_read_on_another() {
    let guest = Guest::fresh();
    check(&guest, &guest.volume(), "ext4");
    check(&guest, &xfs::volume(&guest), "xfs");
}

#[test]
fn every_call_may_be_repeated() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up();
    let disk = Volume::disk(&device);
    assert_eq!(volume.attached(1), device);
    let again = volume.wait(&device);
    seen_to_succeed("W4", "waitforattach again, logged in and mounted", &again);
    assert_eq!((guest.sessions(), Volume::disk(&device)), (1, disk));
    let again = volume.mount(&device);
    seen_to_succeed("M2", "mountdevice again", &again);
    assert_eq!(sh(&format!("grep -c ' {} ' /proc/self/mountinfo", volume.dir())), "1");
    success(&volume.unmount());
    let again = volume.unmount();
    seen_to_succeed("U1", "unmountdevice again", &again);
    success(&volume.detach(1));
    success(&volume.detach(1));
    assert_eq!(guest.sim.violations(), [""; 0]);
}
