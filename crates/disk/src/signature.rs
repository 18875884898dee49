//! Finding signatures of file systems, partition tables and the like in what was read.

use std::{cmp, fmt, ops::Range};

use crate::extents::Extent;

mod table;

pub(crate) use table::{candidates, xfs_group_starts};

/// A place where a signature may be.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// What it is a signature of, in blkid's words where blkid has some.
    pub(crate) name: &'static str,
    /// Where the magic bytes would be.
    pub(crate) offset: u64,
    magic: &'static [u8],
    /// Where the UUID of the owner is, if it is stored close by.
    uuid: Option<u64>,
    strength: Strength,
}

/// How much a signature says while another one is there too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strength {
    /// Nothing but its owner has these bytes there.
    Primary,
    /// A backup, or too short to be sure of: leftovers and user data may look like it.
    Weak,
}

/// A signature that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) offset: u64,
    pub(crate) uuid: Option<String>,
    pub(crate) strength: Strength,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.name, self.offset)
    }
}

impl Candidate {
    /// Whether it says by itself what is there.
    pub(crate) fn is_primary(&self) -> bool {
        self.strength == Strength::Primary
    }

    /// The bytes that decide.
    pub(crate) fn window(&self) -> Extent {
        let magic_end = self.offset.saturating_add(self.magic.len() as u64);
        match self.uuid {
            Some(uuid) => cmp::min(self.offset, uuid)..cmp::max(magic_end, uuid.saturating_add(16)),
            None => self.offset..magic_end,
        }
    }
}

/// Collects the bytes that decide as the disk is read, in whatever pieces.
#[derive(Debug)]
pub(crate) struct Scan {
    /// With the places of their windows in `seen`.
    windows: Vec<(Candidate, Range<usize>)>,
    seen: Vec<u8>,
}

impl Scan {
    /// For the candidates that are met when `extents` of a disk of `size` bytes are read.
    pub(crate) fn new(size: u64, extents: &[Extent]) -> Self {
        let is_read = |candidate: &Candidate| {
            let window = candidate.window();
            extents.iter().any(|read| read.start <= window.start && window.end <= read.end)
        };
        let mut scan = Self { windows: Vec::new(), seen: Vec::new() };
        for candidate in candidates(size).filter(is_read) {
            let (window, start) = (candidate.window(), scan.seen.len());
            let place = start..start + within(&window, window.start).len();
            scan.seen.resize(place.end, 0);
            scan.windows.push((candidate, place));
        }
        scan
    }

    /// Takes in what was read at `offset`.
    pub(crate) fn take(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        for (candidate, place) in &self.windows {
            let window = candidate.window();
            let common = cmp::max(window.start, offset)..cmp::min(window.end, end);
            if common.start < common.end {
                let part = |from: u64| within(&common, from);
                let seen = self.seen.get_mut(place.clone()).unwrap_or_default();
                if let (Some(to), Some(from)) =
                    (seen.get_mut(part(window.start)), bytes.get(part(offset)))
                {
                    to.copy_from_slice(from);
                }
            }
        }
    }

    /// What was found, in the order of offsets.
    pub(crate) fn found(&self) -> Vec<Signature> {
        let seen = |place: &Range<usize>| self.seen.get(place.clone()).unwrap_or_default();
        let windows = self.windows.iter();
        let mut found: Vec<_> =
            windows.filter_map(|(candidate, place)| signature(candidate, seen(place))).collect();
        found.sort_by_key(|signature| (signature.offset, signature.name));
        found.dedup();
        found
    }
}

fn signature(candidate: &Candidate, seen: &[u8]) -> Option<Signature> {
    let start = candidate.window().start;
    let at = |offset: u64, len: usize| {
        let from = usize::try_from(offset - start).ok()?;
        seen.get(from..from + len)
    };
    if at(candidate.offset, candidate.magic.len())? != candidate.magic {
        return None;
    }
    let uuid = candidate.uuid.and_then(|offset| at(offset, 16)).map(uuid_text);
    Some(Signature {
        name: candidate.name,
        offset: candidate.offset,
        uuid,
        strength: candidate.strength,
    })
}

/// `extent` as indices of a buffer that begins at `start`.
fn within(extent: &Extent, start: u64) -> Range<usize> {
    let index = |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX);
    index(extent.start)..index(extent.end)
}

/// 16 bytes as blkid writes them.
fn uuid_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extents;

    const SIZE: u64 = 300 << 20;

    fn whole() -> Scan {
        let everything = 0..SIZE;
        Scan::new(SIZE, &[everything])
    }

    /// Scans a disk that holds nothing but `bytes` at `offset`, read in two pieces.
    fn scan(offset: u64, bytes: &[u8]) -> Vec<Signature> {
        let mut scan = whole();
        let (first, second) = bytes.split_at(bytes.len() / 2);
        scan.take(offset, first);
        scan.take(offset + first.len() as u64, second);
        scan.found()
    }

    #[test]
    fn every_candidate_is_found_across_pieces() {
        for candidate in candidates(SIZE) {
            let found = scan(candidate.offset, candidate.magic);
            let expected = (candidate.name, candidate.offset);
            assert!(found.iter().any(|s| (s.name, s.offset) == expected), "{expected:?} {found:?}");
        }
    }

    #[test]
    fn zeros_hold_nothing() {
        assert_eq!(whole().found(), []);
        assert!(candidates(SIZE).all(|candidate| candidate.magic.iter().any(|byte| *byte != 0)));
    }

    #[test]
    fn every_candidate_lies_within_the_disk() {
        for size in [512, 4096, 4608, 65536, 1 << 20, (1 << 20) + 512, 5 << 30, 32 << 40] {
            for candidate in candidates(size) {
                assert!(candidate.window().end <= size, "{size} {candidate:?}");
            }
        }
    }

    #[test]
    fn what_is_read_is_looked_for() {
        for extents in [extents::primaries(SIZE), extents::signatures(SIZE)] {
            let scan = Scan::new(SIZE, &extents);
            let looked_for = |one: &Candidate| {
                scan.windows.iter().any(|(it, _)| (it.name, it.offset) == (one.name, one.offset))
            };
            let is_read = |one: &Candidate| {
                extents.iter().any(|it| it.start <= one.offset && one.window().end <= it.end)
            };
            assert!(candidates(SIZE).filter(is_read).all(|one| looked_for(&one)));
            assert!(candidates(SIZE).filter(Candidate::is_primary).all(|one| looked_for(&one)));
        }
    }

    #[test]
    fn a_superblock_shows_its_uuid() {
        let mut superblock = vec![0; 1024];
        superblock[56..58].copy_from_slice(&[0x53, 0xef]);
        superblock[104..120].copy_from_slice(&(0..16).collect::<Vec<u8>>());
        let uuid = Some("00010203-0405-0607-0809-0a0b0c0d0e0f".to_owned());
        let primary = Signature {
            name: "ext",
            offset: 1080,
            uuid: uuid.clone(),
            strength: Strength::Primary,
        };
        assert_eq!(scan(1024, &superblock), [primary]);
        // first backup with blocks of 1 KiB: block 8193
        let offset = 8193 * 1024;
        let backup = Signature { name: "ext", offset: offset + 56, uuid, strength: Strength::Weak };
        assert_eq!(scan(offset, &superblock), [backup]);
    }
}
