//! Sessions that the target authenticates.

use std::{fs, os::unix::fs::PermissionsExt};

use expect_test::{Expect, expect};
use iscsi::{Chap, Outcome};

use crate::world::{World, chain, volume};

const SECRET: &str = "s3cr3t-of-the-volume";

fn world() -> World {
    let world = World::new();
    world.wants_chap("volume", SECRET);
    world
}

fn chap(secret: &str) -> Chap {
    Chap::new("volume", secret).unwrap()
}

/// Logs in with a secret that the target does not want.
#[track_caller]
fn check_refused(world: &World, chap: Option<&Chap>, expected: &Expect) {
    let error = world.initiator().log_in(&volume(), chap).unwrap_err();
    assert!(error.is_unauthorized() && !error.is_transient());
    expected.assert_eq(&chain(&error));
    assert!(world.initiator().session(&volume()).unwrap().is_none());
    assert_eq!(world.record_text(), "", "the record of a failed login stays");
}

#[test]
fn the_secret_goes_into_the_record_and_into_no_command_line() {
    let world = world();
    let outcome = world.initiator().log_in(&volume(), Some(&chap(SECRET))).unwrap();
    assert_eq!(outcome, Outcome::Done);
    assert!(world.record_text().contains(SECRET));
    let file =
        world.tree().path("var/lib/iscsi/nodes/iqn.2015-12.com.oracleiaas:1f2e/169.254.2.2,3260");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    // The world looks at whole command lines and takes none with the secret.
    assert_eq!(world.take(), "new update login");
}

#[test]
fn the_secret_goes_with_the_session() {
    let world = world();
    world.initiator().log_in(&volume(), Some(&chap(SECRET))).unwrap();
    world.tree().remove(&[crate::world::unit_dir(1, 1)]);
    world.initiator().log_out(&volume()).unwrap();
    let left = walk(&world.tree().path("var"));
    assert!(!left.contains(SECRET), "{left}");
}

#[test]
fn a_target_that_wants_other_credentials_is_known_by_its_code() {
    let expected = expect![
        "cannot log in to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260: the target wants other CHAP credentials (iscsiadm exit code 24)"
    ];
    check_refused(&world(), None, &expected);
    check_refused(&world(), Some(&chap("wrong")), &expected);
}

#[test]
fn a_rotated_secret_replaces_the_old_one() {
    let world = world();
    world.initiator().log_in(&volume(), Some(&chap("before"))).unwrap_err();
    world.initiator().log_in(&volume(), Some(&chap(SECRET))).unwrap();
    assert!(!world.record_text().contains("before"));
}

#[test]
fn a_session_that_works_needs_no_credentials() {
    let world = World::logged_in();
    world.wants_chap("volume", SECRET);
    let outcome = world.initiator().log_in(&volume(), None).unwrap();
    assert_eq!(outcome, Outcome::AlreadyDone);
}

#[test]
fn what_a_killed_call_has_left_is_removed() {
    let world = world();
    let draft =
        world.tree().path("var/lib/iscsi/.iqn.2015-12.com.oracleiaas:1f2e,169.254.2.2,3260.new");
    fs::create_dir_all(world.tree().path("var/lib/iscsi/nodes")).unwrap();
    fs::write(&draft, SECRET).unwrap();
    world.initiator().log_out(&volume()).unwrap();
    assert!(!draft.exists());
    // And it does not stand in the way, whichever session it belongs to.
    fs::write(&draft, SECRET).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o666)).unwrap();
    world.initiator().log_in(&volume(), Some(&chap(SECRET))).unwrap();
    assert!(!draft.exists());
}

#[test]
fn without_a_record_there_is_no_place_for_the_secret() {
    let world = world();
    world.answers("new", 0, "").answers("update", 0, "");
    let error = world.initiator().log_in(&volume(), Some(&chap(SECRET))).unwrap_err();
    assert!(!error.is_transient());
    expect!["cannot give iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 its CHAP credentials: its node record is neither in /etc/iscsi/nodes nor in /var/lib/iscsi/nodes"]
        .assert_eq(&chain(&error));
}

/// All texts below a folder.
fn walk(dir: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        text += &if path.is_dir() { walk(&path) } else { fs::read_to_string(&path).unwrap() };
    }
    text
}
