//! Logging out real disks (loop devices; needs root): never one that is used.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::PathBuf,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use disk::{Access, Disk};
use expect_test::{Expect, expect};
use iscsi::Outcome;
use tempfile::TempDir;

use crate::world::{Event, World, chain, unit_dir, volume};

/// A loop device that plays the volume's disk.
pub(crate) struct Loop {
    pub(crate) device: String,
    pub(crate) dir: TempDir,
}

impl Loop {
    pub(crate) fn new(_alone: &MutexGuard<'_, ()>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let device = run("losetup", &["--find", "--show", image.to_str().unwrap()]);
        Self { device, dir }
    }

    /// A machine that is logged in, with this device as the volume's disk.
    fn world(&self) -> World {
        let world = World::logged_in();
        let sysfs = PathBuf::from("/sys/block").join(self.device.trim_start_matches("/dev/"));
        let number = fs::read_to_string(sysfs.join("dev")).unwrap();
        world.happens(Event::Write(format!("{}/block/sda/dev", unit_dir(1, 1)), leak(number)));
        world.tree().remove(&["dev/sda".into()]);
        world.tree().add(&format!("dev/sda -> {}", self.device));
        world
    }

    pub(crate) fn number(&self) -> disk::DeviceNumber {
        self.disk().number()
    }

    fn disk(&self) -> Disk {
        Disk::open(self.device.as_ref(), &disk::Host::default()).unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        run("losetup", &["--detach", &self.device]);
    }
}

