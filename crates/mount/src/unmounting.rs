//! Unmounting, with a word on whether everything written has reached the disk.

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
/// The kernel says so only once: whoever gets this value must tell the operator.
#[derive(Debug, thiserror::Error)]
#[error("writes to {} may be lost: the disk did not take them", dir.display())]
pub struct DataLoss {
    /// the mount point
    pub dir: PathBuf,
    /// what the kernel said
    pub source: io::Error,
}

impl Mounter {
    /// Unmounts the disk that is mounted at `dir`, as often as it is mounted there, after flushing
    /// it. Nothing mounted, or no such folder, is a success. The folder stays.
    ///
    /// Lazy and forced unmounts are never used: they hide a device that is still in use. Whether
    /// the device is free afterwards only [`disk::Disk::claim`] tells, because other mount
    /// namespaces may still have it.
    ///
    /// # Errors
    /// If the same disk is mounted at other places too, processes use it, I/O to its device would
    /// hang, or something else than a disk is mounted there.
    pub fn unmount(&self, dir: &Path) -> Result<Unmounted, Error> {
        let nothing = Unmounted { device: None, data_loss: None };
        let Some(dir) = real(dir)? else { return Ok(nothing) };
        let table = self.mounts()?;
        let Some(found) = mountinfo::at(&table, &dir) else {
            // a mount on a folder above may cover one that is still there
            let covered = table.iter().any(|entry| entry.dir == dir && !entry.deleted);
            return if covered { Err(Error::Covered { dir }) } else { Ok(nothing) };
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
        if let Some(stall) = self.host.stall(device, &*self.runner)? {
            return Err(Error::Blocked { dir, stall });
        }
        let data_loss = flushed(&dir).err().map(|source| DataLoss { dir: dir.clone(), source });
        if let Some(loss) = &data_loss {
            log::error!("{loss}: {}", loss.source);
        }
        match (self.pop(&dir, device), data_loss) {
            (Ok(()), data_loss) => Ok(Unmounted { device: Some(device), data_loss }),
            (Err(error), None) => Err(error),
            (Err(error), Some(loss)) => {
                Err(Error::LostAndMounted { loss, source: Box::new(error) })
            }
        }
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
