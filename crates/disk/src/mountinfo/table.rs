//! Reading a mount table, and knowing when to read it again.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Entry, parse};
use crate::Error;

/// A mount table that is read when it is asked for, and again only when something has been mounted or
/// unmounted since.
///
/// The kernel does not tell when it has made a file system read-only by itself, after an error; who wants to know
/// that of a mount it has seen before takes a new value.
#[derive(Debug)]
pub struct MountTable {
    file: PathBuf,
    reading: Mutex<Option<Reading>>,
}

/// What was read, and the open file, which knows whether it still holds.
#[derive(Debug)]
struct Reading {
    table: File,
    entries: Arc<[Entry]>,
}

impl MountTable {
    /// Touches nothing yet. `file` is some `/proc/PID/mountinfo`.
    pub fn new(file: PathBuf) -> Self {
        Self { file, reading: Mutex::default() }
    }

    /// Every mount. It is read again and again until nothing was mounted or unmounted meanwhile.
    ///
    /// # Errors
    /// If it does not read, does not parse, or never stands still.
    pub fn entries(&self) -> Result<Arc<[Entry]>, Error> {
        let mut kept = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = kept.take()
            && !self.has_changed(&reading.table)?
        {
            return Ok(Arc::clone(&kept.insert(reading).entries));
        }
        // The kernel does not tell the size beforehand, and guessing costs a call for every few bytes.
        let mut text = Vec::with_capacity(TABLE);
        for _ in 0..READINGS {
            text.clear();
            let mut table = File::open(&self.file).map_err(|error| self.failed(error))?;
            table.read_to_end(&mut text).map_err(|error| self.failed(error))?;
            if !self.has_changed(&table)? {
                let entries = parse(&text).map_err(|error| {
                    self.failed(io::Error::new(io::ErrorKind::InvalidData, error))
                })?;
                let reading = Reading { table, entries: entries.into() };
                return Ok(Arc::clone(&kept.insert(reading).entries));
            }
        }
        Err(Error::Unstable { file: self.file.clone() })
    }

    /// Whether the mount namespace has changed since `table` was opened, or this was last asked: the kernel
    /// shows it as urgent data (proc(5), "Monitoring mountpoint changes").
    fn has_changed(&self, table: &File) -> Result<bool, Error> {
        let mut events = [PollFd::new(table, PollFlags::PRI)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::io::retry_on_intr(|| poll(&mut events, Some(&at_once)))
            .map_err(|errno| self.failed(errno.into()))?;
        Ok(events.iter().any(|event| event.revents().contains(PollFlags::PRI)))
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Host { file: self.file.clone(), source }
    }
}

/// A busy node mounts some ten times a second; a reading takes well under a millisecond.
const READINGS: usize = 50;
/// Bytes of a usual table.
const TABLE: usize = 64 << 10;
