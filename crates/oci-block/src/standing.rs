//! How a volume stands to an instance: one judgement over everything the API lists.

use oci_iaas::{AttachmentState, Ocid, VolumeAttachment};

/// How a volume stands to one instance.
#[derive(Debug, PartialEq)]
pub(crate) enum Standing<'a> {
    /// Attached here, or on the way.
    Here(&'a VolumeAttachment),
    /// Being detached, here or elsewhere; nothing can be attached before that ends.
    Leaving(&'a VolumeAttachment),
    /// Attached to another instance, or on the way there.
    Elsewhere(&'a VolumeAttachment),
    /// In a state that this driver does not know.
    Unclear(&'a VolumeAttachment),
    /// Attached to nothing.
    Nowhere,
}

/// Judges a complete list. Attachments stay listed for a while after they have ended.
pub(crate) fn standing<'a>(
    attachments: &'a [VolumeAttachment],
    volume: &Ocid,
    instance: &Ocid,
) -> Standing<'a> {
    use AttachmentState::{Attached, Attaching, Detached, Detaching};

    attachments
        .iter()
        .filter(|it| it.volume_id == *volume)
        .map(|it| match (&it.lifecycle_state, it.instance_id == *instance) {
            (Attached | Attaching, true) => Standing::Here(it),
            (Detaching, _) => Standing::Leaving(it),
            (Attached | Attaching, false) => Standing::Elsewhere(it),
            (Detached, _) => Standing::Nowhere,
            _ => Standing::Unclear(it),
        })
        .min_by_key(|it| match it {
            Standing::Unclear(_) => 0,
            Standing::Here(_) => 1,
            Standing::Leaving(_) => 2,
            Standing::Elsewhere(_) => 3,
            Standing::Nowhere => 4,
        })
        .unwrap_or(Standing::Nowhere)
}
