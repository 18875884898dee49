//! Asking the kernel to look at a disk anew.

use std::{fs::File, io, io::Write};

use crate::{Disk, Error};

impl Disk {
    /// The same disk, opened again after the kernel has read its size and identity anew. It does not
    /// do so by itself when a volume has grown. May be repeated; disks that are no SCSI disks know
    /// their size.
    ///
    /// # Errors
    /// Those of [`Disk::open`]; [`Error::Changed`] if another disk is found in its place.
    pub fn rescan(&self) -> Result<Self, Error> {
        // On a device that does not run, the kernel would wait.
        self.confirm_runs()?;
        let file = self.sysfs().file("device/rescan");
        let opened = File::options().write(true).open(&file);
        match opened.and_then(|mut file| file.write_all(b"1")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.confirm().is_ok() => {
                return Ok(self.clone());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Rescan { path: self.path().to_owned(), source }),
            Ok(()) => log::debug!("wrote 1 to {}", file.display()),
        }
        let again = Self::open(self.path(), self.host())?;
        if again.number() != self.number() {
            let path = self.path().to_owned();
            return Err(Error::renumbered(path, self.number(), again.number()));
        }
        Ok(again)
    }
}
