//! Credentials of one's own: a user's key that can be replaced while requests are under way, for
//! instance when a vault hands out a new one: `cargo run --example custom_credentials`
#![expect(clippy::print_stdout, reason = "its user reads the terminal")]

mod account;

use std::{
    error::Error,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use account::variable;
use oci_iaas::{ListVolumes, Ocid};
use oci_rest::Credentials;
use oci_signer::{KeyId, PrivateKey, Signer};

/// A user whose key may change; every clone sees the change.
#[derive(Clone, Debug)]
struct ChangingKey {
    tenancy: Ocid,
    user: Ocid,
    signer: Arc<RwLock<Arc<Signer>>>,
}

impl ChangingKey {
    fn new(tenancy: Ocid, user: Ocid, key: PrivateKey) -> Self {
        let signer = Arc::new(RwLock::new(signer(&tenancy, &user, key)));
        Self { tenancy, user, signer }
    }

    /// From now on, requests are signed with `key`.
    fn replace(&self, key: PrivateKey) {
        let signer = signer(&self.tenancy, &self.user, key);
        *self.signer.write().unwrap_or_else(PoisonError::into_inner) = signer;
    }
}

fn signer(tenancy: &Ocid, user: &Ocid, key: PrivateKey) -> Arc<Signer> {
    let id = KeyId::api_key(tenancy.as_str(), user.as_str(), &key.fingerprint());
    Arc::new(Signer::new(id, key))
}

/// Asked before every request, so it only hands out what is ready.
impl Credentials for ChangingKey {
    fn signer(&self, _: Duration) -> Result<Arc<Signer>, oci_rest::Error> {
        Ok(Arc::clone(&self.signer.read().unwrap_or_else(PoisonError::into_inner)))
    }

    fn describe(&self) -> String {
        format!("{} with the key of the day", self.user)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (tenancy, user) =
        (variable("OCI_CLI_TENANCY")?.parse()?, variable("OCI_CLI_USER")?.parse()?);
    let credentials = ChangingKey::new(tenancy, user, account::key()?);
    let client = account::client(credentials.clone())?;
    let compartment: Ocid = variable("OCI_COMPARTMENT")?.parse()?;
    let volumes = ListVolumes { compartment: &compartment, display_name: None };
    println!("{} volumes with the first key", client.list(&volumes)?.len());
    credentials.replace(account::key()?);
    println!("{} volumes with the second", client.list(&volumes)?.len());
    Ok(())
}
