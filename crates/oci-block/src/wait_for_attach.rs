//! waitforattach: the volume's disk is there when the call has ended well.

use std::path::{Path, PathBuf};

use crate::{OciBlock, error::Error, in_hand::InHand, volume_options::VolumeOptions};

/// Brings the disk in hand and tells the path that attach composed.
///
/// The device that kubelet passes is what the controller was told; after a restart it may be empty,
/// and then this host's record of the volume is asked. A disk that is not the volume's is an error.
pub(crate) fn wait_for_attach(
    driver: &OciBlock,
    device: &Path,
    options: &VolumeOptions<'_>,
) -> Result<PathBuf, Error> {
    options.attachment.refuse_second_writer()?;
    let _lock = driver.lock(options.name.key()?, "waitforattach")?;
    Ok(InHand::bring(driver, device, options)?.device.path())
}
