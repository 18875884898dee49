//! Real disks for attachments: the volume is exported or plugged with ATTACHED, and taken away with DETACHED.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::state::{Attachment, Volume};

/// The block storage behind the cloud, and the hypervisors of its instances. They are told of every iSCSI and every
/// paravirtualized attachment, while the request that causes it waits.
pub trait Storage: fmt::Debug + Send + Sync {
    /// The attachment has become ATTACHED: the instance can log in from now on.
    ///
    /// # Errors
    /// What stands against it; noted in [`Sim::violations`](crate::Sim::violations).
    fn export(&self, target: &IscsiTarget) -> Result<(), String>;

    /// The attachment has become DETACHED: no initiator can log in any more, and one that is logged in loses the volume.
    ///
    /// # Errors
    /// What should not be so, such as an initiator that was still logged in; noted in
    /// [`Sim::violations`](crate::Sim::violations).
    fn withdraw(&self, target: &IscsiTarget) -> Result<(), String>;

    /// A paravirtualized attachment has become ATTACHED: the instance gets a disk, whether it looks or not.
    ///
    /// # Errors
    /// What stands against it; noted in [`Sim::violations`](crate::Sim::violations).
    fn plug(&self, disk: &VirtualDisk) -> Result<(), String>;

    /// A paravirtualized attachment has become DETACHED: the disk is gone at once, in use or not.
    ///
    /// # Errors
    /// What should not be so, such as a disk that was mounted; noted in [`Sim::violations`](crate::Sim::violations).
    fn unplug(&self, disk: &VirtualDisk) -> Result<(), String>;

    /// The volume may have become larger.
    ///
    /// # Errors
    /// What stands against it; noted in [`Sim::violations`](crate::Sim::violations).
    fn grow(&self, volume: &str, bytes: u64) -> Result<(), String>;
}

/// What the API tells of an iSCSI attachment, and the volume behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IscsiTarget {
    /// OCID of the volume.
    pub volume: String,
    /// OCID of the instance that may log in, and no other.
    pub instance: String,
    /// The size of its disk in bytes.
    pub bytes: u64,
    /// The target's name.
    pub iqn: String,
    /// Where it is reached: one portal, and two more if the attachment is multipath.
    pub portals: Vec<SocketAddr>,
    /// The user and the secret that initiators must know.
    pub chap: Option<(String, String)>,
    /// Writes are refused.
    pub is_read_only: bool,
}

/// What the API tells of a paravirtualized attachment, and the volume behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VirtualDisk {
    /// OCID of the volume.
    pub volume: String,
    /// OCID of the instance that gets it.
    pub instance: String,
    /// The size of the disk in bytes.
    pub bytes: u64,
    /// The consistent device path, `/dev/oracleoci/oraclevdb` to `…ag`.
    pub device: String,
    /// Writes are refused.
    pub is_read_only: bool,
}

/// The storage, and what went wrong with it.
#[derive(Debug)]
pub(crate) struct Targets {
    storage: Arc<dyn Storage>,
    violations: Vec<String>,
}

impl Targets {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, violations: Vec::new() }
    }

    pub(crate) fn violations(&self) -> &[String] {
        &self.violations
    }

    pub(crate) fn attach(&mut self, attachment: &Attachment, volume: &Volume) {
        let done = match (target(attachment, volume), disk(attachment, volume)) {
            (Some(target), _) => self.storage.export(&target),
            (None, Some(disk)) => self.storage.plug(&disk),
            (None, None) => Ok(()),
        };
        self.violations.extend(done.err());
    }

    pub(crate) fn detach(&mut self, attachment: &Attachment, volume: &Volume) {
        let done = match (target(attachment, volume), disk(attachment, volume)) {
            (Some(target), _) => self.storage.withdraw(&target),
            (None, Some(disk)) => self.storage.unplug(&disk),
            (None, None) => Ok(()),
        };
        self.violations.extend(done.err());
    }

    pub(crate) fn grow(&mut self, volume: &Volume) {
        self.violations.extend(self.storage.grow(&volume.id, volume.disk_bytes).err());
    }
}

fn target(attachment: &Attachment, volume: &Volume) -> Option<IscsiTarget> {
    let target = attachment.target.as_ref()?;
    Some(IscsiTarget {
        volume: volume.id.clone(),
        instance: attachment.instance_id.clone(),
        bytes: volume.disk_bytes,
        iqn: target.iqn.clone(),
        portals: target.portals(),
        chap: target.chap_secret.clone().map(|secret| (volume.id.clone(), secret)),
        is_read_only: attachment.is_read_only,
    })
}

fn disk(attachment: &Attachment, volume: &Volume) -> Option<VirtualDisk> {
    let device = attachment.device.clone();
    Some(VirtualDisk {
        volume: volume.id.clone(),
        instance: attachment.instance_id.clone(),
        bytes: volume.disk_bytes,
        device: device.filter(|_| attachment.attachment_type == "paravirtualized")?,
        is_read_only: attachment.is_read_only,
    })
}
