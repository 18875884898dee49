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
        let text = lines(text);
        // the parser's own error may quote the key
        let blocks = pem::parse_many(text.as_bytes()).map_err(|_| Kind::Damaged)?;
        let mut complaint = match &**text {
            text if text.contains("-----BEGIN ") => Kind::Damaged,
            text if text.starts_with("ssh-") => Kind::PublicKey,
            text if text.contains(['\0', char::REPLACEMENT_CHARACTER]) => Kind::Binary,
            _ => Kind::NoKey,
        };
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

/// The lines of a key, as it is pasted: the two characters `\n` count as the end of a line, as in keys
/// on one line of JSON or YAML; blanks around a line, and lines of nothing else, do not count. One empty
/// line ends the headers.
fn lines(text: &str) -> Zeroizing<String> {
    // all room at once, so that no copy of the key is left behind
    let mut all = Zeroizing::new(String::with_capacity(text.len() + 2));
    let mut in_headers = false;
    let lines = text.split("\\n").flat_map(|it| it.split(['\n', '\r']));
    for line in lines.map(|it| it.trim().trim_end_matches("\\r")).filter(|it| !it.is_empty()) {
        let is_header = line.contains(':');
        if in_headers && !is_header {
            all.push('\n');
        }
        in_headers = is_header;
        all.extend([line, "\n"]);
    }
    all
}
