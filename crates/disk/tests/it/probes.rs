//! Each probe alone can stop the proof, by what it finds or by failing.

use std::{fs, time::Duration};

use clock::ManualClock;
use command::{Command, Output, Runner, SystemRunner, testing::Script};
use disk::{BlankCheck, Disk, Error, Host};

use crate::{loop_disk::LoopDisk, namespace::private, tool::runner};

const SIZE: u64 = 20 << 20;

fn prove(disk: &LoopDisk, runner: &dyn Runner) -> Result<disk::Blank, Error> {
    disk.open().prove_blank(runner, &ManualClock::default(), BlankCheck::default())
}

/// On a disk that is really blank, blkid and wipefs answer as given.
#[track_caller]
fn check(blkid: (i32, &str), wipefs: Option<(i32, &str)>, expected: &str) {
    let disk = LoopDisk::new(SIZE);
    let path = disk.path().display();
    let mut script =
        Script::default().expect(&format!("blkid -p -o export {path}"), blkid.0, blkid.1);
    if let Some((code, stdout)) = wipefs {
        script = script.expect(&format!("wipefs --no-act --parsable {path}"), code, stdout);
    }
    assert_eq!(disk.anonymous(&prove(&disk, &script).unwrap_err()), expected);
}

const NOT_BLANK: &str = "DISK is not blank and is not formatted: ";
const ADVICE: &str = " (if nothing on it is needed, overwrite it with zeros)";

#[test]
fn blkid_dissents() {
    check(
        (0, "TYPE=ext4\nUSAGE=filesystem\n"),
        Some((0, "")),
        &format!("{NOT_BLANK}blkid finds ext4{ADVICE}"),
    );
    check(
        (8, ""),
        Some((0, "")),
        &format!("{NOT_BLANK}blkid finds several things (ambivalent){ADVICE}"),
    );
}

#[test]
fn blkid_gives_no_answer() {
    for code in [1, 3, 4, 16, 127, 255] {
        check(
            (code, "what?"),
            None,
            &format!(
                "blkid gave no answer about DISK: exit code {code}, \"what?\": it is not formatted"
            ),
        );
    }
    check(
        (2, "TYPE=x"),
        None,
        "blkid gave no answer about DISK: exit code 2, \"TYPE=x\": it is not formatted",
    );
}

#[test]
fn wipefs_dissents() {
    check(
        (2, ""),
        Some((0, "0x1fe,,,dos\n")),
        &format!("{NOT_BLANK}wipefs lists dos at offset 510{ADVICE}"),
    );
}

#[test]
fn wipefs_gives_no_answer() {
    check(
        (2, ""),
        Some((1, "")),
        "wipefs gave no answer about DISK: exit code 1, \"\": it is not formatted",
    );
    check(
        (2, ""),
        Some((0, "hm")),
        "wipefs gave no answer about DISK: exit code 0, \"hm\": it is not formatted",
    );
}

#[test]
fn a_second_look_may_dissent() {
    let disk = LoopDisk::new(SIZE);
    let path = disk.path().display();
    let blkid = format!("blkid -p -o export {path}");
    let script = Script::default()
        .expect(&blkid, 2, "")
        .expect(&format!("wipefs --no-act --parsable {path}"), 0, "")
        .expect(&blkid, 0, "PTTYPE=gpt\n")
        .expect(&format!("wipefs --no-act --parsable {path}"), 0, "");
    assert_eq!(
        disk.anonymous(&prove(&disk, &script).unwrap_err()),
        format!("{NOT_BLANK}blkid finds a gpt partition table{ADVICE}")
    );
}

/// Real programs, and a writer to the disk between the two looks.
#[derive(Debug)]
struct Intruder<'a>(&'a LoopDiskDebug);

#[derive(Debug)]
struct LoopDiskDebug(std::path::PathBuf);

impl clock::Clock for Intruder<'_> {
    fn now(&self) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep(&self, _: Duration) {
        let file = fs::File::options().write(true).open(&self.0.0).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"x", 5000).unwrap();
        file.sync_all().unwrap();
    }
}

#[test]
fn data_that_arrives_between_the_looks_is_seen() {
    let disk = LoopDisk::new(SIZE);
    let device = LoopDiskDebug(disk.path().to_owned());
    let error =
        disk.open().prove_blank(&runner(), &Intruder(&device), BlankCheck::Full).unwrap_err();
    assert_eq!(
        disk.anonymous(&error),
        format!("{NOT_BLANK}it holds data of unknown kind at offset 5000{ADVICE}")
    );
}

