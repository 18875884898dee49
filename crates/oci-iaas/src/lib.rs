//! Compute, network and block-volume API of Oracle Cloud Infrastructure: types and calls.
//!
//! Nothing here does I/O. An operation is a value, `call` turns it into a [`Call`] (what goes into
//! the HTTP request), and its `Output` is what the JSON of the answer decodes to:
//!
//! ```
//! use oci_iaas::{GetVolumeAttachment, Ocid, Operation};
//!
//! let id: Ocid = "ocid1.volumeattachment.oc1.phx.abyhqljr".parse()?;
//! let call = GetVolumeAttachment { id: &id }.call();
//! assert_eq!(call.path_and_query, "/20160918/volumeAttachments/ocid1.volumeattachment.oc1.phx.abyhqljr");
//! # Ok::<(), oci_iaas::ParseOcidError>(())
//! ```
//!
//! Only fields that somebody uses are modelled. Answers are read with tolerance: unknown fields are
//! skipped, unknown states and kinds are values, optional fields may be `null` or absent. An answer
//! without its `id` or `lifecycleState` is an error.
//!
//! Source of all names: Core Services API, version 20160918.

mod boot_volume;
mod call;
mod device;
mod encode;
mod instance;
mod ocid;
mod open_enum;
mod region;
mod vcn;
mod vnic;
mod volume;
mod volume_attachment;

pub use boot_volume::GetBootVolume;
pub use call::{Call, ListOperation, Operation};
pub use device::{Device, ListInstanceDevices};
pub use encode::encode;
pub use instance::{GetInstance, Instance, InstanceState, LaunchOptions, ListInstances};
pub use ocid::{Ocid, ParseOcidError};
pub use region::{ParseRegionError, Region, RegionInfo};
pub use vcn::{GetVcn, ListSubnets, NetworkState, Subnet, Vcn};
pub use vnic::{GetVnic, ListVnicAttachments, Vnic, VnicAttachment};
pub use volume::{GetVolume, UpdateVolume, Volume, VolumeState};
pub use volume_attachment::{
    AttachVolume, AttachmentKind, AttachmentRequest, AttachmentState, ChapSecret, DetachVolume,
    GetVolumeAttachment, IscsiLoginState, IscsiTarget, ListVolumeAttachments, Portal,
    VolumeAttachment,
};
