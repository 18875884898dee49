//! detach: the volume is off the node when the call has ended well.

use std::time::Duration;

use oci_iaas::{
    AttachmentState, DetachVolume, GetVolume, GetVolumeAttachment, Instance, ListVolumeAttachments,
    Ocid, VolumeAttachment,
};
use oci_rest::Departure;

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
/// Not attached there is a success; what is on its way is waited for. Ends within [`TO_CHANGE`].
pub(crate) fn detach(driver: &OciBlock, volume_name: &str, node_name: &str) -> Result<(), Error> {
    let cloud = Cloud::open(driver, TO_CHANGE, volume_name)?;
    let volume = volume_ocid(volume_name, cloud.region())?;
    let _lock = driver.lock_if_possible(volume.unique(), "detach")?;
    match find_node(&cloud, node_name) {
        Ok(node) => detach_from(driver, &cloud, &node, &volume, volume_name),
        Err(error @ Error::InstanceUnseen { .. }) => without_instance(&cloud, &volume, error),
        Err(error @ Error::NodeUnknown { .. }) => without_node(&cloud, &volume, error),
        Err(error) => Err(error),
    }
}

/// Looks, acts, and looks again, until a complete list is without the volume.
fn detach_from(
    driver: &OciBlock,
    cloud: &Cloud,
    node: &Node,
    volume: &Ocid,
    name: &str,
) -> Result<(), Error> {
    let Instance { id, compartment_id, .. } = &node.instance;
    let mut waits = LOOK_AGAIN.into_iter();
    loop {
        let attachments = list(cloud, compartment_id, Some(id), volume)?;
        let step = match standing(&attachments, volume, id) {
            Standing::Nowhere | Standing::Elsewhere(_) => return Ok(()),
            Standing::Leaving(it) => Step::of(cloud.client.wait_for_detached(&it.id)?, it),
            Standing::Unclear(it) => return Err(Error::unclear(it)),
            Standing::Here(it) => {
                refuse_in_use(driver, cloud, name, node, it)?;
                remove(cloud, it)?
            }
        };
        let reason = match step {
            Step::Done => return Ok(()),
            Step::LookAgain(reason) => reason,
        };
        // What was refused has changed by then; what is refused still will be refused for ever.
        match waits.next() {
            Some(wait) if cloud.wait_if_in_time(wait) => log::info!("looking again: {reason}"),
            _ => return Err(reason),
        }
    }
}

/// What came of a step.
enum Step {
    /// The attachment is DETACHED.
    Done,
    /// Only a list can tell; and if it does not, this is why.
    LookAgain(Error),
}

impl Step {
    /// A 404 may also be a lost right, so it is no proof.
    fn of(departure: Departure, attachment: &VolumeAttachment) -> Self {
        match departure {
            Departure::Detached => Self::Done,
            Departure::Unseen => {
                Self::LookAgain(Error::ListLags { attachment: attachment.id.to_string() })
            }
        }
    }
}

/// Removes this very attachment, unless somebody has touched it since it was looked at.
fn remove(cloud: &Cloud, attachment: &VolumeAttachment) -> Result<Step, Error> {
    let id = &attachment.id;
    let seen = match cloud.client.send_tagged(&GetVolumeAttachment { id }) {
        Err(error) if error.is_not_found() => return Ok(Step::LookAgain(error.into())),
        seen => seen?,
    };
    match seen.value.lifecycle_state {
        AttachmentState::Detached => return Ok(Step::Done),
        AttachmentState::Attaching => {
            let attached = cloud.client.wait_for_attached(id)?;
            return remove(cloud, &attached);
        }
        AttachmentState::Detaching => {}
        _ => match cloud.client.send(&DetachVolume { id, if_match: seen.etag.as_deref() }) {
            Ok(()) => {}
            // 404: gone, or no right; 409: on its way; 412: changed since.
            Err(error) if matches!(error.status(), Some(404 | 409 | 412)) => {
                return Ok(Step::LookAgain(error.into()));
            }
            Err(error) => return Err(error.into()),
        },
    }
    Ok(Step::of(cloud.client.wait_for_detached(id)?, attachment))
}

/// The node's instance cannot be seen. What the lists that can be asked do not show may still be
/// attached in a third compartment; OCI itself then refuses to attach it anywhere else.
fn without_instance(cloud: &Cloud, volume: &Ocid, unseen: Error) -> Result<(), Error> {
    let Error::InstanceUnseen { instance, .. } = &unseen else { return Err(unseen) };
    match standing(&all_known(cloud, volume)?, volume, instance) {
        Standing::Nowhere | Standing::Elsewhere(_) => Ok(()),
        Standing::Leaving(it) => {
            cloud.client.wait_for_detached(&it.id)?;
            Ok(())
        }
        Standing::Here(it) | Standing::Unclear(it) => {
            let attachment = it.id.to_string();
            Err(Error::StillAttached { attachment, source: Box::new(unseen) })
        }
    }
}

/// The node has no instance any more. Whatever the volume is attached to may be a node that is in use.
fn without_node(cloud: &Cloud, volume: &Ocid, unknown: Error) -> Result<(), Error> {
    let attachments = all_known(cloud, volume)?;
    let live = attachments
        .iter()
        .find(|it| it.volume_id == *volume && it.lifecycle_state != AttachmentState::Detached);
    match live {
        None => Ok(()),
        Some(it) => Err(Error::HolderUnknown {
            instance: it.instance_id.to_string(),
            source: Box::new(unknown),
        }),
    }
}

/// The attachments of the volume in the compartments that are known without an instance: that of the
/// nodes and the volume's own.
fn all_known(cloud: &Cloud, volume: &Ocid) -> Result<Vec<VolumeAttachment>, Error> {
    let nodes = cloud.compartment()?;
    let own = cloud.client.send(&GetVolume { id: volume })?.compartment_id;
    let mut attachments = list(cloud, &nodes, None, volume)?;
    if own != nodes {
        attachments.extend(list(cloud, &own, None, volume)?);
    }
    Ok(attachments)
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

// What was refused has changed by then; what is refused still will be refused for ever.
const LOOK_AGAIN: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
