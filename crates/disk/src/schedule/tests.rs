//! Where samples lie, and what they are worth.

use super::*;
use crate::extents;

const MIB: u64 = 1 << 20;

/// The gaps between the places of all steps to `last`.
fn gaps(items: impl Iterator<Item = Item>, part: &Extent) -> u64 {
    let mut extents: Vec<_> = items.map(|item| item.extent).collect();
    extents.sort_by_key(|extent| extent.start);
    let mut end = part.start;
    let mut largest = 0;
    for extent in extents {
        assert!(part.start <= extent.start && extent.end <= part.end, "{extent:?}");
        largest = cmp::max(largest, extent.start.saturating_sub(end));
        end = cmp::max(end, extent.end);
    }
    cmp::max(largest, part.end - end)
}

fn parts() -> [Extent; 4] {
    [0..5 * BLOCK, 0..3 * BLOCK + 777 * 512, 300 * MIB..2048 * MIB, 5 * 4096..BLOCK]
}

#[test]
fn after_every_round_the_gap_is_bounded() {
    for part in parts() {
        for seed in [0, 1, u64::MAX] {
            for round in 1..SAMPLE_ROUNDS {
                let step = Step::Samples(round);
                let is_done = |item: &Item| match item.step {
                    Step::Always => true,
                    Step::Samples(it) => it <= round,
                    Step::Whole(_) => false,
                };
                let gap = gaps(sampled(&part, Vec::new(), seed).filter(is_done), &part);
                assert!(gap <= step.largest_gap(), "{part:?} {round}: {gap}");
            }
        }
        for round in 0..PIECES {
            let step = Step::Whole(round);
            let is_done = |item: &Item| match item.step {
                Step::Always => true,
                Step::Samples(_) => false,
                Step::Whole(it) => it <= round,
            };
            let gap = gaps(full(&part, Vec::new()).filter(is_done), &part);
            assert!(gap <= BLOCK >> (round + 1).ilog2(), "{part:?} {round}: {gap}");
            assert!(gap == 0 || step.largest_gap() > 0);
        }
    }
    assert_eq!(Step::Samples(SAMPLE_ROUNDS - 1).largest_gap(), MIB - SAMPLE);
}

#[test]
fn no_place_is_sampled_twice() {
    let part = 0..3 * BLOCK;
    let items = sampled(&part, Vec::new(), 5).filter(|item| !matches!(item.step, Step::Whole(_)));
    let mut starts: Vec<_> = items.map(|item| item.extent.start).collect();
    assert_eq!(starts.len() as u64, 3 * SAMPLE_ROUNDS);
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts.len() as u64, 3 * SAMPLE_ROUNDS);
}

#[test]
fn the_start_of_every_block_comes_first() {
    let part = 0..32 << 40;
    let mut items = sampled(&part, Vec::new(), 9);
    for block in 0..(32_u64 << 40) / BLOCK {
        let item = items.next().unwrap();
        let start = block * BLOCK;
        assert_eq!(item.step, Step::Always);
        assert!(item.extent.contains(&start) && (start == 0 || item.extent.contains(&(start - 1))));
    }
    assert_eq!(items.next().unwrap().step, Step::Samples(1));
}

#[test]
fn another_seed_samples_other_places() {
    let part = 0..10 * BLOCK;
    let samples = |seed| {
        let items =
            sampled(&part, Vec::new(), seed).filter(|it| matches!(it.step, Step::Samples(_)));
        items.map(|item| item.extent.start).collect::<Vec<_>>()
    };
    let (first, second) = (samples(1), samples(2));
    let same = first.iter().filter(|start| second.contains(start)).count();
    assert!(same < first.len() / 20, "{same} of {}", first.len());
    // Nor are blocks alike.
    let within: Vec<_> = first.iter().take(10).map(|start| start % BLOCK).collect();
    assert!(within.iter().any(|it| *it != within[0]), "{within:?}");
}

