//! mountdevice: the volume's file system is mounted at the global directory when the call has
//! ended well.

use std::{fs, io, path::Path};

use disk::{Access, Blank, Disk};
use flexvolume::Options;
use mount::{FsType, Mounter, Request};

use crate::{
    OciBlock,
    device::Device,
    error::Error,
    lock::VolumeLock,
    plan::{Plan, Wanted, plan},
    volume::volume_key,
    wait_for_attach::named_device,
    witness::{Recall, Witness, Witnesses},
};

/// Mounts; formats only a disk that is proven blank.
///
/// The order is part of the safety (`docs/architecture.md`): lock, disk in hand, pin, identity,
/// exclusive claim, contents, proof, intent, format, check, mount, look again.
pub(crate) fn mount_device(
    driver: &OciBlock,
    dir: &Path,
    device: &Path,
    options: &Options,
) -> Result<(), Error> {
    let volume = volume_key(options.volume_name()?)?;
    let wanted = Wanted::from_options(options)?;
    let device = named_device(driver, device, volume)?;
    let lock = driver.lock(volume, "mountdevice")?;
    let path = driver.disk_path(&device)?;
    let disk = Disk::open(&path, &driver.host)?;
    let witnesses = Witnesses::new(&driver.settings.state_dir);
    let mounter = driver.mounter();
    let mounting = Mounting {
        driver,
        volume,
        device: &device,
        dir,
        wanted: &wanted,
        lock: &lock,
        disk: &disk,
        witnesses: &witnesses,
        mounter: &mounter,
    };
    mounting.run()
}

/// One volume on its way to one directory.
struct Mounting<'a> {
    driver: &'a OciBlock,
    volume: &'a str,
    device: &'a Device,
    dir: &'a Path,
    wanted: &'a Wanted,
    lock: &'a VolumeLock,
    disk: &'a Disk,
    witnesses: &'a Witnesses,
    mounter: &'a Mounter,
}

