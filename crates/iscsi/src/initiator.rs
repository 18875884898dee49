//! The one who logs in and out, and what it asks sysfs and iscsiadm.

use std::{iter, path::PathBuf, sync::Arc, time::Duration};

use clock::{Clock, Deadline};
use command::{Command, Output, Runner};
use disk::{DeviceNumber, watch};

use crate::{Error, ExitCode, Session, Target, session::sessions};

/// This machine's iSCSI initiator. Its verbs may be repeated; calls for one target must not run side by side.
#[derive(Clone, Debug)]
pub struct Initiator {
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) host: Host,
}

/// Where the kernel shows itself; tests put trees of their own in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `/sys`, where sessions are read
    pub sysfs: PathBuf,
    /// `/proc`, where connections to portals are seen
    pub proc: PathBuf,
    /// `/dev`, where the disks' nodes are
    pub dev: PathBuf,
    /// where open-iscsi may keep its node records
    pub nodes: Vec<PathBuf>,
    /// where disks are looked at before they are let go
    pub disk: disk::Host,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            sysfs: "/sys".into(),
            proc: "/proc".into(),
            dev: "/dev".into(),
            nodes: ["/etc/iscsi/nodes", "/var/lib/iscsi/nodes"].map(PathBuf::from).to_vec(),
            disk: disk::Host::default(),
        }
    }
}

impl Initiator {
    /// An initiator that runs iscsiadm with `runner` and waits with `clock`.
    pub fn new(runner: Arc<dyn Runner>, clock: Arc<dyn Clock>, host: Host) -> Self {
        Self { runner, clock, host }
    }

    /// The session to exactly this target through exactly this portal, whatever its state.
    ///
    /// # Errors
    /// If sysfs does not read, or there are several.
    pub fn session(&self, target: &Target) -> Result<Option<Session>, Error> {
        let mut found = sessions(&self.host.sysfs)?;
        found.retain(|session| session.reaches(target));
        if found.len() > 1 {
            let sessions = found.into_iter().map(|session| session.name).collect();
            return Err(Error::SeveralSessions { target: target.clone(), sessions });
        }
        Ok(found.pop())
    }

    /// The target whose disk has this number; none if it is no iSCSI disk.
    ///
    /// # Errors
    /// If sysfs does not read, or the session's target cannot be expressed as a [`Target`].
    pub fn target_of(&self, device: DeviceNumber) -> Result<Option<Target>, Error> {
        for session in sessions(&self.host.sysfs)? {
            let is_it =
                |unit: &&crate::Unit| unit.block.as_ref().is_some_and(|b| b.number == device);
            let Some(unit) = session.units.iter().find(is_it) else { continue };
            let target = session.portal.and_then(|portal| {
                Some(Target {
                    address: portal.ip(),
                    port: portal.port(),
                    iqn: session.iqn.parse().ok()?,
                    lun: unit.lun.try_into().ok()?,
                })
            });
            return target.map(Some).ok_or(Error::UnknownTarget {
                device,
                session: session.name.clone(),
                name: session.iqn.clone(),
            });
        }
        Ok(None)
    }

    /// Runs iscsiadm, again while it is out of step for a moment, but not beyond `deadline`.
    pub(crate) fn run(
        &self,
        command: &Command,
        deadline: Deadline,
    ) -> Result<Output, command::Error> {
        let mut output = self.runner.run(command)?;
        for wait in HICCUP_WAITS {
            if !ExitCode(output.code).is_retryable() || wait >= deadline.remaining(&*self.clock) {
                break;
            }
            self.clock.sleep(wait);
            output = self.runner.run(command)?;
        }
        Ok(output)
    }

    /// Refuses the portal of the boot volume.
    pub(crate) fn refuse_boot_target(&self, target: &Target) -> Result<(), Error> {
        if target.is_boot() { Err(Error::Boot { target: target.clone() }) } else { Ok(()) }
    }

    /// Looks again and again until `deadline`: when the kernel has news of disks, and by itself, fast at first and
    /// once a second later.
    pub(crate) fn watch<T>(
        &self,
        deadline: Deadline,
        look: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let longer = |wait: &Duration| Some((*wait * 2).min(WAIT_MAX));
        let waits = iter::successors(Some(WAIT_MIN), longer).map_while(|wait| {
            let left = deadline.remaining(&*self.clock);
            (!left.is_zero()).then(|| wait.min(left))
        });
        watch(&*self.clock, waits, look)
    }
}

const HICCUP_WAITS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
const WAIT_MIN: Duration = Duration::from_millis(10);
const WAIT_MAX: Duration = Duration::from_secs(1);
