//! Logging out where no disk stands in the way.

use std::time::Duration;

use command::Error;
use expect_test::{Expect, expect};

use crate::{
    story,
    world::{Event, IQN, World, chain, unit_dir, volume},
};

#[track_caller]
fn check(world: &World, expected: Expect) {
    expected.assert_eq(&story::log_out(world));
}

#[test]
fn a_logout_ends_the_session_and_removes_the_record() {
    check(
        &World::without_disk(),
        expect![[r#"
        Done
        ran: logout delete
        session: none, record: none, waited 0ns
    "#]],
    );
}

#[test]
fn a_second_logout_is_a_success() {
    let world = World::without_disk();
    story::log_out(&world);
    check(
        &world,
        expect![[r#"
        AlreadyDone
        ran: delete
        session: none, record: none, waited 0ns
    "#]],
    );
}

#[test]
fn a_record_without_session_is_removed() {
    let world = World::new();
    world.has_record("automatic");
    check(
        &world,
        expect![[r#"
        Done
        ran: delete
        session: none, record: none, waited 0ns
    "#]],
    );
}

#[test]
fn a_session_without_record_is_ended() {
    let world = World::without_disk();
    world.answers("delete", 21, "");
    check(
        &world,
        expect![[r#"
        Done
        ran: logout delete
        session: none, record: automatic, waited 0ns
    "#]],
    );
}

#[test]
fn nothing_to_do_needs_no_iscsiadm() {
    let world = World::new();
    let missing = || Error::NotFound { program: "iscsiadm", search_path: "/sbin".into() };
    world.breaks("delete", missing, None);
    check(
        &world,
        expect![[r#"
        AlreadyDone
        ran: delete
        session: none, record: none, waited 0ns
    "#]],
    );
}

#[test]
fn a_unit_that_is_no_disk_is_deleted() {
    let world = World::without_disk();
    world.tree().add(&format!("{0}/state = running\n{0}/delete =", unit_dir(1, 1)));
    check(
        &world,
        expect![[r#"
        Done
        ran: logout delete
        session: none, record: none, waited 10ms
    "#]],
    );
}

#[test]
fn a_disk_that_cannot_be_read_is_not_taken_for_none() {
    for gone in ["dev", "size"] {
        let world = World::logged_in();
        world.tree().remove(&[format!("{}/block/sda/{gone}", unit_dir(1, 1))]);
        let error = world.initiator().log_out(&volume()).unwrap_err();
        assert_eq!(
            chain(&error),
            format!(
                "the disk of {IQN} (LUN 1) at 169.254.2.2:3260 is not ready: \
                 its block device is coming or going"
            )
        );
        assert_eq!(world.take(), "");
    }
}

#[test]
fn a_unit_that_does_not_go_keeps_the_session() {
    let world = World::without_disk();
    world.tree().add(&format!("{}/state = running", unit_dir(1, 1))); // no file to delete it by
    check(
        &world,
        expect![[r#"
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: the kernel does not let go of it (again later)
        ran: 
        session: LOGGED_IN, record: automatic, waited 10s
    "#]],
    );
}

#[test]
fn a_session_may_end_late() {
    let world = World::without_disk();
    world.answers_and("logout", 0, 8_000, Event::End(1));
    check(
        &world,
        expect![[r#"
        Done
        ran: logout delete
        session: none, record: none, waited 8.27s
    "#]],
    );
    let world = World::without_disk();
    let hung =
        || Error::Timeout { program: "iscsiadm", limit: Duration::from_secs(40), stuck: false };
    world.breaks("logout", hung, Some((8_000, Event::End(1))));
    check(
        &world,
        expect![[r#"
        Done
        ran: logout delete
        session: none, record: none, waited 8.27s
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
}

#[test]
fn a_daemon_that_was_just_restarted_is_asked_again() {
    let world = World::without_disk();
    world.answers("logout", 32, "");
    check(
        &world,
        expect![[r#"
        Done
        ran: logout logout delete
        session: none, record: none, waited 1s
    "#]],
    );
}

#[test]
fn a_record_that_cannot_be_removed_does_not_hold_the_volume() {
    let world = World::without_disk();
    for _ in 0..4 {
        world.answers("delete", 6, "");
    }
    check(
        &world,
        expect![[r#"
        Done
        ran: logout delete delete delete delete
        session: none, record: automatic, waited 7s
    "#]],
    );
}

#[test]
fn a_record_in_use_means_a_login_is_pending() {
    let world = World::new();
    world.answers("delete", 15, "");
    check(
        &world,
        expect![[r#"
            the login to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is pending in iscsid, and the next call goes on from there: the kernel shows neither a session nor a connection to the portal; if that stays so, iscsid is stuck or mistaken (systemctl restart iscsid), or in another network namespace than kubelet (again later)
            ran: delete
            session: none, record: none, waited 0ns
        "#]],
    );
    let world = World::without_disk();
    world.answers_and("delete", 15, 0, Event::Session("169.254.2.2", IQN, "LOGGED_IN"));
    check(
        &world,
        expect![[r#"
            the session to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is still there after the logout; the next call tries again, and iscsiadm --mode session --print 3 shows who holds it (again later)
            ran: logout delete
            session: LOGGED_IN, record: automatic, waited 0ns
        "#]],
    );
}

#[test]
fn other_sessions_are_left_alone() {
    let world = World::without_disk();
    world.happens(Event::Session("169.254.2.3", IQN, "LOGGED_IN"));
    world.happens(Event::Session("169.254.2.2", "iqn.2015-12.com.oracleiaas:other", "LOGGED_IN"));
    check(
        &world,
        expect![[r#"
        Done
        ran: logout delete
        session: none, record: none, waited 0ns
    "#]],
    );
    assert_eq!(std::fs::read_dir(world.tree().path("sys/class/iscsi_session")).unwrap().count(), 2);
}

#[test]
fn of_two_sessions_none_is_ended() {
    let world = World::without_disk();
    world.happens(Event::Session("169.254.2.2", IQN, "LOGGED_IN"));
    check(
        &world,
        expect![[r#"
        there are 2 sessions to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260: session1, session2; end all but one
        ran: 
        session: ?, record: automatic, waited 0ns
    "#]],
    );
}

#[test]
fn a_session_is_kept_for_its_other_disks() {
    let world = World::without_disk();
    world.tree().add(&format!(
        "{0}/state = running\n{0}/block/sdb/dev = 8:16\n{0}/block/sdb/size = 8",
        unit_dir(1, 2)
    ));
    check(
        &world,
        expect![[r#"
        Done
        ran: 
        session: LOGGED_IN, record: automatic, waited 0ns
    "#]],
    );
}

#[test]
fn a_disk_that_waits_in_the_kernel_is_not_touched() {
    for state in ["blocked", "quiesce", "created-blocked", "something new"] {
        let world = World::logged_in();
        world.happens(Event::Write(format!("{}/state", unit_dir(1, 1)), state));
        let error = world.initiator().log_out(&volume()).unwrap_err();
        assert_eq!(
            chain(&error),
            format!(
                "the disk of {IQN} (LUN 1) at 169.254.2.2:3260 is not ready: the kernel says it is {state}"
            )
        );
        assert_eq!(world.take(), "");
        assert_eq!(world.tree().read(&format!("{}/delete", unit_dir(1, 1))), "");
    }
}