#[test]
fn a_missing_program_stops_the_proof_and_names_its_package() {
    private(|| {
        let disk = LoopDisk::new(SIZE);
        let empty = tempfile::tempdir().unwrap();
        let runner = SystemRunner { search_path: empty.path().into() };
        let error = prove(&disk, &runner).unwrap_err();
        assert_eq!(disk.anonymous(&error), "cannot probe DISK with blkid");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("install util-linux"), "{cause}");

        // blkid alone is not enough
        std::os::unix::fs::symlink("/usr/sbin/blkid", empty.path().join("blkid")).unwrap();
        let error = prove(&disk, &runner).unwrap_err();
        assert_eq!(disk.anonymous(&error), "cannot probe DISK with wipefs");
    });
}

#[derive(Debug)]
struct Killed;

impl Runner for Killed {
    fn run(&self, _: &Command) -> Result<Output, command::Error> {
        Err(command::Error::Signalled { program: "blkid", signal: 9 })
    }
}

#[test]
fn a_killed_program_stops_the_proof() {
    let disk = LoopDisk::new(SIZE);
    assert_eq!(disk.anonymous(&prove(&disk, &Killed).unwrap_err()), "cannot probe DISK with blkid");
}

fn with_udev(disk: &LoopDisk, text: &str) -> Disk {
    let host = Host { udev_db: disk.dir().join("udev"), ..Host::default() };
    fs::create_dir_all(&host.udev_db).unwrap();
    let opened = Disk::open(disk.path(), &host).unwrap();
    fs::write(host.udev_db.join(format!("b{}", opened.number())), text).unwrap();
    opened
}

/// Programs of the host, and a udevadm that has nothing to do.
#[derive(Debug)]
struct WithUdevadm;

impl Runner for WithUdevadm {
    fn run(&self, command: &Command) -> Result<Output, command::Error> {
        if command.program() == "udevadm" {
            assert_eq!(command.to_string(), "udevadm settle --timeout=10");
            return Ok(Output { code: 1, stdout: String::new(), stderr: "timed out".into() });
        }
        runner().run(command)
    }
}

#[test]
fn udev_dissents() {
    private(|| {
        let disk = LoopDisk::new(SIZE);
        let opened = with_udev(&disk, "I:1\nE:ID_FS_TYPE=ext4\nE:ID_FS_UUID=1-2\n");
        let clock = ManualClock::default();
        let error = opened.prove_blank(&WithUdevadm, &clock, BlankCheck::default()).unwrap_err();
        assert_eq!(disk.anonymous(&error), format!("{NOT_BLANK}udev remembers ext4{ADVICE}"));

        // The second is of a disk that had the number before.
        for text in ["I:1\nE:ID_SERIAL=x\n", "E:DISKSEQ=0\nE:ID_FS_TYPE=ext4\n"] {
            let opened = with_udev(&disk, text);
            opened.prove_blank(&WithUdevadm, &clock, BlankCheck::default()).unwrap();
        }
    });
}

#[test]
fn an_unreadable_udev_database_stops_the_proof() {
    let disk = LoopDisk::new(SIZE);
    let host = Host { udev_db: disk.dir().join("udev"), ..Host::default() };
    let opened = Disk::open(disk.path(), &host).unwrap();
    let file = host.udev_db.join(format!("b{}", opened.number()));
    fs::create_dir_all(&file).unwrap();
    let error = opened
        .prove_blank(&WithUdevadm, &ManualClock::default(), BlankCheck::default())
        .unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {}", file.display()));
}

#[test]
fn a_disk_that_does_not_read_is_not_blank() {
    for left in [0, SIZE / 2, SIZE - 4096, SIZE - 512] {
        let disk = LoopDisk::new(SIZE);
        disk.truncate(left);
        let error = prove(&disk, &runner()).unwrap_err();
        // pieces of 1 MiB are read; the one that fails is named
        let offset = left - left % (1 << 20);
        assert_eq!(
            disk.anonymous(&error),
            format!(
                "cannot read DISK at offset {offset}: what it holds is not known, so it is not \
                 formatted"
            )
        );
        assert!(matches!(error, Error::Read { .. }) && !error.is_not_blank());
    }
}

#[test]
fn a_disk_that_changes_its_size_is_not_blank() {
    let disk = LoopDisk::new(SIZE);
    let opened = disk.open();
    disk.truncate(SIZE * 2);
    crate::tool::run(&format!("losetup --set-capacity {}", disk.path().display()));
    let clock = ManualClock::default();
    let error = opened.prove_blank(&runner(), &clock, BlankCheck::default()).unwrap_err();
    assert_eq!(
        disk.anonymous(&error),
        "DISK changed under the call: 20971520 bytes before, 41943040 bytes now"
    );
}
