//! What real disks hold.

use disk::Contents;

use crate::{loop_disk::LoopDisk, tool::runner};

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
fn a_masked_file_system_is_something_else() {
    let disk = LoopDisk::formatted(24 * MIB, &format!("mke2fs -q -t ext4 -U {UUID}"));
    disk.write(0, b"LUKS\xba\xbe\0\x01");
    let Contents::Other { what } = disk.open().contents(&runner()).unwrap() else {
        panic!("not Other");
    };
    assert_eq!(
        what,
        "it holds crypto_LUKS at offset 0, ext at offset 1080, ext at offset 8389688; \
         blkid finds crypto_LUKS; wipefs lists crypto_LUKS at offset 0, ext4 at offset 1080"
    );
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
