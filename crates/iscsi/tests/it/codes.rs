//! Every exit code of iscsiadm times what sysfs shows: the code picks the message, sysfs decides.

use expect_test::expect_file;
use iscsi::Outcome;

use crate::{
    story,
    world::{Event, IQN, World, volume},
};

/// Every exit code of a login, with no session to be seen.
#[test]
fn a_login_without_session_fails_and_the_code_picks_the_message() {
    let mut table = String::new();
    for code in (0..=33).chain([127]) {
        let world = World::new();
        for _ in 0..4 {
            world.answers("login", code, "iscsiadm: the reason");
        }
        table += &format!("{code}: {}", story::log_in(&world));
    }
    expect_file!["../../testdata/login-codes.txt"].assert_eq(&table);
}

/// Every exit code of a login, while the session is there.
#[test]
fn a_login_with_a_session_succeeds_whatever_the_code() {
    for code in (0..=33).chain([127, 255]) {
        let world = World::new();
        for _ in 0..4 {
            world.answers("login", code, "");
        }
        world.later(0, Event::Session("169.254.2.2", IQN, "LOGGED_IN"));
        let outcome = world.initiator().log_in(&volume(), None);
        assert_eq!(outcome.unwrap(), Outcome::Done, "{code}");
    }
}

/// Every exit code of a logout, while the session stays.
#[test]
fn a_logout_with_a_session_fails_and_the_code_picks_the_message() {
    let mut table = String::new();
    for code in (0..=33).chain([127]) {
        let world = World::without_disk();
        for _ in 0..4 {
            world.answers("logout", code, "iscsiadm: the reason");
        }
        table += &format!("{code}: {}", story::log_out(&world));
        assert!(world.initiator().session(&volume()).unwrap().is_some());
        assert!(world.record().is_some());
    }
    expect_file!["../../testdata/logout-codes.txt"].assert_eq(&table);
}

/// Every exit code of a logout, when the session has gone.
#[test]
fn a_logout_without_session_succeeds_whatever_the_code() {
    for code in (0..=33).chain([127, 255]) {
        let world = World::without_disk();
        for _ in 0..4 {
            world.answers_and("logout", code, 0, Event::End(1));
        }
        assert_eq!(world.initiator().log_out(&volume()).unwrap(), Outcome::Done, "{code}");
        assert!(world.record().is_none(), "{code}");
    }
}
