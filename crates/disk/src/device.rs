//! The pinned device: opened once, the same to the end.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom},
    iter,
    os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clock::Clock;
use rustix::fs::{Advice, OFlags};

use crate::{DeviceNumber, Error, Host, Identity, User, host, identity, sysfs::Sysfs, users};

/// A block device, held open read-only for as long as the value (or a clone of it) lives.
#[derive(Clone, Debug)]
pub struct Disk {
    path: PathBuf,
    number: DeviceNumber,
    size: u64,
    read_only: bool,
    sysfs: Sysfs,
    host: Host,
    pin: Arc<File>,
}

/// How a claim opens the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// for a read-only mount
    Read,
    /// for everything else; fails if the device refuses writes
    Write,
}

/// The device, opened exclusively: while this lives nothing else can mount, check or format it.
#[derive(Debug)]
pub struct Claim {
    _file: File,
}

impl Disk {
    /// Opens `device`, which may be a symbolic link, and pins what it leads to.
    ///
    /// # Errors
    /// If it is no block device, if the kernel does not run it or gives it no size, or if sysfs
    /// and the device disagree about what it is.
    pub fn open(device: &Path, host: &Host) -> Result<Self, Error> {
        let path = fs::canonicalize(device)
            .map_err(|source| Error::Open { path: device.to_owned(), source })?;
        let number = number_at(&path)?;
        let sysfs = Sysfs::of(number, host);
        ready(&path, &sysfs)?;

        let pin = File::open(&path).map_err(|source| Error::Open { path: path.clone(), source })?;
        same_number(&path, number, number_of(&path, &pin)?)?;
        same_number(&path, number, sysfs.number()?)?;
        let size = end(&path, &pin)?;
        if size == 0 {
            return Err(Error::NoSize { path });
        }
        let read_only = sysfs.is_read_only()?;
        let host = host.clone();
        let disk = Self { path, number, size, read_only, sysfs, host, pin: Arc::new(pin) };
        disk.confirm()?;
        Ok(disk)
    }

    /// The canonical path, free of links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number that the kernel keeps for this disk as long as it is pinned.
    pub fn number(&self) -> DeviceNumber {
        self.number
    }

    /// The size in bytes, as it was when the disk was opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the device itself refuses writes.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// What names this disk among all others, as far as the kernel remembers it.
    pub fn identity(&self) -> Identity {
        identity::read(&self.sysfs, &self.host)
    }

    /// All users of the disk or a partition of it that can be found.
    ///
    /// Finding none proves nothing: mounts can hide in a namespace whose processes have gone,
    /// and lazy unmounts show nowhere. Only [`Disk::claim`] is proof.
    ///
    /// # Errors
    /// If sysfs does not read. What cannot be read of other processes is passed over.
    pub fn users(&self) -> Result<Vec<User>, Error> {
        users::find(&self.path, self.number, &self.sysfs, &self.host)
    }

