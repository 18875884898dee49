//! What a call takes back whose disk is refused for a lasting reason.
//!
//! kubelet calls unmountdevice only for what is mounted. Without this the session would stay while the controller
//! manager detaches the volume, and the empty directory would stay. The next waitforattach logs in anew.

use std::{fs, io, path::Path};

use iscsi::Initiator;

use crate::{
    error::Error, lock::VolumeLock, sessions::Sessions, staging::Staging,
    unmount_device::end_sessions,
};

/// Ends the volume's sessions, if this driver has made them and nothing uses the disk, which is proven as in
/// unmountdevice, and removes `dir` if it is an empty directory. Best effort: never changes the result of the call.
pub(crate) fn take_back(
    staging: &Staging,
    initiator: &Initiator,
    volume: &str,
    lock: &VolumeLock,
    dir: Option<&Path>,
) {
    if let Err(error) = end(staging, initiator, volume, lock) {
        log::warn!("the session of volume {volume}, whose disk is refused, stays: {error}");
    }
    match dir.map_or(Ok(()), fs::remove_dir) {
        Err(error) if !EXPECTED.contains(&error.kind()) => {
            log::warn!("the empty directory of volume {volume} stays: {error}");
        }
        _ => {}
    }
}

fn end(
    staging: &Staging,
    initiator: &Initiator,
    volume: &str,
    lock: &VolumeLock,
) -> Result<(), Error> {
    let targets = Sessions::new(&staging.run_dir).targets(volume);
    if targets.is_empty() {
        return Ok(());
    }
    // iscsiadm may leave a daemon behind, which must not keep the volume locked.
    lock.keep_from_children()?;
    end_sessions(staging, initiator, volume, &targets)
}

/// It was never made, or is a mount point, holds something, or is no directory.
const EXPECTED: [io::ErrorKind; 4] = [
    io::ErrorKind::NotFound,
    io::ErrorKind::ResourceBusy,
    io::ErrorKind::DirectoryNotEmpty,
    io::ErrorKind::NotADirectory,
];
