//! Files that only the driver's user can change: records of volumes, notes and locks.
//!
//! A user who can put a link or a file into these directories decides what the driver overwrites and
//! what it believes. So a directory or file that another user owns or can write to is not used, links are not
//! followed, and what is no regular file is not opened for long (a FIFO would hang).

use std::{
    fs::{DirBuilder, File, Metadata},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat},
    process::geteuid,
};

/// A directory below the driver's state or run directory, held open.
#[derive(Debug)]
pub(crate) struct PrivateDir {
    path: PathBuf,
    fd: OwnedFd,
}

/// How long a written file lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// It outlives a loss of power: file and directory are synced.
    Durable,
    /// It is needed until the next reboot only.
    UntilReboot,
}

impl PrivateDir {
    /// The directory `name` in `base`, both made if they are missing.
    ///
    /// # Errors
    /// One of them cannot be made or opened, or is not the driver's user's alone.
    pub(crate) fn make(base: &Path, name: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(base).or_else(expect_exists)?;
        let parent = open_base(base)?;
        match mkdirat(&parent, name, Mode::RWXU) {
            // The record in it is no more durable than it is.
            Ok(()) => rustix::fs::fsync(&parent)?,
            Err(error) => expect_exists(error.into())?,
        }
        Self::within(&parent, base, name)
    }

    /// The directory `name` in `base`, unless one of them is missing.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub(crate) fn existing(base: &Path, name: &str) -> io::Result<Option<Self>> {
        let opened = open_base(base).and_then(|parent| Self::within(&parent, base, name));
        match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// What the file holds.
    ///
    /// # Errors
    /// It is missing, does not read, is too long, or is not a file of the driver's user.
    pub(crate) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(name, OFlags::RDONLY)?.take(LONGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Replaces the file as a whole: a reader finds the old one or the new one, also after a kill.
    ///
    /// # Errors
    /// It cannot be written, or not be made as lasting.
    pub(crate) fn write(&self, name: &str, bytes: &[u8], lasting: Lasting) -> io::Result<()> {
        let draft = format!(".{name}.new");
        self.remove(&draft)?;
        let written = self.write_draft(&draft, bytes, lasting);
        let written = written.and_then(|()| Ok(renameat(&self.fd, &draft, &self.fd, name)?));
        if written.is_err() {
            let _ = self.remove(&draft);
        }
        written.and_then(|()| self.sync(lasting))
    }

    fn write_draft(&self, draft: &str, bytes: &[u8], lasting: Lasting) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = self.open(draft, flags)?;
        file.write_all(bytes)?;
        if lasting == Lasting::Durable { file.sync_all() } else { Ok(()) }
    }

    fn sync(&self, lasting: Lasting) -> io::Result<()> {
        if lasting == Lasting::Durable { Ok(rustix::fs::fsync(&self.fd)?) } else { Ok(()) }
    }

    /// Opens the file for reading and writing, and makes it if it is missing.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn open_or_make(&self, name: &str) -> io::Result<File> {
        self.open(name, OFlags::RDWR | OFlags::CREATE)
    }

    /// Opens a file that is there.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn open_existing(&self, name: &str) -> io::Result<File> {
        self.open(name, OFlags::RDWR)
    }

    /// Whether there is anything of that name, a link or a FIFO too.
    pub(crate) fn has(&self, name: &str) -> bool {
        statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Renames a file, over one that may be there.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.fd, name, &self.fd, to)?)
    }

    /// Removes the file; a missing one is a success.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.fd, name, AtFlags::empty()).map_err(io::Error::from) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The names of what is in it, in order, without drafts.
    ///
    /// # Errors
    /// It does not read.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = entry.file_name().to_str().ok().filter(|name| !name.starts_with('.'));
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    fn within(parent: &OwnedFd, base: &Path, name: &str) -> io::Result<Self> {
        let path = base.join(name);
        let fd = open_dir(parent, Path::new(name), &path)?;
        check(&path, &File::from(fd.try_clone()?).metadata()?, Shared::Never)?;
        Ok(Self { path, fd })
    }

    fn open(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let path = self.path.join(name);
        // Nothing is waited for: neither for the other end of a FIFO nor for a terminal.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(&self.fd, name, flags, PRIVATE) {
            Ok(fd) => File::from(fd),
            Err(error) => return Err(explained(&self.fd, Path::new(name), &path, error.into())),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            let kind = FileType::from_raw_mode(metadata.mode());
            return Err(unusable(&path, &format!("is {}", describe(kind)), MOVE));
        }
        check(&path, &metadata, Shared::Never)?;
        Ok(file)
    }
}