/// One test at a time: the children that another test starts hold copies of our claims until they are programs.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a tool of util-linux or e2fsprogs as root.
#[track_caller]
pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| {
        panic!("{program}: {error}; install mount, util-linux and e2fsprogs")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?} (is this root?): {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

#[track_caller]
fn refused(world: &World, disk: &Loop, expected: Expect) {
    let error = world.initiator().log_out(&volume()).unwrap_err();
    assert!(error.is_in_use() && error.is_transient());
    let place = disk.dir.path().to_str().unwrap();
    let message = chain(&error).replace(&disk.device, "/dev/loopN").replace(place, "/dir");
    expected.assert_eq(&message.replace(comm().trim_end(), "PROGRAM"));
    assert_eq!(world.take(), "", "iscsiadm was run");
    let unit = unit_dir(1, 1);
    assert_eq!(world.tree().read(&format!("{unit}/state")), "running");
    assert_eq!(world.tree().read(&format!("{unit}/delete")), "");
    assert!(world.initiator().session(&volume()).unwrap().is_some());
}

/// What the kernel calls this process.
fn comm() -> String {
    fs::read_to_string("/proc/self/comm").unwrap()
}

#[track_caller]
fn logged_out(world: &World) {
    assert_eq!(world.initiator().log_out(&volume()).unwrap(), Outcome::Done);
    assert_eq!(world.take(), "logout delete");
    assert!(world.initiator().session(&volume()).unwrap().is_none());
    assert_eq!(world.initiator().log_out(&volume()).unwrap(), Outcome::AlreadyDone);
}

#[test]
fn a_free_disk_is_logged_out() {
    let alone = alone();
    let disk = Loop::new(&alone);
    logged_out(&disk.world());
    disk.disk().claim(Access::Write).unwrap(); // let go of
}

#[test]
fn a_mounted_disk_is_not_logged_out() {
    let alone = alone();
    let disk = Loop::new(&alone);
    let world = disk.world();
    let dir = disk.dir.path().join("mounted");
    fs::create_dir(&dir).unwrap();
    run("mkfs.ext4", &["-q", &disk.device]);
    run("mount", &[&disk.device, dir.to_str().unwrap()]);
    let file = fs::File::create(dir.join("file")).unwrap();
    refused(
        &world,
        &disk,
        expect![
            "cannot release the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260, so it stays logged in: /dev/loopN is in use: it is mounted at /dir/mounted"
        ],
    );

    // Hidden from every mount table, but still in use by the open file.
    run("umount", &["--lazy", dir.to_str().unwrap()]);
    refused(
        &world,
        &disk,
        expect![
            "cannot release the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260, so it stays logged in: /dev/loopN is in use: PROGRAM has /file open of a file system that was unmounted lazily"
        ],
    );

    drop(file);
    while disk.disk().claim(Access::Read).is_err() {
        std::thread::yield_now(); // the kernel finishes the lazy unmount
    }
    logged_out(&world);
}

#[test]
fn a_claimed_disk_is_not_logged_out() {
    let alone = alone();
    let disk = Loop::new(&alone);
    let world = disk.world();
    let claim = disk.disk().claim(Access::Read).unwrap();
    refused(
        &world,
        &disk,
        expect![
            "cannot release the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260, so it stays logged in: /dev/loopN is in use, by something that does not show (another mount namespace, a lazy unmount, a process)"
        ],
    );
    drop(claim);
    logged_out(&world);
}

#[test]
fn a_failed_login_does_not_undo_what_is_used() {
    let alone = alone();
    let disk = Loop::new(&alone);
    let world = disk.world();
    let _claim = disk.disk().claim(Access::Read).unwrap();
    world.happens(Event::State(1, "FAILED"));
    let error = world.initiator().log_in(&volume(), None).unwrap_err();
    assert!(error.is_in_use());
    assert_eq!(world.take(), "");
}

#[test]
fn a_node_that_is_another_device_is_not_taken_for_the_disk() {
    let alone = alone();
    let (disk, other) = (Loop::new(&alone), Loop::new(&alone));
    let world = disk.world();
    world.tree().remove(&["dev/sda".into()]);
    world.tree().add(&format!("dev/sda -> {}", other.device));
    let error = world.initiator().log_out(&volume()).unwrap_err();
    assert!(matches!(error, iscsi::Error::WrongNode { .. }), "{}", chain(&error));
    assert_eq!(world.take(), "");
}

#[test]
fn what_was_written_is_on_a_disk_that_was_let_go() {
    let alone = alone();
    let disk = Loop::new(&alone);
    let world = disk.world();
    // As long as another process has the device open, closing it writes nothing.
    let writer = fs::File::options().write(true).open(&disk.device).unwrap();
    writer.write_all_at(b"letter", 8192).unwrap();
    logged_out(&world);
    let mut found = [0; 6];
    fs::File::open(disk.dir.path().join("image")).unwrap().read_exact_at(&mut found, 8192).unwrap();
    assert_eq!(&found, b"letter");
}

#[test]
fn the_other_disks_of_a_session_stay() {
    let alone = alone();
    let disk = Loop::new(&alone);
    let world = disk.world();
    world.tree().add(&format!(
        "{0}/state = running\n{0}/block/sdb/dev = 8:16\n{0}/block/sdb/size = 8",
        unit_dir(1, 2)
    ));
    assert_eq!(world.initiator().log_out(&volume()).unwrap(), Outcome::Done);
    assert_eq!(world.take(), "");
    let session = world.initiator().session(&volume()).unwrap().unwrap();
    assert_eq!(session.units.iter().map(|unit| unit.lun).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_logout_broken_off_at_any_point_is_finished_by_the_next() {
    // The disk was taken offline, and the call was killed.
    let alone = alone();
    let disk = Loop::new(&alone);
    let world = disk.world();
    world.happens(Event::Write(format!("{}/state", unit_dir(1, 1)), "offline"));
    logged_out(&world);
}

#[test]
fn a_mounted_disk_of_a_session_lost_for_good_is_not_let_go() {
    let alone = alone();
    let disk = Loop::new(&alone);
    let world = disk.world();
    let dir = disk.dir.path().join("mounted");
    std::fs::create_dir(&dir).unwrap();
    run("mkfs.ext4", &["-q", &disk.device]);
    run("mount", &[&disk.device, dir.to_str().unwrap()]);
    world.happens(Event::State(1, "FAILED"));
    world.happens(Event::Write(format!("{}/state", unit_dir(1, 1)), "transport-offline"));
    let error = world.initiator().log_out(&volume()).unwrap_err();
    assert!(error.is_in_use(), "{}", chain(&error));
    assert_eq!(world.take(), "", "iscsiadm was run");
    assert_eq!(world.tree().read(&format!("{}/delete", unit_dir(1, 1))), "");
    run("umount", &[dir.to_str().unwrap()]);
    let error = chain(&world.initiator().log_out(&volume()).unwrap_err());
    assert!(error.contains("it can be opened now"), "{error}");
    assert_eq!(world.tree().read(&format!("{}/delete", unit_dir(1, 1))), "");
    world.happens(Event::Write(format!("{}/state", unit_dir(1, 1)), "running"));
    logged_out(&world);
}

#[test]
fn the_disk_of_a_session_lost_for_good_is_let_go() {
    let world = World::logged_in();
    // Nothing drives this number, so that it opens with ENXIO as such a disk does.
    world.happens(Event::Write(format!("{}/block/sda/dev", unit_dir(1, 1)), "240:7"));
    world.tree().remove(&["dev/sda".into()]);
    let node = world.tree().path("dev/sda");
    run("mknod", &[node.to_str().unwrap(), "b", "240", "7"]);
    world.happens(Event::State(1, "FAILED"));
    world.happens(Event::Write(format!("{}/state", unit_dir(1, 1)), "transport-offline"));
    logged_out(&world);
}
