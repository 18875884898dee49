//! What real disks hold.

use disk::Contents;

use crate::{loop_disk::LoopDisk, tool::runner};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const UUID: &str = "11111111-2222-3333-4444-555555555555";

#[track_caller]
fn check(disk: &LoopDisk, fs_type: &str) {
    assert_eq!(
        disk.open().contents(&runner()).unwrap(),
        Contents::Filesystem { fs_type: fs_type.to_owned(), uuid: Some(UUID.to_owned()) }
    );
}

#[test]
fn file_systems_are_recognised() {
    for kind in ["ext2", "ext3", "ext4"] {
        check(&LoopDisk::formatted(24 * MIB, &format!("mke2fs -q -t {kind} -U {UUID}")), kind);
    }
    check(&LoopDisk::formatted(300 * MIB, &format!("mkfs.xfs -q -m uuid={UUID}")), "xfs");
    // mkfs.btrfs refuses a UUID that any other disk of the machine has, one of a parallel run too
    let uuid = format!("{:08x}-2222-3333-4444-555555555555", std::process::id());
    let disk = LoopDisk::formatted(128 * MIB, &format!("mkfs.btrfs -q -U {uuid}"));
    let contents = disk.open().contents(&runner()).unwrap();
    assert_eq!(contents, Contents::Filesystem { fs_type: "btrfs".to_owned(), uuid: Some(uuid) });
}

#[test]
fn a_file_system_in_the_place_of_another_is_recognised() {
    // the backups of the old one are still there, the new mkfs has wiped only its beginning
    let disk = LoopDisk::formatted(300 * MIB, "mke2fs -q -t ext4 -b 1024");
    crate::tool::run(&format!("mkfs.xfs -q -f -m uuid={UUID} {}", disk.path().display()));
    check(&disk, "xfs");
    crate::tool::run(&format!("mke2fs -q -F -t ext4 -U {UUID} {}", disk.path().display()));
    check(&disk, "ext4");
}

#[test]
fn a_masked_file_system_is_contested() {
    let disk = LoopDisk::formatted(24 * MIB, &format!("mke2fs -q -t ext4 -U {UUID}"));
    disk.write(0, b"LUKS\xba\xbe\0\x01");
    let Contents::Contested { fs_type, what } = disk.open().contents(&runner()).unwrap() else {
        panic!("not Contested");
    };
    assert_eq!(fs_type, "ext4");
    assert_eq!(
        what,
        "it holds crypto_LUKS at offset 0, ext at offset 1080, ext at offset 8389688; \
         blkid finds crypto_LUKS; wipefs lists crypto_LUKS at offset 0, ext4 at offset 1080"
    );
}

const ZFS: &[u8] = b"\x0c\xb1\xba\0\0\0\0\0\x05\0\0\0\0\0\0\0";
const MD: &[u8] = b"\xfc\x4e\x2b\xa9\x01\0\0\0";

/// Writes uberblocks of ZFS into the labels with these numbers, so many that blkid takes them for ZFS.
fn uberblocks(disk: &LoopDisk, size: u64, labels: &[u64]) {
    for label in labels {
        let start = if *label < 2 { label * 256 * KIB } else { size - (4 - label) * 256 * KIB };
        for slot in 100..128 {
            disk.write(start + 128 * KIB + slot * KIB, ZFS);
        }
    }
}

/// What making a pool writes into a label: everything but the first 8 KiB.
fn pool(disk: &LoopDisk, size: u64) {
    for label in 0..4 {
        let start = if label < 2 { label * 256 * KIB } else { size - (4 - label) * 256 * KIB };
        disk.write(start + 8 * KIB, &vec![b'z'; 120 << 10]);
        disk.zero(start + 128 * KIB, 128 << 10);
    }
    uberblocks(disk, size, &[0, 1, 2, 3]);
}

#[track_caller]
fn is_contested(disk: &LoopDisk, fs_type: &str) {
    let contents = disk.open().contents(&runner()).unwrap();
    let is_contested =
        matches!(&contents, Contents::Contested { fs_type: it, .. } if it == fs_type);
    assert!(is_contested, "{contents:?}");
}

