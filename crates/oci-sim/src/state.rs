//! Everything the cloud knows: compartments, networks, instances, volumes, attachments, work requests.

use std::collections::{BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::Value;

use crate::config::Config;
use crate::disk::Disks;
use crate::ids;
use crate::lifecycle::Life;
use crate::new_resources::{NewInstance, NewVolume};
use crate::retry_tokens::Remembered;
use crate::storage::Targets;

/// The cloud's memory. One lock guards it, so requests are performed one after the other.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) tenancy: String,
    /// The one used where none is named.
    pub(crate) compartment: String,
    pub(crate) compartments: BTreeSet<String>,
    pub(crate) networks: Vec<Network>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) work_requests: Vec<WorkRequest>,
    pub(crate) retry_tokens: HashMap<String, Remembered>,
    pub(crate) metadata_instance: Option<String>,
    pub(crate) disks: Option<Disks>,
    pub(crate) targets: Option<Targets>,
    serial: u64,
}

/// A virtual cloud network with its one subnet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Network {
    /// OCID of the VCN.
    pub vcn: String,
    /// OCID of the subnet.
    pub subnet: String,
    /// OCID of their compartment.
    pub compartment: String,
    pub(crate) serial: u64,
    pub(crate) created: SystemTime,
}

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) serial: u64,
    pub(crate) created: SystemTime,
    pub(crate) compartment: String,
    pub(crate) availability_domain: String,
    pub(crate) display_name: String,
    pub(crate) state: String,
    pub(crate) vnic: Vnic,
    pub(crate) device_folder: Option<PathBuf>,
}

/// An instance's primary VNIC and its attachment.
#[derive(Clone, Debug)]
pub(crate) struct Vnic {
    pub(crate) id: String,
    pub(crate) attachment: String,
    pub(crate) subnet: String,
    pub(crate) hostname_label: Option<String>,
    pub(crate) private_ip: String,
    pub(crate) public_ip: Option<String>,
    pub(crate) ipv6: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) id: String,
    pub(crate) serial: u64,
    pub(crate) created: SystemTime,
    pub(crate) compartment: String,
    pub(crate) availability_domain: String,
    pub(crate) display_name: String,
    pub(crate) size_gb: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) vpus_per_gb: u64,
    pub(crate) source_details: Option<Value>,
    pub(crate) life: Life<&'static str>,
    pub(crate) gone_since: Option<SystemTime>,
    pub(crate) updated: bool,
}

/// A volume attachment as the cloud sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attachment {
    /// Its OCID.
    pub id: String,
    /// The instance.
    pub instance_id: String,
    /// The volume.
    pub volume_id: String,
    /// `ATTACHING`, `ATTACHED`, `DETACHING` or `DETACHED`.
    pub lifecycle_state: &'static str,
    /// `iscsi`, `paravirtualized` or `emulated`.
    pub attachment_type: &'static str,
    /// The consistent device path, `/dev/oracleoci/oraclevdb` to `…ag`.
    pub device: Option<String>,
    /// The display name.
    pub display_name: String,
    /// The instance may only read.
    pub is_read_only: bool,
    /// Other instances may have it too.
    pub is_shareable: bool,
    pub(crate) serial: u64,
    pub(crate) created: SystemTime,
    pub(crate) compartment: String,
    pub(crate) availability_domain: String,
    pub(crate) life: Life<&'static str>,
    pub(crate) gone_since: Option<SystemTime>,
    pub(crate) work_request: String,
    pub(crate) target: Option<Target>,
    pub(crate) pv_encrypted: bool,
    pub(crate) lag: Option<Lag>,
}

/// Where an iSCSI attachment can be logged in to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: u8,
    pub(crate) iqn: String,
    pub(crate) chap_secret: Option<String>,
    pub(crate) multipath: bool,
    pub(crate) auto_login: bool,
}

impl Target {
    /// The portal of its kind of attachment, then those that a multipath attachment has besides.
    pub(crate) fn portals(&self) -> Vec<SocketAddr> {
        let nets: &[u8] = if self.multipath { &[2, 3, 4] } else { &[2] };
        let portal = |net| (Ipv4Addr::new(169, 254, net, self.address), 3260).into();
        nets.iter().map(|net| portal(*net)).collect()
    }
}

/// What lists show of an attachment while they lag behind.
#[derive(Clone, Debug)]
pub(crate) struct Lag {
    pub(crate) lists_left: u32,
    pub(crate) shown: Option<Value>,
}

#[derive(Clone, Debug)]
pub(crate) struct WorkRequest {
    pub(crate) id: String,
    pub(crate) operation: &'static str,
    pub(crate) compartment: String,
    pub(crate) attachment: String,
    pub(crate) accepted: SystemTime,
    /// The state it works towards.
    pub(crate) goal: &'static str,
    pub(crate) finished: Option<(SystemTime, Result<(), String>)>,
}

