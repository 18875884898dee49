//! Volume attachments: attaching, looking, detaching.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use zeroize::Zeroizing;

use crate::{Call, ListOperation, Mismatch, Ocid, Operation, open_enum::open_enum};

/// The tie between a volume and an instance.
///
/// DETACHED ones stay listed for some time, so a volume may appear several times in a list: look for
/// one that is not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct VolumeAttachment {
    /// The attachment itself.
    pub id: Ocid,
    /// The instance.
    pub instance_id: Ocid,
    /// The volume.
    pub volume_id: Ocid,
    /// Where both are.
    pub availability_domain: String,
    /// Where the attachment is listed: the compartment of the instance.
    pub compartment_id: Ocid,
    /// How far it is.
    pub lifecycle_state: AttachmentState,
    /// The consistent device path, such as `/dev/oracleoci/oraclevdb`.
    pub device: Option<String>,
    /// The display name, by which callers can mark what they made.
    pub display_name: Option<String>,
    /// Whether the instance may only read.
    pub is_read_only: Option<bool>,
    /// Whether other instances may attach the volume, too.
    pub is_shareable: Option<bool>,
    /// Whether there are portals besides the main one.
    pub is_multipath: Option<bool>,
    /// What the agent on the instance reports of its iSCSI session, if it logs in by itself.
    pub iscsi_login_state: Option<IscsiLoginState>,
    /// How the instance reaches the volume.
    #[serde(flatten)]
    pub kind: AttachmentKind,
}

open_enum! {
    /// `lifecycleState` of an attachment, of volumes and VNICs alike.
    pub enum AttachmentState {
        /// On its way; ends as `Attached`, or as `Detached` if it failed.
        Attaching = "ATTACHING",
        /// Usable.
        Attached = "ATTACHED",
        /// On its way out.
        Detaching = "DETACHING",
        /// Gone, and listed for a while.
        Detached = "DETACHED",
    }
}

open_enum! {
    /// `iscsiLoginState`: what the Oracle Cloud Agent reports.
    pub enum IscsiLoginState {
        /// No report.
        Unknown = "UNKNOWN",
        /// The agent logs in.
        LoggingIn = "LOGGING_IN",
        /// The session is up.
        LoginSucceeded = "LOGIN_SUCCEEDED",
        /// The agent gave up.
        LoginFailed = "LOGIN_FAILED",
        /// The agent logs out.
        LoggingOut = "LOGGING_OUT",
        /// The session is gone.
        LogoutSucceeded = "LOGOUT_SUCCEEDED",
        /// The agent gave up.
        LogoutFailed = "LOGOUT_FAILED",
    }
}

/// How the instance reaches the volume: `attachmentType` in answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "attachmentType", rename_all = "lowercase")]
#[non_exhaustive]
pub enum AttachmentKind {
    /// The instance logs in to a target.
    Iscsi(IscsiTarget),
    /// The hypervisor shows a disk.
    Paravirtualized,
    /// The hypervisor imitates hardware.
    Emulated,
    /// A kind that this crate does not know.
    #[serde(other)]
    Unknown,
}

impl AttachmentKind {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Iscsi(_) => "iscsi",
            Self::Paravirtualized => "paravirtualized",
            Self::Emulated => "emulated",
            Self::Unknown => "of an unknown kind",
        }
    }
}

/// The target of an iSCSI attachment. Rely on its fields only when the state is ATTACHED.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct IscsiTarget {
    /// The portal's link-local address.
    pub ipv4: Option<Ipv4Addr>,
    /// The portal's address in IPv6.
    pub ipv6: Option<Ipv6Addr>,
    /// The target's name.
    pub iqn: Option<String>,
    /// The portal's port, usually 3260.
    pub port: Option<u16>,
    /// The user of CHAP, if the attachment asked for CHAP.
    pub chap_username: Option<String>,
    /// Its secret.
    pub chap_secret: Option<ChapSecret>,
    /// Portals besides the main one.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub multipath_devices: Vec<Portal>,
}

