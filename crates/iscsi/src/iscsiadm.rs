//! The command lines of iscsiadm, each for exactly one portal and one target, and of multipath.
//!
//! Sources: iscsiadm(8), iscsid.conf as open-iscsi ships it, multipath(8).

use std::{net::SocketAddr, time::Duration};

use command::Command;

use crate::{Iqn, Target, target::parse_address};

/// Writes a node record. Over an existing one it puts every setting back to its default.
pub(crate) fn create_record(target: &Target) -> Command {
    node(target, FILES).args(["--op", "new"])
}

/// Gives the record our [`SETTINGS`]; to be repeated whenever the record was created.
pub(crate) fn apply_settings(target: &Target) -> Command {
    SETTINGS.iter().fold(node(target, FILES).args(["--op", "update"]), |command, (name, value)| {
        command.args(["--name", name, "--value", value])
    })
}

/// Keeps the machine from logging in at its next boot, when the volume may be elsewhere.
pub(crate) fn forbid_login_at_boot(target: &Target) -> Command {
    node(target, FILES).args(["--op", "update", "--name", STARTUP.0, "--value", STARTUP.1])
}

/// Asks iscsid for a session. The limit is beyond what the settings allow it to take.
pub(crate) fn log_in(target: &Target) -> Command {
    node(target, Duration::from_secs(40)).arg("--login")
}

/// Asks iscsid to end the session, also while its disks are in use.
pub(crate) fn log_out(target: &Target) -> Command {
    node(target, Duration::from_secs(40)).arg("--logout")
}

/// Removes the node record.
pub(crate) fn delete_record(target: &Target) -> Command {
    node(target, FILES).args(["--op", "delete"])
}

/// Asks a portal for all its targets and their portals; no record is written. By default iscsiadm would write one
/// for each, and log in to all at the next boot where the distribution says so.
pub(crate) fn discover(target: &Target) -> Command {
    Command::new("iscsiadm", Duration::from_secs(40))
        .args(["--mode", "discovery", "--type", "sendtargets", "--op", "nonpersistent"])
        .args(["--portal".to_owned(), target.portal().to_string()])
}

/// The portals of `iqn` in the answer to [`discover`]: lines like `169.254.2.2:3260,1 iqn.…`.
pub(crate) fn portals(answer: &str, iqn: &Iqn) -> Vec<SocketAddr> {
    let portal = |line: &str| {
        let (portal, name) = line.trim().split_once(' ')?;
        let (address, port) = portal.split_once(',')?.0.rsplit_once(':')?;
        let portal = SocketAddr::new(parse_address(address)?, port.parse().ok()?);
        (name == iqn.as_ref()).then_some(portal)
    };
    answer.lines().filter_map(portal).collect()
}

/// Has the multipath map of this name removed; refused by the kernel while it is open.
pub(crate) fn remove_map(name: &str) -> Command {
    Command::new("multipath", Duration::from_secs(30)).args(["-f", name])
}

/// Has the multipath map of this name take over the size of its paths.
pub(crate) fn resize_map(name: &str) -> Command {
    Command::new("multipathd", Duration::from_secs(30)).args(["resize", "map", name])
}

/// iscsiadm on one target at one portal; it must never be run with less than both.
fn node(target: &Target, limit: Duration) -> Command {
    Command::new("iscsiadm", limit)
        .args(["--mode", "node", "--targetname", target.iqn.as_ref()])
        .args(["--portal".to_owned(), target.portal().to_string()])
}

pub(crate) const STARTUP: (&str, &str) = ("node.startup", "manual");

pub(crate) const SCAN: (&str, &str) = ("node.session.scan", "manual");

/// How long I/O waits for a lost session before it fails, in seconds: nothing may hang without end.
pub(crate) const REPLACEMENT_TIMEOUT: (&str, &str) =
    ("node.session.timeo.replacement_timeout", "120");

/// What the node records of this driver say, and why.
const SETTINGS: &[(&str, &str)] = &[
    // the volume may have moved by the next boot; kubelet asks for it again
    STARTUP,
    // whatever iscsid.conf says: which of several would be the volume's?
    ("node.session.nr_sessions", "1"),
    // only the LUN that is asked for is scanned
    SCAN,
    REPLACEMENT_TIMEOUT,
    // a dead portal is noticed within 10 s
    ("node.conn[0].timeo.noop_out_interval", "5"),
    ("node.conn[0].timeo.noop_out_timeout", "5"),
    // one login takes 30 s at most; the caller comes again
    ("node.conn[0].timeo.login_timeout", "10"),
    ("node.session.initial_login_retry_max", "3"),
];

