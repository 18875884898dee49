//! Which parts of a disk are read to learn what it holds.

use std::{cmp, ops::Range};

use crate::signature;

/// Bytes of the disk, from and to, in multiples of [`ALIGNMENT`] except at the disk's end.
pub(crate) type Extent = Range<u64>;

/// Where file systems, partition tables and volume managers put what they need to be found again
/// or repaired, and where partitions commonly start.
pub(crate) fn known_places(size: u64) -> Vec<Extent> {
    merged(wanted(size).collect(), size)
}

/// As [`known_places`], and a few samples of everything between, whose places depend on `seed`.
pub(crate) fn sampled(size: u64, seed: u64) -> Vec<Extent> {
    merged(wanted(size).chain(samples(size, seed)).collect(), size)
}

fn wanted(size: u64) -> impl Iterator<Item = Extent> {
    let groups = signature::xfs_group_starts(size);
    signature_places(size)
        .chain(groups.map(|group| group.saturating_sub(SAMPLE)..group + SAMPLE))
        .chain(partition_starts())
        .chain(edges(&(0..size)))
}

/// The first and the last bytes of a part of a disk.
pub(crate) fn edges(part: &Extent) -> [Extent; 2] {
    let head = cmp::min(part.start.saturating_add(EDGE), part.end);
    let tail = cmp::max(part.end.saturating_sub(EDGE), part.start);
    [part.start..head, tail..part.end]
}

/// Together, without overlap.
pub(crate) fn bytes(extents: &[Extent]) -> u64 {
    extents.iter().map(|extent| extent.end - extent.start).sum()
}

/// Only where signatures are.
pub(crate) fn signatures(size: u64) -> Vec<Extent> {
    merged(signature_places(size).collect(), size)
}

/// Only where signatures are that say by themselves what is there.
pub(crate) fn primaries(size: u64) -> Vec<Extent> {
    let conclusive = signature::candidates(size).filter(signature::Candidate::is_primary);
    merged(conclusive.map(|candidate| candidate.window()).collect(), size)
}

fn signature_places(size: u64) -> impl Iterator<Item = Extent> {
    signature::candidates(size).map(|candidate| candidate.window())
}

/// Where the second partition of a disk commonly starts: tools let the first one start at 1 MiB, or at 0 of
/// what follows a small one, and make it of a round size.
fn partition_starts() -> impl Iterator<Item = Extent> {
    let mib = SMALL_PARTITIONS.iter().copied();
    let gib = LARGE_PARTITIONS.iter().map(|gib| gib << 10);
    mib.chain(gib).flat_map(|size| [size << 20, (size + 1) << 20]).map(|start| {
        // a superblock lies within the first 64 KiB of its partition, that of btrfs directly behind
        start..start + SAMPLE + ALIGNMENT
    })
}

/// One sample out of each 256th of the disk, at a place that looks random, so that data laid out in
/// regular steps does not slip between them.
fn samples(size: u64, seed: u64) -> impl Iterator<Item = Extent> {
    let stratum = size / SAMPLES;
    (0..SAMPLES).map(move |index| {
        let room = stratum.saturating_sub(SAMPLE);
        let start = index * stratum + scrambled(seed, index) % cmp::max(room, 1);
        start..start + SAMPLE
    })
}

