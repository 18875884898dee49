//! The file systems that are made.

use std::{fmt, str::FromStr};

/// A file system that a blank disk can be formatted with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FsType {
    /// what one gets without asking
    #[default]
    Ext4,
    /// for old kernels
    Ext3,
    /// for large files
    Xfs,
}

/// A name that is none of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("file system {0:?} is not supported: use ext4, ext3 or xfs")]
pub struct UnknownFsType(String);

impl FsType {
    /// The name, as in `fsType`, blkid and mountinfo.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Ext3 => "ext3",
            Self::Xfs => "xfs",
        }
    }
}

impl FsType {
    /// Whether the kernel mounts a file system of the kind `found` as this one. ext4 takes its older kin as they
    /// are; ext3 takes none but its own: ext2 lacks the journal, and ext4 has what ext3 does not know
    /// (`ext3_feature_set_ok` of the kernel's super.c).
    pub fn mounts(self, found: &str) -> bool {
        match self {
            Self::Ext4 => matches!(found, "ext4" | "ext3" | "ext2"),
            Self::Ext3 | Self::Xfs => found == self.as_str(),
        }
    }
}

impl fmt::Display for FsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FsType {
    type Err = UnknownFsType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Ext4, Self::Ext3, Self::Xfs]
            .into_iter()
            .find(|fs| fs.as_str() == name)
            .ok_or_else(|| UnknownFsType(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["ext4", "ext3", "xfs"] {
            assert_eq!(name.parse::<FsType>().unwrap().to_string(), name);
        }
        assert_eq!(FsType::default(), FsType::Ext4);
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "ext2", "EXT4", " ext4", "btrfs", "ext4 -F", "swap"] {
            assert_eq!(
                name.parse::<FsType>().unwrap_err().to_string(),
                format!("file system {name:?} is not supported: use ext4, ext3 or xfs")
            );
        }
    }
}
