//! Left-over sessions, which no call would end any more: a call that was killed between unmounting and logging out, or whose caller
//! never came again, leaves one, and kubelet calls unmountdevice only for what is mounted.

use std::{path::Path, time::Duration};

use disk::{DeviceNumber, Disk};
use iscsi::Initiator;

use crate::{
    sessions::{Forgotten, Sessions},
    staging::Staging,
    unmount_device::end_sessions,
};

/// Ends at most one of them, on the way of a call that has done its own work.
///
/// Only sessions that this driver has made; only if no call has wanted the volume for [`PATIENCE`] and none is at
/// work for it, it is mounted nowhere, and its disk is not in use; and then as unmountdevice does it, which
/// proves that the disk is free. Whatever comes of it, it is no matter of the call's.
pub(crate) fn end_one(staging: &Staging, initiator: &Initiator) {
    let sessions = Sessions::new(&staging.run_dir);
    let forgotten = sessions.forgotten(PATIENCE, &*staging.clock);
    for it in forgotten {
        match is_ended(staging, initiator, &sessions, &it) {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                log::warn!("a session of volume {} is left over: {error}", it.volume);
                sessions.put_off(&it.volume, &*staging.clock);
                return;
            }
        }
    }
}

/// Whether there was work to do for this volume.
fn is_ended(
    staging: &Staging,
    initiator: &Initiator,
    sessions: &Sessions,
    forgotten: &Forgotten,
) -> Result<bool, Box<dyn std::error::Error>> {
    let Forgotten { volume, targets } = forgotten;
    let Some(_lock) = staging.lock_at_once(volume, "the search for left-over sessions") else {
        return Ok(false);
    };
    // Another call may have had the lock until now.
    if sessions.read_if_old(volume.clone(), PATIENCE, &*staging.clock).as_ref() != Some(forgotten) {
        return Ok(false);
    }
    if targets.iter().any(|target| initiator.has_foreign_record(target)) {
        // Written since by another program, whose session it may be.
        sessions.forget(volume);
        return Ok(false);
    }
    if let Some(path) = initiator.present(targets)?
        && is_used(staging, &path)?
    {
        sessions.put_off(volume, &*staging.clock);
        return Ok(false);
    }
    log::info!("no call has wanted volume {volume} for long: its session is ended");
    end_sessions(staging, initiator, volume, targets)?;
    Ok(true)
}

/// Whether the disk is mounted, or used otherwise as far as can be seen; the proof comes with the logout.
fn is_used(staging: &Staging, path: &Path) -> Result<bool, disk::Error> {
    let number = DeviceNumber::at(path)?;
    let mounts = staging.host.mount_table().entries()?;
    if mounts.iter().any(|entry| entry.number == number) {
        return Ok(true);
    }
    match Disk::open(path, &staging.host) {
        Ok(disk) => Ok(!disk.users()?.is_empty()),
        // The session is lost, and so was the disk.
        Err(disk::Error::NotRunning { .. } | disk::Error::NoSize { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// kubelet tries again every two minutes at most; what it has not asked for in five times that, it does not want.
const PATIENCE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
