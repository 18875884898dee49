//! How large a file system says it is, which need not be the size of its disk.

use crate::{Disk, Error};

impl Disk {
    /// The size in bytes that the file system on the disk has by its superblock; `None` for a kind
    /// that is not known here. To be asked while it is not mounted: a mounted one writes its superblock
    /// when it likes.
    ///
    /// # Errors
    /// If the disk does not read.
    pub fn file_system_size(&self, fs_type: &str) -> Result<Option<u64>, Error> {
        let Some(parse) = superblock(fs_type) else { return Ok(None) };
        if HEAD as u64 > self.size() {
            return Ok(None);
        }
        let mut head = [0; HEAD];
        self.read_cached(&mut head, 0)?;
        Ok(parse(&head))
    }
}

type Parse = fn(&[u8]) -> Option<u64>;

/// What reads the superblock in the first bytes of a disk.
fn superblock(fs_type: &str) -> Option<Parse> {
    match fs_type {
        "ext2" | "ext3" | "ext4" => Some(ext),
        "xfs" => Some(xfs),
        _ => None,
    }
}

/// `struct ext2_super_block` at byte 1024: the number of blocks, whose upper half counts with the
/// feature `64bit`, and their size (ext2_fs.h).
fn ext(head: &[u8]) -> Option<u64> {
    let superblock = head.get(1024..)?;
    if superblock.get(56..58)? != b"\x53\xef" {
        return None;
    }
    let word = |offset| u32_at(superblock, offset).map(u32::from_le_bytes);
    let is_64bit = word(96)? & 0x80 != 0;
    let high = if is_64bit { u64::from(word(336)?) } else { 0 };
    let blocks = (high << 32) | u64::from(word(4)?);
    // 64 KiB at most
    let block_size = Some(word(24)?).filter(|log| *log <= 6).map(|log| 1024 << log)?;
    blocks.checked_mul(block_size)
}

/// `struct xfs_dsb`: size and number of the data blocks (xfs_format.h).
fn xfs(head: &[u8]) -> Option<u64> {
    if head.get(..4)? != b"XFSB" {
        return None;
    }
    let block_size = u32_at(head, 4).map(u32::from_be_bytes)?;
    let blocks = u64_at(head, 8).map(u64::from_be_bytes)?;
    blocks.checked_mul(block_size.into())
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<[u8; 4]> {
    bytes.get(offset..)?.first_chunk().copied()
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<[u8; 8]> {
    bytes.get(offset..)?.first_chunk().copied()
}

const HEAD: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn ext_of(blocks: u64, log_block_size: u32, incompat: u32) -> Option<u64> {
        let mut head = vec![0; 4096];
        let mut put = |offset: usize, bytes: &[u8]| {
            head[1024 + offset..][..bytes.len()].copy_from_slice(bytes);
        };
        put(56, b"\x53\xef");
        put(4, &(blocks as u32).to_le_bytes());
        put(336, &((blocks >> 32) as u32).to_le_bytes());
        put(24, &log_block_size.to_le_bytes());
        put(96, &incompat.to_le_bytes());
        ext(&head)
    }

    #[test]
    fn the_upper_half_counts_only_with_64bit() {
        assert_eq!(ext_of(5, 2, 0), Some(5 * 4096));
        assert_eq!(ext_of((1 << 32) + 5, 2, 0x80), Some(((1 << 32) + 5) * 4096));
        assert_eq!(ext_of((1 << 32) + 5, 2, 0x42), Some(5 * 4096));
        assert_eq!(ext_of(5, 6, 0), Some(5 << 16));
    }

    #[test]
    fn nonsense_has_no_size() {
        for log_block_size in [7, 63, 64, u32::MAX] {
            assert_eq!(ext_of(5, log_block_size, 0), None);
        }
        assert_eq!(ext_of(u64::MAX, 2, 0x80), None);
        for parse in [ext, xfs] {
            assert_eq!(parse(&[]), None);
            assert_eq!(parse(&[0; 4096]), None);
            assert_eq!(parse(&[0xff; 4096]), None);
        }
    }
}
