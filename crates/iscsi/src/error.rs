//! Why a session or its disk is not as wanted.

use std::{io, net::SocketAddr, path::PathBuf};

use disk::DeviceNumber;

use crate::{ExitCode, MultipathError, Pending, Target};

/// What was attempted on which target, and what stood against it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The target is where the instance boots from.
    #[error("{target} is refused: it is the portal of this instance's boot volume")]
    Boot {
        /// The target.
        target: Target,
    },
    /// iscsiadm failed, and sysfs shows that it did.
    #[error("cannot {action} {target}: {code} (iscsiadm exit code {}{})", code.0, said(stderr))]
    Iscsiadm {
        /// What was attempted.
        action: &'static str,
        /// The target.
        target: Target,
        /// How it ended.
        code: ExitCode,
        /// What it printed last.
        stderr: String,
    },
    /// iscsiadm says that it has written a node record, and there is none.
    #[error(
        "cannot give {target} its CHAP credentials: its node record is neither in /etc/iscsi/nodes nor in \
         /var/lib/iscsi/nodes"
    )]
    NoRecord {
        /// The target.
        target: Target,
    },
    /// The node record does not take the credentials.
    #[error("cannot write the CHAP credentials of {target} into its node record {}", path.display())]
    Credentials {
        /// The target.
        target: Target,
        /// The record, or the folder of all records.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// iscsiadm finds no session where sysfs shows one: iscsid did not answer, or could not read the session's
    /// record when it started.
    #[error(
        "cannot log out of {target}: iscsid is not running, or does not know the session (iscsiadm does not \
         find what is in sysfs): systemctl restart iscsid"
    )]
    NoDaemon {
        /// The target.
        target: Target,
    },
    /// iscsiadm could not be run to its end.
    #[error("cannot {action} {target}")]
    Run {
        /// What was attempted.
        action: &'static str,
        /// The target.
        target: Target,
        /// Why.
        source: command::Error,
    },
    /// iscsid was asked for the session and has not made it yet; it cannot be told to stop. A later call finds it.
    #[error(
        "the login to {target} is pending in iscsid, and the next call goes on from there: {seen}"
    )]
    LoginPending {
        /// The target.
        target: Target,
        /// What is to be seen of it.
        seen: Pending,
    },
    /// iscsiadm says that it has logged in, and there is no session.
    #[error(
        "iscsiadm says that it has logged in to {target}, and the kernel shows no session: something has ended it at \
         once, or /sys is not that of the machine on which iscsid runs"
    )]
    NotShown {
        /// The target.
        target: Target,
    },
    /// A node record that iscsiadm can neither use nor replace cannot be removed.
    #[error(
        "cannot write the node record of {target}: the one that is there is damaged or of another version of \
         open-iscsi, and {} cannot be removed",
        path.display()
    )]
    StaleRecord {
        /// The target.
        target: Target,
        /// The record, or the folder of all records.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a session, but it does not work.
    #[error(
        "the session to {target} does not work: its state is {state}; iscsid goes on trying, see \
         journalctl --unit iscsid"
    )]
    SessionFailed {
        /// The target.
        target: Target,
        /// As in sysfs.
        state: String,
    },
    /// The session is still there after the logout.
    #[error(
        "the session to {target} is still there after the logout; the next call tries again, and \
         iscsiadm --mode session --print 3 shows who holds it"
    )]
    SessionRemains {
        /// The target.
        target: Target,
    },
    /// Which of several sessions would be the volume's?
    #[error("there are {} sessions to {target}: {}; end all but one", sessions.len(), sessions.join(", "))]
    SeveralSessions {
        /// The target.
        target: Target,
        /// Their names in sysfs.
        sessions: Vec<String>,
    },
    /// A second session would give a second device for one volume.
    #[error(
        "{target} is already reached through another portal, {portal}: log out there first, if that session is this \
         volume's"
    )]
    OtherPortal {
        /// The target.
        target: Target,
        /// Where the session is.
        portal: SocketAddr,
    },
    /// The disk's paths are not one multipath map.
    #[error(transparent)]
    Multipath(#[from] MultipathError),
    /// The disk did not become usable in time.
    #[error("the disk of {target} is not ready: {obstacle}")]
    NotReady {
        /// The target.
        target: Target,
        /// What was missing last.
        obstacle: String,
    },
    /// The disk is in use, or what was written to it cannot be brought to safety; nothing was logged out.
    #[error("cannot release the disk of {target}, so it stays logged in")]
    NotReleased {
        /// The target.
        target: Target,
        /// Why.
        source: Box<disk::Error>,
    },
    /// The node in /dev is not the device that sysfs shows.
    #[error("{} is device {found}, but the disk of {target} is {expected}", path.display())]
    WrongNode {
        /// The target.
        target: Target,
        /// The node.
        path: PathBuf,
        /// Its number.
        found: DeviceNumber,
        /// The number in sysfs.
        expected: DeviceNumber,
    },
    /// The device belongs to a session that no device path can name.
    #[error(
        "device {device} belongs to {session}, whose target {name:?} is of a kind we do not know"
    )]
    UnknownTarget {
        /// The device.
        device: DeviceNumber,
        /// The session's name in sysfs.
        session: String,
        /// The target's name.
        name: String,
    },
    /// sysfs does not read or write.
    #[error("cannot {verb} {}", path.display())]
    Sysfs {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Error {
    /// Whether the disk is in use: it must be unmounted first.
    pub fn is_in_use(&self) -> bool {
        match self {
            Self::NotReleased { source, .. } => source.is_in_use(),
            Self::Iscsiadm { code, .. } => *code == ExitCode(28),
            _ => false,
        }
    }

    /// Whether the target wants other CHAP credentials, or some at all.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Iscsiadm { code, .. } if *code == ExitCode::UNAUTHORIZED)
    }

    /// Whether iscsid may still make the session, which this call no longer waits for.
    pub fn is_login_pending(&self) -> bool {
        matches!(self, Self::LoginPending { .. })
    }

    /// Whether a later call may succeed without an operator.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Boot { .. }
            | Self::NoDaemon { .. }
            | Self::NoRecord { .. }
            | Self::StaleRecord { .. }
            | Self::Credentials { .. }
            | Self::SeveralSessions { .. }
            | Self::OtherPortal { .. }
            | Self::UnknownTarget { .. }
            | Self::Sysfs { .. } => false,
            Self::Iscsiadm { code, .. } => code.is_transient(),
            Self::Multipath(error) => error.is_transient(),
            Self::Run { source, .. } => !source.is_not_started(),
            _ => true,
        }
    }
}

pub(crate) fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}
