//! A disk that is a sparse file behind a loop device, and a folder to mount it at.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use clock::ManualClock;
use command::Runner;
use disk::{Blank, BlankCheck, Disk, Host};
use mount::{MountOptions, Mounter, Outcome, Request};
use tempfile::TempDir;

use crate::tool::{run, runner, try_run};

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) struct LoopDisk {
    dir: TempDir,
    image: PathBuf,
    device: PathBuf,
}

impl LoopDisk {
    /// `size` bytes of zeros.
    pub(crate) fn new(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        File::create(&image).unwrap().set_len(size).unwrap();
        Self::over(dir, image, "")
    }

    /// A new disk with the file system that `mkfs` makes.
    pub(crate) fn formatted(size: u64, mkfs: &str) -> Self {
        let disk = Self::new(size);
        run(&format!("{mkfs} {}", disk.device.display()));
        disk
    }

    pub(crate) fn ext4() -> Self {
        Self::formatted(24 * MIB, "mke2fs -q -t ext4")
    }

    pub(crate) fn xfs() -> Self {
        Self::formatted(300 * MIB, "mkfs.xfs -q")
    }

    /// A copy of this disk as it is, even while it is mounted; `options` are losetup's.
    pub(crate) fn copy(&self, options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        run("sync");
        run(&format!("cp --sparse=always {} {}", self.image.display(), image.display()));
        Self::over(dir, image, options)
    }

    /// A disk over `image`, which lives somewhere in `dir`.
    pub(crate) fn over(dir: TempDir, image: PathBuf, options: &str) -> Self {
        let device = run(&format!("losetup --find --show {options} {}", image.display()));
        fs::create_dir(dir.path().join("mnt")).unwrap();
        Self { dir, image, device: device.trim().into() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.device
    }

    pub(crate) fn image(&self) -> &Path {
        &self.image
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// An empty folder.
    pub(crate) fn mnt(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }

    pub(crate) fn open(&self) -> Disk {
        Disk::open(&self.device, &Host::default()).unwrap()
    }

    pub(crate) fn blank(&self) -> Blank {
        let clock = ManualClock::default();
        self.open().prove_blank(&runner(), &clock, BlankCheck::default()).unwrap()
    }

    /// Writes through the device.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) {
        let file = File::options().write(true).open(&self.device).unwrap();
        file.write_all_at(bytes, offset).unwrap();
        file.sync_all().unwrap();
    }

    /// Damages an ext file system as debugfs(8) does with these commands.
    pub(crate) fn debugfs(&self, commands: &str) {
        let file = self.dir().join("commands");
        fs::write(&file, commands).unwrap();
        run(&format!("debugfs -w -f {} {}", file.display(), self.device.display()));
    }

    /// Whether the file behind the disk has nothing but holes.
    pub(crate) fn is_untouched(&self) -> bool {
        run("sync");
        let blocks = run(&format!("stat --format %b {}", self.image.display()));
        blocks.trim() == "0"
    }

    /// Whether every byte is zero.
    pub(crate) fn is_zero(&self) -> bool {
        let size = self.open().size();
        let image = self.image.display();
        try_run(&format!("cmp --bytes {size} {image} /dev/zero")).0 == Some(0)
    }

    /// Mounts with everything as usual.
    pub(crate) fn mount(&self, fs_type: &str) -> Result<Outcome, mount::Error> {
        self.mount_with(&mounter(), &self.mnt(), fs_type, "", false)
    }

    pub(crate) fn mount_with(
        &self,
        mounter: &Mounter,
        dir: &Path,
        fs_type: &str,
        options: &str,
        read_only: bool,
    ) -> Result<Outcome, mount::Error> {
        let options: MountOptions = options.parse().unwrap();
        let disk = &self.open();
        mounter.mount(&Request { disk, dir, fs_type, options: &options, read_only })
    }

    /// A message with the names of device and folder made constant.
    pub(crate) fn anonymous(&self, message: &impl ToString) -> String {
        let text = message.to_string().replace(self.dir.path().to_str().unwrap(), "DIR");
        // Not the beginning of another disk's name: /dev/loop1 and /dev/loop16.
        let name = self.device.to_str().unwrap();
        let mut parts = text.split(name);
        let first = parts.next().unwrap().to_owned();
        let text = parts.fold(first, |text, part| {
            let is_other = part.starts_with(|c: char| c.is_ascii_digit());
            text + if is_other { name } else { "DISK" } + part
        });
        text.replace(&format!("({}, ", self.open().number()), "(NUMBER, ")
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let _ = try_run(&format!("losetup --detach {}", self.device.display()));
    }
}

/// With the programs of the host.
pub(crate) fn mounter() -> Mounter {
    with_runner(runner())
}

/// With other programs.
pub(crate) fn with_runner(runner: impl Runner + 'static) -> Mounter {
    Mounter::new(Arc::new(runner), Arc::new(ManualClock::default()), Host::default())
}
