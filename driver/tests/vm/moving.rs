//! A pod moves from one node to another, and the volume with it.

use testbed::FaultRow;

use crate::{
    guest::Guest,
    shell::{sh, wait_for},
    volume::{Volume, failure, success},
};

#[test]
fn a_volume_is_not_taken_from_the_node_that_has_it() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    volume.up();
    let mut row = FaultRow::new("A9", "attach to a second node while a pod writes on the first");
    let answer = volume.attach(2);
    row.shows(&answer);
    failure(&answer, &["node-1"]);
    drop(row);
    sh(&format!("echo letter >{0}/letter && sync {0}/letter", volume.dir()));
    assert_eq!(guest.sim.violations(), [""; 0]);
}

#[test]
fn a_forced_detach_loses_nothing_that_was_synced() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let dir = volume.dir();
    let device = volume.up();
    sh(&format!("echo safe >{dir}/safe && sync {dir}/safe && echo lost >{dir}/lost"));
    guest.give_up_after(1);
    guest.sim.force_detach(&volume.ocid);

    let there = volume.attached(2);
    success(&volume.wait_on(2, &there));
    success(&volume.mount_with(2, &there, &[]));
    assert_eq!(
        guest.sh(2, &format!("cat {dir}/safe && echo new >{dir}/new && sync {dir}/new")),
        "safe"
    );

    wait_for(&format!(
        "grep -q transport-offline /sys/block/{}/device/state",
        Volume::disk(&device)
    ));
    let mut row = FaultRow::new(
        "U3",
        "the volume detached by force under a written file system, and attached to a second node",
    );
    let answer = volume.unmount();
    row.shows(&answer);
    failure(&answer, &["may be lost"]);
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 1, "that of the second node");
    assert_eq!(guest.sh(2, &format!("cat {dir}/safe {dir}/new")), "safe\nnew");
}

#[test]
fn a_node_that_lost_its_power_finds_its_volume_again() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let dir = volume.dir();
    let device = volume.up();
    sh(&format!("echo safe >{dir}/safe && sync {dir}/safe"));
    // From here on nothing of what the node does reaches the disk, as after the loss.
    guest.give_up_after(1);
    guest.storage.kill();
    sh(&format!("umount -l {dir}; iscsiadm -m session -u; rm -rf /run/oci-flexvolume-driver"));
    guest.storage.restart();
    let mut row = FaultRow::new(
        "X10",
        "power lost with the volume mounted: no session, no mount, a dirty journal",
    );
    assert_eq!(volume.attached(1), device);
    success(&volume.wait(&device));
    let answer = volume.mount(&device);
    row.shows(&answer);
    success(&answer);
    assert_eq!(sh(&format!("cat {dir}/safe")), "safe");
    success(&volume.unmount());
    success(&volume.detach(1));
}
