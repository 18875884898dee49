//! The API signing key of a user.

use std::{sync::Arc, time::Duration};

use oci_signer::{KeyId, PrivateKey, Signer};

use crate::{Credentials, Error};

/// Signs with the API key of a user.
#[derive(Debug)]
pub struct ApiKey {
    signer: Arc<Signer>,
    user: String,
    fingerprint: String,
}

impl ApiKey {
    /// `tenancy` and `user` are OCIDs. The fingerprint follows from the key; one that is given is
    /// only compared.
    ///
    /// # Errors
    /// The given fingerprint is not the key's.
    pub fn new(
        tenancy: &str,
        user: &str,
        fingerprint: Option<&str>,
        key: PrivateKey,
    ) -> Result<Self, Error> {
        let computed = key.fingerprint();
        match fingerprint.map(str::trim).filter(|it| !it.eq_ignore_ascii_case(&computed)) {
            Some(configured) => {
                Err(Error::Fingerprint { configured: configured.to_owned(), computed })
            }
            None => {
                let id = KeyId::api_key(tenancy, user, &computed);
                let signer = Arc::new(Signer::new(id, key));
                Ok(Self { signer, user: user.to_owned(), fingerprint: computed })
            }
        }
    }
}

impl Credentials for ApiKey {
    fn signer(&self, _: Duration) -> Result<Arc<Signer>, Error> {
        Ok(Arc::clone(&self.signer))
    }

    fn describe(&self) -> String {
        format!("{} with the key {}", self.user, self.fingerprint)
    }
}
