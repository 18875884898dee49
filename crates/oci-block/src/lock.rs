//! One operation per volume and host: a file lock that dies with its holders.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    iter,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use clock::Clock;
use rustix::io::{FdFlags, fcntl_setfd};

use crate::private_dir::{PrivateDir, cure};

/// A held lock; released when the last holder of its file is gone.
#[derive(Debug)]
pub(crate) struct VolumeLock {
    file: File,
}

impl VolumeLock {
    /// Takes the lock of `volume` below `run_dir`, trying for two seconds.
    ///
    /// # Errors
    /// Another call for this volume is running, or the lock file cannot be made.
    pub(crate) fn acquire(
        run_dir: &Path,
        volume: &str,
        verb: &str,
        clock: &dyn Clock,
    ) -> Result<Self, LockError> {
        let (path, mut file) = lock_file(run_dir, volume)?;
        let io = |source| LockError::Io { path: path.clone(), source };
        let waits = iter::repeat_n(TRY_EVERY, TRIES);
        let asked = clock.monotonic();
        let held = clock::poll(clock, waits, || try_lock(&file).map_err(io))?;
        let waited = clock.monotonic().saturating_sub(asked);
        if waited >= TRY_EVERY {
            log::info!(volume, waited:?, taken = held.is_some(); "another call had the volume's lock");
        }
        if held.is_none() {
            let mut holder = String::new();
            // Only for the message; an empty note is no reason to fail otherwise.
            let _ = file.read_to_string(&mut holder);
            log::info!(volume, holder:%; "another call has the lock");
            let (verb, _) = holder.split_once(BY).unwrap_or((&holder, ""));
            let holder = verb.to_owned();
            return Err(LockError::Busy { volume: volume.to_owned(), holder });
        }
        note(&mut file, verb);
        Ok(Self { file })
    }

    /// Takes the lock, unless another call has it.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub(crate) fn try_acquire(
        run_dir: &Path,
        volume: &str,
        verb: &str,
    ) -> Result<Option<Self>, LockError> {
        let (path, mut file) = lock_file(run_dir, volume)?;
        let io = |source| LockError::Io { path: path.clone(), source };
        if try_lock(&file).map_err(io)?.is_none() {
            return Ok(None);
        }
        note(&mut file, verb);
        Ok(Some(Self { file }))
    }

    /// Lets child processes hold the lock too, so that an orphaned `mkfs` keeps later calls out.
    pub(crate) fn share_with_children(&self) -> Result<(), LockError> {
        self.inherit(FdFlags::empty())
    }

    /// Takes [`Self::share_with_children`] back: a program that may leave a daemon behind is next.
    pub(crate) fn keep_from_children(&self) -> Result<(), LockError> {
        self.inherit(FdFlags::CLOEXEC)
    }

    fn inherit(&self, flags: FdFlags) -> Result<(), LockError> {
        fcntl_setfd(&self.file, flags)
            .map_err(|errno| LockError::Inheritance { source: errno.into() })
    }
}

/// The file whose lock says which process's turn it is to write the log, made below `run_dir` if it is missing.
///
/// # Errors
/// It cannot be made, or another user could change it.
pub fn log_turn(run_dir: &Path) -> io::Result<File> {
    PrivateDir::make(run_dir, "log")?.open_or_make("turn")
}

/// The open file of a volume's lock, made if it is missing.
fn lock_file(run_dir: &Path, volume: &str) -> Result<(PathBuf, File), LockError> {
    let path = run_dir.join(LOCKS).join(volume);
    match PrivateDir::make(run_dir, LOCKS).and_then(|dir| dir.open_or_make(volume)) {
        Ok(file) => Ok((path, file)),
        Err(source) => Err(LockError::Io { path, source }),
    }
}

fn try_lock(file: &File) -> io::Result<Option<()>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(source)) => Err(source),
    }
}

