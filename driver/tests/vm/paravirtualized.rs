//! Volumes that the hypervisor plugs in and pulls out: real disks on virtio-scsi, with links by udev.

use std::{fs, thread, time::Duration};

use oci_sim::{NewVolume, VirtualDisk};
use testbed::{FaultRow, failure_with, run, seen_to_fail, seen_to_succeed, success};

use crate::{
    guest::Guest,
    shell::{sh, try_sh, wait_for},
    volume::Volume,
};

#[track_caller]
fn check_life(guest: &Guest, volume: &Volume<'_>, fs_type: &str) {
    let (dir, options) = (volume.dir(), [("kubernetes.io/fsType", fs_type)]);
    let device = volume.up_on(1, &options);
    assert_eq!(device, DEVICE);
    success(&volume.wait(&device));
    success(&volume.mount_with(1, &device, &options));
    assert_eq!(sh(&format!("findmnt -no FSTYPE {dir}")), fs_type);
    let letter = volume.write(1, "letter");
    let answer = volume.detach(1);
    seen_to_fail("D9", "paravirtualized, mounted on this host", &answer, &["still mounted"]);
    success(&volume.unmount());
    success(&volume.unmount());
    success(&volume.detach(1));
    wait_for(GONE);

    assert_eq!(volume.up_on(1, &options), device);
    assert_eq!(volume.read(1, "letter"), letter);
    success(&volume.unmount());
    success(&volume.detach(1));
    wait_for(GONE);
    assert_eq!(guest.sim.violations(), [""; 0]);
}

#[test]
fn what_is_written_is_there_after_the_disk_has_gone_and_come_back() {
    let guest = Guest::fresh();
    let bystander = guest.volume();
    bystander.up();
    let theirs = bystander.write(1, "theirs");
    check_life(&guest, &guest.paravirtualized(&NewVolume::default()), "ext4");
    check_life(&guest, &guest.paravirtualized(&large(320 << 20)), "xfs");
    assert_eq!((guest.sessions(), bystander.read(1, "theirs")), (1, theirs));
    bystander.down_from(1);
}

#[test]
fn a_disk_that_comes_during_the_call_is_taken_at_once() {
    let guest = Guest::fresh();
    let volume = guest.paravirtualized(&NewVolume::default());
    let device = volume.attached(1);
    let mut row = FaultRow::new("W15", "the hypervisor plugs it while the call waits; five times");
    let mut by_news = 0;
    for _ in 0..5 {
        let disk = guest.hypervisor.pull(&volume.ocid);
        wait_for(&format!("rm -f {TRACE}; {GONE}"));
        let tracer = ["strace", "-qq", "-e", "trace=poll,ppoll,openat", "-o", TRACE];
        let args = ["waitforattach".to_owned(), device.clone(), volume.options(&[])];
        let call = guest.node(1).command_under(&tracer.map(str::to_owned), &args);
        let answer = thread::scope(|scope| {
            let call = scope.spawn(|| run(call).unwrap());
            wait_for(&format!("grep -q 'POLLIN.*Timeout' {TRACE}"));
            guest.hypervisor.plug(&disk).unwrap();
            call.join().unwrap()
        });
        row.shows(&answer);
        success(&answer);
        let trace = fs::read_to_string(TRACE).unwrap();
        let (before, _) = trace.split_once("\"/dev/sda\"").unwrap();
        let wait = before.lines().rfind(|it| it.contains("POLLIN")).unwrap();
        // It may run out at just that moment.
        by_news += usize::from(!wait.contains("Timeout"));
    }
    assert!(by_news > 2, "only {by_news} of 5 by the kernel's or udev's news");
}

#[test]
fn a_disk_that_never_comes_is_named_at_the_deadline() {
    let guest = Guest::fresh();
    let [volume, other, third] = [0; 3].map(|_| guest.paravirtualized(&NewVolume::default()));
    let (device, theirs) = (volume.attached(1), other.attached(1));
    guest.hypervisor.pull(&volume.ocid);
    guest.hypervisor.pull(&other.ocid);
    wait_for(GONE);
    third.up();
    // Such a link is left if udev was dead while the disk was pulled out.
    sh(&format!("ln -s /dev/sda {theirs}"));
    thread::scope(|scope| {
        let call = scope.spawn(|| other.wait(&theirs));
        seen_to_fail(
            "W15",
            "the attachment is there, its disk never comes",
            &volume.wait(&device),
            &[&*format!("no disk appeared at {device} within 60 s"), "Oracle's udev rules"],
        );
        seen_to_fail(
            "W15",
            "a link that was left leads to another disk, the volume's own never comes",
            &call.join().unwrap(),
            &[&*format!("{theirs} leads to /dev/sda, but udev does not say so"), "udevadm trigger"],
        );
    });
}

