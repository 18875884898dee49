//! Reading a disk past every cache, and failing rather than guessing.

use std::{cmp, fs::File, io, os::unix::fs::FileExt};

use rustix::{
    fs::{Advice, OFlags},
    io::Errno,
};

use crate::{
    Disk, Error,
    extents::{ALIGNMENT, Extent},
};

/// Reads `extents` in order and hands every piece, with its offset, to `sink`.
///
/// # Errors
/// The first read that fails or comes back short: a device that has vanished reads as an early
/// end of file, which must never be taken for zeros.
pub(crate) fn read(
    disk: &Disk,
    extents: &[Extent],
    mut sink: impl FnMut(u64, &[u8]),
) -> Result<(), Error> {
    let mut reader = Reader::open(disk)?;
    extents.iter().try_for_each(|extent| reader.read(extent, &mut sink))
}

/// The device, opened once more, and a buffer that direct reads take.
pub(crate) struct Reader<'a> {
    disk: &'a Disk,
    source: Source,
    space: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// # Errors
    /// Those of opening.
    pub(crate) fn open(disk: &'a Disk) -> Result<Self, Error> {
        Ok(Self { disk, source: Source::open(disk)?, space: Vec::new() })
    }

    /// Reads one extent.
    ///
    /// # Errors
    /// As [`read`].
    pub(crate) fn read(
        &mut self,
        extent: &Extent,
        mut sink: impl FnMut(u64, &[u8]),
    ) -> Result<(), Error> {
        let longest = cmp::min(extent.end - extent.start, PIECE) + ALIGNMENT;
        if (self.space.len() as u64) < longest {
            self.space = vec![0; longest as usize];
        }
        let start = self.space.as_ptr().align_offset(ALIGNMENT as usize);
        let mut offset = extent.start;
        while offset < extent.end {
            let length = cmp::min(extent.end - offset, PIECE);
            let piece = usize::try_from(length)
                .ok()
                .and_then(|length| self.space.get_mut(start..start.checked_add(length)?));
            let failed = |source| Error::Read { path: self.disk.path().to_owned(), offset, source };
            let piece = piece.ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
            self.source.fill(self.disk, piece, offset)?.map_err(failed)?;
            sink(offset, piece);
            offset += length;
        }
        Ok(())
    }
}

/// The device, opened for direct I/O unless it refuses that.
struct Source {
    file: File,
    direct: bool,
}

impl Source {
    fn open(disk: &Disk) -> Result<Self, Error> {
        match disk.reopen(OFlags::DIRECT)? {
            Ok(file) => Ok(Self { file, direct: true }),
            Err(error) if refuses_direct(&error) => Self::buffered(disk),
            Err(source) => Err(Error::Open { path: disk.path().to_owned(), source }),
        }
    }

    /// Through the page cache, emptied of what it held.
    fn buffered(disk: &Disk) -> Result<Self, Error> {
        let failed = |source| Error::Open { path: disk.path().to_owned(), source };
        let file = disk.reopen(OFlags::empty())?.map_err(failed)?;
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).map_err(|e| failed(e.into()))?;
        Ok(Self { file, direct: false })
    }

    /// Fills `piece` from `offset`; the outer error is that of opening again, buffered.
    fn fill(
        &mut self,
        disk: &Disk,
        piece: &mut [u8],
        offset: u64,
    ) -> Result<io::Result<()>, Error> {
        match fill(&self.file, piece, offset) {
            Err(error) if self.direct && refuses_direct(&error) => {
                *self = Self::buffered(disk)?;
                Ok(fill(&self.file, piece, offset))
            }
            result => Ok(result),
        }
    }
}

/// One read, all or nothing.
fn fill(file: &File, piece: &mut [u8], offset: u64) -> io::Result<()> {
    loop {
        match file.read_at(piece, offset) {
            Ok(length) if length == piece.len() => return Ok(()),
            Ok(length) => {
                let what = format!("only {length} of {} bytes came", piece.len());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn refuses_direct(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::INVAL.raw_os_error())
}

/// The most that one read asks for.
pub(crate) const PIECE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_is_a_failure_and_not_zeros() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"abcdef", 0).unwrap();
        let mut piece = [0; 4];
        fill(&file, &mut piece, 2).unwrap();
        assert_eq!(&piece, b"cdef");
        for (offset, came) in [(3, 3), (6, 0), (99, 0)] {
            let error = fill(&file, &mut piece, offset).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(error.to_string(), format!("only {came} of 4 bytes came"));
        }
    }

    #[test]
    fn only_einval_refuses_direct_reading() {
        for errno in 1..132 {
            let refuses = refuses_direct(&io::Error::from_raw_os_error(errno));
            assert_eq!(refuses, errno == Errno::INVAL.raw_os_error());
        }
    }
}
