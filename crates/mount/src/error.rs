//! What can be wrong with a file system, its disk, or its place.

use std::{io, path::PathBuf};

use crate::{DataLoss, OptionError};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] disk::Error),

    /// A mount option that this file system does not know.
    #[error(transparent)]
    Option(#[from] OptionError),

    /// The path cannot be a mount point.
    #[error("{} is not an absolute path of a folder", dir.display())]
    NotAPlace {
        /// the path
        dir: PathBuf,
    },

    /// A file or a link is where the mount point should be.
    #[error("{} is {what}, not a folder: nothing is mounted there", dir.display())]
    NotAFolder {
        /// the path
        dir: PathBuf,
        /// `a file`, `a symbolic link`
        what: &'static str,
    },

    /// Something was written below the mount point while nothing was mounted there.
    #[error(
        "{} holds {entries} entries on the node's own disk, which a mount would hide: move them away",
        dir.display()
    )]
    NotEmpty {
        /// the folder
        dir: PathBuf,
        /// how many, counted up to 1000
        entries: usize,
    },

    /// The mount point cannot be made or looked into.
    #[error("cannot use {} as a mount point", dir.display())]
    Folder {
        /// the path
        dir: PathBuf,
        /// what the kernel said
        source: io::Error,
    },

    /// Something else is mounted there.
    #[error("{} is a mount point of {found}, not of {wanted}", dir.display())]
    Occupied {
        /// the mount point
        dir: PathBuf,
        /// what is mounted
        found: String,
        /// what should be
        wanted: String,
    },

    /// The file system is mounted and does not work.
    #[error(
        "the file system of {}, mounted at {}, has failed: {failure}; let the pods that use it end, so that \
         it is unmounted, checked and mounted again",
        path.display(),
        dir.display()
    )]
    Failed {
        /// the disk
        path: PathBuf,
        /// where it is mounted
        dir: PathBuf,
        /// how it shows
        failure: String,
    },

    /// The disk is mounted somewhere else: two owners would not know of each other.
    #[error(
        "{} is already mounted at {}: unmount it there first",
        path.display(),
        list(places)
    )]
    Elsewhere {
        /// the disk
        path: PathBuf,
        /// where
        places: Vec<PathBuf>,
    },

    /// The mount did not give what was asked for, and was undone.
    #[error("mounting {} at {} gave {found}, not {wanted}: it was undone", path.display(), dir.display())]
    Unexpected {
        /// the disk
        path: PathBuf,
        /// the mount point
        dir: PathBuf,
        /// what the mount table shows
        found: String,
        /// what it should show
        wanted: String,
    },

    /// A disk that refuses writes cannot be mounted for writing.
    #[error("{} is read-only: it can only be mounted read-only", path.display())]
    ReadOnlyDisk {
        /// the disk
        path: PathBuf,
    },

    /// A file system that is mounted read-only is not made writable.
    #[error(
        "the file system of {} is mounted read-only at {}, for pods that only read, and cannot be made \
         writable: {why}; let what uses it end, so that it is mounted anew{}",
        path.display(),
        dir.display(),
        if places.is_empty() { String::new() } else { format!(": {}", list(places)) }
    )]
    StaysReadOnly {
        /// the disk
        path: PathBuf,
        /// where it is mounted
        dir: PathBuf,
        /// what keeps it so
        why: String,
        /// where else it is mounted
        places: Vec<PathBuf>,
    },

    /// mount failed.
    #[error("cannot mount {} at {}: exit code {code}: {said}", path.display(), dir.display())]
    Mount {
        /// the disk
        path: PathBuf,
        /// the mount point
        dir: PathBuf,
        /// of mount(8)
        code: i32,
        /// what it said
        said: String,
    },

    /// The file system is damaged; repairing it can lose data, so a person has to decide.
    #[error(
        "the {fs_type} file system on {} needs repair: run `{cure} {}` on this node when it is not \
         mounted; the driver will not, because repairing can lose data: {said}",
        path.display(),
        path.display()
    )]
    NeedsRepair {
        /// the disk
        path: PathBuf,
        /// its file system
        fs_type: String,
        /// the command to run by hand
        cure: &'static str,
        /// what the program said that found it
        said: String,
    },

    /// Two XFS file systems with one UUID cannot be mounted at a time.
    #[error(
        "{} is a copy of {}, which is mounted at {}: both carry the UUID {uuid} (mount option \
         nouuid mounts a copy beside its original)",
        path.display(),
        other.display(),
        dir.display()
    )]
    Twin {
        /// the disk
        path: PathBuf,
        /// the other one
        other: PathBuf,
        /// where that is mounted
        dir: PathBuf,
        /// the UUID of both
        uuid: String,
    },

    /// The check could not be made.
    #[error("e2fsck could not check {}: exit code {code}: {said}", path.display())]
    CheckFailed {
        /// the disk
        path: PathBuf,
        /// of e2fsck(8)
        code: i32,
        /// what it said
        said: String,
    },

    /// The check is too old for the file system, which needs one.
    #[error(
        "e2fsck of this node is too old for the {fs_type} file system on {}, which is not marked clean and so \
         needs a check before it is mounted for writing: install a newer e2fsprogs: {said}",
        path.display()
    )]
    CheckTooOld {
        /// the disk
        path: PathBuf,
        /// its file system
        fs_type: String,
        /// what it said
        said: String,
    },

    /// Not a UUID to format with.
    #[error("{uuid:?} is not a UUID like 01234567-89ab-cdef-0123-456789abcdef")]
    BadUuid {
        /// the text
        uuid: String,
    },

    /// Another process holds the lock on the device node.
    #[error("{} is locked by another process, perhaps udev", path.display())]
    Locked {
        /// the disk
        path: PathBuf,
    },

    /// mkfs failed.
    #[error("{program} failed on {}: exit code {code}: {said}", path.display())]
    Mkfs {
        /// the program
        program: &'static str,
        /// the disk
        path: PathBuf,
        /// its exit code
        code: i32,
        /// what it said
        said: String,
    },

    /// mkfs said that it was done, and it was not so.
    #[error("{program} succeeded on {}, but no sound {fs_type} with UUID {uuid} is there", path.display())]
    NotFormatted {
        /// the program
        program: &'static str,
        /// the disk
        path: PathBuf,
        /// what should be there
        fs_type: &'static str,
        /// what it should carry
        uuid: String,
    },

    /// What is not mounted does not grow.
    #[error("{} is not mounted, so its file system does not grow now", path.display())]
    NotMounted {
        /// the disk
        path: PathBuf,
    },

    /// A file system that nothing makes larger.
    #[error("{} holds {fs_type}, which this driver does not make larger", path.display())]
    NeverGrows {
        /// the disk
        path: PathBuf,
        /// its file system
        fs_type: String,
    },

    /// The file system does not tell how large it is.
    #[error(
        "cannot tell how large the file system on {} is, which is mounted at {}: it is not made larger",
        path.display(), dir.display()
    )]
    SizeUnknown {
        /// the disk
        path: PathBuf,
        /// where it is mounted
        dir: PathBuf,
    },

    /// The program that makes the file system larger failed.
    #[error(
        "{program} did not make the file system on {} larger, which is mounted at {} and as it was: \
         exit code {code}: {said}", path.display(), dir.display()
    )]
    NotGrown {
        /// the program
        program: &'static str,
        /// the disk
        path: PathBuf,
        /// where it is mounted
        dir: PathBuf,
        /// its exit code
        code: i32,
        /// what it said
        said: String,
    },

    /// A program did not run to its end.
    #[error("cannot run {program} on {}", path.display())]
    Program {
        /// the program
        program: &'static str,
        /// what it was to work on
        path: PathBuf,
        /// how it failed, with the package to install
        source: command::Error,
    },

    /// What is mounted there is no disk's file system: it is not unmounted.
    #[error("{} is a mount point of {found}, which is not on a disk: it is left alone", dir.display())]
    NotOnADisk {
        /// the mount point
        dir: PathBuf,
        /// what is mounted
        found: String,
    },

    /// The mount is there, but a later mount on a folder above covers it.
    #[error("the mount at {} is covered by another one above it: unmount that first", dir.display())]
    Covered {
        /// the mount point
        dir: PathBuf,
    },

    /// I/O to the device hangs at present, and so would the unmount.
    #[error("{} is not unmounted now: {io_blocked}", dir.display())]
    Blocked {
        /// the mount point
        dir: PathBuf,
        /// why
        io_blocked: disk::IoBlocked,
    },

    /// The file system is mounted at other places too, by pods.
    #[error("{} is still used: the same disk is also mounted at {}", dir.display(), list(places))]
    StillBound {
        /// the mount point
        dir: PathBuf,
        /// the others
        places: Vec<PathBuf>,
    },

    /// Processes use the file system.
    #[error("{} is busy: {}", dir.display(), if users.is_empty() { "by something that does not show".to_owned() } else { users.join(", ") })]
    Busy {
        /// the mount point
        dir: PathBuf,
        /// processes and nested mounts, as far as they were found
        users: Vec<String>,
    },

    /// umount did not unmount.
    #[error("cannot unmount {}: exit code {code}: {said}", dir.display())]
    Unmount {
        /// the mount point
        dir: PathBuf,
        /// of umount(8)
        code: i32,
        /// what it said
        said: String,
    },

    /// Data was lost, and the file system is still mounted.
    #[error("{loss}; the unmount failed too")]
    LostAndMounted {
        /// what was lost
        loss: DataLoss,
        /// why it is still mounted
        source: Box<Error>,
    },
}

impl Error {
    /// Whether it is in use: a later call may succeed.
    pub fn is_in_use(&self) -> bool {
        match self {
            Self::Disk(error) => error.is_in_use(),
            Self::Busy { .. } | Self::StillBound { .. } | Self::Elsewhere { .. } => true,
            Self::LostAndMounted { source, .. } => source.is_in_use(),
            _ => false,
        }
    }

    /// Whether the file system is damaged: nothing changes until it is repaired.
    pub fn needs_repair(&self) -> bool {
        matches!(self, Self::NeedsRepair { .. })
    }

    /// Whether data may have been lost.
    pub fn is_data_loss(&self) -> bool {
        matches!(self, Self::LostAndMounted { .. })
    }
}

fn list(places: &[PathBuf]) -> String {
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}
