//! Writes that may be lost: noted before the kernel or the mount that tells of them is gone, until a reply has said so.
//!
//! The kernel tells of a failed write once (syncfs(2)), and what is unmounted tells nothing any more. A call that is
//! killed in between would take the news along. So a loss is noted in the state directory, durably, before the
//! unmount, and forgotten only after a reply that says it has been printed: killed in between, it is said twice.
//! Of a call that was killed between the question and the note the answer is lost: a mark in the run directory shows that
//! the question was asked, and the next call says so where the file system cannot show that all is well.

use std::{
    io,
    path::{Path, PathBuf},
};

use mount::{DataLoss, Mounter};
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    private_dir::{Lasting, PrivateDir, is_unusable},
    staging::Staging,
};

/// What was written to a mount and may not have reached the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loss {
    /// The mount point, as messages show it.
    dir: String,
    /// The kernel's answer; none if the call that asked did not live to hear it.
    errno: Option<i32>,
}

/// The losses of one volume on this host. To be used with the volume's lock held.
#[derive(Debug)]
pub(crate) struct Losses<'a> {
    staging: &'a Staging,
    volume: &'a str,
}

impl<'a> Losses<'a> {
    pub(crate) fn of(staging: &'a Staging, volume: &'a str) -> Self {
        Self { staging, volume }
    }

    /// Unmounts `dir` after a flush; nothing mounted is a success. What may be lost is noted, for
    /// [`Self::tell`].
    ///
    /// # Errors
    /// It stays mounted, or a loss cannot be noted: then it is not unmounted either.
    pub(crate) fn unmount(&self, mounter: &Mounter, dir: &Path) -> Result<(), Error> {
        let was_asked = self.was_asked();
        let Some(mounted) = mounter.mounted(dir)? else {
            if was_asked {
                self.note(&Loss::unknown(dir))?;
                self.forget_question();
            }
            return Ok(());
        };
        self.note_question();
        let lost = mounted.flush().err();
        let loss = match &lost {
            Some(lost) => Some(Loss::from(lost)),
            None if was_asked && !mounted.shows_no_failed_write() => {
                Some(Loss::unknown(mounted.dir()))
            }
            None => None,
        };
        if let Some(loss) = &loss {
            self.note(loss)?;
        }
        self.forget_question();
        let unmounted = mounted.unmount(lost);
        if let (Err(mount::Error::LostAndMounted { .. }), Some(loss)) = (&unmounted, &loss) {
            self.is_told(loss);
        }
        unmounted.map(drop).map_err(Error::from)
    }

    /// Fails with the first loss that no reply has said yet. It is forgotten when this reply is printed.
    ///
    /// # Errors
    /// There is one, or a note that cannot be read.
    pub(crate) fn tell(&self) -> Result<(), Error> {
        if let Err(error) = PrivateDir::existing(&self.staging.state_dir, LOSSES)
            && is_unusable(&error)
        {
            // A directory that the driver does not use holds none of its notes.
            log::warn!("no lost write of volume {} can be noted: {error}", self.volume);
            return Ok(());
        }
        let noted = self.noted().map_err(|source| Error::LossNote { path: self.path(), source })?;
        let Some(loss) = noted.into_iter().next() else { return Ok(()) };
        self.is_told(&loss);
        Err(loss.into())
    }

    fn is_told(&self, loss: &Loss) {
        // A call says one loss; the next call says the next one.
        let _ = self.staging.told.set((self.volume.to_owned(), loss.clone()));
    }

    fn note(&self, loss: &Loss) -> Result<(), Error> {
        self.try_note(loss).map_err(|source| Error::LossNotNoted {
            loss: Error::from(loss.clone()).to_string(),
            path: self.path(),
            source,
        })
    }

    fn try_note(&self, loss: &Loss) -> io::Result<()> {
        let mut noted = self.noted()?;
        if noted.iter().any(|it| it.dir == loss.dir && (it == loss || loss.errno.is_none())) {
            return Ok(());
        }
        noted.push(loss.clone());
        self.write(&noted)
    }

