//! Checking a file system before it is mounted.

use std::time::Duration;

use command::{Command, Output};
use disk::{Access, Disk};

use crate::{Error, Mounter, said};

impl Mounter {
    /// Repairs what can be repaired without losing data (`e2fsck -p`), and replays the journal.
    ///
    /// Only ext file systems have such a check; XFS replays its log when it is mounted. A disk that
    /// refuses writes is left as it is. May be repeated.
    ///
    /// The caller must not hold a claim on the disk: e2fsck makes its own.
    ///
    /// # Errors
    /// If the disk is in use; [`Error::NeedsRepair`] if more than safe repairs are needed.
    pub fn check(&self, disk: &Disk, fs_type: &str) -> Result<(), Error> {
        if !matches!(fs_type, "ext2" | "ext3" | "ext4") || disk.is_read_only() {
            return Ok(());
        }
        disk.confirm()?;
        // To read: closing what was open for writing makes udev look at the disk anew.
        drop(disk.claim(Access::Read)?);
        let command = Command::new("e2fsck", time_limit(disk.size())).arg("-p").arg(disk.path());
        let mut output = self.run(&command, disk.path())?;
        let mut verdict = verdict(output.code);
        if verdict == Verdict::Again {
            // 2 asks for a reboot, which only matters if the file system was mounted
            output = self.run(&command, disk.path())?;
            verdict = match self::verdict(output.code) {
                Verdict::Again => Verdict::Damaged,
                Verdict::Sound if output.code != 0 => Verdict::Damaged,
                verdict => verdict,
            };
        }
        if verdict == Verdict::Failed
            && is_torn(&output)
            && let Some(command) = from_backup(disk)?
        {
            log::warn!(
                "{}: {}; a backup of the superblock is taken",
                disk.path().display(),
                said(&output)
            );
            output = self.run(&command, disk.path())?;
            verdict = self::verdict(output.code);
        }
        let level = if output.code == 0 { log::Level::Debug } else { log::Level::Info };
        let (device, said_text) = (disk.path().display(), said(&output));
        log::log!(level, device:%, exit_code = output.code, said:% = said_text; "file system checked");
        match verdict {
            Verdict::Sound => Ok(()),
            Verdict::Again | Verdict::Damaged => Err(damaged(disk, fs_type, &output)),
            Verdict::Failed if is_too_old(&output) => unchecked(disk, fs_type, &output),
            Verdict::Failed => Err(Error::CheckFailed {
                path: disk.path().to_owned(),
                code: output.code,
                said: said(&output),
            }),
        }
    }
}

/// e2fsck refuses what a newer mkfs or kernel has made, before it looks at anything else.
fn is_too_old(output: &Output) -> bool {
    output.stderr.contains("Get a newer version of e2fsck")
}

/// A file system that this node's e2fsck does not know: the kernel decides whether it does, and replays the
/// journal. It is as if it had been checked if it needs no check: e2fsck would not have looked further.
fn unchecked(disk: &Disk, fs_type: &str, output: &Output) -> Result<(), Error> {
    let path = disk.path();
    if !disk.ext_superblock()?.is_some_and(|it| it.is_clean()) {
        return Err(Error::CheckTooOld {
            path: path.to_owned(),
            fs_type: fs_type.to_owned(),
            said: said(output),
        });
    }
    log::warn!(
        "e2fsck of this node is too old for the {fs_type} file system on {}, which is marked clean and is \
         mounted without a check; install a newer e2fsprogs: {}",
        path.display(),
        said(output)
    );
    Ok(())
}

/// e2fsck writes what it has changed of the superblock, and then the checksum: killed between the two,
/// it leaves a superblock that neither it nor the kernel takes any more.
fn is_torn(output: &Output) -> bool {
    output.stderr.contains("Superblock checksum does not match superblock")
}

/// The same safe repairs, from the backup of the superblock in the second block group. e2fsck verifies
/// the backup, checks everything, and replays the journal.
fn from_backup(disk: &Disk) -> Result<Option<Command>, Error> {
    let Some(superblock) = disk.ext_superblock()? else { return Ok(None) };
    let Some(size) = superblock.block_size() else { return Ok(None) };
    let block = superblock.first_backup();
    let command = Command::new("e2fsck", time_limit(disk.size())).arg("-p");
    let command = command.args(["-b", &block.to_string(), "-B", &size.to_string()]);
    Ok(Some(command.arg(disk.path())))
}

/// The error that tells an operator to repair `disk`.
pub(crate) fn damaged(disk: &Disk, fs_type: &str, output: &Output) -> Error {
    let cure = if fs_type == "xfs" { "xfs_repair" } else { "e2fsck -f" };
    Error::NeedsRepair {
        path: disk.path().to_owned(),
        fs_type: fs_type.to_owned(),
        cure,
        said: said(output),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Sound,
    Again,
    Damaged,
    Failed,
}

/// e2fsck's exit code is a sum: 1 corrected, 2 reboot, 4 not corrected, 8 operational error,
/// 16 usage, 32 cancelled, 128 library (e2fsck(8)). One that has failed has not seen everything, whatever
/// else it says, and would fail a person as well.
fn verdict(code: i32) -> Verdict {
    match code {
        0 | 1 => Verdict::Sound,
        2 | 3 => Verdict::Again,
        4..=7 => Verdict::Damaged,
        _ => Verdict::Failed,
    }
}

/// What a check, an mkfs or a growth may take on a disk of `size` bytes. One that is stopped
/// leaves the work to the next call, which would be stopped at the same place. A full check reads all inodes and
/// folders, mostly block by block, and slow volumes of a cloud give 2 blocks a second for each GB.
pub(crate) fn time_limit(size: u64) -> Duration {
    Duration::from_secs(30 * 60 + 4 * (size / GIB))
}

const GIB: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_disk_may_take_longer() {
        let minutes =
            [1, 50 * GIB, 1024 * GIB, 32 * 1024 * GIB].map(|it| time_limit(it).as_secs() / 60);
        assert_eq!(minutes, [30, 33, 98, 2214]);
    }

    #[test]
    fn every_exit_code_has_its_verdict() {
        for code in -1..=256 {
            let expected = match code {
                0 | 1 => Verdict::Sound,
                2 | 3 => Verdict::Again,
                4..=7 => Verdict::Damaged,
                _ => Verdict::Failed,
            };
            assert_eq!(verdict(code), expected, "{code}");
        }
    }
}
