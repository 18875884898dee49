//! What a disk holds.

use command::Runner;

use crate::{Disk, Error, evidence::Evidence, extents};

/// The common opinion of all witnesses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contents {
    /// No witness found anything where signatures are. That is not yet proof that the disk is
    /// blank: [`Disk::prove_blank`] looks further.
    Nothing,
    /// A file system on the whole disk, and nothing beside it.
    Filesystem {
        /// in blkid's words: `ext4`, `xfs`, …
        fs_type: String,
        /// its UUID, if this kind has one
        uuid: Option<String>,
    },
    /// Anything else: partition tables, encryption, volume managers, unknown data, or several
    /// things at once.
    Other {
        /// who sees what, in words for an operator
        what: String,
    },
}

impl Disk {
    /// Finds out what the disk holds; may be repeated.
    ///
    /// A file system is taken for one if blkid and our own search find it, and nothing beside it at
    /// any place where something else would show. Of everything else all places are read where
    /// signatures and their backups are, and wipefs is heard too.
    ///
    /// # Errors
    /// If the disk or a witness cannot be read: that is never [`Contents::Nothing`].
    pub fn contents(&self, runner: &dyn Runner) -> Result<Contents, Error> {
        let evidence = Evidence::without_wipefs(self, runner, &extents::primaries(self.size()))?;
        if let Some(file_system) = evidence.file_system() {
            return Ok(file_system);
        }
        let evidence = Evidence::gather(self, runner, &extents::signatures(self.size()))?;
        Ok(evidence.other())
    }
}
