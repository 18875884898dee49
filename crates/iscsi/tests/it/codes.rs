//! Every exit code of iscsiadm times what sysfs shows: the code picks the message, sysfs decides.

use std::time::Duration;

use command::Error;
use expect_test::expect_file;
use iscsi::Outcome;

use crate::{
    story,
    world::{Event, IQN, World, volume},
};

/// What comes of every exit code from `first` on, when iscsiadm ends with it whenever it is called for `verb`.
fn table(
    first: i32,
    verb: &'static str,
    world: fn() -> World,
    story: fn(&World, i32) -> String,
) -> String {
    let line = |code| {
        let world = world();
        for _ in 0..4 {
            world.answers(verb, code, "iscsiadm: the reason");
        }
        format!("{code}: {}", story(&world, code))
    };
    (first..=33).chain([127]).map(line).collect()
}

/// Every exit code of a login, with no session to be seen.
#[test]
fn a_login_without_session_fails_and_the_code_picks_the_message() {
    let table = table(0, "login", World::new, |world, _| story::log_in(world));
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
    let table = table(0, "logout", World::without_disk, |world, code| {
        let story = story::log_out(world);
        assert!(world.initiator().session(&volume()).unwrap().is_some(), "{code}");
        assert!(world.record().is_some(), "{code}");
        story
    });
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

/// Every exit code of the record's creation but success: there is no login, and nothing is left.
#[test]
fn a_record_that_is_not_created_fails_the_login_and_the_code_picks_the_message() {
    check_record("new", "../../testdata/new-codes.txt");
}

/// The same of its settings. Without them a login could hang without end, or come back at boot.
#[test]
fn a_record_without_our_settings_fails_the_login_and_the_code_picks_the_message() {
    check_record("update", "../../testdata/update-codes.txt");
}

#[track_caller]
fn check_record(verb: &'static str, expected: &str) {
    let table = table(1, verb, World::new, |world, code| {
        let story = story::log_in(world);
        assert!(world.initiator().session(&volume()).unwrap().is_none(), "{code}");
        assert!(world.record().is_none(), "{code}");
        story
    });
    expect_file![expected].assert_eq(&table);
}

/// Every exit code of the record's removal, when the session has gone: it stays, and does no harm; but
/// "session exists" is a login that is still coming.
#[test]
fn a_record_that_is_not_removed_fails_no_logout_unless_a_login_is_pending() {
    let table = table(0, "delete", World::without_disk, |world, _| story::log_out(world));
    expect_file!["../../testdata/delete-codes.txt"].assert_eq(&table);
}

type End = (&'static str, fn() -> Error);

/// iscsiadm that ends with no code at all: killed, stopped at its limit, stuck in the kernel, not there.
const NO_CODE: [End; 4] = [
    ("signal", || Error::Signalled { program: "iscsiadm", signal: 9 }),
    ("limit", || limit(false)),
    ("limit, stuck", || limit(true)),
    ("missing", || Error::NotFound { program: "iscsiadm", search_path: "/sbin".into() }),
];

fn limit(stuck: bool) -> Error {
    Error::Timeout { program: "iscsiadm", limit: Duration::from_secs(40), stuck }
}

#[test]
fn an_iscsiadm_that_has_no_code_leaves_the_word_to_sysfs() {
    let mut table = String::new();
    for (end, error) in NO_CODE {
        for verb in ["new", "update", "login"] {
            let world = World::new();
            world.breaks(verb, error, None);
            table += &format!("{verb}, {end}: {}", story::log_in(&world));
        }
        for verb in ["logout", "delete"] {
            let world = World::without_disk();
            world.breaks(verb, error, None);
            table += &format!("{verb}, {end}: {}", story::log_out(&world));
        }
    }
    expect_file!["../../testdata/no-code.txt"].assert_eq(&table);
}
