//! detach: the volume is off the node when the call has ended well.

use std::{collections::BTreeSet, time::Duration};

use oci_iaas::{
    AttachmentState, DetachVolume, GetVolumeAttachment, Instance, ListVolumeAttachments, Ocid,
    Region, VolumeAttachment,
};
use oci_rest::Departure;

use crate::{
    OciBlock,
    alias::Aliases,
    attachment_status::{AttachmentStatus, attachment_status, refuse_another},
    cloud::{CHANGE_BUDGET, Cloud},
    error::Error,
    in_use::refuse_in_use,
    lock::{LockError, VolumeLock},
    node::{Node, find_node},
    volume::{is_unique_part, mark, marked, volume_ocid},
};

/// Detaches the volume from that node and from no other.
///
/// Not attached there is a success; what is on its way is waited for. Ends within [`CHANGE_BUDGET`].
pub(crate) fn detach(driver: &OciBlock, volume_name: &str, node_name: &str) -> Result<(), Error> {
    let cloud = Cloud::open(driver, CHANGE_BUDGET, volume_name)?;
    let aliases = Aliases::new(&driver.settings.state_dir);
    let name = Name::new(volume_name, cloud.region(), &aliases);
    let detaching = Detaching { driver, cloud: &cloud, name: &name };
    match find_node(&cloud, node_name) {
        Ok(node) => detaching.detach_from(&node),
        Err(error @ Error::InstanceUnseen { .. }) => detaching.without_instance(error),
        Err(error @ Error::NodeUnknown { .. }) => detaching.without_node(error),
        Err(error) => Err(error),
    }
}

/// What the caller of detach says of a volume, and what it may mean: all options are unknown here.
struct Name<'a> {
    name: &'a str,
    /// The volume whose OCID it is or ends.
    ocid: Option<Ocid>,
    /// What attach has called the attachment if the option `volumeId` named the volume.
    mark: String,
    /// What attach has noted where it has found the attachment.
    aliases: &'a Aliases,
}

impl<'a> Name<'a> {
    fn new(name: &'a str, region: &Region, aliases: &'a Aliases) -> Self {
        Self { name, ocid: volume_ocid(name, region).ok(), mark: mark(name), aliases }
    }

    /// All names under which Kubernetes may know an attachment of the volume, this one first.
    fn all(&self, attachment: &VolumeAttachment) -> Vec<String> {
        let mut names = vec![self.name.to_owned()];
        names.extend(attachment.display_name.as_deref().and_then(marked).map(str::to_owned));
        names.extend([attachment.volume_id.unique().to_owned(), attachment.volume_id.to_string()]);
        names.extend(self.aliases.names_of(attachment));
        names
    }

    /// The volume of that name, among attachments that have not ended.
    ///
    /// # Errors
    /// Several volumes go by the name.
    fn resolve(&self, attachments: &[VolumeAttachment]) -> Result<Option<Ocid>, Error> {
        let volumes: BTreeSet<&Ocid> = attachments
            .iter()
            .filter(|it| is_live(it))
            .filter(|it| {
                self.ocid.as_ref() == Some(&it.volume_id)
                    || it.display_name.as_deref() == Some(&self.mark)
                    || self.aliases.leads_to(self.name, it)
            })
            .map(|it| &it.volume_id)
            .collect();
        match volumes.len() {
            0 | 1 => Ok(volumes.into_iter().next().cloned()),
            _ => Err(Error::VolumeAmbiguous {
                name: self.name.to_owned(),
                volumes: volumes.into_iter().map(Ocid::as_str).collect::<Vec<_>>().join(", "),
            }),
        }
    }
}

/// One volume on its way off.
struct Detaching<'a> {
    driver: &'a OciBlock,
    cloud: &'a Cloud,
    name: &'a Name<'a>,
}

