//! RSA private keys, from PEM text to signatures.

use std::fmt;

use md5::{Digest, Md5};
use ring::{
    rand::SystemRandom,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};

#[cfg(feature = "encrypted-keys")]
use crate::encrypted;
use crate::{Error, der, error::Kind, key_id::colon_hex, pem_block::PemBlock};

/// An RSA private key, ready to sign. It is never printed.
pub struct PrivateKey(RsaKeyPair);

impl PrivateKey {
    /// Reads the key from PEM text: `RSA PRIVATE KEY`, `PRIVATE KEY` or `ENCRYPTED PRIVATE KEY`, with
    /// whatever around it. The passphrase is ignored if the key is not encrypted.
    ///
    /// # Errors
    /// If the text holds no private key, the key cannot be decrypted, or it is none that can sign
    /// here. The error says which, and what to do.
    ///
    /// ```
    /// use oci_signer::PrivateKey;
    ///
    /// let public = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----";
    /// let error = PrivateKey::from_pem(public, None).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "this is a public key; the private key that belongs to it is needed"
    /// );
    /// ```
    pub fn from_pem(pem: &str, passphrase: Option<&str>) -> Result<Self, Error> {
        let passphrase = passphrase.filter(|it| !it.is_empty()).ok_or(Kind::PassphraseMissing);
        let key = match PemBlock::find(pem)? {
            PemBlock::Pkcs1(der) => Self::from_pkcs1(&der),
            PemBlock::Pkcs8(der) => Self::from_pkcs8(&der),
            PemBlock::EncryptedPkcs1(der, dek_info) => {
                let der = encrypted::decrypt_pkcs1(der, &dek_info, passphrase?)?;
                Self::from_pkcs1(&der).map_err(blame_passphrase)
            }
            PemBlock::EncryptedPkcs8(der) => {
                let der = encrypted::decrypt_pkcs8(&der, passphrase?)?;
                Self::from_pkcs8(&der).map_err(blame_passphrase)
            }
        };
        Ok(key?)
    }

    /// The fingerprint by which the API knows the key: MD5 of the public half, as
    /// `openssl rsa -pubout -outform DER | openssl md5 -c` prints it. The console shows it beside the
    /// key.
    ///
    /// ```
    /// # let pem = std::fs::read_to_string("testdata/accepted/bits-3072.pem")?;
    /// let key = oci_signer::PrivateKey::from_pem(&pem, None)?;
    /// assert_eq!(key.fingerprint(), "ca:85:14:71:60:a7:9a:0c:75:02:65:c9:2b:fc:19:5a");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fingerprint(&self) -> String {
        colon_hex(&Md5::digest(self.public_key_info()))
    }

    /// The public half, as the SubjectPublicKeyInfo (RFC 5280) that certificates hold and that token
    /// endpoints bind tokens to: DER.
    #[must_use]
    pub fn public_key_info(&self) -> Vec<u8> {
        der::public_key_info(self.0.public_key().as_ref())
    }

    /// PKCS #1 v1.5 with SHA-256: the same message has the same signature.
    pub(crate) fn sign(&self, random: &SystemRandom, message: &[u8]) -> Result<Vec<u8>, Kind> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, random, message, &mut signature)
            .map_err(|_| Kind::Random)?;
        Ok(signature)
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, Kind> {
        match der::private_key_info(der).ok_or(Kind::Damaged)? {
            (der::RSA, key) => Self::from_pkcs1(key),
            (der::RSA_PSS, _) => Err(Kind::PssOnly),
            _ => Err(Kind::NotRsa),
        }
    }

    /// Refuses by itself what ring would refuse with a word.
    fn from_pkcs1(der: &[u8]) -> Result<Self, Kind> {
        let key = der::RsaKey::read(der).ok_or(Kind::Damaged)?;
        if !key.version.iter().all(|&byte| byte == 0) {
            return Err(Kind::MultiPrime);
        }
        if ![2048, 3072, 4096].contains(&key.bits()) {
            return Err(Kind::Size { bits: key.bits() });
        }
        if key.exponent.len() <= size_of::<u16>() {
            let exponent = key.exponent.iter().fold(0, |sum, &byte| sum << 8 | u16::from(byte));
            return Err(Kind::Exponent { exponent });
        }
        RsaKeyPair::from_der(der).map(Self).map_err(Kind::Inconsistent)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(***)")
    }
}

/// A wrong passphrase may decrypt to something, which then is no key.
fn blame_passphrase(kind: Kind) -> Kind {
    match kind {
        Kind::Damaged => Kind::WrongPassphrase,
        other => other,
    }
}

#[cfg(not(feature = "encrypted-keys"))]
mod encrypted {
    //! Says that this build cannot decrypt keys.

    use crate::{error::Kind, pem_block::Der};

    pub(super) fn decrypt_pkcs1(_: Der, _: &str, _: &str) -> Result<Der, Kind> {
        Err(Kind::EncryptionNotBuilt)
    }

    pub(super) fn decrypt_pkcs8(_: &[u8], _: &str) -> Result<Der, Kind> {
        Err(Kind::EncryptionNotBuilt)
    }
}