/// One more way to a volume of ultra high performance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Portal {
    /// The portal's link-local address.
    pub ipv4: Option<Ipv4Addr>,
    /// The target's name.
    pub iqn: Option<String>,
    /// The portal's port, usually 3260.
    pub port: Option<u16>,
}

/// A CHAP secret: never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct ChapSecret(Zeroizing<String>);

impl ChapSecret {
    /// The secret, for the one place that must write it down.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for ChapSecret {
    fn from(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }
}

impl fmt::Debug for ChapSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChapSecret(***)")
    }
}

/// Looks at one attachment.
#[derive(Clone, Copy, Debug)]
pub struct GetVolumeAttachment<'a> {
    /// The attachment.
    pub id: &'a Ocid,
}

impl Operation for GetVolumeAttachment<'_> {
    type Output = VolumeAttachment;

    fn call(&self) -> Call {
        Call::get(["volumeAttachments", self.id.as_str()])
    }

    fn subject(&self) -> String {
        format!("volume attachment {}", self.id)
    }

    fn check(&self, answer: &Self::Output) -> Result<(), Mismatch> {
        Mismatch::unless_same("id", self.id, &answer.id)
    }
}

/// Lists the attachments of a compartment, DETACHED ones included.
#[derive(Clone, Copy, Debug)]
pub struct ListVolumeAttachments<'a> {
    /// The compartment of the instances.
    pub compartment: &'a Ocid,
    /// Only those of this instance.
    pub instance: Option<&'a Ocid>,
    /// Only those of this volume.
    pub volume: Option<&'a Ocid>,
}

impl ListOperation for ListVolumeAttachments<'_> {
    type Item = VolumeAttachment;

    fn call(&self, page: Option<&str>) -> Call {
        Call::get(["volumeAttachments"])
            .query("compartmentId", Some(self.compartment))
            .query("instanceId", self.instance)
            .query("volumeId", self.volume)
            .page(page)
    }

    fn subject(&self) -> String {
        let volume = self.volume.map(|id| format!("volume {id}, ")).unwrap_or_default();
        let instance = self.instance.map(|id| format!("instance {id}, ")).unwrap_or_default();
        format!("{volume}{instance}compartment {}", self.compartment)
    }

    fn key<'a>(&self, item: &'a Self::Item) -> &'a str {
        item.id.as_str()
    }

    fn check(&self, item: &Self::Item) -> Result<(), Mismatch> {
        // The compartment is not compared: where the API shows attachments between two of them is not documented.
        let same = |field, asked: Option<&Ocid>, answered| {
            asked.map_or(Ok(()), |asked| Mismatch::unless_same(field, asked, answered))
        };
        Mismatch::unless_kind("id", &[KIND], &item.id)?;
        Mismatch::unless_kind("instanceId", &["instance"], &item.instance_id)?;
        Mismatch::unless_kind("volumeId", &["volume", "bootvolume"], &item.volume_id)?;
        same("instanceId", self.instance, &item.instance_id)?;
        same("volumeId", self.volume, &item.volume_id)
    }
}

/// Attaches a volume; the answer is usually ATTACHING.
#[derive(Clone, Copy, Debug)]
pub struct AttachVolume<'a> {
    /// The instance that gets it.
    pub instance: &'a Ocid,
    /// The volume, in the same availability domain.
    pub volume: &'a Ocid,
    /// How the instance shall reach it.
    pub kind: AttachmentRequest,
    /// The consistent device path to take, which must be free.
    pub device: Option<&'a str>,
    /// A name for the attachment.
    pub display_name: Option<&'a str>,
    /// Whether the instance may only read; others may then read, too.
    pub read_only: bool,
    /// Whether other instances may attach the volume for writing, too.
    pub shareable: bool,
    /// Makes the call repeatable: the service attaches once per token, for 24 hours. 1 to 64
    /// characters.
    pub retry_token: &'a str,
}

