//! Unmounting: everything flushed, everybody else respected.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use clock::ManualClock;
use command::testing::Script;
use disk::{Access, Host};
use mount::{Error, Mounter};

use crate::{
    loop_disk::{LoopDisk, MIB, mounter, with_runner},
    namespace::private,
    tool::{run, runner},
};

#[test]
fn nothing_to_unmount_is_a_success() {
    private(|| {
        let disk = LoopDisk::ext4();
        fs::write(disk.dir().join("file"), "").unwrap();
        for dir in ["mnt", "missing", "missing/too", "file", "file/below"] {
            let mounter = with_runner(Script::default());
            let unmounted = mounter.unmount(&disk.dir().join(dir)).unwrap();
            assert!(unmounted.device.is_none() && unmounted.data_loss.is_none(), "{dir}");
        }
    });
}

#[test]
fn what_was_written_is_there_and_the_folder_stays() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        fs::write(disk.mnt().join("file"), vec![7; 1 << 20]).unwrap();
        let unmounted = mounter().unmount(&disk.mnt()).unwrap();
        assert_eq!(unmounted.device, Some(disk.open().number()));
        assert!(unmounted.data_loss.is_none());
        assert!(disk.mnt().is_dir());
        drop(disk.open().claim(Access::Write).unwrap());
        assert!(mounter().unmount(&disk.mnt()).unwrap().device.is_none());

        disk.mount("ext4").unwrap();
        assert_eq!(fs::read(disk.mnt().join("file")).unwrap(), vec![7; 1 << 20]);
    });
}

#[test]
fn a_stack_is_unmounted_to_the_ground() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        for _ in 0..3 {
            run(&format!("mount --bind {0} {0}", disk.mnt().display()));
        }
        assert_eq!(mounter().places(disk.open().number()).unwrap().len(), 4);
        mounter().unmount(&disk.mnt()).unwrap();
        assert_eq!(mounter().places(disk.open().number()).unwrap(), []);
    });
}

#[test]
fn of_a_mixed_stack_only_our_disk_is_unmounted() {
    private(|| {
        let (disk, below) = (LoopDisk::ext4(), LoopDisk::ext4());
        below.mount_with(&mounter(), &disk.mnt(), "ext4", "", false).unwrap();
        run(&format!("mount {} {}", disk.path().display(), disk.mnt().display()));
        let error = mounter().unmount(&disk.mnt()).unwrap_err();
        assert!(matches!(error, Error::Occupied { .. }), "{error}");
        assert_eq!(mounter().places(disk.open().number()).unwrap(), []);
        assert_eq!(mounter().places(below.open().number()).unwrap().len(), 1);
    });
}

#[track_caller]
fn refused(disk: &LoopDisk, expected: &str) {
    let before = mounter().at(&disk.mnt()).unwrap();
    let error = mounter().unmount(&disk.mnt()).unwrap_err();
    assert_eq!(disk.anonymous(&error), expected);
    assert_eq!(mounter().at(&disk.mnt()).unwrap(), before);
}

#[test]
fn a_disk_that_pods_still_have_is_not_unmounted() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        for pod in ["pod-1", "pod 2"] {
            let dir = disk.dir().join(pod);
            fs::create_dir(&dir).unwrap();
            let status = Command::new("mount").arg("--bind").arg(disk.mnt()).arg(&dir).status();
            assert!(status.unwrap().success());
        }
        refused(
            &disk,
            "DIR/mnt is still used: the same disk is also mounted at DIR/pod-1, DIR/pod 2",
        );
        assert!(mounter().unmount(&disk.mnt()).unwrap_err().is_in_use());
    });
}

