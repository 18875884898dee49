//! Why a command has no output.

use std::{ffi::OsString, io, time::Duration};

use crate::package::package;

/// The program did not run to its end by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No directory of the search path holds an executable of this name. Nothing was run.
    #[error(
        "cannot run {program}: no executable file of this name in {}{}",
        search_path.display(),
        install_hint(program)
    )]
    NotFound {
        /// Its name.
        program: &'static str,
        /// Where it was looked for, separated by colons.
        search_path: OsString,
    },
    /// The system refused to start it. Nothing was run.
    #[error("cannot start {program}")]
    Spawn {
        /// Its name.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It was started, but could not be watched; it was killed.
    #[error("lost sight of {program}, which was killed in the middle of its work")]
    Watch {
        /// Its name.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It was stopped at its limit, with its children.
    #[error(
        "{program} did not finish within {limit:?} and {}",
        if *stuck { "cannot be killed: it waits in the kernel, see dmesg; it was left behind" } else { "was killed" }
    )]
    Timeout {
        /// Its name.
        program: &'static str,
        /// How long it was allowed to take.
        limit: Duration,
        /// It survived even SIGKILL, as a process does that waits for a dead disk, and may still be at work.
        stuck: bool,
    },
    /// It was killed from outside, or it crashed.
    #[error("{program} was ended by signal {signal}")]
    Signalled {
        /// Its name.
        program: &'static str,
        /// As numbered in signal(7).
        signal: i32,
    },
}

impl Error {
    /// Whether it is certain that the program did nothing, because it was never started.
    pub fn is_not_started(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Spawn { .. })
    }

    /// Whether the program was stopped at its limit.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

fn install_hint(program: &str) -> String {
    match package(program) {
        Some((debian, oracle)) if debian == oracle => format!("; install {debian}"),
        Some((debian, oracle)) => {
            format!("; install {debian} (Debian, Ubuntu) or {oracle} (Oracle Linux)")
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &Error, message: &str) {
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn messages_name_the_tool_and_the_cure() {
        let not_found =
            |program| Error::NotFound { program, search_path: "/usr/sbin:/sbin".into() };
        check(
            &not_found("iscsiadm"),
            "cannot run iscsiadm: no executable file of this name in /usr/sbin:/sbin; \
             install open-iscsi (Debian, Ubuntu) or iscsi-initiator-utils (Oracle Linux)",
        );
        check(
            &not_found("mkfs.xfs"),
            "cannot run mkfs.xfs: no executable file of this name in /usr/sbin:/sbin; install xfsprogs",
        );
        check(
            &not_found("true"),
            "cannot run true: no executable file of this name in /usr/sbin:/sbin",
        );
        let timeout = |stuck| Error::Timeout {
            program: "iscsiadm",
            limit: Duration::from_millis(1500),
            stuck,
        };
        check(&timeout(false), "iscsiadm did not finish within 1.5s and was killed");
        check(
            &timeout(true),
            "iscsiadm did not finish within 1.5s and cannot be killed: \
             it waits in the kernel, see dmesg; it was left behind",
        );
        check(&Error::Signalled { program: "e2fsck", signal: 11 }, "e2fsck was ended by signal 11");
    }
}
