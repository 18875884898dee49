//! What becomes of file systems that need a check.

use std::time::Duration;

use command::{SystemRunner, testing::Script};

use crate::{
    loop_disk::{LoopDisk, MIB, mounter, with_runner},
    namespace::private,
    tool::{run, try_run},
};

/// e2fsck ends with these codes, one after the other.
#[track_caller]
fn check(codes: &[i32], expected: Result<(), &str>) {
    let disk = LoopDisk::new(MIB);
    let line = format!("e2fsck -p {}", disk.path().display());
    let script = codes
        .iter()
        .fold(Script::default(), |script, code| script.expect(&line, *code, "what it said\n"));
    let result = with_runner(script).check(&disk.open(), "ext4");
    let result = result.map_err(|error| disk.anonymous(&error));
    assert_eq!(result, expected.map_err(str::to_owned));
}

const DAMAGED: &str = "the ext4 file system on DISK needs repair: run `e2fsck -f DISK` on this \
                       node when it is not mounted; the driver will not, because repairing can \
                       lose data: what it said";

#[test]
fn every_exit_code_is_understood() {
    private(|| {
        check(&[0], Ok(()));
        check(&[1], Ok(()));
        check(&[2, 0], Ok(()));
        check(&[3, 0], Ok(()));
        for codes in [&[2, 1][..], &[2, 2], &[3, 4], &[4], &[5], &[6], &[7]] {
            check(codes, Err(DAMAGED));
        }
        // Whatever else the sum says, it has not looked at everything.
        for code in [8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 32, 36, 64, 128, 132, 255] {
            let expected = format!("e2fsck could not check DISK: exit code {code}: what it said");
            check(&[code], Err(&expected));
            check(&[2, code], Err(&expected));
        }
    });
}

#[test]
fn a_check_that_does_not_end_by_itself_is_a_failure() {
    let errors = [
        command::Error::Signalled { program: "e2fsck", signal: 9 },
        command::Error::Timeout { program: "e2fsck", limit: Duration::from_secs(9), stuck: true },
    ];
    for error in errors {
        let disk = LoopDisk::new(MIB);
        let line = format!("e2fsck -p {}", disk.path().display());
        let mounter = with_runner(Script::default().expect_error(&line, error));
        let error = mounter.check(&disk.open(), "ext4").unwrap_err();
        assert_eq!(disk.anonymous(&error), "cannot run e2fsck on DISK");
    }
}

#[test]
fn a_missing_e2fsck_is_a_failure_that_names_its_package() {
    let disk = LoopDisk::new(MIB);
    let runner = SystemRunner { search_path: disk.dir().into() };
    let error = with_runner(runner).check(&disk.open(), "ext3").unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.ends_with("install e2fsprogs"), "{cause}");
}

#[test]
fn xfs_and_read_only_disks_are_left_alone() {
    let disk = LoopDisk::new(MIB);
    let nothing = || with_runner(Script::default());
    nothing().check(&disk.open(), "xfs").unwrap();
    nothing().check(&disk.copy("--read-only").open(), "ext4").unwrap();
}

#[test]
fn a_disk_in_use_is_not_checked() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        let error = with_runner(Script::default()).check(&disk.open(), "ext4").unwrap_err();
        assert!(error.is_in_use());
        assert_eq!(disk.anonymous(&error), "DISK is in use: it is mounted at DIR/mnt");
    });
}

#[test]
fn a_sound_file_system_passes_twice() {
    private(|| {
        let disk = LoopDisk::ext4();
        mounter().check(&disk.open(), "ext4").unwrap();
        mounter().check(&disk.open(), "ext4").unwrap();
    });
}

#[test]
fn small_damage_is_mended() {
    private(|| {
        let disk = LoopDisk::ext4();
        // a wrong count of free blocks, and the mark of an unclean unmount
        disk.debugfs("ssv free_blocks_count 7\nssv state 2\n");
        mounter().check(&disk.open(), "ext4").unwrap();
        run(&format!("e2fsck -fn {}", disk.path().display()));
    });
}

/// Compatible features do not keep a kernel or a pod from using what it does not know of.
#[test]
fn what_only_e2fsck_does_not_know_is_mounted_if_it_is_clean() {
    private(|| {
        let too_old = "e2fsck of this node is too old for the ext4 file system on DISK, which is not marked \
                       clean and so needs a check before it is mounted for writing";
        for (feature, state, expected) in [
            ("FEATURE_C31", "", None),
            ("FEATURE_C31", "ssv state 0\n", Some(too_old)),
            ("FEATURE_C31", "ssv state 3\n", Some(too_old)),
            ("FEATURE_C31", "ssv error_count 1\n", Some(too_old)),
        ] {
            let disk = LoopDisk::new(24 * MIB);
            run(&format!("mke2fs -q -t ext4 -O ^metadata_csum {}", disk.path().display()));
            disk.debugfs(&format!("feature {feature}\n{state}"));
            let checked = mounter().check(&disk.open(), "ext4");
            let shown = checked.as_ref().err().map(|error| disk.anonymous(error));
            // What follows is what e2fsck said.
            let shown = shown.as_deref().map(|it| it.split(": ").next().unwrap_or_default());
            assert_eq!(shown, expected, "{state}");
            if expected.is_none() {
                disk.mount("ext4").unwrap();
            }
        }
    });
}

#[test]
fn great_damage_is_left_to_a_person() {
    private(|| {
        let disk = LoopDisk::ext4();
        // no root folder, and the mark of an unclean unmount
        disk.debugfs("clri <2>\nssv state 2\n");
        let error = mounter().check(&disk.open(), "ext4").unwrap_err();
        assert!(error.needs_repair(), "{error}");
    });
}

#[test]
fn a_file_system_without_its_superblock_is_not_checked() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.write(0, &[0; 4096]);
        let error = mounter().check(&disk.open(), "ext4").unwrap_err();
        let message = disk.anonymous(&error);
        assert!(message.starts_with("e2fsck could not check DISK: exit code 8: "), "{message}");
    });
}

#[test]
fn what_a_killed_e2fsck_has_left_of_the_superblock_is_mended_from_its_backup() {
    private(|| {
        let disk = LoopDisk::ext4();
        let written = disk.path().display();
        // s_kbytes_written, which e2fsck counts up; the checksum is written next
        disk.write(1024 + 0x178, &[0xff, 0xff]);
        let (code, said) = try_run(&format!("e2fsck -p {written}"));
        assert_eq!(code, Some(8), "{said}");
        mounter().check(&disk.open(), "ext4").unwrap();
        run(&format!("e2fsck -fn {written}"));
        disk.mount("ext4").unwrap();
    });
}
