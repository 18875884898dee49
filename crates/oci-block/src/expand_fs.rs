//! expandfs: the file system has the size of its disk, which has at least the size asked for, when
//! the call has ended well.

use std::path::Path;

use disk::{Disk, Identity};
use mount::Entry;

use crate::{
    OciBlock,
    device::Device,
    error::Error,
    expand_error::ExpandError,
    growth::Growth,
    identity::prove_identity,
    paths::with_all_portals,
    staged_disk::named_device,
    volume_options::VolumeOptions,
    volume_record::{RecordState, VolumeRecord, VolumeRecords},
};

/// Has the kernel read the disk's size again and grows the mounted file system to it; the disk's size
/// in bytes.
///
/// May be repeated: a file system that is large enough is a success, and so is one that is mounted
/// read-only, which stays as it is until it is mounted for writing. What lies behind the file system must read as
/// zeros, as far as it is read. Nothing but the mounted disk is
/// touched: what is not mounted grows when it is.
pub(crate) fn expand_fs(
    driver: &OciBlock,
    options: &VolumeOptions<'_>,
    device: &Path,
    dir: &Path,
    new_bytes: u64,
) -> Result<u64, Error> {
    let volume = options.name.key()?;
    let lock = driver.staging.lock(volume, "expandfs")?;
    let records = VolumeRecords::new(&driver.staging.state_dir);
    let recall = records.read(volume);
    // Some callers give the directory twice.
    let device = if device == dir { Path::new("") } else { device };
    let device = named_device(device, &recall, volume)?;
    let device = with_all_portals(driver, device, options, &recall)?;
    let disk = present_disk(driver, &device, volume, options)?;
    let identity = prove_identity(volume, &disk, &recall, &records)?;

    let mounter = driver.staging.mounter();
    if let Some(found) = mounter.at(dir)?.filter(|entry| entry.number != disk.number()) {
        return Err(other_device(volume, &disk, dir, &found).into());
    }
    if mounter.places(disk.number())?.is_empty() {
        return Err(not_mounted(volume, disk.path()).into());
    }
    if disk.size() < new_bytes {
        return Err(ExpandError::DiskTooSmall {
            volume: volume.to_owned(),
            device: disk.path().to_owned(),
            has: disk.size(),
            asked: new_bytes,
            gib: new_bytes.div_ceil(GIB),
        }
        .into());
    }
    // An orphaned resize2fs keeps the volume locked until it has ended.
    lock.share_with_children()?;
    let record = match recall {
        RecordState::Known(before) => Some(before),
        RecordState::Absent => {
            let device = Some(device.path().display().to_string());
            let Identity { wwid, serial, appearance, .. } = identity;
            Some(VolumeRecord { device, wwid, serial, appearance, ..VolumeRecord::default() })
        }
        RecordState::Corrupt | RecordState::Unreadable(_) => None,
    };
    let (clock, check) = (&*driver.staging.clock, options.wanted.check_at_random());
    let (disk, mounter, records) = (&disk, &mounter, &records);
    Growth { volume, disk, mounter, clock, check, records }.run(record)?;
    Ok(disk.size())
}

/// The disk, if it is here: a call that only grows neither logs in nor waits.
fn present_disk(
    driver: &OciBlock,
    device: &Device,
    volume: &str,
    options: &VolumeOptions<'_>,
) -> Result<Disk, Error> {
    let is_here = match device {
        Device::Paravirtualized(path) => path.exists(),
        _ => driver.initiator().present(device.targets())?.is_some(),
    };
    if !is_here {
        return Err(not_mounted(volume, &device.path()).into());
    }
    driver.disk(device, options)
}

fn not_mounted(volume: &str, device: &Path) -> ExpandError {
    ExpandError::NotMounted { volume: volume.to_owned(), device: device.to_owned() }
}

fn other_device(volume: &str, disk: &Disk, dir: &Path, found: &Entry) -> ExpandError {
    let source = Path::new(&found.source).display();
    ExpandError::OtherDevice {
        volume: volume.to_owned(),
        device: disk.path().to_owned(),
        dir: dir.to_owned(),
        found: format!("{source} ({}, {})", found.number, found.fs_type),
    }
}

const GIB: u64 = 1 << 30;
