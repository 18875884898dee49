//! What can be wrong with a key or a request.

use http::Method;
use ring::error::KeyRejected;

/// A key that cannot be used, or a request that cannot be signed. Its text says what to do and never
/// holds anything of the key, the passphrase or the key id.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Kind);

impl Error {
    /// Whether the key is encrypted and the passphrase is missing or wrong.
    #[must_use]
    pub fn is_passphrase(&self) -> bool {
        matches!(self.0, Kind::PassphraseMissing | Kind::WrongPassphrase)
    }

    /// Whether the key is encrypted and there is no passphrase.
    #[must_use]
    pub fn is_passphrase_missing(&self) -> bool {
        matches!(self.0, Kind::PassphraseMissing)
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error(
        "there is no private key: text from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY----- was expected"
    )]
    NoKey,
    #[error(
        "this is not text, and a private key in PEM is needed; `openssl pkey -in <file> -out <new file>` makes it of one in DER or PKCS #12"
    )]
    Binary,
    #[error("this is a public key; the private key that belongs to it is needed")]
    PublicKey,
    #[error("this is a certificate; the private key that belongs to it is needed")]
    Certificate,
    #[error(
        "this is a key in OpenSSH's own format; `ssh-keygen -p -m PEM -f <file>` rewrites the file as PEM, if it is an RSA key"
    )]
    OpenSsh,
    #[error("this is not an RSA key; {MAKE_ONE}")]
    NotRsa,
    #[error("this key is for RSASSA-PSS only; {MAKE_ONE}")]
    PssOnly,
    #[error("this is PEM text, but neither PRIVATE KEY, RSA PRIVATE KEY nor ENCRYPTED PRIVATE KEY")]
    UnknownLabel,
    #[error(
        "the private key is damaged or incomplete; copy the whole file again, lines BEGIN and END included"
    )]
    Damaged,
    #[error("the private key is damaged: its numbers do not belong together ({0})")]
    Inconsistent(KeyRejected),
    #[error(
        "the private key has {bits} bits, and only 2048, 3072 and 4096 are supported; {MAKE_ONE}"
    )]
    Size { bits: usize },
    #[error(
        "the public exponent of the private key is {exponent}, and at least 65537 is needed; {MAKE_ONE}"
    )]
    Exponent { exponent: u16 },
    #[error("the private key has more than two primes; {MAKE_ONE}")]
    MultiPrime,
    #[error("the private key is encrypted and there is no passphrase")]
    PassphraseMissing,
    #[error("the private key cannot be decrypted: the passphrase is wrong or the key is damaged")]
    WrongPassphrase,
    #[cfg(feature = "encrypted-keys")]
    #[error(
        "the private key is encrypted in a way that is not supported; `openssl pkcs8 -topk8 -v2 aes-256-cbc -in <file> -out <new file>` encrypts it anew (if openssl refuses, add -provider legacy -provider default)"
    )]
    UnsupportedEncryption,
    #[cfg(not(feature = "encrypted-keys"))]
    #[error(
        "the private key is encrypted, which this build does not support; `openssl rsa -in <file> -out <new file>` decrypts it"
    )]
    EncryptionNotBuilt,
    #[error("{name} must be signed, and the request has none")]
    Missing { name: &'static str },
    #[error("header {name} cannot be signed: it is not visible ASCII")]
    NotText { name: &'static str },
    #[error(
        "a {method} request with a body cannot be signed: the signature would not cover the body"
    )]
    BodyNotCovered { method: Method },
    #[error("the key id cannot be signed with: it is empty, or not visible ASCII without quotes")]
    KeyId,
    #[error("the clock is before 1970 or after 9999, and a request of that date cannot be signed")]
    Date,
    #[error("the system has no random numbers, without which RSA cannot sign safely")]
    Random,
}

const MAKE_ONE: &str =
    "make an API key with `openssl genrsa -out key.pem 2048` and add its public half to the user";
