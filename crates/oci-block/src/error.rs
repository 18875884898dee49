//! Why a call of this backend failed.

use std::{io, path::PathBuf};

use oci_iaas::{Ocid, VolumeAttachment};

use crate::{
    chap::CredentialsError, config::ConfigError, device::DeviceError, expand_error::ExpandError,
    lock::LockError, option_error::OptionError, private_dir::cure, refusal::Refusal,
    setup_error::SetupError, volume::VolumeNameError,
};

/// A call failed. The reply shows this and all its sources in one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `config.yaml`.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The options of the call.
    #[error(transparent)]
    Options(#[from] OptionError),
    /// The volume's name.
    #[error(transparent)]
    VolumeName(#[from] VolumeNameError),
    /// The device path, or the attachment that it comes from.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The credentials of an authenticated session.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Another call for the volume is running.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The API.
    #[error(transparent)]
    Api(#[from] oci_rest::Error),
    /// Kubernetes.
    #[error(transparent)]
    Kube(#[from] kube_node::Error),
    /// The iSCSI initiator.
    #[error(transparent)]
    Iscsi(#[from] iscsi::Error),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The file system.
    #[error(transparent)]
    Mount(#[from] mount::Error),
    /// The size.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// The disk.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// What the configuration says.
    #[error(transparent)]
    Setup(#[from] SetupError),

    /// The list of attachments contradicts itself until the time is up.
    #[error(
        "the list of attachments still shows {attachment}, which does not answer any more; the next \
         call looks again"
    )]
    ListLags {
        /// The attachment.
        attachment: String,
    },
    /// Neither configuration nor metadata service tell the region.
    #[error(
        "the region is not known: give auth.region in config.yaml, or run where the metadata \
         service answers"
    )]
    RegionUnknown(#[source] oci_rest::Error),
    /// Neither configuration nor metadata service tell the compartment.
    #[error(
        "the compartment of the nodes is not known: give auth.compartment in config.yaml, or run \
         where the metadata service answers"
    )]
    CompartmentUnknown(#[source] oci_rest::Error),

    /// The node's instance cannot be seen.
    #[error(
        "instance {instance} of node {node} is gone or not to be seen: if it is there, allow `read \
         instances` in its compartment"
    )]
    InstanceUnseen {
        /// The node's name.
        node: String,
        /// The instance.
        instance: Ocid,
        /// What the API answered.
        source: oci_rest::Error,
    },
    /// No instance fits the node.
    #[error(
        "no instance is node {node}: Kubernetes knows no provider id for it, and in compartment \
         {compartment} no instance has that display name and no VNIC that host name or address; \
         name the instance like the node, or give the node a provider id"
    )]
    NodeUnknown {
        /// The node's name.
        node: String,
        /// Where it was looked for.
        compartment: String,
    },
    /// Several instances fit the node.
    #[error(
        "node {node} may be any of these instances: {instances}; give the node a provider id, or \
         make the display names unique"
    )]
    NodeAmbiguous {
        /// The node's name.
        node: String,
        /// The instances' OCIDs.
        instances: String,
    },
    /// The node's provider id is no instance.
    #[error("node {node} has the provider id `{provider_id}`, no instance's OCID: is it on OCI?")]
    ProviderId {
        /// The node's name.
        node: String,
        /// What Kubernetes says.
        provider_id: String,
    },

    /// Several volumes go by the name.
    #[error(
        "`{name}` may be any of these volumes that are attached to the node: {volumes}; detach the \
         one that is not needed by hand"
    )]
    VolumeAmbiguous {
        /// The name of the persistent volume.
        name: String,
        /// The volumes' OCIDs.
        volumes: String,
    },
    /// The instance cannot take a volume in its state.
    #[error(
        "instance {instance} of node {node} is {state}; a volume is attached to it when it is RUNNING"
    )]
    InstanceState {
        /// The node's name.
        node: String,
        /// The instance.
        instance: String,
        /// Its state.
        state: String,
    },
    /// The volume will not become attachable by itself.
    #[error("volume {volume} is {state} and cannot be attached: restore it from a backup")]
    VolumeGone {
        /// The volume.
        volume: String,
        /// Its state.
        state: String,
    },
    /// The instance has as many volumes as it may have.
    #[error(
        "instance {instance} has {attached} volumes attached; OCI lets an instance have 32: move pods \
         to other nodes, or limit the pods with volumes per node"
    )]
    VolumeLimit {
        /// The instance.
        instance: String,
        /// How many it has.
        attached: usize,
        /// What the API answered.
        source: oci_rest::Error,
    },
    /// The volume is attached to another instance.
    #[error(
        "volume {volume} is attached to instance {holder} ({instance}); it is never taken away from \
         there: delete the pod that uses it, or detach it by hand if that instance is dead"
    )]
    AttachedElsewhere {
        /// The volume.
        volume: String,
        /// The other instance's display name.
        holder: String,
        /// The other instance.
        instance: String,
    },
    /// The volume is attached for reading only.
    #[error(
        "attachment {attachment} is read-only and the pod wants to write; detach the volume and let \
         the driver attach it"
    )]
    AttachedReadOnly {
        /// The attachment.
        attachment: String,
    },
    /// An attachment is another one than it was.
    #[error(
        "attachment {attachment} is that of {answered}, and that of {asked} was asked for; nothing is \
         done with it: look at it in the console"
    )]
    AnotherAttachment {
        /// The attachment.
        attachment: String,
        /// What was asked for.
        asked: String,
        /// What was answered.
        answered: String,
    },
    /// The attachment is in a state that is not known.
    #[error(
        "attachment {attachment} is in state {state}, which this driver does not know; look at it in the console"
    )]
    Unclear {
        /// The attachment.
        attachment: String,
        /// Its state.
        state: String,
    },
    /// All device paths of the instance are taken.
    #[error(
        "instance {instance} has no free device path; it holds as many volumes as it can (32), or \
         its image has no consistent device paths: use attachmentType iscsi"
    )]
    NoDevice {
        /// The instance.
        instance: String,
    },
    /// Another volume got the device path first.
    #[error(
        "the device path {device} was taken by another volume meanwhile; the next call takes another"
    )]
    DeviceTaken {
        /// The path.
        device: String,
        /// What the API answered.
        source: oci_rest::Error,
    },
    /// Volume and instance are in different availability domains.
    #[error(
        "the volume is in {volume} and the node in {instance}; a volume can be attached only in its \
         own availability domain: fix the pod to a node there"
    )]
    OtherDomain {
        /// The volume's.
        volume: String,
        /// The instance's.
        instance: String,
    },
    /// The API refuses, and the volume's state may say why.
    #[error("volume {volume} (state {state}) cannot be attached to instance {instance}")]
    Refused {
        /// The volume.
        volume: String,
        /// Its state.
        state: String,
        /// The instance.
        instance: String,
        /// What the API answered.
        source: oci_rest::Error,
    },
    /// The node's instance cannot be seen, but the volume is attached to it.
    #[error("the volume is attached to the node; detach attachment {attachment} by hand")]
    StillAttached {
        /// The attachment.
        attachment: String,
        /// Why the driver cannot.
        source: Box<Error>,
    },
    /// The node is gone but the volume is attached to something.
    #[error(
        "the volume is attached to instance {instance}, and it cannot be told whether that was this \
         node; detach it by hand if it is not needed there"
    )]
    HolderUnknown {
        /// The instance that holds it.
        instance: String,
        /// Why the node was not found.
        source: Box<Error>,
    },
    /// The disk is in use on this host, or it cannot be told.
    #[error(
        "the disk of volume {volume} is in use on this host, or may be; it is detached after it is \
         released"
    )]
    DiskInUse {
        /// The volume.
        volume: String,
        /// By whom, or why it cannot be told.
        source: disk::Error,
    },
    /// Oracle's agent on the instance is logging in or out.
    #[error(
        "the Oracle Cloud Agent on the instance is at work on attachment {attachment} (iscsiLoginState \
         {state}); the volume is detached when it has ended"
    )]
    AgentAtWork {
        /// The attachment.
        attachment: String,
        /// What the agent reports.
        state: String,
    },
    /// The volume is mounted on this host.
    #[error(
        "volume {volume} is still mounted at {} on this host; it is detached after it is unmounted",
        .dir.display()
    )]
    StillMounted {
        /// The volume.
        volume: String,
        /// Where.
        dir: PathBuf,
    },
    /// kubelet reports the volume in use on a node that is well.
    #[error(
        "kubelet still reports volume {volume} in use on that node, which is ready; it is detached after it is unmounted"
    )]
    StillInUse {
        /// The volume.
        volume: String,
    },

    /// Data may have been lost before this call.
    #[error(transparent)]
    DataLoss(mount::DataLoss),
    /// A call was ended while it flushed, and nothing shows what came of it.
    #[error(
        "writes to {dir} may be lost: the call that flushed them was ended before it could say whether the disk \
         took them"
    )]
    LossUnknown {
        /// The mount point.
        dir: String,
    },
    /// Data may be lost, and a call that is ended now would take that along.
    #[error(
        "{loss}; it stays mounted, because that cannot be noted in {}{}", .path.display(), cure(.source)
    )]
    LossNotNoted {
        /// What may be lost.
        loss: String,
        /// The note.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A note of lost writes does not read.
    #[error("writes may be lost, and the note {} of them cannot be read{}", .path.display(), cure(.source))]
    LossNote {
        /// The note.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel gives no UUID.
    #[error("cannot read a random UUID from the kernel for the new file system")]
    Uuid(#[source] io::Error),
    /// What is mounted there has changed during the call.
    #[error("what is mounted at {} has changed during the call; the next one looks again", .dir.display())]
    MountChanged {
        /// The directory.
        dir: PathBuf,
    },
    /// The mount point's name is no volume's.
    #[error("`{}` does not end in a volume's name", .dir.display())]
    MountPoint {
        /// The directory.
        dir: PathBuf,
    },
}

impl Error {
    /// Whether the disk stays refused until an operator changes it or the pod.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::Refusal(_) => true,
            Self::Disk(error) => error.is_not_blank(),
            Self::Mount(mount::Error::Disk(error)) => error.is_not_blank(),
            Self::Mount(error) => {
                error.needs_repair()
                    || matches!(
                        error,
                        mount::Error::ReadOnlyDisk { .. } | mount::Error::Twin { .. }
                    )
            }
            _ => false,
        }
    }

    pub(crate) fn unclear(attachment: &VolumeAttachment) -> Self {
        Self::Unclear {
            attachment: attachment.id.to_string(),
            state: attachment.lifecycle_state.to_string(),
        }
    }
}
