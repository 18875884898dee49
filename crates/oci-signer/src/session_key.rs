//! Keys for a session: made anew, bound to a token, thrown away with it.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rsa::{RsaPrivateKey, pkcs8::EncodePrivateKey, rand_core::OsRng};
use zeroize::Zeroizing;

use crate::{Error, PrivateKey, error::Kind};

/// A key pair that a token is asked for: the public half is sent, the private half signs afterwards.
///
/// Making one takes about a tenth of a second, so keep it as long as its token.
pub struct SessionKey {
    der: Zeroizing<Vec<u8>>,
    key: PrivateKey,
}

impl SessionKey {
    /// A fresh RSA key of 2048 bits.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<Self, Error> {
        // ring makes no RSA keys, and rsa signs in variable time: one makes, the other signs.
        let key = RsaPrivateKey::new(&mut OsRng, BITS).map_err(|_| Kind::Random)?;
        let der = key.to_pkcs8_der().map_err(|_| Kind::Damaged)?;
        Self::from_der(der.as_bytes())
    }

    /// The key that [`Self::to_der`] gave.
    ///
    /// # Errors
    /// It is not.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let key = PrivateKey::from_pkcs8(der)?;
        Ok(Self { der: Zeroizing::new(der.to_owned()), key })
    }

    /// The private key as PKCS#8 DER: as secret as the token is powerful.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }

    /// The public half as token services want it: SubjectPublicKeyInfo in Base64, on one line.
    #[must_use]
    pub fn public_key(&self) -> String {
        BASE64.encode(self.key.public_key_info())
    }

    /// The private half, to sign with.
    #[must_use]
    pub fn into_private_key(self) -> PrivateKey {
        self.key
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(***)")
    }
}

const BITS: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_stored() {
        let key = SessionKey::generate().unwrap();
        let again = SessionKey::from_der(key.to_der()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert!(key.public_key().starts_with("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"));
        assert_eq!(format!("{key:?}"), "SessionKey(***)");
        assert!(SessionKey::from_der(b"no key").is_err());
    }
}
