//! unmountdevice: the volume is unmounted and its disk let go when the call has ended well.

use std::path::{Path, PathBuf};

use disk::{Access, DeviceNumber, Disk};
use iscsi::Target;
use mount::Mounter;

use crate::{
    OciBlock,
    device::Device,
    error::Error,
    identity::is_same,
    losses::Losses,
    paths::{log_out, recorded},
    sessions::Sessions,
    volume::volume_key,
    witness::{Recall, Witnesses},
};

/// Unmounts the directory, proves that nobody uses the disk any more, and logs out.
///
/// Not mounted is a success, after the session that a killed call may have left is ended.
pub(crate) fn unmount_device(driver: &OciBlock, dir: &Path) -> Result<(), Error> {
    let name = dir.file_name().and_then(|name| name.to_str());
    let volume = name
        .and_then(|name| volume_named(driver, name))
        .ok_or_else(|| Error::MountPoint { dir: dir.to_owned() })?;
    let lock = driver.lock(&volume, "unmountdevice")?;
    let mounter = driver.mounter();
    let held = held_disk(driver, &mounter, &volume, dir)?;
    if let Some(Held::Sessions(targets)) = &held {
        // Should the portal fall silent now: this call must end.
        driver.initiator().limit_patience(targets);
    }

    lock.share_with_children()?;
    let losses = Losses::of(driver, &volume);
    losses.unmount(&mounter, dir)?;
    // iscsiadm may leave a daemon behind, which must not keep the volume locked.
    lock.keep_from_children()?;
    let released = held.map_or(Ok(()), |held| release(driver, &volume, &held));

    if let Err(loss) = losses.tell() {
        // The next call tries again.
        released.unwrap_or_else(|error| log::error!("{error}"));
        return Err(loss);
    }
    released
}

/// The volume behind the name of a directory of kubelet's.
fn volume_named(driver: &OciBlock, name: &str) -> Option<String> {
    let named = Witnesses::new(&driver.settings.state_dir).named(name);
    named.or_else(|| volume_key(name).ok().map(str::to_owned))
}

/// The disk that has to be let go.
enum Held {
    /// Sessions through these portals are ours to end.
    Sessions(Vec<Target>),
    /// A disk that goes away by itself when it is detached.
    Disk { path: PathBuf, number: DeviceNumber },
}

/// Looked at before the unmount: afterwards only the record leads from the directory to the disk.
fn held_disk(
    driver: &OciBlock,
    mounter: &Mounter,
    volume: &str,
    dir: &Path,
) -> Result<Option<Held>, Error> {
    let recall = Witnesses::new(&driver.settings.state_dir).read(volume);
    if let Some(entry) = mounter.at(dir)? {
        let mut targets = driver.initiator().targets_of(entry.number)?;
        // A path that is down may not be in the map any more.
        let known = targets.iter().flat_map(|target| recorded(target, &recall)).collect::<Vec<_>>();
        targets.extend(known);
        return Ok(Some(if targets.is_empty() {
            Held::Disk { path: entry.source.into(), number: entry.number }
        } else {
            Held::Sessions(distinct(targets))
        }));
    }
    let Recall::Seen(witness) = &recall else { return Ok(None) };
    let Some(device) = &witness.device else { return Ok(None) };
    Ok(match Device::parse(Path::new(device))? {
        Device::Iscsi(target) => {
            let (initiator, paths) = (driver.initiator(), recorded(&target, &recall));
            // A call that was killed after its logout has left node record and note.
            let mut is_held = Sessions::new(&driver.settings.run_dir).are_ours(volume);
            for path in &paths {
                is_held |= initiator.session(path)?.is_some();
            }
            is_held.then_some(Held::Sessions(paths))
        }
        // A path leads to one portal.
        Device::Multipath(_) => None,
        // The path may lead to another volume's disk by now.
        Device::Paravirtualized(path) => Disk::open(&path, &driver.host)
            .ok()
            .filter(|disk| is_same(witness, &disk.identity()))
            .map(|disk| Held::Disk { number: disk.number(), path }),
    })
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

fn release(driver: &OciBlock, volume: &str, held: &Held) -> Result<(), Error> {
    match held {
        Held::Sessions(targets) => {
            log_out(&driver.initiator(), targets)?;
            Sessions::new(&driver.settings.run_dir).forget(volume);
        }
        Held::Disk { path, number } if path.exists() => {
            match Disk::open(path, &driver.host) {
                Ok(disk) if disk.number() == *number => {
                    disk.claim_soon(Access::Read, &*driver.clock)?;
                }
                Ok(_) => {}
                // What is left of a disk that is gone: its node, without a size, or given up.
                Err(disk::Error::NoSize { .. }) => {}
                Err(_) if driver.host.has_given_up(*number)? => {}
                Err(error) => return Err(error.into()),
            }
        }
        // A disk that is gone is nobody's any more.
        Held::Disk { .. } => {}
    }
    Ok(())
}
