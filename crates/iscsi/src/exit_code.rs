//! iscsiadm's exit codes by name, and what to do about each.

use std::fmt;

/// How iscsiadm ended, as `iscsi_err.h` of open-iscsi numbers it. A hint, never proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCode(pub i32);

impl ExitCode {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const SESSION_NOT_FOUND: Self = Self(2);
    /// Also when there is a node record that can be neither used nor replaced.
    pub(crate) const DATABASE: Self = Self(6);
    /// Also when such a record is of another version.
    pub(crate) const INVALID: Self = Self(7);
    /// Also while a login is pending and there is no session.
    pub(crate) const SESSION_EXISTS: Self = Self(15);
    /// No record, no session; also when the daemon is dead and the session lives.
    pub(crate) const NO_OBJECTS: Self = Self(21);

    /// The target wants CHAP, and had none or the wrong secret.
    pub(crate) const UNAUTHORIZED: Self = Self(24);

    /// Whether the same command may succeed a second later: locks, restarts, overload, races.
    pub(crate) fn is_retryable(self) -> bool {
        matches!(self.0, 4 | 6 | 18 | 22 | 23 | 29 | 32 | 33)
    }

    /// Whether a later call may succeed without a change on this machine.
    pub fn is_transient(self) -> bool {
        !matches!(self.0, 7 | 12..=14 | 16 | 17 | 20 | 24..=27 | 30)
    }

    /// What it means, and the cure.
    fn meaning(self) -> &'static str {
        match self.0 {
            0 => "iscsiadm says that it has done it",
            2 | 21 => "iscsiadm finds no such record or session",
            3 => "out of memory",
            4 => "the portal refuses the connection or there is no route to it",
            5 => "the target refuses the login",
            6 => {
                "iscsiadm cannot use its node records: look for a full disk or damaged files in \
                 /etc/iscsi/nodes or /var/lib/iscsi/nodes"
            }
            7 => {
                "iscsiadm finds the request or a file invalid: its version is not supported, or the file that it \
                 names was written by another version and is to be removed"
            }
            8 => {
                "the portal does not answer: check the network, and that the volume is still attached \
                 to this instance"
            }
            9 => "iscsid failed: see journalctl -u iscsid",
            10 => "the logout failed",
            11 => "the target did not answer in time",
            12 => "the kernel cannot do iSCSI over TCP: modprobe iscsi_tcp",
            13 => {
                "access denied: the driver must run as root, in the user namespace in which iscsid runs"
            }
            14 | 16 | 27 | 30 => {
                "iscsiadm and iscsid do not understand each other: they must be of one version, restart iscsid"
            }
            15 => "iscsiadm says that the session exists",
            18 => "iscsid broke off: see journalctl -u iscsid",
            19 => {
                "the target does not know us or its name: is the volume still attached to this instance?"
            }
            20 => {
                "iscsid is not running, or not in the network namespace of kubelet: systemctl enable --now iscsid"
            }
            17 | 25 | 26 => "iscsiadm asked an iSNS server: only plain portals are supported",
            22 | 23 => "the session vanished from sysfs meanwhile",
            24 => "the target wants other CHAP credentials",
            28 => "the disk is still mounted",
            29 | 33 => "iscsid is overloaded",
            31 | 32 => "iscsid lost the session",
            126 | 127 => {
                "iscsiadm is a script on this node, and what it is to run is missing or not executable"
            }
            _ => "iscsiadm failed",
        }
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn every_code_has_a_meaning_and_a_cure() {
        let kind = |code: ExitCode| match (code.is_retryable(), code.is_transient()) {
            (true, _) => "again at once",
            (false, true) => "again later",
            (false, false) => "operator",
        };
        let table: Vec<_> =
            (0..=34).map(ExitCode).map(|c| format!("{:>2} {:<13} {c}\n", c.0, kind(c))).collect();
        expect![[r#"
             0 again later   iscsiadm says that it has done it
             1 again later   iscsiadm failed
             2 again later   iscsiadm finds no such record or session
             3 again later   out of memory
             4 again at once the portal refuses the connection or there is no route to it
             5 again later   the target refuses the login
             6 again at once iscsiadm cannot use its node records: look for a full disk or damaged files in /etc/iscsi/nodes or /var/lib/iscsi/nodes
             7 operator      iscsiadm finds the request or a file invalid: its version is not supported, or the file that it names was written by another version and is to be removed
             8 again later   the portal does not answer: check the network, and that the volume is still attached to this instance
             9 again later   iscsid failed: see journalctl -u iscsid
            10 again later   the logout failed
            11 again later   the target did not answer in time
            12 operator      the kernel cannot do iSCSI over TCP: modprobe iscsi_tcp
            13 operator      access denied: the driver must run as root, in the user namespace in which iscsid runs
            14 operator      iscsiadm and iscsid do not understand each other: they must be of one version, restart iscsid
            15 again later   iscsiadm says that the session exists
            16 operator      iscsiadm and iscsid do not understand each other: they must be of one version, restart iscsid
            17 operator      iscsiadm asked an iSNS server: only plain portals are supported
            18 again at once iscsid broke off: see journalctl -u iscsid
            19 again later   the target does not know us or its name: is the volume still attached to this instance?
            20 operator      iscsid is not running, or not in the network namespace of kubelet: systemctl enable --now iscsid
            21 again later   iscsiadm finds no such record or session
            22 again at once the session vanished from sysfs meanwhile
            23 again at once the session vanished from sysfs meanwhile
            24 operator      the target wants other CHAP credentials
            25 operator      iscsiadm asked an iSNS server: only plain portals are supported
            26 operator      iscsiadm asked an iSNS server: only plain portals are supported
            27 operator      iscsiadm and iscsid do not understand each other: they must be of one version, restart iscsid
            28 again later   the disk is still mounted
            29 again at once iscsid is overloaded
            30 operator      iscsiadm and iscsid do not understand each other: they must be of one version, restart iscsid
            31 again later   iscsid lost the session
            32 again at once iscsid lost the session
            33 again at once iscsid is overloaded
            34 again later   iscsiadm failed
        "#]].assert_eq(&table.concat());
    }
}
