//! A volume in the hands of a call: its disk is there, pinned, and not another volume's.

use std::path::Path;

use disk::{Disk, Identity};
use mount::Mounter;

use crate::{
    OciBlock, dead_mount,
    device::{Device, DeviceError},
    error::Error,
    identity::prove_identity,
    paths::{other_paths, with_all_portals},
    staging::Staging,
    volume::VolumeName,
    volume_options::VolumeOptions,
    volume_record::{RecordState, VolumeRecord, VolumeRecords},
};

/// The disk, and what was known of it before this call.
pub(crate) struct StagedDisk {
    pub(crate) records: VolumeRecords,
    pub(crate) recall: RecordState,
    pub(crate) device: Device,
    pub(crate) disk: Disk,
    pub(crate) identity: Identity,
    pub(crate) mounter: Mounter,
}

impl StagedDisk {
    /// Logs in or waits, and takes away what is left mounted of a disk that is gone. The caller has the
    /// volume's lock.
    pub(crate) fn acquire(
        driver: &OciBlock,
        device: &Path,
        options: &VolumeOptions<'_>,
    ) -> Result<Self, Error> {
        let name = options.name;
        let volume = name.key()?;
        let records = VolumeRecords::new(&driver.staging.state_dir);
        let recall = records.read(volume);
        let device = named_device(device, &recall, volume)?;
        let device = with_all_portals(driver, device, options, &recall)?;
        let disk = driver.disk(&device, options)?;
        let identity = prove_identity(volume, &disk, &recall, &records)?;
        take_name(&driver.staging, name, volume, &recall, &records);
        note_device(&device, &recall, name, volume, &records);
        let mounter = driver.staging.mounter();
        dead_mount::clear(&driver.staging, &mounter, name, &disk)?;
        Ok(Self { records, recall, device, disk, identity, mounter })
    }
}

/// The device that is meant for `volume`.
pub(crate) fn named_device(
    device: &Path,
    recall: &RecordState,
    volume: &str,
) -> Result<Device, Error> {
    if !device.as_os_str().is_empty() {
        return Ok(Device::parse(device)?);
    }
    match recall {
        RecordState::Known(VolumeRecord { device: Some(device), .. }) => {
            Ok(Device::parse(Path::new(device))?)
        }
        _ => Err(DeviceError::Unknown { volume: volume.into() }.into()),
    }
}

/// From now on what Kubernetes calls this volume is the name of no other one: a persistent volume may be
/// made anew over another volume, and unmountdevice is given nothing but the name.
fn take_name(
    staging: &Staging,
    name: VolumeName<'_>,
    volume: &str,
    recall: &RecordState,
    records: &VolumeRecords,
) {
    let Some(name) = name.alias() else { return };
    if matches!(recall, RecordState::Known(before) if before.is_called(name)) {
        return;
    }
    for (other, _) in records.others(volume).into_iter().filter(|(_, it)| it.is_called(name)) {
        let Some(_lock) = staging.lock_at_once(&other, "a volume of the same name") else {
            log::warn!("volume {other} is called {name} too, and another call is at work for it");
            continue;
        };
        if let RecordState::Known(now) = records.read(&other)
            && let Err(error) = records.write(&other, &VolumeRecord { name: None, ..now })
        {
            log::warn!("volume {other} is still called {name}: {error}");
        }
    }
}

/// Records which device the volume has, for calls that are given none. A call that is refused, or ended before,
/// records nothing: what it has made is in the note of its session. That it cannot is no reason to fail.
fn note_device(
    device: &Device,
    recall: &RecordState,
    name: VolumeName<'_>,
    volume: &str,
    records: &VolumeRecords,
) {
    let before = match recall {
        RecordState::Known(before) => before.clone(),
        RecordState::Absent => VolumeRecord::default(),
        // Writing would make it look whole.
        RecordState::Corrupt | RecordState::Unreadable(_) => return,
    };
    let path = Some(device.path().display().to_string());
    let name = name.alias().map(str::to_owned);
    let mut paths = other_paths(device);
    // A call that was not told of the other paths does not undo them.
    if paths.is_empty() && before.device == path {
        paths.clone_from(&before.paths);
    }
    let is_new = before.device != path || before.paths != paths || before.name != name;
    if !device.targets().is_empty() && is_new {
        let noted = records.write(volume, &VolumeRecord { device: path, paths, name, ..before });
        noted.unwrap_or_else(|error| log::warn!("the device of {volume} is not recorded: {error}"));
    }
}
