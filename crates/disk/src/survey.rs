//! Reading a part of a disk for anything that is not zero, as densely as a budget of time allows.

use std::{
    cmp,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use clock::Clock;

use crate::{
    BlankCheck, Coverage, Disk, Error,
    extents::{self, ALIGNMENT, Extent},
    reader::Reader,
    schedule::{self, BLOCK, Item, Items, PIECES, Step},
};

/// What a reading has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Nothing but zeros.
    Zeros(Coverage),
    /// The offset of the first byte that is not zero, in the 64 MiB where one was met first.
    Data(u64),
}

/// Reads `part` of the disk, of which `read` bytes at its edges, and no others, were read before; or none, and then
/// the edges come first.
///
/// # Errors
/// The first read that fails.
pub(crate) fn survey(
    disk: &Disk,
    clock: &dyn Clock,
    part: &Extent,
    check: BlankCheck,
    read: u64,
) -> Result<Finding, Error> {
    let size = part.end.saturating_sub(part.start);
    let edges = extents::edges(part);
    let is_small = edges[0].end >= edges[1].start;
    if is_small && read > 0 || size == 0 {
        return Ok(Finding::Zeros(Coverage::complete(size)));
    }
    let first = match (is_small, read) {
        (true, _) => vec![part.clone()],
        (false, 0) => edges.to_vec(),
        (false, _) => Vec::new(),
    };
    let (items, budget) = match check {
        BlankCheck::Full => (schedule::full(part, first), Duration::MAX),
        BlankCheck::Sampled { budget, seed } => (schedule::sampled(part, first, seed), budget),
    };
    let survey = Survey {
        disk,
        clock,
        budget,
        end: clock.monotonic().saturating_add(budget),
        progress: Mutex::new(Progress::of(items)),
    };
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| survey.work());
        }
    });
    let progress = survey.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = progress.error {
        return Err(error);
    }
    if let Some((_, offset)) = progress.hit {
        return Ok(Finding::Data(first_in_block(disk, part, offset)?));
    }
    Ok(Finding::Zeros(if progress.cut || !is_done(progress.done) {
        let (read, largest_gap) =
            (cmp::min(read + progress.read, size), progress.done.largest_gap());
        Coverage { size, read, largest_gap, cut: progress.cut, deallocated: false }
    } else {
        Coverage::complete(size)
    }))
}

/// What the readers share.
struct Survey<'a> {
    disk: &'a Disk,
    clock: &'a dyn Clock,
    budget: Duration,
    end: Duration,
    progress: Mutex<Progress>,
}

struct Progress {
    items: Items,
    /// How many were taken.
    taken: u64,
    /// The step of the item that was taken last, and when its like began.
    step: Step,
    whole_since: Option<Duration>,
    /// The last step of which all items were taken.
    done: Step,
    read: u64,
    /// The item with the lowest number that is not zero, and where it is not.
    hit: Option<(u64, u64)>,
    error: Option<Error>,
    cut: bool,
}

impl Survey<'_> {
    /// Reads item by item until there is an end to it. What was taken is read to its end, so that whatever comes
    /// before the hit with the lowest number has been read.
    fn work(&self) {
        let mut reader = match Reader::open(self.disk) {
            Ok(reader) => reader,
            Err(error) => return self.fail(error),
        };
        while let Some((number, extent)) = self.take() {
            let data = match first_data(&mut reader, self.disk, &extent) {
                Ok(data) => data,
                Err(error) => return self.fail(error),
            };
            let mut progress = self.progress();
            progress.read += extent.end - extent.start;
            if let Some(offset) = data
                && progress.hit.is_none_or(|(earlier, _)| number < earlier)
            {
                progress.hit = Some((number, offset));
            }
        }
    }

    fn take(&self) -> Option<(u64, Extent)> {
        let mut progress = self.progress();
        if progress.cut || progress.hit.is_some() || progress.error.is_some() {
            return None;
        }
        let Some(Item { extent, step }) = progress.items.next() else {
            progress.done = progress.step;
            return None;
        };
        if step != progress.step {
            (progress.done, progress.step) = (progress.step, step);
        }
        if step != Step::Always && !self.is_time_for(step, &mut progress) {
            progress.cut = true;
            return None;
        }
        progress.taken += 1;
        Some((progress.taken, extent))
    }

    /// Reading everything is given up when a tenth of the budget has shown that there is no time for it.
    fn is_time_for(&self, step: Step, progress: &mut Progress) -> bool {
        let now = self.clock.monotonic();
        if now >= self.end {
            return false;
        }
        let Step::Whole(round) = step else { return true };
        let since = *progress.whole_since.get_or_insert(now);
        let (took, left) = (now.saturating_sub(since), self.end - now);
        took < self.budget / 10
            || took.as_secs_f64() / round as f64 * (PIECES - round) as f64 <= left.as_secs_f64()
    }

    fn fail(&self, error: Error) {
        self.progress().error.get_or_insert(error);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn of(items: Items) -> Self {
        Self {
            items,
            taken: 0,
            step: Step::Always,
            whole_since: None,
            done: Step::Always,
            read: 0,
            hit: None,
            error: None,
            cut: false,
        }
    }
}

fn is_done(step: Step) -> bool {
    step.largest_gap() == 0
}

/// The first byte that is not zero in the block that holds `hit`: the same for all that is met of one thing.
fn first_in_block(disk: &Disk, part: &Extent, hit: u64) -> Result<u64, Error> {
    let before = cmp::max(hit - hit % BLOCK, part.start)..hit;
    let first = first_data(&mut Reader::open(disk)?, disk, &before)?;
    Ok(first.unwrap_or(hit))
}

/// Where in `extent` the first byte is that is not zero. What else lies in the pages at its ends is read, and
/// not looked at.
fn first_data(reader: &mut Reader<'_>, disk: &Disk, extent: &Extent) -> Result<Option<u64>, Error> {
    let end = cmp::min(extent.end.next_multiple_of(ALIGNMENT), disk.size());
    let mut first = None;
    reader.read(&(extent.start - extent.start % ALIGNMENT..end), |offset, bytes| {
        let within = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = within(extent.start)..cmp::min(within(extent.end), bytes.len());
        let start = offset + wanted.start as u64;
        let data = bytes.get(wanted).and_then(first_non_zero);
        first = first.or(data.map(|index| start + index));
    })?;
    Ok(first)
}

pub(crate) fn first_non_zero(bytes: &[u8]) -> Option<u64> {
    let is_zero = |block: &[u8]| ZEROS.get(..block.len()) == Some(block);
    let index = bytes.chunks(ZEROS.len()).position(|block| !is_zero(block))? * ZEROS.len();
    let within = bytes.get(index..)?.iter().position(|byte| *byte != 0)?;
    Some((index + within) as u64)
}

static ZEROS: [u8; 4096] = [0; 4096];
/// So many reads are on their way at once: a small one waits for the network most of the time.
const READERS: usize = 16;
