//! A mount of the same volume through a disk that is gone: the volume has come back as another disk, and what is
//! written to the old one is lost.

use disk::Disk;
use mount::{Entry, Mounter};

use crate::{
    error::Error,
    losses::Losses,
    staging::Staging,
    volume::{DRIVER, VolumeName},
};

/// Unmounts kubelet's global mount of the volume, if it is one of a disk that is gone.
///
/// # Errors
/// It is in use, such as bound into a pod, or data were lost with the disk, or by an earlier call.
pub(crate) fn clear(
    staging: &Staging,
    mounter: &Mounter,
    name: VolumeName<'_>,
    disk: &Disk,
) -> Result<(), Error> {
    let losses = Losses::of(staging, name.key()?);
    for found in &*mounter.mounts()? {
        // What is on no disk has major number 0.
        let is_disk = found.number.major != 0 && found.number != disk.number();
        if is_global_mount(found, name) && is_disk && is_dead(staging, found)? {
            log::warn!("{} is mounted from a disk that is gone: unmounting", found.dir.display());
            losses.unmount(mounter, &found.dir)?;
        }
    }
    losses.tell()
}

/// Whether kubelet has this mounted for all pods that use the volume.
pub(crate) fn is_global_mount(found: &Entry, name: VolumeName<'_>) -> bool {
    found.dir.ends_with(format!("kubernetes.io/flexvolume/{DRIVER}/mounts/{}", name.name))
}

/// Whether the kernel has given the disk up for good.
fn is_dead(staging: &Staging, mount: &Entry) -> Result<bool, Error> {
    let here = staging.host.sysfs.join("dev/block").join(mount.number.to_string());
    Ok(Disk::is_absent(&here) || staging.host.has_given_up(mount.number)?)
}
