//! mkfs, killed at many points, and taken up again.

use std::{
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use clock::ManualClock;
use disk::BlankCheck;
use mount::FsType;

use crate::{
    loop_disk::{LoopDisk, MIB, mounter},
    namespace::private,
    tool::runner,
};

const UUID: &str = "11111111-2222-3333-4444-555555555555";

/// Starts mkfs on a new disk, kills it after `life`, and does what a later call would do.
#[track_caller]
fn check(fs: FsType, size: u64, program: &str, args: &[&str], life: Duration) {
    let disk = LoopDisk::new(size);
    let mut mkfs = Command::new(program)
        .args(args)
        .arg(disk.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(life);
    mkfs.kill().unwrap();
    mkfs.wait().unwrap();

    let (opened, clock) = (disk.open(), ManualClock::default());
    let is_blank = opened.prove_blank(&runner(), &clock, BlankCheck::Full).is_ok();
    assert!(!is_blank || disk.is_zero(), "{life:?}: something was there");

    if !mounter().is_complete(&opened, fs, UUID).unwrap() {
        let blank = opened.prove_unfinished(&runner(), &clock, UUID).unwrap();
        mounter().format(blank, fs, UUID).unwrap();
    }
    assert!(mounter().is_complete(&opened, fs, UUID).unwrap());
    assert!(opened.prove_unfinished(&runner(), &clock, &UUID.replace('1', "2")).is_err());
}

const LIVES: [u64; 6] = [0, 2, 5, 10, 20, 60];

#[test]
fn ext4_is_made_in_the_end() {
    private(|| {
        for life in LIVES.map(Duration::from_millis) {
            let args = ["-q", "-U", UUID, "-E", "nodiscard,lazy_itable_init=0"];
            check(FsType::Ext4, 300 * MIB, "mkfs.ext4", &args, life);
        }
    });
}

#[test]
fn xfs_is_made_in_the_end() {
    private(|| {
        for life in LIVES.map(Duration::from_millis) {
            let uuid = format!("uuid={UUID}");
            check(FsType::Xfs, 300 * MIB, "mkfs.xfs", &["-q", "-K", "-m", &uuid], life);
        }
    });
}

#[test]
fn an_xfs_whose_mkfs_was_broken_off_late_is_made_again() {
    private(|| {
        let disk = LoopDisk::formatted(300 * MIB, &format!("mkfs.xfs -q -m uuid={UUID}"));
        disk.write(126, &[1]); // sb_inprogress
        let clock = ManualClock::default();
        let blank = disk.open().prove_unfinished(&runner(), &clock, UUID).unwrap();
        mounter().format(blank, FsType::Xfs, UUID).unwrap();
    });
}
