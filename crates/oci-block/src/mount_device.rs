//! mountdevice: the volume's file system is mounted at the global directory when the call has
//! ended well.

use std::path::Path;

use disk::{Access, Blank, Disk, Identity};
use mount::{FsType, Mounter, Request};

use crate::{
    OciBlock,
    device::Device,
    error::Error,
    growth::{self, Growth},
    headroom::Headroom,
    identity::{is_same, prove_file_system},
    lock::VolumeLock,
    origin::refuse_restored,
    paths::other_paths,
    plan::{Plan, Wanted, may_write, plan, random_uuid},
    refusal::Refusal,
    refused,
    staged_disk::StagedDisk,
    staging::Staging,
    volume::VolumeName,
    volume_options::VolumeOptions,
    volume_record::{RecordState, VolumeRecord, VolumeRecords},
    writable::make_writable,
};

/// Mounts; formats only a disk on which nothing is found.
///
/// The order is part of the safety (`docs/architecture.md`): lock, connect, pin, identity,
/// exclusive claim, contents, proof, intent, format, check, mount, look again.
pub(crate) fn mount_device(
    driver: &OciBlock,
    dir: &Path,
    device: &Path,
    options: &VolumeOptions<'_>,
) -> Result<(), Error> {
    options.attachment.refuse_second_writer()?;
    let volume = options.name.key()?;
    let lock = driver.staging.lock(volume, "mountdevice")?;
    let mounted = mount_locked(driver, dir, device, options, &lock);
    if mounted.as_ref().is_err_and(Error::is_lasting) {
        refused::take_back(&driver.staging, &driver.initiator(), volume, &lock, Some(dir));
    }
    mounted
}

fn mount_locked(
    driver: &OciBlock,
    dir: &Path,
    device: &Path,
    options: &VolumeOptions<'_>,
    lock: &VolumeLock,
) -> Result<(), Error> {
    let VolumeOptions { name, wanted, .. } = options;
    let volume = name.key()?;
    let StagedDisk { records, recall, device, disk, identity, mounter } =
        &StagedDisk::acquire(driver, device, options)?;
    let [wwid, serial] =
        [&identity.wwid, &identity.serial].map(|it| it.as_deref().unwrap_or_default());
    let path = disk.path().display();
    log::info!(volume, device:% = path, wwid, serial, size = disk.size(); "disk identified");
    let mounting = Mounting {
        staging: &driver.staging,
        name: *name,
        refuse_restored: &|| refuse_restored(driver, *name),
        volume,
        device,
        dir,
        wanted,
        lock,
        disk,
        identity,
        recall,
        records,
        mounter,
    };
    mounting.run()
}

/// One volume on its way to one directory.
struct Mounting<'a> {
    staging: &'a Staging,
    name: VolumeName<'a>,
    /// Refuses to format a volume that was made from something.
    refuse_restored: &'a dyn Fn() -> Result<(), Error>,
    volume: &'a str,
    device: &'a Device,
    dir: &'a Path,
    wanted: &'a Wanted,
    lock: &'a VolumeLock,
    disk: &'a Disk,
    identity: &'a Identity,
    recall: &'a RecordState,
    records: &'a VolumeRecords,
    mounter: &'a Mounter,
}

