//! Growing a mounted file system to the size of its disk.

use std::{path::Path, time::Duration};

use command::Command;
use disk::Disk;

use crate::{Entry, Error, Mounter, check::patience, said};

/// What became of a file system that was to grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// It has more room now.
    Grown,
    /// There was nothing to do.
    AlreadyDone,
    /// It is mounted read-only everywhere, and stays as it is.
    ReadOnly,
}

impl Mounter {
    /// Makes the file system on `disk`, which must be mounted, as large as the disk. Never smaller.
    ///
    /// The kernel does it on the mounted file system and keeps a journal of it: whoever is killed
    /// meanwhile has lost nothing, and may begin again.
    ///
    /// # Errors
    /// If it is not mounted, is of a kind that does not grow, or the program fails.
    pub fn grow(&self, disk: &Disk) -> Result<Growth, Error> {
        disk.confirm()?;
        let path = || disk.path().to_owned();
        let mut places = self.places(disk.number())?;
        // Pods may have folders of it, which are no place to ask.
        places.retain(|entry| !entry.deleted && entry.root == Path::new("/"));
        let entry = match places.iter().find(|entry| !entry.is_read_only()) {
            Some(entry) => entry,
            None if places.is_empty() => return Err(Error::NotMounted { path: path() }),
            None => return Ok(Growth::ReadOnly),
        };
        let command = command(entry, disk.path(), patience(disk.size()))
            .ok_or_else(|| Error::NeverGrows { path: path(), fs_type: entry.fs_type.clone() })?;
        let before = room(&entry.dir)?;
        let output = self.run(&command, disk.path())?;
        log::debug!("{command}: exit code {}: {}", output.code, said(&output));
        if !output.success() {
            return Err(Error::NotGrown {
                program: command.program(),
                path: path(),
                dir: entry.dir.clone(),
                code: output.code,
                said: said(&output),
            });
        }
        let after = room(&entry.dir)?;
        log::info!("the file system at {} had {before} bytes, now {after}", entry.dir.display());
        Ok(if after > before { Growth::Grown } else { Growth::AlreadyDone })
    }
}

/// Every one of these does nothing if there is nothing to do.
fn command(entry: &Entry, disk: &Path, limit: Duration) -> Option<Command> {
    Some(match entry.fs_type.as_str() {
        "ext2" | "ext3" | "ext4" => Command::new("resize2fs", limit).arg(disk),
        "xfs" => Command::new("xfs_growfs", limit).arg("-d").arg(&entry.dir),
        _ => return None,
    })
}

/// The bytes that the mounted file system has for data, used and free.
fn room(dir: &Path) -> Result<u64, Error> {
    let counted = rustix::fs::statvfs(dir);
    let counted =
        counted.map_err(|errno| Error::Folder { dir: dir.to_owned(), source: errno.into() })?;
    Ok(counted.f_blocks.saturating_mul(counted.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_program() {
        for (fs_type, expected) in [
            ("ext2", Some("resize2fs /dev/sdb")),
            ("ext3", Some("resize2fs /dev/sdb")),
            ("ext4", Some("resize2fs /dev/sdb")),
            ("xfs", Some("xfs_growfs -d /mnt")),
            ("vfat", None),
            ("btrfs", None),
        ] {
            let line = format!("30 1 8:16 / /mnt rw - {fs_type} /dev/sdb rw");
            let entries = disk::mountinfo::parse(line.as_bytes()).unwrap();
            let command = command(&entries[0], Path::new("/dev/sdb"), Duration::MAX);
            assert_eq!(command.map(|it| it.to_string()).as_deref(), expected, "{fs_type}");
        }
    }
}
