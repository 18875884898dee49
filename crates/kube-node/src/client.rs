//! Asking the API server.

use std::{
    fmt::{self, Debug},
    io::ErrorKind,
    path::Path,
    time::Duration,
};

use http::{HeaderValue, Uri, header};
use serde::Deserialize;
use ureq::{
    Agent, Proxy,
    tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem},
};

use crate::{
    Error, KubeNode,
    kubeconfig::{Identity, Kubeconfig, Trust, wrong},
    node,
};

/// The URL of the HTTP or HTTPS proxy through which a server is reached, user and password included; `None` if
/// it is reached without one. `proxy-url` of the kubeconfig goes first.
pub type ProxyFor<'a> = &'a dyn Fn(&Uri) -> Option<String>;

/// Asks one API server, as one user.
pub struct KubeClient {
    agent: Agent,
    server: String,
    authorization: Option<HeaderValue>,
    limit: Duration,
}

impl KubeClient {
    /// A client for the current context of the kubeconfig at `path`. It reads files and opens no
    /// connection.
    ///
    /// # Errors
    /// The file, or one it names, cannot be read or used; the text names the field and the cure and
    /// quotes no value of a credential.
    pub fn from_kubeconfig(path: &Path, proxy_for: ProxyFor<'_>) -> Result<Self, Error> {
        Self::new(Kubeconfig::read(path)?, path, proxy_for)
    }

    /// `path` is where `config` comes from, for messages.
    fn new(config: Kubeconfig, path: &Path, proxy_for: ProxyFor<'_>) -> Result<Self, Error> {
        let uri: Uri = config.server.parse().map_err(|_| wrong(path, NO_SERVER))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) || uri.host().is_none() {
            return Err(wrong(path, NO_SERVER));
        }
        let authorization = config.identity.authorization.as_ref().map(|text| {
            let mut value = HeaderValue::from_str(text).map_err(|_| wrong(path, NO_HEADER))?;
            value.set_sensitive(true);
            Ok(value)
        });
        let tls = tls(&config.trust, &config.identity).map_err(|it| wrong(path, it))?;
        let proxy = proxy(&config, proxy_for, &uri).map_err(|it| wrong(path, it))?;
        Ok(Self {
            agent: agent(tls, proxy),
            authorization: authorization.transpose()?,
            server: config.server,
            limit: LIMIT,
        })
    }

    /// A client for the cluster in which this process runs as a pod: `server` is its API, such as
    /// `https://10.96.0.1:443`, and `account` the folder of the pod's service account, with `token` and
    /// `ca.crt`. It opens no connection.
    ///
    /// Source: Kubernetes, "Accessing the Kubernetes API from a Pod".
    ///
    /// # Errors
    /// The files cannot be read or used, or the address is none.
    pub fn in_cluster(
        server: &str,
        account: &Path,
        proxy_for: ProxyFor<'_>,
    ) -> Result<Self, Error> {
        let config = Kubeconfig::of_service_account(server, account)?;
        Self::new(config, account, proxy_for)
    }

    /// The same client with less time per question than the 10 s it takes by itself.
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit: limit.min(LIMIT), ..self }
    }

    /// What the API server knows of the node `name`; `None` if there is no such node.
    ///
    /// May be repeated. Takes at most 10 s, or the [limit](Self::with_limit).
    ///
    /// # Errors
    /// There was no answer, the user may not read nodes, or the answer is no node.
    pub fn node(&self, name: &str) -> Result<Option<KubeNode>, Error> {
        let url = format!("{}/api/v1/nodes/{}", self.server, encode(name));
        let mut request = self.agent.get(url).config().timeout_global(Some(self.limit)).build();
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let answer = request.call().and_then(|mut answer| {
            let body = answer.body_mut().with_config().limit(BODY_LIMIT).read_to_vec()?;
            Ok((answer.status().as_u16(), body))
        });
        let (server, node) = (host(&self.server), name.to_owned());
        let (status, body) = answer.map_err(|error| {
            let problem = problem(&error);
            Error::Unreachable { server: server.clone(), node: node.clone(), problem }
        })?;
        log::debug!("GET node {name} of {server}: {status}");
        match (status, node::parse(&body)) {
            (200, Some(node)) => Ok(Some(node)),
            (404, _) if is_status(&body) => Ok(None),
            (401 | 403, _) => Err(Error::Refused { server, node, status }),
            (200, None) => {
                let problem = "this is not a Node of Kubernetes".to_owned();
                Err(Error::Answer { server, node, status, problem })
            }
            _ => Err(Error::Answer { server, node, status, problem: excerpt(&body) }),
        }
    }
}

