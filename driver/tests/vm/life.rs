//! A volume's whole life, and what must not disturb it.

use testbed::{seen_to_succeed, success};

use crate::{guest::Guest, shell::sh, volume::Volume};

#[test]
fn what_is_written_on_one_node_is_read_on_another() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let dir = volume.dir();
    volume.up();
    sh(&format!("echo letter >{dir}/letter"));
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
    success(&volume.detach(1));

    let device = volume.attached(2);
    success(&volume.wait_on(2, &device));
    success(&volume.mount_with(2, &device, &[]));
    assert_eq!(guest.sh(2, &format!("cat {dir}/letter")), "letter");
    success(&volume.unmount_on(2));
    success(&volume.detach(2));
    assert_eq!(guest.sessions(), 0);
    assert_eq!(guest.sim.violations(), [""; 0]);
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