impl Mounting<'_> {
    fn run(&self) -> Result<(), Error> {
        // A claim would fail on what is mounted already, right or wrong.
        if let Some(entry) = self.mounter.at(self.dir)? {
            let Self { mounter, disk, dir, wanted, .. } = *self;
            self.lock.share_with_children()?;
            make_writable(mounter, disk, dir, &entry.fs_type, wanted)?;
            let other = wanted.fs.filter(|fs| !fs.mounts(&entry.fs_type));
            self.mount(other.map_or(&*entry.fs_type, |fs| fs.as_str()))?;
            if let RecordState::Known(VolumeRecord { growing: Some(_), .. }) = self.recall {
                self.grow();
            }
            return Ok(());
        }
        // An orphaned mkfs, fsck or mount keeps the volume locked until it has ended.
        self.lock.share_with_children()?;

        self.mounter.require_writable(self.disk, self.wanted.read_only)?;
        let access = if self.wanted.read_only { Access::Read } else { Access::Write };
        drop(self.disk.claim(access)?);
        // What cannot be mounted there in the end is not worth a format.
        self.mounter.prepare(self.dir)?;
        let contents = self.disk.contents(&*self.staging.runner)?;
        let plan = plan(self.disk.path(), contents, self.recall, self.wanted)?;
        // What cannot be mounted in the end is not worth a format.
        let fs_type = plan.mounted_as().unwrap_or(self.fs().as_str());
        self.wanted.options.require_known_to(fs_type).map_err(mount::Error::from)?;
        let (fs_type, room) = match plan {
            Plan::Mount { fs_type, uuid } => {
                let room = self.adopt(&fs_type, uuid)?;
                (fs_type, room)
            }
            Plan::Format => (self.format()?, Headroom::None),
            Plan::FinishFormat { uuid, found } => {
                (self.finish_format(uuid, found)?, Headroom::None)
            }
        };
        self.mount(&fs_type)?;
        if room == Headroom::Left {
            self.grow();
        }
        Ok(())
    }

    /// Gives the mounted file system the room that its disk has got since it was seen here. Without it the volume is as
    /// usable as before; who asks for the room itself calls expandfs, and is told.
    fn grow(&self) {
        let Self { volume, disk, mounter, records, .. } = *self;
        if self.wanted.read_only {
            return;
        }
        let stays = |why: &str| {
            log::warn!(
                "the disk of volume {volume} is larger than its file system, which is left as it is: {why}"
            );
        };
        if !self.wanted.grow {
            return stays("the option growOnMount is false");
        }
        match records.read(volume) {
            RecordState::Known(record) if record.grown_from.or(record.growing).is_some() => {
                let (clock, check) = (&*self.staging.clock, self.wanted.check_at_random());
                let growth = Growth { volume, disk, mounter, clock, check, records };
                growth.run(Some(record)).unwrap_or_else(|error| stays(&error.to_string()));
            }
            _ => stays("the disk was not seen here when it was smaller; expandfs makes it grow"),
        }
    }

    fn mount(&self, fs_type: &str) -> Result<(), Error> {
        let (disk, dir) = (self.disk, self.dir);
        let Wanted { options, read_only, .. } = self.wanted;
        let request = Request { disk, dir, fs_type, options, read_only: *read_only };
        self.mounter.mount(&request)?;
        Ok(())
    }

    /// Formats a disk of which nothing is known and on which nothing is found.
    fn format(&self) -> Result<String, Error> {
        let volume = || self.volume.to_owned();
        let record = self.records.path(self.volume);
        match self.recall {
            RecordState::Known(VolumeRecord { fs_uuid: Some(uuid), .. }) => {
                let uuid = uuid.clone();
                return Err(Refusal::ReadsBlank { volume: volume(), uuid, record }.into());
            }
            RecordState::Corrupt => {
                return Err(Refusal::RecordDamaged { volume: volume(), record }.into());
            }
            RecordState::Unreadable(why) => {
                let why = why.clone();
                return Err(Refusal::RecordUnreadable { volume: volume(), record, why }.into());
            }
            RecordState::Known(_) | RecordState::Absent => {}
        }
        (self.refuse_restored)()?;
        let (runner, clock) = (&*self.staging.runner, &*self.staging.clock);
        let blank = self.disk.prove_blank(runner, clock, self.wanted.check_at_random())?;
        if let Some(coverage) = blank.coverage() {
            log::info!(volume = self.volume, read:% = coverage; "nothing is found on the disk");
        }
        let uuid = random_uuid().map_err(Error::Uuid)?;
        self.make_file_system(blank, uuid)
    }

    /// Takes a file system as it is; whether its disk has room left.
    fn adopt(&self, fs_type: &str, uuid: Option<String>) -> Result<Headroom, Error> {
        let Self { volume, disk, recall, records, .. } = *self;
        prove_file_system(volume, disk, self.device, uuid.as_deref(), recall, records)?;
        self.refuse_journal_elsewhere(fs_type)?;
        let room = Headroom::on(disk, fs_type)?;
        if !self.wanted.read_only {
            self.mounter.check(disk, fs_type)?;
        }
        let (grown_from, growing) = match room {
            Headroom::Left => growth::notes(recall, self.identity, disk.size()),
            Headroom::None => (None, None),
        };
        let volume_record =
            VolumeRecord { fs_uuid: uuid, grown_from, growing, ..self.volume_record() };
        if !matches!(recall, RecordState::Known(before) if *before == volume_record) {
            // Without a record the volume is as usable; only less would be refused.
            self.remember(volume_record).unwrap_or_else(|error| log::warn!("{error}"));
        }
        Ok(room)
    }

    /// A check or a mount, even for reading, would write to a disk that is another volume's, by its superblock's word.
    fn refuse_journal_elsewhere(&self, fs_type: &str) -> Result<(), Error> {
        let superblock =
            if fs_type.starts_with("ext") { self.disk.ext_superblock()? } else { None };
        if superblock.is_some_and(|it| it.has_journal_elsewhere()) {
            let (device, fs_type) = (self.disk.path().to_owned(), fs_type.to_owned());
            return Err(Refusal::JournalElsewhere { device, fs_type }.into());
        }
        Ok(())
    }

    /// Takes over what a format of this driver has finished before it could be recorded, or formats again
    /// what an interrupted one has left, and nothing else.
    fn finish_format(&self, uuid: String, found: Option<String>) -> Result<String, Error> {
        let fs = self.fs();
        if self.mounter.is_complete(self.disk, fs, &uuid)? {
            self.remember(VolumeRecord { fs_uuid: Some(uuid), ..self.volume_record() })?;
            return Ok(fs.to_string());
        }
        match found {
            Some(fs_type) if !self.has_stayed() => self.adopt_used(fs_type, uuid),
            found => match (self.prove_unfinished(&uuid), found) {
                (Ok(unfinished), _) => self.make_file_system(unfinished, uuid),
                (Err(Error::Disk(error)), Some(fs_type)) if error.is_not_blank() => {
                    self.adopt_used(fs_type, uuid)
                }
                (Err(error), _) => Err(error),
            },
        }
    }

    /// Takes a file system that this driver has finished, and that has been used since.
    fn adopt_used(&self, fs_type: String, uuid: String) -> Result<String, Error> {
        if let Some(asked) = self.wanted.fs.filter(|asked| !asked.mounts(&fs_type)) {
            let (device, wanted) = (self.disk.path().to_owned(), asked.to_string());
            return Err(Refusal::OtherFileSystem { device, found: fs_type, wanted }.into());
        }
        self.adopt(&fs_type, Some(uuid))?;
        Ok(fs_type)
    }

    /// Whether the disk shows that it has been here, and nowhere else, since it was recorded.
    fn has_stayed(&self) -> bool {
        let RecordState::Known(before) = self.recall else { return false };
        before.appearance.is_some() && before.appearance == self.identity.appearance
    }

    /// What an interrupted format has left looks like foreign data, so the disk must show positively that it is
    /// the one, and that it has not been away since: elsewhere it may have been used. From one that has been away
    /// only zeros are taken.
    fn prove_unfinished(&self, uuid: &str) -> Result<Blank, Error> {
        let Self { disk, identity, .. } = *self;
        let unknown = || Refusal::FormatUnknown {
            volume: self.volume.to_owned(),
            device: disk.path().to_owned(),
            record: self.records.path(self.volume),
        };
        let RecordState::Known(before) = self.recall else { return Err(unknown().into()) };
        if !is_same(before, identity) || before.size != disk.size() {
            return Err(unknown().into());
        }
        may_write(disk.path(), self.wanted)?;
        let (runner, clock) = (&*self.staging.runner, &*self.staging.clock);
        if self.has_stayed() {
            return Ok(disk.prove_unfinished(runner, clock, uuid)?);
        }
        match disk.prove_blank(runner, clock, self.wanted.check_at_random()) {
            Err(error) if error.is_not_blank() => Err(unknown().into()),
            proof => Ok(proof?),
        }
    }

    fn make_file_system(&self, blank: Blank, uuid: String) -> Result<String, Error> {
        let fs = self.fs();
        self.mounter.require_mkfs(self.disk, fs)?;
        // Durable before the first byte is written, or else no format.
        self.remember(VolumeRecord { formatting: Some(uuid.clone()), ..self.volume_record() })?;
        let device = self.disk.path().display();
        log::info!(volume = self.volume, device:%, fs_type:% = fs, uuid:%; "formatting");
        self.mounter.format(blank, fs, &uuid)?;
        // From now on the volume may hold data, and must never read blank again.
        self.remember(VolumeRecord { fs_uuid: Some(uuid), ..self.volume_record() })?;
        Ok(fs.to_string())
    }

    fn fs(&self) -> FsType {
        self.wanted.fs.unwrap_or(FsType::Ext4)
    }

    fn volume_record(&self) -> VolumeRecord {
        let Identity { wwid, serial, appearance, .. } = self.identity.clone();
        VolumeRecord {
            device: Some(self.device.path().display().to_string()),
            paths: other_paths(self.device),
            wwid,
            serial,
            appearance,
            size: self.disk.size(),
            name: self.name.alias().map(str::to_owned),
            ..VolumeRecord::default()
        }
    }

    fn remember(&self, volume_record: VolumeRecord) -> Result<(), Refusal> {
        let path = self.records.path(self.volume);
        let written = self.records.write(self.volume, &volume_record);
        written.map_err(|source| Refusal::Record { path, source })
    }
}

#[cfg(test)]
mod tests;
