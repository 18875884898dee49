//! A user with an API key: made fresh, or from a given key.

use std::fmt;
use std::sync::OnceLock;

use md5::{Digest as _, Md5};
use rsa::RsaPrivateKey;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};

use crate::error::Error;
use crate::ids;

/// Everything a client needs to sign as this user. The key is a throw-away key, for this cloud only.
#[derive(Clone)]
#[non_exhaustive]
pub struct ApiKeyUser {
    /// OCID of the tenancy.
    pub tenancy: String,
    /// OCID of the user.
    pub user: String,
    /// MD5 of the public key's SubjectPublicKeyInfo, as hex pairs.
    pub fingerprint: String,
    /// The private key, PKCS#8, unencrypted.
    pub private_key_pem: String,
    public_key: Vec<u8>,
}

impl ApiKeyUser {
    /// A user with a fresh 2048-bit key. The key is made once per process, because that takes a tenth of a second.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn fresh() -> Result<Self, Error> {
        static KEY: OnceLock<String> = OnceLock::new();
        let pem = match KEY.get() {
            Some(pem) => pem,
            None => {
                let key =
                    RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).map_err(key_error)?;
                let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(key_error)?;
                KEY.get_or_init(|| pem.to_string())
            }
        };
        Self::from_pem(&ids::ocid("tenancy", "oc1", ""), &ids::ocid("user", "oc1", ""), pem)
    }

    /// A user with this key (PKCS#8 or PKCS#1 PEM, unencrypted).
    ///
    /// # Errors
    /// The text is no such key.
    pub fn from_pem(tenancy: &str, user: &str, private_key_pem: &str) -> Result<Self, Error> {
        let key = RsaPrivateKey::from_pkcs8_pem(private_key_pem)
            .or_else(|_| RsaPrivateKey::from_pkcs1_pem(private_key_pem))
            .map_err(key_error)?
            .to_public_key();
        let spki = key.to_public_key_der().map_err(key_error)?;
        let public_key = key.to_pkcs1_der().map_err(key_error)?.into_vec();
        let pairs: Vec<String> =
            Md5::digest(spki.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            tenancy: tenancy.to_owned(),
            user: user.to_owned(),
            fingerprint: pairs.join(":"),
            private_key_pem: private_key_pem.to_owned(),
            public_key,
        })
    }

    /// What signed requests name as `keyId`.
    pub fn key_id(&self) -> String {
        format!("{}/{}/{}", self.tenancy, self.user, self.fingerprint)
    }

    /// The public key as PKCS#1 DER.
    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}

impl fmt::Debug for ApiKeyUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyUser").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

fn key_error(error: impl fmt::Display) -> Error {
    Error::Key(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_the_one_openssl_computes() {
        let key = crate::verify::tests::vector_key("test2048");
        let user = ApiKeyUser::from_pem("t", "u", &key).unwrap();
        assert_eq!(user.fingerprint, "cb:cd:44:ac:d6:ad:65:5f:04:1c:e8:4d:c6:1c:33:58");
        assert_eq!(
            format!("{user:?}"),
            format!("ApiKeyUser {{ key_id: \"t/u/{}\", .. }}", user.fingerprint)
        );
    }

    #[test]
    fn fresh_users_differ_in_name() {
        let (one, two) = (ApiKeyUser::fresh().unwrap(), ApiKeyUser::fresh().unwrap());
        assert_ne!(one.key_id(), two.key_id());
        assert!(one.private_key_pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    }

    #[test]
    fn garbage_is_no_key() {
        let error = ApiKeyUser::from_pem("t", "u", "-----BEGIN GARBAGE-----").unwrap_err();
        assert!(error.to_string().starts_with("cannot use the API key: "), "{error}");
    }
}
