//! What udev remembers of a disk: the fourth probe for what is on it, which may be older than that, and whose links lead
//! to it.

use std::{fmt, fs, io, path::Path, time::Duration};

use command::{Command, Runner};

use crate::{Disk, Error};

impl Disk {
    /// Whether udev says that `link`, a path below `/dev`, leads to this disk. Without udev, always.
    ///
    /// The link of a disk that has gone lives on until udev has heard of it, and leads to the next disk that gets the
    /// kernel's name of it.
    ///
    /// # Errors
    /// If udev's record does not read.
    pub fn is_linked(&self, link: &Path) -> Result<bool, Error> {
        if !self.host().udev_db.exists() {
            return Ok(true);
        }
        Ok(record(self)?.is_some_and(|text| has_link(&text, link)))
    }
}

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

/// Looks the disk up in udev's database; `None` if it is not there or had nothing on it.
pub(crate) fn remembered(disk: &Disk) -> Result<Option<Remembered>, Error> {
    Ok(record(disk)?.as_deref().and_then(parse))
}

/// Udev's record of the disk, and not of one that had its number before: udev may not have heard yet.
fn record(disk: &Disk) -> Result<Option<String>, Error> {
    let file = disk.host().udev_db.join(format!("b{}", disk.number()));
    let text = match fs::read(&file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Host { file, source }),
    };
    let count = disk.sysfs().attribute("diskseq")?;
    Ok(is_of(&text, count.as_deref(), disk.identity().serial.as_deref()).then_some(text))
}

/// Lets udev finish what it is at, so that its database is of now. Without udev, does nothing; its
/// failure is only logged, because this probe counts only when it finds something.
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

fn parse(text: &str) -> Option<Remembered> {
    let value = |key: &str| value(text, key).map(str::to_owned);
    let table = value("ID_PART_TABLE_TYPE").map(|table| format!("a {table} partition table"));
    let what = value("ID_FS_TYPE").or(table)?;
    Some(Remembered { what, uuid: value("ID_FS_UUID") })
}

/// Lines `E:KEY=value` among others.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let values = text.lines().filter_map(|line| line.strip_prefix("E:")?.split_once('='));
    values.filter(|(k, v)| *k == key && !v.is_empty()).map(|(_, v)| v).next_back()
}

/// Whether a record may be of the disk that is there now. The kernel's count of disks tells; before Linux 5.15
/// the serial number has to, in which udev replaces some characters.
fn is_of(text: &str, count: Option<&str>, serial: Option<&str>) -> bool {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    match (value(text, "DISKSEQ").zip(count), value(text, "ID_SCSI_SERIAL").zip(serial)) {
        (Some((then, now)), _) => then == now,
        (None, Some((then, now))) => plain(then) == plain(now),
        (None, None) => true,
    }
}

/// Whether a record has the link: a line `S:` with its path below `/dev`.
fn has_link(text: &str, link: &Path) -> bool {
    let Ok(name) = link.strip_prefix("/dev") else { return false };
    text.lines().any(|line| line.strip_prefix("S:").is_some_and(|it| Path::new(it) == name))
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

    #[test]
    fn a_link_stands_in_a_line_of_its_own() {
        let has = |text: &str| has_link(text, Path::new("/dev/oracleoci/oraclevdb"));
        assert!(has("N:sdb\nS:oracleoci/oraclevdb\n"));
        assert!(!has("") && !has("S:oracleoci/oraclevdc\nS:oracleoci/oraclevdbb\n"));
    }

    #[test]
    fn a_record_is_believed_if_it_may_be_of_the_disk_that_is_there() {
        let counted = "E:DISKSEQ=9\nE:ID_SCSI_SERIAL=60_A\n";
        let older = "E:ID_SCSI_SERIAL=60_A\n";
        for (text, count, serial, expected) in [
            ("", None, None, true),
            ("", Some("9"), Some("60 A"), true),
            (counted, Some("9"), Some("another"), true),
            (counted, Some("10"), Some("60 A"), false),
            (counted, None, Some("60 A"), true),
            (older, Some("9"), Some("60 A"), true),
            (older, Some("9"), Some("another"), false),
            (older, None, None, true),
        ] {
            assert_eq!(is_of(text, count, serial), expected, "{text} {count:?} {serial:?}");
        }
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
