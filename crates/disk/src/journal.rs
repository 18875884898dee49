//! Whether the journal of a mounted ext file system has been aborted.

use crate::{Disk, Error, ExtSuperblock};

impl Disk {
    /// The error number with which the kernel has aborted the journal of the ext file system that is
    /// mounted from the disk; `None` if it has not, or if there is no journal to be found.
    ///
    /// The kernel shows it nowhere else before the next write: not in the mount table, not in sysfs, not
    /// through syncfs(2). It does note it in the journal's superblock (`s_errno`, jbd2.h), of which the
    /// page cache has the mounted file system's own copy, whatever has become of the disk. Mounting
    /// clears it.
    ///
    /// # Errors
    /// If the disk does not read.
    pub fn aborted_journal(&self) -> Result<Option<i32>, Error> {
        let superblock = self.ext_superblock()?;
        let journal = superblock.as_ref().and_then(journal);
        let Some(offset) = journal.filter(|at| at.saturating_add(1024) <= self.size()) else {
            return Ok(None);
        };
        let mut journal = [0; 36];
        self.read_cached(&mut journal, offset)?;
        Ok(error_number(&journal))
    }
}

/// The journal's first byte on the disk, by the copy of its inode that the superblock keeps
/// (`s_jnl_blocks`): a block map, or a tree of extents that is small enough to be seen whole.
fn journal(superblock: &ExtSuperblock) -> Option<u64> {
    let has_journal = superblock.word(92) & 4 != 0;
    let is_copied = superblock.byte(253) == 1;
    if !has_journal || !is_copied {
        return None;
    }
    let half = |at| superblock.half(INODE + at);
    let word = |at| superblock.word(INODE + at);
    let block = if half(0) != TREE {
        u64::from(word(0))
    } else if half(2) > 0 && half(6) == 0 && word(12) == 0 {
        u64::from(half(18)) << 32 | u64::from(word(20))
    } else {
        return None;
    };
    Some(block).filter(|block| *block > 0)?.checked_mul(superblock.block_size()?)
}

/// What the journal's superblock, version 1 or 2, says; it is big-endian.
fn error_number(journal: &[u8; 36]) -> Option<i32> {
    let word = |at: usize| Some(u32::from_be_bytes(*journal.get(at..)?.first_chunk()?));
    if word(0)? != 0xc03b_3998 || !matches!(word(4)?, 3 | 4) {
        return None;
    }
    Some(word(32)?.cast_signed()).filter(|error| *error != 0)
}

/// The copy of the journal's inode in the superblock, from its block map on.
const INODE: usize = 268;
/// With this a tree of extents begins, where older inodes have a block map.
const TREE: u16 = 0xf30a;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext::superblock;

    fn journal_of(words: &[(usize, u32)]) -> Option<u64> {
        let usual = [(92, 4), (252, 0x100), (24, 2)];
        journal(&superblock(&[&usual, words].concat()))
    }

    #[test]
    fn the_journal_is_found_by_blocks_and_by_extents() {
        assert_eq!(journal_of(&[(268, 77)]), Some(77 * 4096));
        let tree = [(268, 0x0001_f30a), (284, 0x0002_8000), (288, 5)];
        assert_eq!(journal_of(&tree), Some(((2 << 32) + 5) * 4096));
    }

    #[test]
    fn what_is_not_understood_is_no_journal() {
        let deep = [(268, 0x0001_f30a), (274, 1), (288, 5)];
        for words in [&[][..], &deep, &[(268, 77), (24, 7)], &[(268, 77), (92, 0)]] {
            assert_eq!(journal_of(words), None, "{words:?}");
        }
        assert_eq!(error_number(&[0; 36]), None);
        assert_eq!(error_number(&[0xff; 36]), None);
    }
}
