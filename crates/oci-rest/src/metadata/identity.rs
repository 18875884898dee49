//! The certificate by which an instance proves who it is.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use oci_signer::PrivateKey;
use zeroize::Zeroizing;

use crate::{Error, Metadata};

/// A certificate that the service rotates several times a day, and its key, which is never printed.
pub(crate) struct Identity {
    /// Base64 on one line, as the identity service wants it.
    pub(crate) leaf: String,
    pub(crate) leaf_der: Vec<u8>,
    /// As `leaf`.
    pub(crate) intermediate: String,
    /// PEM text.
    pub(crate) key: Zeroizing<String>,
}

impl Metadata {
    /// The instance's certificate, its key and the certificate above it, which belong together.
    ///
    /// # Errors
    /// As [`Metadata::instance`]; or they do not belong together, twice.
    pub(crate) fn identity(&self) -> Result<Identity, Error> {
        let found = self.read_identity()?;
        if found.is_a_pair() {
            return Ok(found);
        }
        // They were exchanged between two requests.
        let found = self.read_identity()?;
        let problem = "the certificate and the key do not belong together";
        if found.is_a_pair() { Ok(found) } else { Err(Error::Identity { problem }) }
    }

    fn read_identity(&self) -> Result<Identity, Error> {
        let text = |name: &str| -> Result<Zeroizing<String>, Error> {
            let body = Zeroizing::new(self.get(&format!("identity/{name}"))?.answer.into_body());
            let text = str::from_utf8(&body);
            let problem = "it is not text";
            Ok(Zeroizing::new(text.map_err(|_| Error::Identity { problem })?.to_owned()))
        };
        let leaf = one_line(&text("cert.pem")?);
        let key = text("key.pem")?;
        let intermediate = one_line(&text("intermediate.pem")?);
        let problem = "it is not PEM";
        let leaf_der = BASE64.decode(&leaf).map_err(|_| Error::Identity { problem })?;
        Ok(Identity { leaf, leaf_der, intermediate, key })
    }
}

impl Identity {
    /// The tenancy, as the certificate's subject names it: `opc-tenant:ocid1.tenancy.…`.
    pub(crate) fn tenancy(&self) -> Option<String> {
        let at = self.leaf_der.windows(TENANT.len()).position(|it| it == TENANT)?;
        // In DER the last byte before a short string is its length.
        let length = usize::from(*self.leaf_der.get(at.checked_sub(1)?)?);
        let text = str::from_utf8(self.leaf_der.get(at..at + length)?).ok()?;
        let ocid = text.get(TENANT.len()..)?.to_owned();
        ocid.starts_with("ocid1.").then_some(ocid)
    }

    /// Whether the certificate is of the key: it holds its public half.
    fn is_a_pair(&self) -> bool {
        PrivateKey::from_pem(&self.key, None).is_ok_and(|key| {
            let public = key.public_key_info();
            self.leaf_der.windows(public.len()).any(|it| it == public)
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(***)")
    }
}

/// The Base64 of the first PEM block.
fn one_line(pem: &str) -> String {
    let lines = pem.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN"));
    lines.skip(1).take_while(|line| !line.starts_with("-----END")).collect()
}

/// What stands before the tenancy's OCID in the subject.
const TENANT: &[u8] = b"opc-tenant:";
