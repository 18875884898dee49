//! How much of a disk is to be read, and was.

use std::{cmp, fmt, time::Duration};

/// How much of a disk is read before it counts as blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlankCheck {
    /// Everything that file systems and the like need to be found or repaired, the start of every 64 MiB, and of
    /// the rest as much as there is time for: first a sample in each MiB, then everything. What it may miss is
    /// data without any signature in the unread parts of an otherwise empty disk.
    Sampled {
        /// How long samples are read. What must be read is read whatever time it takes.
        budget: Duration,
        /// Decides where the samples are: give each call another one.
        seed: u64,
    },
    /// Every byte.
    Full,
}

impl BlankCheck {
    /// The same, with samples at other places.
    pub fn with_seed(self, seed: u64) -> Self {
        match self {
            Self::Sampled { budget, .. } => Self::Sampled { budget, seed },
            Self::Full => Self::Full,
        }
    }
}

impl Default for BlankCheck {
    /// Ten seconds, and always the same places.
    fn default() -> Self {
        Self::Sampled { budget: BUDGET, seed: 0 }
    }
}

/// How much of a part of a disk was read, and found to be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// The bytes of the part.
    pub size: u64,
    /// How many of them were read, once or more often.
    pub read: u64,
    /// The most bytes in a row that were not read.
    pub largest_gap: u64,
    /// Whether the budget of time ended the reading.
    pub cut: bool,
    /// Whether the target says that the rest is deallocated too, and that this reads as zeros.
    pub deallocated: bool,
}

impl Coverage {
    /// Whether it holds for every byte, by reading or because the target says so: more than a sample.
    pub fn is_proof(&self) -> bool {
        self.largest_gap == 0 || self.deallocated
    }

    /// The coverage where the target says that all is deallocated, and `read` bytes were read beside.
    pub(crate) fn deallocated(size: u64, read: u64) -> Self {
        let read = cmp::min(read, size);
        Self { size, read, largest_gap: size - read, cut: false, deallocated: true }
    }

    pub(crate) fn complete(size: u64) -> Self {
        Self { size, read: size, largest_gap: 0, cut: false, deallocated: false }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, read, largest_gap, deallocated, .. } = self;
        if *largest_gap == 0 {
            return write!(f, "proven: all {size} bytes were read, all of them zeros");
        }
        if *deallocated {
            return write!(
                f,
                "proven: the target says that all {size} bytes are deallocated and read as zeros, and {read} bytes \
                 were read, all of them zeros"
            );
        }
        write!(
            f,
            "sampled: {read} of {size} bytes were read, all of them zeros, with at most {largest_gap} between two \
             places{}",
            if self.cut { ", when the time for it was up" } else { "" }
        )
    }
}

const BUDGET: Duration = Duration::from_secs(10);
