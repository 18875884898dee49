//! Which places of a part of a disk are read, and in what order, so that an end at any moment leaves what was
//! read spread evenly.
//!
//! The part is divided into blocks of 64 MiB. A round reads one place in each block: in round 0 the block's
//! start, in the next ones a place that looks random in the half, then the quarter, … that has none yet, and at
//! last, MiB by MiB, everything.

use std::cmp;

use crate::extents::{ALIGNMENT, Extent, scrambled};

/// What is read next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) extent: Extent,
    pub(crate) step: Step,
}

/// How far the reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// What is read whatever time it takes: the edges and the start of each block.
    Always,
    /// The samples of this round, from 1 on.
    Samples(u64),
    /// One MiB of each block: the round, from 0 on.
    Whole(u64),
}

impl Step {
    /// The most bytes between two places that were read, when this step has been done.
    pub(crate) fn largest_gap(self) -> u64 {
        match self {
            Self::Always => BLOCK - SAMPLE,
            Self::Samples(round) => 2 * (BLOCK >> (round + 1).ilog2()) - SAMPLE,
            Self::Whole(round) if round + 1 == PIECES => 0,
            // Samples have come before.
            Self::Whole(round) => {
                let gap = (BLOCK >> (round + 1).ilog2()) - PIECE;
                cmp::min(gap, Self::Samples(SAMPLE_ROUNDS - 1).largest_gap())
            }
        }
    }
}

/// All that is read, in order.
pub(crate) type Items = Box<dyn Iterator<Item = Item> + Send>;

/// All places of `part`, after `first`: samples of it, then all of it.
pub(crate) fn sampled(part: &Extent, first: Vec<Extent>, seed: u64) -> Items {
    let samples = places(part.clone(), (1..SAMPLE_ROUNDS).map(Step::Samples), seed);
    Box::new(always(part, first).chain(samples).chain(whole(part)))
}

/// All of `part`, after `first`, without samples.
pub(crate) fn full(part: &Extent, first: Vec<Extent>) -> Items {
    Box::new(always(part, first).chain(whole(part)))
}

fn always(part: &Extent, first: Vec<Extent>) -> Items {
    let first = first.into_iter().flat_map(pieces);
    let first = first.map(|extent| Item { extent, step: Step::Always });
    Box::new(first.chain(places(part.clone(), [Step::Always].into_iter(), 0)))
}

fn whole(part: &Extent) -> Items {
    Box::new(places(part.clone(), (0..PIECES).map(Step::Whole), 0))
}

/// The place of each block, round by round.
fn places(
    part: Extent,
    steps: impl Iterator<Item = Step> + Send,
    seed: u64,
) -> impl Iterator<Item = Item> + Send {
    let blocks = part.start / BLOCK..part.end.div_ceil(BLOCK);
    steps.flat_map(move |step| {
        let part = part.clone();
        blocks.clone().filter_map(move |block| {
            let extent = place(step, block, seed);
            let extent = cmp::max(extent.start, part.start)..cmp::min(extent.end, part.end);
            (extent.start < extent.end).then_some(Item { extent, step })
        })
    })
}

/// What of a block is read in this step.
fn place(step: Step, block: u64, seed: u64) -> Extent {
    let start = block * BLOCK;
    match step {
        Step::Always => start.saturating_sub(SAMPLE / 2)..start + SAMPLE / 2,
        Step::Samples(round) => {
            let level = round.ilog2() + 1;
            let parent = reversed(round - (1 << (level - 1)), level - 1);
            let place = start + new_sample(level, parent, seed ^ scrambled(seed, block));
            place..place + SAMPLE
        }
        Step::Whole(round) => {
            let place = start + reversed(round, PIECES.ilog2()) * PIECE;
            place..place + PIECE
        }
    }
}

/// The sample of this level in the half of part `parent` of the level before that has none yet.
fn new_sample(level: u32, parent: u64, seed: u64) -> u64 {
    let width = BLOCK >> level;
    let has_first = sample(level - 1, parent, seed) < (2 * parent + 1) * width;
    random(level, 2 * parent + u64::from(has_first), seed)
}

/// Where the sample in part `index` of a block is, when the block is divided into `1 << level` parts.
fn sample(level: u32, index: u64, seed: u64) -> u64 {
    if level == 0 {
        return 0;
    }
    let parent = sample(level - 1, index / 2, seed);
    let width = BLOCK >> level;
    if parent / width == index { parent } else { random(level, index, seed) }
}

fn random(level: u32, index: u64, seed: u64) -> u64 {
    let width = BLOCK >> level;
    let places = (width - SAMPLE) / ALIGNMENT + 1;
    index * width + scrambled(seed, (1 << level) + index) % places * ALIGNMENT
}

/// The lowest `bits` bits in the opposite order.
fn reversed(number: u64, bits: u32) -> u64 {
    if bits == 0 { 0 } else { number.reverse_bits() >> (u64::BITS - bits) }
}

fn pieces(extent: Extent) -> impl Iterator<Item = Extent> + Send {
    let end = extent.end;
    let starts = (extent.start..end).step_by(PIECE as usize);
    starts.map(move |start| start..cmp::min(start + PIECE, end))
}

pub(crate) const BLOCK: u64 = 64 << 20;
/// Two pages: it costs no more than one, and what begins or ends between them is seen.
pub(crate) const SAMPLE: u64 = 8 << 10;
const PIECE: u64 = crate::reader::PIECE;
/// Rounds until everything is read.
pub(crate) const PIECES: u64 = BLOCK / PIECE;
/// The last halves parts of 1 MiB, which leaves less than 1 MiB between two samples.
pub(crate) const SAMPLE_ROUNDS: u64 = 1 << 7;

#[cfg(test)]
mod tests;
