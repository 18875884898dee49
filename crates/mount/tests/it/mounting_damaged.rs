//! Mounting what was not unmounted, what is read-only, what is a copy, and what is broken.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use mount::Outcome;
use tempfile::TempDir;

use crate::{
    loop_disk::{LoopDisk, MIB, mounter},
    namespace::private,
    tool::run,
};

/// A copy of a file system while it is mounted and `file` has just been written to it.
fn dirty(disk: &LoopDisk, fs_type: &str, options: &str) -> LoopDisk {
    disk.mount(fs_type).unwrap();
    fs::write(disk.mnt().join("file"), "text").unwrap();
    run(&format!("sync -f {}", disk.mnt().display()));
    let copy = disk.copy(options);
    mounter().unmount(&disk.mnt()).unwrap();
    copy
}

#[track_caller]
fn check_text(disk: &LoopDisk) {
    assert_eq!(fs::read_to_string(disk.mnt().join("file")).unwrap(), "text");
    mounter().unmount(&disk.mnt()).unwrap();
}

#[test]
fn a_journal_is_replayed() {
    private(|| {
        let disk = dirty(&LoopDisk::ext4(), "ext4", "");
        mounter().check(&disk.open(), "ext4").unwrap();
        assert_eq!(disk.mount("ext4").unwrap(), Outcome::Done);
        check_text(&disk);

        let disk = dirty(&LoopDisk::xfs(), "xfs", "");
        mounter().check(&disk.open(), "xfs").unwrap();
        assert_eq!(disk.mount("xfs").unwrap(), Outcome::Done);
        check_text(&disk);
    });
}

#[test]
fn a_read_only_mount_replays_it_too() {
    private(|| {
        let disk = dirty(&LoopDisk::ext4(), "ext4", "");
        disk.mount_with(&mounter(), &disk.mnt(), "ext4", "", true).unwrap();
        check_text(&disk);
    });
}

#[test]
fn a_read_only_disk_is_mounted_without_replay() {
    private(|| {
        for (disk, fs_type, option) in
            [(LoopDisk::ext4(), "ext4", "norecovery"), (LoopDisk::xfs(), "xfs", "norecovery")]
        {
            let disk = dirty(&disk, fs_type, "--read-only");
            let error = disk.mount(fs_type).unwrap_err();
            assert_eq!(
                disk.anonymous(&error),
                "DISK is read-only: it can only be mounted read-only"
            );
            disk.mount_with(&mounter(), &disk.mnt(), fs_type, "", true).unwrap();
            let found = mounter().at(&disk.mnt()).unwrap().unwrap();
            assert!(found.super_options.contains(option), "{found:?}");
            mounter().unmount(&disk.mnt()).unwrap();
        }
    });
}

#[test]
fn a_copy_beside_its_original_is_named() {
    private(|| {
        let disk = LoopDisk::xfs();
        let copy = disk.copy("");
        disk.mount("xfs").unwrap();
        let uuid = run(&format!("blkid -p -s UUID -o value {}", disk.path().display()));
        assert_eq!(
            copy.mount("xfs").unwrap_err().to_string(),
            format!(
                "{} is a copy of {}, which is mounted at {}: both carry the UUID {} (mount option \
                 nouuid mounts a copy beside its original)",
                copy.path().display(),
                disk.path().display(),
                disk.mnt().display(),
                uuid.trim()
            )
        );
        assert_eq!(mounter().at(&copy.mnt()).unwrap(), None);
        copy.mount_with(&mounter(), &copy.mnt(), "xfs", "nouuid", false).unwrap();
    });
}

