//! Compute, network and block-volume API of Oracle Cloud Infrastructure: types and calls.
//!
#![doc = include_str!("../README.md")]
//!
//! # Operations
//!
//! | you want to | operation |
//! |---|---|
//! | attach a volume, and detach it | [`AttachVolume`], [`DetachVolume`] |
//! | see what is attached where | [`GetVolumeAttachment`], [`ListVolumeAttachments`] |
//! | find a volume, look at it, give it a size | [`ListVolumes`], [`GetVolume`], [`GetBootVolume`], [`UpdateVolume`] |
//! | find an instance and its addresses | [`GetInstance`], [`ListInstances`], [`ListVnicAttachments`], [`GetVnic`] |
//! | see which device paths are free | [`ListInstanceDevices`] |
//! | look at the network | [`GetVcn`], [`ListSubnets`] |
//!
//! [`Operation`] and [`ListOperation`] turn each into a [`Call`]: method, path and query, body, and the two
//! headers that make changes safe, `if-match` and `opc-retry-token`. They are ready to be signed and
//! sent byte by byte.
//!
//! # An operation of your own
//!
//! [`Call::request`] begins it; the fields for body, etag and retry token are public. [`encode`] writes
//! what goes into path and query:
//!
//! ```
//! use http::Method;
//! use oci_iaas::{Call, Mismatch, Operation, encode};
//!
//! /// Looks at a VCN's DHCP options, of which only the name is wanted.
//! struct GetDhcpOptions<'a> { id: &'a str }
//!
//! #[derive(serde::Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct DhcpOptions { id: String, display_name: String }
//!
//! impl Operation for GetDhcpOptions<'_> {
//!     type Output = DhcpOptions;
//!
//!     fn call(&self) -> Call {
//!         Call::request(Method::GET, format!("/20160918/dhcps/{}", encode(self.id)))
//!     }
//!
//!     fn subject(&self) -> String {
//!         format!("DHCP options {}", self.id)
//!     }
//!
//!     fn check(&self, answer: &DhcpOptions) -> Result<(), Mismatch> {
//!         Mismatch::unless_same("id", self.id, &*answer.id)
//!     }
//! }
//! ```
//!
//! # What answers hold
//!
//! Only fields that are used are modelled. Answers are read with tolerance: unknown fields are
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
pub use call::{Call, ListOperation, Mismatch, Operation};
pub use device::{Device, ListInstanceDevices};
pub use encode::encode;
pub use instance::{GetInstance, Instance, InstanceState, LaunchOptions, ListInstances};
pub use ocid::{Ocid, ParseOcidError};
pub use region::{ParseRegionError, Region, RegionInfo};
pub use vcn::{GetVcn, ListSubnets, NetworkState, Subnet, Vcn};
pub use vnic::{GetVnic, ListVnicAttachments, Vnic, VnicAttachment};
pub use volume::{
    GetVolume, ListVolumes, UpdateVolume, Volume, VolumeSource, VolumeSourceKind, VolumeState,
};
pub use volume_attachment::{
    AttachVolume, AttachmentKind, AttachmentRequest, AttachmentState, ChapSecret, DetachVolume,
    GetVolumeAttachment, IscsiLoginState, IscsiTarget, ListVolumeAttachments, Portal,
    VolumeAttachment,
};
