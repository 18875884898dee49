//! This instance's attachment of a volume, as the API shows it to a node with credentials.

use iscsi::Target;
use oci_iaas::{AttachmentState, ListVolumeAttachments, VolumeAttachment};

use crate::{
    OciBlock,
    cloud::{Cloud, QUERY_BUDGET},
    device::{Device, DeviceError},
    error::Error,
    volume_options::VolumeOptions,
};

/// The one attachment whose main portal and name are those of `target`.
///
/// # Errors
/// The API cannot be asked, or shows none or several.
pub(crate) fn own_attachment(
    driver: &OciBlock,
    target: &Target,
    options: &VolumeOptions<'_>,
) -> Result<VolumeAttachment, Error> {
    let name = options.name.for_the_api()?;
    let cloud = Cloud::open(driver, QUERY_BUDGET, name.given())?;
    let volume = name.ocid(cloud.region())?;
    let mut all = cloud.client.list(&ListVolumeAttachments {
        compartment: &cloud.own_compartment()?,
        instance: cloud.own_instance(),
        volume: Some(&volume),
    })?;
    all.retain(|it| {
        it.lifecycle_state == AttachmentState::Attached
            && Device::of(it).is_ok_and(|device| device.targets().first() == Some(target))
    });
    match <[_; 1]>::try_from(all) {
        Ok([attachment]) => Ok(attachment),
        Err(_) => Err(DeviceError::Unseen { target: target.clone() }.into()),
    }
}
