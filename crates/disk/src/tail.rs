//! What lies behind a file system that is to grow.

use clock::Clock;

use crate::{
    BlankCheck, Coverage, Disk, Error,
    survey::{Finding, survey},
};

/// The end of a disk, in which nothing but zeros was found: a file system may grow into it.
///
/// It cannot be copied, and growing consumes it.
#[derive(Debug)]
pub struct BlankTail {
    disk: Disk,
    coverage: Coverage,
}

impl BlankTail {
    /// The disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// How much of it was read.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }
}

impl Disk {
    /// Shows that the disk holds nothing from byte `start` to its end, as [`Disk::prove_blank`] does of a whole disk;
    /// what lies before may be in use.
    ///
    /// # Errors
    /// If the disk does not read; [`Error::TailNotBlank`] says where data was found.
    pub fn prove_tail(
        &self,
        clock: &dyn Clock,
        start: u64,
        check: BlankCheck,
    ) -> Result<BlankTail, Error> {
        self.confirm()?;
        match survey(self, clock, &(start..self.size()), check, 0)? {
            Finding::Zeros(coverage) => Ok(BlankTail { disk: self.clone(), coverage }),
            Finding::Data(offset) => {
                Err(Error::TailNotBlank { path: self.path().to_owned(), start, offset })
            }
        }
    }
}
