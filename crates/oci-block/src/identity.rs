//! Whether a disk is the one that was seen before for a volume.

use std::path::Path;

use disk::{Disk, Identity};
use iscsi::Target;

use crate::{
    device::Device,
    refusal::Refusal,
    volume_record::{RecordState, VolumeRecord, VolumeRecords},
};

/// Compares the disk with what is remembered, of this volume and of all others.
///
/// A path can lead to another volume's disk: after a reboot, after a move, or because kubelet passes
/// the path of another node. What differs refuses. Returns what the disk shows.
pub(crate) fn prove_identity(
    volume: &str,
    disk: &Disk,
    recall: &RecordState,
    records: &VolumeRecords,
) -> Result<Identity, Refusal> {
    let now = disk.identity();
    if let RecordState::Known(before) = recall {
        let other = |what, before: Option<&String>, now: Option<&String>| {
            let text = |name: Option<&String>| name.map_or("unknown", String::as_str).to_owned();
            Err(other_disk(volume, disk, records, what, text(before), text(now)))
        };
        let (wwid, serial) = (before.wwid.as_ref(), before.serial.as_ref());
        if wwid.is_some() && wwid != now.wwid.as_ref() {
            return other("the world-wide identifier", wwid, now.wwid.as_ref());
        }
        // A serial number may show in one way of attaching and not in the other.
        if wwid.is_none() && serial.is_some() && serial != now.serial.as_ref() {
            return other("the serial number", serial, now.serial.as_ref());
        }
        if disk.size() < before.size {
            let (before, now) = (before.size.to_string(), disk.size().to_string());
            return other("the size in bytes", Some(&before), Some(&now));
        }
    }
    let others = records.others(volume);
    match others.into_iter().find(|(_, volume_record)| is_same(volume_record, &now)) {
        Some((other, _)) => Err(Refusal::OthersDisk {
            volume: volume.to_owned(),
            device: disk.path().to_owned(),
            record: records.path(&other),
            other,
        }),
        None => Ok(now),
    }
}

/// Compares the file system as [`prove_identity`] compares the disk: it is another name of it, of all disks that
/// do not show what tells them apart. A backup that is restored carries the UUID of its original.
pub(crate) fn prove_file_system(
    volume: &str,
    disk: &Disk,
    device: &Device,
    uuid: Option<&str>,
    recall: &RecordState,
    records: &VolumeRecords,
) -> Result<(), Refusal> {
    if let RecordState::Known(VolumeRecord { fs_uuid: Some(before), .. }) = recall {
        let now = uuid.unwrap_or("none");
        if before == now {
            return Ok(());
        }
        let (what, before) = ("the file system's UUID", before.clone());
        return Err(other_disk(volume, disk, records, what, before, now.to_owned()));
    }
    let Some(uuid) = uuid else { return Ok(()) };
    let is_copy = |it: &VolumeRecord| it.fs_uuid.as_deref() == Some(uuid);
    let mut others = records.others(volume).into_iter().filter(|(_, it)| is_copy(it));
    match others.find(|(_, it)| !is_another(it, disk, device)) {
        Some((other, _)) => Err(Refusal::OthersFileSystem {
            volume: volume.to_owned(),
            device: disk.path().to_owned(),
            uuid: uuid.to_owned(),
            record: records.path(&other),
            other,
        }),
        None => Ok(()),
    }
}

/// Whether the disk shows the name that was recorded: the best of those that are known of both.
pub(crate) fn is_same(before: &VolumeRecord, now: &Identity) -> bool {
    let names = [
        (&before.wwid, &now.wwid),
        (&before.serial, &now.serial),
        (&before.appearance, &now.appearance),
    ];
    let equal = names.into_iter().find_map(|(before, now)| Some(before.as_ref()? == now.as_ref()?));
    equal.unwrap_or(false)
}

/// Whether the disk shows that it is not the one that was recorded.
fn is_another(before: &VolumeRecord, disk: &Disk, device: &Device) -> bool {
    differs(before, &disk.identity(), disk.size(), device) || is_here_too(before, disk)
}

