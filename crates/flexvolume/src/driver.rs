//! What a backend implements, and how it says that it failed.

use std::{
    error::Error,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{Capabilities, Options};

/// A backend. Every call but `init` is "Not supported" until it is implemented.
///
/// All calls may be repeated, also after one that was killed half-way: what is already so is a
/// success. Calls for different volumes run in parallel, each in its own process.
///
/// # Errors
/// [`Failure::Failed`] for what did not work this time, [`Failure::NotSupported`] for what never will.
pub trait Driver {
    /// What the backend can do. Offline, instant, without side effects: callers repeat it freely.
    fn init(&self) -> Result<Capabilities>;

    /// What the log says at the end of a call of what it took, by name: how many requests, and which.
    fn particulars(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// Attaches the volume to the node; the device goes to `wait_for_attach` on that node.
    fn attach(&self, _options: &Options, _node: &str) -> Result<PathBuf> {
        Err(Failure::NotSupported)
    }

    /// Takes the volume off the node. Attached to another node or not at all is a success.
    fn detach(&self, _volume: &str, _node: &str) -> Result<()> {
        Err(Failure::NotSupported)
    }

    /// Whether the volume is attached to the node. Not knowing is a failure, never `false`.
    fn is_attached(&self, _options: &Options, _node: &str) -> Result<bool> {
        Err(Failure::NotSupported)
    }

    /// The volume's device on this node. The one given is a hint: it may be empty or another's.
    fn wait_for_attach(&self, _device: &Path, _options: &Options) -> Result<PathBuf> {
        Err(Failure::NotSupported)
    }

    /// Mounts the volume at its global directory. The device is a hint here too.
    fn mount_device(&self, _dir: &Path, _device: &Path, _options: &Options) -> Result<()> {
        Err(Failure::NotSupported)
    }

    /// Unmounts the global directory and lets go of the device.
    fn unmount_device(&self, _dir: &Path) -> Result<()> {
        Err(Failure::NotSupported)
    }

    /// Makes the volume appear in a pod's directory.
    fn mount(&self, _dir: &Path, _options: &Options) -> Result<()> {
        Err(Failure::NotSupported)
    }

    /// Takes the volume out of a pod's directory.
    fn unmount(&self, _dir: &Path) -> Result<()> {
        Err(Failure::NotSupported)
    }

    /// Grows the volume to at least `new_bytes`; the size that it has then, in bytes. A volume that is
    /// larger already is a success: nothing is ever made smaller.
    fn expand_volume(
        &self,
        _options: &Options,
        _dir: &Path,
        _new_bytes: u64,
        _old_bytes: u64,
    ) -> Result<u64> {
        Err(Failure::NotSupported)
    }

    /// Grows the filesystem to its device, which is to have at least `new_bytes`; the size that the
    /// device has, in bytes.
    fn expand_fs(
        &self,
        _options: &Options,
        _device: &Path,
        _dir: &Path,
        _new_bytes: u64,
        _old_bytes: u64,
    ) -> Result<u64> {
        Err(Failure::NotSupported)
    }

    /// The reply to the call is printed: what was kept until it is said may go. A call that is ended before has
    /// perhaps said nothing, and one whose reply could not be printed has not.
    fn said(&self) {}
}

/// What a call came to.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a call has no result. Every error becomes one by `?`.
///
/// It is no `Error` itself, which is what lets every `Error` be turned into it.
#[derive(Debug)]
pub enum Failure {
    /// This backend never does that. The caller remembers it and does without.
    NotSupported,
    /// It did not work this time. The whole chain of causes goes into the reply.
    Failed(Box<dyn Error + Send + Sync>),
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error))
    }
}
