//! isattached: whether the volume is attached to the node, or an error; never a guess.

use oci_iaas::ListVolumeAttachments;

use crate::{
    OciBlock,
    cloud::{Cloud, TO_LOOK},
    error::Error,
    node::find_node,
    standing::{Standing, standing},
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
    let cloud = Cloud::open(driver, TO_LOOK, name.given())?;
    let volume = name.ocid(cloud.region())?;
    let instance = find_node(&cloud, node)?.instance;
    let attachments = cloud.client.list(&ListVolumeAttachments {
        compartment: &instance.compartment_id,
        instance: Some(&instance.id),
        volume: Some(&volume),
    })?;
    match standing(&attachments, &volume, &instance.id) {
        Standing::Here(_) => Ok(true),
        Standing::Unclear(it) => Err(Error::unclear(it)),
        Standing::Leaving(_) | Standing::Elsewhere(_) | Standing::Nowhere => Ok(false),
    }
}
