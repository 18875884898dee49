//! What is read and written where others have put something.

use std::{
    error::Error as _,
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
};

use rustix::fs::mknodat;
use tempfile::TempDir;

use super::*;

/// A base directory with the directory `d` and the file `d/f`.
fn scene() -> TempDir {
    let base = tempfile::tempdir().unwrap();
    let dir = PrivateDir::make(base.path(), "d").unwrap();
    dir.write("f", b"old", Lasting::Durable).unwrap();
    base
}

/// Reading, writing and opening the file, each as it ends.
fn outcomes(base: &Path) -> [Result<String, String>; 3] {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let made = || PrivateDir::make(base, "d");
    [
        made().and_then(|dir| Ok(text(dir.read("f")?))),
        made().and_then(|dir| {
            dir.write("f", b"new", Lasting::UntilReboot)?;
            Ok(text(dir.read("f")?))
        }),
        made().and_then(|dir| dir.open_or_make("f").map(|_| "opened".to_owned())),
    ]
    .map(|outcome| outcome.map_err(|error| error.to_string()))
}

/// `path` (relative to the base) is made `what`; the directory is then refused with `why`.
#[track_caller]
fn check_dir(make: impl Fn(&Path), path: &str, why: &str) {
    let base = scene();
    make(&base.path().join(path));
    let path = base.path().join(path).components().as_path().display().to_string();
    for outcome in outcomes(base.path()) {
        assert_eq!(outcome.unwrap_err(), format!("{path} {why}"));
    }
    // Not even looked into where it need not be made.
    let error = PrivateDir::existing(base.path(), "d").unwrap_err();
    assert_eq!(error.to_string(), format!("{path} {why}"));
}

fn mode(mode: u32) -> impl Fn(&Path) {
    move |path| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap()
}

fn moved_behind_a_link(path: &Path) {
    let real = path.with_extension("real");
    fs::rename(path, &real).unwrap();
    symlink(real, path).unwrap();
}

