//! Major and minor number: the kernel's name of a device.

use std::{fmt, path::Path, str::FromStr};

use crate::Error;

/// The number of a block device; a device keeps it for as long as it is held open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber {
    /// which driver
    pub major: u32,
    /// which of its devices
    pub minor: u32,
}

impl DeviceNumber {
    /// The number of the block device at `path`, which is not opened.
    ///
    /// # Errors
    /// There is none.
    pub fn at(path: &Path) -> Result<Self, Error> {
        crate::device::number_at(path)
    }

    /// The number in a `st_rdev` or `st_dev`.
    pub(crate) fn from_raw(raw: u64) -> Self {
        Self { major: rustix::fs::major(raw), minor: rustix::fs::minor(raw) }
    }
}

/// Written as sysfs and mountinfo do: `8:16`.
impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// Not of the form `8:16`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a device number like 8:16")]
pub struct ParseDeviceNumberError(String);

impl FromStr for DeviceNumber {
    type Err = ParseDeviceNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once(':')
            .and_then(|(major, minor)| {
                Some(Self { major: decimal(major)?, minor: decimal(minor)? })
            })
            .ok_or_else(|| ParseDeviceNumberError(text.to_owned()))
    }
}

fn decimal(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_writes() {
        for text in ["8:16", "0:45", "259:1048575"] {
            assert_eq!(text.parse::<DeviceNumber>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "8", "8:", ":16", "8:16:1", "+8:16", "8: 16", "8:-1", "8:99999999999"] {
            assert_eq!(
                text.parse::<DeviceNumber>().unwrap_err().to_string(),
                format!("{text:?} is not a device number like 8:16")
            );
        }
    }
}