impl State {
    pub(crate) fn new(
        config: Config,
        tenancy: String,
        disks: Option<Disks>,
        now: SystemTime,
    ) -> Self {
        let compartment = ids::ocid("compartment", &config.region.realm, "");
        let compartments = BTreeSet::from([tenancy.clone(), compartment.clone()]);
        let targets = config.storage.clone().map(Targets::new);
        let mut state = Self {
            config,
            tenancy,
            compartment: compartment.clone(),
            compartments,
            networks: Vec::new(),
            instances: Vec::new(),
            volumes: Vec::new(),
            attachments: Vec::new(),
            work_requests: Vec::new(),
            retry_tokens: HashMap::new(),
            metadata_instance: None,
            disks,
            targets,
            serial: 0,
        };
        state.add_network(&compartment, now);
        state
    }

    /// A number for the next resource; lists are in its order.
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(crate) fn ocid(&self, kind: &str) -> String {
        ids::ocid(kind, &self.config.region.realm, self.config.region.short())
    }

    pub(crate) fn add_network(&mut self, compartment: &str, now: SystemTime) -> Network {
        self.compartments.insert(compartment.to_owned());
        let network = Network {
            vcn: self.ocid("vcn"),
            subnet: self.ocid("subnet"),
            compartment: compartment.to_owned(),
            serial: self.next_serial(),
            created: now,
        };
        self.networks.push(network.clone());
        network
    }

    pub(crate) fn add_instance(&mut self, new: NewInstance, now: SystemTime) -> String {
        let serial = self.next_serial();
        let compartment = new.compartment.unwrap_or_else(|| self.compartment.clone());
        self.compartments.insert(compartment.clone());
        let subnet = self.networks.first().map(|network| network.subnet.clone());
        let vnic = Vnic {
            id: self.ocid("vnic"),
            attachment: self.ocid("vnicattachment"),
            subnet: new.subnet.or(subnet).unwrap_or_default(),
            hostname_label: new.hostname_label,
            private_ip: new
                .private_ip
                .unwrap_or_else(|| format!("10.0.{}.{}", serial / 250, serial % 250 + 2)),
            public_ip: new.public_ip,
            ipv6: new.ipv6,
        };
        let id = new.id.unwrap_or_else(|| self.ocid("instance"));
        self.instances.push(Instance {
            id: id.clone(),
            serial,
            created: now,
            compartment,
            availability_domain: self.availability_domain(new.availability_domain),
            display_name: new.display_name,
            state: new.lifecycle_state.unwrap_or_else(|| "RUNNING".into()),
            vnic,
            device_folder: new.device_folder,
        });
        self.metadata_instance.get_or_insert_with(|| id.clone());
        id
    }

    pub(crate) fn add_volume(&mut self, new: NewVolume, now: SystemTime) -> String {
        let compartment = new.compartment.unwrap_or_else(|| self.compartment.clone());
        self.compartments.insert(compartment.clone());
        let state = new.lifecycle_state.as_deref().unwrap_or("AVAILABLE");
        let known = VOLUME_STATES.into_iter().find(|known| *known == state);
        let size_gb = if new.size_gb == 0 { 50 } else { new.size_gb };
        let id = new.id.unwrap_or_else(|| self.ocid("volume"));
        let volume = Volume {
            id: id.clone(),
            serial: self.next_serial(),
            created: now,
            compartment,
            availability_domain: self.availability_domain(new.availability_domain),
            display_name: new.display_name,
            size_gb,
            disk_bytes: new.disk_bytes.unwrap_or(size_gb << 30),
            vpus_per_gb: new.vpus_per_gb.unwrap_or(10),
            source_details: new.source_details,
            life: Life::new(known.unwrap_or("AVAILABLE")),
            gone_since: None,
            updated: false,
        };
        self.volumes.push(volume);
        id
    }

    pub(crate) fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.id == id)
    }

    /// What the caller named, or the first availability domain.
    fn availability_domain(&self, named: Option<String>) -> String {
        named.unwrap_or_else(|| self.config.region.availability_domain(1))
    }
}

impl Attachment {
    /// Not DETACHED: the volume is, or may be, at the instance.
    pub(crate) fn is_live(&self) -> bool {
        self.life.state() != "DETACHED"
    }
}

/// All states of a volume, by the API's `Volume.lifecycleState`.
pub(crate) const VOLUME_STATES: [&str; 6] =
    ["PROVISIONING", "RESTORING", "AVAILABLE", "TERMINATING", "TERMINATED", "FAULTY"];
