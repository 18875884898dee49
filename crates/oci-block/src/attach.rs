//! attach: the volume is attached to the node when the call has ended well.

use std::{iter, path::PathBuf, time::Duration};

use flexvolume::Options;
use oci_iaas::{
    AttachVolume, AttachmentKind, AttachmentRequest, AttachmentState, GetInstance, GetVolume,
    Instance, ListInstanceDevices, ListVolumeAttachments, Ocid, VolumeAttachment, VolumeState,
};
use oci_rest::Departure;
use ring::digest;

use crate::{
    OciBlock, chap,
    chap::CredentialsError,
    cloud::{Cloud, TO_CHANGE},
    device::Device,
    error::Error,
    node::find_node,
    standing::{Standing, elsewhere, standing},
    volume::volume_ocid,
};

/// Attaches, or finds attached, and tells the device path.
///
/// What is already so is a success; what is on its way is waited for. A volume that is attached
/// elsewhere is never taken away. Ends within [`TO_CHANGE`].
pub(crate) fn attach(driver: &OciBlock, options: &Options, node: &str) -> Result<PathBuf, Error> {
    let kind = requested_kind(options)?;
    let name = options.volume_name()?;
    let cloud = Cloud::open(driver, TO_CHANGE, name)?;
    let volume = volume_ocid(name, cloud.region())?;
    let _lock = driver.lock_if_possible(volume.unique(), "attach")?;
    let instance = find_node(&cloud, node)?.instance;
    let read_only = options.read_only();
    let attaching =
        Attaching { cloud: &cloud, volume: &volume, instance: &instance, kind, read_only };
    let attachment = attaching.settle()?;
    refuse_read_only(&attachment, options)?;
    refuse_without_chap(&attachment, options)?;
    Ok(Device::of(&attachment)?.path())
}

/// One volume on its way to one instance.
struct Attaching<'a> {
    cloud: &'a Cloud,
    volume: &'a Ocid,
    instance: &'a Instance,
    kind: AttachmentRequest,
    read_only: bool,
}

