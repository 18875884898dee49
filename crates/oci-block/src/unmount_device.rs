//! unmountdevice: the volume is unmounted and its disk let go when the call has ended well.

use std::path::{Path, PathBuf};

use disk::{Access, DeviceNumber, Disk};
use iscsi::{Initiator, Target};
use mount::Mounter;

use crate::{
    device::Device,
    error::Error,
    identity::is_same,
    losses::Losses,
    paths::{log_out, recorded},
    sessions::Sessions,
    staging::Staging,
    volume_at::volume_at,
    volume_record::{RecordState, VolumeRecord, VolumeRecords},
};

/// Unmounts the directory, proves that the disk is not in use any more, and logs out.
///
/// Not mounted is a success, after the session that a killed call may have left is ended.
pub(crate) fn unmount_device(
    staging: &Staging,
    initiator: &Initiator,
    dir: &Path,
) -> Result<(), Error> {
    let mounter = staging.mounter();
    let volume = volume_at(staging, initiator, &mounter, dir)?;
    let lock = staging.lock(&volume, "unmountdevice")?;
    if volume_at(staging, initiator, &mounter, dir)? != volume {
        // Another call has unmounted or mounted there, and had the lock until now.
        return Err(Error::MountChanged { dir: dir.to_owned() });
    }
    let held = held_disk(staging, initiator, &mounter, &volume, dir)?;
    if let Some(Held::Sessions(targets)) = &held {
        // Should the portal fall silent now: this call must end.
        initiator.limit_replacement_timeout(targets);
    }

    lock.share_with_children()?;
    let losses = Losses::of(staging, &volume);
    losses.unmount(&mounter, dir)?;
    // iscsiadm may leave a daemon behind, which must not keep the volume locked.
    lock.keep_from_children()?;
    let released = held.map_or(Ok(()), |held| release(staging, initiator, &volume, &held));

    if let Err(loss) = losses.tell() {
        // The next call tries again.
        released.unwrap_or_else(|error| log::error!("{error}"));
        return Err(loss);
    }
    released
}

/// The disk that has to be let go.
enum Held {
    /// This call may end sessions through these portals.
    Sessions(Vec<Target>),
    /// A disk that goes away by itself when it is detached.
    Disk { path: PathBuf, number: DeviceNumber },
}

/// Looked at before the unmount: afterwards only the record leads from the directory to the disk.
fn held_disk(
    staging: &Staging,
    initiator: &Initiator,
    mounter: &Mounter,
    volume: &str,
    dir: &Path,
) -> Result<Option<Held>, Error> {
    let recall = VolumeRecords::new(&staging.state_dir).read(volume);
    if let Some(entry) = mounter.at(dir)? {
        let mut targets = initiator.targets_of(entry.number)?;
        // A path that is down may not be in the map any more.
        let known = targets.iter().flat_map(|target| recorded(target, &recall)).collect::<Vec<_>>();
        targets.extend(known);
        return Ok(Some(if targets.is_empty() {
            Held::Disk { path: entry.source.into(), number: entry.number }
        } else {
            Held::Sessions(distinct(targets))
        }));
    }
    let device = match &recall {
        RecordState::Known(VolumeRecord { device: Some(device), .. }) => {
            Some(Device::parse(Path::new(device))?)
        }
        _ => None,
    };
    if let (RecordState::Known(volume_record), Some(Device::Paravirtualized(path))) =
        (&recall, &device)
    {
        // The path may lead to another volume's disk by now.
        return Ok(Disk::open(path, &staging.host)
            .ok()
            .filter(|disk| is_same(volume_record, &disk.identity()))
            .map(|disk| Held::Disk { number: disk.number(), path: path.clone() }));
    }
    // A call that was killed after its login has recorded no device yet, and one that was killed after its logout
    // has left node record and note.
    let mut targets = Sessions::new(&staging.run_dir).targets(volume);
    if let Some(Device::Iscsi(target)) = &device {
        let paths = recorded(target, &recall);
        let mut is_held = paths.iter().any(|path| targets.contains(path));
        for path in &paths {
            is_held |= initiator.session(path)?.is_some();
        }
        if is_held {
            targets.extend(paths);
        }
    }
    Ok((!targets.is_empty()).then(|| Held::Sessions(distinct(targets))))
}

/// Without repetitions, in the order of the first of each.
fn distinct(targets: Vec<Target>) -> Vec<Target> {
    let mut seen = Vec::new();
    for target in targets {
        if !seen.contains(&target) {
            seen.push(target);
        }
    }
    seen
}

fn release(
    staging: &Staging,
    initiator: &Initiator,
    volume: &str,
    held: &Held,
) -> Result<(), Error> {
    match held {
        Held::Sessions(targets) => end_sessions(staging, initiator, volume, targets)?,
        Held::Disk { path, number } if !Disk::is_absent(path) => {
            match Disk::open(path, &staging.host) {
                Ok(disk) if disk.number() == *number => {
                    disk.claim_soon(Access::Read, &*staging.clock)?;
                }
                Ok(_) => {}
                // What is left of a disk that is gone: its node, without a size, or given up.
                Err(disk::Error::NoSize { .. }) => {}
                Err(_) if staging.host.has_given_up(*number)? => {}
                Err(error) => return Err(error.into()),
            }
        }
        // A disk that is gone is not in use any more.
        Held::Disk { .. } => {}
    }
    Ok(())
}

/// Logs out, if the disk is not in use, and forgets that the sessions were made here.
pub(crate) fn end_sessions(
    staging: &Staging,
    initiator: &Initiator,
    volume: &str,
    targets: &[Target],
) -> Result<(), Error> {
    log_out(initiator, targets)?;
    Sessions::new(&staging.run_dir).forget(volume);
    Ok(())
}
