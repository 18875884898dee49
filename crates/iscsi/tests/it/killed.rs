//! A caller that is killed at any of its steps: the next call reaches the same end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use iscsi::{Initiator, Outcome};

use crate::world::{World, volume};

/// Runs `verb` and kills it at every run of iscsiadm, each time on a fresh `world`; then runs it again.
#[track_caller]
fn check(world: fn() -> World, verb: fn(&Initiator) -> Outcome, end: fn(&World), kills: usize) {
    let mut killed = 0;
    for (number, after) in (0..10).flat_map(|number| [(number, false), (number, true)]) {
        let world = world();
        world.kills(number, after);
        let initiator = world.initiator();
        if catch_unwind(AssertUnwindSafe(|| verb(&initiator))).is_err() {
            killed += 1;
            verb(&initiator);
        }
        end(&world);
    }
    assert_eq!(killed, kills);
}

#[test]
fn a_killed_login_is_finished_by_the_next() {
    let log_in = |initiator: &Initiator| initiator.log_in(&volume(), None).unwrap();
    let logged_in = |world: &World| {
        assert!(world.initiator().session(&volume()).unwrap().unwrap().is_logged_in());
        assert_eq!(world.record().unwrap(), "manual");
        world.initiator().disk(&volume()).unwrap();
    };
    check(World::new, log_in, logged_in, 6);
}

#[test]
fn a_killed_logout_is_finished_by_the_next() {
    let log_out = |initiator: &Initiator| initiator.log_out(&volume()).unwrap();
    let logged_out = |world: &World| {
        assert!(world.initiator().session(&volume()).unwrap().is_none());
        assert!(world.record().is_none());
    };
    check(World::without_disk, log_out, logged_out, 4);
}

#[test]
fn a_killed_logout_is_undone_by_a_login() {
    let log_out_then_in = |initiator: &Initiator| {
        let _ = initiator.log_out(&volume());
        initiator.log_in(&volume(), None).unwrap()
    };
    let logged_in = |world: &World| {
        assert!(world.initiator().session(&volume()).unwrap().unwrap().is_logged_in());
        world.initiator().disk(&volume()).unwrap();
    };
    check(World::without_disk, log_out_then_in, logged_in, 10);
}