#[test]
fn signatures_among_the_data_of_files_are_data() {
    let size = 320 * MIB;
    let xfs = || LoopDisk::formatted(size, &format!("mkfs.xfs -q -m uuid={UUID}"));
    let ext4 = || LoopDisk::formatted(size, &format!("mke2fs -q -t ext4 -U {UUID}"));
    for labels in [&[0][..], &[1], &[0, 1], &[2], &[3], &[0, 1, 2, 3]] {
        let disk = xfs();
        uberblocks(&disk, size, labels);
        check(&disk, "xfs");
    }
    let disk = xfs();
    disk.write(MIB, b"\x0d\xd0\x01\xc0");
    check(&disk, "xfs");
    // its UUID was changed after it was made
    let disk = LoopDisk::formatted(size, "mkfs.xfs -q");
    crate::tool::run(&format!("xfs_admin -U {UUID} {}", disk.path().display()));
    uberblocks(&disk, size, &[0, 1]);
    check(&disk, "xfs");
    for labels in [&[2][..], &[3], &[2, 3]] {
        let disk = ext4();
        uberblocks(&disk, size, labels);
        check(&disk, "ext4");
    }
}

#[test]
fn a_pool_over_an_old_file_system_is_not_its_data() {
    let size = 320 * MIB;
    for (mkfs, fs_type) in [
        ("mkfs.xfs -q", "xfs"),
        ("mkfs.xfs -q -b size=1024", "xfs"),
        ("mke2fs -q -t ext4", "ext4"),
        ("mke2fs -q -t ext4 -O ^resize_inode -N 16", "ext4"),
        ("mke2fs -q -t ext4 -O ^flex_bg,^resize_inode -N 16", "ext4"),
        ("mke2fs -q -t ext2 -b 1024", "ext2"),
    ] {
        let disk = LoopDisk::formatted(size, mkfs);
        pool(&disk, size);
        is_contested(&disk, fs_type);
    }
}

/// mkfs, what it makes, and what happens to the disk then.
type Case = (&'static str, &'static str, fn(&LoopDisk, u64));

#[test]
fn what_a_file_system_has_no_data_at_is_not_its_data() {
    let size = 320 * MIB;
    let cases: &[Case] = &[
        // an array that has the file system in it, and is larger by its own superblock
        ("mkfs.xfs -q", "xfs", |disk, size| disk.write(size - 8 * KIB, MD)),
        ("mke2fs -q -t ext4", "ext4", |disk, size| disk.write(size - 8 * KIB, MD)),
        ("mke2fs -q -t ext4", "ext4", |disk, size| disk.write(size - 64 * KIB, MD)),
        // the first labels of ZFS, where ext has its tables
        ("mke2fs -q -t ext4", "ext4", |disk, size| uberblocks(disk, size, &[0])),
        ("mke2fs -q -t ext3", "ext3", |disk, size| uberblocks(disk, size, &[1, 3])),
        // the sectors before the superblock, and the tables behind it
        ("mke2fs -q -t ext4", "ext4", |disk, _| disk.write(512, b"LABELONE")),
        ("mke2fs -q -t ext4", "ext4", |disk, _| disk.write(64 * KIB + 64, b"_BHRfS_M")),
        // nothing there shows whose it is
        ("mkfs.xfs -q -m crc=0", "xfs", |disk, size| uberblocks(disk, size, &[0])),
    ];
    for (mkfs, fs_type, change) in cases {
        let disk = LoopDisk::formatted(size, mkfs);
        change(&disk, size);
        is_contested(&disk, fs_type);
    }
}

#[test]
fn an_unreadable_disk_is_never_nothing() {
    for left in [0, 4096, 24 * MIB - 4096] {
        let disk = LoopDisk::formatted(24 * MIB, "mke2fs -q -t ext4");
        disk.truncate(left);
        let error = disk.open().contents(&runner()).unwrap_err();
        assert!(disk.anonymous(&error).starts_with("cannot read DISK at offset "), "{error}");
    }
}