impl<'a> AttachVolume<'a> {
    /// A plain attachment: to be written and by one instance only, with a device path and a name that
    /// the service chooses.
    ///
    /// ```
    /// use oci_iaas::{AttachVolume, AttachmentRequest, Ocid};
    ///
    /// let instance: Ocid = "ocid1.instance.oc1.phx.a".parse()?;
    /// let volume: Ocid = "ocid1.volume.oc1.phx.b".parse()?;
    /// let iscsi = AttachmentRequest::Iscsi { use_chap: false };
    /// let attach = AttachVolume {
    ///     display_name: Some("mine"),
    ///     ..AttachVolume::new(&instance, &volume, iscsi, "backup-2026-11-26")
    /// };
    /// # Ok::<(), oci_iaas::ParseOcidError>(())
    /// ```
    #[must_use]
    pub fn new(
        instance: &'a Ocid,
        volume: &'a Ocid,
        kind: AttachmentRequest,
        retry_token: &'a str,
    ) -> Self {
        Self {
            instance,
            volume,
            kind,
            device: None,
            display_name: None,
            read_only: false,
            shareable: false,
            retry_token,
        }
    }
}

/// The kind of attachment to make: `type` in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachmentRequest {
    /// Over iSCSI.
    Iscsi {
        /// Whether the session shall be authenticated.
        use_chap: bool,
    },
    /// Through the hypervisor.
    Paravirtualized,
}

impl AttachmentRequest {
    fn as_str(self) -> &'static str {
        match self {
            Self::Iscsi { .. } => "iscsi",
            Self::Paravirtualized => "paravirtualized",
        }
    }
}

impl Operation for AttachVolume<'_> {
    type Output = VolumeAttachment;

    fn call(&self) -> Call {
        let mut body = json!({
            "instanceId": self.instance.as_str(),
            "volumeId": self.volume.as_str(),
            "isReadOnly": self.read_only,
            "type": self.kind.as_str(),
        });
        if let AttachmentRequest::Iscsi { use_chap } = self.kind {
            body["useChap"] = Value::from(use_chap);
        }
        if self.shareable {
            body["isShareable"] = Value::from(true);
        }
        for (name, value) in [("device", self.device), ("displayName", self.display_name)] {
            if let Some(value) = value {
                body[name] = Value::from(value);
            }
        }
        Call {
            body: Some(body.to_string()),
            retry_token: Some(self.retry_token.to_owned()),
            ..Call::new(Method::POST, ["volumeAttachments"])
        }
    }

    fn subject(&self) -> String {
        format!("volume {} to instance {}", self.volume, self.instance)
    }

    fn check(&self, answer: &VolumeAttachment) -> Result<(), Mismatch> {
        Mismatch::unless_kind("id", &[KIND], &answer.id)?;
        Mismatch::unless_same("volumeId", self.volume, &answer.volume_id)?;
        Mismatch::unless_same("instanceId", self.instance, &answer.instance_id)?;
        Mismatch::unless_same("attachmentType", self.kind.as_str(), answer.kind.as_str())?;
        match (self.device, &answer.device) {
            (Some(asked), Some(answered)) => Mismatch::unless_same("device", asked, answered),
            _ => Ok(()),
        }
    }
}

/// Detaches a volume. It returns at once; the attachment goes through DETACHING to DETACHED.
///
/// May be repeated: an attachment that is gone answers 404 or 409.
#[derive(Clone, Copy, Debug)]
pub struct DetachVolume<'a> {
    /// The attachment.
    pub id: &'a Ocid,
    /// Detach only if the attachment still has this etag.
    pub if_match: Option<&'a str>,
}

impl Operation for DetachVolume<'_> {
    type Output = ();

    fn call(&self) -> Call {
        Call {
            if_match: self.if_match.map(str::to_owned),
            ..Call::new(Method::DELETE, ["volumeAttachments", self.id.as_str()])
        }
    }

    fn subject(&self) -> String {
        format!("volume attachment {}", self.id)
    }

    /// There is nothing to compare: the answer is empty.
    fn check(&self, _answer: &()) -> Result<(), Mismatch> {
        Ok(())
    }
}

/// Of the OCID of an attachment.
const KIND: &str = "volumeattachment";

/// The API writes an absent list as `null` or leaves it out.
fn null_is_empty<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Portal>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
