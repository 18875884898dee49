//! How TLS sessions are made: made and checked here, because the HTTP library panics on what it cannot use.

use std::sync::Arc;

use rustls::{
    ClientConfig,
    client::danger::ServerCertVerifier,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    sign::SingleCertAndKey,
};

use super::verifier::{Anyone, Verifier};
use crate::{Error, Network};

/// What is offered to servers, and what is wanted of them.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    /// The name that an endpoint's certificate has to be for, if not the URL's.
    pub(crate) server_name: Option<ServerName<'static>>,
}

impl Tls {
    pub(crate) fn new(network: &Network) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let no_roots = || Error::RootCerts { setting: network.names.root_certs.clone() };
        let verifier: Arc<dyn ServerCertVerifier> = match &network.root_certs {
            _ if network.insecure => Arc::new(Anyone(Arc::clone(&provider))),
            None => Arc::new(Verifier::compiled_in(&provider).ok_or_else(no_roots)?),
            Some(pem) => {
                let trusted = certificates(pem).ok_or_else(no_roots)?;
                Arc::new(Verifier::of(trusted, &provider).ok_or_else(no_roots)?)
            }
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| no_roots())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &network.client_cert {
            Some(cert) => {
                let pair = SingleCertAndKey::from(Arc::clone(&cert.0));
                builder.with_client_cert_resolver(Arc::new(pair))
            }
            None => builder.with_no_client_auth(),
        };
        let server_name = network.server_name.as_ref().map(|name| {
            ServerName::try_from(name.clone()).map_err(|_| Error::ServerName {
                setting: network
                    .names
                    .server_name
                    .clone()
                    .unwrap_or_else(|| "the server's name".to_owned()),
            })
        });
        Ok(Self { config: Arc::new(config), server_name: server_name.transpose()? })
    }
}

/// All certificates of a PEM text; none if one is damaged.
///
/// Byte order marks, which may stand before each file of a bundle, would hide the line that follows.
pub(crate) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let mut text = Vec::with_capacity(pem.len());
    for line in pem.split_inclusive(|byte| *byte == b'\n') {
        text.extend_from_slice(line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line));
    }
    CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().ok()
}