/// By the best lasting name that is known of both; else by the size, or the target that leads to it.
fn differs(before: &VolumeRecord, now: &Identity, size: u64, device: &Device) -> bool {
    let names = [(&before.wwid, &now.wwid), (&before.serial, &now.serial)];
    let equal = names.into_iter().find_map(|(before, now)| Some(before.as_ref()? == now.as_ref()?));
    equal.map_or_else(|| before.size != size || has_other_targets(before, device), |equal| !equal)
}

/// Whether neither of the two has a target of the other. An attachment's target is its own; a paravirtualized
/// disk has none, and its path is given to one volume after the other.
fn has_other_targets(before: &VolumeRecord, device: &Device) -> bool {
    let recorded = before.device.iter().chain(&before.paths);
    let recorded: Vec<_> = recorded.filter_map(|it| Device::parse(Path::new(it)).ok()).collect();
    let mut targets = recorded.iter().flat_map(Device::targets).peekable();
    let is_ours = |other: &Target| {
        let same = |it: &Target| (&it.iqn, it.lun) == (&other.iqn, other.lun);
        device.targets().iter().any(same)
    };
    !device.targets().is_empty() && targets.peek().is_some() && !targets.any(is_ours)
}

/// Whether the recorded disk is seen at its own path, and is another one than `disk`.
fn is_here_too(before: &VolumeRecord, disk: &Disk) -> bool {
    let path = before.device.as_ref().map(Path::new);
    let found = path.and_then(|path| Disk::open(path, disk.host()).ok());
    found.is_some_and(|it| it.number() != disk.number() && is_same(before, &it.identity()))
}

fn other_disk(
    volume: &str,
    disk: &Disk,
    records: &VolumeRecords,
    what: &'static str,
    before: String,
    now: String,
) -> Refusal {
    Refusal::OtherDisk {
        volume: volume.to_owned(),
        device: disk.path().to_owned(),
        what,
        before,
        now,
        record: records.path(volume),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: [&str; 3], now: [&str; 3], same: bool) {
        let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let [wwid, serial, appearance] = before.map(name);
        let volume_record = VolumeRecord { wwid, serial, appearance, ..VolumeRecord::default() };
        let [wwid, serial, appearance] = now.map(name);
        assert_eq!(is_same(&volume_record, &Identity { wwid, serial, appearance }), same);
    }

    #[test]
    fn the_best_name_that_is_known_of_both_decides() {
        check(["w", "s", "a"], ["w", "x", "b"], true);
        check(["w", "s", "a"], ["x", "s", "a"], false);
        check(["w", "s", "a"], ["", "s", "b"], true);
        check(["", "s", "a"], ["w", "t", "a"], false);
        check(["", "", "a"], ["w", "s", "a"], true);
        check(["", "", "a"], ["w", "s", "b"], false);
    }

    /// A copy of what was recorded as `w`, `s`, 320 bytes, at the target `one`.
    #[track_caller]
    fn check_copy(now: [&str; 2], size: u64, device: &str, is_another: bool) {
        let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let before = VolumeRecord {
            wwid: name("w"),
            serial: name("s"),
            size: 320,
            device: name(&target("one")),
            ..VolumeRecord::default()
        };
        let [wwid, serial] = now.map(name);
        let now = Identity { wwid, serial, appearance: None };
        let device = Device::parse(Path::new(device)).unwrap();
        assert_eq!(differs(&before, &now, size, &device), is_another);
    }

    fn target(name: &str) -> String {
        format!(
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.2015-12.com.oracleiaas:{name}-lun-1"
        )
    }

    #[test]
    fn a_copy_is_known_by_what_its_original_does_not_have() {
        let path = "/dev/oracleoci/oraclevdb";
        check_copy(["x", "s"], 320, path, true);
        check_copy(["w", "t"], 640, &target("two"), false);
        check_copy(["", "t"], 320, path, true);
        check_copy(["", "s"], 640, &target("two"), false);
        check_copy(["", ""], 320, path, false);
        check_copy(["", ""], 640, path, true);
        check_copy(["", ""], 320, &target("two"), true);
        check_copy(["", ""], 320, &target("one"), false);
    }

    #[test]
    fn without_a_common_name_nothing_is_the_same() {
        check(["", "", ""], ["", "", ""], false);
        check(["w", "", ""], ["", "s", "a"], false);
    }
}
