//! What must be known of a disk before it may be formatted.

use std::{path::Path, time::Duration};

use clock::{Clock, Deadline};
use command::Runner;

use crate::{
    Access, BlankCheck, Claim, Coverage, DeviceNumber, Disk, Error, User,
    evidence::{Evidence, unknown_data},
    extents::{self, Extent},
    provisioning,
    survey::{Finding, survey},
    udev,
};

/// A disk on which nothing was found, and that is claimed since before the search began.
///
/// It cannot be copied, and formatting consumes it.
#[derive(Debug)]
pub struct Blank {
    disk: Disk,
    claim: Claim,
    unfinished: bool,
    coverage: Option<Coverage>,
}

impl Blank {
    /// The canonical path of the disk.
    pub fn path(&self) -> &Path {
        self.disk.path()
    }

    /// The number of the disk.
    pub fn number(&self) -> DeviceNumber {
        self.disk.number()
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.disk.size()
    }

    /// Whether the disk may carry what our own broken-off mkfs left: some programs must be told
    /// to overwrite that.
    pub fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// How much of the disk was read; unknown for what a broken-off mkfs left.
    pub fn coverage(&self) -> Option<Coverage> {
        self.coverage
    }

    /// Gives up the claim, because mkfs makes one of its own, after a last look that the disk is
    /// the one that was looked through. For the formatting code, which must run mkfs at once.
    ///
    /// # Errors
    /// Those of [`Disk::confirm`].
    pub fn release(self) -> Result<Disk, Error> {
        self.disk.confirm()?;
        drop(self.claim);
        Ok(self.disk)
    }
}

impl Disk {
    /// Shows that the disk is blank: it is not in use, every byte that is read is zero, and neither our own
    /// search, nor blkid, nor wipefs, nor udev knows of anything on it. All are asked twice, a second or more
    /// apart; in between the rest of the disk is read, as far as `check` says, unless the target itself says that
    /// nothing is stored there. [`Blank::coverage`] tells how far that was.
    ///
    /// The caller must not hold a [`Claim`] on the disk: the proof makes its own.
    ///
    /// # Errors
    /// Whatever keeps any of this from being certain. [`Error::NotBlank`] says what was found.
    pub fn prove_blank(
        &self,
        runner: &dyn Runner,
        clock: &dyn Clock,
        check: BlankCheck,
    ) -> Result<Blank, Error> {
        let holds = |what| Error::NotBlank { path: self.path().to_owned(), what };
        let seed = match check {
            BlankCheck::Sampled { seed, .. } => seed,
            BlankCheck::Full => 0,
        };
        let mut coverage = None;
        let claim = self.prove(
            runner,
            clock,
            seed,
            |evidence| evidence.objection().map(holds),
            |read| {
                let is_sampled = matches!(check, BlankCheck::Sampled { .. });
                if is_sampled && provisioning::is_deallocated(self, runner, clock)? {
                    coverage = Some(Coverage::deallocated(self.size(), read));
                    return Ok(());
                }
                match survey(self, clock, &(0..self.size()), check, read)? {
                    Finding::Zeros(seen) => coverage = Some(seen),
                    Finding::Data(offset) => return Err(holds(unknown_data(offset))),
                }
                Ok(())
            },
        )?;
        Ok(Blank { disk: self.clone(), claim, unfinished: false, coverage })
    }

    /// Proves that the disk holds nothing but what our own mkfs left when it was broken off while
    /// making a file system with `uuid`: no signature at all, or signatures with just this UUID,
    /// of a file system that was never mounted.
    ///
    /// Only for a disk of which a record says that this mkfs was started, after the disk had been
    /// looked through. If the file system turns out to be finished there is nothing to repeat, and
    /// the error says so: check it and mount it.
    ///
    /// # Errors
    /// As [`Disk::prove_blank`], but [`Error::NotUnfinished`] says what was found.
    pub fn prove_unfinished(
        &self,
        runner: &dyn Runner,
        clock: &dyn Clock,
        uuid: &str,
    ) -> Result<Blank, Error> {
        let refusal = |evidence: &Evidence| {
            let path = self.path().to_owned();
            evidence.foreign(uuid).map(|what| Error::NotUnfinished { path, what })
        };
        let claim = self.prove(runner, clock, 0, refusal, |_| Ok(()))?;
        Ok(Blank { disk: self.clone(), claim, unfinished: true, coverage: None })
    }

    /// Claims the disk, and asks all probes twice; `meanwhile` is told how many bytes were read.
    fn prove(
        &self,
        runner: &dyn Runner,
        clock: &dyn Clock,
        seed: u64,
        refusal: impl Fn(&Evidence) -> Option<Error>,
        meanwhile: impl FnOnce(u64) -> Result<(), Error>,
    ) -> Result<Claim, Error> {
        self.confirm()?;
        let path = || self.path().to_owned();
        if self.is_read_only() {
            return Err(Error::ReadOnly { path: path() });
        }
        if self.is_partition()? {
            return Err(Error::Partition { path: path() });
        }
        let claim = self.claim(Access::Write)?;
        let mut users = self.users()?;
        users.retain(|user| !matches!(user, User::Process { .. }));
        if !users.is_empty() {
            return Err(Error::InUse { path: path(), users });
        }

        let ask = |extents: &[Extent]| match refusal(&Evidence::gather(self, runner, extents)?) {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        };
        let first = extents::known_places(self.size());
        ask(&first)?;
        let pause = Deadline::after(clock, PAUSE);
        meanwhile(extents::bytes(&first))?;
        if !pause.passed(clock) {
            clock.sleep(pause.remaining(clock));
        }
        udev::settle(self, runner);
        ask(&extents::sampled(self.size(), seed))?;
        Ok(claim)
    }
}

/// The least time for a late udev, or a path that comes and goes, to show itself.
const PAUSE: Duration = Duration::from_secs(1);
