//! Making a file system: the one place that can destroy data, and so takes a proof that there is
//! none.

use std::{fs::File, iter, path::Path, time::Duration};

use command::Command;
use disk::{Blank, Contents, Disk};

use crate::{Error, FsType, Mounter, check::time_limit, said};

impl Mounter {
    /// Makes a file system with `uuid` on a disk on which nothing was found, and looks whether it is
    /// there and sound.
    ///
    /// If this is broken off, or fails, the disk is no longer blank: repeat it with the proof of
    /// [`Disk::prove_unfinished`] for the same UUID.
    ///
    /// # Errors
    /// If the disk has changed since the proof, mkfs fails, or the result is not as asked.
    pub fn format(&self, blank: Blank, fs: FsType, uuid: &str) -> Result<(), Error> {
        if !is_uuid(uuid) {
            return Err(Error::BadUuid { uuid: uuid.to_owned() });
        }
        let command = self.mkfs(fs, uuid, &blank)?;
        // keeps udev from probing a half-made file system
        let _lock = self.lock(blank.path())?;
        let disk = blank.release()?;
        let output = self.run(&command, disk.path())?;
        let program = command.program();
        let path = || disk.path().to_owned();
        if !output.success() {
            return Err(Error::Mkfs {
                program,
                path: path(),
                code: output.code,
                said: said(&output),
            });
        }
        disk.flush()?;
        if !self.is_complete(&disk, fs, uuid)? {
            let (fs_type, uuid) = (fs.as_str(), uuid.to_owned());
            return Err(Error::NotFormatted { program, path: path(), fs_type, uuid });
        }
        disk.flush()?;
        log::info!(device:% = path().display(), fs_type = fs.as_str(), uuid; "file system made, and checked");
        Ok(())
    }

    /// Whether the disk holds just this file system, with this UUID, in a state that a full check
    /// finds nothing to say about. Writes nothing. Tells a finished mkfs from one that was broken
    /// off.
    ///
    /// # Errors
    /// If the disk or a program cannot tell.
    pub fn is_complete(&self, disk: &Disk, fs: FsType, uuid: &str) -> Result<bool, Error> {
        let expected = Contents::Filesystem {
            fs_type: fs.as_str().to_owned(),
            uuid: Some(uuid.to_lowercase()),
        };
        let contents = disk.contents(&*self.runner)?;
        if contents != expected {
            log::warn!("{} holds {contents:?}, not {expected:?}", disk.path().display());
            return Ok(false);
        }
        let limit = time_limit(disk.size());
        let command = match fs {
            FsType::Ext4 | FsType::Ext3 => Command::new("e2fsck", limit).arg("-fn"),
            FsType::Xfs => Command::new("xfs_repair", limit).arg("-n"),
        };
        let output = self.run(&command.arg(disk.path()), disk.path())?;
        if !output.success() {
            log::warn!("{}: exit code {}: {}", disk.path().display(), output.code, said(&output));
        }
        Ok(output.success())
    }

    /// Makes sure that the program that makes this file system is installed. For callers that note
    /// down that a format has begun: without it, none can.
    ///
    /// # Errors
    /// [`Error::Program`] names the package.
    pub fn require_mkfs(&self, disk: &Disk, fs: FsType) -> Result<(), Error> {
        self.run(&Command::new(program(fs), SHORT).arg("-V"), disk.path()).map(drop)
    }

    /// The command that makes the file system. Force is never used, so that mkfs's own checks
    /// hold too.
    fn mkfs(&self, fs: FsType, uuid: &str, blank: &Blank) -> Result<Command, Error> {
        let limit = time_limit(blank.size());
        let command = match fs {
            FsType::Xfs => {
                let command = Command::new(program(fs), limit).arg("-q");
                // it refuses any signature, that of its own broken-off work too
                let command = if blank.is_unfinished() { command.arg("-f") } else { command };
                command.arg("-m").arg(format!("uuid={uuid}"))
            }
            FsType::Ext4 | FsType::Ext3 => {
                let version = Command::new(program(fs), SHORT).arg("-V");
                let version = self.run(&version, blank.path())?;
                let command = Command::new(program(fs), limit).args(["-q", "-U", uuid]);
                if asks_about_whole_disks(&version.stderr) { command.arg("-F") } else { command }
            }
        };
        Ok(command.arg(blank.path()))
    }

    /// Takes the BSD lock on the device node, by which udev and we keep off each other.
    fn lock(&self, path: &Path) -> Result<File, Error> {
        let opened = File::open(path);
        let file = opened.map_err(|source| disk::Error::Open { path: path.to_owned(), source })?;
        let locked = clock::poll(&*self.clock, iter::repeat_n(LOCK_WAIT, LOCK_WAITS), || {
            Ok::<_, Error>(file.try_lock().ok())
        })?;
        locked.map(|()| file).ok_or_else(|| Error::Locked { path: path.to_owned() })
    }
}

fn program(fs: FsType) -> &'static str {
    match fs {
        FsType::Ext4 => "mkfs.ext4",
        FsType::Ext3 => "mkfs.ext3",
        FsType::Xfs => "mkfs.xfs",
    }
}

/// Before 1.43, mke2fs asks whether a whole disk is really meant, and takes the lack of an answer
/// for a no. There `-F` answers, and only that: it still refuses a disk that is in use.
fn asks_about_whole_disks(version: &str) -> bool {
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>());
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (1, 43),
        _ => false,
    }
}

/// 8-4-4-4-12 hexadecimal digits, and not the word for "none".
fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|b| b.is_ascii_hexdigit());
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(is_hex)
        && text.bytes().any(|b| !matches!(b, b'0' | b'-'))
}

const SHORT: Duration = Duration::from_secs(60);
const LOCK_WAIT: Duration = Duration::from_millis(200);
const LOCK_WAITS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_before_1_43_ask() {
        for (version, asks) in [
            ("mke2fs 1.42.9 (28-Dec-2013)", true),
            ("mke2fs 1.41.12 (17-May-2010)", true),
            ("mke2fs 1.43 (17-May-2016)", false),
            ("mke2fs 1.47.0 (5-Feb-2023) Using EXT2FS Library version 1.47.0", false),
            ("mke2fs 2.0 (1-Jan-2030)", false),
            ("", false),
            ("mke2fs", false),
            ("mke2fs one.two", false),
        ] {
            assert_eq!(asks_about_whole_disks(version), asks, "{version}");
        }
    }

    #[test]
    fn only_uuids_are_uuids() {
        assert!(is_uuid("01234567-89ab-cdef-0123-456789ABCDEF"));
        for text in [
            "",
            "clear",
            "random",
            "time",
            "00000000-0000-0000-0000-000000000000",
            "01234567-89ab-cdef-0123-456789abcdeg",
            "01234567-89ab-cdef-0123-456789abcdef ",
            "0123456789abcdef0123456789abcdef",
            "-1234567-89ab-cdef-0123-456789abcdef",
        ] {
            assert!(!is_uuid(text), "{text}");
        }
    }
}
