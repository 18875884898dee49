//! What may be done with a disk, decided from what is on it and what is remembered of it.

use std::path::Path;

use disk::Contents;
use flexvolume::Options;
use mount::{FsType, MountOptions};

use crate::{
    error::Error,
    witness::{Recall, Witness},
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
    pub(crate) check: disk::BlankCheck,
    /// Whether a blank disk may be formatted at all.
    pub(crate) format: bool,
}

impl Wanted {
    /// Reads a call's options.
    ///
    /// # Errors
    /// An option has a value that is not among those known.
    pub(crate) fn from_options(options: &Options) -> Result<Self, Error> {
        let unknown = |option: &'static str, choices: &'static str| Error::Option {
            option,
            given: options.get(option).unwrap_or_default().to_owned(),
            choices,
        };
        Ok(Self {
            fs: options.fs_type().map(str::parse).transpose()?,
            options: options.get("mountOptions").unwrap_or_default().parse()?,
            read_only: options.read_only(),
            check: match options.get("blankCheck") {
                None | Some("" | "sampled") => disk::BlankCheck::Sampled,
                Some("full") => disk::BlankCheck::Full,
                Some(_) => return Err(unknown("blankCheck", "sampled (the default) or full")),
            },
            format: match options.get("format") {
                None | Some("" | "if-blank") => true,
                Some("never") => false,
                Some(_) => return Err(unknown("format", "if-blank (the default) or never")),
            },
        })
    }
}

/// The next step for a disk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// It holds what the pod wants.
    Mount {
        /// The file system.
        fs_type: String,
        /// Its UUID.
        uuid: Option<String>,
    },
    /// No witness finds anything on it: it may be formatted once it is proven blank.
    Format,
    /// A format of ours was interrupted: it may be finished once nothing else is found on it.
    FinishFormat {
        /// The UUID that was chosen for it.
        uuid: String,
    },
}

/// Decides. Whatever is not understood is refused.
pub(crate) fn plan(
    device: &Path,
    contents: Contents,
    recall: &Recall,
    wanted: &Wanted,
) -> Result<Plan, Error> {
    if let Recall::Seen(Witness { formatting: Some(uuid), .. }) = recall {
        may_write(device, wanted)?;
        return Ok(Plan::FinishFormat { uuid: uuid.clone() });
    }
    match contents {
        Contents::Filesystem { fs_type, uuid } => {
            let asked = wanted.fs.map(|fs| fs.as_str());
            let mountable = asked.map_or(MOUNTABLE.contains(&&*fs_type), |asked| asked == fs_type);
            if mountable {
                return Ok(Plan::Mount { fs_type, uuid });
            }
            let device = device.to_owned();
            Err(match asked {
                Some(asked) => {
                    Error::OtherFileSystem { device, found: fs_type, wanted: asked.into() }
                }
                None => Error::HoldsOther { device, what: fs_type },
            })
        }
        Contents::Other { what, offset } => {
            let place = offset.map_or_else(String::new, |at| format!(" at byte {at}"));
            Err(Error::HoldsOther { device: device.to_owned(), what: format!("{what}{place}") })
        }
        Contents::Nothing => may_write(device, wanted).map(|()| Plan::Format),
        _ => Err(Error::HoldsOther { device: device.to_owned(), what: "something unknown".into() }),
    }
}

fn may_write(device: &Path, wanted: &Wanted) -> Result<(), Error> {
    let refuse = |why| Err(Error::NotFormatting { device: device.to_owned(), why });
    match wanted {
        Wanted { read_only: true, .. } => refuse("the pod asks for it read-only"),
        Wanted { format: false, .. } => refuse("the option format is never"),
        _ => Ok(()),
    }
}

// What the kernels of common nodes mount without help, if the pod does not say what it expects.
const MOUNTABLE: [&str; 5] = ["ext2", "ext3", "ext4", "xfs", "btrfs"];
