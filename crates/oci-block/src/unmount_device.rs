//! unmountdevice: the volume is unmounted and its disk let go when the call has ended well.

use std::path::{Path, PathBuf};

use disk::{Access, DeviceNumber, Disk};
use iscsi::Target;

use crate::{
    OciBlock,
    device::Device,
    error::Error,
    volume::volume_key,
    witness::{Recall, Witness, Witnesses},
};

/// Unmounts the directory, proves that nobody uses the disk any more, and logs out.
///
/// Not mounted is a success, after the session that a killed call may have left is ended.
pub(crate) fn unmount_device(driver: &OciBlock, dir: &Path) -> Result<(), Error> {
    let name = dir.file_name().and_then(|name| name.to_str());
    let volume = name
        .and_then(|name| volume_key(name).ok())
        .ok_or_else(|| Error::MountPoint { dir: dir.to_owned() })?;
    let lock = driver.lock(volume, "unmountdevice")?;
    let held = held_disk(driver, volume, dir)?;

    lock.share_with_children()?;
    let unmounted = driver.mounter().unmount(dir)?;
    // iscsiadm may leave a daemon behind, which must not keep the volume locked.
    lock.keep_from_children()?;
    release(driver, &held)?;

    match unmounted.data_loss {
        Some(loss) => Err(Error::DataLoss(loss)),
        None => Ok(()),
    }
}

/// The disk that has to be let go.
enum Held {
    /// A session to this target is ours to end.
    Session(Target),
    /// A disk that goes away by itself when it is detached.
    Disk {
        path: PathBuf,
        number: DeviceNumber,
    },
    Nothing,
}

/// Looked at before the unmount: afterwards nothing leads from the directory to the disk.
fn held_disk(driver: &OciBlock, volume: &str, dir: &Path) -> Result<Held, Error> {
    if let Some(entry) = driver.mounter().at(dir)? {
        return Ok(match driver.initiator().target_of(entry.number)? {
            Some(target) => Held::Session(target),
            None => Held::Disk { path: entry.source.into(), number: entry.number },
        });
    }
    let recall = Witnesses::new(&driver.settings.state_dir).read(volume);
    let Recall::Seen(Witness { device: Some(device), .. }) = recall else {
        return Ok(Held::Nothing);
    };
    match Device::parse(Path::new(&device))? {
        Device::Iscsi(target) if driver.initiator().session(&target)?.is_some() => {
            Ok(Held::Session(target))
        }
        _ => Ok(Held::Nothing),
    }
}

fn release(driver: &OciBlock, held: &Held) -> Result<(), Error> {
    match held {
        Held::Session(target) => {
            driver.initiator().log_out(target)?;
        }
        // A disk that is gone, or whose path leads to another one by now, is nobody's any more.
        Held::Disk { path, number } if path.exists() => {
            let disk = Disk::open(path, &driver.host)?;
            if disk.number() == *number {
                disk.claim(Access::Read)?;
            }
        }
        Held::Disk { .. } => {}
        Held::Nothing => {}
    }
    Ok(())
}
