//! What can be wrong between a connected disk and a mounted file system.

use std::{fs, path::Path, thread};

use testbed::{FaultRow, failure_with, seen_to_fail, seen_to_succeed, success};

use crate::{
    guest::Guest,
    shell::{is_zero, sh, try_sh, wait_for},
    volume::Volume,
    wait_for_attach::iqn,
};

#[test]
fn a_disk_in_the_hands_of_device_mapper_is_in_use() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    success(&volume.wait(&device));
    let disk = Volume::disk(&device);
    sh(&format!("dmsetup create grabbed --table '0 32768 linear /dev/{disk} 0'"));
    for id in ["M22", "M5"] {
        let answer = volume.mount(&device);
        seen_to_fail(id, "a device mapper device on the disk", &answer, &["in use", "dm-"]);
    }
    let file = guest.storage.file(&volume.ocid);
    assert!(is_zero(&file));
}

/// Where the disk cannot be read, as device mapper's tables in sectors; `B` is the good disk.
const UNREADABLE: [(&str, &str); 4] = [
    ("nowhere", "0 32768 error"),
    ("not at the beginning", "0 8 error\n8 32760 linear B 8"),
    ("not at the end", "0 32760 linear B 0\n32760 8 error"),
    (
        "not in one place of the middle",
        "0 16384 linear B 0\n16384 8 error\n16392 16376 linear B 16392",
    ),
];

#[test]
fn a_disk_that_cannot_be_read_is_not_formatted() {
    let guest = Guest::fresh();
    for (number, (place, table)) in UNREADABLE.into_iter().enumerate() {
        let volume = guest.volume();
        let device = volume.attached(1);
        let file = guest.storage.file(&volume.ocid).display().to_string();
        let good = sh(&format!("losetup -f --show {file}"));
        let table = table.replace('B', &good);
        sh(&format!("printf '{table}\n' | dmsetup create bad{number}"));
        guest.storage.exchange(&volume.ocid, &format!("/dev/mapper/bad{number}"), None);
        success(&volume.wait(&device));
        let answer = volume.mount(&device);
        seen_to_fail("M10", format!("a blank disk that can be read {place}"), &answer, &["cannot"]);
        assert!(is_zero(Path::new(&file)), "it was written to: {place}");
        assert!(!try_sh(&format!("mountpoint -q {}", volume.dir())));
        success(&volume.unmount());
    }
}

#[test]
fn an_interrupted_format_does_not_excuse_what_came_on_the_disk_elsewhere() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    let script = "#!/bin/sh\ncase $1 in -V) exit 0;; esac\nkill -9 $$\n";
    fs::create_dir_all(TOOLS).unwrap();
    fs::write(format!("{TOOLS}/mkfs.ext4"), script).unwrap();
    sh(&format!("chmod 755 {TOOLS}/mkfs.ext4"));
    let (dir, options) = (volume.dir(), volume.options(&[]));
    let mut call = guest.node(1).command(&["mountdevice", &dir, &device, &options]);
    call.env("OCI_FLEXD_TOOL_PATH", format!("{TOOLS}:/usr/sbin:/usr/bin:/sbin:/bin"));
    failure_with(&testbed::run(call).unwrap(), &["mkfs.ext4"]);
    success(&volume.unmount());

    // Another node found the format finished and used it; then the superblock was lost.
    let file = guest.storage.file(&volume.ocid).display().to_string();
    sh(&format!(
        "uuid=$(sed -n 's/.*\"formatting\":\"\\([^\"]*\\)\".*/\\1/p' {RECORDS}/{}.json)
         mke2fs -q -t ext4 -U $uuid {file}
         mount -o loop {file} /mnt; echo precious >/mnt/file; umount /mnt
         dd if=/dev/zero of={file} bs=4096 count=1 conv=notrunc status=none",
        volume.name()
    ));
    let hash = || sh(&format!("sha256sum {file}"));
    let before = hash();
    success(&volume.wait(&device));
    seen_to_fail(
        "M15",
        "mkfs was killed, and the volume was used on another node since",
        &volume.mount(&device),
        &["has stayed here since", "left alone"],
    );
    assert_eq!(hash(), before);
    sh(&format!("dd if=/dev/zero of={file} bs=1M count=16 conv=notrunc status=none"));
    seen_to_succeed("M15", "and was wiped", &volume.mount(&device));
}

#[test]
fn a_name_that_goes_to_another_disk_while_it_is_opened_is_not_followed() {
    let guest = Guest::fresh();
    let (volume, other) = (guest.volume(), guest.volume());
    let (device, theirs) = (volume.attached(1), other.attached(1));
    success(&volume.wait(&device));
    let disk = format!("/dev/{}", Volume::disk(&device));
    // The call stops when it has found the disk and not pinned it yet.
    let tracer = ["strace", "-qq", "-f", "-o", TRACE, "-P", &disk];
    let at_close = ["-e", "trace=close", "-e", "inject=close:signal=SIGSTOP:when=1"];
    let (dir, options) = (volume.dir(), volume.options(&[]));
    let args = ["mountdevice", &dir, &device, &options];
    let call = guest.node(1).command_under(&[&tracer[..], &at_close].concat(), &args);
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| testbed::run(call).unwrap());
        wait_for(&format!("grep -q 'stopped by SIGSTOP' {TRACE}"));
        sh(&format!("iscsiadm -m node -T {} --logout", iqn(&device)));
        wait_for(&format!("[ ! -e {disk} ]"));
        success(&other.wait(&theirs));
        assert_eq!(format!("/dev/{}", Volume::disk(&theirs)), disk);
        sh("pkill -CONT -x oci");
        call.join().unwrap()
    });
    let what = "the name goes to another disk between look and open; mountdevice";
    seen_to_fail("M20", what, &answer, &["has become the name of another disk"]);
    assert!(is_zero(&guest.storage.file(&other.ocid)), "it was written to");
    success(&volume.mount(&device));
}

