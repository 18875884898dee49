//! How the cloud is set up before it starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::credentials::ApiKeyUser;
use crate::lifecycle::Delay;
use crate::storage::Storage;

/// What [`Sim::start`](crate::Sim::start) needs to know. The default is a quick cloud in Phoenix without disks on free ports.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port of HTTPS; 0 takes a free one.
    pub https_port: u16,
    /// Port of HTTP, which also serves the metadata service; 0 takes a free one.
    pub http_port: u16,
    /// Where the cloud stands.
    pub region: Region,
    /// Elements on a page of a list, unless the caller asks for fewer.
    pub page_size: usize,
    /// How long an attachment is ATTACHING.
    pub attach_delay: Delay,
    /// How long an attachment is DETACHING.
    pub detach_delay: Delay,
    /// How long a volume is PROVISIONING or TERMINATING.
    pub volume_delay: Delay,
    /// How long DETACHED attachments and TERMINATED volumes can still be seen.
    pub keep_gone: Duration,
    /// Block volumes one instance can have attached (32 at Oracle).
    pub attachment_limit: usize,
    /// How long a token is good that an instance or a pod gets (about 20 minutes at Oracle).
    pub token_lifetime: Duration,
    /// The user whose signatures are good; a fresh one if absent.
    pub user: Option<ApiKeyUser>,
    /// Where the backing files of volumes lie; without it there are no disks.
    pub disk_folder: Option<PathBuf>,
    /// What exports and plugs the volumes that are attached; without it their targets are only told of.
    pub storage: Option<Arc<dyn Storage>>,
    /// Names and addresses the server's certificate is for.
    pub certificate_names: Vec<String>,
    /// The cloud's clock stands still at this time, if given; see also [`Sim::advance`](crate::Sim::advance).
    pub stopped_at: Option<SystemTime>,
}

/// A region, by its four names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// `us-phoenix-1`
    pub id: String,
    /// `phx`
    pub key: String,
    /// `oc1`
    pub realm: String,
    /// `oraclecloud.com`
    pub domain: String,
}

impl Region {
    /// The name inside OCIDs and in metadata: the key in Phoenix and Ashburn, elsewhere the id.
    pub fn short(&self) -> &str {
        match self.id.as_str() {
            "us-phoenix-1" | "us-ashburn-1" => &self.key,
            id => id,
        }
    }

    /// The `number`-th availability domain, with a tenancy's prefix: `Uocm:PHX-AD-1`.
    pub fn availability_domain(&self, number: u8) -> String {
        format!("Uocm:{}-AD-{number}", self.short().to_uppercase())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            https_port: 0,
            http_port: 0,
            region: Region::default(),
            page_size: 100,
            attach_delay: Delay::Time(Duration::ZERO),
            detach_delay: Delay::Time(Duration::ZERO),
            volume_delay: Delay::Time(Duration::ZERO),
            keep_gone: Duration::from_secs(3600),
            attachment_limit: 32,
            token_lifetime: Duration::from_secs(1200),
            user: None,
            disk_folder: None,
            storage: None,
            certificate_names: vec!["127.0.0.1".into(), "localhost".into()],
            stopped_at: None,
        }
    }
}

impl Default for Region {
    fn default() -> Self {
        Self {
            id: "us-phoenix-1".into(),
            key: "phx".into(),
            realm: "oc1".into(),
            domain: "oraclecloud.com".into(),
        }
    }
}
