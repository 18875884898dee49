//! detach: the volume is off the node when the call has ended well.

use oci_iaas::{
    AttachmentState, DetachVolume, GetVolumeAttachment, ListVolumeAttachments, Ocid,
    VolumeAttachment,
};

use crate::{
    OciBlock,
    cloud::{Cloud, TO_CHANGE},
    error::Error,
    in_use::refuse_in_use,
    node::{Node, find_node},
    standing::{Standing, standing},
    volume::volume_ocid,
};

/// Detaches the volume from that node and from no other.
///
/// Not attached there is a success; what is on its way is waited for. Ends within
/// [`TO_CHANGE`].
pub(crate) fn detach(driver: &OciBlock, volume_name: &str, node_name: &str) -> Result<(), Error> {
    let cloud = Cloud::open(driver, TO_CHANGE)?;
    let volume = volume_ocid(volume_name, cloud.region())?;
    let _lock = driver.lock_if_possible(volume.unique(), "detach")?;
    let node = match find_node(&cloud, node_name) {
        Ok(node) => node,
        Err(error @ Error::NodeUnknown { .. }) => return without_node(&cloud, &volume, error),
        Err(error) => return Err(error),
    };
    loop {
        let attachments =
            list(&cloud, &node.instance.compartment_id, Some(&node.instance.id), &volume)?;
        match standing(&attachments, &volume, &node.instance.id) {
            Standing::Nowhere | Standing::Elsewhere(_) => return Ok(()),
            Standing::Leaving(it) => return Ok(cloud.client.wait_for_detached(&it.id)?),
            Standing::Unclear(it) => return Err(Error::unclear(it)),
            Standing::Here(it) => {
                refuse_in_use(driver, volume_name, &node)?;
                if let Removal::Done = remove(&cloud, &node, &it.id)? {
                    return Ok(());
                }
            }
        }
    }
}

enum Removal {
    /// The attachment is gone.
    Done,
    /// It was changed meanwhile: everything has to be looked at again.
    LookAgain,
}

/// Removes this very attachment, unless somebody has touched it since it was looked at.
fn remove(cloud: &Cloud, node: &Node, id: &Ocid) -> Result<Removal, Error> {
    let seen = cloud.client.send_tagged(&GetVolumeAttachment { id })?;
    let it: &VolumeAttachment = &seen.value;
    if it.instance_id != node.instance.id {
        return Ok(Removal::LookAgain);
    }
    match it.lifecycle_state {
        AttachmentState::Detached => return Ok(Removal::Done),
        AttachmentState::Attaching => {
            cloud.client.wait_for_attached(id)?;
            return Ok(Removal::LookAgain);
        }
        AttachmentState::Detaching => {}
        _ => match cloud.client.send(&DetachVolume { id, if_match: seen.etag.as_deref() }) {
            Ok(()) => {}
            // 409: on its way; 404: gone; 412: changed since.
            Err(error)
                if matches!(error.status(), Some(404 | 409 | 412)) && !cloud.is_out_of_time() =>
            {
                log::info!("the attachment has changed: {error}");
                cloud.clock.sleep(LOOK_AGAIN);
                return Ok(Removal::LookAgain);
            }
            Err(error) => return Err(error.into()),
        },
    }
    cloud.client.wait_for_detached(id)?;
    Ok(Removal::Done)
}

/// The node has no instance any more. Only a volume that is attached to nothing is then surely
/// detached; anything else would be a guess at somebody's disk.
fn without_node(cloud: &Cloud, volume: &Ocid, unknown: Error) -> Result<(), Error> {
    let attachments = list(cloud, &cloud.compartment()?, None, volume)?;
    let live = attachments
        .iter()
        .find(|it| it.volume_id == *volume && it.lifecycle_state != AttachmentState::Detached);
    match live {
        None => Ok(()),
        Some(it) if it.lifecycle_state == AttachmentState::Detaching => {
            Ok(cloud.client.wait_for_detached(&it.id)?)
        }
        Some(it) => Err(Error::HolderUnknown {
            instance: it.instance_id.to_string(),
            source: Box::new(unknown),
        }),
    }
}

fn list(
    cloud: &Cloud,
    compartment: &Ocid,
    instance: Option<&Ocid>,
    volume: &Ocid,
) -> Result<Vec<VolumeAttachment>, Error> {
    let list = ListVolumeAttachments { compartment, instance, volume: Some(volume) };
    Ok(cloud.client.list(&list)?)
}

const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(500);
