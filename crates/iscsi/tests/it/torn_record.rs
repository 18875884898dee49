//! Node records that iscsiadm has not written to their end: they are in no login's way, and those of others stay.

use std::{fs, path::Path};

use expect_test::{Expect, expect};

use crate::{
    story,
    world::{Event, IQN, WHOLE_RECORD, World, target, volume},
};

const TARGET: &str = "var/lib/iscsi/nodes/iqn.2015-12.com.oracleiaas:1f2e";

/// What is left of a record: a file or, without any text, a folder.
const REMAINS: [(&str, Option<&str>); 9] = [
    ("169.254.2.2,3260", Some("")),
    ("169.254.2.2,3260", Some("\0\0\0\0\0\0\0\0")),
    ("169.254.2.2,3260", Some("# BEGIN RECORD 2.1.8\nnode.name = iqn.2015")),
    ("169.254.2.2,3260", Some("# BEGIN RECORD 2.1.8\n#node.name = iqn\n# END RECORD\n")),
    ("169.254.2.2,3260", None),
    ("169.254.2.2,3260/default", Some("")),
    ("169.254.2.2,3260,1", None),
    ("169.254.2.2,3260,1/default", Some("")),
    ("", None),
];

/// Whatever is left of the record, the verb is told in one of these ways, and leaves `names`.
#[track_caller]
fn check(world: fn() -> World, verb: fn(&World) -> String, expected: Expect, names: &[&str]) {
    let mut told = String::new();
    for (name, text) in REMAINS {
        let world = world();
        lay(&world, name, text);
        let story = verb(&world);
        if !told.contains(&story) {
            told += &story;
        }
        assert_eq!(found(&world), names, "{name} {text:?}");
    }
    expected.assert_eq(&told);
}

fn lay(world: &World, name: &str, text: Option<&str>) {
    let path = format!("{TARGET}/{name}");
    match text {
        Some(text) => world.tree().write(&path, text),
        None => fs::create_dir_all(world.tree().path(&path)).unwrap(),
    }
}

/// All that is in the folder of node records.
fn found(world: &World) -> Vec<String> {
    let nodes = world.tree().path("var/lib/iscsi/nodes");
    let mut names = Vec::new();
    walk(&nodes, &nodes, &mut names);
    names.sort();
    names
}

fn walk(nodes: &Path, dir: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.strip_prefix(nodes).unwrap().display().to_string());
        if path.is_dir() {
            walk(nodes, &path, names);
        }
    }
}

