//! What a volume's options ask of its attachment.

use oci_iaas::AttachmentRequest;

use crate::option_error::OptionError;

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
    /// Something else makes sure that only one node mounts it.
    pub(crate) allow_shared_read_write: bool,
}

impl AttachOptions {
    /// Whether other instances may have the volume at the same time.
    pub(crate) fn is_shared(&self) -> bool {
        self.read_only || self.shareable
    }

    /// A file system of this driver has one writer, and that one can write.
    ///
    /// # Errors
    /// Two of the options destroy data together, or contradict each other.
    pub(crate) fn refuse_second_writer(&self) -> Result<(), OptionError> {
        match self {
            Self { reads: true, .. } => Ok(()),
            Self { read_only: true, .. } => Err(OptionError::ReadOnlyForWriter),
            Self { shareable: true, allow_shared_read_write: false, .. } => {
                Err(OptionError::SharedForWriter)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::volume_options::tests::parse;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expected: &str) {
        let it = parse(pairs).unwrap().attachment;
        let shown = match it.refuse_second_writer() {
            Ok(()) => format!(
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
}
