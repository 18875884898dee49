//! Disks that are blank, and what their proof is worth.

use std::time::Duration;

use clock::ManualClock;
use disk::{Access, BlankCheck, Contents};

use crate::{
    loop_disk::LoopDisk,
    namespace::private,
    tool::{runner, try_run},
};

const MIB: u64 = 1 << 20;

#[test]
fn a_blank_disk_of_any_size_is_proven_blank() {
    private(|| {
        for (size, check) in [
            (512, BlankCheck::Full),
            (4096, BlankCheck::default()),
            (77 * 512, BlankCheck::default()),
            (MIB + 512, BlankCheck::Full),
            (33 * MIB + 3 * 512, BlankCheck::default()),
            (100 * MIB + 7 * 512, BlankCheck::Full),
            (50 * 1024 * MIB, BlankCheck::Sampled { budget: Duration::ZERO, seed: 3 }),
        ] {
            let disk = LoopDisk::new(size);
            let opened = disk.open();
            let writes = disk.writes();
            let clock = ManualClock::default();
            let blank = opened.prove_blank(&runner(), &clock, check).unwrap();
            assert_eq!((blank.path(), blank.size()), (disk.path(), size));
            assert_eq!((blank.number(), blank.is_unfinished()), (opened.number(), false));
            assert_eq!(clock.slept(), [Duration::from_secs(1)]);
            assert_eq!(opened.contents(&runner()).unwrap(), Contents::Nothing);
            assert_eq!(disk.writes(), writes);
        }
    });
}

#[test]
fn a_proven_disk_is_claimed_until_it_is_released() {
    private(|| {
        let disk = LoopDisk::new(20 * MIB);
        let opened = disk.open();
        let prove =
            || opened.prove_blank(&runner(), &ManualClock::default(), BlankCheck::default());
        let blank = prove().unwrap();
        assert!(opened.claim(Access::Read).unwrap_err().is_in_use());
        assert!(prove().unwrap_err().is_in_use());
        let mkfs = format!("mke2fs -q -F -t ext4 {}", disk.path().display());
        let (code, text) = try_run(&mkfs);
        assert_eq!(code, Some(1), "{text}");

        let released = blank.release().unwrap();
        assert_eq!(released.number(), opened.number());
        drop(opened.claim(Access::Write).unwrap());
        assert_eq!(try_run(&mkfs).0, Some(0));
    });
}

#[test]
fn a_dropped_proof_gives_the_disk_back() {
    private(|| {
        let disk = LoopDisk::new(MIB);
        let opened = disk.open();
        drop(opened.prove_blank(&runner(), &ManualClock::default(), BlankCheck::Full).unwrap());
        opened.claim(Access::Write).unwrap();
    });
}

#[test]
fn a_disk_that_changed_after_the_proof_is_not_released() {
    let disk = LoopDisk::new(MIB);
    let blank =
        disk.open().prove_blank(&runner(), &ManualClock::default(), BlankCheck::default()).unwrap();
    disk.truncate(2 * MIB);
    let (code, text) = try_run(&format!("losetup --set-capacity {}", disk.path().display()));
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(
        disk.anonymous(&blank.release().unwrap_err()),
        "DISK changed under the call: 1048576 bytes before, 2097152 bytes now"
    );
}
