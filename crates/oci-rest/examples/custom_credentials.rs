//! Credentials of one's own: a user's key in a file that is replaced now and then, while the
//! program runs. When the service refuses the old key, the file is read again:
//! `cargo run --example custom_credentials`
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

/// A user whose key may change.
#[derive(Debug)]
struct KeyFile {
    tenancy: Ocid,
    user: Ocid,
    current: RwLock<Current>,
}

#[derive(Clone, Debug)]
struct Current {
    fingerprint: String,
    signer: Arc<Signer>,
}

impl KeyFile {
    fn new(tenancy: Ocid, user: Ocid) -> Result<Self, Box<dyn Error>> {
        let current = RwLock::new(Current::new(&tenancy, &user, account::key()?));
        Ok(Self { tenancy, user, current })
    }

    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Current {
    fn new(tenancy: &Ocid, user: &Ocid, key: PrivateKey) -> Self {
        let fingerprint = key.fingerprint();
        let id = KeyId::api_key(tenancy.as_str(), user.as_str(), &fingerprint);
        Self { fingerprint, signer: Arc::new(Signer::new(id, key)) }
    }
}

impl Credentials for KeyFile {
    /// Asked before every request, so it only hands out what is ready.
    fn signer(&self, _: Duration) -> Result<Arc<Signer>, oci_rest::Error> {
        Ok(self.current().signer)
    }

    fn describe(&self) -> String {
        format!("{} with the key {}", self.user, self.current().fingerprint)
    }

    /// Asked after a 401: another key is worth another try, the same one is not.
    fn renew(&self) -> bool {
        let Ok(key) = account::key() else { return false };
        let new = Current::new(&self.tenancy, &self.user, key);
        let is_other = new.fingerprint != self.current().fingerprint;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        is_other
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (tenancy, user) =
        (variable("OCI_CLI_TENANCY")?.parse()?, variable("OCI_CLI_USER")?.parse()?);
    let client = account::client(KeyFile::new(tenancy, user)?)?;
    let compartment: Ocid = variable("OCI_COMPARTMENT")?.parse()?;
    for moment in ["now", "later"] {
        let volumes = ListVolumes { compartment: &compartment, display_name: None };
        println!("{moment}: {} volumes", client.list(&volumes)?.len());
    }
    Ok(())
}
