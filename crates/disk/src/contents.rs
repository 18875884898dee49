//! What a disk holds.

use command::Runner;

use crate::{
    Disk, Error,
    blkid::{self, Verdict},
    data_area::data_area,
    evidence::Evidence,
    extents,
};

/// What all probes say together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contents {
    /// No probe found anything where signatures are. That is not yet proof that the disk is
    /// blank: [`Disk::prove_blank`] looks further.
    Nothing,
    /// A file system on the whole disk, and nothing beside it.
    Filesystem {
        /// in blkid's words: `ext4`, `xfs`, …
        fs_type: String,
        /// its UUID, if this kind has one
        uuid: Option<String>,
    },
    /// The superblock of a file system that can be mounted, whole, and signatures beside it that need not
    /// be data of its files: which of them is in use cannot be told. Nothing here is waste.
    Contested {
        /// in blkid's words: `ext4`, `xfs`, …
        fs_type: String,
        /// everything that was found, in words for an operator
        what: String,
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
    /// signatures and their backups are, and wipefs is heard too. A signature that lies where the file
    /// system has nothing but data of files, and could not have got there otherwise, is such data.
    ///
    /// # Errors
    /// If the disk or a probe's answer cannot be read: that is never [`Contents::Nothing`].
    pub fn contents(&self, runner: &dyn Runner) -> Result<Contents, Error> {
        let evidence = Evidence::without_wipefs(self, runner, &extents::primaries(self.size()))?;
        if let Some(file_system) = evidence.file_system() {
            return Ok(file_system);
        }
        let evidence = Evidence::gather(self, runner, &extents::signatures(self.size()))?;
        match evidence.superblock() {
            Some(family) => self.beside_others(runner, &evidence, family),
            None => Ok(evidence.other()),
        }
    }

    /// What it means that the superblock of a `family` is there, and something else.
    fn beside_others(
        &self,
        runner: &dyn Runner,
        evidence: &Evidence,
        family: &str,
    ) -> Result<Contents, Error> {
        // blkid verifies the superblock's checksum, and takes no notice of anything else.
        let Verdict::Found(probe) = blkid::probe_mountable(self, runner)? else {
            return Ok(evidence.other());
        };
        let (Some(fs_type), Some("filesystem")) = (probe.fs_type.clone(), probe.usage.as_deref())
        else {
            return Ok(evidence.other());
        };
        let data = data_area(self, family)?;
        if probe.file_system().is_some()
            && data.is_some_and(|data| evidence.is_data_of(family, &data, self.size()))
        {
            return Ok(Contents::Filesystem { fs_type, uuid: probe.uuid });
        }
        Ok(match evidence.other() {
            Contents::Other { what } => Contents::Contested { fs_type, what },
            contents => contents,
        })
    }
}