/// As where `/var/lib/kubelet` is bound to a folder of a larger disk; systemd makes all mounts shared.
#[test]
fn what_shows_on_both_sides_of_a_bind_mount_is_one_mount() {
    private(|| {
        let disk = LoopDisk::ext4();
        let (large, kubelet) = (disk.dir().join("large"), disk.dir().join("kubelet"));
        fs::create_dir_all(&large).unwrap();
        fs::create_dir_all(&kubelet).unwrap();
        let (at, bound) = (large.display(), kubelet.display());
        run(&format!("mount -t tmpfs none {at}"));
        run(&format!("mount --make-shared {at}"));
        fs::create_dir_all(large.join("data/mnt")).unwrap();
        fs::create_dir_all(large.join("data/pod")).unwrap();
        run(&format!("mount --bind {at}/data {bound}"));
        let dir = kubelet.join("mnt");
        disk.mount_with(&mounter(), &dir, "ext4", "", false).unwrap();
        let number = disk.open().number();
        assert_eq!(mounter().places(number).unwrap().len(), 2, "it shows twice");

        run(&format!("mount --bind {bound}/mnt {bound}/pod"));
        assert_eq!(
            disk.anonymous(&mounter().unmount(&dir).unwrap_err()),
            "DIR/kubelet/mnt is still used: the same disk is also mounted at DIR/kubelet/pod, \
             DIR/large/data/pod"
        );
        run(&format!("umount {bound}/pod"));
        assert_eq!(mounter().unmount(&dir).unwrap().device, Some(number));
        assert_eq!(mounter().places(number).unwrap(), []);
        disk.open().claim(Access::Write).unwrap();
        run(&format!("umount {bound}"));
        run(&format!("umount {at}"));
    });
}

#[test]
fn who_keeps_it_busy_is_named() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        let open = File::create(disk.mnt().join("open file")).unwrap();
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        let own = format!("{} uses DIR/mnt/open file", name.trim());
        refused(&disk, &format!("DIR/mnt is busy: {own}"));
        drop(open);

        let mut child = Command::new("sleep")
            .arg("60")
            .current_dir(disk.mnt())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        refused(&disk, "DIR/mnt is busy: sleep uses DIR/mnt");
        child.kill().unwrap();
        child.wait().unwrap();

        fs::create_dir(disk.mnt().join("nested")).unwrap();
        run(&format!("mount -t tmpfs none {}/nested", disk.mnt().display()));
        refused(&disk, "DIR/mnt is busy: DIR/mnt/nested is mounted in it");
        run(&format!("umount {}/nested", disk.mnt().display()));

        mounter().unmount(&disk.mnt()).unwrap();
    });
}

#[test]
fn what_is_not_on_a_disk_is_left_alone() {
    private(|| {
        let disk = LoopDisk::ext4();
        run(&format!("mount -t tmpfs none {}", disk.mnt().display()));
        let number = mounter().at(&disk.mnt()).unwrap().unwrap().number;
        refused(
            &disk,
            &format!(
                "DIR/mnt is a mount point of none ({number}, tmpfs, read-write), \
                 which is not on a disk: it is left alone"
            ),
        );
    });
}

#[test]
fn a_covered_mount_is_not_taken_for_none() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        run(&format!("mount -t tmpfs none {}", disk.dir().display()));
        fs::create_dir(disk.mnt()).unwrap();
        refused(
            &disk,
            "the mount at DIR/mnt is covered by another one above it: unmount that first",
        );
        run(&format!("umount {}", disk.dir().display()));
        mounter().unmount(&disk.mnt()).unwrap();
    });
}

#[test]
fn a_blocked_device_is_not_touched() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        let sysfs = disk.dir().join("sys");
        let device = sysfs.join(format!("dev/block/{}/device", disk.open().number()));
        fs::create_dir_all(&device).unwrap();
        let host = Host { sysfs, ..Host::default() };
        let unmount = |state: &str| {
            fs::write(device.join("state"), state).unwrap();
            let clock = Arc::new(ManualClock::default());
            Mounter::new(Arc::new(runner()), clock, host.clone()).unmount(&disk.mnt())
        };
        for state in ["blocked", "created-blocked", "quiesce"] {
            assert_eq!(
                disk.anonymous(&unmount(state).unwrap_err()),
                format!(
                    "DIR/mnt is not unmounted now: its device is {state:?} in the kernel, \
                     I/O to it would hang"
                )
            );
        }
        unmount("offline\n").unwrap();
    });
}