#[test]
fn a_file_system_that_the_kernel_finds_damaged_is_left_to_a_person() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.debugfs("clri <2>");
        let error = disk.mount("ext4").unwrap_err();
        assert!(error.needs_repair());
        let message = disk.anonymous(&error);
        let expected = "the ext4 file system on DISK needs repair: run `e2fsck -f DISK` on this \
                        node when it is not mounted; the driver will not, because repairing can \
                        lose data: ";
        assert!(message.starts_with(expected), "{message}");

        let disk = LoopDisk::xfs();
        // the superblock's checksum is of another superblock now
        disk.write(108, b"label");
        let error = disk.mount("xfs").unwrap_err();
        assert!(
            error.needs_repair() || disk.anonymous(&error).starts_with("cannot mount DISK"),
            "{error}"
        );
        assert_eq!(mounter().at(&disk.mnt()).unwrap(), None);
    });
}

#[test]
fn a_mounted_file_system_that_met_an_error_is_not_taken_for_well() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        assert_eq!(disk.mount("ext4").unwrap(), Outcome::AlreadyDone);
        let name = disk.path().file_name().unwrap().to_owned();
        let sysfs = Path::new("/sys/fs/ext4").join(name);
        fs::write(sysfs.join("trigger_fs_error"), "1").unwrap();
        // It is counted a moment later.
        while fs::read_to_string(sysfs.join("errors_count")).unwrap() == "0\n" {}
        assert_eq!(
            disk.mount("ext4").unwrap_err().to_string(),
            format!(
                "the file system of {}, mounted at {}, has failed: it has counted 1 errors; let the pods \
                 that use it end, so that it is unmounted, checked and mounted again",
                disk.path().display(),
                disk.mnt().display()
            )
        );
        mounter().unmount(&disk.mnt()).unwrap();
    });
}

/// A disk in a store that has no room left takes no writes; here those to the journal.
#[test]
fn a_mounted_file_system_whose_journal_was_aborted_is_not_taken_for_well() {
    private(|| {
        for (fs_type, mkfs) in
            [("ext4", "mke2fs -q -t ext4 -b 4096"), ("ext3", "mke2fs -q -t ext3 -b 1024")]
        {
            let store = tempfile::tempdir().unwrap();
            run(&format!("mount -t tmpfs -o size=40m tmpfs {}", store.path().display()));
            let dir = TempDir::new_in(store.path()).unwrap();
            let image = dir.path().join("image");
            File::create(&image).unwrap().set_len(24 * MIB).unwrap();
            let disk = LoopDisk::over(dir, image, "");
            run(&format!("{mkfs} {}", disk.path().display()));
            disk.mount(fs_type).unwrap();
            assert_eq!(disk.mount(fs_type).unwrap(), Outcome::AlreadyDone);

            let request = disk.dir().join("request");
            fs::write(&request, "bmap <8> 1").unwrap();
            let (request, path) = (request.display(), disk.path().display());
            let answer = run(&format!("debugfs -f {request} {path}"));
            let block: u64 = answer.lines().last().unwrap().parse().unwrap();
            let block_size: u64 = mkfs.rsplit(' ').next().unwrap().parse().unwrap();
            let (offset, image) = (block * block_size, disk.image().display());
            run(&format!("fallocate --punch-hole --offset {offset} --length 512K {image}"));
            let mut rest = File::create(store.path().join("rest")).unwrap();
            while rest.write_all(&[0; 4096]).is_ok() {}
            File::create(disk.mnt().join("lost")).unwrap().sync_all().unwrap_err();
            rest.set_len(0).unwrap();

            // It takes writes again, and the kernel says so, too.
            assert!(!mounter().at(&disk.mnt()).unwrap().unwrap().is_read_only());
            assert_eq!(
                disk.anonymous(&disk.mount(fs_type).unwrap_err()),
                "the file system of DISK, mounted at DIR/mnt, has failed: its journal was aborted: \
                 Input/output error (os error 5); let the pods that use it end, so that it is \
                 unmounted, checked and mounted again"
            );
            mounter().unmount(&disk.mnt()).unwrap();
            drop(disk);
            run(&format!("umount --lazy {}", store.path().display()));
        }
    });
}
