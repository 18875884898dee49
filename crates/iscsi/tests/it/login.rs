//! Logging in: the record first, and a session that sysfs shows to work.

use std::time::Duration;

use command::Error;
use expect_test::{Expect, expect};

use crate::{
    story,
    world::{Event, IQN, World, unit_dir, volume},
};

#[track_caller]
fn check(world: &World, expected: Expect) {
    expected.assert_eq(&story::log_in(world));
}

#[test]
fn a_login_writes_the_record_and_the_settings_first() {
    check(
        &World::new(),
        expect![[r#"
        Done
        ran: new update login
        session: LOGGED_IN, record: manual, waited 0ns
    "#]],
    );
}

#[test]
fn a_second_login_is_a_success() {
    let world = World::new();
    story::log_in(&world);
    world.initiator().disk(&volume()).unwrap();
    check(
        &world,
        expect![[r#"
            AlreadyDone
            ran: 
            session: LOGGED_IN, record: manual, waited 0ns
        "#]],
    );
}

#[test]
fn a_foreign_session_is_adopted_but_not_at_boot() {
    check(
        &World::logged_in(),
        expect![[r#"
        AlreadyDone
        ran: update
        session: LOGGED_IN, record: manual, waited 0ns
    "#]],
    );
}

#[test]
fn a_session_that_is_adopted_keeps_io_waiting_no_longer_than_ours() {
    let file = "sys/devices/platform/host3/session1/iscsi_session/session1/recovery_tmo";
    for (before, after) in [("off", "120"), ("-1", "120"), ("6000", "120"), ("15", "15")] {
        let world = World::logged_in();
        world.happens(Event::Write(file.into(), before));
        world.initiator().log_in(&volume(), None).unwrap();
        assert_eq!(world.tree().read(file), after);

        world.happens(Event::Write(file.into(), before));
        world.initiator().limit_replacement_timeout(&[volume()]);
        assert_eq!(world.tree().read(file), after);
    }
    // A word of the kernel's against it does not keep the volume from being used.
    let world = World::logged_in();
    world.tree().add(&format!("{file} -> /proc/version"));
    world.initiator().log_in(&volume(), None).unwrap();
}

/// An iscsid that was held up may have an abandoned logout before it: one that comes back to life would carry it out
/// under the mount.
#[test]
fn a_session_that_may_be_ending_is_ended_first() {
    check(
        &World::without_disk(),
        expect![[r#"
        Done
        ran: logout delete new update login
        session: LOGGED_IN, record: manual, waited 0ns
    "#]],
    );
    let world = World::without_disk();
    world.breaks("logout", hung, None);
    check(
        &world,
        expect![[r#"
        cannot log out of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260: iscsiadm did not finish within 40s and was killed (again later)
        ran: logout
        session: LOGGED_IN, record: automatic, waited 60s
    "#]],
    );
    // No call has asked for the end of one that has other disks.
    let world = World::without_disk();
    world.tree().add(&format!(
        "{0}/state = running\n{0}/block/sdb/dev = 8:16\n{0}/block/sdb/size = 8",
        unit_dir(1, 2)
    ));
    check(
        &world,
        expect![[r#"
        AlreadyDone
        ran: update
        session: LOGGED_IN, record: manual, waited 0ns
    "#]],
    );
}

#[test]
fn adopting_needs_no_record_and_no_iscsiadm() {
    let world = World::logged_in();
    world.initiator().log_in(&volume(), None).unwrap();
    world.answers("update", 21, "");
    check(
        &world,
        expect![[r#"
        AlreadyDone
        ran: update update
        session: LOGGED_IN, record: manual, waited 0ns
    "#]],
    );
    world.breaks("update", missing, None);
    check(
        &world,
        expect![[r#"
        AlreadyDone
        ran: update
        session: LOGGED_IN, record: manual, waited 0ns
    "#]],
    );
}

#[test]
fn a_hiccup_is_tried_again() {
    let world = World::new();
    world.answers("new", 6, "").answers("login", 18, "").answers("login", 29, "");
    check(
        &world,
        expect![[r#"
        Done
        ran: new new update login login login
        session: LOGGED_IN, record: manual, waited 4s
    "#]],
    );
}

#[test]
fn a_session_may_take_its_time() {
    let world = World::new();
    world.answers_and("login", 0, 2500, session("LOGGED_IN"));
    check(
        &world,
        expect![[r#"
        Done
        ran: new update login
        session: LOGGED_IN, record: manual, waited 3.27s
    "#]],
    );
    let longest = world.waits().into_iter().max().unwrap();
    assert_eq!(longest, Duration::from_secs(1));
}

const TABLE: &str = "proc/net/tcp";
/// The kernel's line of a connection to the volume's portal, not taken yet.
const CONNECTING: &str = "0: 0202000A:8A3C 0202FEA9:0CBC 02";
const CONNECTED: &str = "0: 0202000A:8A3C 0202FEA9:0CBC 01";

fn shows(line: &'static str) -> Event {
    Event::Write(TABLE.into(), line)
}

#[test]
fn a_login_that_is_pending_already_is_waited_for_while_it_is_seen() {
    for line in [CONNECTING, CONNECTED] {
        let world = World::new();
        world.later(9_000, shows(line));
        world.later(12_000, Event::Remove(TABLE.into()));
        world.answers_and("login", 15, 30_000, session("LOGGED_IN"));
        check(
            &world,
            expect![[r#"
                Done
                ran: new update login
                session: LOGGED_IN, record: manual, waited 30.27s
            "#]],
        );
    }
}

#[test]
fn a_pending_login_is_left_to_the_next_call() {
    let world = World::new();
    world.happens(shows(CONNECTING));
    world.answers_and("login", 15, 70_000, session("LOGGED_IN"));
    check(
        &world,
        expect![[r#"
        the login to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is pending in iscsid, and the next call goes on from there: the portal does not answer yet (again later)
        ran: new update login
        session: none, record: manual, waited 60s
    "#]],
    );
    world.initiator().disk(&volume()).unwrap_err();
    world.answers_and("login", 15, 20_000, session("LOGGED_IN"));
    check(
        &world,
        expect![[r#"
        Done
        ran: new update login
        session: LOGGED_IN, record: manual, waited 10.27s
    "#]],
    );
}

/// iscsiadm says "session exists", sysfs shows none: what is blamed is what is to be seen.
#[test]
fn a_login_that_is_not_seen_is_not_blamed_on_the_portal() {
    let tell = |prepare: fn(&World)| {
        let world = World::new();
        prepare(&world);
        world.answers("login", 15, "");
        story::log_in(&world)
    };
    let told = [
        tell(|_| {}),
        tell(|world| world.happens(shows(CONNECTED))),
        // The connection of another target's session.
        tell(|world| {
            world.happens(shows(CONNECTED));
            world.happens(Event::Session(
                "169.254.2.2",
                "iqn.2015-12.com.oracleiaas:other",
                "LOGGED_IN",
            ));
        }),
        // A session that an administrator has made through a name.
        tell(|world| world.happens(Event::Session("portal.example", IQN, "LOGGED_IN"))),
    ];
    expect![[r#"
        the login to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is pending in iscsid, and the next call goes on from there: the kernel shows neither a session nor a connection to the portal; if that stays so, iscsid is stuck or mistaken (systemctl restart iscsid), or in another network namespace than kubelet (again later)
        ran: new update login
        session: none, record: manual, waited 20.27s
        the login to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is pending in iscsid, and the next call goes on from there: the portal has taken the connection, and the target does not answer the login yet (again later)
        ran: new update login
        session: none, record: manual, waited 60s
        the login to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is pending in iscsid, and the next call goes on from there: the kernel shows neither a session nor a connection to the portal; if that stays so, iscsid is stuck or mistaken (systemctl restart iscsid), or in another network namespace than kubelet (again later)
        ran: new update login
        session: none, record: manual, waited 20.27s
        the login to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is pending in iscsid, and the next call goes on from there: session1 is there, but the kernel does not show an address as its portal; iscsiadm --mode session --print 3 shows whose it is (again later)
        ran: new update login
        session: none, record: manual, waited 60s
    "#]].assert_eq(&told.concat());
}

fn hung() -> Error {
    Error::Timeout { program: "iscsiadm", limit: Duration::from_secs(40), stuck: false }
}

fn missing() -> Error {
    Error::NotFound { program: "iscsiadm", search_path: "/sbin".into() }
}

#[test]
fn killing_iscsiadm_does_not_cancel_the_login() {
    let world = World::new();
    world.breaks("login", hung, Some((12_000, session("LOGGED_IN"))));
    check(
        &world,
        expect![[r#"
        Done
        ran: new update login
        session: LOGGED_IN, record: manual, waited 12.27s
    "#]],
    );
    let world = World::new();
    world.breaks("login", hung, None);
    check(
        &world,
        expect![[r#"
            the login to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is pending in iscsid, and the next call goes on from there: the kernel shows neither a session nor a connection to the portal; if that stays so, iscsid is stuck or mistaken (systemctl restart iscsid), or in another network namespace than kubelet (again later)
            ran: new update login
            session: none, record: manual, waited 20.27s
        "#]],
    );
}

#[test]
fn a_missing_iscsiadm_is_named_and_nothing_undone() {
    let world = World::new();
    world.breaks("new", missing, None);
    check(
        &world,
        expect![[r#"
        cannot write the node record of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260: cannot run iscsiadm: no executable file of this name in /sbin; install open-iscsi (Debian, Ubuntu) or iscsi-initiator-utils (Oracle Linux)
        ran: new
        session: none, record: none, waited 0ns
    "#]],
    );
}

#[test]
fn what_was_made_is_undone_when_a_later_step_fails() {
    let world = World::new();
    world.answers("update", 7, "iscsiadm: unknown name");
    check(
        &world,
        expect![[r#"
            cannot write the node record of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260: iscsiadm finds the request or a file invalid: its version is not supported, or the file that it names was written by another version and is to be removed (iscsiadm exit code 7: iscsiadm: unknown name)
            ran: new update delete
            session: none, record: none, waited 0ns
        "#]],
    );
    let world = World::new();
    world.answers_and("login", 0, 100, session("FAILED"));
    check(
        &world,
        expect![[r#"
            the session to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 does not work: its state is FAILED; iscsid goes on trying, see journalctl --unit iscsid (again later)
            ran: new update login logout delete
            session: none, record: none, waited 60s
        "#]],
    );
    let world = World::new();
    world.answers("login", 19, "").answers("delete", 6, "").answers("delete", 6, "");
    check(
        &world,
        expect![[r#"
        cannot log in to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260: the target does not know us or its name: is the volume still attached to this instance? (iscsiadm exit code 19) (again later)
        ran: new update login delete delete delete
        session: none, record: none, waited 3s
    "#]],
    );
}

fn session(state: &'static str) -> Event {
    Event::Session("169.254.2.2", IQN, state)
}
