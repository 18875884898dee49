//! Whether a mounted file system still works: the mount table goes on saying `rw` when it does not.

use std::{fs, io, path::Path};

use disk::{DeviceNumber, Disk, mountinfo::Entry};

use crate::{Error, Mounter, Request};

impl Mounter {
    /// Refuses a file system that has met errors since it was mounted, such as a disk that was away for
    /// longer than I/O waits. Who was told that it is mounted would write into nothing.
    pub(crate) fn refuse_failed(&self, request: &Request<'_>, found: &Entry) -> Result<(), Error> {
        let disk = request.disk;
        // The count is kept on the disk until a check, and what is only read is not checked.
        let counted = self.errors(found.number).filter(|_| !request.is_read_only());
        let failure = match counted {
            Some(count) => Some(format!("it has counted {count} errors")),
            // XFS counts none, but shuts down.
            None => fs::metadata(&found.dir).err().map(|error| error.to_string()),
        };
        let Some(failure) = failure.or_else(|| aborted(disk, found)) else { return Ok(()) };
        Err(Error::Failed { path: disk.path().to_owned(), dir: found.dir.clone(), failure })
    }

    /// Whether the mounted file system is an ext that has counted neither errors nor warnings. A write of data that
    /// fails is a warning (`ext4_end_bio` of the kernel's fs/ext4/page-io.c).
    pub(crate) fn counts_no_failure(&self, number: DeviceNumber) -> bool {
        ["errors_count", "warning_count"].iter().all(|name| self.count(number, name) == Some(0))
    }

    /// The errors that a mounted ext file system has counted.
    fn errors(&self, number: DeviceNumber) -> Option<u64> {
        self.count(number, "errors_count").filter(|count| *count > 0)
    }

    /// A counter of a mounted ext file system (Documentation/ABI/testing/sysfs-fs-ext4).
    fn count(&self, number: DeviceNumber, name: &str) -> Option<u64> {
        let sysfs = &self.host.sysfs;
        let device = fs::canonicalize(sysfs.join(format!("dev/block/{number}"))).ok()?;
        read(&sysfs.join("fs/ext4").join(device.file_name()?).join(name))
    }
}

/// An aborted journal, which the kernel counts as an error only when the next one wants to write. One
/// that is mounted read-only may be older than its mount.
fn aborted(disk: &Disk, found: &Entry) -> Option<String> {
    if !matches!(&*found.fs_type, "ext3" | "ext4") || found.is_read_only_everywhere() {
        return None;
    }
    match disk.aborted_journal() {
        Ok(errno) => {
            let error = io::Error::from_raw_os_error(errno?.wrapping_neg());
            Some(format!("its journal was aborted: {error}"))
        }
        Err(error) => Some(error.to_string()),
    }
}

fn read(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
