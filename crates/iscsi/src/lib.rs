//! Disks behind an iSCSI portal: sessions through iscsiadm, the truth about them from sysfs.
//!
//! iscsiadm asks the daemon iscsid for sessions, and its exit codes cannot be trusted either way: a logout ends
//! with "no objects found" when the daemon is dead and the session lives, a login with "session exists" when there
//! is none yet. So every verb of [`Initiator`] looks, acts, and looks again; the exit code only picks the message.
//!
//! ```text
//! log_in   look ─ record, settings, credentials, login ─ look until LOGGED_IN ─ (undo what failed)
//! disk     scan the one unit ─ look until it runs, has a size and a node
//! log_out  claim the disk, or stop ─ flush ─ offline ─ delete ─ logout ─ look until gone ─ delete the record
//! ```
//!
//! A disk that is reached through several portals is that of a multipath map: `discover`, `log_in_path`,
//! `multipath_disk` and `log_out_paths`.
//!
//! iscsid does what it was asked for also when the process that asked is gone, a login as well as a logout; it keeps the
//! order. A session without its disk may have a logout coming, so `log_in` asks for one itself and makes a new one.
//!
//! A verb may be repeated; [`Outcome`] says whether there was anything to do. What a killed call has left behind
//! is finished by the next one, and node records that are not whole are removed first.

mod chap;
mod device;
mod error;
mod exit_code;
mod foreign_record;
mod initiator;
mod iqn;
mod iscsiadm;
mod login;
mod logout;
mod multipath;
mod multipath_error;
mod node_record;
mod pending;
mod release;
mod replacement_timeout;
mod session;
mod sysfs;
mod target;
mod torn_record;

pub use chap::{Chap, ChapError};
pub use error::Error;
pub use exit_code::ExitCode;
pub use initiator::{Host, Initiator};
pub use iqn::Iqn;
pub use multipath_error::MultipathError;
pub use pending::Pending;
pub use session::{Block, Session, Unit};
pub use target::{ParseError, Target};

/// What a verb found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has brought things into the wanted state.
    Done,
    /// They were in it.
    AlreadyDone,
}
