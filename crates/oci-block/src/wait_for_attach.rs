//! waitforattach: the volume's disk is there when the call has ended well.

use std::path::{Path, PathBuf};

use crate::{
    OciBlock, error::Error, lock::VolumeLock, refused, staged_disk::StagedDisk,
    volume_options::VolumeOptions, writable::ensure_writable,
};

/// Connects the disk and tells the path that attach composed.
///
/// The device that kubelet passes is what the controller was told; after a restart it may be empty,
/// and then this host's record of the volume is asked. A disk that is not the volume's is an error. Where the
/// volume is mounted read-only already, for another pod, it becomes writable for a pod that writes.
pub(crate) fn wait_for_attach(
    driver: &OciBlock,
    device: &Path,
    options: &VolumeOptions<'_>,
) -> Result<PathBuf, Error> {
    options.attachment.refuse_second_writer()?;
    let volume = options.name.key()?;
    let lock = driver.staging.lock(volume, "waitforattach")?;
    let found = wait_locked(driver, device, options, &lock);
    if found.as_ref().is_err_and(Error::is_lasting) {
        refused::take_back(&driver.staging, &driver.initiator(), volume, &lock, None);
    }
    found
}

fn wait_locked(
    driver: &OciBlock,
    device: &Path,
    options: &VolumeOptions<'_>,
    lock: &VolumeLock,
) -> Result<PathBuf, Error> {
    let StagedDisk { device, disk, mounter, .. } = StagedDisk::acquire(driver, device, options)?;
    // An orphaned mount keeps the volume locked until it has ended.
    lock.share_with_children()?;
    ensure_writable(&mounter, options.name, &disk, &options.wanted)?;
    Ok(device.path())
}
