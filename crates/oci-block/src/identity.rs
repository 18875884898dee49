//! Whether a disk is the one that was seen before for a volume.

use disk::{Disk, Identity};

use crate::{
    refusal::Refusal,
    witness::{Recall, Witness, Witnesses},
};

/// Compares the disk with what is remembered, of this volume and of all others.
///
/// A path can lead to another volume's disk: after a reboot, after a move, or because kubelet passes
/// the path of another node. What differs refuses. Returns what the disk shows.
pub(crate) fn prove_identity(
    volume: &str,
    disk: &Disk,
    recall: &Recall,
    witnesses: &Witnesses,
) -> Result<Identity, Refusal> {
    let now = disk.identity();
    if let Recall::Seen(before) = recall {
        let other = |what, before: Option<&String>, now: Option<&String>| {
            let text = |name: Option<&String>| name.map_or("unknown", String::as_str).to_owned();
            Err(other_disk(volume, disk, witnesses, what, text(before), text(now)))
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
    let others = witnesses.others(volume);
    match others.into_iter().find(|(_, witness)| is_same(witness, &now)) {
        Some((other, _)) => Err(Refusal::OthersDisk {
            volume: volume.to_owned(),
            device: disk.path().to_owned(),
            record: witnesses.path(&other),
            other,
        }),
        None => Ok(now),
    }
}

/// Compares the file system as [`prove_identity`] compares the disk: it is another name of it.
pub(crate) fn prove_file_system(
    volume: &str,
    disk: &Disk,
    uuid: Option<&str>,
    recall: &Recall,
    witnesses: &Witnesses,
) -> Result<(), Refusal> {
    if let Recall::Seen(Witness { fs_uuid: Some(before), .. }) = recall {
        let now = uuid.unwrap_or("none");
        if before == now {
            return Ok(());
        }
        let (what, before) = ("the file system's UUID", before.clone());
        return Err(other_disk(volume, disk, witnesses, what, before, now.to_owned()));
    }
    let Some(uuid) = uuid else { return Ok(()) };
    let mut others = witnesses.others(volume).into_iter();
    match others.find(|(_, it)| it.fs_uuid.as_deref() == Some(uuid)) {
        Some((other, _)) => Err(Refusal::OthersFileSystem {
            volume: volume.to_owned(),
            device: disk.path().to_owned(),
            uuid: uuid.to_owned(),
            record: witnesses.path(&other),
            other,
        }),
        None => Ok(()),
    }
}

/// Whether the disk shows the name that was recorded: the best of those that are known of both.
pub(crate) fn is_same(before: &Witness, now: &Identity) -> bool {
    let names = [
        (&before.wwid, &now.wwid),
        (&before.serial, &now.serial),
        (&before.appearance, &now.appearance),
    ];
    let equal = names.into_iter().find_map(|(before, now)| Some(before.as_ref()? == now.as_ref()?));
    equal.unwrap_or(false)
}

fn other_disk(
    volume: &str,
    disk: &Disk,
    witnesses: &Witnesses,
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
        record: witnesses.path(volume),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: [&str; 3], now: [&str; 3], same: bool) {
        let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let [wwid, serial, appearance] = before.map(name);
        let witness = Witness { wwid, serial, appearance, ..Witness::default() };
        let [wwid, serial, appearance] = now.map(name);
        assert_eq!(is_same(&witness, &Identity { wwid, serial, appearance }), same);
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

    #[test]
    fn without_a_common_name_nothing_is_the_same() {
        check(["", "", ""], ["", "", ""], false);
        check(["w", "", ""], ["", "s", "a"], false);
    }
}
