//! What can go wrong around the cloud: starting it, its disks, its nodes.

use std::io;
use std::path::PathBuf;

/// Why the simulator, a disk or a node cannot be set up. Answers of the cloud are never errors of this type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A port cannot be opened.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port asked for; 0 is any.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The runtime that serves connections cannot be started.
    #[error("cannot start the server's threads")]
    Threads(#[source] io::Error),
    /// A certificate cannot be made or used.
    #[error("cannot make the server's certificate: {0}")]
    Certificate(String),
    /// A key cannot be made or read.
    #[error("cannot use the API key: {0}")]
    Key(String),
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was attempted: a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A script is not what it should be.
    #[error("cannot read the script {}: {reason}", path.display())]
    Script {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected there.
        reason: String,
    },
    /// Loop devices and mount namespaces are root's.
    #[error("{what} needs root: run it as root")]
    NotRoot {
        /// What was attempted.
        what: &'static str,
    },
    /// A host program is missing.
    #[error("cannot run {program}: install the Debian package {package}")]
    Missing {
        /// The program's name.
        program: &'static str,
        /// The package it comes with.
        package: &'static str,
    },
    /// A host program failed.
    #[error("{command} failed: {reason}")]
    Failed {
        /// The command line.
        command: String,
        /// The end of what it wrote to stderr, or how it ended.
        reason: String,
    },
}
