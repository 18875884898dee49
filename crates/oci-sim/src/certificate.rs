//! X.509 certificates like those an instance gets from its metadata service: RSA, with the tenancy in the subject.
//!
//! Written by hand, because the libraries refuse an organisational unit of more than 64 characters, which Oracle's have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::pkcs8::EncodePublicKey as _;
use rsa::{RsaPrivateKey, RsaPublicKey};

use crate::error::Error;

/// A key and the certificate that is about it.
#[derive(Clone)]
pub(crate) struct Certified {
    /// PKCS#1, as the metadata service gives it.
    pub(crate) key_pem: String,
    /// The certificate as DER.
    pub(crate) certificate: Vec<u8>,
    /// The public key as PKCS#1 DER.
    pub(crate) public_key: Vec<u8>,
    name: Vec<u8>,
    private_key: Vec<u8>,
}

impl Certified {
    /// The authority.
    pub(crate) fn authority() -> Result<Self, Error> {
        let key = Key::read(include_str!("keys/authority.pem"))?;
        let name = name(&[(COMMON_NAME, "PKISVC Identity Intermediate us-phoenix-1")]);
        let certificate = certificate(1, &name, &name, &key.info, &key.private_key)?;
        Ok(key.with(name, certificate))
    }

    /// The `number`-th certificate by `self`, of an instance: its OCID and the units of its subject. The next one has another
    /// key.
    pub(crate) fn issue(
        &self,
        number: u32,
        instance: &str,
        units: &[String],
    ) -> Result<Self, Error> {
        let even = number.is_multiple_of(2);
        let key = Key::read(if even { LEAF_KEYS[0] } else { LEAF_KEYS[1] })?;
        let mut subject = vec![(COMMON_NAME, instance)];
        subject.extend(units.iter().map(|unit| (ORGANIZATIONAL_UNIT, unit.as_str())));
        let name = name(&subject);
        let certificate = certificate(number, &self.name, &name, &key.info, &self.private_key)?;
        Ok(key.with(name, certificate))
    }

    /// The certificate as PEM.
    pub(crate) fn certificate_pem(&self) -> String {
        let text = BASE64.encode(&self.certificate);
        let lines: Vec<&str> = (0..text.len())
            .step_by(64)
            .filter_map(|start| text.get(start..(start + 64).min(text.len())))
            .collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// A signature by the key: PKCS#1 v1.5, SHA-256.
    pub(crate) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        sign(&self.private_key, text)
    }
}

impl std::fmt::Debug for Certified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certified").finish_non_exhaustive()
    }
}

/// A key in the forms that are needed.
struct Key {
    pem: String,
    private_key: Vec<u8>,
    public_key: Vec<u8>,
    info: Vec<u8>,
}

impl Key {
    fn read(pem: &str) -> Result<Self, Error> {
        let key = RsaPrivateKey::from_pkcs1_pem(pem).map_err(error)?;
        let public = RsaPublicKey::from(&key);
        Ok(Self {
            pem: pem.to_owned(),
            private_key: key.to_pkcs1_der().map_err(error)?.as_bytes().to_vec(),
            public_key: public.to_pkcs1_der().map_err(error)?.into_vec(),
            info: public.to_public_key_der().map_err(error)?.into_vec(),
        })
    }

    fn with(self, name: Vec<u8>, certificate: Vec<u8>) -> Certified {
        let Self { pem: key_pem, private_key, public_key, .. } = self;
        Certified { key_pem, certificate, public_key, name, private_key }
    }
}

fn certificate(
    number: u32,
    issuer: &[u8],
    subject: &[u8],
    key_info: &[u8],
    signing_key: &[u8],
) -> Result<Vec<u8>, Error> {
    let algorithm = der(SEQUENCE, &[&der(OBJECT_IDENTIFIER, &[SHA256_WITH_RSA]), &[5, 0]]);
    let validity = [der(UTC_TIME, &[b"260101000000Z"]), der(UTC_TIME, &[b"351230000000Z"])];
    let to_be_signed = der(
        SEQUENCE,
        &[
            &der(VERSION, &[&der(INTEGER, &[&[2]])]),
            &der(INTEGER, &[&[1], &number.to_be_bytes()]),
            &algorithm,
            issuer,
            &der(SEQUENCE, &[&validity.concat()]),
            subject,
            key_info,
        ],
    );
    let signature = sign(signing_key, &to_be_signed)?;
    Ok(der(SEQUENCE, &[&to_be_signed, &algorithm, &der(BIT_STRING, &[&[0], &signature])]))
}

fn name(attributes: &[(&[u8], &str)]) -> Vec<u8> {
    let attributes: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(kind, text)| {
            let text = der(UTF8_STRING, &[text.as_bytes()]);
            der(SET, &[&der(SEQUENCE, &[&der(OBJECT_IDENTIFIER, &[kind]), &text])])
        })
        .collect();
    der(SEQUENCE, &[&attributes.concat()])
}

fn sign(key: &[u8], text: &[u8]) -> Result<Vec<u8>, Error> {
    let key = RsaKeyPair::from_der(key).map_err(error)?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).map_err(error)?;
    Ok(signature)
}

/// An element of DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => element.push(length),
        _ => {
            let length = content.len().to_be_bytes();
            let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            element.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
            element.extend(length);
        }
    }
    element.extend(content);
    element
}

fn error(error: impl std::fmt::Display) -> Error {
    Error::Key(error.to_string())
}

/// Throw-away keys: to find new primes takes longer than a metadata service may.
const LEAF_KEYS: [&str; 2] = [include_str!("keys/leaf-1.pem"), include_str!("keys/leaf-2.pem")];
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.4.11
const ORGANIZATIONAL_UNIT: &[u8] = &[0x55, 0x04, 0x0b];
/// 1.2.840.113549.1.1.11
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
