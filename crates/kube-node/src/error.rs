//! Why nothing is known of a node.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why nothing is known of a node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read: the kubeconfig itself, or one it names.
    #[error("cannot read {}{}", .path.display(), of_field(.field))]
    Read {
        /// The file.
        path: PathBuf,
        /// The field of the kubeconfig that names it.
        field: Option<&'static str>,
        /// Why.
        source: io::Error,
    },

    /// The kubeconfig cannot be used as it is.
    #[error("kubeconfig {}: {problem}", .path.display())]
    Kubeconfig {
        /// The kubeconfig.
        path: PathBuf,
        /// What is wrong where, without quoting values, and what to do.
        problem: String,
    },

    /// Everybody on this host may read, or change, what only the driver should.
    #[error("{problem} (mode {mode:04o}); run: chmod {} {}", .chmod, .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What is wrong, with the file's name.
        problem: String,
        /// The permission bits that are right.
        chmod: &'static str,
    },

    /// The way to the API server cannot be used as it is set.
    #[error("the API server {server} cannot be asked: {problem}")]
    Network {
        /// Host and port.
        server: String,
        /// Which setting is wrong, and what to do.
        problem: String,
    },

    /// No complete answer of the API server.
    #[error("the API server {server} cannot be asked for node {node}: {problem}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// The node.
        node: String,
        /// What happened on the network.
        problem: String,
    },

    /// The API server does not let this user read nodes.
    #[error("the API server {server} refuses to show node {node} ({status}): {}", cure(*.status))]
    Refused {
        /// Host and port.
        server: String,
        /// The node.
        node: String,
        /// 401 or 403.
        status: u16,
    },

    /// Something else than a node.
    #[error("the API server {server} answers {status} for node {node}: {problem}")]
    Answer {
        /// Host and port.
        server: String,
        /// The node.
        node: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        problem: String,
    },
}

impl Error {
    /// Whether the API server answered that this user may not know.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether the same question may be answered later, without any change by an operator.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Answer { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

fn of_field(field: &Option<&'static str>) -> String {
    field.map(|field| format!(" ({field} of the kubeconfig)")).unwrap_or_default()
}

fn cure(status: u16) -> &'static str {
    if status == 401 {
        "the token or client certificate is not valid (any more)"
    } else {
        "its user needs a ClusterRole with apiGroups: [\"\"], resources: [nodes], verbs: [get]"
    }
}

pub(crate) fn wrong(path: &Path, problem: impl Into<String>) -> Error {
    Error::Kubeconfig { path: path.to_owned(), problem: problem.into() }
}
