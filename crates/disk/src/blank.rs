//! The proof that a disk may be formatted.

use std::{path::Path, time::Duration};

use clock::Clock;
use command::Runner;

use crate::{
    Access, Claim, DeviceNumber, Disk, Error, User,
    evidence::Evidence,
    extents::{self, Plan},
    udev,
};

/// A disk that has been proven to hold nothing, and that is claimed since before the proof began.
///
/// It cannot be copied, and formatting consumes it.
#[derive(Debug)]
pub struct Blank {
    disk: Disk,
    claim: Claim,
    unfinished: bool,
}

/// How much of the disk is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlankCheck {
    /// Everything that file systems and the like need to be found or repaired, and samples of the
    /// rest: some 50 MiB. What it cannot see is data without any signature in the unread parts of
    /// an otherwise empty disk.
    #[default]
    Sampled,
    /// Every byte.
    Full,
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

    /// Gives up the claim, because mkfs makes one of its own, after a last look that the disk is
    /// the one that was proven blank. For the formatting code, which must run mkfs at once.
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
    /// Proves that the disk is blank: nobody uses it, every byte that `check` asks for reads as
    /// zero, and neither our own search, nor blkid, nor wipefs, nor udev knows of anything on it.
    /// All are asked twice, a second apart; the second time `check` is always `Sampled`.
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
        let first: Plan = match check {
            BlankCheck::Sampled => extents::sampled,
            BlankCheck::Full => extents::full,
        };
        let claim = self.prove(runner, clock, first, |evidence| {
            evidence.objection().map(|what| Error::NotBlank { path: self.path().to_owned(), what })
        })?;
        Ok(Blank { disk: self.clone(), claim, unfinished: false })
    }

    /// Proves that the disk holds nothing but what our own mkfs left when it was broken off while
    /// making a file system with `uuid`: no signature at all, or signatures with just this UUID,
    /// of a file system that was never mounted.
    ///
    /// Only for a disk of which a record says that this mkfs was started, after the disk had been
    /// proven blank. If the file system turns out to be finished there is nothing to repeat, and
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
        let claim = self.prove(runner, clock, extents::sampled, |evidence| {
            let path = self.path().to_owned();
            evidence.foreign(uuid).map(|what| Error::NotUnfinished { path, what })
        })?;
        Ok(Blank { disk: self.clone(), claim, unfinished: true })
    }

    /// Claims the disk, and asks all witnesses twice.
    fn prove(
        &self,
        runner: &dyn Runner,
        clock: &dyn Clock,
        first: Plan,
        refusal: impl Fn(&Evidence) -> Option<Error>,
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

        let ask = |plan| match refusal(&Evidence::gather(self, runner, plan)?) {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        };
        ask(first)?;
        clock.sleep(PAUSE);
        udev::settle(self, runner);
        ask(extents::sampled)?;
        Ok(claim)
    }
}

/// Time for a late udev, or a path that comes and goes, to show itself.
const PAUSE: Duration = Duration::from_secs(1);
