//! Backends to dispatch to: one that answers what it was asked, one that only mounts.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use flexvolume::{Capabilities, Driver, Failure, Options, Reply, Result, dispatch};
use thiserror::Error;

/// Implements everything. `detach` and the calls with directories fail with their arguments as
/// the text, which shows what arrived; a node named `lost` is not found.
pub(crate) struct Echo;

/// Implements what a backend without attachments does.
pub(crate) struct MountOnly;

#[derive(Debug, Error)]
#[error("{what}")]
pub(crate) struct Refused {
    what: String,
    source: Option<Box<Refused>>,
}

impl Driver for Echo {
    fn init(&self) -> Result<Capabilities> {
        Ok(CAPABILITIES)
    }

    fn attach(&self, options: &Options, node: &str) -> Result<PathBuf> {
        if node == "lost" {
            return Err(refused("cannot find node lost", refused("HTTP 404", None)).into());
        }
        Ok(PathBuf::from(format!("/dev/{}@{node}", options.volume_name()?)))
    }

    fn detach(&self, volume: &str, node: &str) -> Result<()> {
        refuse(format!("{volume:?} {node:?}"))
    }

    fn is_attached(&self, _options: &Options, node: &str) -> Result<bool> {
        Ok(node == "node1")
    }

    fn wait_for_attach(&self, device: &Path, _options: &Options) -> Result<PathBuf> {
        Ok(device.to_owned())
    }

    fn mount_device(&self, dir: &Path, device: &Path, options: &Options) -> Result<()> {
        refuse(format!("{dir:?} {device:?} {options:?}"))
    }

    fn unmount_device(&self, dir: &Path) -> Result<()> {
        refuse(format!("{dir:?}"))
    }

    fn mount(&self, dir: &Path, options: &Options) -> Result<()> {
        refuse(format!("{dir:?} {options:?} {:?}", options.secret("pass")))
    }

    fn unmount(&self, dir: &Path) -> Result<()> {
        refuse(format!("{dir:?}"))
    }

    fn expand_volume(&self, _: &Options, dir: &Path, new: u64, old: u64) -> Result<u64> {
        match new {
            0 => Ok(old),
            _ => refuse(format!("{dir:?} {new} {old}")),
        }
    }

    fn expand_fs(&self, _: &Options, device: &Path, dir: &Path, new: u64, old: u64) -> Result<u64> {
        match new {
            0 => Ok(old),
            _ => refuse(format!("{device:?} {dir:?} {new} {old}")),
        }
    }
}

impl Driver for MountOnly {
    fn init(&self) -> Result<Capabilities> {
        Ok(Capabilities { attach: false, ..CAPABILITIES })
    }

    fn mount(&self, _dir: &Path, _options: &Options) -> Result<()> {
        Ok(())
    }

    fn unmount(&self, _dir: &Path) -> Result<()> {
        Ok(())
    }
}

pub(crate) fn call(driver: &dyn Driver, args: &[&str]) -> Reply {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    dispatch(driver, &args)
}

fn refuse<T>(what: String) -> Result<T> {
    Err(Failure::from(refused(&what, None)))
}

fn refused(what: &str, source: impl Into<Option<Refused>>) -> Refused {
    Refused { what: what.to_owned(), source: source.into().map(Box::new) }
}

const CAPABILITIES: Capabilities = Capabilities {
    attach: true,
    selinux_relabel: true,
    supports_metrics: true,
    fs_group: true,
    requires_fs_resize: false,
};
