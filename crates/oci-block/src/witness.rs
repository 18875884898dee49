//! What this host remembers of a volume.
//!
//! A record lets a disk be formatted only to finish a format of ours that was interrupted; otherwise it can only
//! make the driver refuse more. It also leads from a volume's name to its disk where kubelet gives no path.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use ring::digest;
use serde::{Deserialize, Serialize};

/// One volume, as it was last seen here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Witness {
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
    /// What Kubernetes calls the volume, where the option `volumeId` names it: kubelet's directories
    /// have that name, and unmountdevice is given nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

impl Witness {
    /// Whether Kubernetes calls the volume so.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }
}

/// The records of a host.
#[derive(Debug)]
pub(crate) struct Witnesses {
    dir: PathBuf,
}

impl Witnesses {
    /// The records below `state_dir`.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("volumes") }
    }

    /// What is remembered of `volume`. To be called with the volume's lock in hand.
    ///
    /// A record that is damaged is set aside, once, as `.corrupt`.
    pub(crate) fn read(&self, volume: &str) -> Recall {
        let path = self.path(volume);
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let lost = path.with_extension(CORRUPT).exists();
                return if lost { Recall::Damaged } else { Recall::Nothing };
            }
            Err(error) => {
                log::warn!("the record {} cannot be read: {error}", path.display());
                return Recall::Damaged;
            }
        };
        parse(&text).map_or_else(
            || {
                log::warn!("the record {} is damaged and set aside", path.display());
                let _ = fs::rename(&path, path.with_extension(CORRUPT));
                Recall::Damaged
            },
            Recall::Seen,
        )
    }

    /// Remembers `witness`, so that a crash leaves the old record or the new one.
    ///
    /// # Errors
    /// The record cannot be made durable: a format must then not begin.
    pub(crate) fn write(&self, volume: &str, witness: &Witness) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let path = self.path(volume);
        let new = path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(print(witness)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(&self.dir)?.sync_all()?;
        // Observed anew: what was set aside no longer matters.
        match fs::remove_file(path.with_extension(CORRUPT)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// All readable records but that of `volume`.
    pub(crate) fn others(&self, volume: &str) -> Vec<(String, Witness)> {
        let mut others = Vec::new();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.file_stem().and_then(|it| it.to_str()).filter(|it| *it != volume);
            let is_record = path.extension().is_some_and(|it| it == "json");
            if let (Some(name), true) = (name, is_record)
                && let Some(witness) = fs::read_to_string(&path).ok().as_deref().and_then(parse)
            {
                others.push((name.to_owned(), witness));
            }
        }
        others
    }

    /// The volume that Kubernetes calls `name`, if that is not the volume's own name.
    pub(crate) fn named(&self, name: &str) -> Option<String> {
        let all = self.others("").into_iter();
        all.filter(|(_, it)| it.is_called(name)).map(|(volume, _)| volume).next()
    }

    /// Where the record of `volume` is, for messages.
    pub(crate) fn path(&self, volume: &str) -> PathBuf {
        self.dir.join(format!("{volume}.json"))
    }
}

/// What a record said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recall {
    /// This volume was never seen here.
    Nothing,
    /// It was, or may have been: the record cannot be made out.
    Damaged,
    /// It was.
    Seen(Witness),
}

/// A record is two lines: the checksum of the second, and the witness.
fn print(witness: &Witness) -> io::Result<String> {
    let body = serde_json::to_string(witness)?;
    Ok(format!("{}\n{body}\n", checksum(&body)))
}

fn parse(text: &str) -> Option<Witness> {
    let (sum, body) = text.trim_end_matches('\n').split_once('\n')?;
    (sum == checksum(body)).then(|| serde_json::from_str(body).ok())?
}

fn checksum(body: &str) -> String {
    let digest = digest::digest(&digest::SHA256, body.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

const CORRUPT: &str = "corrupt";

#[cfg(test)]
mod tests {
    use super::*;

    fn witness() -> Witness {
        Witness {
            device: Some("/dev/oracleoci/oraclevdb".into()),
            size: 50 << 30,
            fs_uuid: Some("4f1f1b0e".into()),
            ..Witness::default()
        }
    }

    #[test]
    fn a_record_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let witnesses = Witnesses::new(dir.path());
        assert_eq!(witnesses.read("v"), Recall::Nothing);
        witnesses.write("v", &witness()).unwrap();
        assert_eq!(witnesses.read("v"), Recall::Seen(witness()));
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_noticed() {
        let whole = print(&witness()).unwrap().into_bytes();
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
        let witnesses = Witnesses::new(dir.path());
        witnesses.write("v", &witness()).unwrap();
        fs::write(witnesses.path("v"), "x").unwrap();
        assert_eq!(witnesses.read("v"), Recall::Damaged);
        assert_eq!(witnesses.read("v"), Recall::Damaged);
        witnesses.write("v", &witness()).unwrap();
        assert_eq!(witnesses.read("v"), Recall::Seen(witness()));
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
                let witness = Witness {
                    device, wwid, serial, appearance, fs_uuid, formatting, size, ..Witness::default()
                };
                prop_assert_eq!(parse(&print(&witness).unwrap()), Some(witness));
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
