//! A block device: what it is, who uses it, what it holds, and the proof that it holds nothing.
//!
//! Nothing in this crate writes to a device. The way to destroy data is [`Blank`], a value that
//! only [`Disk::prove_blank`] and [`Disk::prove_unfinished`] can make and that the formatting code
//! takes by value: a disk that could not be read, that is in use, or on which any of five
//! probes finds anything, never becomes one.
//!
//! A [`Disk`] keeps the device open for as long as it lives. While it does, the kernel does not
//! give the device's number to another disk, so everything said of it is said of one disk.

mod blank;
mod blkid;
mod contents;
mod coverage;
mod data_area;
mod device;
mod device_number;
mod error;
mod evidence;
mod ext;
mod extents;
mod file_system_size;
mod host;
mod identity;
mod io_blocked;
mod journal;
pub mod mountinfo;
mod multipath;
mod provisioning;
mod reader;
mod rescan;
mod schedule;
mod signature;
mod survey;
mod sysfs;
mod tail;
mod udev;
mod uevents;
mod users;
mod wipefs;

pub use blank::Blank;
pub use contents::Contents;
pub use coverage::{BlankCheck, Coverage};
pub use device::{Access, Claim, Disk};
pub use device_number::{DeviceNumber, ParseDeviceNumberError};
pub use error::Error;
pub use ext::ExtSuperblock;
pub use host::Host;
pub use identity::Identity;
pub use io_blocked::IoBlocked;
pub use multipath::Map;
pub use tail::BlankTail;
pub use uevents::watch;
pub use users::User;
