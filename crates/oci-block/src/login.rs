//! Logging in to a volume's targets, with CHAP where the author or a target asks for it.

use iscsi::{Chap, Initiator, Target};

use crate::{OciBlock, chap, error::Error, volume_options::VolumeOptions};

impl OciBlock {
    /// Brings about a working session; one that is there needs no credentials.
    pub(crate) fn log_in(
        &self,
        initiator: &Initiator,
        target: &Target,
        options: &VolumeOptions<'_>,
    ) -> Result<(), Error> {
        let mut login = Login { driver: self, initiator, options, main: target, chap: None };
        login.reach(target, &[])
    }

    /// Brings about sessions through all `paths`, the main one first; at least one must work.
    ///
    /// Where all are broken, as after the volume has been attached anew, they make way for new ones if
    /// nobody uses the disk.
    pub(crate) fn log_in_paths(
        &self,
        initiator: &Initiator,
        paths: &[Target],
        options: &VolumeOptions<'_>,
    ) -> Result<(), Error> {
        let Some(main) = paths.first() else { return Ok(()) };
        let mut login = Login { driver: self, initiator, options, main, chap: None };
        let Err(error) = login.reach_any(paths) else { return Ok(()) };
        for path in paths {
            if initiator.session(path)?.is_some() {
                log::warn!("no path to the disk works: logging out of all");
                initiator.log_out_paths(paths)?;
                return login.reach_any(paths);
            }
        }
        Err(error)
    }
}

/// One volume's logins, and what its targets want to hear.
struct Login<'a> {
    driver: &'a OciBlock,
    initiator: &'a Initiator,
    options: &'a VolumeOptions<'a>,
    /// The target by which the API's attachment is known.
    main: &'a Target,
    chap: Option<Chap>,
}

impl Login<'_> {
    /// The first error, if no path works.
    fn reach_any(&mut self, paths: &[Target]) -> Result<(), Error> {
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
