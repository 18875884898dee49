//! The little of DER that key files need: reading elements, writing a public key.

/// What an RSA private key says of itself (RFC 8017, RSAPrivateKey).
pub(crate) struct RsaKey<'a> {
    pub(crate) version: &'a [u8],
    /// Without leading zeros, like the exponent.
    pub(crate) modulus: &'a [u8],
    pub(crate) exponent: &'a [u8],
}

impl<'a> RsaKey<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let (sequence, _) = element(SEQUENCE, der)?;
        let (version, rest) = element(INTEGER, sequence)?;
        let (modulus, rest) = element(INTEGER, rest)?;
        let (exponent, _) = element(INTEGER, rest)?;
        Some(Self { version, modulus: strip_zeros(modulus), exponent: strip_zeros(exponent) })
    }

    pub(crate) fn bits(&self) -> usize {
        let first = self.modulus.first().copied().unwrap_or_default();
        (self.modulus.len() * 8).saturating_sub(first.leading_zeros() as usize)
    }
}

/// The algorithm's OID and the key inside of a PKCS#8 PrivateKeyInfo (RFC 5958).
pub(crate) fn private_key_info(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(SEQUENCE, der)?;
    let (_version, rest) = element(INTEGER, sequence)?;
    let (algorithm, rest) = element(SEQUENCE, rest)?;
    let (oid, _) = element(OBJECT_IDENTIFIER, algorithm)?;
    let (key, _) = element(OCTET_STRING, rest)?;
    Some((oid, key))
}

/// Whether this is a PKCS#8 EncryptedPrivateKeyInfo of whatever algorithm.
#[cfg(feature = "encrypted-keys")]
pub(crate) fn is_encrypted_key_info(der: &[u8]) -> bool {
    element(SEQUENCE, der)
        .and_then(|(sequence, _)| element(SEQUENCE, sequence))
        .is_some_and(|(_algorithm, rest)| element(OCTET_STRING, rest).is_some())
}

/// The SubjectPublicKeyInfo (RFC 5280) around an RSAPublicKey.
pub(crate) fn public_key_info(rsa_public_key: &[u8]) -> Vec<u8> {
    let algorithm = write(SEQUENCE, &[&write(OBJECT_IDENTIFIER, &[RSA]), &[NULL, 0]]);
    let key = write(BIT_STRING, &[&[0], rsa_public_key]);
    write(SEQUENCE, &[&algorithm, &key])
}

/// The content of the element of kind `tag` at the start of `input`, and what follows it.
fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = input.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    if length < LONG_FORM {
        return rest.split_at_checked(length.into());
    }
    let (length, rest) = rest.split_at_checked(usize::from(length - LONG_FORM))?;
    if length.len() > size_of::<u32>() {
        return None;
    }
    let length = length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    rest.split_at_checked(length)
}

fn write(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let length = strip_zeros(&length);
    let mut element = vec![tag];
    match length {
        [] => element.push(0),
        [short] if *short < LONG_FORM => element.push(*short),
        long => {
            element.push(LONG_FORM | long.len() as u8);
            element.extend(long);
        }
    }
    element.extend(content);
    element
}

fn strip_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

/// 1.2.840.113549.1.1.1, rsaEncryption
pub(crate) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.113549.1.1.10, id-RSASSA-PSS
pub(crate) const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const LONG_FORM: u8 = 0x80;
