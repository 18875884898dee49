//! The table of signatures: where, which bytes, of what.
//!
//! Sources: libblkid's list of superblocks and partition tables, and each format's own description.

use super::{Candidate, Strength};

/// Every place of a disk of `size` bytes where a known signature may be.
pub(crate) fn candidates(size: u64) -> impl Iterator<Item = Candidate> {
    fixed()
        .chain(at_the_end(size))
        .chain(ext(size))
        .chain(xfs(size))
        .chain(btrfs())
        .chain(zfs(size))
        .filter(move |candidate| candidate.window().end <= size)
}

/// Where mkfs.xfs may put allocation groups: quarters of the disk, rounded to blocks, or, on disks
/// of 4 TiB and more, every TiB.
pub(crate) fn xfs_group_starts(size: u64) -> impl Iterator<Item = u64> {
    let quarters = (1..4).flat_map(move |n| {
        let exact = size / 4 / BLOCK * n * BLOCK;
        // groups are rounded up to a block, so the n-th starts at most n blocks later
        (0..=n).map(move |late| exact + late * BLOCK)
    });
    let whole = (1..=size >> 40).map(|n| n << 40);
    quarters.chain(whole).filter(move |start| *start < size)
}

fn fixed() -> impl Iterator<Item = Candidate> {
    let primary = PRIMARY.iter().map(|row| (row, Strength::Primary));
    let weak = WEAK.iter().map(|row| (row, Strength::Weak));
    primary.chain(weak).map(|(&(offset, magic, name), strength)| Candidate {
        name,
        offset,
        magic,
        uuid: None,
        strength,
    })
}

fn at_the_end(size: u64) -> impl Iterator<Item = Candidate> {
    let magic = move |offset: Option<u64>, magic, name, strength| {
        offset.map(|offset| Candidate { name, offset, magic, uuid: None, strength })
    };
    // md 0.90 lies in the last whole 64 KiB but one, 1.0 at least 8 KiB before the end
    let md_0_90 = (size & !0xffff).checked_sub(0x10000);
    let md_1_0 = size.checked_sub(0x2000).map(|offset| offset & !0xfff);
    let drbd = (size & !0xfff).checked_sub(0x1000).map(|offset| offset + 60);
    [
        magic(size.checked_sub(512), GPT, "gpt backup", Strength::Weak),
        magic(size.checked_sub(4096), GPT, "gpt backup", Strength::Weak),
        magic(md_0_90, MD, "linux_raid_member", Strength::Primary),
        magic(md_0_90, MD_BIG_ENDIAN, "linux_raid_member", Strength::Primary),
        magic(md_1_0, MD, "linux_raid_member", Strength::Primary),
        magic(drbd, b"\x83\x74\x02\x6b", "drbd", Strength::Primary),
        magic(drbd, b"\x83\x74\x02\x6c", "drbd", Strength::Primary),
        magic(drbd, b"\x83\x74\x02\x6d", "drbd", Strength::Primary),
    ]
    .into_iter()
    .flatten()
}

/// The superblock at byte 1024 and its backups: groups 1 and the powers of 3, 5 and 7, each group
/// as many blocks as a block has bits (ext4's "Super Block" in the kernel's documentation).
fn ext(size: u64) -> impl Iterator<Item = Candidate> {
    let superblock = |start: u64, strength| Candidate {
        name: "ext",
        offset: start + 56,
        magic: b"\x53\xef",
        uuid: Some(start + 104),
        strength,
    };
    let backups = [10, 11, 12, 16].into_iter().flat_map(move |shift: u32| {
        let group = 8_u64 << (2 * shift);
        let first = if shift == 10 { 1024 } else { 0 };
        let powers = [3_u64, 5, 7].into_iter().flat_map(move |base| {
            std::iter::successors(Some(base), move |power| power.checked_mul(base))
                .take_while(move |power| *power <= size / group)
        });
        std::iter::once(1)
            .chain(powers)
            .map(move |number| superblock(number * group + first, Strength::Weak))
    });
    std::iter::once(superblock(1024, Strength::Primary)).chain(backups)
}

fn xfs(size: u64) -> impl Iterator<Item = Candidate> {
    let group = |start: u64, strength| Candidate {
        name: "xfs",
        offset: start,
        magic: b"XFSB",
        uuid: Some(start + 32),
        strength,
    };
    let others = xfs_group_starts(size).map(move |start| group(start, Strength::Weak));
    std::iter::once(group(0, Strength::Primary)).chain(others)
}

fn btrfs() -> impl Iterator<Item = Candidate> {
    let mirror = |start: u64, strength| Candidate {
        name: "btrfs",
        offset: start + 64,
        magic: b"_BHRfS_M",
        uuid: Some(start + 32),
        strength,
    };
    [
        mirror(64 << 10, Strength::Primary),
        mirror(64 << 20, Strength::Weak),
        mirror(256 << 30, Strength::Weak),
    ]
    .into_iter()
}

/// Four labels of 256 KiB, two at each end; the second half of each is an array of uberblocks.
fn zfs(size: u64) -> impl Iterator<Item = Candidate> {
    let end = size & !(LABEL - 1);
    [Some(0), Some(LABEL), end.checked_sub(2 * LABEL), end.checked_sub(LABEL)]
        .into_iter()
        .flatten()
        .flat_map(|label| (0..128).map(move |slot| label + LABEL / 2 + slot * 1024))
        .flat_map(|offset| {
            [ZFS, ZFS_BIG_ENDIAN].map(|magic| Candidate {
                name: "zfs_member",
                offset,
                magic,
                uuid: None,
                strength: Strength::Primary,
            })
        })
}

