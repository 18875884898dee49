//! Growing a mounted file system to the size of its disk.

use std::{path::Path, time::Duration};

use command::Command;
use disk::{BlankTail, Disk};

use crate::{Entry, Error, Mounter, check::time_limit, said};

/// What became of a file system that was to grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// It is larger now.
    Grown,
    /// There was nothing to do.
    AlreadyDone,
}

/// A file system that is mounted for writing, and may be smaller than its disk.
#[derive(Clone, Debug)]
pub struct Growable {
    entry: Entry,
    size: u64,
}

impl Growable {
    /// The bytes of the file system: what lies behind them on the disk is not its own.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Mounter {
    /// The mounted file system on `disk`, with the size that it has for the kernel; `None` if it is mounted
    /// read-only everywhere, where nothing grows.
    ///
    /// # Errors
    /// If it is not mounted, is of a kind that does not grow, or its size cannot be told.
    pub fn growable(&self, disk: &Disk) -> Result<Option<Growable>, Error> {
        disk.confirm()?;
        let path = || disk.path().to_owned();
        let mut places = self.places(disk.number())?;
        // Pods may have folders of it, which are no place to ask.
        places.retain(|entry| !entry.deleted && entry.root == Path::new("/"));
        if places.is_empty() {
            return Err(Error::NotMounted { path: path() });
        }
        let Some(entry) = places.into_iter().find(|entry| !entry.is_read_only()) else {
            return Ok(None);
        };
        let size = match entry.fs_type.as_str() {
            // The kernel keeps its superblock in the disk's page cache.
            fs_type @ ("ext2" | "ext3" | "ext4") => disk.file_system_size(fs_type)?,
            // That of xfs on the disk may be older than a growth.
            "xfs" => self.xfs_size(disk, &entry)?,
            fs_type => {
                return Err(Error::NeverGrows { path: path(), fs_type: fs_type.to_owned() });
            }
        };
        let dir = || entry.dir.clone();
        let size = size.ok_or_else(|| Error::SizeUnknown { path: path(), dir: dir() })?;
        Ok(Some(Growable { entry, size }))
    }

    /// Makes a mounted file system as large as its disk, of which `tail` shows that the rest is free. Never smaller.
    ///
    /// The kernel does it on the mounted file system and keeps a journal of it: a kill meanwhile loses nothing, and
    /// leaves its work behind the end that the file system still has. A repetition goes on from there.
    ///
    /// # Errors
    /// If the disk has changed, or the program fails.
    pub fn grow(&self, growable: &Growable, tail: BlankTail) -> Result<Growth, Error> {
        let (disk, entry) = (tail.disk(), &growable.entry);
        disk.confirm()?;
        let path = || disk.path().to_owned();
        let command = command(entry, disk.path(), time_limit(disk.size()))
            .ok_or_else(|| Error::NeverGrows { path: path(), fs_type: entry.fs_type.clone() })?;
        let before = free_and_used(&entry.dir)?;
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
        let after = free_and_used(&entry.dir)?;
        log::info!("the file system at {} had {before} bytes, now {after}", entry.dir.display());
        Ok(if after > before { Growth::Grown } else { Growth::AlreadyDone })
    }

    fn xfs_size(&self, disk: &Disk, entry: &Entry) -> Result<Option<u64>, Error> {
        let command = Command::new(XFS_GROWFS, SHORT).arg("-n").arg(&entry.dir);
        let output = self.run(&command, disk.path())?;
        log::debug!("{command}: exit code {}: {}", output.code, said(&output));
        Ok(if output.success() { xfs_size(&output.stdout) } else { None })
    }
}

/// The size and number of the data blocks, in the table that `xfs_growfs -n` prints.
fn xfs_size(table: &str) -> Option<u64> {
    let data = table.lines().find_map(|line| line.strip_prefix("data "))?;
    let value = |name: &str| {
        let rest = data.split_once(name)?.1;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
        digits.parse::<u64>().ok()
    };
    value("bsize=")?.checked_mul(value("blocks=")?)
}

/// Every one of these does nothing if there is nothing to do.
fn command(entry: &Entry, disk: &Path, limit: Duration) -> Option<Command> {
    Some(match entry.fs_type.as_str() {
        "ext2" | "ext3" | "ext4" => Command::new("resize2fs", limit).arg(disk),
        "xfs" => Command::new(XFS_GROWFS, limit).arg("-d").arg(&entry.dir),
        _ => return None,
    })
}

/// The bytes that the mounted file system has for data, used and free.
fn free_and_used(dir: &Path) -> Result<u64, Error> {
    let counted = rustix::fs::statvfs(dir);
    let counted =
        counted.map_err(|errno| Error::Folder { dir: dir.to_owned(), source: errno.into() })?;
    Ok(counted.f_blocks.saturating_mul(counted.f_frsize))
}

const XFS_GROWFS: &str = "xfs_growfs";
const SHORT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from xfs_growfs 6.1.0.
    const TABLE: &str = "\
meta-data=/dev/loop0             isize=512    agcount=4, agsize=19200 blks
         =                       sectsz=512   attr=2, projid32bit=1
         =                       reflink=1    bigtime=1 inobtcount=1 nrext64=0
data     =                       bsize=4096   blocks=76800, imaxpct=25
         =                       sunit=0      swidth=0 blks
naming   =version 2              bsize=4096   ascii-ci=0, ftype=1
log      =internal log           bsize=4096   blocks=16384, version=2
realtime =none                   extsz=4096   blocks=0, rtextents=0
";

    #[test]
    fn the_table_of_xfs_tells_the_size_of_the_data() {
        assert_eq!(xfs_size(TABLE), Some(300 << 20));
        assert_eq!(xfs_size("data     = bsize=1024 blocks=5"), Some(5120));
        for nonsense in [
            "",
            "naming =version 2 bsize=4096 blocks=5",
            "data = bsize= blocks=5",
            "data = blocks=5",
            "data = bsize=4096",
            "data = bsize=18446744073709551615 blocks=2",
            "data = bsize=99999999999999999999 blocks=1",
        ] {
            assert_eq!(xfs_size(nonsense), None, "{nonsense}");
        }
    }

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