#[test]
fn a_login_writes_a_new_one() {
    let one =
        ["iqn.2015-12.com.oracleiaas:1f2e", "iqn.2015-12.com.oracleiaas:1f2e/169.254.2.2,3260"];
    check(
        World::new,
        story::log_in,
        expect![[r#"
            Done
            ran: new update login
            session: LOGGED_IN, record: manual, waited 500ms
            Done
            ran: new update login
            session: LOGGED_IN, record: manual, waited 0ns
        "#]],
        &one,
    );
}

#[test]
fn a_logout_without_a_session_removes_it() {
    check(
        World::new,
        story::log_out,
        expect![[r#"
            AlreadyDone
            ran: delete
            session: none, record: none, waited 500ms
            AlreadyDone
            ran: delete
            session: none, record: none, waited 0ns
        "#]],
        &[],
    );
}

#[test]
fn a_logout_of_a_session_removes_it() {
    check(
        World::without_disk,
        story::log_out,
        expect![[r#"
            Done
            ran: logout delete
            session: none, record: none, waited 500ms
            Done
            ran: logout delete
            session: none, record: none, waited 0ns
        "#]],
        &[],
    );
}

#[test]
fn a_session_that_is_there_is_better_off_without_it() {
    check(
        World::logged_in,
        story::log_in,
        expect![[r#"
            AlreadyDone
            ran: update
            session: LOGGED_IN, record: manual, waited 500ms
            AlreadyDone
            ran: update
            session: LOGGED_IN, record: manual, waited 0ns
        "#]],
        &[],
    );
}

#[test]
fn one_that_is_being_written_stays() {
    let world = World::logged_in();
    lay(&world, "169.254.2.2,3260", Some("# BEGIN RECORD 2.1.8\n"));
    world.later(100, Event::RecordIsWhole);
    expect![[r#"
        AlreadyDone
        ran: update
        session: LOGGED_IN, record: manual, waited 500ms
    "#]]
    .assert_eq(&story::log_in(&world));
    assert_eq!(world.record_text(), WHOLE_RECORD.trim_end().replace("automatic", "manual"));
}

#[test]
fn those_of_other_targets_and_portals_stay() {
    let world = World::new();
    for path in [
        "169.254.2.3,3260",
        "169.254.2.20,3260",
        "169.254.2.2,3261",
        "169.254.2.2,32600,1/default",
        "odd",
        "../iqn.2015-12.com.oracleiaas:1f2e-other/169.254.2.2,3260",
    ] {
        lay(&world, path, Some(""));
    }
    lay(&world, "169.254.2.3,3260,1", None);
    lay(&world, "../iqn.2015-12.com.oracleiaas:empty", None);
    let before = found(&world);
    story::log_in(&world);
    world.happens(Event::End(1));
    story::log_out(&world);
    assert_eq!(found(&world), before);
}

/// What iscsiadm can neither use nor replace: records of another version.
#[test]
fn a_record_that_cannot_be_replaced_is_removed_and_made_anew() {
    for (code, times) in [(7, 1), (6, 4)] {
        for name in ["169.254.2.2,3260", "169.254.2.2,3260,1/default"] {
            let world = World::new();
            lay(&world, name, Some(WHOLE_RECORD));
            lay(&world, "169.254.2.3,3260", Some(WHOLE_RECORD));
            (0..times).for_each(|_| {
                world.answers(
                    "new",
                    code,
                    "iscsiadm: Error while adding record: invalid parameter",
                );
            });
            let story = story::log_in(&world);
            assert!(story.starts_with("Done\nran: new "), "{code} {name}: {story}");
            assert!(
                story.contains("new update login\nsession: LOGGED_IN, record: manual"),
                "{story}"
            );
            let iqn = "iqn.2015-12.com.oracleiaas:1f2e";
            let names =
                ["", "/169.254.2.2,3260", "/169.254.2.3,3260"].map(|it| format!("{iqn}{it}"));
            assert_eq!(found(&world), names);
        }
    }
}

#[test]
fn a_record_that_cannot_be_removed_is_named() {
    let world = World::new();
    // A folder where a file is expected, as nothing but a hand makes it.
    lay(&world, "169.254.2.2,3260,1/default/odd", Some(""));
    world.answers("new", 7, "iscsiadm: Error while adding record: invalid parameter");
    let story = story::log_in(&world).replace(&world.tree().path("").display().to_string(), "/");
    expect![[r#"
        cannot write the node record of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260: the one that is there is damaged or of another version of open-iscsi, and /var/lib/iscsi/nodes/iqn.2015-12.com.oracleiaas:1f2e/169.254.2.2,3260,1/default cannot be removed: Is a directory (os error 21)
        ran: new delete
        session: none, record: none, waited 0ns
    "#]].assert_eq(&story);
}

/// Without a record there is nothing to remove, and the answer stands.
#[test]
fn a_record_is_not_asked_for_again_where_there_was_none() {
    let world = World::new();
    world.answers("new", 7, "iscsiadm: the reason");
    expect![[r#"
        cannot write the node record of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260: iscsiadm finds the request or a file invalid: its version is not supported, or the file that it names was written by another version and is to be removed (iscsiadm exit code 7: iscsiadm: the reason)
        ran: new delete
        session: none, record: none, waited 0ns
    "#]].assert_eq(&story::log_in(&world));
}

/// As an administrator has made it: by iscsiadm, and with settings of their own.
const FOREIGN: &str = "# BEGIN RECORD 2.1.8\nnode.name = iqn.2015-12.com.oracleiaas:1f2e\n\
    node.conn[0].address = 169.254.2.2\nnode.startup = automatic\nnode.session.scan = auto\n\
    node.session.auth.username = other\n# END RECORD\n";

#[test]
fn a_foreign_record_is_as_it_was_after_a_login_that_fails() {
    for name in ["169.254.2.2,3260", "169.254.2.2,3260/default", "169.254.2.2,3260,1/default"] {
        for (verb, code) in [("new", 1), ("update", 1), ("login", 8), ("login", 24)] {
            let world = World::new();
            lay(&world, name, Some(FOREIGN));
            assert!(world.initiator().has_foreign_record(&volume()));
            for _ in 0..4 {
                world.answers(verb, code, "");
            }
            world.initiator().log_in(&volume(), None).unwrap_err();
            let left = world.tree().read(&format!("{TARGET}/{name}"));
            assert_eq!(left, FOREIGN.trim_end(), "{name} {verb}");
            assert!(world.initiator().has_foreign_record(&volume()));
        }
    }
}

#[test]
fn only_a_record_with_settings_of_the_drivers_own_is_its_own() {
    let world = World::new();
    assert!(!world.initiator().has_record(&volume()));
    let own = FOREIGN.replace("scan = auto", "scan = manual");
    for (text, foreign) in [(FOREIGN, true), (&own, false), (WHOLE_RECORD, true)] {
        lay(&world, "169.254.2.2,3260", Some(text));
        assert!(world.initiator().has_record(&volume()));
        assert_eq!(world.initiator().has_foreign_record(&volume()), foreign, "{text}");
    }
    // That of another portal.
    assert!(!world.initiator().has_record(&target("169.254.2.3", IQN, 1)));
}
