//! What is asked for of a volume, read once at the beginning of a call: nothing further down sees the options
//! by their names, and what is refused is refused before anything is written, locked or asked for.

use disk::BlankCheck;
use flexvolume::{Options, Secret};
use iscsi::Chap;
use mount::MountOptions;
use oci_iaas::AttachmentRequest;

use crate::{
    attach_options::AttachOptions,
    chap::CredentialsError,
    error::Error,
    option_error::OptionError,
    option_reader::OptionReader,
    plan::Wanted,
    volume::{VOLUME_ID, VolumeName},
};

/// What the caller and the volume's author ask for, in a call that attaches, finds, mounts or grows the volume.
///
/// `isattached` reads no more than the [`VolumeName`]: what it says of a volume that is attached must not depend on
/// options that are refused by now. `detach` and `unmountdevice` are given no options at all.
#[derive(Debug)]
pub(crate) struct VolumeOptions<'a> {
    /// Which volume.
    pub(crate) name: VolumeName<'a>,
    /// How it is attached.
    pub(crate) attachment: AttachOptions,
    /// Whether its sessions are authenticated.
    pub(crate) use_chap: bool,
    /// What they are authenticated with, if the caller has passed the volume's secrets.
    pub(crate) chap: Option<Chap>,
    /// Whether it is reached through several portals.
    pub(crate) multipath: bool,
    /// What is to become of its disk.
    pub(crate) wanted: Wanted,
}

impl<'a> VolumeOptions<'a> {
    /// Reads the options of a call, also those that only another call of the volume uses: attach tells the author
    /// of all that a node would refuse.
    ///
    /// # Errors
    /// They name no volume, an option is not known, or one has a value that is not among those known.
    pub(crate) fn parse(options: &'a Options) -> Result<Self, Error> {
        let name = VolumeName::from_options(options).map_err(OptionError::from)?.check()?;
        let mut reader = OptionReader::new(options);
        reader.knows(VOLUME_ID);
        let it = Self::read(name, options, &mut reader)?;
        reader.refuse_unknown()?;
        Ok(it)
    }

    fn read(
        name: VolumeName<'a>,
        options: &Options,
        reader: &mut OptionReader<'_>,
    ) -> Result<Self, Error> {
        let reads = options.read_only().map_err(OptionError::from)?;
        let use_chap = reader.flag("useChap")?;
        let mount: MountOptions =
            reader.text("mountOptions").unwrap_or_default().parse().map_err(OptionError::from)?;
        let fs = fs_type(options)?;
        if let Some(fs) = fs {
            mount.require_known_to(fs.as_str()).map_err(OptionError::from)?;
        }
        let multipath = reader.flag("multipath")?;
        let kind = reader.choice(
            "attachmentType",
            [
                ("iscsi", AttachmentRequest::Iscsi { use_chap }),
                ("paravirtualized", AttachmentRequest::Paravirtualized),
            ],
        )?;
        if matches!(kind, AttachmentRequest::Paravirtualized) {
            let of_sessions = [("useChap", use_chap), ("multipath", multipath)];
            if let Some((option, _)) = of_sessions.into_iter().find(|(_, is_set)| *is_set) {
                return Err(OptionError::NoSession { option }.into());
            }
        }
        Ok(Self {
            name,
            attachment: AttachOptions {
                kind,
                reads,
                read_only: reader.flag("attachReadOnly")?,
                shareable: reader.flag("shareable")?,
                allow_shared_read_write: reader.flag("allowSharedReadWrite")?,
            },
            use_chap,
            chap: chap(options)?,
            multipath,
            wanted: Wanted {
                fs,
                read_only: reads || mount.read_only(),
                options: mount,
                format: reader.choice("format", [("if-blank", true), ("never", false)])?,
                check: blank_check(reader)?,
                grow: reader.choice("growOnMount", [("true", true), ("false", false)])?,
            },
        })
    }
}

fn blank_check(reader: &mut OptionReader<'_>) -> Result<BlankCheck, OptionError> {
    let budget = reader.seconds("blankCheckSeconds", BLANK_CHECK_SECONDS)?;
    let sampled = BlankCheck::Sampled { budget, seed: 0 };
    reader.choice("blankCheck", [("sampled", sampled), ("full", BlankCheck::Full)])
}

fn fs_type(options: &Options) -> Result<Option<mount::FsType>, OptionError> {
    let given = options.fs_type().map(str::trim).filter(|it| !it.is_empty());
    // The error quotes what was given.
    let parse = |it: &str| it.to_ascii_lowercase().parse().or_else(|_| it.parse());
    Ok(given.map(parse).transpose()?)
}

/// The volume's secrets, where a caller passes them to other calls than `mount`; half a pair is none.
fn chap(options: &Options) -> Result<Option<Chap>, CredentialsError> {
    let text = |name| options.secret(name).map(Secret::expose).map(str::from_utf8).transpose();
    let pair = [text("chapUsername"), text("chapSecret")]
        .map(|it| it.map_err(|_| CredentialsError::NotText));
    match pair {
        [Ok(Some(username)), Ok(Some(secret))] => {
            Ok(Some(Chap::new(username, secret).map_err(CredentialsError::Unusable)?))
        }
        [Err(error), _] | [_, Err(error)] => Err(error),
        _ => Ok(None),
    }
}

const BLANK_CHECK_SECONDS: u64 = 10;

#[cfg(test)]
pub(crate) mod tests;
