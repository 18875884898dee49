//! What five probes say of a disk, and what follows from it.
//!
//! The probes: every byte that was read, our own search for signatures in these bytes, blkid,
//! wipefs, and udev's memory. Each alone is blind to something; one dissenting is enough. Only for a file
//! system that is in plain sight two are enough, blkid and our own search: nothing is lost by mounting it.

use std::ops::Range;

use command::Runner;

use crate::{
    Contents, Disk, Error, blkid, extents::Extent, reader, signature, survey::first_non_zero, udev,
    wipefs,
};

/// The statements, all about the same disk.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// Where the first byte is that is not zero.
    pub(crate) data: Option<u64>,
    pub(crate) own: Vec<signature::Signature>,
    pub(crate) blkid: blkid::Verdict,
    pub(crate) listed: Vec<wipefs::Listed>,
    pub(crate) udev: Option<udev::Remembered>,
    /// The first bytes, for the superblocks' own words.
    pub(crate) head: Vec<u8>,
}

impl Evidence {
    /// Asks all probes.
    ///
    /// # Errors
    /// If one of them cannot speak: not being able to tell is never "empty".
    pub(crate) fn gather(
        disk: &Disk,
        runner: &dyn Runner,
        extents: &[Extent],
    ) -> Result<Self, Error> {
        let mut evidence = Self::without_wipefs(disk, runner, extents)?;
        evidence.listed = wipefs::list(disk, runner)?;
        disk.confirm()?;
        Ok(evidence)
    }

    /// Hears all but wipefs, which lists nothing as yet.
    ///
    /// # Errors
    /// As [`Self::gather`].
    pub(crate) fn without_wipefs(
        disk: &Disk,
        runner: &dyn Runner,
        extents: &[Extent],
    ) -> Result<Self, Error> {
        disk.confirm()?;
        let mut own = Vec::new();
        let mut data = None;
        let mut head = Vec::new();
        let mut udev = None;
        let blkid = blkid::probe_while(disk, runner, || {
            let mut scan = signature::Scan::new(disk.size(), extents);
            reader::read(disk, extents, |offset, bytes| {
                scan.take(offset, bytes);
                if data.is_none() {
                    data = first_non_zero(bytes).map(|index| offset + index);
                }
                if offset == 0 {
                    head = bytes.get(..HEAD).unwrap_or(bytes).to_owned();
                }
            })?;
            own = scan.found();
            udev = udev::remembered(disk)?;
            Ok(())
        })?;
        disk.confirm()?;
        Ok(Self { data, own, blkid, listed: Vec::new(), udev, head })
    }

    /// What speaks against the disk being blank.
    pub(crate) fn objection(&self) -> Option<String> {
        let mut signs = Vec::new();
        if let Some(own) = listing(&self.own) {
            signs.push(format!("it holds {own}"));
        } else if let Some(offset) = self.data {
            signs.push(unknown_data(offset));
        }
        match &self.blkid {
            blkid::Verdict::Nothing => {}
            blkid::Verdict::Ambivalent => {
                signs.push("blkid finds several things (ambivalent)".to_owned());
            }
            blkid::Verdict::Found(probe) => signs.push(format!("blkid finds {probe}")),
        }
        if let Some(listed) = listing(&self.listed) {
            signs.push(format!("wipefs lists {listed}"));
        }
        if let Some(udev) = &self.udev {
            signs.push(format!("udev remembers {udev}"));
        }
        (!signs.is_empty()).then(|| signs.join("; "))
    }

    /// The file system that is in plain sight: blkid names it, and our own search finds it and nothing
    /// beside it.
    pub(crate) fn file_system(&self) -> Option<Contents> {
        let blkid::Verdict::Found(probe) = &self.blkid else { return None };
        let fs_type = probe.file_system()?;
        self.is_alone(family(fs_type))
            .then(|| Contents::Filesystem { fs_type: fs_type.to_owned(), uuid: probe.uuid.clone() })
    }