/// Work on the record files. iscsiadm looks for the lock on them 3000 times, 10 ms apart (`idbm_lock`), and then takes
/// it: one that was killed has left it. That is half a minute, and more where it gets the processor late. Stopped
/// earlier, it would leave it to the next one, and so on.
const FILES: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(command: fn(&Target) -> Command, line: Expect) {
        let target = |address: &str| Target {
            address: address.parse().unwrap(),
            port: 3260,
            iqn: "iqn.2015-12.com.oracleiaas:1f2e".parse().unwrap(),
            lun: 1,
        };
        let lines = ["169.254.2.2", "fd00:c1::2"].map(|at| command(&target(at)).to_string());
        line.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn every_line_names_target_and_portal() {
        check(
            create_record,
            expect![[r#"
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal 169.254.2.2:3260 --op new
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal '[fd00:c1::2]:3260' --op new"#]],
        );
        check(
            apply_settings,
            expect![[r#"
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal 169.254.2.2:3260 --op update --name node.startup --value manual --name node.session.nr_sessions --value 1 --name node.session.scan --value manual --name node.session.timeo.replacement_timeout --value 120 --name 'node.conn[0].timeo.noop_out_interval' --value 5 --name 'node.conn[0].timeo.noop_out_timeout' --value 5 --name 'node.conn[0].timeo.login_timeout' --value 10 --name node.session.initial_login_retry_max --value 3
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal '[fd00:c1::2]:3260' --op update --name node.startup --value manual --name node.session.nr_sessions --value 1 --name node.session.scan --value manual --name node.session.timeo.replacement_timeout --value 120 --name 'node.conn[0].timeo.noop_out_interval' --value 5 --name 'node.conn[0].timeo.noop_out_timeout' --value 5 --name 'node.conn[0].timeo.login_timeout' --value 10 --name node.session.initial_login_retry_max --value 3"#]],
        );
        check(
            forbid_login_at_boot,
            expect![[r#"
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal 169.254.2.2:3260 --op update --name node.startup --value manual
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal '[fd00:c1::2]:3260' --op update --name node.startup --value manual"#]],
        );
        check(
            log_in,
            expect![[r#"
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal 169.254.2.2:3260 --login
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal '[fd00:c1::2]:3260' --login"#]],
        );
        check(
            log_out,
            expect![[r#"
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal 169.254.2.2:3260 --logout
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal '[fd00:c1::2]:3260' --logout"#]],
        );
        check(
            discover,
            expect![[r#"
                iscsiadm --mode discovery --type sendtargets --op nonpersistent --portal 169.254.2.2:3260
                iscsiadm --mode discovery --type sendtargets --op nonpersistent --portal '[fd00:c1::2]:3260'"#]],
        );
        check(
            delete_record,
            expect![[r#"
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal 169.254.2.2:3260 --op delete
            iscsiadm --mode node --targetname iqn.2015-12.com.oracleiaas:1f2e --portal '[fd00:c1::2]:3260' --op delete"#]],
        );
    }

    #[test]
    fn none_is_stopped_while_it_waits_for_the_lock_of_a_killed_one() {
        let target = Target {
            address: "169.254.2.2".parse().unwrap(),
            port: 3260,
            iqn: "iqn.x:1f2e".parse().unwrap(),
            lun: 1,
        };
        let lock = Duration::from_secs(30);
        for command in [create_record, apply_settings, forbid_login_at_boot, delete_record] {
            let command = command(&target);
            assert!(command.limit() >= lock * 4, "on a busy machine: {command:?}");
        }
        for command in [log_in, log_out] {
            let command = command(&target);
            assert!(command.limit() > lock, "{command:?}");
        }
    }

    #[test]
    fn an_answer_to_discovery_names_portals() {
        let answer = "169.254.2.2:3260,1 iqn.x:1f2e\n169.254.2.3:3260,1 iqn.x:1f2e\n\
                      169.254.2.4:3260,1 iqn.x:1f2e-other\n[fd00:c1::2]:3260,2 iqn.x:1f2e\n\
                      portal.example:3260,1 iqn.x:1f2e\nnoise\n\n";
        let portals = portals(answer, &"iqn.x:1f2e".parse().unwrap());
        let shown: Vec<_> = portals.iter().map(SocketAddr::to_string).collect();
        assert_eq!(shown, ["169.254.2.2:3260", "169.254.2.3:3260", "[fd00:c1::2]:3260"]);
    }
}