#[test]
fn what_comes_first_is_read_in_pieces() {
    let part = 0..BLOCK;
    let first = 100..2 * PIECE + 200;
    let extents: Vec<_> = full(&part, vec![first]).take(3).map(|item| item.extent).collect();
    assert_eq!(
        extents,
        [100..PIECE + 100, PIECE + 100..2 * PIECE + 100, 2 * PIECE + 100..2 * PIECE + 200]
    );
}

/// How likely it is that `length` bytes of data, anywhere, lie between samples, when each part of `width` bytes
/// has one.
fn miss(length: u64, width: u64) -> f64 {
    if length >= BLOCK {
        // It holds the start of a block.
        return 0.0;
    }
    let (length, width) = ((length + SAMPLE) as f64, width as f64);
    if length >= 2.0 * width {
        return 0.0;
    }
    // The data begins at `start` of a part, and the sample is not in what it covers of this one and the next.
    let covered = |from: f64, to: f64| (to.min(1.0) - from.max(0.0)).clamp(0.0, 1.0);
    let steps = 10_000;
    let missed = (0..steps).map(|step| {
        let start = (f64::from(step) + 0.5) / f64::from(steps);
        let end = start + length / width;
        (0..3)
            .map(|part| 1.0 - covered(start - f64::from(part), end - f64::from(part)))
            .product::<f64>()
    });
    missed.sum::<f64>() / f64::from(steps)
}

#[test]
fn data_is_missed_as_often_as_it_is_said() {
    let part = 0..50 * BLOCK;
    for (rounds, length) in [(31, MIB), (31, MIB / 4), (127, MIB / 2), (7, 4 * MIB)] {
        let is_done = |item: &Item| match item.step {
            Step::Always => true,
            Step::Samples(it) => it <= rounds,
            Step::Whole(_) => false,
        };
        let mut starts: Vec<_> =
            sampled(&part, Vec::new(), 3).filter(is_done).map(|it| it.extent.start).collect();
        starts.sort_unstable();
        let tries = 4000;
        let missed = (0..tries).filter(|n| {
            let at = scrambled(77, *n) % (part.end - length);
            let next = starts.partition_point(|start| start + SAMPLE <= at);
            starts.get(next).is_none_or(|start| *start >= at + length)
        });
        let seen = missed.count() as f64 / tries as f64;
        let said = miss(length, BLOCK >> (rounds + 1).ilog2());
        assert!((seen - said).abs() < 0.03, "{rounds} {length}: {seen}, not {said}");
    }
}

/// The table of docs/configuration.md, for volumes that give so many reads a second.
#[test]
fn the_documentation_says_what_sampling_is_worth() {
    let text = include_str!("../../../../docs/configuration.md");
    for (size, name, rate) in
        [(50 << 30, "50 GB", 3_000), (1 << 40, "1 TB", 25_000), (32 << 40, "32 TB", 25_000)]
    {
        let (blocks, seconds) = (size / BLOCK, 10);
        let samples = u64::saturating_sub(rate * seconds, blocks);
        let (rounds, known) = (samples / blocks, extents::known_places(size));
        let read = extents::bytes(&known) + (blocks + samples) * SAMPLE;
        let gap = if rounds == 0 { Step::Always } else { Step::Samples(rounds) }.largest_gap();
        let width = BLOCK >> (rounds + 1).ilog2();
        let chances = [MIB, 100 * MIB, 1024 * MIB]
            .map(|length| format!("{:.0} %", miss(length, width) * 100.0));
        let row = format!(
            "| {name} | {rate} | {} MB | {:.4} % | {} MiB | {} |",
            read / 1_000_000,
            read as f64 / size as f64 * 100.0,
            gap.div_ceil(MIB),
            chances.join(" | ")
        );
        assert!(text.contains(&row), "docs/configuration.md lacks {row}");
    }
}