type Row = (u64, &'static [u8], &'static str);

const PRIMARY: &[Row] = &[
    (0, b"LUKS\xba\xbe", "crypto_LUKS"),
    (0x200, GPT, "gpt"),
    (0x1000, GPT, "gpt"),
    (0x000, b"LABELONE", "LVM2_member"),
    (0x200, b"LABELONE", "LVM2_member"),
    (0x400, b"LABELONE", "LVM2_member"),
    (0x600, b"LABELONE", "LVM2_member"),
    (0x0000, MD, "linux_raid_member"),
    (0x1000, MD, "linux_raid_member"),
    (4086, b"SWAPSPACE2", "swap"),
    (4086, b"SWAP-SPACE", "swap"),
    (8182, b"SWAPSPACE2", "swap"),
    (16374, b"SWAPSPACE2", "swap"),
    (32758, b"SWAPSPACE2", "swap"),
    (65526, b"SWAPSPACE2", "swap"),
    (32, b"ORCLDISK", "oracleasm"),
    (0x10_0000, b"\x0d\xd0\x01\xc0", "VMFS_volume_member"),
    (0x20_0000, b"\x5e\xf1\xab\x2f", "VMFS"),
    (3, b"NTFS    ", "ntfs"),
    (3, b"-FVE-FS-", "BitLocker"),
    (3, b"MSWIN4.1", "vfat"),
    (3, b"EXFAT   ", "exfat"),
    (54, b"FAT12   ", "vfat"),
    (54, b"FAT16   ", "vfat"),
    (82, b"FAT32   ", "vfat"),
    (0x400, b"OCFSV2", "ocfs2"),
    (0x800, b"OCFSV2", "ocfs2"),
    (0x1000, b"OCFSV2", "ocfs2"),
    (0x2000, b"OCFSV2", "ocfs2"),
    (0x1018, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81", "bcache"),
    (0x1018, b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef", "bcachefs"),
    (0, b"bluestore block device", "ceph_bluestore"),
    (32769, b"CD001", "iso9660"),
    (32769, b"BEA01", "udf"),
    (32769, b"NSR02", "udf"),
    (32769, b"NSR03", "udf"),
    (0, b"hsqs", "squashfs"),
    (0, b"sqsh", "squashfs"),
    (0x400, b"\x10\x20\xf5\xf2", "f2fs"),
    (0x8000, b"JFS1", "jfs"),
    (0x2034, b"ReIsErFs", "reiserfs"),
    (0x1_0034, b"ReIsErFs", "reiserfs"),
    (0x1_0034, b"ReIsEr2Fs", "reiserfs"),
    (0x1_0034, b"ReIsEr3Fs", "reiserfs"),
    (0x1_0000, b"ReIsEr4", "reiser4"),
    (0x1_0000, b"\x01\x16\x19\x70", "gfs2"),
    (0, b"verity\0\0", "DM_verity_hash"),
    (0, b"integrt\0", "DM_integrity"),
    (0, b"dmvdo001", "vdo"),
    (0x204, b"!Stra0tis\x86\xff\x02^\x41rh", "stratis"),
    (0x1204, b"!Stra0tis\x86\xff\x02^\x41rh", "stratis"),
    (32, b"NXSB", "apfs"),
    (0x400, b"\xe2\xe1\xf5\xe0", "erofs"),
];

const WEAK: &[Row] = &[
    (510, b"\x55\xaa", "boot sector or dos partition table"),
    (0x400, b"H+", "hfsplus"),
    (0x400, b"HX", "hfsplus"),
    (0x400, b"BD", "hfs"),
    (0x406, b"\x34\x34", "nilfs2"),
    (0x4000, LUKS_SECOND, "second header of crypto_LUKS"),
    (0x8000, LUKS_SECOND, "second header of crypto_LUKS"),
    (0x1_0000, LUKS_SECOND, "second header of crypto_LUKS"),
    (0x2_0000, LUKS_SECOND, "second header of crypto_LUKS"),
    (0x4_0000, LUKS_SECOND, "second header of crypto_LUKS"),
    (0x8_0000, LUKS_SECOND, "second header of crypto_LUKS"),
    (0x10_0000, LUKS_SECOND, "second header of crypto_LUKS"),
    (0x20_0000, LUKS_SECOND, "second header of crypto_LUKS"),
    (0x40_0000, LUKS_SECOND, "second header of crypto_LUKS"),
];

const GPT: &[u8] = b"EFI PART";
const MD: &[u8] = b"\xfc\x4e\x2b\xa9";
const MD_BIG_ENDIAN: &[u8] = b"\xa9\x2b\x4e\xfc";
const LUKS_SECOND: &[u8] = b"SKUL\xba\xbe";
const ZFS: &[u8] = b"\x0c\xb1\xba\0\0\0\0\0";
const ZFS_BIG_ENDIAN: &[u8] = b"\0\0\0\0\0\xba\xb1\x0c";
const LABEL: u64 = 256 << 10;
const BLOCK: u64 = 4096;
