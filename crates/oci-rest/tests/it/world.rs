//! A cloud with an instance, and processes that sign in it.

use std::{sync::Arc, time::Duration};

use clock::{Clock, Deadline, ManualClock};
use oci_iaas::{GetInstance, Ocid};
use oci_rest::{
    Client, Credentials, Error, InstancePrincipals, MemoryCache, Metadata, Network,
    TokenCredentials, TokenSource, Transport, UreqTransport,
};
use oci_sim::{Config, NewInstance, Running, Sim};
use tempfile::TempDir;

use crate::script::{noon, ocid};

/// A cloud with an instance, and a folder in memory.
pub(crate) struct World {
    pub(crate) cloud: Running,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) instance: Ocid,
    pub(crate) memory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let config = Config { stopped_at: Some(noon()), ..Config::default() };
        let cloud = Sim::start(config).unwrap();
        let instance = ocid(&cloud.add_instance(NewInstance::default()));
        let root_certs = Some(cloud.ca_pem().as_bytes().to_vec());
        let network = Network { root_certs, ..Network::default() };
        let transport = Arc::new(UreqTransport::new(&network).unwrap());
        let clock = Arc::new(ManualClock::at(noon()));
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        Self { cloud, clock, transport, instance, memory }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    pub(crate) fn cache(&self) -> MemoryCache {
        MemoryCache::new(self.memory.path().join("cache"))
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.sleep(time);
        self.cloud.advance(time);
    }

    pub(crate) fn metadata(&self) -> Metadata {
        let url = self.cloud.metadata_url();
        Metadata::new(Some(&url), Arc::clone(&self.transport), self.clock())
    }

    pub(crate) fn instance_principals(&self) -> InstancePrincipals {
        let endpoint = Some(self.cloud.endpoint().parse().unwrap());
        let transport = Arc::clone(&self.transport);
        InstancePrincipals::new(self.metadata(), transport, self.clock(), endpoint)
    }

    pub(crate) fn tokens(&self, source: impl TokenSource + 'static) -> TokenCredentials {
        TokenCredentials::new(Box::new(source), self.clock())
    }

    /// A process that begins: nothing but the cache is left of those before.
    pub(crate) fn process(&self) -> Client {
        self.client(Box::new(self.tokens(self.instance_principals()).with_cache(self.cache())))
    }

    pub(crate) fn client(&self, credentials: Box<dyn Credentials>) -> Client {
        Client::new(
            self.cloud.endpoint().parse().unwrap(),
            credentials,
            Arc::clone(&self.transport),
            self.clock(),
            Deadline::after(&*self.clock, Duration::from_secs(7200)),
        )
    }

    pub(crate) fn ask(&self, client: &Client) -> Result<(), Error> {
        client.send(&GetInstance { id: &self.instance }).map(|it| assert_eq!(it.id, self.instance))
    }

    /// The operations asked for since the last time.
    pub(crate) fn seen(&self, so_far: usize) -> Vec<&'static str> {
        self.cloud.requests().iter().skip(so_far).map(|it| it.operation).collect()
    }
}

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
