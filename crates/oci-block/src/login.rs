//! Logging in to a volume's targets, with CHAP where the author or a target asks for it.

use iscsi::{Chap, Initiator, Target};

use crate::{OciBlock, chap, error::Error, sessions::Sessions, volume_options::VolumeOptions};

impl OciBlock {
    /// Brings about a working session; one that is there needs no credentials.
    pub(crate) fn log_in(
        &self,
        initiator: &Initiator,
        target: &Target,
        options: &VolumeOptions<'_>,
    ) -> Result<(), Error> {
        let paths = std::slice::from_ref(target);
        Login::new(self, initiator, options, target, paths)?.run(|login| login.reach(target, &[]))
    }

    /// Brings about sessions through all `paths`, the main one first; at least one must work.
    ///
    /// Where all are broken, as after the volume has been attached anew, they make way for new ones if
    /// the disk is not in use.
    pub(crate) fn log_in_paths(
        &self,
        initiator: &Initiator,
        paths: &[Target],
        options: &VolumeOptions<'_>,
    ) -> Result<(), Error> {
        let Some(main) = paths.first() else { return Ok(()) };
        Login::new(self, initiator, options, main, paths)?.run(|login| {
            let Err(error) = login.reach_any() else { return Ok(()) };
            for path in paths {
                if initiator.session(path)?.is_some() {
                    log::warn!("no path to the disk works: logging out of all");
                    initiator.log_out_paths(paths)?;
                    return login.reach_any();
                }
            }
            Err(error)
        })
    }
}

/// One volume's logins, and what its targets want to hear.
struct Login<'a> {
    driver: &'a OciBlock,
    initiator: &'a Initiator,
    options: &'a VolumeOptions<'a>,
    /// The target by which the API's attachment is known.
    main: &'a Target,
    /// All of them, the main one first.
    paths: &'a [Target],
    chap: Option<Chap>,
    sessions: Sessions,
    volume: &'a str,
    /// Whether this call has claimed the sessions for this driver.
    has_noted: bool,
}

impl<'a> Login<'a> {
    fn new(
        driver: &'a OciBlock,
        initiator: &'a Initiator,
        options: &'a VolumeOptions<'a>,
        main: &'a Target,
        paths: &'a [Target],
    ) -> Result<Self, Error> {
        let sessions = Sessions::new(&driver.staging.run_dir);
        let volume = options.name.key()?;
        // A call wants it now, whatever comes of that.
        sessions.put_off(volume, &*driver.staging.clock);
        let (chap, has_noted) = (None, false);
        Ok(Self { driver, initiator, options, main, paths, chap, sessions, volume, has_noted })
    }

    fn run(mut self, log_in: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let outcome = log_in(&mut self);
        if outcome.is_err() {
            self.take_note_back()?;
        }
        outcome
    }

    /// Notes that the sessions which begin now are this driver's, even if this call does not live to see them; not
    /// where one of them, or its node record, has been made by another program.
    fn note(&mut self) -> Result<(), Error> {
        let noted = self.sessions.targets(self.volume);
        for target in self.paths.iter().filter(|target| !noted.contains(target)) {
            if self.initiator.session(target)?.is_some()
                || self.initiator.has_foreign_record(target)
            {
                return Ok(());
            }
        }
        let mut ours = self.paths.to_vec();
        // Of an earlier attachment, and not ended yet.
        for target in noted {
            if !ours.contains(&target) && self.initiator.session(&target)?.is_some() {
                ours.push(target);
            }
        }
        self.has_noted |= !self.sessions.are_ours(self.volume);
        self.sessions.note(self.volume, &ours);
        Ok(())
    }

    /// A login that has made nothing leaves nothing for others to end.
    fn take_note_back(&self) -> Result<(), Error> {
        for target in self.paths {
            if self.initiator.session(target)?.is_some() || self.initiator.has_record(target) {
                return Ok(());
            }
        }
        if self.has_noted {
            self.sessions.forget(self.volume);
        }
        Ok(())
    }

    /// The first error, if no path works.
    fn reach_any(&mut self) -> Result<(), Error> {
        let paths = self.paths;
        let mut first = None;
        let mut works = false;
        for path in paths {
            match self.reach(path, paths) {
                Ok(()) => works = true,
                Err(error) => {
                    log::warn!("a path is down: {error}");
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(error) if !works => Err(error),
            _ => Ok(()),
        }
    }

    /// A target that refuses what it was told, or wants to be told something, gets what the API says
    /// now, once: the secret may have changed meanwhile.
    fn reach(&mut self, target: &Target, beside: &[Target]) -> Result<(), Error> {
        let session = self.initiator.session(target)?;
        // One that may be ending is logged in to anew.
        let works = session.is_some_and(|it| it.is_logged_in() && !it.may_be_ending(target));
        if self.options.use_chap && !works && self.chap.is_none() {
            self.chap = Some(self.credentials()?);
        }
        if !works {
            self.note()?;
        }
        match self.initiator.log_in_path(target, beside, self.chap.as_ref()) {
            Err(error) if error.is_unauthorized() => {
                let now = Some(self.credentials()?);
                if now == self.chap {
                    return Err(error.into());
                }
                self.chap = now;
                self.initiator.log_in_path(target, beside, self.chap.as_ref())?;
            }
            outcome => {
                outcome?;
            }
        }
        Ok(())
    }

    fn credentials(&self) -> Result<Chap, Error> {
        chap::credentials(self.driver, self.main, self.options)
    }
}

#[cfg(test)]
mod tests;
