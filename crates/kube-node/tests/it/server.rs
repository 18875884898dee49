//! An API server on loopback, over TLS, that answers what a test says.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, ServerConnection,
    SignatureScheme, StreamOwned,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

/// A certificate authority made for one test.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

pub(crate) struct Server {
    pub(crate) port: u16,
    /// Heads of the requests, in order.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key, both PEM, for `name`.
    pub(crate) fn pair(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A certificate, in PEM, for the owner of `key`.
    pub(crate) fn certificate(&self, key: &KeyPair) -> String {
        CertificateParams::default().signed_by(key, &self.issuer).unwrap().pem()
    }

    /// A server for 127.0.0.1. It wants certificates of `clients`, if given, and sends what
    /// `answer` makes of a request; `None` keeps the client waiting.
    pub(crate) fn serve(
        &self,
        clients: Option<&Authority>,
        answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Server {
        let verifier = clients.map(|authority| {
            let mut roots = RootCertStore::empty();
            roots.add(PemObject::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap()
        });
        serve(self.config("127.0.0.1", verifier), answer)
    }

    /// The same for a host called `name`.
    pub(crate) fn serve_as(
        &self,
        name: &str,
        answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Server {
        serve(self.config(name, None), answer)
    }

    /// The same for 127.0.0.1, with any client that shows a certificate, as the API server of Kubernetes reads them.
    pub(crate) fn serve_any_client(
        &self,
        answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Server {
        serve(self.config("127.0.0.1", Some(Arc::new(AnyClient))), answer)
    }

    fn config(&self, name: &str, clients: Option<Arc<dyn ClientCertVerifier>>) -> ServerConfig {
        let (certificate, key) = self.pair(name);
        let chain = vec![PemObject::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let builder = match clients {
            None => ServerConfig::builder().with_no_client_auth(),
            Some(verifier) => ServerConfig::builder().with_client_cert_verifier(verifier),
        };
        builder.with_single_cert(chain, key).unwrap()
    }
}

fn serve(
    config: ServerConfig,
    answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (log, config) = (Arc::clone(&requests), Arc::new(config));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let head = read_head(&mut stream);
            if head.is_empty() {
                continue;
            }
            let answer = answer(&head);
            log.lock().unwrap().push(head);
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                None => drop(read_head(&mut stream)),
            }
        }
    });
    Server { port, requests }
}

/// Wants a certificate and takes any, of any version: rustls' own refuses those of version 1, and Go does not.
#[derive(Debug)]
struct AnyClient;

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = rustls::crypto::ring::default_provider();
        provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The head of one request; empty when there is no TLS session or the client has gone.
fn read_head(stream: &mut impl Read) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// A complete answer.
pub(crate) fn answer(status: u16, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}
