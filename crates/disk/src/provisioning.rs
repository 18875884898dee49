//! Whether the target itself says that nothing is stored on the disk.
//!
//! A target with logical block provisioning tells which blocks are deallocated (GET LBA STATUS), and whether these
//! read as zeros (LBPRZ of READ CAPACITY(16)): SBC-3, 4.7. That is a statement about the whole disk, which no reading
//! within a budget gives. A block device has no other: it answers `SEEK_HOLE` and `SEEK_DATA` with EINVAL, whatever lies
//! below it.

use std::time::Duration;

use clock::{Clock, Deadline};
use command::{Command, Runner};

use crate::{Disk, Error};

/// Asks the target, through sg3-utils if they are installed. `false` says nothing: most targets do not tell.
///
/// # Errors
/// If sysfs does not read. What the programs do not tell is not told.
pub(crate) fn is_deallocated(
    disk: &Disk,
    runner: &dyn Runner,
    clock: &dyn Clock,
) -> Result<bool, Error> {
    // Only SCSI disks have it, and understand the question.
    if disk.sysfs().state()?.is_none() {
        return Ok(false);
    }
    let deadline = Deadline::after(clock, LIMIT);
    let ask = |command: Command| {
        let output = runner.run(&command.arg(disk.path()));
        output.ok().filter(command::Output::success).map(|output| output.stdout)
    };
    let capacity = ask(Command::new("sg_readcap", LIMIT).args(["--16", "--readonly"]));
    let Some(blocks) = capacity.as_deref().and_then(|text| thin(text, disk.size())) else {
        return Ok(false);
    };
    let mut next = 0;
    for _ in 0..MOST_ANSWERS {
        if deadline.passed(clock) {
            return Ok(false);
        }
        let from = format!("--lba={next}");
        let command = Command::new("sg_get_lba_status", deadline.remaining(clock));
        let status = ask(command.args(["--brief", "--readonly", &from, ROOM]));
        match status.as_deref().and_then(|text| deallocated_to(text, next)) {
            Some(end) if end >= blocks => return Ok(true),
            Some(end) => next = end,
            None => return Ok(false),
        }
    }
    Ok(false)
}

/// The number of blocks of a disk of `size` bytes, if it is provisioned thin and its deallocated blocks read as zeros.
fn thin(capacity: &str, size: u64) -> Option<u64> {
    let number = |name: &str| {
        let rest = capacity.split_once(name)?.1;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse::<u64>().ok()
    };
    let blocks = number("Number of logical blocks=")?;
    let is_whole = blocks.checked_mul(number("Logical block length=")?) == Some(size);
    (is_whole && number("lbpme=")? == 1 && number("lbprz=")? == 1).then_some(blocks)
}

/// Where the blocks end that the answer calls deallocated, without a gap from block `first` on; none, if it calls any
/// something else.
fn deallocated_to(status: &str, first: u64) -> Option<u64> {
    let hex = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let mut end = first;
    for line in status.lines().filter(|line| line.starts_with("0x")) {
        let mut words = line.split_whitespace();
        let (start, length) = (hex(words.next()?)?, hex(words.next()?)?);
        let after = start.checked_add(length)?;
        // The first descriptor may begin before the block that was asked for.
        if words.next()? != DEALLOCATED || start > end || after <= end {
            return None;
        }
        end = after;
    }
    (end > first).then_some(end)
}

/// "Unmapped": sg_get_lba_status(8).
const DEALLOCATED: &str = "1";
/// For 64 descriptors; a descriptor has at most 2 TiB of blocks of 512 bytes.
const ROOM: &str = "--maxlen=1032";
const MOST_ANSWERS: u32 = 16;
const LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of sg_readcap 1.46.
    fn capacity(blocks: u64, length: u64, thin: u8, zeros: u8) -> String {
        format!(
            "Read Capacity results:\n   Protection: prot_en=0, p_type=0, p_i_exponent=0\n   Logical block \
             provisioning: lbpme={thin}, lbprz={zeros}\n   Last LBA={} ({:#x}), Number of logical blocks={blocks}\n   \
             Logical block length={length} bytes\n   Logical blocks per physical block exponent=0\n   Lowest aligned \
             LBA=0\nHence:\n   Device size: {} bytes\n",
            blocks - 1,
            blocks - 1,
            blocks * length,
        )
    }

    #[test]
    fn only_zeros_of_the_whole_disk_count() {
        let size = 100 << 30;
        assert_eq!(thin(&capacity(size / 512, 512, 1, 1), size), Some(size / 512));
        assert_eq!(thin(&capacity(size / 4096, 4096, 1, 1), size), Some(size / 4096));
        for text in [
            capacity(size / 512, 512, 0, 1),
            capacity(size / 512, 512, 1, 0),
            capacity(size / 512 - 1, 512, 1, 1),
            capacity(size / 512, 512, 1, 1).replace("lbprz=1", "lbprz=12"),
            capacity(size / 512, 512, 1, 1).replace("blocks=", "blocks=99999999999999999999"),
            String::new(),
        ] {
            assert_eq!(thin(&text, size), None, "{text}");
        }
    }

    #[track_caller]
    fn check(first: u64, descriptors: &str, expected: Option<u64>) {
        // As sg_get_lba_status 1.46 prints them.
        let text = format!("Completion condition=0\nRTP=0\n{descriptors}");
        assert_eq!(deallocated_to(&text, first), expected, "{text}");
    }

    #[test]
    fn every_block_must_be_deallocated() {
        check(0, "0x0000000000000000  0x6400000  1  0\n", Some(0x640_0000));
        check(
            0,
            "0x0000000000000000  0x800  1\n0x0000000000000800  0x63ff800  1\n",
            Some(0x640_0000),
        );
        check(0x800, "0x0000000000000000  0x1000  1  0\n", Some(0x1000));
        for descriptors in [
            "",
            // mapped, anchored, unknown
            "0x0000000000000000  0x800  0  0\n0x0000000000000800  0x63ff800  1  0\n",
            "0x0000000000000000  0x800  1  0\n0x0000000000000800  0x800  2  0\n0x0000000000001000  0x64  3  0\n",
            // a gap, an overlap, nothing
            "0x0000000000000001  0x800  1  0\n",
            "0x0000000000000000  0x800  1  0\n0x0000000000000900  0x800  1  0\n",
            "0x0000000000000000  0x0  1  0\n",
            "0xffffffffffffffff  0x1  1  0\n",
            "0x0  0xffffffffffffffff\n",
            "0x0  many  1  0\n",
        ] {
            check(0, descriptors, None);
        }
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn no_text_is_more_than_it_says(
                text in "((0x[0-9a-f]{1,17}|[a-zA-Z=]{0,9})( {1,2}(0x)?[0-9a-f]{1,17}){0,3}\n|\\PC{0,9}\n){0,5}",
                first: u64,
                size: u64,
            ) {
                if let Some(end) = deallocated_to(&text, first) {
                    prop_assert!(end > first);
                    let statuses = text.lines().filter(|line| line.starts_with("0x"));
                    prop_assert!(statuses.map(|it| it.split_whitespace().nth(2)).all(|it| it == Some("1")));
                }
                prop_assert_eq!(thin(&text, size), None);
            }
        }
    }
}
