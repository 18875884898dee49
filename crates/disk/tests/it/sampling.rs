//! How much of a disk is read before it counts as blank, and of what lies behind a file system.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use clock::{Clock, ManualClock};
use disk::{BlankCheck, Coverage};

use crate::{
    loop_disk::LoopDisk,
    namespace::private,
    tool::{run, runner},
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// No time for more than what must be read.
const AT_LEAST: BlankCheck = BlankCheck::Sampled { budget: Duration::ZERO, seed: 0 };

/// What is read of the disk, or the reason why it is not blank.
fn prove_with(disk: &LoopDisk, clock: &dyn Clock, check: BlankCheck) -> Result<Coverage, String> {
    match disk.open().prove_blank(&runner(), clock, check) {
        Ok(blank) => Ok(blank.coverage().unwrap()),
        Err(error) => {
            assert!(error.is_not_blank(), "{error:?}");
            let message = disk.anonymous(&error);
            let (_, what) = message.split_once("it holds ").unwrap();
            Err(what.split_once(" (if").unwrap().0.to_owned())
        }
    }
}

fn prove(disk: &LoopDisk, check: BlankCheck) -> Result<Coverage, String> {
    prove_with(disk, &ManualClock::default(), check)
}

fn data_at(offset: u64) -> Result<Coverage, String> {
    Err(format!("data of unknown kind at offset {offset}"))
}

/// Time does not pass on this clock, so there is enough of it to read everything.
#[test]
fn a_sector_anywhere_is_found_where_there_is_time_to_read_everything() {
    private(|| {
        let size = 2 * GIB;
        let disk = LoopDisk::new(size);
        let mut place = 88_172_645_463_325_252_u64;
        for round in 0..8 {
            // xorshift: any sector
            for shift in [13, -7, 17_i32] {
                place ^= if shift > 0 { place << shift } else { place >> -shift };
            }
            let offset = place % (size / 512) * 512;
            disk.write(offset, &[0x5a; 512]);
            let check = BlankCheck::Sampled { budget: Duration::from_secs(10), seed: round };
            assert_eq!(prove(&disk, check), data_at(offset));
            disk.zero(offset, 512);
        }
        let all = prove(&disk, BlankCheck::default()).unwrap();
        assert!(all.is_proof());
        assert_eq!((all.read, all.largest_gap, all.cut), (size, 0, false));
        assert_eq!(all.to_string(), "proven: all 2147483648 bytes were read, all of them zeros");
    });
}

#[test]
fn data_without_a_signature_is_found_wherever_it_lies() {
    private(|| {
        for (offset, length) in [
            (700 * MIB, 8 * MIB),
            // directly behind and before the edges
            (16 * MIB, 512),
            (17 * MIB, 512),
            (GIB - 16 * MIB - 512, 512),
            (GIB - 17 * MIB - 512, 512),
            (64 * MIB - 512, 512),
            (64 * MIB, 512),
            // the last bytes of a quarter that is no MiB
            (GIB / 4 + 68 * KIB, 512),
        ] {
            let disk = LoopDisk::new(GIB);
            disk.write(offset, &vec![7; length as usize]);
            assert_eq!(prove(&disk, BlankCheck::default()), data_at(offset));
            assert_eq!(prove(&disk, BlankCheck::Full), data_at(offset));
        }
    });
}

#[test]
fn a_file_system_behind_a_zapped_partition_table_is_found() {
    private(|| {
        let disk = LoopDisk::new(GIB);
        let inner = disk.dir().join("inner");
        std::fs::File::create(&inner).unwrap().set_len(MIB).unwrap();
        run(&format!("mke2fs -q -t ext4 {}", inner.display()));
        disk.write(100 * MIB, &std::fs::read(&inner).unwrap());
        for check in [BlankCheck::default(), BlankCheck::Full, AT_LEAST] {
            assert_eq!(prove(&disk, check), data_at(100 * MIB + KIB));
        }
    });
}

#[test]
fn what_must_be_read_is_read_without_any_time() {
    private(|| {
        let size = 3 * GIB + 5 * 512;
        let disk = LoopDisk::new(size);
        for offset in [
            0,
            63 * 512,
            MIB,
            16 * MIB,
            17 * MIB - 512,
            64 * MIB - 512,
            64 * MIB,
            30 * 64 * MIB,
            512 * MIB + MIB,
            GIB + MIB,
            size - 17 * MIB,
            size - 512,
        ] {
            disk.write(offset, &[1; 512]);
            assert_eq!(prove(&disk, AT_LEAST), data_at(offset));
            disk.zero(offset, 512);
        }
        let seen = prove(&disk, AT_LEAST).unwrap();
        assert!(!seen.is_proof() && seen.cut);
        assert_eq!(seen.largest_gap, 64 * MIB - 8 * KIB);
        assert!(seen.read > 34 * MIB && seen.read < 80 * MIB, "{}", seen.read);
        assert_eq!(
            seen.to_string(),
            format!(
                "sampled: {} of 3221228032 bytes were read, all of them zeros, with at most 67100672 \
                 between two places, when the time for it was up",
                seen.read
            )
        );
        // That is what the option `full` is for.
        disk.write(100 * MIB + 200 * KIB, &[1; 512]);
        assert_eq!(prove(&disk, AT_LEAST), Ok(seen));
        assert_eq!(prove(&disk, BlankCheck::Full), data_at(100 * MIB + 200 * KIB));
    });
}

/// Every look at this clock takes a millisecond, so a budget ends after so many reads.
#[derive(Debug, Default)]
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }
    fn sleep(&self, _: Duration) {}
}

