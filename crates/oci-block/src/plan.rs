//! What may be done with a disk, decided from what is on it and what is remembered of it.

use std::{fs, io, path::Path};

use disk::{BlankCheck, Contents};
use mount::{FsType, MountOptions};

use crate::{
    refusal::Refusal,
    volume_record::{RecordState, VolumeRecord},
};

/// What the pod asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The file system, if the pod names one.
    pub(crate) fs: Option<FsType>,
    /// Further options of the mount.
    pub(crate) options: MountOptions,
    /// Nothing may be written.
    pub(crate) read_only: bool,
    /// How much of a disk is read before it counts as blank.
    pub(crate) check: BlankCheck,
    /// Whether a blank disk may be formatted at all.
    pub(crate) format: bool,
    /// Whether a file system follows its disk when it is mounted.
    pub(crate) grow: bool,
}

impl Wanted {
    /// How much of a disk, or of what lies behind a file system, is read: at other places in each call.
    pub(crate) fn check_at_random(&self) -> BlankCheck {
        // Without randomness all calls look at the same places, which is no reason to fail.
        let random = random_uuid().unwrap_or_default();
        let seed = random.get(..8).and_then(|it| u64::from_str_radix(it, 16).ok());
        self.check.with_seed(seed.unwrap_or_default())
    }
}

/// The kernel makes random UUIDs (random(4)).
pub(crate) fn random_uuid() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned())
}

/// The next step for a disk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// It holds what the pod wants.
    Mount {
        /// What it is mounted as.
        fs_type: String,
        /// Its UUID.
        uuid: Option<String>,
    },
    /// No probe finds anything on it: it may be formatted once `disk::Blank` is had of it.
    Format,
    /// A format of this driver was interrupted: it may be finished once nothing else is found on it.
    FinishFormat {
        /// The UUID that was chosen for it.
        uuid: String,
        /// The whole file system with this UUID that is found, if one is.
        found: Option<String>,
    },
}

impl Plan {
    /// What the disk is mounted as, if that is known before anything is done.
    pub(crate) fn mounted_as(&self) -> Option<&str> {
        match self {
            Self::Mount { fs_type, .. } | Self::FinishFormat { found: Some(fs_type), .. } => {
                Some(fs_type)
            }
            Self::Format | Self::FinishFormat { found: None, .. } => None,
        }
    }
}

/// Decides. Whatever is not understood is refused.
pub(crate) fn plan(
    device: &Path,
    contents: Contents,
    recall: &RecordState,
    wanted: &Wanted,
) -> Result<Plan, Refusal> {
    if let RecordState::Known(VolumeRecord { formatting: Some(ours), .. }) = recall {
        let uuid = ours.clone();
        match &contents {
            // Nothing is written where a file system may be in use.
            Contents::Contested { .. } => {}
            // Meanwhile another node has made a file system of its own.
            Contents::Filesystem { uuid: Some(other), .. } if other != ours => {}
            Contents::Filesystem { fs_type, .. } => {
                return Ok(Plan::FinishFormat { uuid, found: Some(fs_type.clone()) });
            }
            _ => return Ok(Plan::FinishFormat { uuid, found: None }),
        }
    }
    match contents {
        Contents::Filesystem { fs_type, uuid } => {
            let can_be_mounted = MOUNTABLE.contains(&&*fs_type);
            if wanted.fs.map_or(can_be_mounted, |asked| asked.mounts(&fs_type)) {
                let fs_type = wanted.fs.map_or(fs_type, |asked| asked.as_str().to_owned());
                return Ok(Plan::Mount { fs_type, uuid });
            }
            let device = device.to_owned();
            Err(match wanted.fs {
                Some(asked) if can_be_mounted => {
                    let wanted = asked.as_str().to_owned();
                    Refusal::OtherFileSystem { device, found: fs_type, wanted }
                }
                _ => Refusal::HoldsOther { device, what: format!("it holds {fs_type}") },
            })
        }
        Contents::Contested { fs_type, what } => {
            Err(Refusal::Contested { device: device.to_owned(), fs_type, what })
        }
        Contents::Other { what } => Err(Refusal::HoldsOther { device: device.to_owned(), what }),
        Contents::Nothing => may_write(device, wanted).map(|()| Plan::Format),
        _ => {
            let what = "what it holds is unknown".into();
            Err(Refusal::HoldsOther { device: device.to_owned(), what })
        }
    }
}

/// Refuses to format for a pod that does not want it.
pub(crate) fn may_write(device: &Path, wanted: &Wanted) -> Result<(), Refusal> {
    let refuse = |why| Err(Refusal::NotFormatting { device: device.to_owned(), why });
    match wanted {
        Wanted { read_only: true, .. } => refuse("the pod asks for it read-only"),
        Wanted { format: false, .. } => refuse("the option format is never"),
        _ => Ok(()),
    }
}

