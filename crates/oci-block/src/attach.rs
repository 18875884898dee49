//! attach: the volume is attached to the node when the call has ended well.

use std::{iter, path::PathBuf, process, time::Duration, time::UNIX_EPOCH};

use oci_iaas::{
    AttachVolume, AttachmentKind, AttachmentRequest, AttachmentState, GetInstance, Instance,
    InstanceState, ListInstanceDevices, ListVolumeAttachments, Ocid, Volume, VolumeAttachment,
    VolumeState,
};
use oci_rest::Departure;
use ring::digest;

use crate::{
    OciBlock,
    alias::Aliases,
    attach_options::AttachOptions,
    attachment_status::{AttachmentStatus, attachment_status, elsewhere, refuse_another},
    chap::CredentialsError,
    cloud::{CHANGE_BUDGET, Cloud},
    device::{Device, DeviceError},
    error::Error,
    node::find_node,
    origin,
    volume::mark,
    volume_options::VolumeOptions,
};

/// Attaches, or finds attached, and tells the device path.
///
/// What is already so is a success; what is on its way is waited for. A volume that is attached
/// elsewhere is never taken away. Ends within [`CHANGE_BUDGET`].
///
/// Beside the looks at an attachment on its way it costs three requests: the instance, the volume and
/// AttachVolume; one more for a free device path, if the attachment is paravirtualized.
pub(crate) fn attach(
    driver: &OciBlock,
    options: &VolumeOptions<'_>,
    node: &str,
) -> Result<PathBuf, Error> {
    let VolumeOptions { name, attachment: asked, .. } = *options;
    let name = name.for_the_api()?;
    asked.refuse_second_writer()?;
    let cloud = Cloud::open(driver, CHANGE_BUDGET, name.given())?;
    let volume = name.ocid(cloud.region())?;
    let _lock = driver.staging.lock_if_possible(volume.unique(), "attach")?;
    let instance = find_node(&cloud, node)?.instance;
    refuse_instance(&instance, node)?;
    let found = cloud.volume(&volume)?;
    refuse_volume(&found, &instance)?;
    origin::note(driver, &found);
    let display_name = name.mark();
    let attaching =
        Attaching { cloud: &cloud, volume: &volume, instance: &instance, asked, display_name };
    let attachment = attaching.settle()?;
    refuse_another(&attachment, &volume, &instance.id)?;
    let (state, id) = (&attachment.lifecycle_state, &attachment.id);
    log::info!(volume:%, instance:% = instance.id, attachment:% = id, state:%; "attached");
    if let Some(name) = name.alias() {
        note_name(driver, name, &attachment);
    }
    refuse_read_only(&attachment, asked)?;
    refuse_without_chap(&attachment, asked)?;
    refuse_hidden_paths(&attachment, options.multipath)?;
    Ok(Device::of(&attachment)?.path())
}

/// detach is given only the name: it has to lead to the attachment.
fn note_name(driver: &OciBlock, name: &str, attachment: &VolumeAttachment) {
    log::info!(
        "the option volumeId names the volume; the name `{name}` has to be that of a persistent volume, or of \
         no other pod's volume: Kubernetes takes two volumes of one name for one"
    );
    if attachment.display_name.as_deref() == Some(&mark(name)) {
        return;
    }
    let (id, called) = (&attachment.id, attachment.display_name.as_deref().unwrap_or("nothing"));
    match Aliases::new(&driver.settings.state_dir).note(name, attachment) {
        Ok(()) => log::info!("attachment {id}, called {called}, is noted under the name `{name}`"),
        Err(error) => log::warn!(
            "attachment {id} is called {called}, and that it is `{name}` cannot be noted: detach of that name will \
             leave it: {error}"
        ),
    }
}

/// One volume on its way to one instance.
struct Attaching<'a> {
    cloud: &'a Cloud,
    volume: &'a Ocid,
    instance: &'a Instance,
    asked: AttachOptions,
    display_name: Option<String>,
}

/// What stands in the way of an attachment.
enum Look {
    /// It is there.
    Attached(VolumeAttachment),
    /// Nothing; it may be asked for.
    Free,
    /// Nothing any more: an attachment has ended while it was waited for.
    Left,
    /// An attachment that is listed and does not answer.
    Lags(Error),
}

