//! Which parts of a disk are read to learn what it holds.

use std::{cmp, iter, ops::Range};

use crate::signature;

/// Bytes of the disk, from and to, in multiples of [`ALIGNMENT`] except at the disk's end.
pub(crate) type Extent = Range<u64>;

/// What of a disk of so many bytes is read.
pub(crate) type Plan = fn(u64) -> Vec<Extent>;

/// Everything.
pub(crate) fn full(size: u64) -> Vec<Extent> {
    merged(iter::once(0..size).collect(), size)
}

/// Where file systems, partition tables and volume managers put what they need to be found again
/// or repaired, and samples of everything between.
pub(crate) fn sampled(size: u64) -> Vec<Extent> {
    let mut wanted = signature_places(size);
    wanted.push(0..EDGE);
    wanted.push(size.saturating_sub(EDGE)..size);
    for ag in signature::xfs_group_starts(size) {
        wanted.push(ag.saturating_sub(SAMPLE)..ag + SAMPLE);
    }
    wanted.extend(samples(size));
    merged(wanted, size)
}

/// Only where signatures are.
pub(crate) fn signatures(size: u64) -> Vec<Extent> {
    merged(signature_places(size), size)
}

/// Only where signatures are that say by themselves what is there.
pub(crate) fn primaries(size: u64) -> Vec<Extent> {
    let conclusive = signature::candidates(size).filter(signature::Candidate::is_primary);
    merged(conclusive.map(|candidate| candidate.window()).collect(), size)
}

fn signature_places(size: u64) -> Vec<Extent> {
    signature::candidates(size).map(|candidate| candidate.window()).collect()
}

/// One sample out of each 256th of the disk, at a place that looks random but is always the same,
/// so that data laid out in regular steps does not slip between them.
fn samples(size: u64) -> impl Iterator<Item = Extent> {
    let stratum = size / SAMPLES;
    (0..SAMPLES).map(move |index| {
        let room = stratum.saturating_sub(SAMPLE);
        let start = index * stratum + scrambled(index) % cmp::max(room, 1);
        start..start + SAMPLE
    })
}

/// The finaliser of SplitMix64: every bit of the input changes every bit of the output.
fn scrambled(index: u64) -> u64 {
    let mut z = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
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
const EDGE: u64 = 16 << 20;
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
            for plan in [full(size), sampled(size), signatures(size), primaries(size)] {
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
    fn a_full_plan_is_one_extent() {
        for size in sizes() {
            let whole = 0..size;
            assert_eq!(full(size), [whole]);
        }
    }

    #[test]
    fn a_small_disk_is_read_whole() {
        for size in [512, 4096, 20 * MIB, 32 * MIB, 32 * MIB - 512] {
            let whole = 0..size;
            assert_eq!(sampled(size), [whole]);
        }
    }

    #[track_caller]
    fn check_reads(size: u64, wanted: Extent) {
        assert!(covers(&sampled(size), wanted.clone()), "{size}: {wanted:?}");
    }

    #[test]
    fn head_and_tail_are_read() {
        for size in sizes() {
            check_reads(size, 0..cmp::min(size, 16 * MIB));
            check_reads(size, size.saturating_sub(16 * MIB)..size);
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
    }

    #[test]
    fn second_headers_of_luks_are_read() {
        for shift in 14..=22 {
            check_reads(50 * GIB, 1 << shift..(1 << shift) + 4096);
        }
    }

    #[test]
    fn samples_lie_in_every_256th() {
        for size in [50 * GIB, TIB, 32 * TIB] {
            let plan = sampled(size);
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
            let bytes: u64 = sampled(size).iter().map(|e| e.end - e.start).sum();
            assert!(bytes <= 56 * MIB, "{size}: {bytes}");
            let bytes: u64 = signatures(size).iter().map(|e| e.end - e.start).sum();
            assert!(bytes <= 6 * MIB, "{size}: {bytes}");
        }
    }
}
