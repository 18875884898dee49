//! From the device path of an attachment to a disk that is there.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use disk::Disk;
use flexvolume::Options;
use iscsi::Target;

use crate::{
    OciBlock,
    device::{Device, DeviceError},
    error::Error,
    sessions::Sessions,
    volume::VolumeName,
};

impl OciBlock {
    /// The disk behind `device`, brought in hand, with the size and the identity that it has now: a
    /// volume may have grown since the kernel looked at it. May be repeated.
    pub(crate) fn disk(&self, device: &Device, options: &Options) -> Result<Disk, Error> {
        let disk = Disk::open(&self.disk_path(device, options)?, &self.host)?;
        Ok(match device {
            // `Initiator::disk` has had it looked at.
            Device::Iscsi(_) | Device::Multipath(_) => disk,
            Device::Paravirtualized(_) => disk.rescan()?,
        })
    }

    /// Sessions that begin now are ours, even if this call does not live to see them.
    fn note_sessions(&self, targets: &[Target], options: &Options) -> Result<(), Error> {
        let volume = VolumeName::from_options(options)?.key()?;
        let sessions = Sessions::new(&self.settings.run_dir);
        let initiator = self.initiator();
        let mut are_ours = sessions.are_ours(volume);
        if !are_ours {
            are_ours = true;
            for target in targets {
                are_ours &= initiator.session(target)?.is_none();
            }
        }
        if are_ours {
            sessions.note(volume, targets);
        }
        Ok(())
    }

    /// Brings the disk in hand: logs in, or waits for the hypervisor. May be repeated.
    fn disk_path(&self, device: &Device, options: &Options) -> Result<PathBuf, Error> {
        match device {
            Device::Iscsi(target) => {
                let initiator = self.initiator();
                self.note_sessions(device.targets(), options)?;
                self.log_in(&initiator, target, options)?;
                Ok(initiator.disk(target)?)
            }
            Device::Multipath(paths) => {
                let initiator = self.initiator();
                self.note_sessions(paths, options)?;
                self.log_in_paths(&initiator, paths, options)?;
                Ok(initiator.multipath_disk(paths)?)
            }
            Device::Paravirtualized(path) => self.wait_for_disk(path),
        }
    }

    fn wait_for_disk(&self, path: &Path) -> Result<PathBuf, Error> {
        let waits = std::iter::repeat_n(LOOK_EVERY, LOOKS);
        let found = disk::watch(&*self.clock, waits, || {
            // A link that leads nowhere yet is not there; whatever else is there is judged when opened.
            Ok::<_, Error>(path.exists().then(|| path.to_owned()))
        })?;
        let seconds = (LOOK_EVERY * LOOKS as u32).as_secs();
        found.ok_or_else(|| DeviceError::Absent { path: path.to_owned(), seconds }.into())
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOKS: usize = 300;
