//! The certificate of an instance: whose it is, and which key belongs to it.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use x509_cert::{
    Certificate,
    der::{DecodePem, Encode},
};

/// What of a certificate is needed to get a token for it.
pub(crate) struct Leaf {
    pub(crate) der: Vec<u8>,
    pub(crate) tenancy: String,
    /// SubjectPublicKeyInfo.
    pub(crate) public_key: Vec<u8>,
}

impl Leaf {
    /// Reads the first certificate in PEM text; none if it is not an instance's.
    ///
    /// The tenancy is a unit of the subject, `opc-tenant:<OCID>`, often longer than the 64
    /// characters of X.520.
    pub(crate) fn read(pem: &str) -> Option<Self> {
        let certificate = Certificate::from_pem(pem.trim()).ok()?;
        let content = certificate.tbs_certificate();
        let tenancy = content.subject().iter().find_map(|attribute| {
            let text = str::from_utf8(attribute.value.value()).ok()?;
            TENANCY.iter().find_map(|prefix| text.strip_prefix(prefix)).map(str::to_owned)
        });
        Some(Self {
            der: certificate.to_der().ok()?,
            tenancy: tenancy?,
            public_key: content.subject_public_key_info().to_der().ok()?,
        })
    }

    /// Base64 of the certificate.
    pub(crate) fn base64(&self) -> String {
        BASE64.encode(&self.der)
    }
}

/// Base64 of any certificate in PEM text, without the armour.
pub(crate) fn base64_of(pem: &str) -> Option<String> {
    let certificate = Certificate::from_pem(pem.trim()).ok()?;
    Some(BASE64.encode(certificate.to_der().ok()?))
}

const TENANCY: [&str; 2] = ["opc-tenant:", "opc-identity:"];
