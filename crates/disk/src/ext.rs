//! The superblock of ext2, ext3 and ext4, little-endian (ext4's "Super Block" in the kernel's documentation).

use crate::{Disk, Error};

/// A superblock that has the magic number; whatever else it says may be nonsense.
#[derive(Clone, Debug)]
pub struct ExtSuperblock([u8; LENGTH]);

impl Disk {
    /// The superblock of the ext file system on the disk, if there is one, as the page cache has it.
    ///
    /// # Errors
    /// If the disk does not read.
    pub fn ext_superblock(&self) -> Result<Option<ExtSuperblock>, Error> {
        if self.size() < START + LENGTH as u64 {
            return Ok(None);
        }
        let mut bytes = [0; LENGTH];
        self.read_cached(&mut bytes, START)?;
        Ok(ExtSuperblock::parse(bytes))
    }
}

impl ExtSuperblock {
    pub(crate) fn parse(bytes: [u8; LENGTH]) -> Option<Self> {
        let superblock = Self(bytes);
        (superblock.half(56) == MAGIC).then_some(superblock)
    }

    /// The size of a block in bytes: 64 KiB at most.
    pub fn block_size(&self) -> Option<u64> {
        Some(self.word(24)).filter(|log| *log <= 6).map(|log| 1024 << log)
    }

    /// The size of the file system in bytes. The upper half of the number of blocks counts with the feature
    /// `64bit`.
    pub fn size(&self) -> Option<u64> {
        let high = if self.word(96) & 0x80 != 0 { u64::from(self.word(336)) } else { 0 };
        (high << 32 | u64::from(self.word(4))).checked_mul(self.block_size()?)
    }

    /// Whether the file system says that it was left in order and has met no errors: then e2fsck, unless it is
    /// told to, does not look further. A journal to be replayed is in order.
    pub fn is_clean(&self) -> bool {
        const VALID: u16 = 1;
        const ERRORS: u16 = 2;
        self.half(58) & (VALID | ERRORS) == VALID && self.word(404) == 0
    }

    /// Whether it has a journal that is not on the same disk: the kernel and e2fsck then write to that other disk.
    pub fn has_journal_elsewhere(&self) -> bool {
        const HAS_JOURNAL: u32 = 4;
        self.word(92) & HAS_JOURNAL != 0 && self.word(224) == 0
    }

    /// Whether an error in the file system is to stop the whole machine, unless mount is told otherwise.
    pub fn panics(&self) -> bool {
        const PANIC: u16 = 3;
        let options: [u8; 64] = self.bytes(512);
        self.half(60) == PANIC || options.windows(12).any(|it| it == b"errors=panic")
    }

    /// The block of the backup in the second block group.
    pub fn first_backup(&self) -> u64 {
        u64::from(self.word(20)) + u64::from(self.word(32))
    }

    pub(crate) fn byte(&self, at: usize) -> u8 {
        u8::from_le_bytes(self.bytes(at))
    }

    pub(crate) fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    pub(crate) fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
    }
}

const START: u64 = 1024;
pub(crate) const LENGTH: usize = 1024;
const MAGIC: u16 = 0xef53;

/// A superblock with these words at these offsets.
#[cfg(test)]
pub(crate) fn superblock(words: &[(usize, u32)]) -> ExtSuperblock {
    let mut bytes = [0; LENGTH];
    for (at, word) in [(56, MAGIC.into())].iter().chain(words) {
        bytes[*at..at + 4].copy_from_slice(&u32::to_le_bytes(*word));
    }
    ExtSuperblock::parse(bytes).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of(blocks: u64, log_block_size: u32, incompat: u32) -> Option<u64> {
        let (low, high) = (blocks as u32, (blocks >> 32) as u32);
        superblock(&[(4, low), (336, high), (24, log_block_size), (96, incompat)]).size()
    }

    #[test]
    fn the_upper_half_counts_only_with_64bit() {
        assert_eq!(size_of(5, 2, 0), Some(5 * 4096));
        assert_eq!(size_of((1 << 32) + 5, 2, 0x80), Some(((1 << 32) + 5) * 4096));
        assert_eq!(size_of((1 << 32) + 5, 2, 0x42), Some(5 * 4096));
        assert_eq!(size_of(5, 6, 0), Some(5 << 16));
    }

    #[test]
    fn a_file_system_is_clean_by_its_own_word() {
        for (words, clean) in [
            (&[(56, 0x0001_ef53)][..], true),
            (&[(56, 0x0000_ef53)], false),
            (&[(56, 0x0003_ef53)], false),
            (&[(56, 0x0005_ef53)], true), // orphans, which the kernel takes care of
            (&[(56, 0x0001_ef53), (404, 1)], false), // errors that were counted
        ] {
            assert_eq!(superblock(words).is_clean(), clean, "{words:?}");
        }
    }

    #[test]
    fn a_journal_without_an_inode_is_elsewhere() {
        for (words, elsewhere) in [
            (&[(92, 4), (224, 8)][..], false),
            (&[(92, 4), (228, 0x810)], true),
            (&[(92, 4)], true),
            (&[(92, 0x38)], false),
        ] {
            assert_eq!(superblock(words).has_journal_elsewhere(), elsewhere, "{words:?}");
        }
    }

    #[test]
    fn a_file_system_may_ask_for_a_panic_in_two_places() {
        for (words, panics) in [(&[(60, 1)][..], false), (&[(60, 2)], false), (&[(60, 3)], true)] {
            assert_eq!(superblock(words).panics(), panics, "{words:?}");
        }
        let [a, b, c] = [b"erro", b"rs=p", b"anic"].map(|it| u32::from_le_bytes(*it));
        assert!(superblock(&[(532, a), (536, b), (540, c)]).panics());
    }

    #[test]
    fn nonsense_has_no_size() {
        for log_block_size in [7, 63, 64, u32::MAX] {
            assert_eq!(size_of(5, log_block_size, 0), None);
        }
        assert_eq!(size_of(u64::MAX, 2, 0x80), None);
        assert!(ExtSuperblock::parse([0; LENGTH]).is_none());
        assert!(ExtSuperblock::parse([0xff; LENGTH]).is_none());
    }
}
