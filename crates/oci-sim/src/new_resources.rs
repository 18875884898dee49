//! Instances and volumes to add: by a test, a script or the command line.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

/// An instance to add. All fields have a default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NewInstance {
    /// Its OCID; a new one if absent.
    pub id: Option<String>,
    /// The display name; need not be unique.
    pub display_name: String,
    /// The first label of the VNIC's host name.
    pub hostname_label: Option<String>,
    /// The VNIC's address in its subnet; the next free one of 10.0.0.0/16 if absent.
    pub private_ip: Option<String>,
    /// The VNIC's public address.
    pub public_ip: Option<String>,
    /// The VNIC's IPv6 address.
    pub ipv6: Option<String>,
    /// Compartment OCID; the cloud's own if absent.
    pub compartment: Option<String>,
    /// Subnet OCID, of [`Sim::add_network`](crate::Sim::add_network); the cloud's own if absent.
    pub subnet: Option<String>,
    /// For example `Uocm:PHX-AD-2`; the first if absent.
    pub availability_domain: Option<String>,
    /// For example `STOPPED`; `RUNNING` if absent.
    pub lifecycle_state: Option<String>,
    /// Where the instance's disks appear as `oraclevdb` and so on; in the disk folder, under the display name, if absent.
    pub device_folder: Option<PathBuf>,
}

/// A volume to add. All fields have a default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NewVolume {
    /// Its OCID; a new one if absent.
    pub id: Option<String>,
    /// The display name.
    pub display_name: String,
    /// Size in GiB; 50 if 0. Smaller than Oracle's least of 50 is allowed here.
    pub size_gb: u64,
    /// Size of the disk in bytes if it shall not be `size_gb` (tests like small disks).
    pub disk_bytes: Option<u64>,
    /// Compartment OCID; the cloud's own if absent.
    pub compartment: Option<String>,
    /// For example `Uocm:PHX-AD-2`; the first if absent.
    pub availability_domain: Option<String>,
    /// For example `FAULTY`; `AVAILABLE` if absent.
    pub lifecycle_state: Option<String>,
    /// Performance; 10 if absent. From 30 on, iSCSI attachments are multipath.
    pub vpus_per_gb: Option<u64>,
    /// What it was made from, as the API tells it: `{"type": "volumeBackup", "id": "…"}`. Its disk is empty all the same.
    pub source_details: Option<Value>,
}
