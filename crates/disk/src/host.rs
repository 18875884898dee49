//! Where the kernel and udev show themselves.

use std::path::PathBuf;

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
