//! Unmounting, and whether everything written has reached the disk.

use std::{
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use command::Command;
use disk::{DeviceNumber, mountinfo};
use rustix::fs::OFlags;

use crate::{
    Entry, Error, Mounter, busy,
    mounting::{LIMIT, describe},
    places, real, said,
};

/// What was unmounted, and what became of the data.
#[derive(Debug)]
pub struct Unmounted {
    /// the device that had been mounted; `None` if there was nothing to do
    pub device: Option<DeviceNumber>,
    /// set if the disk did not take all writes; said only once, so pass it on
    pub data_loss: Option<DataLoss>,
}

/// The device did not take everything that had been written to the file system.
///
/// The kernel says so only once: the operator must be told.
#[derive(Debug, thiserror::Error)]
#[error("writes to {} may be lost: the disk did not take them", dir.display())]
pub struct DataLoss {
    /// the mount point
    pub dir: PathBuf,
    /// what the kernel said
    pub source: io::Error,
}

/// A disk that is mounted at a folder, and is to be flushed and unmounted.
#[derive(Debug)]
pub struct Mounted<'a> {
    mounter: &'a Mounter,
    dir: PathBuf,
    device: DeviceNumber,
}

impl Mounted<'_> {
    /// The mount point, free of links.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes everything out and waits for it.
    ///
    /// # Errors
    /// The disk has not taken all of it, or not all that was written before. The kernel says so once: note it, then
    /// unmount.
    pub fn flush(&self) -> Result<(), DataLoss> {
        flushed(&self.dir).map_err(|source| {
            let loss = DataLoss { dir: self.dir.clone(), source };
            log::error!("{loss}: {}", loss.source);
            loss
        })
    }

    /// Whether the kernel counts failed writes of this file system and has counted none. File systems other than
    /// ext do not count.
    pub fn shows_no_failed_write(&self) -> bool {
        self.mounter.counts_no_failure(self.device)
    }

    /// Unmounts it, as often as it is mounted there. `data_loss` is what [`Mounted::flush`] has said.
    ///
    /// Lazy and forced unmounts are never used: they hide a device that is still in use. Whether
    /// the device is free afterwards only [`disk::Disk::claim`] tells, because other mount
    /// namespaces may still have it.
    ///
    /// # Errors
    /// If processes use it, or umount fails.
    pub fn unmount(self, data_loss: Option<DataLoss>) -> Result<Unmounted, Error> {
        match (self.mounter.pop(&self.dir, self.device), data_loss) {
            (Ok(()), data_loss) => {
                let flushed = data_loss.is_none();
                log::info!(dir:% = self.dir.display(), number:% = self.device, flushed; "unmounted");
                Ok(Unmounted { device: Some(self.device), data_loss })
            }
            (Err(error), None) => Err(error),
            (Err(error), Some(loss)) => {
                Err(Error::LostAndMounted { loss, source: Box::new(error) })
            }
        }
    }
}

impl Mounter {
    /// Unmounts the disk that is mounted at `dir`, as often as it is mounted there, after flushing
    /// it. Nothing mounted, or no such folder, is a success. The folder stays.
    ///
    /// For callers that cannot be ended in between: [`Mounted`] has the steps for others.
    ///
    /// # Errors
    /// As [`Mounter::mounted`] and [`Mounted::unmount`].
    pub fn unmount(&self, dir: &Path) -> Result<Unmounted, Error> {
        match self.mounted(dir)? {
            Some(mounted) => {
                let data_loss = mounted.flush().err();
                mounted.unmount(data_loss)
            }
            None => Ok(Unmounted { device: None, data_loss: None }),
        }
    }

    /// The disk that is mounted at `dir`, if it can be unmounted as far as is seen.
    ///
    /// # Errors
    /// If the same disk is mounted at other places too, I/O to its device would hang, or something
    /// else than a disk is mounted there.
    pub fn mounted(&self, dir: &Path) -> Result<Option<Mounted<'_>>, Error> {
        let Some(dir) = real(dir)? else { return Ok(None) };
        let table = self.mounts()?;
        let Some(found) = mountinfo::at(&table, &dir) else {
            // a mount on a folder above may cover one that is still there
            let covered = table.iter().any(|entry| entry.dir == dir && !entry.deleted);
            return if covered { Err(Error::Covered { dir }) } else { Ok(None) };
        };
        let device = found.number;
        if device.major == 0 {
            return Err(Error::NotOnADisk { dir, found: describe(found) });
        }
        let others = table.iter().filter(|entry| entry.number == device && entry.dir != dir);
        // Where kubelet's directory is a bind mount, the mount shows in what is bound as well.
        let others = others.filter(|entry| !mountinfo::is_same_folder(&table, found, entry));
        let places: Vec<_> = others.map(|entry| entry.dir.clone()).collect();
        if !places.is_empty() {
            return Err(Error::StillBound { dir, places });
        }
        if let Some(io_blocked) = self.host.io_blocked(device, &*self.runner)? {
            return Err(Error::Blocked { dir, io_blocked });
        }
        Ok(Some(Mounted { mounter: self, dir, device }))
    }

    /// Unmounts until nothing of `device` is left at `dir`.
    fn pop(&self, dir: &Path, device: DeviceNumber) -> Result<(), Error> {
        let mut table = self.mounts()?;
        while let Some(found) = mountinfo::at(&table, dir) {
            if found.number != device {
                return Err(foreign(dir, device, found));
            }
            let depth = depth(&table, dir, device);
            let output = self.run(&Command::new("umount", LIMIT).arg(dir), dir)?;
            table = self.mounts()?;
            if self::depth(&table, dir, device) >= depth {
                let said = said(&output);
                return Err(if output.success() || !said.contains("busy") {
                    Error::Unmount { dir: dir.to_owned(), code: output.code, said }
                } else {
                    let users = busy::users(&self.host, &table, dir);
                    Error::Busy { dir: dir.to_owned(), users }
                });
            }
        }
        Ok(())
    }
}

/// How many mounts of `device` lie on `dir`.
fn depth(table: &[Entry], dir: &Path, device: DeviceNumber) -> usize {
    places(table, device).iter().filter(|place| *place == dir).count()
}

/// Writes everything out and waits for it. A file system that cannot even be opened has not been
/// flushed.
fn flushed(dir: &Path) -> io::Result<()> {
    #[expect(clippy::cast_possible_wrap, reason = "the bits are what open(2) takes")]
    let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits() as i32;
    let folder = File::options().read(true).custom_flags(flags).open(dir)?;
    Ok(rustix::fs::syncfs(folder)?)
}

fn foreign(dir: &Path, device: DeviceNumber, found: &Entry) -> Error {
    let dir: PathBuf = dir.to_owned();
    Error::Occupied { dir, found: describe(found), wanted: format!("device {device}") }
}