/// A volume whose disk was pulled out while it was mounted.
struct Torn {
    disk: VirtualDisk,
    /// The digest of the file that had reached the disk; what was written after it had not.
    kept: String,
}

#[track_caller]
fn tear(guest: &Guest, volume: &Volume<'_>, fs_type: &str) -> Torn {
    volume.up_on(1, &[("kubernetes.io/fsType", fs_type)]);
    let kept = volume.write(1, "kept");
    sh(&format!("echo lost >{}/lost", volume.dir()));
    let disk = guest.hypervisor.pull(&volume.ocid);
    wait_for(GONE);
    Torn { disk, kept }
}

#[track_caller]
fn check_torn(fs_type: &str) {
    let guest = Guest::fresh();
    let volume = guest.paravirtualized(&large(320 << 20));
    let options = [("kubernetes.io/fsType", fs_type)];
    let torn = tear(&guest, &volume, fs_type);
    let done = format!("{fs_type}: the disk pulled out while it is mounted");
    let answer = volume.unmount();
    seen_to_fail("U3", &*done, &answer, &["may be lost"]);
    let answer = volume.unmount();
    seen_to_succeed("U1", format!("{done}, unmounted; again"), &answer);
    assert!(!try_sh(&format!("mountpoint -q {}", volume.dir())));

    success(&volume.detach(1));
    volume.up_on(1, &options);
    assert_eq!(volume.read(1, "kept"), torn.kept);
}

#[test]
fn data_that_are_lost_with_the_disk_are_told_and_no_others_are_ext4() {
    check_torn("ext4");
}

#[test]
fn data_that_are_lost_with_the_disk_are_told_and_no_others_are_xfs() {
    check_torn("xfs");
}

#[test]
fn a_volume_that_comes_back_beside_its_dead_mount_is_mounted_anew() {
    let guest = Guest::fresh();
    let volume = guest.paravirtualized(&NewVolume::default());
    let torn = tear(&guest, &volume, "ext4");
    let device = &torn.disk.device;
    guest.hypervisor.plug(&torn.disk).unwrap();
    wait_for(&format!("[ -b {device} ]"));
    let answer = volume.mount(device);
    seen_to_fail(
        "W13",
        "a paravirtualized disk pulled out and plugged in under its mount; mountdevice",
        &answer,
        &["may be lost"],
    );
    success(&volume.mount(device));
    assert_eq!(volume.read(1, "kept"), torn.kept);
}

#[test]
fn the_path_of_a_volume_that_is_gone_leads_to_no_other_volume() {
    let guest = Guest::fresh();
    let (volume, other) = (
        guest.paravirtualized(&NewVolume::default()),
        guest.paravirtualized(&NewVolume::default()),
    );
    let device = volume.up();
    success(&volume.unmount());
    success(&volume.detach(1));
    wait_for(GONE);
    assert_eq!(other.attached(1), device);
    wait_for(&format!("[ -b {device} ]"));
    let said = ["is not the one that was seen before", "world-wide identifier"];
    let answer = volume.wait(&device);
    seen_to_fail("W15", "another volume's disk at the path, on the same LUN", &answer, &said);
    let answer = volume.mount(&device);
    seen_to_fail("M20", "another volume's disk at the path, on the same LUN", &answer, &said);
    assert!(try_sh(&format!("cmp -n 16777216 {device} /dev/zero")), "it was written to");
    success(&other.mount(&device));
}

