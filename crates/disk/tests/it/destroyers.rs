//! Disks that are not blank: each must be refused, and stay as it is to the last byte.

use clock::ManualClock;
use disk::{BlankCheck, Contents};

use crate::{
    loop_disk::LoopDisk,
    namespace::private,
    tool::{run, runner, try_run},
};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 10 * MIB;

/// Tries to get `disk` proven blank; the first thing said against it must be `holds`.
#[track_caller]
fn check_with(disk: &LoopDisk, check: BlankCheck, holds: &str) {
    let opened = disk.open();
    let (before, writes) = (disk.fingerprint(), disk.writes());
    let clock = ManualClock::default();
    let error = opened.prove_blank(&runner(), &clock, check).unwrap_err();
    assert!(error.is_not_blank(), "{error:?}");
    let message = disk.anonymous(&error);
    let start = "DISK is not blank and is not formatted: it holds ";
    let first = message.strip_prefix(start).unwrap_or(&message);
    let first = first.split([';', '(']).next().unwrap().trim();
    assert_eq!(first, holds, "{message}");

    let contents = opened.contents(&runner()).unwrap();
    assert!(holds.contains("unknown kind") || contents != Contents::Nothing);
    assert_eq!(disk.writes(), writes, "something was written");
    assert_eq!(disk.fingerprint(), before, "the disk has changed");
}

#[track_caller]
fn check(disk: &LoopDisk, holds: &str) {
    check_with(disk, BlankCheck::default(), holds);
}

/// A disk of zeros with `bytes` at `offset`.
#[track_caller]
fn check_bytes(offset: u64, bytes: &[u8], holds: &str) {
    let disk = LoopDisk::new(SIZE);
    disk.write(offset, bytes);
    check(&disk, holds);
}

fn sfdisk(disk: &LoopDisk, label: &str) {
    let script = disk.dir().join("script");
    std::fs::write(&script, format!("label: {label}\nstart=2048\n")).unwrap();
    let line = format!("sfdisk --quiet --force {} < {}", disk.path().display(), script.display());
    let (_, text) = try_run("sfdisk --version");
    assert!(text.contains("sfdisk"), "sfdisk: install fdisk");
    // the kernel may refuse to read the table again; that it is there is checked below
    let status = std::process::Command::new("sh").args(["-c", &format!("{line} 2>&1")]).output();
    status.unwrap();
    let found = run(&format!("blkid -p -s PTTYPE -o value {}", disk.path().display()));
    assert_eq!(found.trim(), label);
}

#[test]
fn ext() {
    for (kind, size) in [("ext2", SIZE), ("ext3", SIZE), ("ext4", SIZE), ("ext4 -b 4096", SIZE)] {
        let disk = LoopDisk::formatted(size, &format!("mke2fs -q -t {kind}"));
        let expected = if kind.contains("4096") {
            "ext at offset 1080"
        } else {
            "ext at offset 1080, ext at offset 8389688"
        };
        check(&disk, expected);
    }
}

#[test]
fn ext_whose_first_superblock_is_gone() {
    let disk = LoopDisk::formatted(SIZE, "mke2fs -q -t ext4");
    disk.zero(0, 4096);
    check(&disk, "ext at offset 8389688");
}

#[test]
fn ext_whose_first_32_mib_are_gone() {
    let disk = LoopDisk::formatted(300 * MIB, "mke2fs -q -t ext4 -b 4096");
    disk.zero(0, 32 << 20);
    check(&disk, "ext at offset 134217784");
}

#[test]
fn xfs() {
    private(|| {
        let disk = LoopDisk::formatted(300 * MIB, "mkfs.xfs -q");
        check(
            &disk,
            "xfs at offset 0, xfs at offset 78643200, xfs at offset 157286400, xfs at offset 235929600",
        );
        disk.zero(0, 32 << 20);
        check(&disk, "xfs at offset 78643200, xfs at offset 157286400, xfs at offset 235929600");
    });
}

#[test]
fn btrfs() {
    private(|| {
        let disk = LoopDisk::formatted(128 * MIB, "mkfs.btrfs -q");
        check(&disk, "btrfs at offset 65600, btrfs at offset 67108928");
        disk.zero(0, 16 << 20);
        check(&disk, "btrfs at offset 67108928");
    });
}

