//! Certificates for one run: an authority that clients are told to trust, and the server's, signed by it.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use crate::error::Error;

/// A fresh authority's certificate as PEM, and the server side of TLS for these names and addresses.
pub(crate) fn certificates(names: &[String]) -> Result<(String, Arc<ServerConfig>), Error> {
    let (authority, issuer) = authority().map_err(error)?;
    let key = KeyPair::generate().map_err(error)?;
    let mut params = CertificateParams::new(names).map_err(error)?;
    params.distinguished_name.push(DnType::CommonName, "oci-sim");
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer).map_err(error)?;
    let private_key = PrivateKeyDer::try_from(key.serialize_der()).map_err(error)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(error)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private_key)
        .map_err(error)?;
    Ok((authority, Arc::new(config)))
}

fn authority() -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "oci-sim authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), Issuer::new(params, key)))
}

fn error(error: impl std::fmt::Display) -> Error {
    Error::Certificate(error.to_string())
}
