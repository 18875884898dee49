//! From the device path of an attachment to a disk that is there.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use disk::Disk;
use iscsi::Target;

use crate::{
    OciBlock,
    device::{Device, DeviceError},
    error::Error,
    volume_options::VolumeOptions,
};

impl OciBlock {
    /// The disk behind `device`, logged in to where it must be, with the size and the identity that it has now: a
    /// volume may have grown since the kernel looked at it. May be repeated.
    pub(crate) fn disk(&self, device: &Device, options: &VolumeOptions<'_>) -> Result<Disk, Error> {
        let path = match device {
            Device::Iscsi(target) => self.iscsi_disk(target, options)?,
            Device::Multipath(paths) => self.multipath_disk(paths, options)?,
            // Of these alone the kernel was not asked for the size yet.
            Device::Paravirtualized(path) => return Ok(self.plugged_disk(path)?.rescan()?),
        };
        let disk = Disk::open(&path, &self.staging.host)?;
        // From now on the name is this disk's; until now it may have gone to another one.
        let targets = self.initiator().targets_of(disk.number())?;
        if targets.is_empty() || targets.iter().any(|it| !device.targets().contains(it)) {
            return Err(DeviceError::Exchanged { path }.into());
        }
        Ok(disk)
    }

    fn iscsi_disk(&self, target: &Target, options: &VolumeOptions<'_>) -> Result<PathBuf, Error> {
        let initiator = self.initiator();
        self.log_in(&initiator, target, options)?;
        Ok(initiator.disk(target)?)
    }

    fn multipath_disk(
        &self,
        paths: &[Target],
        options: &VolumeOptions<'_>,
    ) -> Result<PathBuf, Error> {
        let initiator = self.initiator();
        self.log_in_paths(&initiator, paths, options)?;
        Ok(initiator.multipath_disk(paths)?)
    }

    /// Waits for the hypervisor and for udev, which makes the link.
    fn plugged_disk(&self, path: &Path) -> Result<Disk, Error> {
        let waits = std::iter::repeat_n(LOOK_EVERY, LOOKS);
        let found = disk::watch(&*self.staging.clock, waits, || {
            // A link that leads nowhere yet is not there; whatever else is there is judged when opened.
            if !path.exists() {
                return Ok::<_, Error>(None);
            }
            let disk = Disk::open(path, &self.staging.host)?;
            Ok(disk.is_linked(path)?.then_some(disk))
        })?;
        let (path, seconds) = (|| path.to_owned(), (LOOK_EVERY * LOOKS as u32).as_secs());
        found.ok_or_else(|| match fs::canonicalize(path()) {
            Ok(disk) => DeviceError::Unlinked { path: path(), disk, seconds }.into(),
            Err(_) => DeviceError::Absent { path: path(), seconds }.into(),
        })
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOKS: usize = 300;
