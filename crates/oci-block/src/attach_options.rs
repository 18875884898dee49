//! What a volume's options ask of its attachment.

use flexvolume::Options;
use oci_iaas::AttachmentRequest;

use crate::{chap, error::Error};

/// The attachment that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttachOptions {
    /// How the instance reaches the volume.
    pub(crate) kind: AttachmentRequest,
    /// The pod only reads.
    pub(crate) reads: bool,
    /// The instance may only read, and so may others.
    pub(crate) read_only: bool,
    /// Other instances may write, too.
    pub(crate) shareable: bool,
}

impl AttachOptions {
    /// Reads a call's options.
    ///
    /// # Errors
    /// An option has a value that is not among those known, or two of them destroy data together: a
    /// file system of this driver has one writer.
    pub(crate) fn from_options(options: &Options) -> Result<Self, Error> {
        let reads = options.read_only();
        let read_only = flag(options, "attachReadOnly")?;
        let shareable = flag(options, "shareable")?;
        let many_writers = flag(options, "allowSharedReadWrite")?;
        if read_only && !reads {
            return Err(Error::ReadOnlyForWriter);
        }
        if shareable && !reads && !many_writers {
            return Err(Error::SharedForWriter);
        }
        Ok(Self { kind: kind(options)?, reads, read_only, shareable })
    }

    /// Whether other instances may have the volume at the same time.
    pub(crate) fn is_shared(&self) -> bool {
        self.read_only || self.shareable
    }
}

fn kind(options: &Options) -> Result<AttachmentRequest, Error> {
    match options.get("attachmentType") {
        None | Some("" | "iscsi") => {
            Ok(AttachmentRequest::Iscsi { use_chap: chap::is_wanted(options)? })
        }
        Some("paravirtualized") => Ok(AttachmentRequest::Paravirtualized),
        Some(other) => Err(Error::Option {
            option: "attachmentType",
            given: other.to_owned(),
            choices: "iscsi (the default) or paravirtualized",
        }),
    }
}

/// `"true"` or `"false"`, which is also the default.
pub(crate) fn flag(options: &Options, option: &'static str) -> Result<bool, Error> {
    match options.get(option) {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Error::Option {
            option,
            given: other.to_owned(),
            choices: "true or false (the default)",
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expected: &str) {
        let object: Map<String, Value> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        let options = Options::from_json(Value::Object(object).to_string().as_bytes()).unwrap();
        let shown = match AttachOptions::from_options(&options) {
            Ok(it) => format!(
                "{}{}{}",
                if it.reads { "reads" } else { "writes" },
                if it.read_only { ", read-only" } else { "" },
                if it.shareable { ", shareable" } else { "" },
            ),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    const READER: (&str, &str) = ("kubernetes.io/readwrite", "ro");

    #[test]
    fn one_writer_is_the_default() {
        check(&[], "writes");
        check(&[READER], "reads");
        check(&[("shareable", "false"), ("attachReadOnly", "")], "writes");
    }

    #[test]
    fn readers_may_share() {
        check(&[READER, ("attachReadOnly", "true")], "reads, read-only");
        check(&[READER, ("shareable", "true")], "reads, shareable");
    }

    #[test]
    fn writers_share_only_if_they_are_told_what_that_means() {
        check(
            &[("attachReadOnly", "true")],
            "the option attachReadOnly is true, but the pod wants to write; set readOnly: true on \
             the flexVolume, or remove the option",
        );
        check(
            &[("shareable", "true")],
            "the option shareable is true and the pod wants to write: two nodes that write to one \
             ext4 or xfs destroy it; set readOnly: true on the flexVolume, or allowSharedReadWrite: \
             \"true\" if something else sees to it that only one node mounts it",
        );
        check(&[("shareable", "true"), ("allowSharedReadWrite", "true")], "writes, shareable");
    }

    #[test]
    fn anything_else_is_refused() {
        check(
            &[("shareable", "yes")],
            "the option shareable is `yes`; it may be true or false (the default)",
        );
    }
}