#[test]
fn the_name_of_another_disk_is_refused() {
    let guest = Guest::fresh();
    let (asked, other) = (guest.volume(), guest.volume());
    let (own, others) = (asked.attached(1), other.up());
    success(&other.unmount());
    success(&other.wait(&others));
    let (blank, full) = (guest.storage.file(&asked.ocid), guest.storage.file(&other.ocid));
    let hash = || sh(&format!("sha256sum {}", full.display()));
    let before = hash();
    let disk = Volume::disk(&others);
    let check = |device: &str, what: &str, parts: &[&str]| {
        let mut row = FaultRow::new("M20", format!("kubelet passes {what}; mountdevice on iSCSI"));
        let answer = asked.mount(device);
        row.shows(&answer);
        failure_with(&answer, parts);
        assert!(!try_sh(&format!("mountpoint -q {}", asked.dir())));
    };
    let not_ours = ["is no device path of this driver"];
    check(&format!("/dev/{disk}"), "the kernel's name of another disk", &not_ours);
    check(&format!("/dev/mapper/../{disk}"), "a path with dots", &not_ours);
    check(&format!("{others}-part1"), "a partition", &not_ours);
    check(&others, "another volume's path, for one that was never seen", &[other.name()]);
    success(&asked.wait(&own));
    success(&asked.mount(&own));
    success(&asked.unmount());
    let seen = ["is not the one that was seen before"];
    check(&others, "another volume's path, for one that was seen", &seen);
    assert_eq!(hash(), before);
    assert!(!is_zero(&blank));
}

#[test]
fn a_name_that_was_used_before_is_another_disk() {
    let guest = Guest::fresh();
    let (one, two) = (guest.volume(), guest.volume());
    let first = one.up();
    let disk = Volume::disk(&first);
    success(&one.unmount());
    success(&one.detach(1));
    let second = two.attached(1);
    success(&two.wait(&second));
    assert_eq!(Volume::disk(&second), disk, "the case is about a name that is used again");
    let answer = one.mount(&second);
    seen_to_fail(
        "W9",
        "the kernel's name of the first volume used for the second",
        &answer,
        &["is not the one that was seen before"],
    );
    success(&two.mount(&second));
}

#[test]
fn a_disk_that_dies_before_mkfs_is_formatted_by_the_next_call() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    success(&volume.wait(&device));
    guest.give_up_after(1, 1);
    sh("mkdir -p /tmp/tools
        printf '#!/bin/sh\npkill -9 -x tgtd\nexec /usr/sbin/mkfs.ext4 \"$@\"\n' >/tmp/tools/mkfs.ext4
        chmod +x /tmp/tools/mkfs.ext4");
    let args = ["mountdevice", &volume.dir(), &device, &volume.options(&[])];
    let mut call = guest.node(1).command(&args);
    call.env("OCI_FLEXD_TOOL_PATH", "/tmp/tools:/usr/sbin:/usr/bin:/sbin:/bin");
    let answer = testbed::run(call).unwrap();
    seen_to_fail("M21", "the target dies between the proof of blankness and mkfs", &answer, &[]);
    assert!(!try_sh(&format!("mountpoint -q {}", volume.dir())));
    guest.storage.restart();
    success(&volume.wait(&device));
    success(&volume.mount(&device));
    success(&volume.unmount());
}

#[test]
fn a_disk_that_is_refused_for_good_is_let_go() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    let file = guest.storage.file(&volume.ocid).display().to_string();
    sh(&format!("head -c 1M /dev/urandom | dd of={file} conv=notrunc status=none; sync {file}"));
    let refused = ["is not blank"];
    let left = || {
        let records = sh("ls /etc/iscsi/nodes");
        (guest.sessions(), records, try_sh(&format!("test -e {}", volume.dir())))
    };

    success(&volume.wait(&device));
    let answer = volume.mount(&device);
    seen_to_fail("M8", "refused for a lasting reason: session and directory", &answer, &refused);
    assert_eq!(left(), (0, String::new(), false));
    // As kubelet goes on.
    success(&volume.wait(&device));
    failure_with(&volume.mount(&device), &refused);
    assert_eq!(left(), (0, String::new(), false));

    // Another user keeps it: here another file system that was mounted by hand.
    success(&volume.wait(&device));
    let disk = Volume::disk(&device);
    sh(&format!("mke2fs -q -F -t ext2 -O ^resize_inode /dev/{disk}; mount /dev/{disk} /mnt"));
    let asked = [("kubernetes.io/fsType", "xfs")];
    assert!(!volume.mount_with(1, &device, &asked).is_success());
    assert_eq!(guest.sessions(), 1);
    sh("umount /mnt");
    // A disk that holds something else than the pod asks for, and a directory that is not empty.
    sh(&format!("mkdir -p {0}; touch {0}/file", volume.dir()));
    assert!(!volume.mount_with(1, &device, &asked).is_success());
    sh(&format!("test -e {0}/file; rm {0}/file", volume.dir()));
    failure_with(&volume.mount_with(1, &device, &asked), &["the pod asks for xfs"]);
    assert_eq!(left(), (0, String::new(), false));
    success(&volume.mount(&device));
    success(&volume.unmount());
    success(&volume.detach(1));
}

const TOOLS: &str = "/tmp/dying";
const TRACE: &str = "/tmp/trace";
const RECORDS: &str = "/var/lib/oci-flexvolume-driver/volumes";
