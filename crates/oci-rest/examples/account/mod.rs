//! Who calls which cloud: read from the variables that Oracle's command line reads, too.

use std::{env, error::Error, fs, sync::Arc, time::Duration};

use clock::{Deadline, SystemClock};
use oci_iaas::Region;
use oci_rest::{Client, Credentials, Network, UreqTransport};
use oci_signer::PrivateKey;

/// The user's API key.
pub(crate) fn key() -> Result<PrivateKey, Box<dyn Error>> {
    let pem = fs::read_to_string(variable("OCI_CLI_KEY_FILE")?)?;
    Ok(PrivateKey::from_pem(&pem, variable("OCI_CLI_PASSPHRASE").ok().as_deref())?)
}

/// A client that gives up after five minutes.
pub(crate) fn client(credentials: impl Credentials + 'static) -> Result<Client, Box<dyn Error>> {
    let endpoint = match variable("OCI_CLI_ENDPOINT") {
        Ok(endpoint) => endpoint,
        Err(_) => Region::parse(&variable("OCI_CLI_REGION")?)?.iaas_endpoint(),
    };
    let root_certs = variable("OCI_CLI_CERT_BUNDLE").ok().map(fs::read).transpose()?;
    let transport = UreqTransport::new(&Network { root_certs, ..Network::default() })?;
    let clock = Arc::new(SystemClock);
    let deadline = Deadline::after(&*clock, Duration::from_secs(300));
    let credentials = Box::new(credentials);
    Ok(Client::new(endpoint.parse()?, credentials, Arc::new(transport), clock, deadline))
}

#[expect(clippy::disallowed_methods, reason = "examples have no other configuration")]
pub(crate) fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|_| format!("set {name}").into())
}
