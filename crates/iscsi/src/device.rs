//! Waiting for the disk of a session.

use std::{fs::File, path::PathBuf, time::Duration};

use crate::{Error, Initiator, Session, Target, Unit, sysfs};

/// Whether a device can be used.
pub(crate) enum Readiness {
    /// At this node.
    Ready(PathBuf),
    /// What is missing.
    NotYet(String),
}

impl Initiator {
    /// The disk's node, `/dev/sdX`, as soon as the disk can be used: it runs, has a size and a
    /// node that opens.
    ///
    /// Scans for this unit only. Links in `/dev/disk` play no role. A disk that was there is asked for its size and
    /// its identity again, so that sysfs tells of the volume that is there now. Takes at most a minute, as long
    /// as the kernel does not wait for a session that has just been lost.
    ///
    /// # Errors
    /// [`Error::NotReady`] says what was missing last.
    pub fn disk(&self, target: &Target) -> Result<PathBuf, Error> {
        self.disk_within(target, APPEARANCE)
    }

    pub(crate) fn disk_within(&self, target: &Target, budget: Duration) -> Result<PathBuf, Error> {
        self.refuse_boot_target(target)?;
        if let Some(unit) = self.session(target)?.as_ref().and_then(|s| s.unit(target)) {
            rescan_running(unit)?;
        }
        let mut obstacle = String::new();
        let path = self.watch(self.after(budget), || match self.look(target)? {
            Readiness::Ready(path) => Ok(Some(path)),
            Readiness::NotYet(what) => {
                obstacle = what;
                Ok(None)
            }
        })?;
        path.ok_or_else(|| Error::NotReady { target: target.clone(), obstacle })
    }

    /// Looks once, and nudges what does not move by itself.
    fn look(&self, target: &Target) -> Result<Readiness, Error> {
        let Some(session) = self.session(target)? else {
            let obstacle = "there is no session".to_owned();
            return Err(Error::NotReady { target: target.clone(), obstacle });
        };
        if !session.is_logged_in() {
            return Ok(Readiness::NotYet(format!("the state of its session is {}", session.state)));
        }
        let Some(unit) = session.unit(target) else {
            self.scan(&session, target)?;
            return Ok(Readiness::NotYet(format!("the target shows no LUN {}", target.lun)));
        };
        match unit.state.as_str() {
            "running" => {}
            "offline" => {
                // A logout that was broken off has left it so; neither kernel nor iscsid takes it back.
                unit.set_state("running")?;
                return Ok(Readiness::NotYet("it was taken offline".to_owned()));
            }
            other => return Ok(Readiness::NotYet(format!("the kernel says it is {other}"))),
        }
        let Some(block) = &unit.block else {
            return Ok(Readiness::NotYet("it has no block device".to_owned()));
        };
        if block.size == 0 {
            rescan_running(unit)?;
            return Ok(Readiness::NotYet(format!("the size of {} is 0", block.name)));
        }
        let path = self.host.dev.join(&block.name);
        if !path.exists() {
            return Ok(Readiness::NotYet(format!("{} does not exist", path.display())));
        }
        // The kernel makes the node a moment before it can be opened (device_add_disk).
        match File::open(&path) {
            Ok(_) => Ok(Readiness::Ready(path)),
            Err(error) => Ok(Readiness::NotYet(format!("cannot open {}: {error}", path.display()))),
        }
    }

    /// Asks the kernel for this unit, on any channel and target of the session's host.
    fn scan(&self, session: &Session, target: &Target) -> Result<(), Error> {
        let host = self.host.sysfs.join("class/scsi_host").join(&session.host);
        sysfs::write(&host.join("scan"), &format!("- - {}", target.lun))
    }
}

impl Unit {
    /// Lets nothing reach the disk any more. A lost one is so already, and the kernel refuses any other state
    /// (scsi_sysfs.c, `store_state_field`); the session may be given up at any moment, also now.
    pub(crate) fn take_offline(&self) -> Result<(), Error> {
        if self.is_lost()? {
            return Ok(());
        }
        match self.set_state("offline") {
            Err(_) if self.is_lost()? => Ok(()),
            written => written,
        }
    }

    fn is_lost(&self) -> Result<bool, Error> {
        Ok(sysfs::attribute(&self.device.join("state"))?.as_deref() == Some(LOST))
    }

    /// `running` or `offline`.
    pub(crate) fn set_state(&self, state: &str) -> Result<(), Error> {
        sysfs::write(&self.device.join("state"), state)
    }

    /// Makes the kernel forget the device, also while it is open.
    pub(crate) fn delete(&self) -> Result<(), Error> {
        sysfs::write(&self.device.join("delete"), "1")
    }
}

/// Has the kernel read size and identity again; on a device that does not run it would wait.
fn rescan_running(unit: &Unit) -> Result<(), Error> {
    if unit.state == "running" { sysfs::write(&unit.device.join("rescan"), "1") } else { Ok(()) }
}

/// The state of a disk whose session did not come back in time: I/O fails at once.
pub(crate) const LOST: &str = "transport-offline";
pub(crate) const APPEARANCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::*;

    /// What becomes of the state file, which shows `state`; and of the call.
    #[track_caller]
    fn check(state: &str, after: &str, succeeds: bool) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("state"), state).unwrap();
        assert_eq!(unit(dir.path()).take_offline().is_ok(), succeeds);
        assert_eq!(fs::read_to_string(dir.path().join("state")).unwrap(), after);
    }

    fn unit(device: &Path) -> Unit {
        let (state, device) = ("running".into(), device.to_owned());
        Unit { lun: 1, state, block: None, is_disk: true, device }
    }

    #[test]
    fn a_disk_that_is_lost_since_it_was_looked_at_stays_as_it_is() {
        check("running\n", "offline\n", true);
        check("transport-offline\n", "transport-offline\n", true);
    }

    #[test]
    fn a_state_that_the_kernel_does_not_take_is_an_error() {
        // It refuses words.
        let dir = tempfile::tempdir().unwrap();
        symlink("/proc/self/oom_score_adj", dir.path().join("state")).unwrap();
        assert!(unit(dir.path()).take_offline().is_err());
    }
}