    /// Opens the device exclusively (`O_EXCL`), which succeeds only if nothing is mounted from it
    /// in any namespace and nothing is built on it.
    ///
    /// A second claim fails while the first one lives, in the same process too.
    ///
    /// # Errors
    /// [`Error::InUse`] names the users that are found.
    pub fn claim(&self, access: Access) -> Result<Claim, Error> {
        let opened = File::options()
            .read(true)
            .write(access == Access::Write)
            .custom_flags(flag(OFlags::EXCL))
            .open(&self.path);
        match opened {
            Ok(file) => {
                same_number(&self.path, self.number, number_of(&self.path, &file)?)?;
                Ok(Claim { _file: file })
            }
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                Err(in_use(&self.path, self.users().unwrap_or_default(), &self.host))
            }
            Err(source) => Err(Error::Open { path: self.path.clone(), source }),
        }
    }

    /// As [`Disk::claim`], but retries for some seconds while a dying mount namespace still holds the device: it
    /// ends a moment after its last process, and its mounts with it.
    ///
    /// # Errors
    /// As [`Disk::claim`].
    pub fn claim_soon(&self, access: Access, clock: &dyn Clock) -> Result<Claim, Error> {
        let waits =
            iter::successors(Some(CLAIM_RETRY_DELAY), |wait| Some(*wait * 2)).take(CLAIM_RETRIES);
        let claimed = clock::poll(clock, waits, || match self.claim(access) {
            Err(error) if error.is_in_use() => Ok(None),
            claimed => claimed.map(Some),
        })?;
        claimed.map_or_else(|| self.claim(access), Ok)
    }

    /// Whether there is nothing at `path`. A path that cannot be looked at may lead to a disk.
    pub fn is_absent(path: &Path) -> bool {
        matches!(path.try_exists(), Ok(false))
    }

    /// Proves that the disk at `path` is not in use at this moment, also if the kernel has given it up; may be
    /// repeated.
    ///
    /// # Errors
    /// [`Error::InUse`]; [`Error::NotRunning`] while it cannot be told; those of [`Disk::open`].
    pub fn prove_unused(path: &Path, host: &Host) -> Result<(), Error> {
        match Self::open(path, host).and_then(|disk| disk.claim(Access::Read)) {
            Err(Error::NotRunning { state, .. }) if host::is_given_up(&state) => {
                Self::prove_abandoned(path, DeviceNumber::at(path)?, host)
            }
            claimed => claimed.map(drop),
        }
    }

    /// Proves that a disk that the kernel has given up (`transport-offline`) is not in use: it cannot be opened any
    /// more, and so not be claimed afterwards.
    ///
    /// The kernel looks for other claims before it asks the disk (`blkdev_get_by_dev`): an exclusive open fails
    /// with EBUSY while the disk is in use, and with ENXIO when it is not.
    ///
    /// # Errors
    /// [`Error::InUse`], `path` is not device `number`, or the disk has come back.
    pub fn prove_abandoned(path: &Path, number: DeviceNumber, host: &Host) -> Result<(), Error> {
        let path = &fs::canonicalize(path)
            .map_err(|source| Error::Open { path: path.to_owned(), source })?;
        same_number(path, number, number_at(path)?)?;
        match File::options().read(true).custom_flags(flag(OFlags::EXCL)).open(path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                let users = users::find(path, number, &Sysfs::of(number, host), host);
                Err(in_use(path, users.unwrap_or_default(), host))
            }
            Err(error) if error.raw_os_error() != Some(ENXIO) => {
                Err(Error::Open { path: path.to_owned(), source: error })
            }
            Err(_) => Ok(()),
            Ok(_) => {
                let (was, now) = ("given up by the kernel".into(), "it can be opened".into());
                Err(Error::Changed { path: path.clone(), was, now })
            }
        }
    }

    /// Checks that the path still leads to the pinned device, that its size is what it was, and
    /// that the kernel runs it. Cheap; call it before every step that matters.
    ///
    /// # Errors
    /// [`Error::Changed`] and those of [`Disk::open`].
    pub fn confirm(&self) -> Result<(), Error> {
        same_number(&self.path, self.number, number_at(&self.path)?)?;
        same_number(&self.path, self.number, self.sysfs.number()?)?;
        ready(&self.path, &self.sysfs)?;
        for now in [self.sysfs.size()?, end(&self.path, &self.pin)?] {
            if now != self.size {
                let (was, now) = (format!("{} bytes", self.size), format!("{now} bytes"));
                return Err(Error::Changed { path: self.path.clone(), was, now });
            }
        }
        Ok(())
    }

    /// Waits until everything written to the device through the page cache is on it, and drops
    /// its cached pages.
    ///
    /// # Errors
    /// If the device did not take what was written.
    pub fn flush(&self) -> Result<(), Error> {
        let flushed = self.pin.sync_all().and_then(|()| {
            rustix::fs::fadvise(&self.pin, 0, None, Advice::DontNeed).map_err(io::Error::from)
        });
        flushed.map_err(|source| Error::Flush { path: self.path.clone(), source })
    }

    /// Fills `bytes` from `offset` through the page cache, which knows what this host has written.
    pub(crate) fn read_cached(&self, bytes: &mut [u8], offset: u64) -> Result<(), Error> {
        let read = self.pin.read_exact_at(bytes, offset);
        read.map_err(|source| Error::Read { path: self.path.clone(), offset, source })
    }

    /// Where the kernel shows the disk.
    pub fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn sysfs(&self) -> &Sysfs {
        &self.sysfs
    }

    pub(crate) fn confirm_runs(&self) -> Result<(), Error> {
        ready(&self.path, &self.sysfs)
    }

    pub(crate) fn is_partition(&self) -> Result<bool, Error> {
        self.sysfs.is_partition()
    }

    /// Opens the device once more, with more flags, and makes sure it is the same.
    pub(crate) fn reopen(&self, flags: OFlags) -> Result<io::Result<File>, Error> {
        match File::options().read(true).custom_flags(flag(flags)).open(&self.path) {
            Ok(file) => {
                same_number(&self.path, self.number, number_of(&self.path, &file)?)?;
                Ok(Ok(file))
            }
            Err(error) => Ok(Err(error)),
        }
    }
}

/// The disk is claimed; where no user is found, perhaps by an open file of what was unmounted lazily.
fn in_use(path: &Path, mut users: Vec<User>, host: &Host) -> Error {
    if users.is_empty() {
        users = users::of_unmounted(host);
    }
    for user in &users {
        log::info!(disk:% = path.display(), pid = user.process(), user:%; "the disk is in use");
    }
    Error::InUse { path: path.to_owned(), users }
}

/// The kernel must run the device before it is touched: I/O to a blocked one never returns.
fn ready(path: &Path, sysfs: &Sysfs) -> Result<(), Error> {
    match sysfs.state()? {
        Some(state) if state != "running" => {
            Err(Error::NotRunning { path: path.to_owned(), state })
        }
        _ => Ok(()),
    }
}

pub(crate) fn number_at(path: &Path) -> Result<DeviceNumber, Error> {
    block_number(path, fs::metadata(path))
}

fn number_of(path: &Path, file: &File) -> Result<DeviceNumber, Error> {
    block_number(path, file.metadata())
}

fn block_number(path: &Path, found: io::Result<fs::Metadata>) -> Result<DeviceNumber, Error> {
    let found = found.map_err(|source| Error::Open { path: path.to_owned(), source })?;
    if !found.file_type().is_block_device() {
        return Err(Error::NotABlockDevice { path: path.to_owned() });
    }
    Ok(DeviceNumber::from_raw(found.rdev()))
}

fn same_number(path: &Path, was: DeviceNumber, now: DeviceNumber) -> Result<(), Error> {
    if was == now { Ok(()) } else { Err(Error::renumbered(path.to_owned(), was, now)) }
}

fn end(path: &Path, mut file: &File) -> Result<u64, Error> {
    file.seek(SeekFrom::End(0)).map_err(|source| Error::Open { path: path.to_owned(), source })
}

/// Each wait is twice as long as the one before: some 3 seconds together.
const CLAIM_RETRY_DELAY: Duration = Duration::from_millis(50);
const CLAIM_RETRIES: usize = 6;
/// No such device or address: the disk cannot be opened.
const ENXIO: i32 = 6;

#[expect(clippy::cast_possible_wrap, reason = "the bits are what open(2) takes")]
fn flag(flags: OFlags) -> i32 {
    flags.bits() as i32
}