/// Which call has it, for the message of the next one. ENOSPC must not fail the lock.
fn note(file: &mut File, verb: &str) {
    let mut write = || {
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{verb}{BY}{}", process::id())
    };
    if let Err(error) = write() {
        log::debug!("the lock does not say who has it: {error}");
    }
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another call holds it.
    #[error("another call for volume {volume} is still running ({holder}); it will be tried again")]
    Busy {
        /// The volume.
        volume: String,
        /// What the holder noted.
        holder: String,
    },
    /// The lock file cannot be made or locked.
    #[error("cannot lock {}{}", .path.display(), cure(.source))]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock cannot be shared with child processes.
    #[error("cannot set who inherits the volume's lock")]
    Inheritance {
        /// Why.
        source: io::Error,
    },
}

const LOCKS: &str = "lock";
const BY: &str = " by process ";
const TRY_EVERY: Duration = Duration::from_millis(100);
const TRIES: usize = 20;

#[cfg(test)]
mod tests {
    use clock::{ManualClock, SystemClock};

    use super::*;

    /// A child that another test starts holds every open file of this process until it executes its program.
    fn becomes_free(dir: &Path) -> bool {
        (0..1000).any(|_| {
            SystemClock.sleep(Duration::from_millis(1));
            VolumeLock::try_acquire(dir, "v", "look").unwrap().is_some()
        })
    }

    #[test]
    fn a_second_call_waits_two_seconds_and_says_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::default();
        let first = VolumeLock::acquire(dir.path(), "v", "mountdevice", &clock).unwrap();
        let error = VolumeLock::acquire(dir.path(), "v", "mountdevice", &clock).unwrap_err();
        assert_eq!(clock.slept().iter().sum::<Duration>(), Duration::from_secs(2));
        assert_eq!(
            error.to_string(),
            "another call for volume v is still running (mountdevice); it will be tried again"
        );
        drop(first);
        assert!(becomes_free(dir.path()));
    }

    #[test]
    fn who_does_not_wait_gets_the_lock_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let first = VolumeLock::try_acquire(dir.path(), "v", "a").unwrap().unwrap();
        assert!(VolumeLock::try_acquire(dir.path(), "v", "b").unwrap().is_none());
        drop(first);
        assert!(becomes_free(dir.path()));
    }

    #[test]
    fn what_is_no_lock_file_is_neither_followed_nor_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let precious = dir.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        fs::create_dir(dir.path().join("lock")).unwrap();
        std::os::unix::fs::symlink(&precious, dir.path().join("lock/v")).unwrap();
        let error = VolumeLock::try_acquire(dir.path(), "v", "look").unwrap_err();
        let path = dir.path().join("lock/v").display().to_string();
        assert_eq!(error.to_string(), format!("cannot lock {path}"));
        let source = std::error::Error::source(&error).unwrap().to_string();
        let why =
            "is a symbolic link, so it is not used: move it away, and the driver makes its own";
        assert_eq!(source, format!("{path} {why}"));
        assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    }

    /// As `mkfs` does whose driver was killed.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a child that outlives the lock's owner")]
    fn a_child_holds_the_lock_if_it_is_shared_and_only_then() {
        let dir = tempfile::tempdir().unwrap();
        let lock = VolumeLock::try_acquire(dir.path(), "v", "mountdevice").unwrap().unwrap();
        let child = || process::Command::new("sleep").arg("1000").spawn().unwrap();

        lock.share_with_children().unwrap();
        let mut heir = child();
        lock.keep_from_children().unwrap();
        let mut daemon = child();
        drop(lock);
        assert!(VolumeLock::try_acquire(dir.path(), "v", "look").unwrap().is_none());
        heir.kill().unwrap();
        heir.wait().unwrap();
        assert!(becomes_free(dir.path()));
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    #[test]
    fn volumes_do_not_hinder_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::default();
        let _one = VolumeLock::acquire(dir.path(), "a", "attach", &clock).unwrap();
        let _two = VolumeLock::acquire(dir.path(), "b", "attach", &clock).unwrap();
        assert!(clock.slept().is_empty());
    }
}
