//! From the device path of an attachment to a disk that is there.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    OciBlock,
    device::{Device, DeviceError},
    error::Error,
};

impl OciBlock {
    /// Brings the disk in hand: logs in, or waits for the hypervisor. May be repeated.
    pub(crate) fn disk_path(&self, device: &Device) -> Result<PathBuf, Error> {
        match device {
            Device::Iscsi(target) => {
                let initiator = self.initiator();
                initiator.log_in(target)?;
                Ok(initiator.disk(target)?)
            }
            Device::Paravirtualized(path) => self.wait_for_disk(path),
        }
    }

    fn wait_for_disk(&self, path: &Path) -> Result<PathBuf, Error> {
        let waits = std::iter::repeat_n(LOOK_EVERY, LOOKS);
        let found = clock::poll(&*self.clock, waits, || {
            // A link that leads nowhere yet is not there; whatever else is there is judged when opened.
            Ok::<_, Error>(path.exists().then(|| path.to_owned()))
        })?;
        let seconds = (LOOK_EVERY * LOOKS as u32).as_secs();
        found.ok_or_else(|| DeviceError::Absent { path: path.to_owned(), seconds }.into())
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOKS: usize = 300;
