//! Whether a disk is larger than the file system on it, or smaller.

use disk::Disk;

use crate::{error::Error, refusal::Refusal};

/// What the disk has beyond its file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Headroom {
    /// Nothing, or less than file systems leave unused at the end.
    None,
    /// Enough to grow into.
    Left,
}

impl Headroom {
    /// Compares `disk` with the unmounted file system on it.
    ///
    /// # Errors
    /// The disk is the smaller one: a smaller volume than it was, or a restored one. A check would
    /// offer to cut the file system off.
    pub(crate) fn on(disk: &Disk, fs_type: &str) -> Result<Self, Error> {
        let Some(size) = disk.file_system_size(fs_type)? else { return Ok(Self::None) };
        if size > disk.size() {
            let (device, fs_type) = (disk.path().to_owned(), fs_type.to_owned());
            return Err(Refusal::LargerThanDisk { device, fs_type, size, disk: disk.size() }.into());
        }
        Ok(if disk.size() - size >= UNUSED { Self::Left } else { Self::None })
    }
}

// Volumes grow by whole GiB. ext leaves a last group out that is smaller than its own tables, xfs one
// of less than 64 blocks.
const UNUSED: u64 = 16 << 20;