#[test]
fn a_disk_at_the_place_of_one_that_was_pulled_out_is_not_taken_for_it() {
    let guest = Guest::fresh();
    let volume = guest.paravirtualized(&NewVolume::default());
    let other = guest.paravirtualized(&NewVolume::default());
    let torn = tear(&guest, &volume, "ext4");
    let device = &torn.disk.device;
    other.attached(1);
    let mut theirs = guest.hypervisor.pull(&other.ocid);
    theirs.device.clone_from(device);
    guest.hypervisor.plug(&theirs).unwrap();
    wait_for(&format!("[ -b {device} ]"));
    let answer = volume.mount(device);
    seen_to_fail(
        "M20",
        "pulled out while it is mounted, and another volume plugged in on the same LUN",
        &answer,
        &["is not the one that was seen before"],
    );
    failure_with(&volume.unmount(), &["may be lost"]);
    success(&volume.unmount());
    assert!(try_sh(&format!("cmp -n 16777216 {device} /dev/zero")), "it was written to");
    success(&other.mount(device));
}

#[test]
fn a_link_that_udev_has_not_taken_away_yet_is_not_followed() {
    let guest = Guest::fresh();
    let [first, second, third] = [0; 3].map(|_| guest.paravirtualized(&NewVolume::default()));
    let device = first.attached(1);
    wait_for(&format!("[ -b {device} ]"));
    sh("pkill -STOP systemd-udevd");
    success(&first.detach(1));
    wait_for("[ ! -e /dev/sda ]");

    // The second volume's disk gets the kernel's name of the first one's, to which the link still leads.
    assert_eq!(third.attached(1), device);
    let disk = guest.hypervisor.pull(&third.ocid);
    wait_for("[ ! -e /dev/sda ]");
    let theirs = second.attached(1);
    wait_for(&format!("[ -b /dev/sda ] && [ $(readlink -f {device}) = /dev/sda ]"));
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| third.mount(&device));
        wait_for("pgrep -x oci");
        thread::sleep(Duration::from_secs(1));
        guest.hypervisor.plug(&disk).unwrap();
        sh("pkill -CONT systemd-udevd");
        call.join().unwrap()
    });
    seen_to_succeed(
        "M20",
        "udev is late, and the link of a disk that is gone leads to the next one's",
        &answer,
    );
    assert_eq!(sh(&format!("findmnt -no SOURCE {}", third.dir())), "/dev/sdb");
    assert!(try_sh("cmp -n 16777216 /dev/sda /dev/zero"), "it was written to");
    success(&second.mount(&theirs));
}

#[test]
fn a_file_system_follows_its_disk() {
    let guest = Guest::fresh();
    let volume = guest.paravirtualized(&large(GIB));
    let size = || sh(&format!("blockdev --getsize64 {DEVICE}")).parse::<u64>().unwrap();
    let device = volume.up();
    let letter = volume.write(1, "letter");
    guest.hypervisor.grow(&volume.ocid, 2 * GIB).unwrap();
    assert_eq!(size(), GIB, "the kernel was not told");
    let answer = volume.expand(&device, 3 * GIB);
    seen_to_fail("E6", "a paravirtualized volume of 2 GiB", &answer, &["has 2147483648 bytes"]);
    let mut row = FaultRow::new("E7", "ext4 on a paravirtualized disk, mounted; twice");
    for _ in 0..2 {
        let answer = volume.expand(&device, 2 * GIB);
        row.shows(&answer);
        success(&answer);
        assert!(volume.room() > GIB * 19 / 10);
    }
    success(&volume.unmount());
    guest.hypervisor.grow(&volume.ocid, 4 * GIB).unwrap();
    success(&volume.wait(&device));
    assert_eq!(size(), 4 * GIB);
    let answer = volume.mount(&device);
    seen_to_succeed("E8", "a paravirtualized disk that has grown meanwhile; mountdevice", &answer);
    assert!(volume.room() > GIB * 38 / 10);
    assert_eq!(volume.read(1, "letter"), letter);
}

fn large(bytes: u64) -> NewVolume {
    NewVolume { disk_bytes: Some(bytes), ..NewVolume::default() }
}

const DEVICE: &str = "/dev/oracleoci/oraclevdb";
/// No disk of the hypervisor's is left, and no link.
const GONE: &str = "\
    [ ! -e /dev/oracleoci ] && ! ls -d /sys/devices/pci*/*/virtio*/host*/target*/*/block >/dev/null 2>&1";
const TRACE: &str = "/tmp/trace";
const GIB: u64 = 1 << 30;
