//! Block volumes.

use serde::Deserialize;

use crate::{Call, Ocid, Operation, open_enum::open_enum};

/// A block volume. Whether it is attached is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Volume {
    /// The volume.
    pub id: Ocid,
    /// Its compartment, which may be another one than the instance's.
    pub compartment_id: Ocid,
    /// Where it is; only instances there can attach it.
    pub availability_domain: String,
    /// Its state; an attached volume stays `Available`.
    pub lifecycle_state: VolumeState,
    /// A name for people.
    pub display_name: Option<String>,
    /// Its size in GiB.
    #[serde(rename = "sizeInGBs")]
    pub size_in_gbs: Option<u64>,
    /// Its size in MiB.
    #[serde(rename = "sizeInMBs")]
    pub size_in_mbs: Option<u64>,
}

open_enum! {
    /// `lifecycleState` of a volume.
    pub enum VolumeState {
        /// Being made, or changed in size or performance: cannot be attached now.
        Provisioning = "PROVISIONING",
        /// Being filled from a backup.
        Restoring = "RESTORING",
        /// Usable, attached or not.
        Available = "AVAILABLE",
        /// Being deleted.
        Terminating = "TERMINATING",
        /// Deleted, and readable for a while.
        Terminated = "TERMINATED",
        /// Broken.
        Faulty = "FAULTY",
    }
}

/// Looks at one volume.
#[derive(Clone, Copy, Debug)]
pub struct GetVolume<'a> {
    /// The volume.
    pub id: &'a Ocid,
}

impl Operation for GetVolume<'_> {
    type Output = Volume;

    fn call(&self) -> Call {
        Call::get(["volumes", self.id.as_str()])
    }
}
