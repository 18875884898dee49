//! Opening: only block devices, only ready ones, and always the same one.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use disk::{Access, BlankCheck, Disk, Error, Host};

use crate::{
    loop_disk::LoopDisk,
    tool::{run, runner},
};

const MIB: u64 = 1 << 20;

#[test]
fn a_link_leads_to_the_device() {
    let disk = LoopDisk::new(MIB + 512);
    let link = disk.dir().join("link");
    symlink(disk.path(), &link).unwrap();
    let opened = Disk::open(&link, &Host::default()).unwrap();
    assert_eq!((opened.path(), opened.size()), (disk.path(), MIB + 512));
    assert_eq!(opened.number().major, 7);
    assert!(!opened.is_read_only());
    let identity = opened.identity();
    assert_eq!((identity.wwid, identity.serial), (None, None));
}

#[track_caller]
fn check(path: &Path, expected: &str) {
    let error = Disk::open(path, &Host::default()).unwrap_err();
    assert_eq!(error.to_string(), expected.replace("PATH", path.to_str().unwrap()));
}

#[test]
fn other_things_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let fifo = dir.path().join("fifo");
    run(&format!("mkfifo {}", fifo.display()));
    let dangling = dir.path().join("dangling");
    symlink("nowhere", &dangling).unwrap();

    for path in [dir.path(), &file, &fifo, Path::new("/dev/null")] {
        check(path, "PATH is not a block device");
    }
    for path in [&dangling, &dir.path().join("missing"), &file.join("below")] {
        check(path, "cannot open PATH");
    }
}

/// A tree like sysfs for `disk`, with `files` beside what opening needs.
fn host(disk: &LoopDisk, number: &str, files: &[(&str, &str)]) -> Host {
    let sysfs = disk.dir().join("sys");
    let dir = sysfs.join("dev/block").join(disk.open().number().to_string());
    fs::create_dir_all(dir.join("device")).unwrap();
    let sectors = (disk.open().size() / 512).to_string();
    let usual = [("dev", number), ("size", &*sectors), ("ro", "0\n")];
    for (name, text) in usual.iter().chain(files) {
        fs::write(dir.join(name), text).unwrap();
    }
    Host { sysfs, ..Host::default() }
}

#[track_caller]
fn check_host(files: &[(&str, &str)], expected: Result<(), &str>) {
    let disk = LoopDisk::new(MIB);
    let number = disk.open().number().to_string();
    let opened = Disk::open(disk.path(), &host(&disk, &number, files));
    let result = opened.as_ref().map(drop).map_err(|error| disk.anonymous(error));
    assert_eq!(result, expected.map_err(str::to_owned));
}

#[test]
fn a_device_that_the_kernel_does_not_run_is_not_touched() {
    check_host(&[("device/state", "running\n")], Ok(()));
    for state in ["blocked", "offline", "transport-offline", "created", "quiesce"] {
        let expected = format!("DISK is not ready: the kernel says {state:?}");
        check_host(&[("device/state", &format!("{state}\n"))], Err(&expected));
    }
}

#[test]
fn a_disk_that_may_be_used_is_not_unused() {
    let disk = LoopDisk::new(MIB);
    let number = disk.open().number();
    let prove = |state: &str| {
        let host = host(&disk, &number.to_string(), &[("device/state", state)]);
        Disk::prove_unused(disk.path(), &host).map_err(|error| disk.anonymous(&error))
    };
    let again = "DISK changed under the call: given up by the kernel before, it can be opened now";
    assert_eq!(prove("running"), Ok(()));
    assert_eq!(prove("blocked"), Err("DISK is not ready: the kernel says \"blocked\"".into()));
    assert_eq!(prove("transport-offline"), Err(again.into()));
    let _claim = disk.open().claim(Access::Read).unwrap();
    for state in ["running", "offline", "transport-offline"] {
        let in_use = prove(state).unwrap_err();
        assert!(in_use.starts_with("DISK is in use"), "{state}: {in_use}");
    }
}

#[test]
fn sysfs_and_the_device_must_agree_about_the_size() {
    check_host(
        &[("size", "4096\n")],
        Err("DISK changed under the call: 1048576 bytes before, 2097152 bytes now"),
    );
}

#[test]
fn sysfs_must_be_of_the_same_device() {
    let disk = LoopDisk::new(MIB);
    let number = disk.open().number();
    let error = Disk::open(disk.path(), &host(&disk, "7:77", &[])).unwrap_err();
    assert_eq!(
        disk.anonymous(&error),
        format!("DISK changed under the call: device {number} before, device 7:77 now")
    );
}

#[test]
fn a_device_without_sysfs_is_refused() {
    let disk = LoopDisk::new(MIB);
    let host = Host { sysfs: PathBuf::from("/nonexistent"), ..Host::default() };
    let number = disk.open().number();
    assert_eq!(
        Disk::open(disk.path(), &host).unwrap_err().to_string(),
        format!("cannot read /nonexistent/dev/block/{number}/dev")
    );
}

#[test]
fn an_empty_device_is_not_ready() {
    let disk = LoopDisk::new(0);
    let error = Disk::open(disk.path(), &Host::default()).unwrap_err();
    assert_eq!(disk.anonymous(&error), "DISK is not ready: its size is 0");
    assert!(error.is_not_ready());
}

#[test]
fn a_read_only_disk_is_not_formatted() {
    let disk = LoopDisk::with(MIB, "--read-only");
    let opened = disk.open();
    assert!(opened.is_read_only());
    let clock = clock::ManualClock::default();
    let error = opened.prove_blank(&runner(), &clock, BlankCheck::default()).unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }));
    assert_eq!(disk.anonymous(&error), "DISK is read-only: it cannot be formatted");
}

#[test]
fn a_disk_that_was_replaced_is_noticed() {
    let disk = LoopDisk::new(MIB);
    let node = disk.dir().join("node");
    let number = disk.open().number();
    let mknod = |minor| run(&format!("mknod {} b {} {minor}", node.display(), number.major));
    mknod(number.minor);
    let opened = Disk::open(&node, &Host::default()).unwrap();
    opened.confirm().unwrap();

    let other = LoopDisk::new(MIB);
    let other_number = other.open().number();
    fs::remove_file(&node).unwrap();
    mknod(other_number.minor);
    let expected = format!("device {number} before, device {other_number} now");
    for error in [
        opened.confirm().unwrap_err(),
        opened.claim(disk::Access::Read).unwrap_err(),
        opened.contents(&runner()).unwrap_err(),
    ] {
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
}

#[test]
fn flushing_succeeds_on_a_sound_disk() {
    LoopDisk::new(MIB).open().flush().unwrap();
}

#[test]
fn a_path_that_cannot_be_looked_at_is_not_absent() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    symlink(at("circle"), at("circle")).unwrap();
    symlink(at("nothing"), at("dangling")).unwrap();
    for (name, absent) in [("circle", false), ("dangling", true), ("nothing", true), (".", false)] {
        assert_eq!(Disk::is_absent(&at(name)), absent, "{name}");
    }
}
