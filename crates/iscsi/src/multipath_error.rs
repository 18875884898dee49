//! Why several paths are not one disk.

use std::path::PathBuf;

use disk::DeviceNumber;

use crate::{Target, error::said};

/// The paths to a disk, or the multipath map over them, are not as they must be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MultipathError {
    /// No path was given.
    #[error("there is no path to the disk")]
    NoPaths,
    /// The paths are there, and multipathd makes no map of them.
    #[error(
        "the disk of {target} has the paths {} and no multipath map ({obstacle}): multipathd must run: install \
         multipath-tools (Oracle Linux: device-mapper-multipath), then systemctl enable --now multipathd",
        paths.join(", ")
    )]
    NoMap {
        /// The first path's target.
        target: Target,
        /// The paths that work.
        paths: Vec<String>,
        /// What was missing last.
        obstacle: String,
    },
    /// The paths lead to several maps.
    #[error("the paths of one disk are in several multipath maps: {}", maps.join(", "))]
    SeveralMaps {
        /// Their names.
        maps: Vec<String>,
    },
    /// The map has a path that is not one of the volume's.
    #[error(
        "the multipath map {map} stands on device {device} too, which is no path of the volume; it is left alone"
    )]
    Stranger {
        /// The map's name.
        map: String,
        /// The path.
        device: DeviceNumber,
    },
    /// The paths lead to different disks.
    #[error(
        "the paths lead to different disks: {} is {first_wwid}, {} is {second_wwid}",
        first.display(), second.display()
    )]
    PathsDiffer {
        /// A path.
        first: PathBuf,
        /// Its disk's world-wide identifier.
        first_wwid: String,
        /// Another.
        second: PathBuf,
        /// Its disk's.
        second_wwid: String,
    },
    /// A path shows no identifier.
    #[error("{} shows no world-wide identifier, without which it is no path of a multipath disk", path.display())]
    PathUnknown {
        /// The path.
        path: PathBuf,
    },
    /// The map does not read.
    #[error("cannot tell what stands on the disk")]
    Sysfs(#[source] disk::Error),
    /// `multipath` could not be run to its end.
    #[error("cannot change the multipath map {map}")]
    NotRun {
        /// The map's name.
        map: String,
        /// Why.
        source: command::Error,
    },
    /// The map is still there after its removal.
    #[error("the multipath map {map} is still there after multipath -f{}", said(said_last))]
    Remains {
        /// The map's name.
        map: String,
        /// What multipath printed last.
        said_last: String,
    },
}

impl MultipathError {
    /// Whether a later call may succeed without an operator: multipathd may be slow or restarting.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NoMap { .. } | Self::Remains { .. })
    }
}