    fn noted(&self) -> io::Result<Vec<Loss>> {
        let Some(dir) = PrivateDir::existing(&self.staging.state_dir, LOSSES)? else {
            return Ok(Vec::new());
        };
        match dir.read(self.volume) {
            // Something was lost, whatever it was.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| vec![Loss::unknown(Path::new(self.volume))])),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn write(&self, losses: &[Loss]) -> io::Result<()> {
        let dir = PrivateDir::make(&self.staging.state_dir, LOSSES)?;
        if losses.is_empty() {
            return dir.remove(self.volume);
        }
        dir.write(self.volume, &serde_json::to_vec(losses)?, Lasting::Durable)
    }

    /// Whether a call was ended before it knew what the kernel says.
    fn was_asked(&self) -> bool {
        let dir = PrivateDir::existing(&self.staging.run_dir, QUESTIONS);
        dir.ok().flatten().is_some_and(|dir| dir.has(self.volume))
    }

    /// That it cannot is no reason not to unmount: only a call that is killed just now would need it.
    fn note_question(&self) {
        let dir = PrivateDir::make(&self.staging.run_dir, QUESTIONS);
        if let Err(error) = dir.and_then(|dir| dir.open_or_make(self.volume)) {
            log::warn!("a call that is killed now may not tell of lost writes: {error}");
        }
    }

    fn forget_question(&self) {
        let dir = PrivateDir::existing(&self.staging.run_dir, QUESTIONS);
        if let Err(error) = dir.and_then(|dir| dir.map_or(Ok(()), |dir| dir.remove(self.volume))) {
            log::warn!("volume {} may be said to have lost writes: {error}", self.volume);
        }
    }

    fn path(&self) -> PathBuf {
        self.staging.state_dir.join(LOSSES).join(self.volume)
    }
}

/// Forgets the loss that the reply to this call has said.
pub(crate) fn forget_told(staging: &Staging) {
    let Some((volume, told)) = staging.told.get() else { return };
    // The call that has the lock by now may be at the note too; then it is said once more.
    let Some(_lock) = staging.lock_at_once(volume, "the end of a call") else { return };
    let losses = Losses::of(staging, volume);
    let forgotten = losses.noted().and_then(|mut noted| {
        noted.retain(|it| it != told);
        losses.write(&noted)
    });
    if let Err(error) = forgotten {
        log::warn!("the lost writes of volume {volume} will be said again: {error}");
    }
}

impl Loss {
    fn unknown(dir: &Path) -> Self {
        Self { dir: dir.display().to_string(), errno: None }
    }
}

impl From<&DataLoss> for Loss {
    fn from(lost: &DataLoss) -> Self {
        let errno = lost.source.raw_os_error().unwrap_or(EIO);
        Self { errno: Some(errno), ..Self::unknown(&lost.dir) }
    }
}

impl From<Loss> for Error {
    fn from(Loss { dir, errno }: Loss) -> Self {
        match errno {
            Some(errno) => {
                let source = io::Error::from_raw_os_error(errno);
                Self::DataLoss(DataLoss { dir: dir.into(), source })
            }
            None => Self::LossUnknown { dir },
        }
    }
}

const LOSSES: &str = "losses";
const QUESTIONS: &str = "flushing";
const EIO: i32 = rustix::io::Errno::IO.raw_os_error();

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use clock::ManualClock;
    use command::testing::Script;
    use flexvolume::Driver as _;
    use tempfile::TempDir;

    use super::*;
    use crate::{OciBlock, Settings};

    const ASKED: &str =
        "the call that flushed them was ended before it could say whether the disk took them";

    /// A call on a host of which `dir` has the state.
    fn call(dir: &TempDir) -> OciBlock {
        let (state_dir, run_dir) = (dir.path().join("state"), dir.path().join("run"));
        let settings = Settings { state_dir, run_dir, ..Settings::default() };
        OciBlock::new(settings, Arc::new(Script::default()), Arc::new(ManualClock::default()))
    }

    /// What the next call says, and has printed.
    fn next_call(dir: &TempDir) -> Result<(), String> {
        let driver = call(dir);
        let told = Losses::of(&driver.staging, "v").tell().map_err(|error| error.to_string());
        driver.said();
        told
    }

    fn lost(dir: &str) -> Loss {
        Loss { dir: dir.into(), errno: Some(EIO) }
    }

    #[test]
    fn a_loss_is_said_until_a_reply_is_printed() {
        let dir = tempfile::tempdir().unwrap();
        Losses::of(&call(&dir).staging, "v").note(&lost("/mnt")).unwrap();
        let said = "writes to /mnt may be lost: the disk did not take them";
        for _ in 0..2 {
            // Killed before, or while, it printed.
            let error = Losses::of(&call(&dir).staging, "v").tell().unwrap_err();
            assert_eq!(error.to_string(), said);
        }
        assert_eq!(next_call(&dir), Err(said.to_owned()));
        assert_eq!(next_call(&dir), Ok(()));
        Losses::of(&call(&dir).staging, "w").tell().unwrap();
    }

    #[test]
    fn each_loss_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        let driver = call(&dir);
        let losses = Losses::of(&driver.staging, "v");
        let asked = Loss::unknown(Path::new("/b"));
        for loss in [lost("/a"), lost("/a"), Loss::unknown(Path::new("/a")), asked.clone(), asked] {
            losses.note(&loss).unwrap();
        }
        let said = "writes to /a may be lost: the disk did not take them";
        assert_eq!(next_call(&dir), Err(said.to_owned()));
        assert_eq!(next_call(&dir), Err(format!("writes to /b may be lost: {ASKED}")));
        assert_eq!(next_call(&dir), Ok(()));
    }

    #[test]
    fn a_question_without_an_answer_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let driver = call(&dir);
        Losses::of(&driver.staging, "v").note_question();
        // Nothing is mounted there any more.
        Losses::of(&driver.staging, "v")
            .unmount(&driver.staging.mounter(), &dir.path().join("mnt"))
            .unwrap();
        let place = dir.path().join("mnt").display().to_string();
        assert_eq!(next_call(&dir), Err(format!("writes to {place} may be lost: {ASKED}")));
        Losses::of(&driver.staging, "v")
            .unmount(&driver.staging.mounter(), &dir.path().join("mnt"))
            .unwrap();
        assert_eq!(next_call(&dir), Ok(()));
    }

    #[test]
    fn a_note_that_makes_no_sense_is_a_loss_and_one_that_does_not_read_stays() {
        let dir = tempfile::tempdir().unwrap();
        Losses::of(&call(&dir).staging, "v").note(&lost("/mnt")).unwrap();
        let note = dir.path().join("state/losses/v");
        fs::write(&note, "x").unwrap();
        assert_eq!(next_call(&dir), Err(format!("writes to v may be lost: {ASKED}")));
        assert_eq!(next_call(&dir), Ok(()));

        fs::create_dir(&note).unwrap();
        let shown = note.display();
        let unread = format!("writes may be lost, and the note {shown} of them cannot be read");
        assert_eq!(next_call(&dir), Err(unread));
        // What cannot be noted is said at once, and is not unmounted.
        let error = Losses::of(&call(&dir).staging, "v").note(&lost("/mnt")).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "writes to /mnt may be lost: the disk did not take them; it stays mounted, because that cannot be \
                 noted in {shown}"
            )
        );
    }
}
