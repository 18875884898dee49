//! The cluster: a cloud, a controller manager's place and nodes.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use anyhow::Context;
use oci_sim::{ApiKeyUser, Config, Delay, NewInstance, NewVolume, Node, Region, Running, Sim};
use tempfile::TempDir;

use crate::{Place, options, place::Site};

/// What the cluster is like. The default is two nodes and a small disk, without any delays.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many nodes there are: `node-1`, `node-2`, …
    pub nodes: usize,
    /// The volume's size in GiB, as the API tells it.
    pub volume_gb: u64,
    /// The size of its disk in bytes where that is not the same: tests like small disks.
    pub disk_bytes: Option<u64>,
    /// How long an attachment is ATTACHING.
    pub attach_delay: Duration,
    /// How long an attachment is DETACHING.
    pub detach_delay: Duration,
    /// After how many looks at an attachment it is no longer ATTACHING or DETACHING, instead of a time: a test that
    /// wants to see such a state may come late to what passes by itself.
    pub looks: Option<u32>,
    /// How long a volume whose size changes is PROVISIONING.
    pub volume_delay: Delay,
    /// Where the cloud stands.
    pub region: Region,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            nodes: 2,
            volume_gb: 50,
            // The least that xfs takes, and some.
            disk_bytes: Some(320 << 20),
            attach_delay: Duration::ZERO,
            detach_delay: Duration::ZERO,
            looks: None,
            volume_delay: Delay::Time(Duration::ZERO),
            region: Region::default(),
        }
    }
}

/// One user for all clusters of this process: finding the primes of a key takes a while.
fn user() -> anyhow::Result<ApiKeyUser> {
    static USER: OnceLock<ApiKeyUser> = OnceLock::new();
    if USER.get().is_none() {
        // Another thread may be faster; then its key is used.
        let _ = USER.set(ApiKeyUser::fresh()?);
    }
    USER.get().cloned().context("no user was made")
}

/// A running cluster. Everything it made is gone when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    // Nodes go first: what they have mounted lies on the cloud's disks.
    nodes: Vec<Node>,
    /// The cloud.
    pub sim: Running,
    /// The OCIDs of the nodes' instances.
    pub instances: Vec<String>,
    /// The volume's OCID.
    pub volume: String,
    binary: PathBuf,
    dir: TempDir,
}

impl Cluster {
    /// Starts a cluster in which `binary` is the driver.
    ///
    /// # Errors
    /// No root, a missing program, or the machine refuses.
    pub fn start(binary: &Path, setup: &Setup) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("cannot make a temporary folder")?;
        let delay = |time| setup.looks.map_or(Delay::Time(time), Delay::Polls);
        let sim = Sim::start(Config {
            attach_delay: delay(setup.attach_delay),
            detach_delay: delay(setup.detach_delay),
            volume_delay: setup.volume_delay,
            region: setup.region.clone(),
            disk_folder: Some(dir.path().join("disks")),
            user: Some(user()?),
            ..Config::default()
        })?;
        let names: Vec<_> = (1..=setup.nodes).map(|number| format!("node-{number}")).collect();
        let nodes = names.iter().map(|name| Node::new(name)).collect::<Result<Vec<_>, _>>()?;
        let instances = names
            .iter()
            .zip(&nodes)
            .map(|(name, node)| {
                let device_folder = Some(node.device_folder());
                let display_name = name.clone();
                sim.add_instance(NewInstance {
                    display_name,
                    device_folder,
                    ..NewInstance::default()
                })
            })
            .collect();
        let volume = sim.add_volume(NewVolume {
            size_gb: setup.volume_gb,
            disk_bytes: setup.disk_bytes,
            ..NewVolume::default()
        });
        let cluster = Self { nodes, sim, instances, volume, binary: binary.to_owned(), dir };
        cluster.write_config(&cluster.config())?;
        Ok(cluster)
    }

    /// Where the controller manager calls the driver.
    pub fn controller(&self) -> Place<'_> {
        let mut environment = self.environment("controller");
        environment.push(("OCI_FLEXD_CONFIG_DIRECTORY", self.config_dir()));
        environment.push(("TRUSTED_CA_CERT_PATH", self.sim.ca_path().to_owned()));
        Place { binary: self.binary.clone(), site: Site::Here, environment }
    }

    /// Where the kubelet of the `number`-th node, counted from 1, calls the driver.
    ///
    /// # Panics
    /// There is no such node.
    pub fn node(&self, number: usize) -> Place<'_> {
        let environment = self.environment(&format!("node-{number}"));
        let site = Site::Mounts(&self.nodes[number - 1]);
        Place { binary: self.binary.clone(), site, environment }
    }

    /// The volume's name, as a pod gives it.
    pub fn volume_name(&self) -> &str {
        self.volume.rsplit('.').next().unwrap_or(&self.volume)
    }

    /// The options that kubelet sends, and `more`, which win.
    pub fn options(&self, more: &[(&str, &str)]) -> String {
        let disk = ("attachmentType", "paravirtualized");
        options(self.volume_name(), std::iter::once(&disk).chain(more))
    }

    /// Where the global mount of the volume is on a node.
    pub fn global_mount(&self, number: usize) -> PathBuf {
        let mounts = "plugins/kubernetes.io/flexvolume/oracle/oci/mounts";
        self.kubelet_root(number).join(mounts).join(self.volume_name())
    }

    /// Where kubelet binds the volume into a pod on a node.
    pub fn pod_mount(&self, number: usize) -> PathBuf {
        let pod = "pods/11111111-1111-1111-1111-111111111111/volumes/oracle~oci";
        self.kubelet_root(number).join(pod).join(self.volume_name())
    }

    /// Where the controller manager's `config.yaml` is.
    pub fn config_dir(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    /// A folder for whatever a test needs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The text of a right `config.yaml` for this cloud.
    pub fn config(&self) -> String {
        self.sim.driver_config()
    }

    /// Puts `text` into the controller manager's `config.yaml`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_config(&self, text: &str) -> anyhow::Result<()> {
        fs::create_dir_all(self.config_dir())?;
        let path = self.config_dir().join("config.yaml");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(file.write_all(text.as_bytes())?)
    }

    fn kubelet_root(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("node-{number}/kubelet"))
    }

    /// What the packages set up on a host, in folders of this cluster.
    fn environment(&self, host: &str) -> Vec<(&'static str, PathBuf)> {
        let dir = self.dir.path().join(host);
        vec![
            ("OCI_FLEXD_DRIVER_DIRECTORY", dir.join("exec/oracle~oci")),
            ("OCI_FLEXD_DRIVER_LOG_DIR", dir.join("log")),
            ("OCI_FLEXD_STATE_DIRECTORY", dir.join("state")),
            ("OCI_FLEXD_RUN_DIRECTORY", dir.join("run")),
            ("OCI_METADATA_BASE_URL", self.sim.metadata_url().into()),
        ]
    }
}
