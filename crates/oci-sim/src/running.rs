//! The cloud with its server: endpoints, certificates, start and stop.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::config::Config;
use crate::error::Error;
use crate::server::Server;
use crate::sim::Sim;
use crate::tls::certificates;

/// A [`Sim`] that listens on loopback; all methods of it are here too. Dropping it stops it and takes its disks away.
#[derive(Debug)]
pub struct Running {
    server: Option<Server>,
    sim: Arc<Sim>,
    ca_pem: String,
    ca_path: PathBuf,
    _folder: TempDir,
}

impl Sim {
    /// Starts the cloud on two loopback ports.
    ///
    /// # Errors
    /// A port is taken, or the disk folder cannot be used (it needs root).
    pub fn start(config: Config) -> Result<Running, Error> {
        let (ca_pem, tls) = certificates(&config.certificate_names)?;
        let (https_port, http_port) = (config.https_port, config.http_port);
        let sim = Arc::new(Self::new(config)?);
        let server = Server::start(&sim, tls, https_port, http_port)?;
        let file_error =
            |action| move |source| Error::File { action, path: std::env::temp_dir(), source };
        let folder = tempfile::Builder::new()
            .prefix("oci-sim-")
            .tempdir()
            .map_err(file_error("create a folder in"))?;
        let ca_path = folder.path().join("ca.pem");
        fs::write(&ca_path, &ca_pem).map_err(file_error("write to"))?;
        Ok(Running { server: Some(server), sim, ca_pem, ca_path, _folder: folder })
    }
}

impl Running {
    /// The API: `https://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        self.server.as_ref().map(|server| format!("https://{}", server.https)).unwrap_or_default()
    }

    /// The API without TLS: `http://127.0.0.1:PORT`.
    pub fn http_endpoint(&self) -> String {
        self.server.as_ref().map(|server| format!("http://{}", server.http)).unwrap_or_default()
    }

    /// The metadata service as the first instance sees it: `http://127.0.0.1:PORT/opc/v2`.
    pub fn metadata_url(&self) -> String {
        format!("{}/opc/v2", self.http_endpoint())
    }

    /// The metadata service as this instance sees it.
    pub fn metadata_url_of(&self, instance: &str) -> String {
        format!("{}/{instance}/opc/v2", self.http_endpoint())
    }

    /// A `config.yaml` of the driver for this cloud, with the key in it.
    pub fn driver_config(&self) -> String {
        let user = self.credentials();
        let key = user.private_key_pem.trim_end().replace('\n', "\n    ");
        format!(
            "auth:\n  tenancy: {}\n  compartment: {}\n  user: {}\n  region: us-phoenix-1\n  \
             fingerprint: {}\n  key: |\n    {key}\nendpoints:\n  iaas: {}\n",
            user.tenancy,
            self.compartment(),
            user.user,
            user.fingerprint,
            self.endpoint(),
        )
    }

    /// The certificate of the authority that signed the server's.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A file with [`Running::ca_pem`], for `TRUSTED_CA_CERT_PATH`; it lives as long as `self`.
    pub fn ca_path(&self) -> &Path {
        &self.ca_path
    }

    /// The cloud itself, to share with other threads.
    pub fn sim(&self) -> &Arc<Sim> {
        &self.sim
    }
}

impl Deref for Running {
    type Target = Sim;

    fn deref(&self) -> &Sim {
        &self.sim
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server = None;
        self.sim.remove_disks();
    }
}