#[test]
fn swap() {
    let disk = LoopDisk::formatted(SIZE, "mkswap -q");
    check(&disk, "swap at offset 4086");
}

#[test]
fn partition_tables() {
    private(|| {
        let disk = LoopDisk::new(SIZE);
        sfdisk(&disk, "gpt");
        let boot = "boot sector or dos partition table at offset 510";
        check(&disk, &format!("{boot}, gpt at offset 512, gpt backup at offset 10485248"));
        disk.zero(0, 17 << 10);
        check(&disk, "gpt backup at offset 10485248");

        let disk = LoopDisk::new(SIZE);
        sfdisk(&disk, "dos");
        check(&disk, boot);
    });
}

#[test]
fn encryption() {
    check_bytes(0, b"LUKS\xba\xbe\0\x01", "crypto_LUKS at offset 0");
    check_bytes(0, b"LUKS\xba\xbe\0\x02", "crypto_LUKS at offset 0");
    for shift in [14, 15, 16, 17, 18, 19, 20, 21, 22] {
        let expected = format!("second header of crypto_LUKS at offset {}", 1 << shift);
        check_bytes(1 << shift, b"SKUL\xba\xbe\0\x02", &expected);
    }
    check_bytes(3, b"-FVE-FS-", "BitLocker at offset 3");
}

#[test]
fn volume_managers() {
    for sector in 0..4 {
        let expected = format!("LVM2_member at offset {}", sector * 512);
        check_bytes(sector * 512, b"LABELONE", &expected);
    }
    let md = b"\xfc\x4e\x2b\xa9";
    check_bytes(0, md, "linux_raid_member at offset 0");
    check_bytes(4096, md, "linux_raid_member at offset 4096");
    check_bytes(SIZE - 8192, md, &format!("linux_raid_member at offset {}", SIZE - 8192));
    check_bytes(SIZE - 65536, md, &format!("linux_raid_member at offset {}", SIZE - 65536));
    check_bytes(32, b"ORCLDISK", "oracleasm at offset 32");
    let uberblock = b"\x0c\xb1\xba\0\0\0\0\0";
    check_bytes(131_072 + 5 * 1024, uberblock, "zfs_member at offset 136192");
    let last = SIZE - 131_072;
    check_bytes(last, uberblock, &format!("zfs_member at offset {last}"));
    let drbd = SIZE - 4096 + 60;
    check_bytes(drbd, b"\x83\x74\x02\x6b", &format!("drbd at offset {drbd}"));
    check_bytes(
        4120,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
        "bcache at offset 4120",
    );
    check_bytes(0, b"bluestore block device", "ceph_bluestore at offset 0");
    check_bytes(1 << 20, b"\x0d\xd0\x01\xc0", "VMFS_volume_member at offset 1048576");
    check_bytes(2 << 20, b"\x5e\xf1\xab\x2f", "VMFS at offset 2097152");
}

#[test]
fn other_file_systems() {
    check_bytes(3, b"NTFS    ", "ntfs at offset 3");
    check_bytes(3, b"EXFAT   ", "exfat at offset 3");
    check_bytes(82, b"FAT32   ", "vfat at offset 82");
    check_bytes(1024, b"OCFSV2", "ocfs2 at offset 1024");
    check_bytes(32_769, b"CD001", "iso9660 at offset 32769");
    check_bytes(0, b"hsqs", "squashfs at offset 0");
    check_bytes(1024, b"\x10\x20\xf5\xf2", "f2fs at offset 1024");
    check_bytes(32_768, b"JFS1", "jfs at offset 32768");
    check_bytes(65_588, b"ReIsEr2Fs", "reiserfs at offset 65588");
}

#[test]
fn a_single_byte_of_unknown_kind() {
    for offset in [0, 1, 511, 4095, 1_234_567, SIZE / 2, SIZE - 1] {
        check_bytes(offset, b"x", &format!("data of unknown kind at offset {offset}"));
    }
}

#[test]
fn several_things_at_once() {
    let disk = LoopDisk::formatted(SIZE, "mke2fs -q -t ext4");
    disk.write(0, b"LUKS\xba\xbe\0\x01");
    check(&disk, "crypto_LUKS at offset 0, ext at offset 1080, ext at offset 8389688");
}
