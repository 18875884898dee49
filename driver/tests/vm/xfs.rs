//! xfs, where it is not as ext4.

use oci_sim::NewVolume;
use testbed::{seen_to_succeed, success};

use crate::{guest::Guest, shell::sh, volume::Volume};

const XFS: [(&str, &str); 1] = [("kubernetes.io/fsType", "xfs")];

/// A new volume that xfs has room on.
pub(crate) fn volume(guest: &Guest) -> Volume<'_> {
    guest.volume_like(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() })
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
