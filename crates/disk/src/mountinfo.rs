//! The mount table of a mount namespace: `/proc/PID/mountinfo`.
//!
//! Paths in it are bytes, with blanks, tabs, line ends and backslashes as octal escapes (proc(5)).
//! Reading it while others mount and unmount may miss lines, so it is read until none did.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use crate::DeviceNumber;

mod table;

pub use table::MountTable;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The mount's id.
    pub id: u32,
    /// The id of the mount it lies on.
    pub parent: u32,
    /// The device; file systems without one have major number 0.
    pub number: DeviceNumber,
    /// The part of the file system that is mounted: `/`, or more for bind mounts of folders.
    pub root: PathBuf,
    /// Where it is mounted.
    pub dir: PathBuf,
    /// Whether that folder has been removed since: the mount has no path any more.
    pub deleted: bool,
    /// Options of this mount, comma separated.
    pub options: String,
    /// The kind of file system.
    pub fs_type: String,
    /// What was given as source: for file systems on disks, the device's path.
    pub source: OsString,
    /// Options of the file system, which all its mounts share.
    pub super_options: String,
}

impl Entry {
    /// Whether this mount, or the whole file system, refuses writes.
    pub fn is_read_only(&self) -> bool {
        has(&self.options, "ro") || self.is_read_only_everywhere()
    }

    /// Whether the file system refuses writes at all its mounts.
    pub fn is_read_only_everywhere(&self) -> bool {
        has(&self.super_options, "ro") || has(&self.super_options, "emergency_ro")
    }
}

/// A line that is no mount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not a mount: {text:?}")]
pub struct ParseError {
    line: usize,
    text: String,
}

/// The mounts in `table`, in its order.
///
/// # Errors
/// Names the first line that is no mount: a table that is not understood is not used at all.
pub fn parse(table: &[u8]) -> Result<Vec<Entry>, ParseError> {
    let lines = table.split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    lines
        .map(|(index, line)| {
            entry(line).ok_or_else(|| ParseError {
                line: index + 1,
                text: String::from_utf8_lossy(line).into_owned(),
            })
        })
        .collect()
}

/// The mount that one meets when walking to `dir`, if it is mounted just there.
///
/// Of mounts stacked on one place this is the topmost; a mount that another one hides, by lying on
/// a folder above, is not met.
pub fn at<'a>(table: &'a [Entry], dir: &Path) -> Option<&'a Entry> {
    let mut here: Option<&Entry> = None;
    for _ in 0..=table.len() {
        let is_next = |next: &Entry| match here {
            Some(here) => next.parent == here.id && next.id != here.id,
            None => !table.iter().any(|other| other.id == next.parent && other.id != next.id),
        };
        let crossed = table
            .iter()
            .filter(|next| !next.deleted && dir.starts_with(&next.dir) && is_next(next))
            .min_by_key(|next| next.dir.components().count());
        match crossed {
            Some(next) => here = Some(next),
            None => break,
        }
    }
    here.filter(|entry| entry.dir == dir)
}

/// Whether two mounts lie on one folder, which is seen through two mounts: mounting on one side of a bind
/// mount shows on the other side too, and so does unmounting (mount_namespaces(7), "Shared subtrees").
pub fn is_same_folder(table: &[Entry], one: &Entry, other: &Entry) -> bool {
    let folder = |entry: &Entry| {
        let parent = table.iter().find(|it| it.id == entry.parent && it.id != entry.id)?;
        let below = entry.dir.strip_prefix(&parent.dir).ok()?;
        Some((parent.number, parent.root.join(below)))
    };
    folder(one).is_some_and(|it| Some(it) == folder(other))
}

/// `36 35 98:0 /root /dir rw,noatime master:1 - ext3 /dev/sda rw,errors=continue`
fn entry(line: &[u8]) -> Option<Entry> {
    let mut fields = line.split(|b| *b == b' ');
    let mut next = || fields.next();
    let id = number(next()?)?;
    let parent = number(next()?)?;
    let device = std::str::from_utf8(next()?).ok()?.parse().ok()?;
    let root = path(next()?)?;
    let dir = next()?;
    let options = text(next()?)?;
    // optional fields, as many as there are
    while next()? != b"-" {}
    let fs_type = text(next()?)?;
    let source = OsString::from_vec(unescaped(next()?).into_owned());
    let super_options = text(next()?)?;
    let (dir, deleted) = match dir.strip_suffix(b"//deleted") {
        Some(dir) => (dir, true),
        None => (dir, false),
    };
    let dir = path(dir)?;
    Some(Entry {
        id,
        parent,
        number: device,
        root,
        dir,
        deleted,
        options,
        fs_type,
        source,
        super_options,
    })
}

fn number(field: &[u8]) -> Option<u32> {
    let digits = field.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(field).ok()?.parse().ok()).flatten()
}

fn text(field: &[u8]) -> Option<String> {
    (!field.is_empty()).then(|| String::from_utf8_lossy(&unescaped(field)).into_owned())
}

fn path(field: &[u8]) -> Option<PathBuf> {
    // namespaces are mounted with roots like `net:[4026531840]`, so a path need not begin with `/`
    (!field.is_empty()).then(|| OsStr::from_bytes(&unescaped(field)).into())
}

/// Resolves `\ooo`; a backslash that begins no such escape stands for itself.
fn unescaped(field: &[u8]) -> Cow<'_, [u8]> {
    if !field.contains(&b'\\') {
        return field.into();
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                (((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), after)
            }
            _ => (first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes.into()
}

fn has(options: &str, option: &str) -> bool {
    options.split(',').any(|o| o == option)
}

#[cfg(test)]
mod tests;