/// Whether others may make files of their own in a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shared {
    Never,
    /// As in `/tmp`: what is not theirs they can neither rename nor remove. A container's memory volume is like that.
    IfSticky,
}

fn open_base(base: &Path) -> io::Result<OwnedFd> {
    let fd = open_dir(&CWD, base, base)?;
    check(base, &File::from(fd.try_clone()?).metadata()?, Shared::IfSticky)?;
    Ok(fd)
}

fn open_dir(at: &impl AsFd, name: &Path, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    openat(at, name, flags, Mode::empty()).map_err(|error| explained(at, name, path, error.into()))
}

/// Only root and the driver's own user can change it.
fn check(path: &Path, found: &Metadata, shared: Shared) -> io::Result<()> {
    let owner = found.uid();
    if owner != 0 && owner != geteuid().as_raw() {
        return Err(unusable(path, &format!("belongs to user {owner}"), "give it to root"));
    }
    let mode = found.mode() & 0o7777;
    let is_shared = mode & 0o022 != 0;
    let is_sticky = mode & 0o1000 != 0;
    if is_shared && !(is_sticky && shared == Shared::IfSticky) {
        let why = format!("can be written by other users (mode {mode:04o})");
        return Err(unusable(path, &why, "chmod go-w"));
    }
    Ok(())
}

/// The kernel calls a link "too many levels of symbolic links", or "not a directory".
fn explained(at: &impl AsFd, name: &Path, path: &Path, error: io::Error) -> io::Error {
    let Ok(found) = statat(at, name, AtFlags::SYMLINK_NOFOLLOW) else { return error };
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile if error.kind() != io::ErrorKind::NotADirectory => error,
        FileType::Directory if error.kind() != io::ErrorKind::IsADirectory => error,
        kind => unusable(path, &format!("is {}", describe(kind)), MOVE),
    }
}

fn describe(kind: FileType) -> &'static str {
    match kind {
        FileType::Symlink => "a symbolic link",
        FileType::Directory => "a directory",
        FileType::RegularFile => "a file",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "of an unknown kind",
    }
}

fn unusable(path: &Path, why: &str, cure: &str) -> io::Error {
    io::Error::other(format!("{} {why}, so it is not used: {cure}", path.display()))
}

/// Whether it is not the error of a file system, but says that a file or directory is not used because of what it
/// is, or whose.
pub(crate) fn is_unusable(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other
}

fn expect_exists(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
}

/// What to do about an error of a file that is written or read here; begins with "; ", or is empty.
pub(crate) fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => "; make its file system writable",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room on its file system"
        }
        io::ErrorKind::PermissionDenied => {
            "; the driver has to run as root there, and SELinux or AppArmor to let it"
        }
        _ if error.raw_os_error() == Some(EIO) => "; the node's own disk has errors, see dmesg",
        _ => "",
    }
}

const MOVE: &str = "move it away, and the driver makes its own";
const PRIVATE: Mode = Mode::from_bits_truncate(0o600);
/// Far more than any record.
const LONGEST: u64 = 1 << 20;
const EIO: i32 = rustix::io::Errno::IO.raw_os_error();

#[cfg(test)]
mod tests;
