//! xfs: a volume's whole life, and a log that is not empty.

use oci_sim::NewVolume;
use testbed::{seen_to_succeed, success};

use crate::{guest::Guest, shell::sh, volume::Volume};

const XFS: [(&str, &str); 1] = [("kubernetes.io/fsType", "xfs")];

fn volume(guest: &Guest) -> Volume<'_> {
    // The least that xfs takes.
    guest.volume_like(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() })
}

#[test]
fn what_is_written_on_one_node_is_read_on_another() {
    let guest = Guest::fresh();
    let volume = volume(&guest);
    let dir = volume.dir();
    let device = volume.attached(1);
    success(&volume.wait(&device));
    success(&volume.mount_with(1, &device, &XFS));
    assert_eq!(sh(&format!("findmnt -no FSTYPE {dir}")), "xfs");
    sh(&format!("echo letter >{dir}/letter"));
    success(&volume.mount_with(1, &device, &XFS));
    success(&volume.unmount());
    success(&volume.detach(1));

    let device = volume.attached(2);
    success(&volume.wait_on(2, &device));
    success(&volume.mount_with(2, &device, &XFS));
    assert_eq!(guest.sh(2, &format!("cat {dir}/letter")), "letter");
    success(&volume.unmount_on(2));
    success(&volume.detach(2));
    assert_eq!(guest.sessions(), 0);
    assert_eq!(guest.sim.violations(), [""; 0]);
}

#[test]
fn a_log_that_is_not_empty_is_replayed() {
    let guest = Guest::fresh();
    let volume = volume(&guest);
    let dir = volume.dir();
    let device = volume.attached(1);
    success(&volume.mount_with(1, &device, &XFS));
    let file = guest.storage.file(&volume.ocid).display().to_string();
    // As after the power failed: in the log, and nowhere else.
    sh(&format!("echo kept >{dir}/kept; sync {dir}/kept; cp --sparse=always {file} {file}.torn"));
    sh(&format!("xfs_logprint -t {file}.torn | grep -q DIRTY"));
    success(&volume.unmount());
    guest.storage.exchange(&volume.ocid, &format!("{file}.torn"), None);
    let answer = volume.mount_with(1, &device, &XFS);
    seen_to_succeed("M12", "xfs on iSCSI, torn away with a dirty log; mountdevice", &answer);
    assert_eq!(sh(&format!("cat {dir}/kept; touch {dir}/new")), "kept");
    success(&volume.unmount());
    sh(&format!("xfs_repair -n {file}.torn"));
}
