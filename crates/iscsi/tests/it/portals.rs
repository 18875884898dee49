//! One target behind several portals, and the portal of the boot volume.

use expect_test::{Expect, expect};
use iscsi::Outcome;

use crate::{
    story,
    world::{Event, IQN, World, target},
};

#[track_caller]
fn check(world: &World, expected: Expect) {
    expected.assert_eq(&story::log_in(world));
}

#[test]
fn a_second_portal_is_refused() {
    let world = World::new();
    world.happens(Event::Session("169.254.2.3", IQN, "LOGGED_IN"));
    check(
        &world,
        expect![[r#"
        iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is already reached through another portal, 169.254.2.3:3260: log out there first, if that session is this volume's
        ran: 
        session: none, record: none, waited 0ns
    "#]],
    );
    // also beside the right one: one volume would be two devices
    world.happens(Event::Session("169.254.2.2", IQN, "LOGGED_IN"));
    check(
        &world,
        expect![[r#"
        iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is already reached through another portal, 169.254.2.3:3260: log out there first, if that session is this volume's
        ran: 
        session: LOGGED_IN, record: none, waited 0ns
    "#]],
    );
}

/// All boot volumes have one name, also those that are attached as data: two on one node are two volumes.
#[test]
fn another_boot_volume_is_no_second_portal() {
    const BOOT: &str = "iqn.2015-02.oracle.boot:uefi";
    let world = World::new();
    world.happens(Event::Session("169.254.0.2", BOOT, "LOGGED_IN"));
    world.happens(Event::Session("169.254.2.3", BOOT, "LOGGED_IN"));
    let (initiator, second) = (world.initiator(), target("169.254.2.2", BOOT, 1));
    assert_eq!(initiator.log_in(&second, None).unwrap(), Outcome::Done);
    assert_eq!(world.take(), "new update login");
    assert_eq!(initiator.log_out(&second).unwrap(), Outcome::Done);
    assert_eq!(world.take(), "logout delete");
    for other in ["169.254.0.2", "169.254.2.3"] {
        assert!(initiator.session(&target(other, BOOT, 1)).unwrap().is_some(), "{other}");
    }
    // Nor is it another path to this one.
    assert_eq!(initiator.discover(&second).unwrap(), [second]);
}

#[test]
fn the_boot_portal_is_no_second_portal() {
    let world = World::new();
    world.happens(Event::Session("169.254.0.2", IQN, "LOGGED_IN"));
    check(
        &world,
        expect![[r#"
        Done
        ran: new update login
        session: LOGGED_IN, record: manual, waited 0ns
    "#]],
    );
}

#[test]
fn a_session_in_the_making_is_no_second_portal() {
    let world = World::new();
    world.happens(Event::Session("(null)", IQN, "FREE"));
    check(
        &world,
        expect![[r#"
        Done
        ran: new update login
        session: LOGGED_IN, record: manual, waited 0ns
    "#]],
    );
}

#[test]
fn the_boot_portal_is_never_touched() {
    let world = World::new();
    world.happens(Event::Session("169.254.0.2", IQN, "LOGGED_IN"));
    let patience = "sys/devices/platform/host3/session1/iscsi_session/session1/recovery_tmo";
    world.happens(Event::Write(patience.into(), "off"));
    let boot = target("169.254.0.2", IQN, 1);
    let initiator = world.initiator();
    initiator.limit_replacement_timeout(std::slice::from_ref(&boot));
    assert_eq!(world.tree().read(patience), "off");
    let errors = [
        initiator.log_in(&boot, None).unwrap_err(),
        initiator.disk(&boot).unwrap_err(),
        initiator.log_out(&boot).unwrap_err(),
    ];
    for error in errors {
        assert!(!error.is_transient());
        assert_eq!(
            error.to_string(),
            format!(
                "{IQN} (LUN 1) at 169.254.0.2:3260 is refused: \
                 it is the portal of this instance's boot volume"
            )
        );
    }
    assert_eq!(world.take(), "");
    assert!(initiator.session(&boot).unwrap().is_some());
}
