//! Fresh keys for tokens to be bound to.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rsa::{
    RsaPrivateKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding},
    rand_core::OsRng,
};
use zeroize::Zeroizing;

use crate::Error;

/// A fresh RSA key of 2048 bits. It is never printed.
///
/// Making one takes about a tenth of a second, most of what a first request takes longer than others.
pub struct SessionKey {
    pem: Zeroizing<String>,
    public_key: String,
}

impl SessionKey {
    /// Makes a key.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<Self, Error> {
        let wrong = |problem: &str| Error::credentials("a key for the token", problem, None);
        let no_key = |_| wrong("the system has no random numbers to make it of");
        let key = RsaPrivateKey::new(&mut OsRng, BITS).map_err(no_key)?;
        let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| wrong("it cannot be encoded"))?;
        let info = key.to_public_key().to_public_key_der();
        let info = info.map_err(|_| wrong("it cannot be encoded"))?;
        Ok(Self { pem: Zeroizing::new(pem.to_string()), public_key: BASE64.encode(info) })
    }

    /// The public half: Base64 of the SubjectPublicKeyInfo, as the auth services want it.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The private half as PEM, for [`Session::new`](crate::Session::new).
    pub fn into_pem(self) -> Zeroizing<String> {
        self.pem
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(***)")
    }
}

const BITS: usize = 2048;
