//! Logging in over a session that does not work: it recovers, makes way, or stays because of its disk.

use expect_test::{Expect, expect};

use crate::{
    story,
    world::{Event, IQN, World, unit_dir},
};

#[track_caller]
fn check(world: &World, expected: Expect) {
    expected.assert_eq(&story::log_in(world));
}

#[test]
fn a_broken_session_may_recover() {
    let world = World::logged_in();
    world.happens(Event::State(1, "FAILED"));
    world.later(7_000, Event::State(1, "LOGGED_IN"));
    check(
        &world,
        expect![[r#"
        AlreadyDone
        ran: update
        session: LOGGED_IN, record: manual, waited 7.27s
    "#]],
    );
}

#[test]
fn a_broken_session_without_a_disk_makes_way() {
    let world = World::new();
    world.happens(Event::Session("169.254.2.2", IQN, "FAILED"));
    check(
        &world,
        expect![[r#"
        Done
        ran: logout delete new update login
        session: LOGGED_IN, record: manual, waited 20s
    "#]],
    );
}

#[test]
fn a_broken_session_that_ends_is_replaced() {
    let world = World::new();
    world.happens(Event::Session("169.254.2.2", IQN, "FREE"));
    world.later(3_000, Event::End(1));
    check(
        &world,
        expect![[r#"
        Done
        ran: delete new update login
        session: LOGGED_IN, record: manual, waited 3.27s
    "#]],
    );
}

#[test]
fn a_broken_session_is_kept_while_its_disk_is_blocked() {
    let world = World::logged_in();
    world.happens(Event::State(1, "FAILED"));
    world.happens(Event::Write(format!("{}/state", unit_dir(1, 1)), "blocked"));
    check(
        &world,
        expect![[r#"
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: the kernel says it is blocked (again later)
        ran: 
        session: FAILED, record: automatic, waited 20s
    "#]],
    );
}
