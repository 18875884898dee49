//! Why a disk is neither mounted nor formatted.

use std::{io, path::PathBuf};

use crate::private_dir::cure;

/// A disk is left as it is: it is not surely the volume's, or not surely blank, or holds something
/// else than was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The record of a volume cannot be written before its disk is.
    #[error(
        "cannot write the record {} of the volume, without which it is not formatted{}",
        .path.display(), cure(.source)
    )]
    Record {
        /// The record.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The disk is not the one that was seen before.
    #[error(
        "the disk at {} is not the one that was seen before for volume {volume}: {what} was {before} \
         and is {now}; check the attachment, and delete {} if the change was meant",
        .device.display(), .record.display()
    )]
    OtherDisk {
        /// The volume.
        volume: String,
        /// The disk.
        device: PathBuf,
        /// What differs.
        what: &'static str,
        /// What was recorded.
        before: String,
        /// What is there.
        now: String,
        /// The record.
        record: PathBuf,
    },
    /// The file system is another volume's.
    #[error(
        "the disk at {} of volume {volume} holds file system {uuid}, which was seen here on volume \
         {other}, and shows nothing that tells it from the disk of that volume (no world-wide identifier, \
         serial number, size or target); if it is a clone, give it a UUID of its own (tune2fs -U \
         random, xfs_admin -U generate), or delete {} if volume {other} is no longer attached here",
        .device.display(), .record.display()
    )]
    OthersFileSystem {
        /// The volume.
        volume: String,
        /// The disk.
        device: PathBuf,
        /// The file system.
        uuid: String,
        /// The other volume.
        other: String,
        /// Its record.
        record: PathBuf,
    },
    /// The disk does not show that it is the one whose format was interrupted, and that it has stayed here since.
    #[error(
        "a format of volume {volume} was interrupted here, and nothing shows that the disk at {} is \
         the same and has stayed here since: what it holds may be wanted, and it is left alone: delete {} if it is; if \
         nothing on it is wanted, wipe it (wipefs --all, then blkdiscard --zeroout)",
        .device.display(), .record.display()
    )]
    FormatUnknown {
        /// The volume.
        volume: String,
        /// The disk.
        device: PathBuf,
        /// The record.
        record: PathBuf,
    },
    /// The disk is another volume's.
    #[error(
        "the disk at {} was seen here as that of volume {other}, so it is not taken for that of \
         volume {volume}; delete {} if volume {other} is no longer attached here",
        .device.display(), .record.display()
    )]
    OthersDisk {
        /// The volume.
        volume: String,
        /// The disk.
        device: PathBuf,
        /// The other volume.
        other: String,
        /// Its record.
        record: PathBuf,
    },
    /// The disk reads blank although it was formatted here.
    #[error(
        "volume {volume} held file system {uuid} when it was last seen here and now reads blank; it \
         is not formatted again: restore it from a backup, or delete {} if the loss was meant",
        .record.display()
    )]
    ReadsBlank {
        /// The volume.
        volume: String,
        /// The file system that was there.
        uuid: String,
        /// The record.
        record: PathBuf,
    },
    /// The disk reads blank and what is known of it cannot be read.
    #[error(
        "the record {} of volume {volume} cannot be read, so it cannot be told whether the volume was ever \
         formatted; it is not formatted: {why}",
        .record.display()
    )]
    RecordUnreadable {
        /// The volume.
        volume: String,
        /// The record.
        record: PathBuf,
        /// Why, and what to do about it.
        why: String,
    },
    /// The disk reads blank and what was known of it is lost.
    #[error(
        "the record {} of volume {volume} is damaged, so it cannot be told whether the volume was \
         ever formatted; it is not formatted: delete it and the `.corrupt` file beside it if the \
         volume is new",
        .record.display()
    )]
    RecordDamaged {
        /// The volume.
        volume: String,
        /// The record.
        record: PathBuf,
    },
    /// The disk reads blank and should hold what it was made from.
    #[error(
        "volume {volume} reads blank, but was made from {origin}, so it should hold data: it is not formatted; see \
         what became of its source, or, if it is meant to be blank, make its file system by hand (mkfs on the node)"
    )]
    Restored {
        /// The volume.
        volume: String,
        /// Its source.
        origin: String,
    },
    /// A blank disk that is not to be formatted.
    #[error("the disk at {} is blank and {why}; nothing was formatted", .device.display())]
    NotFormatting {
        /// The disk.
        device: PathBuf,
        /// Why it is left blank.
        why: &'static str,
    },
    /// The disk holds something that is no file system to mount.
    #[error(
        "the disk at {} is not blank: {what}; it is neither mounted nor formatted: if nothing on it is \
         wanted, wipe it by hand (wipefs --all, then blkdiscard --zeroout)", .device.display()
    )]
    HoldsOther {
        /// The disk.
        device: PathBuf,
        /// What was found.
        what: String,
    },
    /// The disk holds a file system, and something beside it that need not be its data.
    #[error(
        "the disk at {} holds a whole {fs_type} file system and something else beside it, and it cannot be \
         told which of the two is in use: {what}; it is neither mounted nor formatted: take a backup of the \
         volume, look at both by hand (mount -o ro), and remove the signature of the one that is \
         left over, and no other (wipefs --backup --offset)", .device.display()
    )]
    Contested {
        /// The disk.
        device: PathBuf,
        /// The file system.
        fs_type: String,
        /// What was found.
        what: String,
    },
    /// What is written to the file system goes to another disk first.
    #[error(
        "the {fs_type} file system on the disk at {} has its journal on another disk, which this driver does not guard; \
         it is neither mounted nor checked: give it a journal of its own while the other disk is there, with \
         e2fsck -f, tune2fs -O ^has_journal and tune2fs -j",
        .device.display()
    )]
    JournalElsewhere {
        /// The disk.
        device: PathBuf,
        /// The file system.
        fs_type: String,
    },
    /// The disk ends before its file system does.
    #[error(
        "the {fs_type} file system on the disk at {} has {size} bytes and the disk only {disk}; it is \
         neither mounted nor checked: grow the volume to at least the size of the file system",
        .device.display()
    )]
    LargerThanDisk {
        /// The disk.
        device: PathBuf,
        /// The file system.
        fs_type: String,
        /// Its size.
        size: u64,
        /// The disk's.
        disk: u64,
    },
    /// The disk holds another file system than asked for.
    #[error(
        "the disk at {} holds {found} and the pod asks for {wanted}, as which it cannot be mounted; leave \
         fsType out to have it mounted as it is (a persistent volume is made anew for that, over the \
         same volume)",
        .device.display()
    )]
    OtherFileSystem {
        /// The disk.
        device: PathBuf,
        /// What is there.
        found: String,
        /// What is asked for.
        wanted: String,
    },
}
