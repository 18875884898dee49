//! File systems on disks: check, format, mount, grow, unmount.
//!
//! What is mounted where is never remembered and never concluded from an exit code: it is read
//! from the mount table before and after every step. Every verb may be called again; what is
//! already so is a success.
//!
//! [`Mounter::format`] is the only place of the workspace that can destroy data. It takes a
//! [`disk::Blank`] by value, the proof that there is nothing to destroy.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use clock::Clock;
use command::{Command, Output, Runner, shortened};
use disk::{
    DeviceNumber, Host,
    mountinfo::{self, MountTable},
};

mod busy;
mod check;
mod error;
mod failed;
mod format;
mod fs_type;
mod grow;
mod mounting;
mod options;
mod remount;
mod unmounting;

pub use disk::mountinfo::Entry;
pub use error::Error;
pub use fs_type::{FsType, UnknownFsType};
pub use grow::{Growable, Growth};
pub use mounting::{Outcome, Request};
pub use options::{MountOptions, OptionError};
pub use unmounting::{DataLoss, Mounted, Unmounted};

/// Everything that is done with file systems, in the mount namespace of this process.
#[derive(Clone, Debug)]
pub struct Mounter {
    runner: Arc<dyn Runner>,
    clock: Arc<dyn Clock>,
    host: Host,
    mounts: Arc<MountTable>,
}

impl Mounter {
    /// Touches nothing yet.
    pub fn new(runner: Arc<dyn Runner>, clock: Arc<dyn Clock>, host: Host) -> Self {
        let mounts = Arc::new(host.mount_table());
        Self { runner, clock, host, mounts }
    }

    /// Every mount in this mount namespace.
    ///
    /// # Errors
    /// If the mount table does not read.
    pub fn mounts(&self) -> Result<Arc<[Entry]>, Error> {
        Ok(self.mounts.entries()?)
    }

    /// What is mounted at `dir`: of several mounts the topmost. The folder itself is not touched,
    /// so a dead file system does no harm.
    ///
    /// # Errors
    /// If `dir` is not absolute, or the mount table does not read.
    pub fn at(&self, dir: &Path) -> Result<Option<Entry>, Error> {
        Ok(at(&self.mounts()?, dir)?.cloned())
    }

    /// Every mount of the device in this mount namespace, bind mounts included.
    ///
    /// # Errors
    /// If the mount table does not read.
    pub fn places(&self, device: DeviceNumber) -> Result<Vec<Entry>, Error> {
        let mounts = self.mounts()?;
        Ok(mounts.iter().filter(|entry| entry.number == device).cloned().collect())
    }

    /// Runs `command`, which works on `path`.
    fn run(&self, command: &Command, path: &Path) -> Result<Output, Error> {
        self.runner.run(command).map_err(|source| Error::Program {
            program: command.program(),
            path: path.to_owned(),
            source,
        })
    }
}

/// What is mounted at `dir` by `table`.
fn at<'a>(table: &'a [Entry], dir: &Path) -> Result<Option<&'a Entry>, Error> {
    Ok(real(dir)?.and_then(|dir| mountinfo::at(table, &dir)))
}

/// Where `device` is mounted by `table`.
fn places(table: &[Entry], device: DeviceNumber) -> Vec<PathBuf> {
    table.iter().filter(|entry| entry.number == device).map(|entry| entry.dir.clone()).collect()
}

/// `dir` as the mount table writes it: links resolved, except that the last part is not looked at.
/// `None` if there is no such folder to look into.
fn real(dir: &Path) -> Result<Option<PathBuf>, Error> {
    if !dir.is_absolute() {
        return Err(Error::NotAPlace { dir: dir.to_owned() });
    }
    let (parent, name) = match (dir.parent(), dir.file_name()) {
        (Some(parent), Some(name)) => (parent, name),
        (None, _) => return Ok(Some(dir.to_owned())),
        (Some(_), None) => return Err(Error::NotAPlace { dir: dir.to_owned() }),
    };
    match fs::canonicalize(parent) {
        Ok(parent) => Ok(Some(parent.join(name))),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        // a dead file system above: the path itself is the best there is
        Err(_) => Ok(Some(dir.to_owned())),
    }
}

/// What a program said, on one line.
pub(crate) fn said(output: &Output) -> String {
    shortened(&[&*output.stdout, &*output.stderr].join(" "), SHOWN)
}

/// Characters of a program's words that go into a message.
const SHOWN: usize = 500;