fn in_place(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

#[test]
fn what_is_written_is_read_and_no_draft_is_left() {
    let base = scene();
    let dir = PrivateDir::make(base.path(), "d").unwrap();
    dir.write("g", b"other", Lasting::UntilReboot).unwrap();
    assert_eq!((dir.read("f").unwrap(), dir.read("g").unwrap()), (b"old".into(), b"other".into()));
    assert_eq!(dir.names().unwrap(), ["f", "g"]);
    assert_eq!(fs::read_dir(base.path().join("d")).unwrap().count(), 2);
    dir.remove("g").unwrap();
    dir.remove("g").unwrap();
    assert!(dir.has("f") && !dir.has("g"));
    assert_eq!(dir.read("g").unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_directory_that_is_missing_is_made_for_its_user_alone() {
    let base = tempfile::tempdir().unwrap();
    let state = base.path().join("a/b");
    assert!(PrivateDir::existing(&state, "d").unwrap().is_none());
    PrivateDir::make(&state, "d").unwrap().write("f", b"x", Lasting::Durable).unwrap();
    for (path, expected) in [("a/b", 0o700), ("a/b/d", 0o700), ("a/b/d/f", 0o600)] {
        let mode = fs::metadata(base.path().join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, expected, "{path}");
    }
}

#[test]
fn a_directory_that_others_can_change_is_not_used() {
    let give = |path: &Path| chown(path, Some(65534), None).unwrap();
    for path in ["", "d"] {
        check_dir(give, path, "belongs to user 65534, so it is not used: give it to root");
        check_dir(
            mode(0o777),
            path,
            "can be written by other users (mode 0777), so it is not used: chmod go-w",
        );
        check_dir(
            mode(0o720),
            path,
            "can be written by other users (mode 0720), so it is not used: chmod go-w",
        );
    }
    // Where only the owner of an entry can remove it, as in a container's memory volume.
    let base = scene();
    mode(0o1777)(base.path());
    assert_eq!(outcomes(base.path()), ["old", "new", "opened"].map(|it| Ok(it.to_owned())));
    check_dir(
        mode(0o1777),
        "d",
        "can be written by other users (mode 1777), so it is not used: chmod go-w",
    );
}

#[test]
fn what_is_in_a_directorys_place_is_not_followed() {
    check_dir(moved_behind_a_link, "d", &format!("is a symbolic link, so it is not used: {MOVE}"));
    let file = |path: &Path| {
        in_place(path);
        fs::write(path, "x").unwrap();
    };
    check_dir(file, "d", &format!("is a file, so it is not used: {MOVE}"));
    let base = scene();
    let link = base.path().join("link");
    symlink(base.path().join("d"), &link).unwrap();
    let why = format!("{} is a symbolic link, so it is not used: {MOVE}", link.display());
    assert_eq!(PrivateDir::make(&link, "e").unwrap_err().to_string(), why);
}

/// `make` puts something in the file's place: reading, opening and writing it.
#[track_caller]
fn check_file(make: impl Fn(&Path), why: &str, writes: bool) {
    let base = scene();
    let path = base.path().join("d/f");
    make(&path);
    let message = format!("{} {why}", path.display());
    let dir = PrivateDir::make(base.path(), "d").unwrap();
    assert_eq!(dir.read("f").unwrap_err().to_string(), message);
    assert_eq!(dir.open_or_make("f").unwrap_err().to_string(), message);
    assert!(dir.has("f"));
    let written = dir.write("f", b"new", Lasting::Durable);
    assert_eq!(written.is_ok(), writes, "{written:?}");
    if writes {
        assert_eq!(dir.read("f").unwrap(), b"new");
    }
    assert_eq!(fs::read_dir(base.path().join("d")).unwrap().count(), 1, "no draft");
}

#[test]
fn what_is_in_a_files_place_is_replaced_and_neither_followed_nor_waited_for() {
    let moved = |what: &str| format!("is {what}, so it is not used: {MOVE}");
    let special = |kind: FileType| {
        move |path: &Path| {
            in_place(path);
            // /dev/null
            let device = if kind == FileType::CharacterDevice { 0x103 } else { 0 };
            mknodat(CWD, path, kind, PRIVATE, device).unwrap();
        }
    };
    let precious = tempfile::NamedTempFile::new().unwrap();
    fs::write(&precious, "precious").unwrap();
    let link = |path: &Path| {
        in_place(path);
        symlink(precious.path(), path).unwrap();
    };
    check_file(link, &moved("a symbolic link"), true);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    check_file(special(FileType::Fifo), &moved("a FIFO"), true);
    check_file(special(FileType::Socket), &moved("a socket"), true);
    check_file(special(FileType::CharacterDevice), &moved("a device"), true);
    let dir = |path: &Path| {
        in_place(path);
        fs::create_dir(path).unwrap();
    };
    check_file(dir, &moved("a directory"), false);
    let given = |path: &Path| chown(path, Some(65534), None).unwrap();
    check_file(given, "belongs to user 65534, so it is not used: give it to root", true);
    check_file(
        mode(0o666),
        "can be written by other users (mode 0666), so it is not used: chmod go-w",
        true,
    );
}

#[test]
fn a_draft_that_is_a_planted_link_is_not_written_through() {
    let base = scene();
    let target = base.path().join("target");
    fs::write(&target, "precious").unwrap();
    symlink(&target, base.path().join("d/.f.new")).unwrap();
    let dir = PrivateDir::make(base.path(), "d").unwrap();
    dir.write("f", b"new", Lasting::Durable).unwrap();
    assert_eq!(fs::read_to_string(target).unwrap(), "precious");
    assert!(!fs::symlink_metadata(base.path().join("d/f")).unwrap().is_symlink());
}

#[test]
fn an_error_of_the_file_system_comes_with_its_cure() {
    let cure = |errno: i32| cure(&io::Error::from_raw_os_error(errno));
    assert_eq!(cure(30), "; make its file system writable");
    assert_eq!(cure(28), "; make room on its file system");
    assert_eq!(cure(122), "; make room on its file system");
    assert_eq!(
        cure(13),
        "; the driver has to run as root there, and SELinux or AppArmor to let it"
    );
    assert_eq!(cure(5), "; the node's own disk has errors, see dmesg");
    assert_eq!(cure(2), "");
    assert!(io::Error::from_raw_os_error(2).source().is_none());
}

/// A loss of power after the call finds the new file, whole: its bytes and its name are synced, in that order.
#[test]
#[expect(clippy::disallowed_methods, reason = "strace runs this test's own program")]
fn a_durable_file_is_synced_before_and_after_it_gets_its_name() {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let status = std::process::Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=fsync,fdatasync,renameat,renameat2", "-o"])
        .arg(trace.path())
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "private_dir::tests::a_draft_that_is_a_planted_link_is_not_written_through",
        ])
        .stdout(std::process::Stdio::null())
        .status()
        .expect("strace is missing: apt-get install strace");
    assert!(status.success());
    let trace = fs::read_to_string(trace.path()).unwrap();
    let calls: Vec<_> = trace
        .lines()
        .filter_map(|line| {
            line.split(['(', ' ']).find(|it| it.contains("sync") || it.contains("rename"))
        })
        .collect();
    // That test makes the directory and writes the file twice.
    let write = ["fsync", "renameat", "fsync"];
    let all: Vec<_> = ["fsync"].into_iter().chain(write).chain(write).collect();
    assert_eq!(calls, all, "{trace}");
}
