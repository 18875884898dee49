//! Where a file system keeps nothing but the data of files, in which a pod may write anything: the image of another
//! disk, too.
//!
//! A superblock alone does not prove that its file system is the one in use. A pool of ZFS leaves the first 8 KiB of
//! the disk as they were, and so the superblock of what was there before; mounted, that would write into the pool.
//! So the area begins where every format that is looked for has written by then, and what is below it must be the
//! file system's own.

use std::ops::Range;

use crate::{Disk, Error, ext::ExtSuperblock, reader};

/// The bytes of the disk in which only data is, if the superblock's words and what lies below the data agree;
/// `family` is `ext` or `xfs`.
///
/// # Errors
/// If the disk does not read.
pub(crate) fn data_area(disk: &Disk, family: &str) -> Result<Option<Range<u64>>, Error> {
    if disk.size() < HEAD {
        return Ok(None);
    }
    let mut head = Vec::new();
    let start = 0..HEAD;
    reader::read(disk, &[start], |_, bytes| head.extend_from_slice(bytes))?;
    let area = match family {
        "ext" => ext(&head),
        "xfs" => xfs(&head),
        _ => None,
    };
    Ok(area.filter(|area| area.start < area.end && area.end <= disk.size()))
}

/// Behind the inode tables of the first groups, and behind the first two labels of ZFS, where the
/// search for signatures looks anyway.
fn ext(head: &[u8]) -> Option<Range<u64>> {
    let superblock = ExtSuperblock::parse(*head.get(1024..)?.first_chunk()?)?;
    let block = superblock.block_size()?;
    let groups = match superblock.word(96) & FLEX_BG {
        0 => 1,
        _ => 1_u64.checked_shl(superblock.byte(372).into())?,
    };
    let inode_size = if superblock.word(76) == 0 { 128 } else { superblock.half(88).into() };
    let table = u64::from(superblock.word(40)).checked_mul(inode_size)?.div_ceil(block);
    let descriptor = (u64::from(superblock.word(20)) + 1).checked_mul(block)?;
    let first = u32_le(head, usize::try_from(descriptor).ok()? + 8)?;
    let end = table.checked_mul(groups)?.checked_add(first.into())?.checked_mul(block)?;
    Some(end.max(ZFS_LABELS)..superblock.size()?)
}

/// Behind the first allocation group's own blocks, of which at least one must show by itself whose it is (version
/// 5; xfs_format.h): in a place that a label of ZFS covers, and every other format that begins below.
fn xfs(head: &[u8]) -> Option<Range<u64>> {
    let version = u16_be(head, 100)? & 0xf;
    if head.get(..4)? != b"XFSB" || version != 5 {
        return None;
    }
    let size = u64_be(head, 8)?.checked_mul(u32_be(head, 4)?.into())?;
    // A UUID that was changed later is not in the blocks.
    let has_other = u32_be(head, 216)? & META_UUID != 0;
    let uuid = head.get(if has_other { 248..264 } else { 32..48 })?;
    let block = usize::try_from(u32_be(head, 4)?).ok().filter(|size| *size >= 512)?;
    let inode = usize::from(u16_be(head, 104)?);
    let owned = OWNED.step_by(block).any(|at| is_btree(head, at, uuid) == Some(true))
        || OWNED.step_by(inode.max(256)).any(|at| is_inode(head, at, inode, uuid) == Some(true));
    owned.then_some(HEAD..size)
}

/// Whether a block of a group's trees is at `at`: it names its place and its file system.
fn is_btree(head: &[u8], at: usize, uuid: &[u8]) -> Option<bool> {
    let magic = head.get(at..at + 4)?;
    let is_one = BTREES.iter().any(|btree| btree.as_slice() == magic);
    let place = u64_be(head, at + 16)?;
    Some(is_one && place == at as u64 / 512 && head.get(at + 32..at + 48)? == uuid)
}

/// Whether an inode is at `at`: it names its number, which tells its place, and its file system.
fn is_inode(head: &[u8], at: usize, size: usize, uuid: &[u8]) -> Option<bool> {
    let number = u64_be(head, at + 152)?;
    let is_one = head.get(at..at + 2)? == b"IN" && head.get(at + 4)? == &3;
    Some(is_one && number == (at / size) as u64 && head.get(at + 160..at + 176)? == uuid)
}

