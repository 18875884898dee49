//! Virtual cloud networks and their subnets.

use serde::Deserialize;

use crate::{Call, ListOperation, Mismatch, Ocid, Operation, open_enum::open_enum};

open_enum! {
    /// `lifecycleState` of a network, a subnet or a VNIC.
    pub enum NetworkState {
        /// Being made.
        Provisioning = "PROVISIONING",
        /// Usable.
        Available = "AVAILABLE",
        /// Being changed.
        Updating = "UPDATING",
        /// Being deleted.
        Terminating = "TERMINATING",
        /// Deleted.
        Terminated = "TERMINATED",
    }
}

/// A virtual cloud network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Vcn {
    /// The network.
    pub id: Ocid,
    /// Its compartment.
    pub compartment_id: Ocid,
    /// Its state.
    pub lifecycle_state: NetworkState,
    /// The display name.
    pub display_name: Option<String>,
}

/// A part of a network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Subnet {
    /// The subnet.
    pub id: Ocid,
    /// Its compartment.
    pub compartment_id: Ocid,
    /// The network of which it is a part.
    pub vcn_id: Ocid,
    /// Its state.
    pub lifecycle_state: NetworkState,
    /// The display name.
    pub display_name: Option<String>,
}

/// Looks at one network.
#[derive(Clone, Copy, Debug)]
pub struct GetVcn<'a> {
    /// The network.
    pub id: &'a Ocid,
}

impl Operation for GetVcn<'_> {
    type Output = Vcn;

    fn call(&self) -> Call {
        Call::get(["vcns", self.id.as_str()])
    }

    fn subject(&self) -> String {
        format!("VCN {}", self.id)
    }

    fn check(&self, answer: &Self::Output) -> Result<(), Mismatch> {
        Mismatch::unless_same("id", self.id, &answer.id)
    }
}

/// Lists the subnets of a network that are in a compartment.
#[derive(Clone, Copy, Debug)]
pub struct ListSubnets<'a> {
    /// The compartment of the subnets.
    pub compartment: &'a Ocid,
    /// The network.
    pub vcn: &'a Ocid,
}

impl ListOperation for ListSubnets<'_> {
    type Item = Subnet;

    fn call(&self, page: Option<&str>) -> Call {
        Call::get(["subnets"])
            .query("compartmentId", Some(self.compartment))
            .query("vcnId", Some(self.vcn))
            .page(page)
    }

    fn subject(&self) -> String {
        format!("VCN {}, compartment {}", self.vcn, self.compartment)
    }

    fn key<'a>(&self, item: &'a Self::Item) -> &'a str {
        item.id.as_str()
    }

    fn check(&self, item: &Self::Item) -> Result<(), Mismatch> {
        Mismatch::unless_same("compartmentId", self.compartment, &item.compartment_id)?;
        Mismatch::unless_same("vcnId", self.vcn, &item.vcn_id)
    }
}
