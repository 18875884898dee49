//! Virtual network interface cards (VNICs) and their attachments to instances.

use serde::Deserialize;

use crate::{AttachmentState, Call, ListOperation, Mismatch, NetworkState, Ocid, Operation};

/// A VNIC.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Vnic {
    /// The VNIC's OCID.
    pub id: Ocid,
    /// Its compartment.
    pub compartment_id: Ocid,
    /// Its state.
    pub lifecycle_state: NetworkState,
    /// The display name.
    pub display_name: Option<String>,
    /// The first label of its host name.
    pub hostname_label: Option<String>,
    /// Whether it is the first VNIC of its instance.
    pub is_primary: Option<bool>,
    /// Its address in the subnet.
    pub private_ip: Option<String>,
    /// Its address in the Internet.
    pub public_ip: Option<String>,
    /// Its addresses in IPv6.
    pub ipv6_addresses: Option<Vec<String>>,
    /// The subnet in which it is.
    pub subnet_id: Option<Ocid>,
}

/// The attachment of a VNIC to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct VnicAttachment {
    /// The attachment.
    pub id: Ocid,
    /// Its compartment.
    pub compartment_id: Ocid,
    /// The instance.
    pub instance_id: Ocid,
    /// How far it is.
    pub lifecycle_state: AttachmentState,
    /// The VNIC's OCID; none while it is being attached.
    pub vnic_id: Option<Ocid>,
    /// The subnet of the VNIC.
    pub subnet_id: Option<Ocid>,
}

/// Reads one VNIC.
#[derive(Clone, Copy, Debug)]
pub struct GetVnic<'a> {
    /// The VNIC's OCID.
    pub id: &'a Ocid,
}

impl Operation for GetVnic<'_> {
    type Output = Vnic;

    fn call(&self) -> Call {
        Call::get(["vnics", self.id.as_str()])
    }

    fn subject(&self) -> String {
        format!("VNIC {}", self.id)
    }

    fn check(&self, answer: &Self::Output) -> Result<(), Mismatch> {
        Mismatch::unless_same("id", self.id, &answer.id)
    }
}

/// Lists which VNICs the instances of a compartment have, DETACHED ones included.
#[derive(Clone, Copy, Debug)]
pub struct ListVnicAttachments<'a> {
    /// The compartment of the instances.
    pub compartment: &'a Ocid,
    /// Only those of this instance.
    pub instance: Option<&'a Ocid>,
}

impl ListOperation for ListVnicAttachments<'_> {
    type Item = VnicAttachment;

    fn call(&self, page: Option<&str>) -> Call {
        Call::get(["vnicAttachments"])
            .query("compartmentId", Some(self.compartment))
            .query("instanceId", self.instance)
            .page(page)
    }

    fn subject(&self) -> String {
        let instance = self.instance.map(|id| format!("instance {id}, ")).unwrap_or_default();
        format!("{instance}compartment {}", self.compartment)
    }

    fn key<'a>(&self, item: &'a Self::Item) -> &'a str {
        item.id.as_str()
    }

    fn check(&self, item: &Self::Item) -> Result<(), Mismatch> {
        Mismatch::unless_kind("instanceId", &["instance"], &item.instance_id)?;
        self.instance
            .map_or(Ok(()), |id| Mismatch::unless_same("instanceId", id, &item.instance_id))
    }
}
