//! Blank disks get just the file system that was asked for, and no other disk gets any.

use std::{
    fs::File,
    sync::{Arc, LazyLock},
    time::Duration,
};

use clock::ManualClock;
use command::{Command, Output, Runner, testing::Recorder};
use disk::{Contents, Host};
use mount::{FsType, Mounter};

use crate::{
    loop_disk::{LoopDisk, MIB, mounter, with_runner},
    namespace::private,
    tool::{run, runner},
};

/// Of this process: XFS does not mount a UUID twice, and the suite may run twice at a time.
static UUID: LazyLock<String> =
    LazyLock::new(|| format!("{:08x}-2222-3333-4444-555555555555", std::process::id()));

#[track_caller]
fn check(fs: FsType, size: u64, expected: &[&str]) {
    let disk = LoopDisk::new(size);
    let recorder = Arc::new(Recorder::new(Arc::new(runner())));
    let runner: Arc<dyn Runner> = Arc::<Recorder>::clone(&recorder);
    let mounter = Mounter::new(runner, Arc::new(ManualClock::default()), Host::default());
    mounter.format(disk.blank(), fs, &UUID).unwrap();
    let lines: Vec<_> = recorder.take().iter().map(|line| disk.anonymous(line)).collect();
    assert_eq!(lines, expected);

    let (fs_type, uuid) = (fs.to_string(), Some(UUID.to_owned()));
    let contents = disk.open().contents(&crate::tool::runner()).unwrap();
    assert_eq!(contents, Contents::Filesystem { fs_type, uuid });
    assert!(mounter.is_complete(&disk.open(), fs, &UUID).unwrap());
    assert!(!mounter.is_complete(&disk.open(), fs, &UUID.replace('5', "6")).unwrap());

    disk.mount(fs.as_str()).unwrap();
    std::fs::write(disk.mnt().join("file"), "text").unwrap();
    assert_eq!(mounter.unmount(&disk.mnt()).unwrap().device, Some(disk.open().number()));
}

