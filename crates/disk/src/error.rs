//! What can be wrong with a disk.

use std::{io, path::PathBuf};

use command::shortened;
use rustix::io::Errno;

use crate::{DeviceNumber, Disk, User};

/// Why something could not be learnt of a disk, or why it must not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path does not exist or does not open.
    #[error("cannot open {}", path.display())]
    Open {
        /// what was to be opened
        path: PathBuf,
        /// what the kernel said
        source: io::Error,
    },

    /// The path is a file, a directory, a character device.
    #[error("{} is not a block device", path.display())]
    NotABlockDevice {
        /// what was to be opened
        path: PathBuf,
    },

    /// A file of sysfs, proc or udev does not read, or makes no sense.
    #[error("cannot read {}", file.display())]
    Host {
        /// the file
        file: PathBuf,
        /// what the kernel said
        source: io::Error,
    },

    /// The SCSI layer does not run the device: touching it now could hang without end.
    #[error("{} is not ready: the kernel says {state:?}", path.display())]
    NotRunning {
        /// the device
        path: PathBuf,
        /// `blocked`, `offline`, `transport-offline`, …
        state: String,
    },

    /// The device has no size (yet).
    #[error("{} is not ready: its size is 0", path.display())]
    NoSize {
        /// the device
        path: PathBuf,
    },

    /// The device is no longer the one that was opened.
    #[error("{} changed under the call: {was} before, {now} now", path.display())]
    Changed {
        /// the device
        path: PathBuf,
        /// as it was opened
        was: String,
        /// as it is
        now: String,
    },

    /// The device is in use: mounted, below another device, or opened exclusively.
    #[error("{} is in use{}", path.display(), by(users))]
    InUse {
        /// the device
        path: PathBuf,
        /// those that were found, perhaps none: another mount namespace can hide its mounts
        users: Vec<User>,
    },

    /// A read failed.
    #[error(
        "cannot read {} at offset {offset}: what it holds is not known, so it is not formatted",
        path.display()
    )]
    Read {
        /// the device
        path: PathBuf,
        /// where, in bytes
        offset: u64,
        /// what the kernel said; a short read is an `UnexpectedEof`
        source: io::Error,
    },

    /// The kernel does not look at the disk anew.
    #[error("cannot have the kernel read the size of {} again", path.display())]
    Rescan {
        /// the device
        path: PathBuf,
        /// what the kernel said
        source: io::Error,
    },

    /// What was written may not be on the disk.
    #[error("cannot flush {}: what was written to it may be lost", path.display())]
    Flush {
        /// the device
        path: PathBuf,
        /// what the kernel said
        source: io::Error,
    },

    /// The device refuses writes.
    #[error("{} is read-only: it cannot be formatted", path.display())]
    ReadOnly {
        /// the device
        path: PathBuf,
    },

    /// Only whole disks are formatted.
    #[error("{} is a partition: only whole disks are formatted", path.display())]
    Partition {
        /// the device
        path: PathBuf,
    },

    /// Some probe finds something on the disk.
    #[error(
        "{} is not blank and is not formatted: {what} (if nothing on it is needed, overwrite it \
         with zeros)",
        path.display()
    )]
    NotBlank {
        /// the device
        path: PathBuf,
        /// who sees what and where
        what: String,
    },

    /// Something lies behind a file system that is to grow.
    #[error(
        "{} holds data of unknown kind at offset {offset}, behind the end of its file system at {start}",
        path.display()
    )]
    TailNotBlank {
        /// the device
        path: PathBuf,
        /// where the file system ends, in bytes
        start: u64,
        /// where the data is, in bytes
        offset: u64,
    },

    /// The disk carries the right UUID, but it is more than the leftovers of a broken-off mkfs.
    #[error("{} is not formatted again: {what}", path.display())]
    NotUnfinished {
        /// the device
        path: PathBuf,
        /// why
        what: String,
    },

    /// A probing program did not run.
    #[error("cannot probe {} with {program}", path.display())]
    Program {
        /// the device
        path: PathBuf,
        /// the program
        program: &'static str,
        /// how it failed, with the package to install
        source: command::Error,
    },

    /// A probing program ended in a way that is no answer.
    #[error(
        "{program} gave no answer about {}: exit code {code}, {said:?}: it is not formatted",
        path.display()
    )]
    NoAnswer {
        /// the device
        path: PathBuf,
        /// the program
        program: &'static str,
        /// its exit code
        code: i32,
        /// what it printed
        said: String,
    },

    /// The mount table changed so fast that no two readings were alike.
    #[error("{} changed at every reading", file.display())]
    Unstable {
        /// the table
        file: PathBuf,
    },
}

impl Error {
    /// Whether the disk is in use: waiting, or stopping the user, may help.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse { .. })
    }

    /// Whether the disk holds something: only an operator can decide about that.
    pub fn is_not_blank(&self) -> bool {
        matches!(
            self,
            Self::NotBlank { .. } | Self::NotUnfinished { .. } | Self::TailNotBlank { .. }
        )
    }

    /// Whether the device is there but not usable yet (or any more).
    pub fn is_not_ready(&self) -> bool {
        matches!(self, Self::NotRunning { .. } | Self::NoSize { .. })
    }

    /// Whether there is no such device any more: no node, or none that the kernel has a driver for.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Open { source, .. }
            if GONE.iter().any(|errno| source.raw_os_error() == Some(errno.raw_os_error())))
    }

    /// `program` ended in a way that answers nothing.
    pub(crate) fn no_answer(disk: &Disk, program: &'static str, output: &command::Output) -> Self {
        let said = shortened(&[&*output.stdout, &*output.stderr].join(" "), SHOWN);
        Self::NoAnswer { path: disk.path().to_owned(), program, code: output.code, said }
    }

    /// The number in the device's place is another one.
    pub(crate) fn renumbered(path: PathBuf, was: DeviceNumber, now: DeviceNumber) -> Self {
        Self::Changed { path, was: format!("device {was}"), now: format!("device {now}") }
    }
}

fn by(users: &[User]) -> String {
    if users.is_empty() {
        return ", by something that does not show (another mount namespace, a lazy unmount, \
                a process)"
            .to_owned();
    }
    let mut users: Vec<_> = users.iter().map(User::to_string).collect();
    users.dedup();
    format!(": {}", users.join(", "))
}

const GONE: [Errno; 3] = [Errno::NOENT, Errno::NXIO, Errno::NODEV];
/// Characters of a program's words that go into a message.
const SHOWN: usize = 300;