/// The finaliser of SplitMix64: every bit of the input changes every bit of the output.
pub(crate) fn scrambled(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Aligned, cut at the disk's end, in order, without overlap, and without small gaps.
fn merged(mut extents: Vec<Extent>, size: u64) -> Vec<Extent> {
    for extent in &mut extents {
        extent.start -= extent.start % ALIGNMENT;
        extent.end = cmp::min(extent.end.next_multiple_of(ALIGNMENT), size);
    }
    extents.retain(|extent| extent.start < extent.end);
    extents.sort_by_key(|extent| extent.start);
    let mut merged: Vec<Extent> = Vec::with_capacity(extents.len());
    for extent in extents {
        match merged.last_mut() {
            Some(last) if extent.start <= last.end.saturating_add(GAP) => {
                last.end = cmp::max(last.end, extent.end)
            }
            _ => merged.push(extent),
        }
    }
    merged
}

/// Direct reads start and end at such offsets; no disk has larger logical blocks.
pub(crate) const ALIGNMENT: u64 = 4096;
/// To read as much costs less than another round trip.
const GAP: u64 = 64 << 10;
/// What partitioning tools and file systems leave to themselves at either end is 16 MiB at most; the last of
/// these MiB is what lies directly behind.
const EDGE: u64 = 17 << 20;
/// Sizes of boot and EFI partitions, in MiB.
const SMALL_PARTITIONS: [u64; 14] =
    [16, 100, 128, 200, 256, 260, 300, 400, 499, 500, 512, 550, 600, 650];
/// And of first partitions of any use, in GiB.
const LARGE_PARTITIONS: [u64; 14] = [1, 2, 4, 5, 8, 10, 16, 20, 25, 30, 32, 40, 50, 100];
const SAMPLES: u64 = 256;
const SAMPLE: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    const TIB: u64 = 1 << 40;

    fn sizes() -> impl Iterator<Item = u64> {
        [1, 8, 4096, 32 * KIB, 16 * MIB, 32 * MIB, 50 * GIB, 256 * GIB, TIB, 32 * TIB]
            .into_iter()
            .flat_map(|n: u64| [n - n % 512, n + 512, (n + 3 * MIB + 512) / 512 * 512])
            .filter(|size| *size > 0)
    }

    fn covers(extents: &[Extent], wanted: Extent) -> bool {
        extents.iter().any(|e| e.start <= wanted.start && wanted.end <= e.end)
    }

    #[test]
    fn every_plan_is_ordered_aligned_and_within_the_disk() {
        for size in sizes() {
            for plan in [known_places(size), sampled(size, 1), signatures(size), primaries(size)] {
                for extent in &plan {
                    assert!(extent.start < extent.end && extent.end <= size, "{size}: {extent:?}");
                    assert_eq!(extent.start % ALIGNMENT, 0);
                    assert!(extent.end % ALIGNMENT == 0 || extent.end == size);
                }
                assert!(plan.windows(2).all(|pair| pair[0].end < pair[1].start), "{size}");
            }
        }
    }

    #[test]
    fn a_small_disk_is_read_whole() {
        for size in [512, 4096, 20 * MIB, 32 * MIB, 32 * MIB - 512] {
            let whole = 0..size;
            assert_eq!(known_places(size), [whole]);
        }
    }

    #[track_caller]
    fn check_reads(size: u64, wanted: Extent) {
        assert!(covers(&known_places(size), wanted.clone()), "{size}: {wanted:?}");
    }

    #[test]
    fn head_and_tail_are_read() {
        for size in sizes() {
            check_reads(size, 0..cmp::min(size, 17 * MIB));
            check_reads(size, size.saturating_sub(17 * MIB)..size);
        }
    }

    #[test]
    fn backups_of_ext_are_read_for_every_block_size() {
        let size = 10 * TIB;
        for block in [KIB, 2 * KIB, 4 * KIB, 64 * KIB] {
            let group = 8 * block * block;
            for n in [1_u64, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343, 625, 729] {
                let start = n * group + if block == KIB { KIB } else { 0 };
                if start + KIB <= size {
                    check_reads(size, start..start + KIB);
                }
            }
        }
    }

    #[test]
    fn mirrors_of_btrfs_are_read() {
        check_reads(TIB, 64 * MIB..64 * MIB + 4096);
        check_reads(TIB, 256 * GIB..256 * GIB + 4096);
    }

    #[test]
    fn allocation_groups_of_xfs_are_read() {
        for size in [GIB, 50 * GIB, 50 * GIB + 512 * 77] {
            for quarter in 1..4 {
                let start = size / 4 * quarter;
                check_reads(size, start - start % 4096..start + 4096);
            }
        }
        // From 4 TiB on one every TiB, however large the disk.
        for start in (1..100).map(|n| n * TIB) {
            check_reads(100 * TIB, start..start + 4096);
        }
    }

    #[test]
    fn second_headers_of_luks_are_read() {
        for shift in 14..=22 {
            check_reads(50 * GIB, 1 << shift..(1 << shift) + 4096);
        }
    }

    #[test]
    fn common_starts_of_partitions_are_read() {
        let size = 200 * GIB;
        // sector 63, and 1 MiB
        check_reads(size, 63 * 512..63 * 512 + 72 * KIB);
        for start in [MIB, 101 * MIB, 512 * MIB, 513 * MIB, GIB, GIB + MIB, 100 * GIB + MIB] {
            check_reads(size, start..start + 68 * KIB);
        }
    }

    #[test]
    fn another_seed_looks_at_other_places() {
        let places = |seed| samples(50 * GIB, seed).collect::<Vec<_>>();
        let (first, second) = (places(1), places(2));
        let same = first.iter().filter(|place| second.contains(place)).count();
        assert!(same < 4, "{same}");
        assert_eq!(first, places(1));
    }

    #[test]
    fn samples_lie_in_every_256th() {
        for size in [50 * GIB, TIB, 32 * TIB] {
            let plan = sampled(size, 7);
            for index in 0..256 {
                let (from, to) = (size / 256 * index, size / 256 * (index + 1));
                let sample =
                    |e: &Extent| e.start >= from && e.end <= to && e.end - e.start >= SAMPLE;
                assert!(plan.iter().any(sample) || from < EDGE || to > size - EDGE, "{index}");
            }
        }
    }

    #[test]
    fn a_plan_stays_small() {
        for size in sizes() {
            let bytes: u64 = sampled(size, 7).iter().map(|e| e.end - e.start).sum();
            assert!(bytes <= 64 * MIB, "{size}: {bytes}");
            let bytes: u64 = signatures(size).iter().map(|e| e.end - e.start).sum();
            assert!(bytes <= 6 * MIB, "{size}: {bytes}");
        }
    }
}
