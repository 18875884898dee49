//! Sizes that change: of the disk, and of the file system on it.

use std::fs::{self, File};

use disk::Host;

use crate::{loop_disk::LoopDisk, tool::run};

const MIB: u64 = 1 << 20;

#[track_caller]
fn check(mkfs: &str, fs_type: &str, size: u64) {
    let disk = LoopDisk::formatted(400 * MIB, mkfs);
    assert_eq!(disk.open().file_system_size(fs_type).unwrap(), Some(size), "{mkfs}");
}

#[test]
fn a_file_system_tells_its_size() {
    let all = 400 * MIB;
    check("mke2fs -q -t ext2", "ext2", all);
    check("mke2fs -q -t ext3 -b 1024", "ext3", all);
    check("mke2fs -q -t ext4 -O ^64bit", "ext4", all);
    check("mke2fs -q -t ext4 -O 64bit -b 4096", "ext4", all);
    check("mkfs.xfs -q", "xfs", all);
    check("mkfs.xfs -q -b size=1024 -d size=300m", "xfs", 300 * MIB);
}

#[test]
fn where_there_is_none_there_is_no_size() {
    let disk = LoopDisk::new(MIB);
    for fs_type in ["ext4", "xfs", "btrfs", "ntfs", ""] {
        assert_eq!(disk.open().file_system_size(fs_type).unwrap(), None, "{fs_type}");
    }
    let tiny = LoopDisk::new(512);
    for fs_type in ["ext4", "xfs", "btrfs"] {
        assert_eq!(tiny.open().file_system_size(fs_type).unwrap(), None, "{fs_type}");
    }
}

#[test]
fn a_file_system_that_cannot_be_read_is_an_error() {
    let disk = LoopDisk::formatted(64 * MIB, "mke2fs -q -t ext4");
    let opened = disk.open();
    disk.truncate(0);
    let error = opened.file_system_size("ext4").unwrap_err();
    assert!(disk.anonymous(&error).starts_with("cannot read DISK at offset 1024"), "{error}");
}

#[test]
fn a_rescanned_disk_has_the_size_that_the_kernel_has_now() {
    let disk = LoopDisk::new(MIB);
    let before = disk.open();
    disk.truncate(2 * MIB);
    assert_eq!(before.rescan().unwrap().size(), MIB, "the kernel was not told");
    run(&format!("losetup --set-capacity {}", disk.path().display()));
    let after = before.rescan().unwrap();
    assert_eq!((after.size(), after.number()), (2 * MIB, before.number()));
    assert!(before.confirm().is_err(), "what was seen before is no longer so");
}

/// A tree like sysfs for `disk`, which is a SCSI disk there.
fn host(disk: &LoopDisk, state: &str) -> Host {
    let sysfs = disk.dir().join("sys");
    let dir = sysfs.join("dev/block").join(disk.open().number().to_string());
    fs::create_dir_all(dir.join("device")).unwrap();
    let (number, sectors) = (disk.open().number().to_string(), disk.open().size() / 512);
    for (name, text) in [
        ("dev", number),
        ("size", sectors.to_string()),
        ("ro", "0".into()),
        ("device/state", state.into()),
        ("device/rescan", String::new()),
    ] {
        fs::write(dir.join(name), text).unwrap();
    }
    Host { sysfs, ..Host::default() }
}

#[test]
fn a_scsi_disk_is_asked_and_one_that_hangs_is_not() {
    let disk = LoopDisk::new(MIB);
    let opened = disk::Disk::open(disk.path(), &host(&disk, "running")).unwrap();
    let number = opened.number().to_string();
    let rescan = disk.dir().join("sys/dev/block").join(number).join("device/rescan");
    assert_eq!(opened.rescan().unwrap().size(), MIB);
    assert_eq!(fs::read_to_string(&rescan).unwrap(), "1");

    File::create(&rescan).unwrap();
    fs::write(rescan.with_file_name("state"), "blocked").unwrap();
    let error = opened.rescan().unwrap_err();
    assert_eq!(disk.anonymous(&error), "DISK is not ready: the kernel says \"blocked\"");
    assert_eq!(fs::read_to_string(&rescan).unwrap(), "");

    fs::write(rescan.with_file_name("state"), "running").unwrap();
    fs::remove_file(&rescan).unwrap();
    fs::create_dir(&rescan).unwrap();
    let error = opened.rescan().unwrap_err();
    assert_eq!(disk.anonymous(&error), "cannot have the kernel read the size of DISK again");
}
