//! The fourth witness: what udev remembers of a disk, which may be older than what is on it now.

use std::{fmt, fs, io, time::Duration};

use command::{Command, Runner};

use crate::{Disk, Error};

/// What udev's last probing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) what: String,
    pub(crate) uuid: Option<String>,
}

impl fmt::Display for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Looks the disk up in udev's database; `None` if it is not there or has nothing on it.
pub(crate) fn remembered(disk: &Disk) -> Result<Option<Remembered>, Error> {
    let file = disk.host().udev_db.join(format!("b{}", disk.number()));
    match fs::read(&file) {
        Ok(bytes) => Ok(parse(&String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Host { file, source }),
    }
}

/// Lets udev finish what it is at, so that its database is of now. Without udev, does nothing; its
/// failure is only logged, because this witness is heard only when it dissents.
pub(crate) fn settle(disk: &Disk, runner: &dyn Runner) {
    if !disk.host().udev_db.exists() {
        return;
    }
    let command = Command::new("udevadm", LIMIT).args(["settle", "--timeout=10"]);
    match runner.run(&command) {
        Ok(output) if output.success() => {}
        Ok(output) => log::warn!("udevadm settle: exit code {}: {}", output.code, output.stderr),
        Err(error) => log::warn!("udevadm settle: {error}"),
    }
}

/// Lines `E:KEY=value` among others.
fn parse(text: &str) -> Option<Remembered> {
    let value = |key: &str| {
        let values = text.lines().filter_map(|line| line.strip_prefix("E:")?.split_once('='));
        values.filter(|(k, v)| *k == key && !v.is_empty()).map(|(_, v)| v.to_owned()).next_back()
    };
    let table = value("ID_PART_TABLE_TYPE").map(|table| format!("a {table} partition table"));
    let what = value("ID_FS_TYPE").or(table)?;
    Some(Remembered { what, uuid: value("ID_FS_UUID") })
}

const LIMIT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, what: Option<&str>, uuid: Option<&str>) {
        let found = parse(text);
        assert_eq!(found.as_ref().map(|found| &*found.what), what);
        assert_eq!(found.and_then(|found| found.uuid).as_deref(), uuid);
    }

    #[test]
    fn a_file_system_is_remembered_with_its_uuid() {
        check(
            "S:disk/by-id/x\nI:1\nE:ID_SERIAL=x\nE:ID_FS_UUID=1-2\nE:ID_FS_TYPE=ext4\nG:systemd\n",
            Some("ext4"),
            Some("1-2"),
        );
    }

    #[test]
    fn a_partition_table_is_remembered() {
        check("E:ID_PART_TABLE_TYPE=gpt\n", Some("a gpt partition table"), None);
    }

    #[test]
    fn a_disk_without_either_is_forgotten() {
        check("", None, None);
        check("E:ID_SERIAL=x\nE:ID_FS_TYPE=\nID_FS_TYPE=ext4\nX:ID_FS_TYPE=ext4\n", None, None);
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn no_record_panics(
                text in "([ESI]:(ID_FS_TYPE|ID_FS_UUID|ID_PART_TABLE_TYPE|X)?=?\\PC{0,6}\n|\\PC{0,9}){0,6}",
            ) {
                let found = parse(&text);
                prop_assert!(found.is_none_or(|found| !found.what.is_empty()));
            }
        }
    }
}
