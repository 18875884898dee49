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
        match fs_type {
            "ext2" | "ext3" | "ext4" => Ok(self.ext_superblock()?.and_then(|it| it.size())),
            "xfs" if self.size() >= HEAD as u64 => {
                let mut head = [0; HEAD];
                self.read_cached(&mut head, 0)?;
                Ok(xfs(&head))
            }
            _ => Ok(None),
        }
    }
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

const HEAD: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_has_no_size() {
        for bytes in [&[][..], &[0; HEAD], &[0xff; HEAD]] {
            assert_eq!(xfs(bytes), None);
        }
    }
}
