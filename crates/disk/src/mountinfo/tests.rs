//! Tables as kernels print them, and worse.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
    process::{Command, Stdio},
    sync::Arc,
};

use proptest::prelude::*;

use super::*;

#[track_caller]
fn one(line: &[u8]) -> Entry {
    let mut entries = parse(line).unwrap();
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

#[test]
fn a_line_is_taken_apart() {
    let found =
        one(b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n");
    assert_eq!(
        found,
        Entry {
            id: 36,
            parent: 35,
            number: DeviceNumber { major: 98, minor: 0 },
            root: "/mnt1".into(),
            dir: "/mnt2".into(),
            deleted: false,
            options: "rw,noatime".into(),
            fs_type: "ext3".into(),
            source: "/dev/root".into(),
            super_options: "rw,errors=continue".into(),
        }
    );
}

#[test]
fn optional_fields_are_none_or_many() {
    for optional in ["", "shared:7 ", "shared:7 master:1 propagate_from:2 unbindable "] {
        let line = format!("1 2 8:0 / /a rw {optional}- ext4 /dev/sda rw");
        assert_eq!(one(line.as_bytes()).fs_type, "ext4");
    }
}

#[test]
fn an_empty_source_is_kept() {
    let found = one(b"1 2 0:5 / /a rw - tmpfs  rw,size=1k");
    assert_eq!((found.source.as_bytes(), &*found.super_options), (&b""[..], "rw,size=1k"));
}

#[test]
fn a_removed_folder_is_told_from_one_named_deleted() {
    let removed = one(b"1 2 8:0 / /a//deleted rw - ext4 /dev/sda rw");
    assert_eq!((removed.dir.as_path(), removed.deleted), (Path::new("/a"), true));
    let named = one(b"1 2 8:0 / /a/deleted rw - ext4 /dev/sda rw");
    assert_eq!((named.dir.as_path(), named.deleted), (Path::new("/a/deleted"), false));
    assert_eq!(at(&[removed], Path::new("/a")), None);
}

#[test]
fn escapes_stand_for_any_byte() {
    for (escaped, bytes) in [
        (&br"/a\040b"[..], &b"/a b"[..]),
        (br"/a\011b\012c\134d\043", b"/a\tb\nc\\d#"),
        (br"/a\134040", br"/a\040"),
        (b"/\xff\xfe", b"/\xff\xfe"),
        (br"/a\04", br"/a\04"),
        (br"/a\999\", br"/a\999\"),
    ] {
        let line = [b"1 2 8:0 / ", escaped, b" rw - ext4 /dev/sda rw"].concat();
        assert_eq!(one(&line).dir.as_os_str().as_bytes(), bytes);
    }
}

#[test]
fn a_table_with_a_broken_line_is_refused() {
    for line in [
        "1",
        "1 2 8:0 / /a rw",
        "1 2 8:0 / /a rw shared:1",
        "1 2 8:0 / /a rw - ext4",
        "1 2 8:0 / /a rw - ext4 /dev/sda",
        "1 2 8:0 / /a rw - ext4 /dev/sda ",
        "1 2 8:0 /  rw - ext4 /dev/sda rw",
        "x 2 8:0 / /a rw - ext4 /dev/sda rw",
        "-1 2 8:0 / /a rw - ext4 /dev/sda rw",
        "1 2 80 / /a rw - ext4 /dev/sda rw",
    ] {
        let table = format!("9 8 8:0 / / rw - ext4 /dev/sda rw\n{line}\n");
        let error = parse(table.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("line 2 is not a mount: {line:?}"));
    }
}

#[test]
fn read_only_is_said_in_two_places() {
    for (options, super_options, here, everywhere) in [
        ("rw", "rw", false, false),
        ("ro,noatime", "rw", true, false),
        ("rw", "ro,noload", true, true),
        ("rw", "rw,emergency_ro", true, true),
        ("rw,errors=remount-ro", "rw,errors=remount-ro", false, false),
    ] {
        let line = format!("1 2 8:0 / /a {options} - ext4 /dev/sda {super_options}");
        let found = one(line.as_bytes());
        assert_eq!((found.is_read_only(), found.is_read_only_everywhere()), (here, everywhere));
    }
}

/// Builds a table of (id, parent, dir) and asks which mount is met at `dir`.
#[track_caller]
fn met(table: &[(u32, u32, &str)], dir: &str, expected: Option<u32>) {
    for order in [table.to_vec(), table.iter().rev().copied().collect()] {
        let lines: Vec<_> = order
            .iter()
            .map(|(id, parent, dir)| format!("{id} {parent} 8:{id} / {dir} rw - ext4 /dev/x rw\n"))
            .collect();
        let table = parse(lines.concat().as_bytes()).unwrap();
        assert_eq!(at(&table, Path::new(dir)).map(|entry| entry.id), expected, "{order:?}");
    }
}

#[test]
fn the_topmost_mount_is_met_whatever_the_order() {
    let stack = [(1, 0, "/"), (2, 1, "/a"), (3, 2, "/a"), (9, 3, "/a")];
    met(&stack, "/a", Some(9));
    met(&stack, "/", Some(1));
    met(&stack, "/a/b", None);
    met(&stack, "/ab", None);
}

#[test]
fn a_hidden_mount_is_not_met() {
    // /a/b lies on the first mount of /a, the second covers it
    met(&[(1, 0, "/"), (2, 1, "/a"), (3, 2, "/a/b"), (4, 2, "/a")], "/a/b", None);
    met(&[(1, 0, "/"), (2, 1, "/a"), (4, 2, "/a"), (3, 4, "/a/b")], "/a/b", Some(3));
}

#[test]
fn a_table_without_a_root_is_walked_from_its_tops() {
    met(&[(5, 4, "/a"), (6, 5, "/a/b")], "/a/b", Some(6));
    met(&[], "/a", None);
}

#[test]
fn a_circle_ends() {
    met(&[(1, 2, "/a"), (2, 1, "/a")], "/a", None);
    met(&[(1, 1, "/"), (2, 1, "/a")], "/a", Some(2));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests")]
fn a_table_is_read_again_after_a_mount_and_not_before() {
    let script = "echo; read -r _; mount -t tmpfs none /tmp; echo; read -r _";
    let mut other = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare: install util-linux");
    let mut output = BufReader::new(other.stdout.take().unwrap()).lines();
    output.next().unwrap().unwrap();
    let table = MountTable::new(format!("/proc/{}/mountinfo", other.id()).into());
    let entries = || table.entries().unwrap();
    let before = entries();
    assert!(Arc::ptr_eq(&entries(), &before));
    other.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    output.next().unwrap().unwrap();
    let after = entries();
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(at(&after, Path::new("/tmp")).map(|it| &*it.fs_type), Some("tmpfs"));
    assert!(Arc::ptr_eq(&entries(), &after));
    drop(other.stdin.take());
    assert!(other.wait().is_ok());
}

fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in bytes {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' => {
                text.extend(format!("\\{byte:03o}").into_bytes());
            }
            _ => text.push(*byte),
        }
    }
    text
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn any_bytes_never_panic(table in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&table);
        }

        #[test]
        fn any_printable_garbage_never_panics(table in "[0-9: /\\\\a-z\n-]{0,200}") {
            let _ = parse(table.as_bytes());
        }

        #[test]
        fn any_path_survives_escaping(
            dir in prop::collection::vec(1_u8.., 1..40),
            source in prop::collection::vec(1_u8.., 0..40),
            optional in prop::collection::vec("[a-z]{1,9}:[0-9]{1,3}", 0..4),
        ) {
            let dir = [b"/", &*dir].concat();
            prop_assume!(!dir.ends_with(b"//deleted"));
            let mut line = b"7 1 259:3 / ".to_vec();
            line.extend(escaped(&dir));
            line.extend(b" rw ");
            optional.iter().for_each(|field| line.extend(format!("{field} ").bytes()));
            line.extend(b"- xfs ");
            line.extend(escaped(&source));
            line.extend(b" rw\n");
            let found = parse(&line).unwrap().remove(0);
            prop_assert_eq!(found.dir.as_os_str().as_bytes(), &*dir);
            prop_assert_eq!(found.source.into_vec(), source);
        }
    }
}
