//! The backend for block volumes of Oracle Cloud Infrastructure.
//!
//! One call, one file. On a host with `config.yaml` (a master) the calls of the controller manager
//! attach and detach through the API; on every node kubelet's calls find the disk, format
//! it when nothing is found on it, mount it and let it go. Calls of the node read `config.yaml`
//! only for the credentials of a session with CHAP and for further portals.
//!
//! Every call observes, compares with its goal, acts, and observes again; so it may be repeated,
//! and killed at any moment.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clock::Clock;
use command::Runner;
use flexvolume::{Capabilities, Options};

mod alias;
mod attach;
mod attach_options;
mod attachment;
mod attachment_status;
mod chap;
mod cloud;
mod config;
mod credentials;
mod dead_mount;
mod detach;
mod device;
mod disk_path;
mod error;
mod expand_error;
mod expand_fs;
mod expand_volume;
mod growth;
mod headroom;
mod help;
mod identity;
mod in_use;
mod is_attached;
mod lock;
mod login;
#[cfg(test)]
mod loop_disk;
mod losses;
mod mount_device;
mod node;
mod option_error;
mod option_reader;
mod origin;
mod orphans;
mod paths;
mod plan;
mod private_dir;
mod refusal;
mod refused;
mod remembered;
mod requests;
mod sessions;
mod settings;
mod setup_error;
mod staged_disk;
mod staging;
mod unmount_device;
mod volume;
mod volume_at;
mod volume_options;
mod volume_record;
mod wait_for_attach;
mod writable;

pub use chap::CredentialsError;
pub use config::{Auth, Config, ConfigError, Key, Problem, UserKey};
pub use device::DeviceError;
pub use error::Error;
pub use expand_error::ExpandError;
pub use help::HELP;
pub use lock::{LockError, log_turn};
pub use option_error::OptionError;
pub use refusal::Refusal;
pub use settings::{NetworkVariables, ServiceAccount, Settings};
pub use setup_error::SetupError;
pub use volume::VolumeNameError;

use requests::Requests;
use staging::Staging;
use volume::VolumeName;
use volume_options::VolumeOptions;

/// Block volumes of Oracle Cloud Infrastructure.
#[derive(Debug)]
pub struct OciBlock {
    settings: Settings,
    /// The node's side of the calls.
    staging: Staging,
    iscsi: iscsi::Host,
    /// What this call has asked OCI.
    requests: Arc<Requests>,
}

impl OciBlock {
    /// A backend that will do as `settings` say; nothing is touched yet.
    pub fn new(settings: Settings, runner: Arc<dyn Runner>, clock: Arc<dyn Clock>) -> Self {
        let staging = Staging::new(&settings.state_dir, &settings.run_dir, runner, clock);
        Self { settings, staging, iscsi: iscsi::Host::default(), requests: Arc::default() }
    }

    fn initiator(&self) -> iscsi::Initiator {
        let (runner, clock) = (&self.staging.runner, &self.staging.clock);
        iscsi::Initiator::new(Arc::clone(runner), Arc::clone(clock), self.iscsi.clone())
    }
}

impl flexvolume::Driver for OciBlock {
    fn particulars(&self) -> Vec<(&'static str, serde_json::Value)> {
        self.requests.particulars()
    }

    fn init(&self) -> flexvolume::Result<Capabilities> {
        Ok(Capabilities {
            attach: true,
            selinux_relabel: true,
            supports_metrics: true,
            fs_group: true,
            requires_fs_resize: true,
        })
    }

    fn attach(&self, options: &Options, node: &str) -> flexvolume::Result<PathBuf> {
        Ok(attach::attach(self, &VolumeOptions::parse(options)?, node)?)
    }

    fn detach(&self, volume: &str, node: &str) -> flexvolume::Result<()> {
        Ok(detach::detach(self, volume, node)?)
    }

    fn wait_for_attach(&self, device: &Path, options: &Options) -> flexvolume::Result<PathBuf> {
        let options = VolumeOptions::parse(options)?;
        let path = wait_for_attach::wait_for_attach(self, device, &options);
        if path.is_ok() {
            orphans::end_one(&self.staging, &self.initiator());
        }
        Ok(path?)
    }

    fn is_attached(&self, options: &Options, node: &str) -> flexvolume::Result<bool> {
        Ok(is_attached::is_attached(self, VolumeName::from_options(options)?, node)?)
    }

    fn mount_device(&self, dir: &Path, device: &Path, options: &Options) -> flexvolume::Result<()> {
        Ok(mount_device::mount_device(self, dir, device, &VolumeOptions::parse(options)?)?)
    }

    fn unmount_device(&self, dir: &Path) -> flexvolume::Result<()> {
        let unmounted = unmount_device::unmount_device(&self.staging, &self.initiator(), dir);
        if unmounted.is_ok() {
            orphans::end_one(&self.staging, &self.initiator());
        }
        Ok(unmounted?)
    }

    fn expand_volume(
        &self,
        options: &Options,
        _dir: &Path,
        new_bytes: u64,
        _old_bytes: u64,
    ) -> flexvolume::Result<u64> {
        Ok(expand_volume::expand_volume(self, VolumeOptions::parse(options)?.name, new_bytes)?)
    }

    fn expand_fs(
        &self,
        options: &Options,
        device: &Path,
        dir: &Path,
        new_bytes: u64,
        _old_bytes: u64,
    ) -> flexvolume::Result<u64> {
        Ok(expand_fs::expand_fs(self, &VolumeOptions::parse(options)?, device, dir, new_bytes)?)
    }

    fn said(&self) {
        losses::forget_told(&self.staging);
    }
}
