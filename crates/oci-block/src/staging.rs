//! What the node's side of every call works with: its directories, programs and time, and the host.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use clock::Clock;
use command::Runner;
use mount::Mounter;

use crate::{
    lock::{LockError, VolumeLock},
    losses::Loss,
};

/// The node on which a call is at work. It knows neither Oracle's API nor how a disk gets here.
#[derive(Debug)]
pub(crate) struct Staging {
    /// What outlives a reboot: records of volumes, noted losses.
    pub(crate) state_dir: PathBuf,
    /// What a reboot ends: locks, notes of sessions, open questions.
    pub(crate) run_dir: PathBuf,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) host: disk::Host,
    /// The volume and the loss that the reply to this call says.
    pub(crate) told: OnceLock<(String, Loss)>,
}

impl Staging {
    /// A context of this host; nothing is touched yet.
    pub(crate) fn new(
        state_dir: &Path,
        run_dir: &Path,
        runner: Arc<dyn Runner>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (state_dir, run_dir) = (state_dir.to_owned(), run_dir.to_owned());
        let (host, told) = (disk::Host::default(), OnceLock::new());
        Self { state_dir, run_dir, runner, clock, host, told }
    }

    pub(crate) fn mounter(&self) -> Mounter {
        Mounter::new(Arc::clone(&self.runner), Arc::clone(&self.clock), self.host.clone())
    }

    /// One call per volume and host at a time.
    pub(crate) fn lock(&self, volume: &str, verb: &str) -> Result<VolumeLock, LockError> {
        VolumeLock::acquire(&self.run_dir, volume, verb, &*self.clock)
    }

    /// As [`Self::lock`], unless another call has it or it cannot be had: nothing is waited for.
    pub(crate) fn lock_at_once(&self, volume: &str, verb: &str) -> Option<VolumeLock> {
        VolumeLock::try_acquire(&self.run_dir, volume, verb).ok().flatten()
    }

    /// As [`Self::lock`]; a container of the controller manager may have no place for a lock, and
    /// there the API's own exclusion is enough.
    pub(crate) fn lock_if_possible(
        &self,
        volume: &str,
        verb: &str,
    ) -> Result<Option<VolumeLock>, LockError> {
        match self.lock(volume, verb) {
            Ok(lock) => Ok(Some(lock)),
            Err(error @ LockError::Io { .. }) => {
                log::warn!("going on without a lock: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
