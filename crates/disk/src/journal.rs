//! Whether the journal of a mounted ext file system has been aborted.

use crate::{Disk, Error};

impl Disk {
    /// The error number with which the kernel has aborted the journal of the ext file system that is
    /// mounted from the disk; `None` if it has not, or if there is no journal to be found.
    ///
    /// The kernel shows it nowhere else before somebody writes: not in the mount table, not in sysfs, not
    /// through syncfs(2). It does note it in the journal's superblock (`s_errno`, jbd2.h), of which the
    /// page cache has the mounted file system's own copy, whatever has become of the disk. Mounting
    /// clears it.
    ///
    /// # Errors
    /// If the disk does not read.
    pub fn aborted_journal(&self) -> Result<Option<i32>, Error> {
        let mut superblock = [0; 1024];
        self.read_cached(&mut superblock, 1024)?;
        let Some(offset) = journal(&superblock).filter(|at| at + 1024 <= self.size()) else {
            return Ok(None);
        };
        let mut journal = [0; 36];
        self.read_cached(&mut journal, offset)?;
        Ok(error_number(&journal))
    }
}

/// The journal's first byte on the disk, by the copy of its inode that the superblock keeps
/// (`s_jnl_blocks`): a block map, or a tree of extents that is small enough to be seen whole.
fn journal(superblock: &[u8; 1024]) -> Option<u64> {
    let half = |at: usize| Some(u16::from_le_bytes(*superblock.get(at..)?.first_chunk()?));
    let word = |at: usize| Some(u32::from_le_bytes(*superblock.get(at..)?.first_chunk()?));
    let has_journal = word(92)? & 4 != 0;
    let is_copied = *superblock.get(253)? == 1;
    if half(56)? != 0xef53 || !has_journal || !is_copied {
        return None;
    }
    let is_tree = half(INODE)? == 0xf30a;
    let block = if !is_tree {
        u64::from(word(INODE)?)
    } else if half(INODE + 2)? > 0 && half(INODE + 6)? == 0 && word(INODE + 12)? == 0 {
        u64::from(half(INODE + 18)?) << 32 | u64::from(word(INODE + 20)?)
    } else {
        return None;
    };
    let size = Some(word(24)?).filter(|log| *log <= 6).map(|log| 1024_u64 << log)?;
    Some(block).filter(|block| *block > 0)?.checked_mul(size)
}

/// What the journal's superblock, version 1 or 2, says; it is big-endian.
fn error_number(journal: &[u8; 36]) -> Option<i32> {
    let word = |at: usize| Some(u32::from_be_bytes(*journal.get(at..)?.first_chunk()?));
    if word(0)? != 0xc03b_3998 || !matches!(word(4)?, 3 | 4) {
        return None;
    }
    Some(word(32)?.cast_signed()).filter(|error| *error != 0)
}

/// The copy of the journal's inode in the superblock.
const INODE: usize = 268;

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock(words: &[(usize, u32)]) -> [u8; 1024] {
        let mut superblock = [0; 1024];
        let usual = [(56, 0xef53), (92, 4), (252, 0x100), (24, 2)];
        for (at, word) in usual.iter().chain(words) {
            superblock[*at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        superblock
    }

    #[test]
    fn the_journal_is_found_by_blocks_and_by_extents() {
        assert_eq!(journal(&superblock(&[(268, 77)])), Some(77 * 4096));
        let tree = [(268, 0x0001_f30a), (284, 0x0002_8000), (288, 5)];
        assert_eq!(journal(&superblock(&tree)), Some(((2 << 32) + 5) * 4096));
    }

    #[test]
    fn what_is_not_understood_is_no_journal() {
        let deep = [(268, 0x0001_f30a), (274, 1), (288, 5)];
        for words in [&[][..], &deep, &[(268, 77), (24, 7)], &[(268, 77), (92, 0)]] {
            assert_eq!(journal(&superblock(words)), None, "{words:?}");
        }
        assert_eq!(journal(&[0; 1024]), None);
        assert_eq!(journal(&[0xff; 1024]), None);
        assert_eq!(error_number(&[0; 36]), None);
        assert_eq!(error_number(&[0xff; 36]), None);
    }
}