#[test]
fn more_time_leaves_smaller_gaps() {
    private(|| {
        let disk = LoopDisk::new(4 * GIB);
        let mut before = 64 * MIB;
        // 64 blocks: 64 ms a round
        for (seconds, gap) in [(1, 16 * MIB), (3, 4 * MIB), (8, 2 * MIB), (9, MIB)] {
            let check = BlankCheck::Sampled { budget: Duration::from_secs(seconds), seed: 1 };
            let seen = prove_with(&disk, &Ticking::default(), check).unwrap();
            assert!(seen.cut && !seen.is_proof());
            assert!(seen.largest_gap <= gap && seen.largest_gap < before, "{seen}");
            before = seen.largest_gap;
        }
        let check = BlankCheck::Sampled { budget: Duration::from_secs(60), seed: 1 };
        assert!(prove_with(&disk, &Ticking::default(), check).unwrap().is_proof());
    });
}

#[test]
fn a_mib_of_data_is_found_by_samples() {
    private(|| {
        let disk = LoopDisk::new(4 * GIB);
        for seed in 0..6 {
            let offset = GIB + seed * 100_000_000 / 512 * 512;
            disk.write(offset, &vec![1; MIB as usize]);
            let check = BlankCheck::Sampled { budget: Duration::from_secs(9), seed };
            let found = prove_with(&disk, &Ticking::default(), check);
            assert_eq!(found, data_at(offset), "{seed}");
            disk.zero(offset, MIB as usize);
        }
    });
}

#[test]
fn a_disk_that_cannot_be_read_is_not_blank() {
    let disk = LoopDisk::new(GIB);
    let opened = disk.open();
    disk.truncate(600 * MIB);
    disk.truncate(GIB);
    // the file ends early, below the device
    disk.truncate(GIB - 64 * KIB);
    let proof = opened.prove_blank(&runner(), &ManualClock::default(), BlankCheck::default());
    let error = disk.anonymous(&proof.unwrap_err());
    assert!(error.starts_with("cannot read DISK at offset"), "{error}");
}

#[track_caller]
fn check_tail(disk: &LoopDisk, start: u64, check: BlankCheck, data: Option<u64>) {
    let proof = disk.open().prove_tail(&ManualClock::default(), start, check);
    let shown = proof.map(|tail| tail.coverage().size).map_err(|error| {
        assert!(error.is_not_blank());
        disk.anonymous(&error)
    });
    let expected = data.map_or(Ok(disk.open().size().saturating_sub(start)), |offset| {
        Err(format!(
            "DISK holds data of unknown kind at offset {offset}, behind the end of its file system at {start}"
        ))
    });
    assert_eq!(shown, expected);
}

#[test]
fn what_lies_behind_a_file_system_is_read() {
    private(|| {
        let size = GIB;
        let disk = LoopDisk::new(size);
        // Of the file system only what shares a page with its end.
        let start = 400 * MIB + KIB;
        disk.write(start - 512, &[1; 512]);
        for check in [BlankCheck::default(), BlankCheck::Full, AT_LEAST] {
            check_tail(&disk, start, check, None);
            for offset in [start, start + 512, start + 16 * MIB, 512 * MIB, size - 512] {
                disk.write(offset, b"x");
                check_tail(&disk, start, check, Some(offset));
                disk.zero(offset, 1);
            }
        }
        let hidden = 700 * MIB + 200 * KIB;
        disk.write(hidden, b"x");
        check_tail(&disk, start, AT_LEAST, None);
        check_tail(&disk, start, BlankCheck::default(), Some(hidden));
        // Nothing is left, or the file system is the larger one.
        for start in [size, size + 1] {
            check_tail(&disk, start, BlankCheck::default(), None);
        }
        check_tail(&disk, size - 512, BlankCheck::default(), None);
    });
}
