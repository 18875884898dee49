//! The portals of a volume: one, or several where its author says that it is multipath.
//!
//! Decision 0013 says why: what attach answers has room for one portal.

use std::path::Path;

use iscsi::{Initiator, Outcome, Target};

use crate::{
    OciBlock,
    attachment::own_attachment,
    device::Device,
    error::Error,
    settings::is_there,
    volume_options::VolumeOptions,
    volume_record::{RecordState, VolumeRecord},
};

/// `device` with all its portals: those that are recorded, else those that the API tells where this host
/// has a `config.yaml`, else those that the portal itself tells.
///
/// # Errors
/// There is no source to ask.
pub(crate) fn with_all_portals(
    driver: &OciBlock,
    device: Device,
    options: &VolumeOptions<'_>,
    recall: &RecordState,
) -> Result<Device, Error> {
    let (Device::Iscsi(target), true) = (&device, options.multipath) else {
        return Ok(device);
    };
    let mut paths = recorded(target, recall);
    if paths.len() < 2 {
        paths = if is_there(&driver.settings.config) {
            Device::of(&own_attachment(driver, target, options)?)?.targets().to_vec()
        } else {
            driver.initiator().discover(target)?
        };
    }
    Ok(Device::Multipath(paths))
}

/// The device paths of all portals but the main one, as they are recorded.
pub(crate) fn other_paths(device: &Device) -> Vec<String> {
    let others = device.targets().iter().skip(1);
    others.map(|target| target.device_path().display().to_string()).collect()
}

/// The paths that this host knows of a disk whose main portal is `target`, that one first.
pub(crate) fn recorded(target: &Target, recall: &RecordState) -> Vec<Target> {
    let mut paths = vec![target.clone()];
    if let RecordState::Known(VolumeRecord { device: Some(device), paths: others, .. }) = recall
        && Path::new(device) == target.device_path()
    {
        let parsed = others.iter().map(|path| Target::from_device_path(Path::new(path)));
        paths.extend(parsed.flatten());
    }
    paths
}

/// Ends the sessions to a disk, through however many portals.
pub(crate) fn log_out(initiator: &Initiator, paths: &[Target]) -> Result<Outcome, iscsi::Error> {
    match paths {
        [target] => initiator.log_out(target),
        paths => initiator.log_out_paths(paths),
    }
}
