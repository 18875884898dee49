//! A disk that is a sparse file behind a loop device, gone when the test ends.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use disk::{Disk, Host};
use rustix::fs::SeekFrom;
use tempfile::TempDir;

use crate::tool::{run, try_run};

pub(crate) struct LoopDisk {
    dir: TempDir,
    device: PathBuf,
}

impl LoopDisk {
    /// `size` bytes of zeros.
    pub(crate) fn new(size: u64) -> Self {
        Self::with(size, "")
    }

    /// As `new`, with options for losetup.
    pub(crate) fn with(size: u64, options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        File::create(&image).unwrap().set_len(size).unwrap();
        let device = run(&format!("losetup --find --show {options} {}", image.display()));
        let disk = Self { dir, device: device.trim().into() };
        // partitions survive the file that had them
        let _ = try_run(&format!("partx --delete {}", disk.device.display()));
        disk
    }

    /// A new disk with this file system, made by `mkfs`.
    pub(crate) fn formatted(size: u64, mkfs: &str) -> Self {
        let disk = Self::new(size);
        run(&format!("{mkfs} {}", disk.device.display()));
        disk
    }

    pub(crate) fn path(&self) -> &Path {
        &self.device
    }

    pub(crate) fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn open(&self) -> Disk {
        Disk::open(&self.device, &Host::default()).unwrap()
    }

    /// Writes through the device.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) {
        let file = File::options().write(true).open(&self.device).unwrap();
        file.write_all_at(bytes, offset).unwrap();
        file.sync_all().unwrap();
    }

    pub(crate) fn zero(&self, offset: u64, length: usize) {
        self.write(offset, &vec![0; length]);
    }

    /// Cuts the file short below the device: reads behind `size` fail.
    pub(crate) fn truncate(&self, size: u64) {
        File::options().write(true).open(self.image()).unwrap().set_len(size).unwrap();
    }

    /// A hash of every block that is not zero, and of its place; holes of the file are skipped.
    pub(crate) fn fingerprint(&self) -> u64 {
        let file = File::open(self.image()).unwrap();
        let mut hash = DefaultHasher::new();
        let mut block = vec![0; 64 << 10];
        let mut offset = 0;
        while let Ok(data) = rustix::fs::seek(&file, SeekFrom::Data(offset)) {
            offset = data - data % block.len() as u64;
            let length = file.read_at(&mut block, offset).unwrap();
            if block[..length].iter().any(|byte| *byte != 0) {
                (offset, &block[..length]).hash(&mut hash);
            }
            offset += block.len() as u64;
        }
        hash.finish()
    }

    /// Writes that the kernel has sent to the device so far.
    pub(crate) fn writes(&self) -> u64 {
        let name = self.device.file_name().unwrap().to_str().unwrap();
        let stat = fs::read_to_string(format!("/sys/block/{name}/stat")).unwrap();
        stat.split_whitespace().nth(4).unwrap().parse().unwrap()
    }

    /// A message with the device's name made constant.
    pub(crate) fn anonymous(&self, message: &impl ToString) -> String {
        message.to_string().replace(self.device.to_str().unwrap(), "DISK")
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let device = self.device.display();
        let _ = try_run(&format!("partx --delete {device}"));
        let _ = try_run(&format!("losetup --detach {device}"));
    }
}
