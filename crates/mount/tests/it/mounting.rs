//! Mounting: the right disk at the right place, or a failure that says what is in the way.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use command::testing::Script;
use mount::Outcome;

use crate::{
    loop_disk::{LoopDisk, mounter, with_runner},
    namespace::private,
    tool::run,
};

#[track_caller]
fn refused(disk: &LoopDisk, dir: &Path, read_only: bool, expected: &str) {
    let before = mounter().at(dir).unwrap();
    let error = disk.mount_with(&mounter(), dir, "ext4", "", read_only).unwrap_err();
    assert_eq!(disk.anonymous(&error), expected);
    assert_eq!(mounter().at(dir).unwrap(), before);
}

#[test]
fn a_second_mount_is_a_success() {
    private(|| {
        let disk = LoopDisk::ext4();
        assert_eq!(disk.mount("ext4").unwrap(), Outcome::Done);
        assert_eq!(disk.mount("ext4").unwrap(), Outcome::AlreadyDone);
        let found = mounter().at(&disk.mnt()).unwrap().unwrap();
        assert_eq!((found.number, &*found.fs_type), (disk.open().number(), "ext4"));
        assert_eq!(found.source, disk.path().as_os_str());
        assert_eq!(mounter().places(found.number).unwrap(), [found]);
    });
}

/// What the kernel does on errors in the mounted file system.
fn on_errors(disk: &LoopDisk, options: &str) -> String {
    disk.mount_with(&mounter(), &disk.mnt(), "ext4", options, false).unwrap();
    let name = disk.path().file_name().unwrap().display();
    let said = run(&format!("grep -o errors=[a-z-]* /proc/fs/ext4/{name}/options"));
    mounter().unmount(&disk.mnt()).unwrap();
    said.trim().to_owned()
}

#[test]
fn no_file_system_stops_the_node() {
    private(|| {
        for tune in ["-e panic", "-E mount_opts=errors=panic"] {
            let disk = LoopDisk::ext4();
            run(&format!("tune2fs {tune} {}", disk.path().display()));
            assert_eq!(on_errors(&disk, ""), "errors=remount-ro", "{tune}");
            assert_eq!(on_errors(&disk, "noatime,errors=continue"), "errors=continue", "{tune}");
        }
        assert_eq!(on_errors(&LoopDisk::ext4(), ""), "errors=continue");
    });
}

#[test]
fn a_missing_folder_is_made() {
    private(|| {
        let disk = LoopDisk::ext4();
        let dir = disk.dir().join("a/b c/d\\040e\nf");
        disk.mount_with(&mounter(), &dir, "ext4", "", false).unwrap();
        assert_eq!(mounter().at(&dir).unwrap().unwrap().dir, dir);
        let mode = fs::metadata(disk.dir().join("a/b c")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o750);
        mounter().unmount(&dir).unwrap();
    });
}

#[test]
fn a_place_behind_a_link_is_found_again() {
    private(|| {
        let disk = LoopDisk::ext4();
        let link = disk.dir().join("link");
        symlink(disk.dir(), &link).unwrap();
        let dir = link.join("mnt");
        assert_eq!(disk.mount_with(&mounter(), &dir, "ext4", "", false).unwrap(), Outcome::Done);
        let again = disk.mount_with(&mounter(), &dir, "ext4", "", false).unwrap();
        assert_eq!(again, Outcome::AlreadyDone);
        assert_eq!(mounter().at(&dir).unwrap().unwrap().dir, disk.mnt());
        mounter().unmount(&dir).unwrap();
        assert_eq!(mounter().at(&disk.mnt()).unwrap(), None);
    });
}

#[test]
fn only_an_empty_folder_is_a_place() {
    private(|| {
        let disk = LoopDisk::ext4();
        let (mnt, file, link) = (disk.mnt(), disk.dir().join("file"), disk.dir().join("link"));
        fs::write(&file, "").unwrap();
        symlink(&mnt, &link).unwrap();
        refused(&disk, &file, false, "DIR/file is a file, not a folder: nothing is mounted there");
        refused(
            &disk,
            &link,
            false,
            "DIR/link is a symbolic link, not a folder: nothing is mounted there",
        );
        fs::write(mnt.join("data"), "").unwrap();
        fs::create_dir(mnt.join("more")).unwrap();
        refused(
            &disk,
            &mnt,
            false,
            "DIR/mnt holds 2 entries on the node's own disk, which a mount would hide: move them away",
        );
        refused(&disk, &file.join("x"), false, "cannot use DIR/file/x as a mount point");
    });
    assert_eq!(
        mounter().at(Path::new("mnt")).unwrap_err().to_string(),
        "mnt is not an absolute path of a folder"
    );
    assert_eq!(
        mounter().at(Path::new("/mnt/..")).unwrap_err().to_string(),
        "/mnt/.. is not an absolute path of a folder"
    );
}

#[test]
fn another_disk_in_the_place_is_named() {
    private(|| {
        let (disk, other) = (LoopDisk::ext4(), LoopDisk::ext4());
        other.mount_with(&mounter(), &disk.mnt(), "ext4", "", false).unwrap();
        let (path, number) = (other.path().display(), other.open().number());
        refused(
            &disk,
            &disk.mnt(),
            false,
            &format!(
                "DIR/mnt is a mount point of {path} ({number}, ext4, read-write), \
                 not of DISK (NUMBER, ext4, read-write)"
            ),
        );
    });
}