    /// The family of the file systems that can be mounted, if our own search finds the superblock of one in its
    /// place, and of no other.
    pub(crate) fn superblock(&self) -> Option<&'static str> {
        let is_here = |name| self.primaries().any(|found| found.name == name);
        match (is_here("ext"), is_here("xfs")) {
            (true, false) => Some("ext"),
            (false, true) => Some("xfs"),
            _ => None,
        }
    }

    /// Whether everything else that was found lies in `data`, where a file system of `family_name` on a disk of
    /// `size` bytes has data of files.
    ///
    /// At the disk's end, arrays and mirrors keep what they need beside the file system that they hold, and touch
    /// nothing before; of ZFS we know by its other labels that it is not one of these.
    pub(crate) fn is_data_of(&self, family_name: &str, data: &Range<u64>, size: u64) -> bool {
        let is_data = |name: &str, offset: u64| {
            let at_the_end = offset.saturating_add(EDGE) > size;
            family(name) == family_name
                || data.contains(&offset) && (name == "zfs_member" || !at_the_end)
        };
        self.primaries().all(|it| is_data(it.name, it.offset))
            && self.listed.iter().all(|it| is_data(&it.fs_type, it.offset))
    }

    fn primaries(&self) -> impl Iterator<Item = &signature::Signature> {
        self.own.iter().filter(|found| found.strength == signature::Strength::Primary)
    }

    /// What the disk holds when no file system is in plain sight.
    pub(crate) fn other(&self) -> Contents {
        match self.objection() {
            None => Contents::Nothing,
            Some(what) => Contents::Other { what },
        }
    }

    /// What speaks against the disk holding only the leftovers of our mkfs that made a file system
    /// with `uuid` and was broken off.
    pub(crate) fn foreign(&self, uuid: &str) -> Option<String> {
        let is_other = |found: Option<&str>| !found.is_some_and(|f| f.eq_ignore_ascii_case(uuid));
        let other = |what: String| Some(format!("{what} does not carry the UUID {uuid}"));
        if let Some(found) = self.own.iter().find(|found| is_other(found.uuid.as_deref())) {
            return other(found.to_string());
        }
        if let Some(found) = self.listed.iter().find(|found| is_other(found.uuid.as_deref())) {
            return other(found.to_string());
        }
        match &self.blkid {
            blkid::Verdict::Nothing => {}
            blkid::Verdict::Ambivalent => {
                return Some("blkid finds several things (ambivalent)".to_owned());
            }
            blkid::Verdict::Found(probe)
                if probe.file_system().is_none() || is_other(probe.uuid.as_deref()) =>
            {
                return other(format!("{probe}, found by blkid,"));
            }
            blkid::Verdict::Found(_) => {}
        }
        if let Some(found) = self.udev.as_ref().filter(|found| is_other(found.uuid.as_deref())) {
            return other(format!("{found}, remembered by udev,"));
        }
        finished(&self.head).map(str::to_owned).or_else(|| in_boot_sector(&self.head))
    }

    /// Whether our own search found `family_name`, and nothing else that is conclusive.
    fn is_alone(&self, family_name: &str) -> bool {
        let mut own = self.primaries().peekable();
        own.peek().is_some() && own.all(|found| family(found.name) == family_name)
    }
}

/// What is said of bytes that are no known signature.
pub(crate) fn unknown_data(offset: u64) -> String {
    format!("it holds data of unknown kind at offset {offset}")
}

/// Whether the superblock in `head` says that mkfs had done its work, or more has happened since.
fn finished(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, length| head.get(offset..offset + length).unwrap_or_default();
    let is_set = |offset, length| at(offset, length).iter().any(|byte| *byte != 0);
    // ext4: s_mtime (last mount) at 44 and s_mnt_count at 52 of the superblock at 1024
    if at(1080, 2) == b"\x53\xef" && (is_set(1024 + 44, 4) || is_set(1024 + 52, 2)) {
        return Some("its file system has been mounted since it was made");
    }
    // xfs: sb_inprogress at 126, which mkfs clears last
    if at(0, 4) == b"XFSB" && !is_set(126, 1) {
        return Some("its mkfs had finished: the file system can be checked and mounted as it is");
    }
    None
}

/// What is in the first sector and no mkfs that this driver runs puts there: mke2fs makes it zeros, and mkfs.xfs a superblock.
fn in_boot_sector(head: &[u8]) -> Option<String> {
    let sector = head.get(..512)?;
    let offset = first_non_zero(sector)?;
    (!sector.starts_with(b"XFSB")).then(|| unknown_data(offset))
}

/// ext2, ext3 and ext4 share their magic number.
fn family(fs_type: &str) -> &str {
    match fs_type {
        "ext2" | "ext3" | "ext4" | "ext4dev" => "ext",
        other => other,
    }
}

/// The first few, with the number of the others; `None` if there are none.
fn listing(found: &[impl ToString]) -> Option<String> {
    let shown: Vec<_> = found.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = match found.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!shown.is_empty()).then(|| shown.join(", ") + &more)
}

const HEAD: usize = 4096;
/// More than any array keeps at the end of its disks.
const EDGE: u64 = 1 << 20;
const SHOWN: usize = 6;

#[cfg(test)]
mod tests;
