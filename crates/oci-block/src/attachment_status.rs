//! How a volume stands to an instance: one judgement over everything the API lists.

use oci_iaas::{AttachmentState, Ocid, VolumeAttachment};

use crate::error::Error;

/// How a volume stands to one instance.
#[derive(Debug, PartialEq)]
pub(crate) enum AttachmentStatus<'a> {
    /// Attached here, or on the way.
    AttachedHere(&'a VolumeAttachment),
    /// Being detached, here or elsewhere; nothing can be attached before that ends.
    Detaching(&'a VolumeAttachment),
    /// Attached to another instance, or on the way there.
    AttachedElsewhere(&'a VolumeAttachment),
    /// In a state that this driver does not know.
    Unknown(&'a VolumeAttachment),
    /// Attached to nothing.
    NotAttached,
}

/// Judges a complete list. Attachments stay listed for a while after they have ended.
pub(crate) fn attachment_status<'a>(
    attachments: &'a [VolumeAttachment],
    volume: &Ocid,
    instance: &Ocid,
) -> AttachmentStatus<'a> {
    use AttachmentState::{Attached, Attaching, Detached, Detaching};

    attachments
        .iter()
        .filter(|it| it.volume_id == *volume)
        .map(|it| match (&it.lifecycle_state, it.instance_id == *instance) {
            (Attached | Attaching, true) => AttachmentStatus::AttachedHere(it),
            (Detaching, _) => AttachmentStatus::Detaching(it),
            (Attached | Attaching, false) => AttachmentStatus::AttachedElsewhere(it),
            (Detached, _) => AttachmentStatus::NotAttached,
            _ => AttachmentStatus::Unknown(it),
        })
        .min_by_key(|it| match it {
            AttachmentStatus::Unknown(_) => 0,
            AttachmentStatus::AttachedHere(_) => 1,
            AttachmentStatus::Detaching(_) => 2,
            AttachmentStatus::AttachedElsewhere(_) => 3,
            AttachmentStatus::NotAttached => 4,
        })
        .unwrap_or(AttachmentStatus::NotAttached)
}

/// An attachment of the volume to another instance that is attached or will be.
pub(crate) fn elsewhere<'a>(
    attachments: &'a [VolumeAttachment],
    volume: &Ocid,
    instance: &Ocid,
) -> Option<&'a VolumeAttachment> {
    let live = [AttachmentState::Attached, AttachmentState::Attaching];
    attachments.iter().find(|it| {
        it.volume_id == *volume && it.instance_id != *instance && live.contains(&it.lifecycle_state)
    })
}

/// Refuses an attachment that is not of that volume on that instance, whatever its OCID is.
pub(crate) fn refuse_another(
    attachment: &VolumeAttachment,
    volume: &Ocid,
    instance: &Ocid,
) -> Result<(), Error> {
    if attachment.volume_id == *volume && attachment.instance_id == *instance {
        return Ok(());
    }
    Err(Error::AnotherAttachment {
        attachment: attachment.id.to_string(),
        asked: format!("volume {volume} on instance {instance}"),
        answered: format!("volume {} on instance {}", attachment.volume_id, attachment.instance_id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `attachments` as `STATE@instance`; the answer as the judgement and the attachment's number.
    #[track_caller]
    fn check(attachments: &[&str], expected: &str) {
        let volume: Ocid = "ocid1.volume.oc1.phx.v".parse().unwrap();
        let here: Ocid = "ocid1.instance.oc1.phx.here".parse().unwrap();
        let attachments: Vec<VolumeAttachment> = attachments
            .iter()
            .enumerate()
            .map(|(number, text)| {
                let (state, rest) = text.split_once('@').unwrap();
                let (instance, volume) = rest.split_once('/').unwrap_or((rest, "v"));
                serde_json::from_value(serde_json::json!({
                    "attachmentType": "iscsi",
                    "id": format!("ocid1.volumeattachment.oc1.phx.{number}"),
                    "instanceId": format!("ocid1.instance.oc1.phx.{instance}"),
                    "volumeId": format!("ocid1.volume.oc1.phx.{volume}"),
                    "availabilityDomain": "AD-1",
                    "compartmentId": "ocid1.compartment.oc1..c",
                    "lifecycleState": state,
                }))
                .unwrap()
            })
            .collect();
        let shown = match attachment_status(&attachments, &volume, &here) {
            AttachmentStatus::AttachedHere(it) => format!("here {}", it.id.unique()),
            AttachmentStatus::Detaching(it) => format!("leaving {}", it.id.unique()),
            AttachmentStatus::AttachedElsewhere(it) => format!("elsewhere {}", it.id.unique()),
            AttachmentStatus::Unknown(it) => format!("unclear {}", it.id.unique()),
            AttachmentStatus::NotAttached => "nowhere".to_owned(),
        };
        assert_eq!(shown, expected, "{attachments:?}");
    }

    #[test]
    fn one_attachment_speaks_for_itself() {
        check(&[], "nowhere");
        check(&["DETACHED@here"], "nowhere");
        check(&["ATTACHED@here"], "here 0");
        check(&["ATTACHING@here"], "here 0");
        check(&["DETACHING@here"], "leaving 0");
        check(&["ATTACHED@there"], "elsewhere 0");
        check(&["ATTACHING@there"], "elsewhere 0");
        check(&["DETACHING@there"], "leaving 0");
        check(&["MOVING@there"], "unclear 0");
    }

    #[test]
    fn past_attachments_and_other_volumes_do_not_count() {
        check(&["DETACHED@here", "DETACHED@there", "ATTACHED@here"], "here 2");
        check(&["DETACHED@here", "ATTACHED@there"], "elsewhere 1");
        check(&["ATTACHED@here/other", "ATTACHED@there/other"], "nowhere");
    }

    #[test]
    fn of_several_the_nearest_counts() {
        check(&["ATTACHED@there", "ATTACHED@here"], "here 1");
        check(&["ATTACHED@there", "DETACHING@here"], "leaving 1");
        check(&["DETACHING@here", "ATTACHING@here"], "here 1");
        check(&["ATTACHED@here", "MOVING@there"], "unclear 1");
    }
}