impl Attaching<'_> {
    /// Acts and observes until the volume is attached here.
    ///
    /// AttachVolume is a test and a change at once: OCI lets a volume be attached once, so that it is
    /// looked at only when it refuses. An attachment that others may share is looked at before.
    fn settle(&self) -> Result<VolumeAttachment, Error> {
        let mut retry_token_seed = self.retry_token_seed();
        if self.asked.is_shared() {
            let all = self.list()?;
            if let Look::Attached(it) = self.judge(&all)? {
                return Ok(it);
            }
            retry_token_seed = attachment_history(&all);
        }
        let mut waits = RETRY_WAITS.into_iter().chain(iter::repeat(RETRY_LAST));
        loop {
            let refusal = match self.request(&retry_token_seed) {
                Ok(it) if it.lifecycle_state == AttachmentState::Attached => return Ok(it),
                Ok(it) => return Ok(self.cloud.client.wait_for_attached(&it.id)?),
                Err(error) if !needs_relist(&error) => return Err(self.explain(error)),
                Err(error) => error,
            };
            let refusal = match self.judge(&self.list()?)? {
                Look::Attached(it) => return Ok(it),
                Look::Free if !is_conflict(&refusal) || !self.is_usable() => {
                    return Err(self.explain(refusal));
                }
                // Another call was faster, the list lags behind, or the volume is being made.
                Look::Free | Look::Left => refusal,
                Look::Lags(lags) => lags,
            };
            if is_token_invalidated(&refusal) {
                retry_token_seed = self.retry_token_seed();
            }
            if !self.cloud.wait_if_in_time(waits.next().unwrap_or(RETRY_LAST)) {
                return Err(self.explain(refusal));
            }
            log::info!("the volume cannot be attached yet: {refusal}");
        }
    }

    /// What a complete list means for this attachment; what is on its way is waited for.
    fn judge(&self, all: &[VolumeAttachment]) -> Result<Look, Error> {
        let here = &self.instance.id;
        // Two writers spoil a file system, even if the volume is shareable.
        if let Some(other) = elsewhere(all, self.volume, here)
            && !self.asked.reads
            && !self.asked.is_shared()
        {
            return Err(self.elsewhere(other));
        }
        Ok(match attachment_status(all, self.volume, here) {
            AttachmentStatus::AttachedHere(it)
                if it.lifecycle_state == AttachmentState::Attached =>
            {
                Look::Attached(it.clone())
            }
            AttachmentStatus::AttachedHere(it) => {
                Look::Attached(self.cloud.client.wait_for_attached(&it.id)?)
            }
            AttachmentStatus::Detaching(it)
                if self.asked.is_shared() && it.instance_id != *here =>
            {
                Look::Free
            }
            AttachmentStatus::Detaching(it) => match self.cloud.client.wait_for_detached(&it.id)? {
                Departure::Detached => Look::Left,
                Departure::Unseen => Look::Lags(Error::ListLags { attachment: it.id.to_string() }),
            },
            AttachmentStatus::AttachedElsewhere(_) if self.asked.is_shared() => Look::Free,
            AttachmentStatus::AttachedElsewhere(it) => return Err(self.elsewhere(it)),
            AttachmentStatus::Unknown(it) => return Err(Error::unclear(it)),
            AttachmentStatus::NotAttached => Look::Free,
        })
    }

    /// Whether the volume is in a state from which it can become attachable by itself.
    fn is_usable(&self) -> bool {
        self.cloud.volume(self.volume).is_ok_and(|it| !is_gone(&it))
    }

    fn list(&self) -> Result<Vec<VolumeAttachment>, Error> {
        let compartment = &self.instance.compartment_id;
        let volume = Some(self.volume);
        let list = ListVolumeAttachments { compartment, instance: None, volume };
        Ok(self.cloud.client.list(&list)?)
    }

    fn request(&self, retry_token_seed: &str) -> Result<VolumeAttachment, Error> {
        let device = match self.asked.kind {
            AttachmentRequest::Paravirtualized => Some(self.free_device()?),
            _ => None,
        };
        let (volume, instance) = (self.volume, &self.instance.id);
        let token = retry_token(volume, instance, device.as_deref(), retry_token_seed);
        let attached = self.cloud.client.send(&AttachVolume {
            instance,
            volume,
            kind: self.asked.kind,
            device: device.as_deref(),
            display_name: self.display_name.as_deref(),
            read_only: self.asked.read_only,
            shareable: self.asked.shareable,
            retry_token: &token,
        });
        match (attached, device) {
            (Ok(attachment), _) => Ok(attachment),
            (Err(source), Some(device)) if source.code() == Some("InvalidParameter") => {
                let is_free = self.free_devices()?.contains(&device);
                Err(if is_free { source.into() } else { Error::DeviceTaken { device, source } })
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    fn free_device(&self) -> Result<String, Error> {
        let first = self.free_devices()?.into_iter().next();
        first.ok_or_else(|| Error::NoDevice { instance: self.instance.id.to_string() })
    }

    fn free_devices(&self) -> Result<Vec<String>, Error> {
        let instance = &self.instance.id;
        let devices = self.cloud.client.list(&ListInstanceDevices { instance, available: true })?;
        Ok(devices.into_iter().filter(|it| it.is_available).map(|it| it.name).collect())
    }

    fn elsewhere(&self, holder: &VolumeAttachment) -> Error {
        let id = &holder.instance_id;
        // Only for the message.
        let name = self.cloud.client.send(&GetInstance { id }).ok().and_then(|it| it.display_name);
        Error::AttachedElsewhere {
            volume: self.volume.to_string(),
            holder: name.unwrap_or_else(|| "unnamed".into()),
            instance: id.to_string(),
        }
    }

    /// The volume, or the instance, may tell more than the refusal.
    fn explain(&self, error: Error) -> Error {
        let Error::Api(source) = error else { return error };
        let instance = self.instance.id.to_string();
        if source.code() == Some("LimitExceeded")
            && let Ok(attached) = self.attached_here()
            && attached >= MOST_VOLUMES
        {
            return Error::VolumeLimit { instance, attached, source };
        }
        let found = self.cloud.volume(self.volume).ok();
        let state = found.map_or_else(|| "unknown".into(), |it| it.lifecycle_state.to_string());
        Error::Refused { volume: self.volume.to_string(), state, instance, source }
    }

    fn attached_here(&self) -> Result<usize, Error> {
        let Instance { id, compartment_id, .. } = self.instance;
        let list =
            ListVolumeAttachments { compartment: compartment_id, instance: Some(id), volume: None };
        let all = self.cloud.client.list(&list)?;
        Ok(all.iter().filter(|it| it.lifecycle_state != AttachmentState::Detached).count())
    }

    /// Different in every call.
    fn retry_token_seed(&self) -> String {
        let now = self.cloud.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{} {}", now.as_nanos(), process::id())
    }
}

/// Only what runs, or will, can take a volume; a node that stands still is no place for a pod.
fn refuse_instance(instance: &Instance, node: &str) -> Result<(), Error> {
    use InstanceState::{Stopped, Stopping, Terminated, Terminating};

    if ![Stopping, Stopped, Terminating, Terminated].contains(&instance.lifecycle_state) {
        return Ok(());
    }
    Err(Error::InstanceState {
        node: node.to_owned(),
        instance: instance.id.to_string(),
        state: instance.lifecycle_state.to_string(),
    })
}

fn refuse_volume(volume: &Volume, instance: &Instance) -> Result<(), Error> {
    if is_gone(volume) {
        let (volume, state) = (volume.id.to_string(), volume.lifecycle_state.to_string());
        return Err(Error::VolumeGone { volume, state });
    }
    if volume.availability_domain != instance.availability_domain {
        let [volume, instance] =
            [&volume.availability_domain, &instance.availability_domain].map(Clone::clone);
        return Err(Error::OtherDomain { volume, instance });
    }
    Ok(())
}

fn is_gone(volume: &Volume) -> bool {
    let gone = [VolumeState::Terminating, VolumeState::Terminated, VolumeState::Faulty];
    gone.contains(&volume.lifecycle_state)
}

/// The same for every repetition of one request: a lost answer cannot attach twice.
fn retry_token(
    volume: &Ocid,
    instance: &Ocid,
    device: Option<&str>,
    retry_token_seed: &str,
) -> String {
    let text = format!("{volume} {instance} {} {retry_token_seed}", device.unwrap_or_default());
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The attachments that a volume has had: the same for every process that looks.
fn attachment_history(all: &[VolumeAttachment]) -> String {
    let mut past: Vec<&str> = all.iter().map(|it| it.id.as_str()).collect();
    past.sort_unstable();
    past.join(" ")
}

/// Whether a list may show what the error does not tell.
fn needs_relist(error: &Error) -> bool {
    // What answers something else is not asked again in this call.
    let unclear = |error: &oci_rest::Error| error.is_outcome_unknown() && !error.is_mismatch();
    is_conflict(error) || matches!(error, Error::Api(error) if unclear(error))
}

/// A conflict may be over at the next look, and another device path be free.
fn is_conflict(error: &Error) -> bool {
    match error {
        Error::Api(error) => error.status() == Some(409),
        Error::DeviceTaken { .. } => true,
        _ => false,
    }
}

/// Whether the retry token stands for an attachment that is gone.
fn is_token_invalidated(error: &Error) -> bool {
    matches!(error, Error::Api(error) if error.code() == Some("InvalidatedRetryToken"))
}

fn refuse_read_only(attachment: &VolumeAttachment, asked: AttachOptions) -> Result<(), Error> {
    if attachment.is_read_only == Some(true) && !asked.reads {
        return Err(Error::AttachedReadOnly { attachment: attachment.id.to_string() });
    }
    Ok(())
}

/// A session that the author wants authenticated must not come about without.
fn refuse_without_chap(attachment: &VolumeAttachment, asked: AttachOptions) -> Result<(), Error> {
    let chap = AttachmentRequest::Iscsi { use_chap: true };
    match &attachment.kind {
        AttachmentKind::Iscsi(target) if target.chap_username.is_none() && asked.kind == chap => {
            Err(CredentialsError::WithoutChap { attachment: attachment.id.to_string() }.into())
        }
        _ => Ok(()),
    }
}

/// The nodes would take the first of the paths for the whole disk.
fn refuse_hidden_paths(attachment: &VolumeAttachment, multipath: bool) -> Result<(), Error> {
    if attachment.is_multipath == Some(true) && !multipath {
        return Err(DeviceError::SeveralPaths { attachment: attachment.id.to_string() }.into());
    }
    Ok(())
}

// A conflict is over when another call has ended: soon, or not within this call.
const RETRY_WAITS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];
const RETRY_LAST: Duration = Duration::from_secs(2);
// Source: "Block Volume Limits", Oracle's documentation of service limits.
const MOST_VOLUMES: usize = 32;