#[test]
fn something_else_in_the_place_is_named() {
    private(|| {
        let disk = LoopDisk::ext4();
        let mnt = disk.mnt();
        run(&format!("mount -t tmpfs nothing {}", mnt.display()));
        let number = mounter().at(&mnt).unwrap().unwrap().number;
        refused(
            &disk,
            &mnt,
            false,
            &format!(
                "DIR/mnt is a mount point of nothing ({number}, tmpfs, read-write), \
                 not of DISK (NUMBER, ext4, read-write)"
            ),
        );
        run(&format!("umount {}", mnt.display()));

        // a folder of the right disk is not the right disk
        let elsewhere = disk.dir().join("elsewhere");
        disk.mount_with(&mounter(), &elsewhere, "ext4", "", false).unwrap();
        fs::create_dir(elsewhere.join("sub")).unwrap();
        run(&format!("mount --bind {}/sub {}", elsewhere.display(), mnt.display()));
        refused(
            &disk,
            &mnt,
            false,
            "DIR/mnt is a mount point of DISK (NUMBER, ext4, read-write, only its folder /sub), \
             not of DISK (NUMBER, ext4, read-write)",
        );
    });
}

#[test]
fn a_mount_of_the_other_mode_is_not_the_right_one() {
    private(|| {
        let disk = LoopDisk::ext4();
        let mnt = disk.mnt();
        disk.mount_with(&mounter(), &mnt, "ext4", "", true).unwrap();
        assert_eq!(
            disk.mount_with(&mounter(), &mnt, "ext4", "ro", false).unwrap(),
            Outcome::AlreadyDone
        );
        refused(
            &disk,
            &mnt,
            false,
            "DIR/mnt is a mount point of DISK (NUMBER, ext4, read-only), \
             not of DISK (NUMBER, ext4, read-write)",
        );
        run(&format!("mount -o remount,rw {}", mnt.display()));
        // A pod that reads beside one that writes is kept from writing by kubelet; options are kubelet's no more.
        let again = disk.mount_with(&mounter(), &mnt, "ext4", "", true).unwrap();
        assert_eq!(again, Outcome::AlreadyDone);
        let error = disk.mount_with(&mounter(), &mnt, "ext4", "ro", false).unwrap_err();
        assert_eq!(
            disk.anonymous(&error),
            "DIR/mnt is a mount point of DISK (NUMBER, ext4, read-write), \
             not of DISK (NUMBER, ext4, read-only)"
        );
    });
}

#[test]
fn a_disk_mounted_elsewhere_is_not_mounted_again() {
    private(|| {
        let disk = LoopDisk::ext4();
        let dir = disk.dir().join("first place");
        disk.mount_with(&mounter(), &dir, "ext4", "", false).unwrap();
        refused(
            &disk,
            &disk.mnt(),
            false,
            "DISK is already mounted at DIR/first place: unmount it there first",
        );
        assert!(disk.mount("ext4").unwrap_err().is_in_use());
    });
}

#[test]
fn a_disk_that_another_process_holds_is_not_mounted() {
    private(|| {
        let disk = LoopDisk::ext4();
        let opened = disk.open();
        let claim = opened.claim(disk::Access::Write).unwrap();
        let error = disk.mount("ext4").unwrap_err();
        assert!(error.is_in_use());
        assert!(disk.anonymous(&error).starts_with("DISK is in use"), "{error}");
        assert_eq!(mounter().at(&disk.mnt()).unwrap(), None);
        drop(claim);
        disk.mount("ext4").unwrap();
    });
}

#[test]
fn a_stack_of_the_right_disk_is_the_right_mount() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        run(&format!("mount --bind {0} {0}", disk.mnt().display()));
        assert_eq!(mounter().places(disk.open().number()).unwrap().len(), 2);
        assert_eq!(disk.mount("ext4").unwrap(), Outcome::AlreadyDone);
    });
}

#[test]
fn options_reach_the_mount() {
    private(|| {
        let disk = LoopDisk::ext4();
        let options = "noatime,nosuid,errors=remount-ro";
        disk.mount_with(&mounter(), &disk.mnt(), "ext4", options, false).unwrap();
        let found = mounter().at(&disk.mnt()).unwrap().unwrap();
        assert_eq!(found.options, "rw,nosuid,noatime");
        assert_eq!(found.super_options, "rw,errors=remount-ro");
    });
}

#[test]
fn an_option_of_another_file_system_never_reaches_mount() {
    private(|| {
        let disk = LoopDisk::ext4();
        let mounter = with_runner(Script::default());
        let error = disk.mount_with(&mounter, &disk.mnt(), "ext4", "nouuid", false).unwrap_err();
        let message = disk.anonymous(&error);
        let start = "mount option \"nouuid\" is refused: ext4 may have defaults, ro, rw, ";
        assert!(message.starts_with(start), "{message}");
        assert_eq!(mounter.at(&disk.mnt()).unwrap(), None);
    });
}

#[test]
fn read_only_is_stronger_than_the_options() {
    private(|| {
        let disk = LoopDisk::xfs();
        disk.mount_with(&mounter(), &disk.mnt(), "xfs", "rw", true).unwrap();
        assert!(mounter().at(&disk.mnt()).unwrap().unwrap().is_read_only());
    });
}

#[test]
fn a_disk_that_changed_is_not_mounted() {
    private(|| {
        let disk = LoopDisk::ext4();
        let opened = disk.open();
        fs::File::options().write(true).open(disk.image()).unwrap().set_len(1 << 25).unwrap();
        run(&format!("losetup --set-capacity {}", disk.path().display()));
        let request = mount::Request {
            disk: &opened,
            dir: &disk.mnt(),
            fs_type: "ext4",
            options: &mount::MountOptions::default(),
            read_only: false,
        };
        assert_eq!(
            disk.anonymous(&mounter().mount(&request).unwrap_err()),
            "DISK changed under the call: 25165824 bytes before, 33554432 bytes now"
        );
        assert!(mounter().check(&opened, "ext4").is_err());
        assert_eq!(mounter().at(&disk.mnt()).unwrap(), None);
    });
}