impl Mounting<'_> {
    fn run(&self) -> Result<(), Error> {
        let recall = self.witnesses.read(self.volume).map_err(|it| self.record_error(it))?;
        self.prove_identity(&recall)?;
        // A claim would fail on what is mounted already, right or wrong.
        if let Some(entry) = self.mounter.at(self.dir)? {
            return self.mount(self.wanted.fs.map_or(&*entry.fs_type, |fs| fs.as_str()));
        }
        // An orphaned mkfs, fsck or mount keeps the volume locked until it has ended.
        self.lock.share_with_children()?;

        let access = if self.wanted.read_only { Access::Read } else { Access::Write };
        drop(self.disk.claim(access)?);
        let contents = self.disk.contents(&*self.driver.runner)?;
        let (fs_type, uuid) = match plan(self.disk.path(), contents, &recall, self.wanted)? {
            Plan::Mount { fs_type, uuid } => {
                self.prove_same_file_system(&recall, uuid.as_deref())?;
                if !self.wanted.read_only {
                    self.mounter.check(self.disk, &fs_type)?;
                }
                (fs_type, uuid)
            }
            Plan::Format => self.format(&recall)?,
            Plan::FinishFormat { uuid } => self.finish_format(uuid)?,
        };
        // Before the mount: from now on this volume may hold data and must never read blank again.
        self.remember(Witness { fs_uuid: uuid, ..self.witness() })?;
        self.mount(&fs_type)
    }

    fn mount(&self, fs_type: &str) -> Result<(), Error> {
        let (disk, dir) = (self.disk, self.dir);
        let Wanted { options, read_only, .. } = self.wanted;
        let request = Request { disk, dir, fs_type, options, read_only: *read_only };
        self.mounter.mount(&request)?;
        Ok(())
    }

    /// Formats a disk of which nothing is known and on which nothing is found.
    fn format(&self, recall: &Recall) -> Result<(String, Option<String>), Error> {
        let volume = || self.volume.to_owned();
        let record = self.witnesses.path(self.volume);
        match recall {
            Recall::Seen(Witness { fs_uuid: Some(uuid), .. }) => {
                let uuid = uuid.clone();
                return Err(Error::ReadsBlank { volume: volume(), uuid, record });
            }
            Recall::Damaged => return Err(Error::RecordDamaged { volume: volume(), record }),
            Recall::Seen(_) | Recall::Nothing => {}
        }
        let (runner, clock) = (&*self.driver.runner, &*self.driver.clock);
        let blank = self.disk.prove_blank(runner, clock, self.wanted.check)?;
        let uuid = new_uuid().map_err(|it| self.record_error(it))?;
        self.make_file_system(blank, uuid)
    }

    /// Takes over what a format of ours has finished before it could be recorded, or formats again
    /// what an interrupted one has left, and nothing else.
    fn finish_format(&self, uuid: String) -> Result<(String, Option<String>), Error> {
        let fs = self.fs();
        if self.mounter.is_complete(self.disk, fs, &uuid)? {
            return Ok((fs.to_string(), Some(uuid)));
        }
        let (runner, clock) = (&*self.driver.runner, &*self.driver.clock);
        let unfinished = self.disk.prove_unfinished(runner, clock, &uuid)?;
        self.make_file_system(unfinished, uuid)
    }

    fn make_file_system(
        &self,
        blank: Blank,
        uuid: String,
    ) -> Result<(String, Option<String>), Error> {
        let fs = self.fs();
        // Durable before the first byte is written, or else no format.
        self.remember(Witness { formatting: Some(uuid.clone()), ..self.witness() })?;
        log::info!("formatting {} of volume {} as {fs}", self.disk.path().display(), self.volume);
        self.mounter.format(blank, fs, &uuid)?;
        Ok((fs.to_string(), Some(uuid)))
    }

    fn fs(&self) -> FsType {
        self.wanted.fs.unwrap_or(FsType::Ext4)
    }

    /// The disk that a device path leads to may be another volume's.
    fn prove_identity(&self, recall: &Recall) -> Result<(), Error> {
        let Recall::Seen(before) = recall else { return Ok(()) };
        let now = self.disk.identity().wwid;
        match (&before.wwid, &now) {
            (Some(before), Some(now)) if before != now => {
                Err(self.other_disk("the world-wide identifier", before, now))
            }
            // A volume grows, but not while it is being formatted.
            _ if self.disk.size() < before.size
                || (before.formatting.is_some() && self.disk.size() != before.size) =>
            {
                let (before, now) = (before.size.to_string(), self.disk.size().to_string());
                Err(self.other_disk("the size in bytes", &before, &now))
            }
            _ => Ok(()),
        }
    }

    fn prove_same_file_system(&self, recall: &Recall, uuid: Option<&str>) -> Result<(), Error> {
        if let Recall::Seen(Witness { fs_uuid: Some(before), .. }) = recall {
            let now = uuid.unwrap_or("none");
            if before != now {
                return Err(self.other_disk("the file system's UUID", before, now));
            }
            return Ok(());
        }
        let Some(uuid) = uuid else { return Ok(()) };
        let others = self.witnesses.others(self.volume).map_err(|it| self.record_error(it))?;
        match others.into_iter().find(|(_, it)| it.fs_uuid.as_deref() == Some(uuid)) {
            Some((other, _)) => Err(Error::OthersFileSystem {
                volume: self.volume.to_owned(),
                device: self.disk.path().to_owned(),
                uuid: uuid.to_owned(),
                record: self.witnesses.path(&other),
                other,
            }),
            None => Ok(()),
        }
    }

    fn other_disk(&self, what: &'static str, before: &str, now: &str) -> Error {
        Error::OtherDisk {
            volume: self.volume.to_owned(),
            device: self.disk.path().to_owned(),
            what,
            before: before.to_owned(),
            now: now.to_owned(),
            record: self.witnesses.path(self.volume),
        }
    }

    fn witness(&self) -> Witness {
        Witness {
            device: Some(self.device.path().display().to_string()),
            wwid: self.disk.identity().wwid,
            size: self.disk.size(),
            ..Witness::default()
        }
    }

    fn remember(&self, witness: Witness) -> Result<(), Error> {
        self.witnesses.write(self.volume, &witness).map_err(|it| self.record_error(it))
    }

    fn record_error(&self, source: io::Error) -> Error {
        Error::Record { path: self.witnesses.path(self.volume), source }
    }
}

/// The kernel makes random UUIDs (random(4)).
fn new_uuid() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned())
}