impl Attaching<'_> {
    /// Observes and acts until the volume is attached here.
    fn settle(&self) -> Result<VolumeAttachment, Error> {
        let mut waits = RETRY_WAITS.into_iter().chain(iter::repeat(RETRY_LAST));
        let mut salt = 0;
        loop {
            let all = self.list()?;
            // Two writers spoil a file system, even if the volume is shareable.
            if let Some(other) = elsewhere(&all, self.volume, &self.instance.id)
                && !self.read_only
            {
                return Err(self.elsewhere(other));
            }
            let refusal = match standing(&all, self.volume, &self.instance.id) {
                Standing::Here(it) if it.lifecycle_state == AttachmentState::Attached => {
                    return Ok(it.clone());
                }
                Standing::Here(it) => return Ok(self.cloud.client.wait_for_attached(&it.id)?),
                Standing::Leaving(it) => match self.cloud.client.wait_for_detached(&it.id)? {
                    Departure::Detached => continue,
                    Departure::Unseen => Error::ListLags { attachment: it.id.to_string() },
                },
                Standing::Elsewhere(it) => return Err(self.elsewhere(it)),
                Standing::Unclear(it) => return Err(Error::unclear(it)),
                Standing::Nowhere => match self.request(&all, salt) {
                    Ok(it) if it.lifecycle_state == AttachmentState::Attached => return Ok(it),
                    Ok(it) => return Ok(self.cloud.client.wait_for_attached(&it.id)?),
                    // Somebody was faster, the list lags behind, or the volume is being made.
                    Err(error) if may_pass(&error) && self.is_usable() => error,
                    Err(error) => return Err(self.explain(error)),
                },
            };
            salt += u32::from(is_used_up(&refusal));
            if !self.cloud.wait_if_in_time(waits.next().unwrap_or(RETRY_LAST)) {
                return Err(self.explain(refusal));
            }
            log::info!("the volume cannot be attached yet: {refusal}");
        }
    }

    /// Whether the volume is in a state from which it can become attachable by itself.
    fn is_usable(&self) -> bool {
        let gone = [VolumeState::Terminating, VolumeState::Terminated, VolumeState::Faulty];
        let found = self.cloud.client.send(&GetVolume { id: self.volume });
        found.is_ok_and(|it| !gone.contains(&it.lifecycle_state))
    }

    fn list(&self) -> Result<Vec<VolumeAttachment>, Error> {
        let compartment = &self.instance.compartment_id;
        let volume = Some(self.volume);
        let list = ListVolumeAttachments { compartment, instance: None, volume };
        Ok(self.cloud.client.list(&list)?)
    }

    fn request(&self, past: &[VolumeAttachment], salt: u32) -> Result<VolumeAttachment, Error> {
        let device = match self.kind {
            AttachmentRequest::Paravirtualized => Some(self.free_device()?),
            _ => None,
        };
        let token = retry_token(self.volume, &self.instance.id, past, salt);
        let attached = self.cloud.client.send(&AttachVolume {
            instance: &self.instance.id,
            volume: self.volume,
            kind: self.kind,
            device: device.as_deref(),
            display_name: None,
            read_only: false,
            retry_token: &token,
        });
        match (attached, device) {
            (Ok(attachment), _) => Ok(attachment),
            (Err(source), Some(device)) if source.status() == Some(400) => {
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

    /// The volume may tell more than the refusal.
    fn explain(&self, error: Error) -> Error {
        let Error::Api(source) = error else { return error };
        let found = self.cloud.client.send(&GetVolume { id: self.volume }).ok();
        let (volume, instance) = (self.volume.to_string(), self.instance.id.to_string());
        match found {
            Some(it) if it.availability_domain != self.instance.availability_domain => {
                let instance = self.instance.availability_domain.clone();
                Error::OtherDomain { volume: it.availability_domain, instance, source }
            }
            Some(it) => {
                let state = it.lifecycle_state.to_string();
                Error::Refused { volume, state, instance, source }
            }
            None => Error::Refused { volume, state: "unknown".into(), instance, source },
        }
    }
}

/// The same for every repetition of one attach, by whichever process: made of the volume, the
/// instance and the attachments that the volume has had, so a lost answer cannot attach twice.
fn retry_token(volume: &Ocid, instance: &Ocid, past: &[VolumeAttachment], salt: u32) -> String {
    let mut past: Vec<&str> = past.iter().map(|it| it.id.as_str()).collect();
    past.sort_unstable();
    let text = format!("{volume} {instance} {} {salt}", past.join(" "));
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A conflict may be over at the next look, and another device path be free.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Api(error) => error.status() == Some(409),
        Error::DeviceTaken { .. } => true,
        _ => false,
    }
}

/// Whether the retry token stands for an attachment that is gone.
fn is_used_up(error: &Error) -> bool {
    matches!(error, Error::Api(error) if error.code() == Some("InvalidatedRetryToken"))
}

fn requested_kind(options: &Options) -> Result<AttachmentRequest, Error> {
    match options.get("attachmentType") {
        None | Some("" | "iscsi") => {
            Ok(AttachmentRequest::Iscsi { use_chap: chap::is_wanted(options)? })
        }
        Some("paravirtualized") => Ok(AttachmentRequest::Paravirtualized),
        Some(other) => Err(Error::Option {
            option: "attachmentType",
            given: other.to_owned(),
            choices: "iscsi (the default) or paravirtualized",
        }),
    }
}

fn refuse_read_only(attachment: &VolumeAttachment, options: &Options) -> Result<(), Error> {
    if attachment.is_read_only == Some(true) && !options.read_only() {
        return Err(Error::AttachedReadOnly { attachment: attachment.id.to_string() });
    }
    Ok(())
}

/// A session that the author wants authenticated must not come about without.
fn refuse_without_chap(attachment: &VolumeAttachment, options: &Options) -> Result<(), Error> {
    match &attachment.kind {
        AttachmentKind::Iscsi(target)
            if target.chap_username.is_none() && chap::is_wanted(options)? =>
        {
            Err(CredentialsError::WithoutChap { attachment: attachment.id.to_string() }.into())
        }
        _ => Ok(()),
    }
}

// A conflict is over when another call has ended: soon, or not within this call.
const RETRY_WAITS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];
const RETRY_LAST: Duration = Duration::from_secs(2);