impl Detaching<'_> {
    /// Looks, acts, and looks again, until a complete list is without the volume.
    fn detach_from(&self, node: &Node) -> Result<(), Error> {
        let Self { driver, cloud, name } = self;
        let Instance { id, compartment_id, .. } = &node.instance;
        // A short name is mostly the volume's; what it is in truth, a list tells.
        let mut locked = name.ocid.clone();
        let mut _lock = locked.as_ref().map(|it| self.lock(it)).transpose()?;
        let mut waits = LOOK_AGAIN.into_iter();
        loop {
            let attachments = list(cloud, compartment_id, Some(id), None)?;
            let Some(volume) = name.resolve(&attachments)? else {
                log::info!(volume = name.name, instance:% = id; "the volume is not attached to this node");
                self.tell_what_is_left(&attachments);
                return Ok(());
            };
            // What was seen before the lock was had may have changed.
            if locked.as_ref() != Some(&volume) {
                _lock = Some(self.lock(&volume)?);
                locked = Some(volume);
                continue;
            }
            let step = match attachment_status(&attachments, &volume, id) {
                AttachmentStatus::NotAttached | AttachmentStatus::AttachedElsewhere(_) => {
                    log::info!(volume:%, instance:% = id; "the volume is not attached to this node");
                    return Ok(());
                }
                AttachmentStatus::Detaching(it) => {
                    Step::of(cloud.client.wait_for_detached(&it.id)?, it)
                }
                AttachmentStatus::Unknown(it) => return Err(Error::unclear(it)),
                AttachmentStatus::AttachedHere(it) => {
                    refuse_in_use(driver, cloud, &name.all(it), node, it)?;
                    let step = remove(cloud, it)?;
                    if matches!(step, Step::Done) {
                        name.aliases.forget(it);
                    }
                    step
                }
            };
            let reason = match step {
                Step::Done => return Ok(()),
                Step::LookAgain(reason) => reason,
            };
            match waits.next() {
                Some(wait) if cloud.wait_if_in_time(wait) => log::info!("looking again: {reason}"),
                _ => return Err(reason),
            }
        }
    }

    /// A name that is no part of an OCID may have stood for a volume that was attached by hand, and what
    /// another host has noted is not known here.
    fn tell_what_is_left(&self, attachments: &[VolumeAttachment]) {
        let name = self.name.name;
        if is_unique_part(name) || name.contains('.') {
            return;
        }
        for it in attachments.iter().filter(|it| is_live(it) && !is_marked(it)) {
            log::warn!(
                "nothing that is known as `{name}` is attached to instance {}; left there is attachment {} of \
                 volume {}, called {}",
                it.instance_id,
                it.id,
                it.volume_id,
                it.display_name.as_deref().unwrap_or("nothing")
            );
        }
    }

    fn lock(&self, volume: &Ocid) -> Result<Option<VolumeLock>, LockError> {
        self.driver.staging.lock_if_possible(volume.unique(), "detach")
    }

    /// The node's instance cannot be seen. What the lists that can be asked do not show may still be
    /// attached in a third compartment; OCI itself then refuses to attach it anywhere else.
    fn without_instance(&self, unseen: Error) -> Result<(), Error> {
        let Error::InstanceUnseen { instance, .. } = &unseen else { return Err(unseen) };
        let attachments = self.all_known()?;
        let Some(volume) = self.name.resolve(&attachments)? else { return Ok(()) };
        match attachment_status(&attachments, &volume, instance) {
            AttachmentStatus::NotAttached | AttachmentStatus::AttachedElsewhere(_) => Ok(()),
            AttachmentStatus::Detaching(it) => {
                self.cloud.client.wait_for_detached(&it.id)?;
                Ok(())
            }
            AttachmentStatus::AttachedHere(it) | AttachmentStatus::Unknown(it) => {
                let attachment = it.id.to_string();
                Err(Error::StillAttached { attachment, source: Box::new(unseen) })
            }
        }
    }

    /// The node has no instance any more. Whatever the volume is attached to may be a node that is in
    /// use.
    fn without_node(&self, unknown: Error) -> Result<(), Error> {
        let attachments = self.all_known()?;
        let Some(volume) = self.name.resolve(&attachments)? else { return Ok(()) };
        let live = |it: &&VolumeAttachment| it.volume_id == volume && is_live(it);
        attachments.iter().find(live).map_or(Ok(()), |it| {
            Err(Error::HolderUnknown {
                instance: it.instance_id.to_string(),
                source: Box::new(unknown),
            })
        })
    }

    /// The attachments in the compartments that are known without an instance: that of the nodes and
    /// the volume's own.
    fn all_known(&self) -> Result<Vec<VolumeAttachment>, Error> {
        let nodes = self.cloud.compartment()?;
        // Not filtered by the volume: the name may be that of a persistent volume.
        let mut attachments = list(self.cloud, &nodes, None, None)?;
        let Some(volume) = &self.name.ocid else { return Ok(attachments) };
        match self.cloud.volume(volume) {
            Ok(it) if it.compartment_id != nodes => {
                attachments.extend(list(self.cloud, &it.compartment_id, None, Some(volume))?);
            }
            Ok(_) => {}
            // The name is not the volume's. A whole OCID can be nothing else.
            Err(Error::Api(error)) if error.is_not_found() && self.name.name != volume.as_str() => {
            }
            Err(error) => return Err(error),
        }
        Ok(attachments)
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
            Departure::Detached => {
                let (volume, instance, id) =
                    (&attachment.volume_id, &attachment.instance_id, &attachment.id);
                log::info!(volume:%, instance:%, attachment:% = id; "detached, as OCI says");
                Self::Done
            }
            Departure::Unseen => {
                Self::LookAgain(Error::ListLags { attachment: attachment.id.to_string() })
            }
        }
    }
}

/// Removes this very attachment, unless it has changed since it was read.
fn remove(cloud: &Cloud, attachment: &VolumeAttachment) -> Result<Step, Error> {
    let id = &attachment.id;
    let seen = match cloud.client.send_tagged(&GetVolumeAttachment { id }) {
        Err(error) if error.is_not_found() => return Ok(Step::LookAgain(error.into())),
        seen => seen?,
    };
    refuse_another(&seen.value, &attachment.volume_id, &attachment.instance_id)?;
    match seen.value.lifecycle_state {
        AttachmentState::Detached => return Ok(Step::Done),
        AttachmentState::Attaching => {
            let attached = cloud.client.wait_for_attached(id)?;
            refuse_another(&attached, &attachment.volume_id, &attachment.instance_id)?;
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

fn is_live(attachment: &VolumeAttachment) -> bool {
    attachment.lifecycle_state != AttachmentState::Detached
}

fn is_marked(attachment: &VolumeAttachment) -> bool {
    attachment.display_name.as_deref().and_then(marked).is_some()
}

fn list(
    cloud: &Cloud,
    compartment: &Ocid,
    instance: Option<&Ocid>,
    volume: Option<&Ocid>,
) -> Result<Vec<VolumeAttachment>, Error> {
    let list = ListVolumeAttachments { compartment, instance, volume };
    Ok(cloud.client.list(&list)?)
}

// What was refused has changed by then; what is refused still will always be refused.
const LOOK_AGAIN: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
