//! A client certificate and its key.

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_cert::{
    Certificate,
    der::{Decode, Encode},
};

use super::tls::certificates;

/// The certificate by which a client shows a server who it is, with its key.
///
/// Certificates of X.509 version 1 are presented like those of version 3: whether they count is the
/// server's to say.
#[derive(Clone)]
pub struct ClientCert(pub(crate) Arc<CertifiedKey>);

/// Why a certificate and a key are no client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientCertError {
    /// The text of the certificate has no PEM block `CERTIFICATE`.
    #[error("holds no PEM certificate")]
    NoCertificate,
    /// The first certificate, which is the client's own, is damaged.
    #[error("holds a certificate that is not X.509")]
    Certificate,
    /// The text of the key has no PEM block `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`.
    #[error("holds no unencrypted PEM key")]
    NoKey,
    /// The key is damaged, or of a kind that is not used here.
    #[error(
        "holds a key that is not RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519, or is damaged"
    )]
    Key,
    /// The key is another certificate's.
    #[error("is not the key of the certificate")]
    OtherKey,
}

impl ClientCertError {
    /// Whether the key is to blame, not the certificate.
    pub fn is_of_key(self) -> bool {
        matches!(self, Self::NoKey | Self::Key | Self::OtherKey)
    }
}

impl ClientCert {
    /// Reads PEM text: `chain` begins with the client's own certificate; of `key` the first block is
    /// taken.
    ///
    /// # Errors
    /// One of the two cannot be read, or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, ClientCertError> {
        let chain = certificates(chain).ok_or(ClientCertError::NoCertificate)?;
        let own = chain.first().ok_or(ClientCertError::NoCertificate)?;
        let wanted = public_key(own).ok_or(ClientCertError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| ClientCertError::NoKey)?;
        let key = any_supported_type(&key).map_err(|_| ClientCertError::Key)?;
        // rustls' own comparison refuses certificates of version 1
        if key.public_key().is_some_and(|key| *key != *wanted) {
            return Err(ClientCertError::OtherKey);
        }
        Ok(Self(Arc::new(CertifiedKey::new(chain, key))))
    }
}

/// The certificate is no secret, but the key is.
impl Debug for ClientCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCert(***)")
    }
}

/// SubjectPublicKeyInfo.
fn public_key(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(certificate).ok()?;
    certificate.tbs_certificate().subject_public_key_info().to_der().ok()
}
