//! Logging out of a session whose disk is not in use.

use std::time::Duration;

use command::Output;

use crate::{
    Error, ExitCode, Initiator, Outcome, Session, Target, iscsiadm,
    login::{RECORDS, failed, not_run},
    release::Released,
};

impl Initiator {
    /// Takes the disk of `target` away from this machine, ends the session and removes its record.
    ///
    /// Refuses while the disk is used. A session that has other disks is kept, with its record. Takes a few
    /// milliseconds as a rule, and about two minutes when iscsid hangs.
    ///
    /// # Errors
    /// The disk is in use or not to be flushed, or the session is still there afterwards: the volume must not be
    /// detached.
    pub fn log_out(&self, target: &Target) -> Result<Outcome, Error> {
        self.refuse_boot_target(target)?;
        self.remove_torn_records(target);
        let Some(session) = self.session(target)? else { return self.delete_record(target) };
        let released = self.release(&session, target)?;
        if let Some(session) = self.session(target)? {
            if session.has_other_disks(target) {
                log::info!("{} is kept for its other disks", session.name);
                return Ok(Outcome::Done);
            }
            self.end_session(target, released)?;
        }
        self.delete_record(target)?;
        Ok(Outcome::Done)
    }

    /// Asks for the end of the session, and believes only sysfs.
    fn end_session(&self, target: &Target, _released: Released) -> Result<(), Error> {
        let deadline = self.after(LOGOUT);
        let answer = self.run(&iscsiadm::log_out(target), deadline);
        let refused = match &answer {
            Ok(output) => !output.success(),
            Err(error) => error.is_not_started(),
        };
        let patience = if refused { self.after(Duration::ZERO) } else { deadline };
        let gone = self.watch(patience, || Ok(self.session(target)?.is_none().then_some(())))?;
        if gone.is_some() {
            log::info!(iscsi:% = target; "logged out, as sysfs shows");
            return Ok(());
        }
        Err(match answer {
            Err(source) => not_run(LOG_OUT, target, source),
            Ok(output) if output.success() => Error::SessionRemains { target: target.clone() },
            Ok(output) if is_nothing_found(&output) => Error::NoDaemon { target: target.clone() },
            Ok(output) => failed(LOG_OUT, target, &output),
        })
    }

    /// Removes the record of a session that is not there. One that stays does no harm: it does not log in by itself.
    fn delete_record(&self, target: &Target) -> Result<Outcome, Error> {
        self.forget_credentials(target);
        let command = iscsiadm::delete_record(target);
        let mut answer = self.run(&command, self.after(RECORDS));
        if matches!(answer, Err(command::Error::Signalled { .. })) {
            // kubelet calls unmountdevice no second time: the volume is let go.
            answer = self.run(&command, self.after(RECORDS));
        }
        match answer.as_ref().map(|output| ExitCode(output.code)) {
            Ok(ExitCode::SUCCESS) => {
                log::info!(iscsi:% = target; "node record removed");
                Ok(Outcome::Done)
            }
            Ok(ExitCode::NO_OBJECTS | ExitCode::SESSION_NOT_FOUND) => Ok(Outcome::AlreadyDone),
            Ok(ExitCode::SESSION_EXISTS) => match self.session(target)? {
                Some(_) => Err(Error::SessionRemains { target: target.clone() }),
                None => {
                    let seen = self.pending(target)?;
                    Err(Error::LoginPending { target: target.clone(), seen })
                }
            },
            Ok(code) => {
                log::warn!("the node record of {target} stays: {code}");
                Ok(Outcome::AlreadyDone)
            }
            Err(error) => {
                log::warn!("the node record of {target} stays: {error}");
                Ok(Outcome::AlreadyDone)
            }
        }
    }
}

impl Session {
    /// Whether a logout may have been asked for that iscsid has not got to. It carries out what it finds in its
    /// socket, also for an iscsiadm that is gone; a caller of logout has let go of the session's last disk before.
    pub fn may_be_ending(&self, target: &Target) -> bool {
        self.unit(target).is_none() && !self.has_other_disks(target)
    }

    fn has_other_disks(&self, target: &Target) -> bool {
        let lun = u64::from(target.lun);
        self.units.iter().any(|unit| unit.lun != lun && unit.is_disk)
    }
}

fn is_nothing_found(output: &Output) -> bool {
    matches!(ExitCode(output.code), ExitCode::NO_OBJECTS | ExitCode::SESSION_NOT_FOUND)
}

const LOG_OUT: &str = "log out of";
/// For iscsiadm, which takes 40 s at most, and for what the kernel does afterwards.
const LOGOUT: Duration = Duration::from_secs(60);
