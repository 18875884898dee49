//! Where the kernel and udev show themselves.

use std::path::PathBuf;

use crate::{DeviceNumber, Error, mountinfo::MountTable, sysfs::Sysfs};

/// The directories that are read; tests put trees of their own in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `/sys`
    pub sysfs: PathBuf,
    /// `/proc`
    pub proc: PathBuf,
    /// `/run/udev/data`, which a host without udev does not have
    pub udev_db: PathBuf,
}

impl Default for Host {
    fn default() -> Self {
        Self { sysfs: "/sys".into(), proc: "/proc".into(), udev_db: "/run/udev/data".into() }
    }
}

impl Host {
    /// The mounts of this process's namespace; nothing is read yet.
    pub fn mount_table(&self) -> MountTable {
        MountTable::new(self.proc.join("self/mountinfo"))
    }

    /// What the SCSI layer says of a device, without touching it: `running` when all is well;
    /// `blocked` when I/O to it would hang. `None` for other kinds of device, and for one that is
    /// gone.
    ///
    /// # Errors
    /// If sysfs does not read.
    pub fn device_state(&self, number: DeviceNumber) -> Result<Option<String>, Error> {
        Sysfs::of(number, self).state()
    }

    /// Whether the SCSI layer has given the device up: it cannot be opened any more.
    ///
    /// # Errors
    /// If sysfs does not read.
    pub fn has_given_up(&self, number: DeviceNumber) -> Result<bool, Error> {
        Ok(self.device_state(number)?.is_some_and(|state| is_given_up(&state)))
    }
}

/// What the SCSI layer says of such a device.
pub(crate) fn is_given_up(state: &str) -> bool {
    matches!(state, "offline" | "transport-offline" | "deleted")
}
