//! Why `config.yaml` cannot be used.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::Problem;

/// `config.yaml` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no such file: this host is a worker.
    #[error(
        "there is no {}: this host has no credentials, and this call needs them; put the file on \
         every host that runs kube-controller-manager", .path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },

    /// The process may not read the file.
    #[error(
        "this process (user {user}) may not read {}: if kube-controller-manager is not to run as root, \
         run: chown {user} {0}, and let that user into the folders above", .path.display()
    )]
    NotPermitted {
        /// The file.
        path: PathBuf,
        /// The process's effective user id.
        user: u32,
    },

    /// The file is there but cannot be read.
    #[error("cannot read {setting}{}", .path.display())]
    Unreadable {
        /// What names the file, and a blank; empty where nothing does.
        setting: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// Everybody on this host may read the private key.
    #[error(
        "{} holds a secret and everybody may read it (mode {mode:04o}); run: chmod 600 {0}",
        .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// Everybody on this host may change what the driver does.
    #[error(
        "everybody may change {} (mode {mode:04o}); run: chmod 644 {0}",
        .path.display()
    )]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// The text is wrong.
    #[error("{}: {problem}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, quoting nothing.
        problem: Problem,
    },
}

impl ConfigError {
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.to_owned() },
            _ => Self::unreadable("", path, source),
        }
    }

    /// Another file of the configuration, which has to be there.
    pub(crate) fn unreadable(setting: &str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => {
                Self::NotPermitted { path, user: rustix::process::geteuid().as_raw() }
            }
            _ => {
                let blank = if setting.is_empty() { "" } else { " " };
                Self::Unreadable { setting: format!("{setting}{blank}"), path, source }
            }
        }
    }

    pub(super) fn writable(path: &Path, mode: u32) -> Self {
        Self::Writable { path: path.to_owned(), mode: mode & 0o7777 }
    }

    pub(crate) fn exposed(path: &Path, mode: u32) -> Self {
        Self::Exposed { path: path.to_owned(), mode: mode & 0o7777 }
    }

    pub(super) fn content(path: &Path, problem: Problem) -> Self {
        Self::Content { path: path.to_owned(), problem }
    }
}
