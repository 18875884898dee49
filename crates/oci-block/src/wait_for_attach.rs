//! waitforattach: the volume's disk is there when the call has ended well.

use std::path::{Path, PathBuf};

use flexvolume::Options;

use crate::{
    OciBlock,
    device::{Device, DeviceError},
    error::Error,
    volume::volume_key,
    witness::{Recall, Witnesses},
};

/// Brings the disk in hand and tells the path that attach composed.
///
/// The device that kubelet passes is what the controller was told; after a restart it may be empty,
/// and then this host's record of the volume is asked.
pub(crate) fn wait_for_attach(
    driver: &OciBlock,
    device: &Path,
    options: &Options,
) -> Result<PathBuf, Error> {
    let volume = volume_key(options.volume_name()?)?;
    let device = named_device(driver, device, volume)?;
    // A disk that shows by itself needs no lock; a login does.
    let _lock = match device {
        Device::Iscsi(_) => Some(driver.lock(volume, "waitforattach")?),
        Device::Paravirtualized(_) => None,
    };
    driver.disk_path(&device)?;
    Ok(device.path())
}

/// The device that is meant for `volume`.
pub(crate) fn named_device(
    driver: &OciBlock,
    device: &Path,
    volume: &str,
) -> Result<Device, Error> {
    if !device.as_os_str().is_empty() {
        return Ok(Device::parse(device)?);
    }
    let witnesses = Witnesses::new(&driver.settings.state_dir);
    let record = |source| Error::Record { path: witnesses.path(volume), source };
    match witnesses.read(volume).map_err(record)? {
        Recall::Seen(witness) => match witness.device {
            Some(device) => Ok(Device::parse(Path::new(&device))?),
            None => Err(DeviceError::Unknown { volume: volume.into() }.into()),
        },
        _ => Err(DeviceError::Unknown { volume: volume.into() }.into()),
    }
}
