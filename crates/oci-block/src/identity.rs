//! Whether a disk is the one that was seen before for a volume.

use disk::{Disk, Identity};

use crate::{
    refusal::Refusal,
    witness::{Recall, Witness, Witnesses},
};

/// Compares the disk with what is remembered, of this volume and of all others.
///
/// A path can lead to another volume's disk: after a reboot, after a move, or because kubelet passes
/// the path of another node. What differs, or was known and no longer is, refuses. Where a format of
/// ours was interrupted, what is on the disk may be rubble, so there the disk must show positively
/// that it is the one.
pub(crate) fn prove_identity(
    volume: &str,
    disk: &Disk,
    recall: &Recall,
    witnesses: &Witnesses,
) -> Result<(), Refusal> {
    let now = disk.identity();
    let other_disk = |what, before: Option<&str>, now: Option<&str>| Refusal::OtherDisk {
        volume: volume.to_owned(),
        device: disk.path().to_owned(),
        what,
        before: before.unwrap_or("unknown").to_owned(),
        now: now.unwrap_or("unknown").to_owned(),
        record: witnesses.path(volume),
    };
    if let Recall::Seen(before) = recall {
        for (what, before, now) in [
            ("the world-wide identifier", &before.wwid, &now.wwid),
            ("the serial number", &before.serial, &now.serial),
        ] {
            if before.is_some() && before != now {
                return Err(other_disk(what, before.as_deref(), now.as_deref()));
            }
        }
        // A volume grows, but not while it is being formatted.
        let formatting = before.formatting.is_some();
        if disk.size() < before.size || (formatting && disk.size() != before.size) {
            let (before, now) = (before.size.to_string(), disk.size().to_string());
            return Err(other_disk("the size in bytes", Some(&before), Some(&now)));
        }
        if formatting && !is_same(before, &now) {
            return Err(Refusal::FormatUnknown {
                volume: volume.to_owned(),
                device: disk.path().to_owned(),
                record: witnesses.path(volume),
            });
        }
    }
    let others = witnesses.others(volume);
    match others.into_iter().find(|(_, witness)| is_same(witness, &now)) {
        Some((other, _)) => Err(Refusal::OthersDisk {
            volume: volume.to_owned(),
            device: disk.path().to_owned(),
            record: witnesses.path(&other),
            other,
        }),
        None => Ok(()),
    }
}

/// Whether the disk shows one name of those that were recorded.
fn is_same(before: &Witness, now: &Identity) -> bool {
    let same = |before: &Option<String>, now: &Option<String>| before.is_some() && before == now;
    same(&before.wwid, &now.wwid)
        || same(&before.serial, &now.serial)
        || same(&before.appearance, &now.appearance)
}
