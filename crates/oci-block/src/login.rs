//! Logging in to a volume's target, with CHAP where the author or the target asks for it.

use flexvolume::Options;
use iscsi::{Initiator, Target};

use crate::{OciBlock, chap, error::Error};

impl OciBlock {
    /// Brings about a working session; one that is there needs no credentials.
    ///
    /// A target that refuses what it was told, or wants to be told something, gets what the API says
    /// now, once: the secret may have changed meanwhile.
    pub(crate) fn log_in(
        &self,
        initiator: &Initiator,
        target: &Target,
        options: &Options,
    ) -> Result<(), Error> {
        let works = initiator.session(target)?.is_some_and(|session| session.is_logged_in());
        let known = if chap::is_wanted(options)? && !works {
            Some(chap::credentials(self, target, options)?)
        } else {
            None
        };
        match initiator.log_in(target, known.as_ref()) {
            Err(error) if error.is_unauthorized() => {
                let now = Some(chap::credentials(self, target, options)?);
                if now == known {
                    return Err(error.into());
                }
                initiator.log_in(target, now.as_ref())?;
            }
            outcome => {
                outcome?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
