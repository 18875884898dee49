//! A disk that fails under a format or a mounted file system.

use testbed::{failure_with, seen_to_fail, seen_to_succeed, success};

use crate::{
    guest::Guest,
    shell::{sh, try_sh, wait_for},
    volume::Volume,
};

/// A volume behind whose target a device mapper device lies, of which writes can be made to fail.
struct Failing<'a> {
    volume: Volume<'a>,
    device: String,
    /// The disk below.
    good: String,
}

impl<'a> Failing<'a> {
    fn new(guest: &'a Guest) -> Self {
        let volume = guest.volume();
        let device = volume.attached(1);
        let file = guest.storage.file(&volume.ocid);
        let good = sh(&format!("losetup -f --show {}", file.display()));
        sh(&format!("dmsetup create failing --table '0 {SECTORS} linear {good} 0'"));
        guest.storage.exchange(&volume.ocid, "/dev/mapper/failing", None);
        Self { volume, device, good }
    }

    fn fail_writes(&self) {
        self.become_device(&format!("flakey {} 0 0 1 1 error_writes", self.good));
    }

    /// The target forgets what it could not write.
    fn work_again(&self) {
        self.become_device(&format!("linear {} 0", self.good));
        sh("echo 3 >/proc/sys/vm/drop_caches");
    }

    fn become_device(&self, table: &str) {
        sh(&format!(
            "dmsetup reload failing --table '0 {SECTORS} {table}'
            dmsetup suspend --noflush failing && dmsetup resume failing"
        ));
    }
}

#[test]
fn a_format_that_fails_is_made_by_the_next_call() {
    let guest = Guest::fresh();
    let disk = Failing::new(&guest);
    success(&disk.volume.wait(&disk.device));
    disk.fail_writes();
    let answer = disk.volume.mount(&disk.device);
    seen_to_fail(
        "M16",
        "the target answers every write on iSCSI with an error",
        &answer,
        &["mkfs.ext4"],
    );
    assert!(!try_sh(&format!("mountpoint -q {}", disk.volume.dir())));
    disk.work_again();
    let answer = disk.volume.mount(&disk.device);
    seen_to_succeed("M16", "the target takes writes again; mountdevice again", &answer);
    sh(&format!("echo kept >{0}/file; sync -f {0}", disk.volume.dir()));
    success(&disk.volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn a_file_system_that_writes_have_failed_is_named() {
    let guest = Guest::fresh();
    let disk = Failing::new(&guest);
    let dir = disk.volume.dir();
    success(&disk.volume.mount(&disk.device));
    sh(&format!("echo kept >{dir}/kept; sync -f {dir}"));
    disk.fail_writes();
    assert!(!try_sh(&format!("echo lost >{dir}/lost && sync -f {dir}")));
    check_failed(&disk.volume, &disk.device, "the target answers every write with an error");
    disk.work_again();
    success(&disk.volume.unmount());
    success(&disk.volume.mount(&disk.device));
    assert_eq!(sh(&format!("cat {dir}/kept; touch {dir}/new")), "kept");
    success(&disk.volume.unmount());
}

#[test]
fn a_file_system_whose_disk_was_away_too_long_is_named() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up();
    let dir = volume.dir();
    sh(&format!("echo kept >{dir}/kept; sync -f {dir}"));
    guest.give_up_after(1, 1);
    guest.storage.kill();
    assert!(!try_sh(&format!("echo lost >{dir}/lost && sync -f {dir}")));
    guest.storage.restart();
    let disk = Volume::disk(&device);
    wait_for(&format!("grep -qx running /sys/block/{disk}/device/state"));
    assert!(try_sh(&format!("grep -q ' {dir} rw' /proc/self/mountinfo")), "the kernel says rw");
    check_failed(&volume, &device, "the storage was away longer than I/O waits, and is back");
    success(&volume.unmount());
    success(&volume.mount(&device));
    assert_eq!(sh(&format!("cat {dir}/kept; touch {dir}/new")), "kept");
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

/// mountdevice refuses, and unmountdevice tells of the loss, once.
#[track_caller]
fn check_failed(volume: &Volume<'_>, device: &str, done: &str) {
    let answer = volume.mount(device);
    seen_to_fail(
        "B4",
        format!("ext4 on iSCSI: {done}; mountdevice again"),
        &answer,
        &["has failed"],
    );
    failure_with(&volume.unmount(), &["may be lost"]);
}

const SECTORS: u32 = 32768;
