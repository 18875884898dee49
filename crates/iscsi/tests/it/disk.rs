//! Waiting for the disk: nothing is returned before it can be used, nothing is waited for in vain.

use std::{os::unix::net::UnixListener, time::Duration};

use expect_test::{Expect, expect};

use crate::world::{Event, READY, World, chain, unit_dir, volume};

#[track_caller]
fn check(world: &World, expected: Expect) {
    let before = world.waited();
    let result = match world.initiator().disk(&volume()) {
        Ok(path) => path.strip_prefix(world.tree().path("")).unwrap().display().to_string(),
        Err(error) => {
            assert!(error.is_transient());
            chain(&error).replace(world.tree().path("").to_str().unwrap(), "/")
        }
    };
    expected.assert_eq(&format!("{result}, waited {:?}", world.waited() - before));
    assert_eq!(world.take(), "", "iscsiadm has nothing to do with it");
}

fn unit(file: &str) -> String {
    format!("{}/{file}", unit_dir(1, 1))
}

fn write(world: &World, file: &str, content: &'static str) {
    world.happens(Event::Write(unit(file), content));
}

#[test]
fn a_disk_that_is_there_is_looked_at_again() {
    let world = World::logged_in();
    check(&world, expect!["dev/sda, waited 0ns"]);
    assert_eq!(world.tree().read(&unit("rescan")), "1");
}

#[test]
fn a_disk_that_is_not_there_is_scanned_for() {
    let world = World::new();
    world.initiator().log_in(&volume(), None).unwrap();
    world.take();
    check(&world, expect!["dev/sda, waited 10ms"]);
}

#[test]
fn a_deleted_disk_comes_back() {
    let world = World::logged_in();
    world.tree().remove(&[unit_dir(1, 1)]);
    check(&world, expect!["dev/sda, waited 10ms"]);
    check(&world, expect!["dev/sda, waited 0ns"]);
}

#[test]
fn a_unit_that_the_target_shows_late_is_found() {
    let world = World::logged_in();
    world.happens(Event::Unit(1, ""));
    world.tree().remove(&[unit_dir(1, 1)]);
    world.later(5_000, Event::Unit(1, READY));
    check(&world, expect!["dev/sda, waited 5.27s"]);
}

#[test]
fn without_a_session_there_is_nothing_to_wait_for() {
    check(
        &World::new(),
        expect![
            "the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: there is no session, waited 0ns"
        ],
    );
}

#[test]
fn a_session_that_ends_meanwhile_ends_the_waiting() {
    let world = World::logged_in();
    write(&world, "state", "blocked");
    world.later(5_000, Event::End(1));
    check(
        &world,
        expect![
            "the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: there is no session, waited 5.27s"
        ],
    );
}

#[test]
fn each_obstacle_is_waited_for_and_named() {
    let file = |path: &str, content| Event::Write(path.into(), content);
    let unit = |path: &str, content| file(&unit(path), content);
    let obstacles = [
        (Event::State(1, "FAILED"), Event::State(1, "LOGGED_IN")),
        (unit("state", "blocked"), unit("state", "running")),
        (unit("state", "transport-offline"), unit("state", "running")),
        (unit("block/sda/size", "0"), unit("block/sda/size", "97656")),
        (Event::Remove(format!("{}/block/sda", unit_dir(1, 1))), unit("block/sda/dev", "8:0")),
        (
            Event::Remove(format!("{}/block/sda/size", unit_dir(1, 1))),
            unit("block/sda/size", "97656"),
        ),
        (Event::Remove("dev/sda".into()), file("dev/sda", "")),
    ];
    let mut never = String::new();
    for (put, take_away) in obstacles {
        let world = World::logged_in();
        world.happens(put.clone());
        let error = world.initiator().disk(&volume()).unwrap_err();
        assert_eq!(world.waited(), Duration::from_secs(60));
        never += &chain(&error).replace(world.tree().path("").to_str().unwrap(), "/");
        never += "\n";

        let world = World::logged_in();
        world.happens(put);
        world.later(9_000, take_away);
        world.later(9_000, unit("block/sda/size", "97656"));
        let path = world.initiator().disk(&volume()).unwrap();
        assert_eq!(path, world.tree().path("dev/sda"));
        assert!(
            world.waited() > Duration::from_secs(8) && world.waited() < Duration::from_secs(11)
        );
    }
    expect![[r#"
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: the state of its session is FAILED
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: the kernel says it is blocked
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: the kernel says it is transport-offline
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: the size of sda is 0
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: it has no block device
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: it has no block device
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: /dev/sda does not exist
    "#]].assert_eq(&never);
}

#[test]
fn a_node_that_does_not_open_yet_is_waited_for() {
    let world = World::logged_in();
    world.happens(Event::Remove("dev/sda".into()));
    // Opening a socket fails as opening the node of a disk in the making does.
    let _socket = UnixListener::bind(world.tree().path("dev/sda")).unwrap();
    check(
        &world,
        expect![
            "the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: cannot open /dev/sda: No such device or address (os error 6), waited 60s"
        ],
    );
}

#[test]
fn a_device_that_does_not_run_is_not_touched() {
    for state in ["blocked", "transport-offline", "quiesce", "cancel"] {
        let world = World::logged_in();
        write(&world, "state", state);
        world.initiator().disk(&volume()).unwrap_err();
        assert_eq!(world.tree().read(&unit("rescan")), "", "{state}");
        assert_eq!(world.tree().read(&unit("state")), state);
    }
}

#[test]
fn a_disk_without_size_is_asked_for_it() {
    let world = World::logged_in();
    write(&world, "block/sda/size", "0");
    world.later(100, Event::Write(unit("rescan"), ""));
    world.initiator().disk(&volume()).unwrap_err();
    assert_eq!(world.tree().read(&unit("rescan")), "1");
}

#[test]
fn a_disk_left_offline_by_a_broken_off_logout_is_taken_back() {
    let world = World::logged_in();
    write(&world, "state", "offline");
    check(&world, expect!["dev/sda, waited 10ms"]);
    assert_eq!(world.tree().read(&unit("state")), "running");
}

#[test]
fn waits_grow_from_fast_to_slow() {
    let world = World::logged_in();
    write(&world, "state", "blocked");
    world.initiator().disk(&volume()).unwrap_err();
    let waits: Vec<_> = world.waits().iter().map(Duration::as_millis).collect();
    assert_eq!(waits[..9], [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    assert!(waits.len() < 70);
}
