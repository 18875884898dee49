//! What this host remembers of a volume.
//!
//! A record lets a disk be formatted only to finish a format of this driver that was interrupted; otherwise it can only
//! make the driver refuse more. It also leads from a volume's name to its disk where kubelet gives no path.

use std::{
    io,
    path::{Path, PathBuf},
};

use ring::digest;
use serde::{Deserialize, Serialize};

use crate::private_dir::{Lasting, PrivateDir, cure};

/// One volume, as it was last seen here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VolumeRecord {
    /// The device path that attach composed.
    pub(crate) device: Option<String>,
    /// The paths of its other portals, if it is multipath.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) paths: Vec<String>,
    /// The disk's world-wide identifier, where it shows one.
    pub(crate) wwid: Option<String>,
    /// The disk's serial number, where it shows one.
    pub(crate) serial: Option<String>,
    /// The disk's appearance on this machine: another one after a reboot or a move.
    pub(crate) appearance: Option<String>,
    /// The disk's size in bytes.
    pub(crate) size: u64,
    /// The file system that was seen or made.
    pub(crate) fs_uuid: Option<String>,
    /// An unfinished format: the UUID that was chosen for it.
    pub(crate) formatting: Option<String>,
    /// The size that the disk had before it grew, until its file system has followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grown_from: Option<u64>,
    /// The size to which the file system was growing: what lies behind its end up to there is the work of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) growing: Option<u64>,
    /// What Kubernetes calls the volume, where the option `volumeId` names it: kubelet's directories
    /// have that name, and unmountdevice is given nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

impl VolumeRecord {
    /// Whether Kubernetes calls the volume so.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }
}

/// The records of a host.
#[derive(Debug)]
pub(crate) struct VolumeRecords {
    state_dir: PathBuf,
}

impl VolumeRecords {
    /// The records below `state_dir`.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    /// What is remembered of `volume`. To be called while the volume's lock is held.
    ///
    /// A record that is damaged is set aside, once, as `.corrupt`. One that does not read stays: what keeps it from
    /// being read may pass.
    pub(crate) fn read(&self, volume: &str) -> RecordState {
        self.try_read(volume).unwrap_or_else(|error| {
            log::warn!("the record {} cannot be read: {error}", self.path(volume).display());
            RecordState::Unreadable(format!("{error}{}", cure(&error)))
        })
    }

    fn try_read(&self, volume: &str) -> io::Result<RecordState> {
        let Some(dir) = PrivateDir::existing(&self.state_dir, VOLUMES)? else {
            return Ok(RecordState::Absent);
        };
        let (name, corrupt) = (file(volume), corrupt(volume));
        let bytes = match dir.read(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(if dir.has(&corrupt) {
                    RecordState::Corrupt
                } else {
                    RecordState::Absent
                });
            }
            bytes => bytes?,
        };
        let record = String::from_utf8(bytes).ok().as_deref().and_then(parse);
        Ok(record.map_or_else(
            || {
                log::warn!("the record {} is damaged and set aside", self.path(volume).display());
                let _ = dir.rename(&name, &corrupt);
                RecordState::Corrupt
            },
            RecordState::Known,
        ))
    }

    /// Remembers `volume_record`, so that a crash leaves the old record or the new one.
    ///
    /// # Errors
    /// The record cannot be made durable: a format must then not begin.
    pub(crate) fn write(&self, volume: &str, volume_record: &VolumeRecord) -> io::Result<()> {
        let dir = PrivateDir::make(&self.state_dir, VOLUMES)?;
        dir.write(&file(volume), print(volume_record)?.as_bytes(), Lasting::Durable)?;
        let [fs_uuid, formatting] = [&volume_record.fs_uuid, &volume_record.formatting]
            .map(|it| it.as_deref().unwrap_or_default());
        log::info!(volume, fs_uuid, formatting, size = volume_record.size; "record written");
        // Observed anew: what was set aside no longer matters.
        dir.remove(&corrupt(volume))
    }

    /// All readable records but that of `volume`.
    pub(crate) fn others(&self, volume: &str) -> Vec<(String, VolumeRecord)> {
        let Ok(Some(dir)) = PrivateDir::existing(&self.state_dir, VOLUMES) else {
            return Vec::new();
        };
        let names = dir.names().unwrap_or_default();
        let others = names.iter().filter_map(|name| name.strip_suffix(".json"));
        let others = others.filter(|name| *name != volume).filter_map(|name| {
            let text = String::from_utf8(dir.read(&file(name)).ok()?).ok()?;
            Some((name.to_owned(), parse(&text)?))
        });
        others.collect()
    }

    /// Whether there is a record of `volume`, whatever its state.
    pub(crate) fn has(&self, volume: &str) -> bool {
        let dir = PrivateDir::existing(&self.state_dir, VOLUMES).ok().flatten();
        dir.is_some_and(|dir| dir.has(&file(volume)) || dir.has(&corrupt(volume)))
    }

    /// Where the record of `volume` is, for messages.
    pub(crate) fn path(&self, volume: &str) -> PathBuf {
        self.state_dir.join(VOLUMES).join(file(volume))
    }
}

