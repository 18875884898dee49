//! Why a volume or its file system did not grow.

use std::{io, path::PathBuf};

use oci_iaas::VolumeState;

/// Nothing was made smaller and nothing was lost; what was not grown is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// The volume's state never lets it grow.
    #[error("volume {volume} is {state} and cannot be made larger")]
    State {
        /// The volume.
        volume: String,
        /// Its state.
        state: VolumeState,
    },
    /// The API does not tell how large the volume is.
    #[error("the API does not tell the size of volume {volume}; look at it in the console")]
    SizeUnknown {
        /// The volume.
        volume: String,
    },
    /// The API refuses the size.
    #[error("volume {volume} has {has} GiB and cannot be given {asked} GiB")]
    Refused {
        /// The volume.
        volume: String,
        /// Its size now.
        has: u64,
        /// The size it was to have.
        asked: u64,
        /// What the API answered.
        source: oci_rest::Error,
    },
    /// The time of this call is up.
    #[error(
        "volume {volume} is still {state} on its way to {asked} GiB; the next call looks again"
    )]
    StillGrowing {
        /// The volume.
        volume: String,
        /// Its state.
        state: VolumeState,
        /// The size it is to have.
        asked: u64,
    },
    /// The disk is not as large as the file system is to be.
    #[error(
        "the disk at {} of volume {volume} has {has} bytes, and {asked} are asked for: grow the volume \
         itself (in the console, or `oci bv volume update --size-in-gbs {gib}`); the next call asks the \
         disk again, and until then a pod that starts waits", .device.display()
    )]
    DiskTooSmall {
        /// The volume.
        volume: String,
        /// The disk.
        device: PathBuf,
        /// Its size.
        has: u64,
        /// The size that was asked for.
        asked: u64,
        /// The same in GiB, rounded up.
        gib: u64,
    },
    /// Something lies where the file system would grow to.
    #[error(
        "the disk at {} of volume {volume} holds data of unknown kind at offset {offset}, behind the end of its file \
         system at {start}; growing would overwrite it, so nothing was grown: if nothing there is wanted, grow the \
         file system by hand (resize2fs of the disk, xfs_growfs of the mount point)", .device.display()
    )]
    TailNotBlank {
        /// The volume.
        volume: String,
        /// The disk.
        device: PathBuf,
        /// The end of the file system in bytes.
        start: u64,
        /// Where data was found.
        offset: u64,
    },
    /// The growth cannot be noted down before it begins.
    #[error(
        "cannot write the record {} of the volume, without which an interrupted growth could not be finished: the \
         file system is not made larger", .path.display()
    )]
    Record {
        /// The record.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing is mounted whose file system could grow.
    #[error(
        "the disk at {} of volume {volume} is not mounted: its file system grows when it is mounted \
         the next time", .device.display()
    )]
    NotMounted {
        /// The volume.
        volume: String,
        /// The disk.
        device: PathBuf,
    },
    /// The directory shows another device.
    #[error(
        "{} is a mount point of {found}, not of the disk at {} of volume {volume}; nothing was grown \
         (of a partition, grow the partition first)", .dir.display(), .device.display()
    )]
    OtherDevice {
        /// The volume.
        volume: String,
        /// The disk.
        device: PathBuf,
        /// The directory.
        dir: PathBuf,
        /// What is mounted there.
        found: String,
    },
}