fn u16_be(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_be(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Every format but ZFS that is not at the disk's end begins in here.
const HEAD: u64 = 128 << 10;
/// What making a pool of ZFS writes of the disk's first label before its uberblocks: the bootloader's page, the
/// names and values, and a checksum (vdev_label.c).
const OWNED: std::ops::Range<usize> = 16 << 10..128 << 10;
const ZFS_LABELS: u64 = 512 << 10;
const FLEX_BG: u32 = 0x200;
const META_UUID: u32 = 4;
/// By block number, by size, inodes, free inodes, owners, references.
const BTREES: [&[u8; 4]; 6] = [b"AB3B", b"AB3C", b"IAB3", b"FIB3", b"RMB3", b"R3FC"];

#[cfg(test)]
mod tests {
    use super::*;

    /// An xfs of 1 GiB with `magic` at `at`, in a block that says it is at `place`.
    fn xfs_with(version: u16, at: usize, magic: &[u8], place: u64, uuid: [u8; 16]) -> Vec<u8> {
        let mut head = vec![0; HEAD as usize];
        let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"XFSB");
        put(4, &4096_u32.to_be_bytes());
        put(8, &262_144_u64.to_be_bytes());
        put(32, &[7; 16]);
        put(100, &version.to_be_bytes());
        put(104, &512_u16.to_be_bytes());
        put(at, magic);
        let (number, owner) = if magic == b"IN" { (152, 160) } else { (16, 32) };
        if magic == b"IN" {
            put(at + 4, &[3]);
        }
        put(at + number, &place.to_be_bytes());
        put(at + owner, &uuid);
        head
    }

    #[test]
    fn an_xfs_must_show_a_block_of_its_own() {
        let whole = Some(HEAD..1 << 30);
        assert_eq!(xfs(&xfs_with(0xb4a5, 16384, b"FIB3", 32, [7; 16])), whole);
        assert_eq!(xfs(&xfs_with(0xb4a5, 65536, b"IN", 128, [7; 16])), whole);
        for (why, head) in [
            ("version 4", xfs_with(0xb4a4, 16384, b"FIB3", 32, [7; 16])),
            ("another's block", xfs_with(0xb4a5, 16384, b"FIB3", 32, [8; 16])),
            ("from another place", xfs_with(0xb4a5, 16384, b"FIB3", 40, [7; 16])),
            ("another's inode", xfs_with(0xb4a5, 65536, b"IN", 128, [8; 16])),
            ("an inode from another place", xfs_with(0xb4a5, 65536, b"IN", 129, [7; 16])),
            ("below what ZFS writes", xfs_with(0xb4a5, 4096, b"AB3B", 8, [7; 16])),
            ("nothing", vec![0; HEAD as usize]),
        ] {
            assert_eq!(xfs(&head), None, "{why}");
        }
    }

    #[test]
    fn an_ext_has_data_behind_its_inodes() {
        let head = |flex: u32, descriptor: u32| {
            let mut head = vec![0; HEAD as usize];
            let mut put = |at: usize, word: u32| {
                head[at..at + 4].copy_from_slice(&word.to_le_bytes());
            };
            put(1024 + 4, 262_144); // blocks
            put(1024 + 24, 2); // of 4 KiB
            put(1024 + 40, 8192); // inodes of a group
            put(1024 + 56, 0xef53);
            put(1024 + 76, 1);
            put(1024 + 88, 256);
            put(1024 + 96, flex);
            put(1024 + 372, 4);
            put(4096 + 8, descriptor);
            head
        };
        assert_eq!(ext(&head(0, 1030)), Some((1030 + 512) * 4096..1 << 30));
        assert_eq!(ext(&head(FLEX_BG, 1030)), Some((1030 + 16 * 512) * 4096..1 << 30));
        assert_eq!(ext(&vec![0; HEAD as usize]), None);
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn nonsense_is_no_panic(
                words in prop::collection::vec(any::<u8>(), 2048),
                xfs_magic: bool,
            ) {
                let mut head = vec![0xff; HEAD as usize];
                head[..2048].copy_from_slice(&words);
                if xfs_magic {
                    head[..4].copy_from_slice(b"XFSB");
                }
                head[1080..1082].copy_from_slice(b"\x53\xef");
                let _ = (ext(&head), xfs(&head));
            }
        }
    }
}