/// What a record said.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a call has one of it")]
pub(crate) enum RecordState {
    /// This volume was never seen here.
    Absent,
    /// It was, or may have been: the record cannot be made out.
    Corrupt,
    /// It may have been: the record cannot be read. Why, and what to do about it.
    Unreadable(String),
    /// It was.
    Known(VolumeRecord),
}

/// A record is two lines: the checksum of the second, and the record itself.
fn print(volume_record: &VolumeRecord) -> io::Result<String> {
    let body = serde_json::to_string(volume_record)?;
    Ok(format!("{}\n{body}\n", checksum(&body)))
}

fn parse(text: &str) -> Option<VolumeRecord> {
    let (sum, body) = text.trim_end_matches('\n').split_once('\n')?;
    (sum == checksum(body)).then(|| serde_json::from_str(body).ok())?
}

fn checksum(body: &str) -> String {
    let digest = digest::digest(&digest::SHA256, body.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file(volume: &str) -> String {
    format!("{volume}.json")
}

fn corrupt(volume: &str) -> String {
    format!("{volume}.corrupt")
}

const VOLUMES: &str = "volumes";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn volume_record() -> VolumeRecord {
        VolumeRecord {
            device: Some("/dev/oracleoci/oraclevdb".into()),
            size: 50 << 30,
            fs_uuid: Some("4f1f1b0e".into()),
            ..VolumeRecord::default()
        }
    }

    #[test]
    fn a_record_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let records = VolumeRecords::new(dir.path());
        assert_eq!(records.read("v"), RecordState::Absent);
        records.write("v", &volume_record()).unwrap();
        assert_eq!(records.read("v"), RecordState::Known(volume_record()));
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_noticed() {
        let whole = print(&volume_record()).unwrap().into_bytes();
        for end in 0..whole.len() - 1 {
            let text = String::from_utf8_lossy(&whole[..end]);
            assert_eq!(parse(&text), None, "cut at {end}");
        }
        for at in 0..(whole.len() - 1) * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(parse(&text), None, "bit {at}");
        }
    }

    #[test]
    fn a_damaged_record_stays_damaged_until_the_volume_is_observed() {
        let dir = tempfile::tempdir().unwrap();
        let records = VolumeRecords::new(dir.path());
        records.write("v", &volume_record()).unwrap();
        fs::write(records.path("v"), "x").unwrap();
        assert_eq!(records.read("v"), RecordState::Corrupt);
        assert_eq!(records.read("v"), RecordState::Corrupt);
        records.write("v", &volume_record()).unwrap();
        assert_eq!(records.read("v"), RecordState::Known(volume_record()));
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn any_record_is_read_back(
                texts in prop::collection::vec(prop::option::of("\\PC{0,9}|[\\x00-\\x1f]{0,4}"), 6),
                size: u64,
            ) {
                let [device, wwid, serial, appearance, fs_uuid, formatting] =
                    <[_; 6]>::try_from(texts).unwrap();
                let volume_record = VolumeRecord {
                    device, wwid, serial, appearance, fs_uuid, formatting, size, ..VolumeRecord::default()
                };
                prop_assert_eq!(parse(&print(&volume_record).unwrap()), Some(volume_record));
            }

            /// A right checksum over a wrong record, too.
            #[test]
            fn no_text_panics(body in "\\{?(\"(device|size|wwid)\":\\PC{0,6},?){0,3}\\}?|\\PC{0,20}") {
                let _ = parse(&body);
                let _ = parse(&format!("{}\n{body}\n", checksum(&body)));
            }
        }
    }
}
