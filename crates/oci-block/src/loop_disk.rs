//! A real disk for tests of this crate: a sparse file behind a loop device, gone when the test ends.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use command::{Command, Runner as _, SystemRunner};
use disk::{Disk, Host};
use tempfile::TempDir;

/// A blank disk of [`SIZE`] bytes, and a folder beside its file.
#[derive(Debug)]
pub(crate) struct LoopDisk {
    pub(crate) disk: Disk,
    pub(crate) dir: TempDir,
}

impl LoopDisk {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        File::create(&image).unwrap().set_len(SIZE).unwrap();
        let device = run(Command::new("losetup", LIMIT).args(["--find", "--show"]).arg(image));
        let disk = Disk::open(Path::new(device.trim()), &Host::default()).unwrap();
        Self { disk, dir }
    }

    /// The path of the device.
    pub(crate) fn device(&self) -> &str {
        self.disk.path().to_str().unwrap()
    }

    /// What the disk holds.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(self.dir.path().join("image")).unwrap()
    }

    pub(crate) fn mount_point(&self) -> PathBuf {
        self.dir.path().join("mount")
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        run(Command::new("umount", LIMIT).args(["--lazy", "--quiet"]).arg(self.mount_point()));
        run(Command::new("losetup", LIMIT).arg("--detach").arg(self.disk.path()));
    }
}

/// The programs of this host.
pub(crate) fn host_programs() -> SystemRunner {
    SystemRunner { search_path: OsString::from(TOOLS) }
}

fn run(command: Command) -> String {
    host_programs().run(&command).unwrap().stdout
}

pub(crate) const SIZE: u64 = 320 << 20;
const LIMIT: Duration = Duration::from_secs(60);
const TOOLS: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
