//! Which volume is at a directory of kubelet's: unmountdevice is given nothing else.
//!
//! The directory is called as Kubernetes calls the volume, and so may be that of another one: a volume can have any
//! name if the option `volumeId` says which it is (an alias), also one that is another volume's own.

use std::path::Path;

use disk::{Disk, Identity};
use iscsi::{Initiator, Target};
use mount::{Entry, Mounter};

use crate::{
    error::Error,
    identity::is_same,
    sessions::Sessions,
    staging::Staging,
    volume::volume_key,
    volume_record::{VolumeRecord, VolumeRecords},
};

/// The key of the volume whose disk is mounted at `dir`. Where nothing is, or nothing is known of it, the volume that
/// has the directory's name as its own; and one that has it as an alias only if no other has a claim to it.
///
/// # Errors
/// The name can be no volume's, or the mount table or sysfs do not read.
pub(crate) fn volume_at(
    staging: &Staging,
    initiator: &Initiator,
    mounter: &Mounter,
    dir: &Path,
) -> Result<String, Error> {
    let unnamed = || Error::MountPoint { dir: dir.to_owned() };
    let name = dir.file_name().and_then(|name| name.to_str()).ok_or_else(unnamed)?;
    let own = volume_key(name).ok();
    let known = Known::on(staging);
    let mounted =
        mounter.at(dir)?.map(|entry| Mounted::of(staging, initiator, &entry)).transpose()?;
    if let Some(mounted) = &mounted {
        let holders: Vec<_> = known.holders(mounted).collect();
        let holder = holders.iter().find(|it| Some(it.volume.as_str()) == own);
        let holder = holder.or_else(|| holders.iter().find(|it| it.is_called(name)));
        if let Some(holder) = holder.or(holders.first()) {
            return Ok(holder.volume.clone());
        }
    }
    // What shows itself and is no known volume's is not that of an alias either.
    let is_strange = mounted.is_some_and(|it| it.shows_itself());
    let aliased: Vec<_> = known.volumes.iter().filter(|it| it.is_called(name)).collect();
    match (own, &*aliased) {
        (Some(own), _) if known.has(own) || is_strange => Ok(own.to_owned()),
        (_, [only]) if !is_strange => Ok(only.volume.clone()),
        (own, _) => own.map(str::to_owned).ok_or_else(unnamed),
    }
}

/// What shows of a mounted disk.
struct Mounted {
    targets: Vec<Target>,
    identity: Option<Identity>,
}

impl Mounted {
    fn of(staging: &Staging, initiator: &Initiator, entry: &Entry) -> Result<Self, Error> {
        let targets = initiator.targets_of(entry.number)?;
        let disk = Disk::open(Path::new(&entry.source), &staging.host).ok();
        // Its name may be another disk's by now.
        let disk = disk.filter(|disk| disk.number() == entry.number);
        Ok(Self { targets, identity: disk.map(|disk| disk.identity()) })
    }

    /// A disk that is gone shows nothing.
    fn shows_itself(&self) -> bool {
        !self.targets.is_empty() || self.identity.is_some()
    }
}

/// What this host knows of volumes.
struct Known {
    volumes: Vec<Volume>,
    records: VolumeRecords,
}

struct Volume {
    volume: String,
    record: Option<VolumeRecord>,
    /// Those of its sessions, by record and note.
    targets: Vec<Target>,
}

impl Known {
    fn on(staging: &Staging) -> Self {
        let records = VolumeRecords::new(&staging.state_dir);
        let sessions = Sessions::new(&staging.run_dir);
        let mut volumes: Vec<_> = records
            .others("")
            .into_iter()
            .map(|(volume, it)| Volume::recorded(volume, it))
            .collect();
        for volume in sessions.volumes() {
            let targets = sessions.targets(&volume);
            match volumes.iter_mut().find(|it| it.volume == volume) {
                Some(known) => known.targets.extend(targets),
                None => volumes.push(Volume { volume, record: None, targets }),
            }
        }
        Self { volumes, records }
    }

    /// Those that have the disk by what is known of them.
    fn holders<'a>(&'a self, mounted: &'a Mounted) -> impl Iterator<Item = &'a Volume> {
        self.volumes.iter().filter(|it| it.has(mounted))
    }

    /// Whether a volume of this key has ever been here.
    fn has(&self, volume: &str) -> bool {
        self.volumes.iter().any(|it| it.volume == volume) || self.records.has(volume)
    }
}

impl Volume {
    fn recorded(volume: String, record: VolumeRecord) -> Self {
        let paths = record.device.iter().chain(&record.paths);
        let targets = paths.flat_map(|path| Target::from_device_path(Path::new(path))).collect();
        Self { volume, record: Some(record), targets }
    }

    fn is_called(&self, name: &str) -> bool {
        self.record.as_ref().is_some_and(|record| record.is_called(name))
    }

    /// By its target, of which every attachment has its own, or by what the disk itself says.
    fn has(&self, mounted: &Mounted) -> bool {
        let same =
            |record: &VolumeRecord| mounted.identity.as_ref().is_some_and(|it| is_same(record, it));
        mounted.targets.iter().any(|target| self.targets.contains(target))
            || self.record.as_ref().is_some_and(same)
    }
}

#[cfg(test)]
mod tests;