/// What is run for every file system of the ext family.
fn ext(program: &str) -> Vec<String> {
    [
        &format!("{program} -V"),
        &format!("{program} -q -U {} DISK", *UUID),
        "blkid -p -o export DISK",
        "e2fsck -fn DISK",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn ext4() {
    private(|| {
        let lines = ext("mkfs.ext4");
        check(FsType::Ext4, 64 * MIB + 512, &lines.iter().map(|l| &**l).collect::<Vec<_>>());
    });
}

#[test]
fn ext3() {
    private(|| {
        let lines = ext("mkfs.ext3");
        check(FsType::Ext3, 64 * MIB, &lines.iter().map(|l| &**l).collect::<Vec<_>>());
    });
}

#[test]
fn xfs() {
    private(|| {
        check(
            FsType::Xfs,
            300 * MIB,
            &[
                &format!("mkfs.xfs -q -m uuid={} DISK", *UUID),
                "blkid -p -o export DISK",
                "xfs_repair -n DISK",
            ],
        );
    });
}

#[test]
fn only_a_uuid_is_taken_as_one() {
    private(|| {
        let disk = LoopDisk::new(64 * MIB);
        for uuid in ["", "random", "clear", "-F", "11111111-2222-3333-4444-55555555555x"] {
            let error = mounter().format(disk.blank(), FsType::Ext4, uuid).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{uuid:?} is not a UUID like 01234567-89ab-cdef-0123-456789abcdef")
            );
        }
        assert!(disk.is_untouched());
    });
}

#[test]
fn a_disk_that_changed_since_the_proof_is_not_formatted() {
    private(|| {
        let disk = LoopDisk::new(64 * MIB);
        let blank = disk.blank();
        File::options().write(true).open(disk.image()).unwrap().set_len(65 * MIB).unwrap();
        run(&format!("losetup --set-capacity {}", disk.path().display()));
        let error = mounter().format(blank, FsType::Ext4, &UUID).unwrap_err();
        assert_eq!(
            disk.anonymous(&error),
            "DISK changed under the call: 67108864 bytes before, 68157440 bytes now"
        );
        assert!(disk.is_untouched());
    });
}

#[test]
fn a_locked_disk_is_not_formatted() {
    private(|| {
        let disk = LoopDisk::new(64 * MIB);
        let node = File::open(disk.path()).unwrap();
        node.lock().unwrap();
        let clock = Arc::new(ManualClock::default());
        let mounter = Mounter::new(Arc::new(runner()), clock.clone(), Host::default());
        let error = mounter.format(disk.blank(), FsType::Ext4, &UUID).unwrap_err();
        assert_eq!(disk.anonymous(&error), "DISK is locked by another process, perhaps udev");
        assert_eq!(clock.slept().iter().sum::<Duration>(), Duration::from_secs(10));
        assert!(disk.is_untouched());
        // the proof was consumed, and with it the claim
        disk.open().claim(disk::Access::Write).unwrap();
    });
}

/// The host's programs, except that mkfs ends with this code and does nothing.
#[derive(Debug)]
struct IdleMkfs(i32);

impl Runner for IdleMkfs {
    fn run(&self, command: &Command) -> Result<Output, command::Error> {
        if !command.program().starts_with("mkfs") || command.to_string().ends_with("-V") {
            return runner().run(command);
        }
        Ok(Output { code: self.0, stdout: "so\nthere".into(), stderr: "no".into() })
    }
}

#[test]
fn an_mkfs_that_fails_is_a_failure() {
    private(|| {
        let disk = LoopDisk::new(64 * MIB);
        for code in [1, 8, 127] {
            let mounter = with_runner(IdleMkfs(code));
            let error = mounter.format(disk.blank(), FsType::Ext3, &UUID).unwrap_err();
            assert_eq!(
                disk.anonymous(&error),
                format!("mkfs.ext3 failed on DISK: exit code {code}: so there no")
            );
        }
    });
}

#[test]
fn an_mkfs_that_only_says_so_is_a_failure() {
    private(|| {
        let disk = LoopDisk::new(64 * MIB);
        let mounter = with_runner(IdleMkfs(0));
        let error = mounter.format(disk.blank(), FsType::Xfs, &UUID).unwrap_err();
        assert_eq!(
            disk.anonymous(&error),
            format!("mkfs.xfs succeeded on DISK, but no sound xfs with UUID {} is there", *UUID)
        );
    });
}

/// The host's programs, with an mke2fs of another version, which is not run.
#[derive(Debug)]
struct OldMke2fs;

impl Runner for OldMke2fs {
    fn run(&self, command: &Command) -> Result<Output, command::Error> {
        let line = command.to_string();
        let stderr = if line == "mkfs.ext4 -V" {
            "mke2fs 1.42.9 (28-Dec-2013)"
        } else {
            assert!(line.starts_with(&format!("mkfs.ext4 -q -U {} -F /dev/", *UUID)), "{line}");
            "seen"
        };
        Ok(Output { code: 1, stdout: String::new(), stderr: stderr.into() })
    }
}

#[test]
fn an_old_mke2fs_is_told_not_to_ask() {
    private(|| {
        let disk = LoopDisk::new(64 * MIB);
        let error = with_runner(OldMke2fs).format(disk.blank(), FsType::Ext4, &UUID).unwrap_err();
        assert_eq!(disk.anonymous(&error), "mkfs.ext4 failed on DISK: exit code 1: seen");
    });
}

#[test]
fn a_damaged_file_system_is_not_complete() {
    private(|| {
        let disk = LoopDisk::formatted(24 * MIB, &format!("mke2fs -q -t ext4 -U {}", *UUID));
        assert!(mounter().is_complete(&disk.open(), FsType::Ext4, &UUID).unwrap());
        assert!(!mounter().is_complete(&disk.open(), FsType::Ext3, &UUID).unwrap());
        disk.debugfs("clri <2>");
        assert!(!mounter().is_complete(&disk.open(), FsType::Ext4, &UUID).unwrap());
        assert!(!mounter().is_complete(&LoopDisk::new(MIB).open(), FsType::Ext4, &UUID).unwrap());
    });
}
