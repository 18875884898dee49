//! Growing a mounted file system into what its disk has got.
//!
//! A growth that was killed has left its own work behind the end of the file system, so that it is noted down before
//! it begins: only then a repetition may go on over what is there.

use clock::Clock;
use disk::{BlankCheck, Disk, Identity};
use mount::Mounter;

use crate::{
    error::Error,
    expand_error::ExpandError,
    identity::is_same,
    volume_record::{RecordState, VolumeRecord, VolumeRecords},
};

/// One volume whose file system is to have the size of its disk.
pub(crate) struct Growth<'a> {
    pub(crate) volume: &'a str,
    pub(crate) disk: &'a Disk,
    pub(crate) mounter: &'a Mounter,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) check: BlankCheck,
    pub(crate) records: &'a VolumeRecords,
}

impl Growth<'_> {
    /// Grows it, and notes in `record` that it has; a record that is damaged is no place for notes. What is mounted
    /// read-only stays as it is. May be repeated.
    ///
    /// # Errors
    /// Something lies behind the file system, the record cannot be written, or the program fails.
    pub(crate) fn run(&self, record: Option<VolumeRecord>) -> Result<(), Error> {
        let Self { volume, disk, mounter, .. } = *self;
        let Some(growable) = mounter.growable(disk)? else {
            log::info!(
                "the file system of volume {volume} is mounted read-only and stays as it is"
            );
            return Ok(());
        };
        let size = growable.size();
        let begun = record.as_ref().and_then(|it| it.growing).filter(|end| size < *end);
        if let Some(end) = begun {
            log::info!(
                "a growth of volume {volume} from {size} to {end} bytes was interrupted and is finished"
            );
        }
        let start = begun.map_or(size, |end| end.min(disk.size()));
        let tail = disk.prove_tail(self.clock, start, self.check);
        let tail = tail.map_err(|error| self.explain(error))?;
        log::info!("volume {volume} behind byte {start}: {}", tail.coverage());
        if let Some(before) = &record {
            self.note(VolumeRecord { growing: Some(disk.size()), ..before.clone() })?;
        }
        let growth = mounter.grow(&growable, tail)?;
        log::info!("the file system of volume {volume} follows its disk: {growth:?}");
        if let Some(before) = record {
            let after =
                VolumeRecord { size: disk.size(), grown_from: None, growing: None, ..before };
            // The next call finds nothing to do.
            self.note(after).unwrap_or_else(|error| log::warn!("{error}"));
        }
        Ok(())
    }

    fn note(&self, record: VolumeRecord) -> Result<(), ExpandError> {
        let path = self.records.path(self.volume);
        let written = self.records.write(self.volume, &record);
        written.map_err(|source| ExpandError::Record { path, source })
    }

    fn explain(&self, error: disk::Error) -> Error {
        match error {
            disk::Error::TailNotBlank { path: device, start, offset } => {
                let volume = self.volume.to_owned();
                ExpandError::TailNotBlank { volume, device, start, offset }.into()
            }
            error => error.into(),
        }
    }
}

/// What a record tells of the growth of a disk and its file system, now that the disk is seen with `size` bytes:
/// from which size the disk has grown, and to which the file system was growing.
pub(crate) fn notes(recall: &RecordState, now: &Identity, size: u64) -> (Option<u64>, Option<u64>) {
    let RecordState::Known(before) = recall else { return (None, None) };
    // A login is noted down before the disk is seen, without a size.
    let was_smaller = before.size > 0 && before.size < size;
    let seen = Some(before.size).filter(|_| was_smaller && is_same(before, now));
    (before.grown_from.or(seen), before.growing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[track_caller]
    fn check(before: VolumeRecord, expected: (Option<u64>, Option<u64>)) {
        let now = Identity { wwid: Some("w".into()), serial: None, appearance: None };
        assert_eq!(notes(&RecordState::Known(before), &now, 100 * GIB), expected);
    }

    fn seen(size: u64) -> VolumeRecord {
        VolumeRecord { wwid: Some("w".into()), size, ..VolumeRecord::default() }
    }

    #[test]
    fn only_a_disk_that_was_seen_smaller_has_grown() {
        check(seen(50 * GIB), (Some(50 * GIB), None));
        check(seen(100 * GIB), (None, None));
        check(seen(0), (None, None));
        check(VolumeRecord { size: 50 * GIB, ..VolumeRecord::default() }, (None, None));
        check(VolumeRecord { wwid: Some("x".into()), ..seen(50 * GIB) }, (None, None));
        let now = Identity { wwid: Some("w".into()), serial: None, appearance: None };
        for recall in
            [RecordState::Absent, RecordState::Corrupt, RecordState::Unreadable("x".into())]
        {
            assert_eq!(notes(&recall, &now, GIB), (None, None));
        }
    }

    #[test]
    fn what_was_noted_stays_until_the_file_system_has_followed() {
        let noted =
            VolumeRecord { grown_from: Some(50 * GIB), growing: Some(90 * GIB), ..seen(100 * GIB) };
        check(noted, (Some(50 * GIB), Some(90 * GIB)));
        check(
            VolumeRecord { grown_from: Some(50 * GIB), ..seen(70 * GIB) },
            (Some(50 * GIB), None),
        );
    }
}
