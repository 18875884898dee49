//! isattached: whether the volume is attached to the node, or an error; never a guess.

use oci_iaas::ListVolumeAttachments;

use crate::{
    OciBlock,
    attachment_status::{AttachmentStatus, attachment_status},
    cloud::{Cloud, QUERY_BUDGET},
    error::Error,
    node::find_node,
    volume::VolumeName,
};

/// Looks. A wrong "no" makes the controller attach the volume elsewhere, so only a complete list
/// without the volume is a "no".
pub(crate) fn is_attached(
    driver: &OciBlock,
    name: VolumeName<'_>,
    node: &str,
) -> Result<bool, Error> {
    let name = name.for_the_api()?;
    let cloud = Cloud::open(driver, QUERY_BUDGET, name.given())?;
    let volume = name.ocid(cloud.region())?;
    let instance = find_node(&cloud, node)?.instance;
    let attachments = cloud.client.list(&ListVolumeAttachments {
        compartment: &instance.compartment_id,
        instance: Some(&instance.id),
        volume: Some(&volume),
    })?;
    match attachment_status(&attachments, &volume, &instance.id) {
        AttachmentStatus::AttachedHere(_) => Ok(true),
        AttachmentStatus::Unknown(it) => Err(Error::unclear(it)),
        AttachmentStatus::Detaching(_)
        | AttachmentStatus::AttachedElsewhere(_)
        | AttachmentStatus::NotAttached => Ok(false),
    }
}
