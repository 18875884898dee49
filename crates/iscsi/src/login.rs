//! Logging in.

use std::{net::SocketAddr, time::Duration};

use clock::Deadline;
use command::{Command, Output};

use crate::{
    Chap, Error, ExitCode, Initiator, Outcome, Pending, Session, Target, iscsiadm,
    session::sessions,
};

impl Initiator {
    /// Brings about a working session to `target`; its disk may still be missing, see [`Initiator::disk`].
    ///
    /// A session that is there is adopted, also a foreign one, but its record no longer logs in at boot, and its
    /// replacement timeout becomes that of a new session. One that does not recover is logged out and made anew if
    /// its disk is not in use, and so is one without its disk: an abandoned logout may still be on its way to iscsid,
    /// and this one comes after it. What this call has made is undone when it fails, except for a pending login,
    /// which nothing can undo: the next call finds it. A foreign node record is then as it was.
    ///
    /// With `chap`, a new session is authenticated; the secret goes into the node record, which is root's, and into
    /// no command line. It goes away with the record, when the session ends.
    ///
    /// Takes a few milliseconds as a rule, about a minute and a half when the portal does not answer.
    ///
    /// # Errors
    /// The portal, the target or iscsid do not do it, or the target is reached through another portal.
    /// [`Error::is_unauthorized`] if the target wants other credentials.
    pub fn log_in(&self, target: &Target, chap: Option<&Chap>) -> Result<Outcome, Error> {
        self.ensure_session(target, &[], chap)
    }

    /// Logs in; sessions through the portals of `beside` are other paths to the same disk.
    pub(crate) fn ensure_session(
        &self,
        target: &Target,
        beside: &[Target],
        chap: Option<&Chap>,
    ) -> Result<Outcome, Error> {
        self.refuse_boot_target(target)?;
        self.refuse_second_portal(target, beside)?;
        self.remove_torn_records(target);
        if let Some(session) = self.session(target)? {
            let in_map = !beside.is_empty() && self.is_mapped(target)?;
            if in_map && !session.is_logged_in() {
                let state = session.state;
                return Err(Error::SessionFailed { target: target.clone(), state });
            }
            match self.recovered(target)? {
                Some(session) if session.may_be_ending(target) => {
                    log::info!("the session to {target} may be ending: logging out");
                }
                Some(session) => {
                    self.forbid_login_at_boot(target);
                    self.limit_replacement_timeout_of(&session);
                    return Ok(Outcome::AlreadyDone);
                }
                None => log::warn!("the session to {target} does not recover: logging out"),
            }
            self.log_out(target)?;
        }
        let foreign = self.foreign_records(target);
        let created = self.create_record(target, chap).and_then(|()| self.create_session(target));
        if let Err(error) = &created {
            self.undo(target, error);
            if !error.is_login_pending() {
                self.put_back(target, &foreign);
            }
        }
        created.map(|()| Outcome::Done)
    }

    /// One volume must have one device, unless a multipath map makes one of them.
    fn refuse_second_portal(&self, target: &Target, beside: &[Target]) -> Result<(), Error> {
        if target.iqn.is_of_all_boot_volumes() {
            return Ok(());
        }
        let sessions = sessions(&self.host.sysfs)?;
        let same_name = sessions.iter().filter(|session| session.iqn == target.iqn.as_ref());
        // Another volume, whatever its name: the message must not advise a logout there.
        let same_name = same_name.filter(|session| !session.is_boot());
        let known = |at: &SocketAddr| {
            *at == target.portal() || beside.iter().any(|path| path.portal() == *at)
        };
        match same_name.filter_map(|session| session.portal).find(|at| !known(at)) {
            Some(portal) => Err(Error::OtherPortal { target: target.clone(), portal }),
            None => Ok(()),
        }
    }

    /// The session, if it works or does so soon.
    fn recovered(&self, target: &Target) -> Result<Option<Session>, Error> {
        let recovered = self.watch(self.after(RECOVERY), || {
            Ok(match self.session(target)? {
                Some(session) if !session.is_logged_in() => None,
                gone_or_working => Some(gone_or_working),
            })
        })?;
        Ok(recovered.flatten())
    }

    /// A foreign session may have a record that logs in at boot. A record of this driver is not written again: that
    /// could tear it.
    fn forbid_login_at_boot(&self, target: &Target) {
        if self.is_manual(target) {
            return;
        }
        let command = iscsiadm::forbid_login_at_boot(target);
        match self.run(&command, self.after(RECORDS)) {
            Ok(output) if output.success() || ExitCode(output.code) == ExitCode::NO_OBJECTS => {}
            Ok(output) => {
                log::warn!("{target} may be logged in at boot: {}", ExitCode(output.code))
            }
            Err(error) => log::warn!("{target} may be logged in at boot: {error}"),
        }
    }