#[test]
fn a_map_that_queues_and_has_no_path_is_not_touched() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        let number = disk.open().number().to_string();
        let sysfs = disk.dir().join("sys");
        for (file, text) in [
            (format!("{number}/dm/uuid"), "mpath-360a1"),
            (format!("{number}/dm/name"), "mpatha"),
            (format!("{number}/uevent"), "DEVNAME=dm-0"),
            (format!("{number}/dev"), &number),
            (format!("{number}/size"), "8"),
            (format!("{number}/slaves/sda/dev"), "8:0"),
            ("8:0/device/state".into(), "transport-offline"),
        ] {
            let path = sysfs.join("dev/block").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let host = Host { sysfs, ..Host::default() };
        let table = "0 8 multipath 1 queue_if_no_path 0 1 1 service-time 0 1 2 8:0 1 1";
        let script = Script::default().expect("dmsetup table mpatha", 0, table);
        let clock = Arc::new(ManualClock::default());
        let error = Mounter::new(Arc::new(script), clock, host).unmount(&disk.mnt()).unwrap_err();
        assert_eq!(
            disk.anonymous(&error),
            "DIR/mnt is not unmounted now: no path of its multipath map mpatha works, and I/O to the map would \
             hang, because it queues: bring a path back, or call `multipathd disablequeueing map mpatha`, which \
             gives up what has not been written"
        );
    });
}

/// A disk whose space runs out behind its back.
fn overcommitted(mkfs: &str) -> LoopDisk {
    let dir = tempfile::tempdir().unwrap();
    let small = dir.path().join("small");
    fs::create_dir(&small).unwrap();
    run(&format!("mount -t tmpfs -o size=12m none {}", small.display()));
    let image = small.join("image");
    File::create(&image).unwrap().set_len(300 * MIB).unwrap();
    let disk = LoopDisk::over(dir, image, "");
    run(&format!("{mkfs} {}", disk.path().display()));
    disk
}

fn write_too_much(dir: &Path) {
    let mut file = File::create(dir.join("file")).unwrap();
    let _ = file.write_all(&vec![7; 40 << 20]);
}

#[test]
fn lost_writes_are_told_once() {
    private(|| {
        let disk = overcommitted("mke2fs -q -t ext4 -E nodiscard");
        disk.mount("ext4").unwrap();
        write_too_much(&disk.mnt());
        let unmounted = mounter().unmount(&disk.mnt()).unwrap();
        assert_eq!(unmounted.device, Some(disk.open().number()));
        let loss = unmounted.data_loss.expect("data loss");
        assert_eq!(
            disk.anonymous(&loss),
            "writes to DIR/mnt may be lost: the disk did not take them"
        );
        assert!(mounter().unmount(&disk.mnt()).unwrap().data_loss.is_none());
    });
}

#[test]
fn lost_writes_are_told_even_if_the_unmount_fails() {
    private(|| {
        let disk = overcommitted("mke2fs -q -t ext4 -E nodiscard");
        disk.mount("ext4").unwrap();
        write_too_much(&disk.mnt());
        let _open = File::open(disk.mnt()).unwrap();
        let error = mounter().unmount(&disk.mnt()).unwrap_err();
        assert!(error.is_data_loss() && error.is_in_use());
        assert_eq!(
            disk.anonymous(&error),
            "writes to DIR/mnt may be lost: the disk did not take them; the unmount failed too"
        );
    });
}

#[test]
fn a_dead_file_system_is_unmounted() {
    private(|| {
        for (disk, fs_type) in [(LoopDisk::xfs(), "xfs"), (LoopDisk::ext4(), "ext4")] {
            disk.mount(fs_type).unwrap();
            fs::write(disk.mnt().join("file"), "text").unwrap();
            run(&format!("xfs_io -x -c shutdown {}", disk.mnt().display()));
            let unmounted = mounter().unmount(&disk.mnt()).unwrap();
            assert_eq!(unmounted.device, Some(disk.open().number()));
            assert!(unmounted.data_loss.is_some(), "{fs_type}");
            assert_eq!(mounter().at(&disk.mnt()).unwrap(), None);
        }
    });
}

#[test]
fn an_umount_that_fails_is_a_failure() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        let line = format!("umount {}", disk.mnt().display());
        for code in [0, 1, 32] {
            let mounter =
                with_runner(Script::default().expect_output(&line, code, "", "who knows"));
            let error = mounter.unmount(&disk.mnt()).unwrap_err();
            assert_eq!(
                disk.anonymous(&error),
                format!("cannot unmount DIR/mnt: exit code {code}: who knows")
            );
        }
        mounter().unmount(&disk.mnt()).unwrap();
    });
}
