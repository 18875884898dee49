//! Block volumes.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{Call, ListOperation, Mismatch, Ocid, Operation, open_enum::open_enum};

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
    /// The display name.
    pub display_name: Option<String>,
    /// Its size in GiB.
    #[serde(rename = "sizeInGBs")]
    pub size_in_gbs: Option<u64>,
    /// Its size in MiB.
    #[serde(rename = "sizeInMBs")]
    pub size_in_mbs: Option<u64>,
    /// What it was made from; nothing, if it was made empty.
    pub source_details: Option<VolumeSource>,
    /// The backup it was made from, as it was told before there were `sourceDetails`.
    pub volume_backup_id: Option<Ocid>,
}

impl Volume {
    /// Its size in bytes; the API tells it in two units, of which the finer one counts.
    pub fn size(&self) -> Option<u64> {
        let in_mbs = self.size_in_mbs.and_then(|size| size.checked_mul(MIB));
        in_mbs.or_else(|| self.size_in_gbs.and_then(|size| size.checked_mul(GIB)))
    }

    /// Whether it was made from something that may hold data: a backup, another volume, a replica, or
    /// whatever else the API names as its source.
    pub fn has_source(&self) -> bool {
        self.source_details.is_some() || self.volume_backup_id.is_some()
    }
}

/// `sourceDetails` of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct VolumeSource {
    /// The kind of source.
    #[serde(rename = "type")]
    pub kind: Option<VolumeSourceKind>,
    /// The source; a difference of two backups has none of its own.
    pub id: Option<String>,
}

open_enum! {
    /// `type` of the `sourceDetails` of a volume. There may be more; each of them is a source.
    pub enum VolumeSourceKind {
        /// Another volume: this one is its clone.
        Volume = "volume",
        /// A backup of a volume.
        VolumeBackup = "volumeBackup",
        /// The difference of two backups.
        VolumeBackupDelta = "volumeBackupDelta",
        /// A replica in another availability domain or region.
        BlockVolumeReplica = "blockVolumeReplica",
        /// A backup of a boot volume.
        BootVolumeBackup = "bootVolumeBackup",
    }
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

    fn subject(&self) -> String {
        format!("volume {}", self.id)
    }

    fn check(&self, answer: &Self::Output) -> Result<(), Mismatch> {
        Mismatch::unless_same("id", self.id, &answer.id)
    }
}

/// Lists the volumes of a compartment, TERMINATED ones included.
#[derive(Clone, Copy, Debug)]
pub struct ListVolumes<'a> {
    /// The compartment.
    pub compartment: &'a Ocid,
    /// Only those with exactly this display name.
    pub display_name: Option<&'a str>,
}

impl ListOperation for ListVolumes<'_> {
    type Item = Volume;

    fn call(&self, page: Option<&str>) -> Call {
        Call::get(["volumes"])
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
        Mismatch::unless_kind("id", &["volume"], &item.id)?;
        Mismatch::unless_same("compartmentId", self.compartment, &item.compartment_id)?;
        self.display_name.map_or(Ok(()), |name| {
            let answered = item.display_name.as_deref().unwrap_or_default();
            Mismatch::unless_same("displayName", name, answered)
        })
    }
}

/// Makes a volume larger. It is `Provisioning` then, and `Available` when the size is there; the
/// instance that has it attached has to look at its disk again.
///
/// A smaller size is refused (400 `InvalidParameter`).
#[derive(Clone, Copy, Debug)]
pub struct UpdateVolume<'a> {
    /// The volume.
    pub id: &'a Ocid,
    /// The size to be, in GiB.
    pub size_in_gbs: u64,
    /// Change it only if it still has this etag.
    pub if_match: Option<&'a str>,
}

impl Operation for UpdateVolume<'_> {
    type Output = Volume;

    fn call(&self) -> Call {
        Call {
            body: Some(json!({ "sizeInGBs": self.size_in_gbs }).to_string()),
            if_match: self.if_match.map(str::to_owned),
            ..Call::new(Method::PUT, ["volumes", self.id.as_str()])
        }
    }

    fn subject(&self) -> String {
        format!("volume {}", self.id)
    }

    fn check(&self, answer: &Self::Output) -> Result<(), Mismatch> {
        Mismatch::unless_same("id", self.id, &answer.id)
    }
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
