//! How long I/O waits for a lost session.

use crate::{
    Error, Initiator, Session, Target,
    iscsiadm::REPLACEMENT_TIMEOUT,
    sysfs::{self, attribute},
};

impl Initiator {
    /// Limits how long I/O waits for these targets' sessions when they are lost to what a new session has: two
    /// minutes. A foreign one may have I/O wait without end.
    ///
    /// What cannot be limited is only logged. The boot volume's session is not touched.
    pub fn limit_replacement_timeout(&self, targets: &[Target]) {
        for target in targets.iter().filter(|target| !target.is_boot()) {
            match self.session(target) {
                Ok(Some(session)) => self.limit_replacement_timeout_of(&session),
                Ok(None) => {}
                Err(error) => log::warn!("{target} may have I/O wait without end: {error}"),
            }
        }
    }

    /// As [`Initiator::limit_replacement_timeout`], for a session that is not the boot volume's.
    pub(crate) fn limit_replacement_timeout_of(&self, session: &Session) {
        if let Err(error) = self.shorten(session) {
            log::warn!(
                "I/O may wait for {} longer than {} s: {error}",
                session.name,
                REPLACEMENT_TIMEOUT.1
            );
        }
    }

    /// What is written here iscsid does not change any more (scsi_transport_iscsi.c, `recovery_tmo_sysfs_override`).
    /// The kernel takes it only while the session works.
    fn shorten(&self, session: &Session) -> Result<(), Error> {
        let limit = self.host.sysfs.join("class/iscsi_session").join(&session.name);
        let limit = limit.join("recovery_tmo");
        let Some(now) = attribute(&limit)? else { return Ok(()) };
        if is_longer(&now) {
            log::info!("{} would be waited for {now} (s) when it is lost", session.name);
            sysfs::write(&limit, REPLACEMENT_TIMEOUT.1)?;
        }
        Ok(())
    }
}

/// Whether a time as the kernel tells it is longer. It says `off`, or -1, where it waits without end.
fn is_longer(now: &str) -> bool {
    !matches!((now.parse::<u32>(), REPLACEMENT_TIMEOUT.1.parse()), (Ok(now), Ok(limit)) if now <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_longer_than_two_minutes() {
        for (now, longer) in [
            ("0", false),
            ("5", false),
            ("120", false),
            ("121", true),
            ("6000", true),
            ("-1", true),
            ("off", true),
        ] {
            assert_eq!(is_longer(now), longer, "{now}");
        }
    }
}
