//! Growing what is mounted, and nothing else.

use std::{fs, path::Path};

use clock::ManualClock;
use command::{SystemRunner, testing::Script};
use disk::{BlankCheck, Disk};
use mount::{Growth, Mounter};

use crate::{
    loop_disk::{LoopDisk, MIB, mounter, with_runner},
    namespace::private,
    tool::run,
};

/// Makes the mounted file system as large as the disk, if it is mounted for writing.
fn grow(mounter: &Mounter, disk: &Disk) -> Result<Option<Growth>, mount::Error> {
    let Some(growable) = mounter.growable(disk)? else { return Ok(None) };
    let clock = ManualClock::default();
    let tail = disk.prove_tail(&clock, growable.size(), BlankCheck::default()).unwrap();
    mounter.grow(&growable, tail).map(Some)
}

/// The disk becomes as large as this.
fn enlarge(disk: &LoopDisk, size: u64) {
    fs::File::options().write(true).open(disk.image()).unwrap().set_len(size).unwrap();
    run(&format!("losetup --set-capacity {}", disk.path().display()));
}

fn room(dir: &Path) -> u64 {
    run(&format!("stat --file-system --format %b*%S {}", dir.display()))
        .trim()
        .split('*')
        .map(|number| number.parse::<u64>().unwrap())
        .product()
}

#[test]
fn xfs_grows_while_it_is_mounted() {
    private(|| {
        let disk = LoopDisk::xfs();
        let mnt = disk.mnt();
        disk.mount("xfs").unwrap();
        fs::write(mnt.join("file"), "kept").unwrap();
        assert_eq!(grow(&mounter(), &disk.open()).unwrap(), Some(Growth::AlreadyDone));
        enlarge(&disk, 1024 * MIB);
        assert_eq!(grow(&mounter(), &disk.open()).unwrap(), Some(Growth::Grown));
        assert!(room(&mnt) > 800 * MIB, "{}", room(&mnt));
        assert_eq!(grow(&mounter(), &disk.open()).unwrap(), Some(Growth::AlreadyDone));
        mounter().unmount(&mnt).unwrap();
        assert_eq!(disk.open().file_system_size("xfs").unwrap(), Some(1024 * MIB));
        disk.mount("xfs").unwrap();
        assert_eq!(fs::read_to_string(mnt.join("file")).unwrap(), "kept");
    });
}

/// The kernel lets only some roots enlarge ext file systems online; the virtual machine's may.
#[track_caller]
fn check_ext(code: i32, expected: Result<Growth, &str>) {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        let line = format!("resize2fs {}", disk.path().display());
        let grower = with_runner(Script::default().expect(&line, code, "what it said\n"));
        let result = grow(&grower, &disk.open());
        let result = result.map_err(|error| disk.anonymous(&error));
        assert_eq!(result, expected.map(Some).map_err(str::to_owned));
    });
}

#[test]
fn ext_is_enlarged_by_resize2fs() {
    check_ext(0, Ok(Growth::AlreadyDone));
    check_ext(
        1,
        Err(
            "resize2fs did not make the file system on DISK larger, which is mounted at DIR/mnt and \
             as it was: exit code 1: what it said",
        ),
    );
}

#[test]
fn what_is_read_only_stays_as_it_is() {
    private(|| {
        let disk = LoopDisk::xfs();
        disk.mount_with(&nothing(), &disk.mnt(), "xfs", "", true).unwrap_err();
        disk.mount_with(&mounter(), &disk.mnt(), "xfs", "", true).unwrap();
        enlarge(&disk, 600 * MIB);
        assert_eq!(grow(&nothing(), &disk.open()).unwrap(), None);
    });
}

#[test]
fn a_pod_that_may_only_read_does_not_keep_the_file_system_small() {
    private(|| {
        let disk = LoopDisk::xfs();
        let (mnt, pod) = (disk.mnt(), disk.dir().join("a pod"));
        fs::create_dir(&pod).unwrap();
        disk.mount("xfs").unwrap();
        // the pod's mount comes first in the table after this
        let bind = |from: &Path, to: &Path| {
            let status =
                std::process::Command::new("mount").arg("--bind").args([from, to]).status();
            assert!(status.unwrap().success());
        };
        bind(&mnt, &pod);
        run(&format!("mount -o remount,bind,ro {}", mnt.display()));
        enlarge(&disk, 600 * MIB);
        assert_eq!(grow(&mounter(), &disk.open()).unwrap(), Some(Growth::Grown));
        mounter().unmount(&pod).unwrap_err();
    });
}

/// The superblock on the disk is older than what the kernel has; the program is asked.
#[test]
fn the_size_is_that_of_the_mounted_file_system() {
    private(|| {
        let disk = LoopDisk::xfs();
        disk.mount("xfs").unwrap();
        assert_eq!(mounter().growable(&disk.open()).unwrap().unwrap().size(), 300 * MIB);
        enlarge(&disk, 1024 * MIB);
        assert_eq!(mounter().growable(&disk.open()).unwrap().unwrap().size(), 300 * MIB);
        grow(&mounter(), &disk.open()).unwrap();
        assert_eq!(mounter().growable(&disk.open()).unwrap().unwrap().size(), 1024 * MIB);

        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        let size = disk.open().size();
        assert_eq!(mounter().growable(&disk.open()).unwrap().unwrap().size(), size);
    });
}

#[test]
fn a_size_that_cannot_be_told_is_no_place_to_grow_from() {
    private(|| {
        let disk = LoopDisk::xfs();
        disk.mount("xfs").unwrap();
        let line = format!("xfs_growfs -n {}", disk.mnt().display());
        for (code, said) in [(1, "not a mounted XFS filesystem"), (0, "what?")] {
            let mute = with_runner(Script::default().expect(&line, code, said));
            assert_eq!(
                disk.anonymous(&mute.growable(&disk.open()).unwrap_err()),
                "cannot tell how large the file system on DISK is, which is mounted at DIR/mnt: it is not made \
                 larger"
            );
        }
    });
}

#[test]
fn what_is_not_mounted_is_not_touched() {
    private(|| {
        let disk = LoopDisk::xfs();
        enlarge(&disk, 600 * MIB);
        let error = grow(&nothing(), &disk.open()).unwrap_err();
        assert_eq!(
            disk.anonymous(&error),
            "DISK is not mounted, so its file system does not grow now"
        );
        assert_eq!(disk.open().file_system_size("xfs").unwrap(), Some(300 * MIB));
    });
}

#[test]
fn a_disk_that_grows_meanwhile_is_looked_at_by_the_next_call() {
    private(|| {
        let disk = LoopDisk::xfs();
        disk.mount("xfs").unwrap();
        let opened = disk.open();
        enlarge(&disk, 600 * MIB);
        let error = grow(&nothing(), &opened).unwrap_err();
        assert_eq!(
            disk.anonymous(&error),
            "DISK changed under the call: 314572800 bytes before, 629145600 bytes now"
        );
    });
}

#[test]
fn a_missing_program_is_named_with_its_package() {
    private(|| {
        for (disk, fs_type, package) in
            [(LoopDisk::xfs(), "xfs", "xfsprogs"), (LoopDisk::ext4(), "ext4", "e2fsprogs")]
        {
            disk.mount(fs_type).unwrap();
            let error = grow(&nothing(), &disk.open()).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.ends_with(&format!("install {package}")), "{cause}");
            mounter().unmount(&disk.mnt()).unwrap();
        }
    });
}

/// Runs no program at all.
fn nothing() -> Mounter {
    with_runner(SystemRunner { search_path: "/nonexistent".into() })
}
