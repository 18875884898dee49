//! Finds the private key in PEM text.

use zeroize::Zeroizing;

use crate::error::Kind;

/// A private key as its file holds it.
pub(crate) enum PemBlock {
    /// `RSA PRIVATE KEY`
    Pkcs1(Der),
    /// `PRIVATE KEY`
    Pkcs8(Der),
    /// `RSA PRIVATE KEY` with headers that tell how it is encrypted; the value of `DEK-Info`
    EncryptedPkcs1(Der, String),
    /// `ENCRYPTED PRIVATE KEY`
    EncryptedPkcs8(Der),
}

/// Content that is wiped when dropped.
pub(crate) type Der = Zeroizing<Vec<u8>>;

impl PemBlock {
    /// The first private key in `text`. Whatever stands before, between and after blocks is skipped,
    /// such as the line `OCI_API_KEY` that Oracle's console adds.
    pub(crate) fn find(text: &str) -> Result<Self, Kind> {
        // the parser's own error may quote the key
        let blocks = pem::parse_many(text).map_err(|_| Kind::Damaged)?;
        let mut complaint = if text.contains("-----BEGIN ") { Kind::Damaged } else { Kind::NoKey };
        for (index, block) in blocks.into_iter().enumerate() {
            match Self::classify(block) {
                Ok(found) => return Ok(found),
                Err(kind) if index == 0 => complaint = kind,
                Err(_) => {}
            }
        }
        Err(complaint)
    }

    fn classify(block: pem::Pem) -> Result<Self, Kind> {
        let label = block.tag().to_owned();
        let dek_info = block.headers().get("DEK-Info").map(str::to_owned);
        let der = Zeroizing::new(block.into_contents());
        match (label.as_str(), dek_info) {
            ("RSA PRIVATE KEY", None) => Ok(Self::Pkcs1(der)),
            ("RSA PRIVATE KEY", Some(dek_info)) => Ok(Self::EncryptedPkcs1(der, dek_info)),
            ("PRIVATE KEY", _) => Ok(Self::Pkcs8(der)),
            ("ENCRYPTED PRIVATE KEY", _) => Ok(Self::EncryptedPkcs8(der)),
            ("PUBLIC KEY" | "RSA PUBLIC KEY", _) => Err(Kind::PublicKey),
            ("CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE", _) => {
                Err(Kind::Certificate)
            }
            ("OPENSSH PRIVATE KEY", _) => Err(Kind::OpenSsh),
            ("EC PRIVATE KEY" | "EC PARAMETERS" | "DSA PRIVATE KEY", _) => Err(Kind::NotRsa),
            _ => Err(Kind::UnknownLabel),
        }
    }
}
