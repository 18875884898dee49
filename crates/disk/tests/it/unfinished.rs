//! Leftovers of our own mkfs, and everything that only looks like them.

use clock::ManualClock;
use disk::Error;

use crate::{
    loop_disk::LoopDisk,
    namespace::private,
    tool::{run, runner},
};

const MIB: u64 = 1 << 20;
const OURS: &str = "11111111-2222-3333-4444-555555555555";
const OTHER: &str = "99999999-2222-3333-4444-555555555555";

/// `Ok` if the disk may be formatted again as ours, otherwise the reason why not.
fn prove(disk: &LoopDisk) -> Result<(), String> {
    let writes = disk.writes();
    let proof = disk.open().prove_unfinished(&runner(), &ManualClock::default(), OURS);
    assert_eq!(disk.writes(), writes);
    match proof {
        Ok(blank) => {
            assert!(blank.is_unfinished());
            Ok(())
        }
        Err(Error::NotUnfinished { what, .. }) => Err(what),
        Err(error) => panic!("{error}"),
    }
}

fn other(what: &str) -> Result<(), String> {
    Err(format!("{what} does not carry the UUID {OURS}"))
}

fn ext4(uuid: &str) -> LoopDisk {
    LoopDisk::formatted(24 * MIB, &format!("mke2fs -q -t ext4 -U {uuid}"))
}

#[test]
fn a_blank_disk_is_as_good() {
    assert_eq!(prove(&LoopDisk::new(24 * MIB)), Ok(()));
}

#[test]
fn data_without_a_signature_is_ours() {
    let disk = LoopDisk::new(24 * MIB);
    disk.write(123_456, b"inode table");
    assert_eq!(prove(&disk), Ok(()));
}

#[test]
fn any_part_of_our_ext4_is_ours() {
    private(|| {
        let disk = ext4(OURS);
        assert_eq!(prove(&disk), Ok(()));
        disk.zero(0, 4096);
        assert_eq!(prove(&disk), Ok(()), "only backups left");
    });
}

#[test]
fn a_foreign_ext4_is_not_ours() {
    private(|| {
        let disk = ext4(OTHER);
        assert_eq!(prove(&disk), other("ext at offset 1080"));
        disk.zero(0, 4096);
        assert_eq!(prove(&disk), other("ext at offset 8389688"));
    });
}

#[test]
fn any_other_signature_is_not_ours() {
    for (offset, magic, name) in [
        (0, &b"LUKS\xba\xbe\0\x01"[..], "crypto_LUKS at offset 0"),
        (512, b"LABELONE", "LVM2_member at offset 512"),
        (24 * MIB - 512, b"EFI PART", "gpt backup at offset 25165312"),
    ] {
        for disk in [LoopDisk::new(24 * MIB), ext4(OURS)] {
            disk.write(offset, magic);
            assert_eq!(prove(&disk), other(name));
        }
    }
}

#[test]
fn an_ext4_that_was_mounted_is_not_made_again() {
    private(|| {
        let disk = ext4(OURS);
        let dir = disk.dir().join("mnt");
        std::fs::create_dir(&dir).unwrap();
        run(&format!("mount {} {}", disk.path().display(), dir.display()));
        run(&format!("umount {}", dir.display()));
        let expected = "its file system has been mounted since it was made";
        assert_eq!(prove(&disk), Err(expected.to_owned()));
    });
}

#[test]
fn an_xfs_is_ours_until_its_mkfs_has_finished() {
    private(|| {
        let disk = LoopDisk::formatted(300 * MIB, &format!("mkfs.xfs -q -m uuid={OURS}"));
        let finished = "its mkfs had finished: the file system can be checked and mounted as it is";
        assert_eq!(prove(&disk), Err(finished.to_owned()));
        disk.write(126, &[1]);
        assert_eq!(prove(&disk), Ok(()));
    });
}
