//! Compute instances.

use serde::Deserialize;

use crate::{Call, ListOperation, Mismatch, Ocid, Operation, open_enum::open_enum};

/// A compute instance: a node of the cluster, or not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Instance {
    /// The instance.
    pub id: Ocid,
    /// Its compartment.
    pub compartment_id: Ocid,
    /// Where it is; only volumes there can be attached.
    pub availability_domain: String,
    /// Its state.
    pub lifecycle_state: InstanceState,
    /// Its region as OCIDs spell it: `phx`, `eu-frankfurt-1`.
    pub region: Option<String>,
    /// Its shape, such as `VM.Standard.E4.Flex`.
    pub shape: Option<String>,
    /// The display name; not unique.
    pub display_name: Option<String>,
    /// What it was launched with.
    pub launch_options: Option<LaunchOptions>,
}

/// `launchOptions` of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LaunchOptions {
    /// How data volumes are attached unless told: `ISCSI`, `PARAVIRTUALIZED`, …
    pub remote_data_volume_type: Option<String>,
    /// Whether attachments can have a consistent device path.
    pub is_consistent_volume_naming_enabled: Option<bool>,
}

open_enum! {
    /// `lifecycleState` of an instance.
    pub enum InstanceState {
        /// Moving to another host.
        Moving = "MOVING",
        /// Being made.
        Provisioning = "PROVISIONING",
        /// Up.
        Running = "RUNNING",
        /// Coming up.
        Starting = "STARTING",
        /// Going down.
        Stopping = "STOPPING",
        /// Down.
        Stopped = "STOPPED",
        /// Down while its boot volume is copied.
        CreatingImage = "CREATING_IMAGE",
        /// Being deleted.
        Terminating = "TERMINATING",
        /// Deleted, and listed for a while.
        Terminated = "TERMINATED",
    }
}

/// Looks at one instance.
#[derive(Clone, Copy, Debug)]
pub struct GetInstance<'a> {
    /// The instance.
    pub id: &'a Ocid,
}

impl Operation for GetInstance<'_> {
    type Output = Instance;

    fn call(&self) -> Call {
        Call::get(["instances", self.id.as_str()])
    }

    fn subject(&self) -> String {
        format!("instance {}", self.id)
    }

    fn check(&self, answer: &Self::Output) -> Result<(), Mismatch> {
        Mismatch::unless_same("id", self.id, &answer.id)
    }
}

/// Lists the instances of a compartment, TERMINATED ones included.
#[derive(Clone, Copy, Debug)]
pub struct ListInstances<'a> {
    /// The compartment.
    pub compartment: &'a Ocid,
    /// Only those with exactly this display name.
    pub display_name: Option<&'a str>,
}

impl ListOperation for ListInstances<'_> {
    type Item = Instance;

    fn call(&self, page: Option<&str>) -> Call {
        Call::get(["instances"])
            .query("compartmentId", Some(self.compartment))
            .query("displayName", self.display_name)
            .page(page)
    }

    fn subject(&self) -> String {
        let name =
            self.display_name.map(|name| format!("displayName {name}, ")).unwrap_or_default();
        format!("{name}compartment {}", self.compartment)
    }

    fn key<'a>(&self, item: &'a Self::Item) -> &'a str {
        item.id.as_str()
    }

    fn check(&self, item: &Self::Item) -> Result<(), Mismatch> {
        Mismatch::unless_kind("id", &["instance"], &item.id)?;
        Mismatch::unless_same("compartmentId", self.compartment, &item.compartment_id)?;
        self.display_name.map_or(Ok(()), |name| {
            let answered = item.display_name.as_deref().unwrap_or_default();
            Mismatch::unless_same("displayName", name, answered)
        })
    }
}
