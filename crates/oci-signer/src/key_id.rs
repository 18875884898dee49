//! Key ids: how a signature names the caller and the key.

use std::fmt;

use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

/// Names the caller and the key. It may hold a token and is therefore never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyId(Zeroizing<String>);

impl KeyId {
    /// A user's API key; `tenancy` and `user` are OCIDs, `fingerprint` as
    /// [`PrivateKey::fingerprint`](crate::PrivateKey::fingerprint) gives it.
    #[must_use]
    pub fn api_key(tenancy: &str, user: &str, fingerprint: &str) -> Self {
        Self::verbatim(format!("{tenancy}/{user}/{fingerprint}"))
    }

    /// A token to which a session key is bound: instance principals, workload identity,
    /// `oci session authenticate`. White space around the token, and the `ST$` that some sources
    /// put before it, do not matter. The signer's key is the session key, not the user's.
    ///
    /// ```
    /// use oci_signer::KeyId;
    ///
    /// assert_eq!(KeyId::session_token("ST$eyJraWQi.e30.c2ln\n"), KeyId::session_token("eyJraWQi.e30.c2ln"));
    /// ```
    #[must_use]
    pub fn session_token(token: &str) -> Self {
        let token = token.trim();
        Self::verbatim(format!("ST${}", token.strip_prefix("ST$").unwrap_or(token)))
    }

    /// An instance that asks for a token; `certificate` is its leaf certificate as DER. The body of
    /// the request must say `"fingerprintAlgorithm":"SHA256"`.
    #[must_use]
    pub fn federation(tenancy: &str, certificate: &[u8]) -> Self {
        let fingerprint = colon_hex(digest(&SHA256, certificate).as_ref());
        Self::verbatim(format!("{tenancy}/fed-x509-sha256/{fingerprint}"))
    }

    /// Any other form, such as `resource/v2.1/…`. Signing fails if it is empty or has characters that
    /// cannot stand between quotes in a header.
    #[must_use]
    pub fn verbatim(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, if it can stand between quotes in a header.
    pub(crate) fn quotable(&self) -> Option<&str> {
        let fits = self.0.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        (fits && !self.0.is_empty()).then_some(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyId(***)")
    }
}

/// `0c:cc:a3…`
pub(crate) fn colon_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