    fn create_record(&self, target: &Target, chap: Option<&Chap>) -> Result<(), Error> {
        let mut output = self.run_on_record(&iscsiadm::create_record(target), target)?;
        // A record of another version of open-iscsi, or one that was edited, stands in the way of its own replacement.
        let stale = [ExitCode::DATABASE, ExitCode::INVALID].contains(&ExitCode(output.code));
        if stale && self.remove_records(target)? {
            output = self.run_on_record(&iscsiadm::create_record(target), target)?;
        }
        if output.success() {
            output = self.run_on_record(&iscsiadm::apply_settings(target), target)?;
        }
        if !output.success() {
            return Err(failed(WRITE_RECORD, target, &output));
        }
        chap.map_or(Ok(()), |chap| self.write_credentials(target, chap))?;
        log::info!(iscsi:% = target, chap = chap.is_some(); "node record made");
        Ok(())
    }

    fn run_on_record(&self, command: &Command, target: &Target) -> Result<Output, Error> {
        self.run(command, self.after(RECORDS))
            .map_err(|source| not_run(WRITE_RECORD, target, source))
    }

    /// Asks for the session, and believes only sysfs.
    fn create_session(&self, target: &Target) -> Result<(), Error> {
        let deadline = self.after(LOGIN);
        let answer = self.run(&iscsiadm::log_in(target), deadline);
        let patience = if may_still_come(&answer) { deadline } else { self.after(Duration::ZERO) };
        let unseen = self.after(UNSEEN);
        let mut seen = Pending::Unseen;
        let works = self.watch(patience, || {
            if let Some(session) = self.session(target)? {
                return Ok(session.is_logged_in().then_some(true));
            }
            seen = self.pending(target)?.max(seen.clone());
            Ok((seen == Pending::Unseen && unseen.passed(&*self.clock)).then_some(false))
        })?;
        if works == Some(true) {
            log::info!(iscsi:% = target; "logged in, as sysfs shows");
            return Ok(());
        }
        if let Some(session) = self.session(target)? {
            return Err(Error::SessionFailed { target: target.clone(), state: session.state });
        }
        Err(match answer {
            Err(source) if source.is_not_started() => not_run(LOG_IN, target, source),
            Ok(output) if !is_promise(&output) => failed(LOG_IN, target, &output),
            Ok(output) if output.success() => Error::NotShown { target: target.clone() },
            _ => Error::LoginPending { target: target.clone(), seen },
        })
    }

    /// Undoes what this call has made, as far as it goes; the error at hand is the one to report.
    fn undo(&self, target: &Target, error: &Error) {
        let nothing_made = matches!(error, Error::Run { source, .. } if source.is_not_started());
        if error.is_login_pending() || nothing_made {
            return;
        }
        if let Err(error) = self.log_out(target) {
            log::warn!("cannot undo the login to {target}: {error}");
        }
    }

    pub(crate) fn after(&self, budget: Duration) -> Deadline {
        Deadline::after(&*self.clock, budget)
    }
}

/// iscsiadm has ended, and says `target` cannot be had.
pub(crate) fn failed(action: &'static str, target: &Target, output: &Output) -> Error {
    Error::Iscsiadm {
        action,
        target: target.clone(),
        code: ExitCode(output.code),
        stderr: output.stderr.clone(),
    }
}

pub(crate) fn not_run(action: &'static str, target: &Target, source: command::Error) -> Error {
    Error::Run { action, target: target.clone(), source }
}

/// Whether a session may appear after this answer. A killed iscsiadm leaves iscsid at work.
fn may_still_come(answer: &Result<Output, command::Error>) -> bool {
    match answer {
        Ok(output) => is_promise(output),
        Err(error) => !error.is_not_started(),
    }
}

/// Whether iscsiadm says that there is a session. With "session exists" it may only be in the making.
fn is_promise(output: &Output) -> bool {
    [ExitCode::SUCCESS, ExitCode::SESSION_EXISTS].contains(&ExitCode(output.code))
}

const WRITE_RECORD: &str = "write the node record of";
const LOG_IN: &str = "log in to";

/// How long a broken session may take to recover: two rounds of noop interval and time-out.
const RECOVERY: Duration = Duration::from_secs(20);
/// For iscsiadm, which takes 40 s at most, and for what iscsid does afterwards.
const LOGIN: Duration = Duration::from_secs(60);
/// For a login of which nothing is to be seen: longer than iscsid waits between two attempts.
const UNSEEN: Duration = Duration::from_secs(20);
/// For work on the record files, when several calls want them at once.
pub(crate) const RECORDS: Duration = Duration::from_secs(20);
