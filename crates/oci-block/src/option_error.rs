//! Why the options of a volume are refused.

/// What the volume's author has written cannot be done as it stands. Nothing was begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// The caller's part of the options.
    #[error(transparent)]
    Caller(#[from] flexvolume::OptionsError),
    /// An option that no part of the driver reads.
    #[error("`{name}` is no option of this driver; {hint}")]
    Unknown {
        /// What the author calls it.
        name: String,
        /// Which one was meant, or which there are.
        hint: String,
    },
    /// An option has a value that is not among those known.
    #[error("the option {option} is `{given}`; it may be {choices}")]
    Value {
        /// The option.
        option: &'static str,
        /// What it says.
        given: String,
        /// What it may say.
        choices: String,
    },
    /// The option `fsType`.
    #[error(transparent)]
    FsType(#[from] mount::UnknownFsType),
    /// The option `mountOptions`.
    #[error(transparent)]
    Mount(#[from] mount::OptionError),
    /// An option of iSCSI sessions for a disk that has none.
    #[error(
        "the option {option} is true, and a paravirtualized attachment has no iSCSI session; remove {option}, or \
         attachmentType"
    )]
    NoSession {
        /// The option.
        option: &'static str,
    },
    /// A writer asks for an attachment that cannot be written to.
    #[error(
        "the option attachReadOnly is true, but the pod wants to write; set readOnly: true on the \
         flexVolume, or remove the option"
    )]
    ReadOnlyForWriter,
    /// A writer asks for an attachment that others may write to.
    #[error(
        "the option shareable is true and the pod wants to write: two nodes that write to one ext4 \
         or xfs destroy it; set readOnly: true on the flexVolume, or allowSharedReadWrite: \"true\" \
         if something else sees to it that only one node mounts it"
    )]
    SharedForWriter,
}