// What the kernels of common nodes mount without help, if the pod does not say what it expects. btrfs
// is not among it: the mount table shows a number of its own for it, which proves no disk.
const MOUNTABLE: [&str; 4] = ["ext2", "ext3", "ext4", "xfs"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume_options::tests::parse_json;

    fn wanted(options: &str) -> Wanted {
        parse_json(options).unwrap().wanted
    }

    fn fs(fs_type: &str) -> Contents {
        Contents::Filesystem { fs_type: fs_type.into(), uuid: Some("uuid".into()) }
    }

    fn formatting() -> RecordState {
        RecordState::Known(VolumeRecord {
            formatting: Some("ours".into()),
            ..VolumeRecord::default()
        })
    }

    #[track_caller]
    fn check(contents: Contents, recall: &RecordState, options: &str, expected: &str) {
        let shown = match plan(Path::new("/dev/sdb"), contents, recall, &wanted(options)) {
            Ok(Plan::Mount { fs_type, .. }) => format!("mount {fs_type}"),
            Ok(Plan::Format) => "format".into(),
            Ok(Plan::FinishFormat { uuid, found }) => format!("finish {uuid} {found:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    fn differs(found: &str, wanted: &str) -> String {
        format!(
            "the disk at /dev/sdb holds {found} and the pod asks for {wanted}, as which it cannot be \
             mounted; leave fsType out to have it mounted as it is (a persistent volume is made anew \
             for that, over the same volume)"
        )
    }

    /// ext4.ko mounts them all; as ext3 it mounts only what has a journal and nothing newer.
    #[test]
    fn the_older_ones_of_a_family_are_mounted_as_the_newest() {
        for (found, asked, expected) in [
            ("ext2", "ext4", "mount ext4"),
            ("ext3", "ext4", "mount ext4"),
            ("ext4", "ext4", "mount ext4"),
            ("ext3", "ext3", "mount ext3"),
            ("ext4", "ext3", &*differs("ext4", "ext3")),
            ("ext2", "ext3", &*differs("ext2", "ext3")),
            ("ext3", "xfs", &*differs("ext3", "xfs")),
            ("xfs", "ext4", &*differs("xfs", "ext4")),
        ] {
            let options = format!(r#"{{"kubernetes.io/fsType":"{asked}"}}"#);
            check(fs(found), &RecordState::Absent, &options, expected);
        }
    }

    #[test]
    fn where_a_whole_file_system_is_nothing_is_wiped() {
        let contents = || Contents::Contested {
            fs_type: "ext4".into(),
            what: "it holds ext at offset 1080, zfs_member at offset 131072".into(),
        };
        for recall in [RecordState::Absent, RecordState::Corrupt, formatting()] {
            check(
                contents(),
                &recall,
                "{}",
                "the disk at /dev/sdb holds a whole ext4 file system and something else beside it, and it \
                 cannot be told which of the two is in use: it holds ext at offset 1080, zfs_member \
                 at offset 131072; it is neither mounted nor formatted: take a backup of the volume, \
                 look at both by hand (mount -o ro), and remove the signature of the one that is left \
                 over, and no other (wipefs --backup --offset)",
            );
        }
    }

    #[test]
    fn what_is_there_is_mounted_if_it_is_what_was_asked_for() {
        let asked = r#"{"kubernetes.io/fsType":"xfs"}"#;
        check(fs("xfs"), &RecordState::Absent, asked, "mount xfs");
        check(fs("xfs"), &RecordState::Corrupt, asked, "mount xfs");
        check(fs("ext2"), &RecordState::Absent, "{}", "mount ext2");
        check(fs("ext4"), &RecordState::Absent, asked, &differs("ext4", "xfs"));
        let by_hand = "it is neither mounted nor formatted: if nothing on it is wanted, wipe it by \
                       hand (wipefs --all, then blkdiscard --zeroout)";
        let holds =
            |what: &str| format!("the disk at /dev/sdb is not blank: it holds {what}; {by_hand}");
        check(fs("ntfs"), &RecordState::Absent, "{}", &holds("ntfs"));
        check(fs("btrfs"), &RecordState::Absent, "{}", &holds("btrfs"));
        check(fs("f2fs"), &RecordState::Absent, asked, &holds("f2fs"));
        let other = Contents::Other { what: "it holds a LUKS header at offset 0".into() };
        check(other, &RecordState::Absent, "{}", &holds("a LUKS header at offset 0"));
    }

    #[test]
    fn what_holds_nothing_is_formatted_if_it_may_be_written() {
        check(Contents::Nothing, &RecordState::Absent, "{}", "format");
        let blank = "the disk at /dev/sdb is blank and";
        check(
            Contents::Nothing,
            &RecordState::Absent,
            r#"{"kubernetes.io/readwrite":"ro"}"#,
            &format!("{blank} the pod asks for it read-only; nothing was formatted"),
        );
        check(
            Contents::Nothing,
            &RecordState::Absent,
            r#"{"format":"never"}"#,
            &format!("{blank} the option format is never; nothing was formatted"),
        );
    }

    #[test]
    fn an_interrupted_format_is_finished_whatever_it_has_left() {
        let rubble = Contents::Other { what: "data".into() };
        let ours = Contents::Filesystem { fs_type: "ext4".into(), uuid: Some("ours".into()) };
        for contents in [Contents::Nothing, rubble] {
            check(contents, &formatting(), "{}", "finish ours None");
        }
        check(ours, &formatting(), "{}", "finish ours Some(\"ext4\")");
        // Meanwhile another node has formatted the disk.
        check(fs("ext4"), &formatting(), "{}", "mount ext4");
    }

    #[test]
    fn every_check_looks_at_other_places() {
        let seed = |options| match wanted(options).check_at_random() {
            BlankCheck::Sampled { seed, .. } => Some(seed),
            BlankCheck::Full => None,
        };
        assert_ne!(seed("{}"), seed("{}"));
        assert_eq!(seed(r#"{"blankCheck":"full"}"#), None);
    }
}
