//! Reading sessions: every state of the tree has one meaning, and none is guessed.

use expect_test::{Expect, expect};

use crate::{
    tree::Tree,
    world::{Event, IQN, World, chain, target, volume},
};

#[track_caller]
fn check(world: &World, expected: Expect) {
    let found = match world.initiator().session(&volume()) {
        Ok(Some(session)) => format!("{session:#?}\n"),
        Ok(None) => "none\n".to_owned(),
        Err(error) => format!("{}\n", chain(&error)),
    };
    expected.assert_eq(&found.replace(world.tree().path("").to_str().unwrap(), "/"));
}

#[test]
fn a_session_is_found_with_its_units() {
    let world = World::logged_in();
    world.tree().add(
        "sys/devices/platform/host3/session1/target3:0:0/3:0:0:0/state = running
         sys/devices/platform/host3/session1/target3:0:0/uevent = x",
    );
    check(
        &world,
        expect![[r#"
            Session {
                name: "session1",
                iqn: "iqn.2015-12.com.oracleiaas:1f2e",
                portal: Some(
                    169.254.2.2:3260,
                ),
                state: "LOGGED_IN",
                host: "host3",
                units: [
                    Unit {
                        lun: 0,
                        state: "running",
                        block: None,
                        is_disk: false,
                        device: "/sys/devices/platform/host3/session1/target3:0:0/3:0:0:0",
                    },
                    Unit {
                        lun: 1,
                        state: "running",
                        block: Some(
                            Block {
                                name: "sda",
                                number: DeviceNumber {
                                    major: 8,
                                    minor: 0,
                                },
                                size: 49999872,
                            },
                        ),
                        is_disk: true,
                        device: "/sys/devices/platform/host3/session1/target3:0:0/3:0:0:1",
                    },
                ],
            }
        "#]],
    );
}

#[test]
fn a_machine_without_iscsi_has_no_sessions() {
    check(
        &World::new(),
        expect![[r#"
        none
    "#]],
    );
}

#[test]
fn a_machine_without_sysfs_is_no_machine_without_sessions() {
    let world = World::new();
    world.tree().remove(&["sys".into()]);
    check(
        &world,
        expect![[r#"
        cannot read /sys/class: No such file or directory (os error 2)
    "#]],
    );
}

#[test]
fn only_the_exact_target_at_the_exact_portal_counts() {
    let world = World::new();
    world.happens(Event::Session("169.254.2.3", IQN, "LOGGED_IN"));
    world.happens(Event::Session("169.254.2.2", "iqn.2015-12.com.oracleiaas:1f2", "LOGGED_IN"));
    world.happens(Event::Session("169.254.2.2", "iqn.2015-12.com.oracleiaas:1f2ee", "LOGGED_IN"));
    world.happens(Event::Session("(null)", IQN, "FREE"));
    check(
        &world,
        expect![[r#"
        none
    "#]],
    );
}

#[test]
fn two_sessions_to_one_target_are_too_many() {
    let world = World::logged_in();
    world.happens(Event::Session("169.254.2.2", IQN, "LOGGED_IN"));
    check(
        &world,
        expect![[r#"
        there are 2 sessions to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260: session1, session2; end all but one
    "#]],
    );
}

#[test]
fn a_session_that_vanishes_is_none() {
    let session = "sys/devices/platform/host3/session1/iscsi_session/session1";
    for gone in ["targetname", "state", "device"].map(|part| format!("{session}/{part}")) {
        let world = World::logged_in();
        world.tree().remove(&[gone]);
        assert_eq!(world.initiator().session(&volume()).unwrap(), None);
    }
    let world = World::logged_in();
    world.tree().remove(&["sys/devices/platform/host3".into()]); // the link dangles
    assert_eq!(world.initiator().session(&volume()).unwrap(), None);
}

#[test]
fn an_unreadable_session_is_an_error() {
    let world = World::logged_in();
    let path = "sys/devices/platform/host3/session1/iscsi_session/session1/state";
    world.tree().remove(&[path.into()]);
    world.tree().add(&format!("{path}/x = a directory instead"));
    check(
        &world,
        expect![[r#"
        cannot read /sys/class/iscsi_session/session1/state: Is a directory (os error 21)
    "#]],
    );
}

#[test]
fn ipv6_portals_are_compared_as_addresses() {
    let world = World::new();
    world.happens(Event::Session("fd00:c1:0:0::2", IQN, "LOGGED_IN"));
    let session = world.initiator().session(&target("fd00:c1::2", IQN, 1)).unwrap().unwrap();
    assert_eq!(session.portal.unwrap().to_string(), "[fd00:c1::2]:3260");
}

#[test]
fn links_in_dev_disk_play_no_role() {
    let world = World::logged_in();
    let by_path = volume().device_path();
    world
        .tree()
        .add(&format!("{} -> ../../sdz", by_path.to_str().unwrap().trim_start_matches('/')));
    let disk = world.initiator().disk(&volume()).unwrap();
    assert_eq!(disk, world.tree().path("dev/sda"));
}

#[track_caller]
fn check_owner(world: &World, device: &str, expected: Expect) {
    let found = match world.initiator().target_of(device.parse().unwrap()) {
        Ok(Some(target)) => target.to_string(),
        Ok(None) => "none".to_owned(),
        Err(error) => chain(&error),
    };
    expected.assert_eq(&found);
}

#[test]
fn the_owner_of_a_device_is_its_session() {
    let world = World::logged_in();
    world.happens(Event::Unit(7, "state = running\nblock/sdq/dev = 65:0\nblock/sdq/size = 8"));
    world.happens(Event::Session("fd00:c1::2", "iqn.2015-12.com.oracleiaas:2", "FAILED"));
    world.happens(Event::Write("sys/class/scsi_host/host4/scan".into(), "- - 7"));
    world.initiator().disk(&target("fd00:c1::2", "iqn.2015-12.com.oracleiaas:2", 7)).unwrap_err();
    check_owner(
        &world,
        "8:0",
        expect!["iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260"],
    );
    check_owner(
        &world,
        "65:0",
        expect!["iqn.2015-12.com.oracleiaas:2 (LUN 7) at [fd00:c1::2]:3260"],
    );
    check_owner(&world, "8:1", expect!["none"]);
    check_owner(&world, "7:0", expect!["none"]);
}

#[test]
fn an_owner_that_cannot_be_named_is_an_error() {
    let world = World::logged_in();
    let path = "sys/devices/platform/host3/session1/iscsi_session/session1/targetname";
    world.happens(Event::Write(path.into(), "odd name"));
    check_owner(
        &world,
        "8:0",
        expect![[
            r#"device 8:0 belongs to session1, whose target "odd name" is of a kind we do not know"#
        ]],
    );
}

#[test]
fn a_tree_is_built_from_lines() {
    let tree = Tree::new();
    tree.add("sys/a/b = text\nsys/c -> a/b");
    assert_eq!(tree.read("sys/c"), "text");
}
