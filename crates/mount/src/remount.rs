//! Making a file system writable that is mounted read-only, for a pod that writes beside one that reads.

use std::path::Path;

use command::Command;
use disk::mountinfo;

use crate::{Entry, Error, Mounter, Outcome, Request, at, mounting::LIMIT, said};

impl Mounter {
    /// Makes the disk's file system writable where it is mounted at the request's folder. Other mounts of it keep the
    /// flags of their own: a bind mount that is read-only stays so. One that is writable is a success, and so is a
    /// folder at which something else or nothing is mounted.
    ///
    /// A mounted file system cannot be checked, so it must say by itself that it needs no check.
    ///
    /// # Errors
    /// [`Error::StaysReadOnly`] if the disk refuses writes, the file system is mounted at a place that
    /// `is_expected` does not know, needs a check, or the kernel refuses; [`Error::Failed`] if it has met errors.
    pub fn make_writable(
        &self,
        request: &Request<'_>,
        is_expected: &dyn Fn(&Path) -> bool,
    ) -> Result<Outcome, Error> {
        let disk = request.disk;
        disk.confirm()?;
        let table = self.mounts()?;
        let found = at(&table, request.dir)?.filter(|entry| entry.number == disk.number());
        let Some(found) = found.filter(|entry| entry.is_read_only()) else {
            return Ok(Outcome::AlreadyDone);
        };
        self.refuse_failed(request, found)?;
        if let Some(why) = obstacle(request, &table, found, is_expected)? {
            return Err(stays(request, &table, found, why));
        }
        // The options of the mount are kept: mount(8) takes them from the mount table.
        let command = Command::new("mount", LIMIT).args(["-o", "remount,rw"]).arg(&found.dir);
        let output = self.run(&command, disk.path())?;
        // A table that was read before shows a change of the file system itself only by chance.
        match at(&self.host.mount_table().entries()?, &found.dir)? {
            Some(now) if now.number == disk.number() && !now.is_read_only() => Ok(Outcome::Done),
            _ => Err(stays(request, &table, found, said(&output))),
        }
    }
}

/// What keeps the file system from being written, before the kernel is asked.
fn obstacle(
    request: &Request<'_>,
    table: &[Entry],
    found: &Entry,
    is_expected: &dyn Fn(&Path) -> bool,
) -> Result<Option<String>, Error> {
    if request.disk.is_read_only() {
        return Ok(Some(
            "the disk itself refuses writes, as one that is attached read-only".into(),
        ));
    }
    let stranger = others(table, found).find(|entry| !is_expected(&entry.dir));
    if let Some(stranger) = stranger {
        return Ok(Some(format!("it is also mounted at {}", stranger.dir.display())));
    }
    let superblock = match &*found.fs_type {
        "ext2" | "ext3" | "ext4" => request.disk.ext_superblock()?,
        _ => None,
    };
    let needs_check = superblock.is_some_and(|it| !it.is_clean());
    Ok(needs_check.then(|| "it is not marked clean, and must be checked before".into()))
}

/// The other mounts of the same disk.
fn others<'a>(table: &'a [Entry], found: &'a Entry) -> impl Iterator<Item = &'a Entry> {
    table.iter().filter(|entry| {
        entry.number == found.number
            && entry.dir != found.dir
            && !mountinfo::is_same_folder(table, found, entry)
    })
}

fn stays(request: &Request<'_>, table: &[Entry], found: &Entry, why: String) -> Error {
    Error::StaysReadOnly {
        path: request.disk.path().to_owned(),
        dir: found.dir.clone(),
        why,
        places: others(table, found).map(|entry| entry.dir.clone()).collect(),
    }
}
