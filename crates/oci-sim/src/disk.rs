//! Real disks for paravirtualized attachments: loop devices that come with ATTACHED and go with DETACHED.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, major, minor};

use crate::error::Error;
use crate::process::{Program, demand_root};
use crate::state::{Attachment, Instance, Volume};

/// The backing files of all volumes, and the disks that are plugged in now.
#[derive(Debug)]
pub(crate) struct Disks {
    folder: PathBuf,
    plugged: Vec<Plugged>,
    violations: Vec<String>,
}

/// A loop device that a node sees through a link.
#[derive(Debug)]
struct Plugged {
    attachment: String,
    volume: String,
    node: String,
    device: PathBuf,
    link: PathBuf,
    is_reported: bool,
}

impl Disks {
    /// Disks with their backing files in this folder. Loop devices that an earlier run left on files there are removed.
    ///
    /// # Errors
    /// Not root, no `losetup`, or the folder cannot be made.
    pub(crate) fn new(folder: &Path) -> Result<Self, Error> {
        demand_root("making disks appear")?;
        let error = |source| Error::File { action: "create", path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(error)?;
        let folder = folder.canonicalize().map_err(error)?;
        for line in
            LOSETUP.run(["--list", "--noheadings", "--raw", "--output", "NAME,BACK-FILE"])?.lines()
        {
            if let Some((device, file)) = line.split_once(' ')
                && Path::new(file).starts_with(&folder)
            {
                LOSETUP.run(["--detach", device])?;
            }
        }
        Ok(Self { folder, plugged: Vec::new(), violations: Vec::new() })
    }

    /// What went wrong with disks; empty if all is well.
    pub(crate) fn violations(&self) -> &[String] {
        &self.violations
    }

    /// The volume's disk appears at the node. Other kinds of attachments have no disk here.
    pub(crate) fn plug(&mut self, attachment: &Attachment, node: &Instance, volume: &Volume) {
        if attachment.attachment_type != "paravirtualized"
            || self.plugged.iter().any(|it| it.attachment == attachment.id)
        {
            return;
        }
        match self.show(attachment, node, volume) {
            Ok(plugged) => self.plugged.push(plugged),
            Err(error) => self.violations.push(format!(
                "the disk of volume {} could not be shown to node {}: {error}",
                volume.id, node.display_name
            )),
        }
    }

    /// The disk is about to go: is it in use?
    pub(crate) fn note_use(&mut self, attachment: &Attachment) {
        for disk in self.plugged.iter_mut().filter(|it| it.attachment == attachment.id) {
            if let (false, Some(user)) = (disk.is_reported, user(&disk.device)) {
                disk.is_reported = true;
                self.violations.push(format!(
                    "volume {} was detached from node {} while its disk was in use: {user}",
                    disk.volume, disk.node
                ));
            }
        }
    }

    /// The disk disappears, in use or not.
    pub(crate) fn unplug(&mut self, attachment: &Attachment) {
        self.note_use(attachment);
        let is_it = |disk: &mut Plugged| disk.attachment == attachment.id;
        for disk in self.plugged.extract_if(.., is_it) {
            if let Err(error) = disk.remove() {
                self.violations.push(error.to_string());
            }
        }
    }

    /// The volume may have become larger: so do its file and its disks.
    pub(crate) fn grow(&mut self, volume: &Volume) {
        let mut here = self.plugged.iter().filter(|disk| disk.volume == volume.id);
        let grown = here.try_for_each(|disk| {
            self.backing_file(volume)?;
            LOSETUP.run([Path::new("--set-capacity"), &disk.device]).map(drop)
        });
        if let Err(error) = grown {
            self.violations.push(error.to_string());
        }
    }

    /// The volume's data are gone.
    pub(crate) fn delete(&mut self, volume: &Volume) {
        // a volume that was never attached has no file
        let _ = fs::remove_file(self.folder.join(format!("{}.img", volume.id)));
    }

    fn show(
        &self,
        attachment: &Attachment,
        node: &Instance,
        volume: &Volume,
    ) -> Result<Plugged, Error> {
        let file = self.backing_file(volume)?;
        let name = attachment.device.as_deref().unwrap_or_default();
        let name = Path::new(name).file_name().unwrap_or_default();
        let devices = node.device_folder.clone();
        let devices =
            devices.unwrap_or_else(|| self.folder.join("devices").join(&node.display_name));
        let error = |source| Error::File { action: "create", path: devices.clone(), source };
        fs::create_dir_all(&devices).map_err(error)?;
        let mut args = vec!["--find".into(), "--show".into(), "--direct-io=off".into()];
        args.extend(attachment.is_read_only.then(|| "--read-only".into()));
        args.push(file.into_os_string());
        let disk = Plugged {
            attachment: attachment.id.clone(),
            volume: volume.id.clone(),
            node: node.display_name.clone(),
            device: LOSETUP.run(args)?.into(),
            link: devices.join(name),
            is_reported: false,
        };
        // a link that an earlier run left behind
        let _ = fs::remove_file(&disk.link);
        match symlink(&disk.device, &disk.link) {
            Ok(()) => Ok(disk),
            Err(source) => {
                let path = disk.link.clone();
                disk.remove()?;
                Err(Error::File { action: "create", path, source })
            }
        }
    }

    /// The volume's sparse file, at least as large as its disk.
    fn backing_file(&self, volume: &Volume) -> Result<PathBuf, Error> {
        let path = self.folder.join(format!("{}.img", volume.id));
        let error = |source| Error::File { action: "enlarge", path: path.clone(), source };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(error)?;
        if file.metadata().map_err(error)?.len() < volume.disk_bytes {
            file.set_len(volume.disk_bytes).map_err(error)?;
        }
        Ok(path)
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        for disk in self.plugged.drain(..) {
            // the kernel keeps a device that is in use until its last user is gone
            let _ = disk.remove();
        }
    }
}

impl Plugged {
    fn remove(&self) -> Result<(), Error> {
        let link = fs::remove_file(&self.link);
        LOSETUP.run([Path::new("--detach"), &self.device])?;
        match link {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::File { action: "remove", path: self.link.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

/// What uses the block device, if anything does. An exclusive open fails while it is mounted anywhere, in whatever
/// namespace, and while something is being made of it (open(2), `O_EXCL` on block devices).
fn user(device: &Path) -> Option<String> {
    let exclusive = i32::try_from(OFlags::EXCL.bits()).unwrap_or_default();
    let busy = |error: &io::Error| error.kind() == io::ErrorKind::ResourceBusy;
    OpenOptions::new().read(true).custom_flags(exclusive).open(device).err().filter(busy)?;
    let number = fs::metadata(device).ok()?.rdev();
    let number = format!("{}:{}", major(number), minor(number));
    let mounts = mount_points(&number);
    Some(if mounts.is_empty() {
        "a process has it open exclusively".into()
    } else {
        format!("mounted at {}", mounts.join(" and "))
    })
}

/// Where a device is mounted, in the namespaces of all processes.
fn mount_points(number: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let tables = processes.filter_map(|it| fs::read_to_string(it.path().join("mountinfo")).ok());
    let mut points: Vec<String> = tables
        .flat_map(|table| {
            let rows = table.lines().filter_map(|row| {
                let fields: Vec<&str> = row.split(' ').collect();
                (fields.get(2) == Some(&number))
                    .then(|| (*fields.get(4).unwrap_or(&"?")).to_owned())
            });
            rows.collect::<Vec<String>>()
        })
        .collect();
    points.sort();
    points.dedup();
    points
}

const LOSETUP: Program = Program { name: "losetup", package: "mount" };