impl Debug for KubeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeClient").field("server", &host(&self.server)).finish_non_exhaustive()
    }
}

fn agent(tls: TlsConfig, proxy: Option<Proxy>) -> Agent {
    Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("kube-node/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .accept_encoding("")
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_resolve(Some(CONNECT_LIMIT))
        .build()
        .new_agent()
}

fn proxy(
    config: &Kubeconfig,
    proxy_for: ProxyFor<'_>,
    server: &Uri,
) -> Result<Option<Proxy>, String> {
    let own = config.proxy_url.clone().filter(|url| !url.is_empty());
    let Some(url) = own.or_else(|| proxy_for(server)) else { return Ok(None) };
    // the text may hold a password: it is not repeated
    Proxy::new(&url).map(Some).map_err(|_| {
        "the proxy for the API server is not a URL such as http://proxy.example.com:3128".to_owned()
    })
}

fn tls(trust: &Trust, identity: &Identity) -> Result<TlsConfig, String> {
    let mut tls = TlsConfig::builder();
    tls = match trust {
        Trust::Roots => tls,
        Trust::Insecure => tls.disable_verification(true),
        Trust::Authority(pem) => {
            tls.root_certs(RootCerts::new_with_certs(&certificates(pem, "certificate-authority")?))
        }
    };
    if let Some(pair) = &identity.certificate {
        let chain = certificates(&pair.chain, "client-certificate")?;
        let key = PrivateKey::from_pem(&pair.key)
            .map_err(|_| "client-key holds no unencrypted PEM key".to_owned())?;
        tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(tls.build())
}

fn certificates(pem: &[u8], field: &str) -> Result<Vec<Certificate<'static>>, String> {
    let certificates: Vec<_> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("{field} holds no PEM certificate"));
    }
    Ok(certificates)
}

/// Kubernetes says why in a Status; a 404 of anybody else says nothing about nodes.
fn is_status(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Status {
        kind: String,
    }
    serde_json::from_slice(body).is_ok_and(|status: Status| status.kind == "Status")
}

fn problem(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            "the connection was closed before the end of the answer".to_owned()
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        error => error.to_string(),
    }
}

/// The beginning of a foreign text, without control characters.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim().chars().take(EXCERPT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn host(server: &str) -> String {
    let authority = server.split("://").nth(1).unwrap_or(server).split('/').next();
    authority.unwrap_or_default().rsplit('@').next().unwrap_or_default().to_owned()
}

/// Percent-encoding of everything that is not unreserved in RFC 3986.
fn encode(segment: &str) -> String {
    segment.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

const NO_SERVER: &str = "server is not a URL such as https://10.0.0.1:6443";
const NO_HEADER: &str = "the token holds characters that no token has";
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(10);
const BODY_LIMIT: u64 = 16 * 1024 * 1024;
const EXCERPT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_are_one_path_segment() {
        assert_eq!(encode("worker-1.example_~"), "worker-1.example_~");
        assert_eq!(encode("../secrets?x=ä"), "..%2Fsecrets%3Fx%3D%C3%A4");
    }

    #[test]
    fn only_host_and_port_are_shown() {
        assert_eq!(host("https://user:pass@10.0.0.1:6443/k8s/c-1"), "10.0.0.1:6443");
    }
}
