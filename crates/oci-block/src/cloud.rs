//! The API, reached as `config.yaml` and the environment say.

use std::{cell::OnceCell, path::Path, sync::Arc, time::Duration};

use clock::{Clock, Deadline};
use kube_node::{KubeClient, KubeNode};
use oci_iaas::{GetBootVolume, GetVolume, Ocid, Region, RegionInfo, Volume};
use oci_rest::{Client, InstanceMetadata, Metadata, Network, Transport, UreqTransport};

use crate::{
    Config, OciBlock, Settings,
    credentials::{self, CredentialsBuilder},
    error::Error,
    requests::Counted,
    settings::is_there,
    setup_error::SetupError,
    volume::BOOT_VOLUME,
};

/// One call's view of the cloud.
#[derive(Debug)]
pub(crate) struct Cloud {
    /// The Core API of the region.
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    deadline: Deadline,
    settings: Settings,
    config: Config,
    region: Region,
    metadata: Metadata,
    own: OnceCell<Option<InstanceMetadata>>,
}

impl Cloud {
    /// Reads `config.yaml` and prepares everything; asks the metadata service only for a region
    /// that neither the volume's OCID nor the file gives. All requests and waits of the call together take `budget` at most.
    ///
    /// # Errors
    /// The configuration is missing or wrong, or the region is not known.
    pub(crate) fn open(driver: &OciBlock, budget: Duration, volume: &str) -> Result<Self, Error> {
        let settings = driver.settings.clone();
        let clock = Arc::clone(&driver.staging.clock);
        let deadline = Deadline::after(&*clock, budget);
        let config = Config::read(&settings.config)?;
        let network = Network {
            proxy: settings.proxy.clone(),
            no_proxy: settings.no_proxy.clone(),
            root_certs: read_root_certs(&settings)?,
            names: settings.names(),
            ..Network::default()
        };
        let requests = Arc::clone(&driver.requests);
        let transport = Counted { transport: UreqTransport::new(&network)?, requests };
        let transport: Arc<dyn Transport> = Arc::new(transport);
        let metadata_url = settings.metadata_url.as_deref();
        let mut metadata = Metadata::new(metadata_url, Arc::clone(&transport), Arc::clone(&clock));
        if let Some(cache) = credentials::cache(&settings) {
            metadata = metadata.with_cache(cache);
        }
        let means = CredentialsBuilder {
            config: &config,
            settings: &settings,
            network: &network,
            metadata: &metadata,
            transport: &transport,
            clock: &clock,
        };
        let (credentials, own_region) = means.identity()?;

        let named = volume.parse::<Ocid>().ok().and_then(|ocid| Region::of(&ocid));
        let named = named.or(config.region.clone()).or(own_region);
        let region = region(named, &settings, &metadata)?;
        let endpoint = match &config.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => region
                .iaas_endpoint()
                .parse()
                .map_err(|_| SetupError::Endpoint { endpoint: region.iaas_endpoint() })?,
        };
        let client = Client::new(endpoint, credentials, transport, Arc::clone(&clock), deadline);
        Ok(Self {
            client,
            clock,
            deadline,
            settings,
            config,
            region,
            metadata,
            own: OnceCell::new(),
        })
    }

    /// The region of this master.
    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    /// The network that holds the nodes, if configured.
    pub(crate) fn vcn(&self) -> Option<&Ocid> {
        self.config.vcn.as_ref()
    }

    /// The compartment that holds the nodes.
    pub(crate) fn compartment(&self) -> Result<Ocid, Error> {
        match &self.config.compartment {
            Some(compartment) => Ok(compartment.clone()),
            None => {
                let instance = self.metadata.instance().map_err(Error::CompartmentUnknown)?;
                Ok(instance.compartment_id)
            }
        }
    }

    /// What Kubernetes knows of the node; nothing, where there is neither a kubeconfig nor a service
    /// account that may ask, or no such node.
    pub(crate) fn kube_node(&self, name: &str) -> Result<Option<KubeNode>, Error> {
        let Settings { kubeconfig, kube_service, service_account, .. } = &self.settings;
        let network = Network {
            proxy: self.settings.general_proxy.clone(),
            no_proxy: self.settings.no_proxy.clone(),
            names: self.settings.general_names(),
            ..Network::default()
        };
        let limit = self.deadline.remaining(&*self.clock);
        if is_there(kubeconfig) {
            let client = KubeClient::from_kubeconfig(kubeconfig, &network)?;
            return Ok(client.with_limit(limit).node(name)?);
        }
        let Some(server) = kube_service.as_ref().filter(|_| is_there(service_account)) else {
            return Ok(None);
        };
        let client = KubeClient::in_cluster(server, service_account, &network)?;
        match client.with_limit(limit).node(name) {
            // Every pod has an account, which need not have the right to read nodes.
            Err(error) if error.is_refused() => {
                log::warn!("the node is found without Kubernetes: {error}");
                Ok(None)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Looks at a volume, which may be a boot volume.
    pub(crate) fn volume(&self, id: &Ocid) -> Result<Volume, Error> {
        Ok(if id.kind() == BOOT_VOLUME {
            self.client.send(&GetBootVolume { id })?
        } else {
            self.client.send(&GetVolume { id })?
        })
    }

    /// For what is remembered until the next reboot.
    pub(crate) fn run_dir(&self) -> &Path {
        &self.settings.run_dir
    }

    /// Sleeps for `wait`, unless that would leave no time to do anything afterwards; whether it did.
    pub(crate) fn wait_if_in_time(&self, wait: Duration) -> bool {
        if self.deadline.remaining(&*self.clock) < wait + EXPLAIN_RESERVE {
            return false;
        }
        self.clock.sleep(wait);
        true
    }

    /// The OCID of the instance that this process runs on, if its metadata service tells.
    pub(crate) fn own_instance(&self) -> Option<&Ocid> {
        self.own().map(|it| &it.id)
    }

    /// The compartment of that instance, where its attachments are listed.
    pub(crate) fn own_compartment(&self) -> Result<Ocid, Error> {
        self.own().map_or_else(|| self.compartment(), |it| Ok(it.compartment_id.clone()))
    }

    fn own(&self) -> Option<&InstanceMetadata> {
        self.own.get_or_init(|| self.metadata.instance().ok()).as_ref()
    }
}

fn read_root_certs(settings: &Settings) -> Result<Option<Vec<u8>>, SetupError> {
    let Some(path) = &settings.root_certs else { return Ok(None) };
    let read = config_file::read(path).map(|it| it.bytes.to_vec());
    read.map(Some).map_err(|source| SetupError::RootCerts { path: path.clone(), source })
}

/// The region that is named, or the one this host is in. Of a region that the table lacks, the
/// environment tells the realm, else the metadata service if this host is there.
fn region(
    named: Option<Region>,
    settings: &Settings,
    metadata: &Metadata,
) -> Result<Region, Error> {
    let described = match &settings.region_metadata {
        Some(json) => {
            let info: Option<RegionInfo> = serde_json::from_str(json).ok();
            let region = info.and_then(|info| Region::from_metadata(&info).ok());
            Some(region.ok_or(SetupError::RegionMetadata)?)
        }
        None => None,
    };
    match (named, described) {
        (Some(region), Some(described)) if is_same(&region, &described) => Ok(described),
        (Some(region), _) if region.key().is_some() => Ok(region),
        (Some(region), _) => {
            let here = metadata.instance().ok().and_then(|it| it.region().ok());
            Ok(here.filter(|here| is_same(&region, here)).unwrap_or(region))
        }
        (None, Some(described)) => Ok(described),
        (None, None) => {
            let instance: InstanceMetadata = metadata.instance().map_err(Error::RegionUnknown)?;
            let wrong = |_| SetupError::Endpoint { endpoint: instance.region.clone() };
            Ok(instance.region().map_err(wrong)?)
        }
    }
}

/// Whether an unknown region, by identifier or key, is the one that is described.
fn is_same(region: &Region, described: &Region) -> bool {
    region.id() == described.id() || Some(region.id()) == described.key()
}

/// For calls that wait for the cloud; the next call continues.
pub(crate) const CHANGE_BUDGET: Duration = Duration::from_secs(90);
/// What it takes to find out, at the end of the budget, why nothing came of the call.
const EXPLAIN_RESERVE: Duration = Duration::from_secs(5);
/// For calls that only look: the controller makes one a volume and minute, one after another.
pub(crate) const QUERY_BUDGET: Duration = Duration::from_secs(15);
