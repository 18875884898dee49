//! Asking the API server.

use std::{
    fmt::{self, Debug},
    path::Path,
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Uri, header};
use oci_rest::{ClientCert, Network, Proxied, Transport, UreqTransport, has_host};
use serde::Deserialize;

use crate::{
    Error, KubeNode,
    error::wrong,
    kubeconfig::{ClientPair, Kubeconfig, Trust},
    node,
};

/// Asks one API server, as one user.
pub struct KubeClient {
    transport: UreqTransport,
    /// Whether the kubeconfig has a proxy of its own: it is then used for any host.
    is_proxied: bool,
    server: String,
    headers: HeaderMap,
    limit: Duration,
}

impl KubeClient {
    /// A client for the current context of the kubeconfig at `path`. It reads files and opens no
    /// connection. Of `network`, the proxy and the exceptions from it are used, unless the kubeconfig has
    /// `proxy-url`, and their names.
    ///
    /// # Errors
    /// The file, or one it names, cannot be read or used; the text names the field and the cure and
    /// quotes no value of a credential.
    pub fn from_kubeconfig(path: &Path, network: &Network) -> Result<Self, Error> {
        Self::new(Kubeconfig::read(path)?, path, network)
    }

    /// `path` is where `config` comes from, for messages.
    fn new(config: Kubeconfig, path: &Path, network: &Network) -> Result<Self, Error> {
        let Kubeconfig { server, trust, headers, client, proxy_url, .. } = config;
        let uri: Uri = server.parse().map_err(|_| wrong(path, NO_SERVER))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) || !has_host(&uri) {
            return Err(wrong(path, NO_SERVER));
        }
        let mut network = Network { root_certs: None, ..network.clone() };
        network.names.endpoint = format!("server{OF_KUBECONFIG}");
        network.names.root_certs = format!("certificate-authority{OF_KUBECONFIG}");
        network.names.client_cert = format!("client-certificate{OF_KUBECONFIG}");
        network.names.server_name = Some(format!("tls-server-name{OF_KUBECONFIG}"));
        network.server_name = config.server_name;
        match trust {
            Trust::Roots => {}
            Trust::Insecure => network.insecure = true,
            Trust::Authority { pem, field } => {
                network.names.root_certs = format!("{field}{OF_KUBECONFIG}");
                network.root_certs = Some(pem.to_vec());
            }
        }
        network.client_cert = client.as_ref().map(|pair| client_cert(pair, path)).transpose()?;
        let is_proxied = proxy_url.is_some();
        if is_proxied {
            network.names.proxy = format!("proxy-url{OF_KUBECONFIG}");
            network.proxy = proxy_url;
        }
        let transport = UreqTransport::new(&network).map_err(|error| {
            let problem = error.to_string();
            match problem.split_once(OF_KUBECONFIG) {
                Some((field, problem)) => wrong(path, format!("{field}{problem}")),
                None => Error::Network { server: host(&server), problem },
            }
        })?;
        Ok(Self { transport, is_proxied, server, headers, limit: LIMIT })
    }

    /// A client for the cluster in which this process runs as a pod: `server` is its API, such as
    /// `https://10.96.0.1:443`, and `account` the folder of the pod's service account, with `token` and
    /// `ca.crt`. It opens no connection.
    ///
    /// Source: Kubernetes, "Accessing the Kubernetes API from a Pod".
    ///
    /// # Errors
    /// The files cannot be read or used, or the address is none.
    pub fn in_cluster(server: &str, account: &Path, network: &Network) -> Result<Self, Error> {
        let config = Kubeconfig::of_service_account(server, account)?;
        Self::new(config, account, network)
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
        let (server, node) = (host(&self.server), name.to_owned());
        let request = self.request(name).ok_or_else(|| Error::Network {
            server: server.clone(),
            problem: NO_SERVER.to_owned(),
        })?;
        let answer = self.transport.send(request, self.limit).map_err(|error| {
            let problem = error.problem();
            Error::Unreachable { server: server.clone(), node: node.clone(), problem }
        })?;
        let (status, body) = (answer.status().as_u16(), answer.into_body());
        log::debug!("GET node {name} of {server}: {status}");
        match (status, node::parse(&body, name)) {
            (200, Ok(node)) => Ok(Some(node)),
            (404, _) if is_status(&body) => Ok(None),
            (401 | 403, _) => Err(Error::Refused { server, node, status }),
            (200, Err(problem)) => {
                Err(Error::Answer { server, node, status, problem: problem.to_owned() })
            }
            _ => Err(Error::Answer { server, node, status, problem: excerpt(&body) }),
        }
    }

    fn request(&self, node: &str) -> Option<Request<Vec<u8>>> {
        let url = format!("{}/api/v1/nodes/{}", self.server, encode(node));
        let mut request = Request::get(url).body(Vec::new()).ok()?;
        request.headers_mut().extend(self.headers.clone());
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if self.is_proxied {
            request.extensions_mut().insert(Proxied);
        }
        Some(request)
    }
}

impl Debug for KubeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeClient").field("server", &host(&self.server)).finish_non_exhaustive()
    }
}

fn client_cert(pair: &ClientPair, path: &Path) -> Result<ClientCert, Error> {
    ClientCert::from_pem(&pair.chain, &pair.key).map_err(|error| {
        let field = if error.is_of_key() { pair.key_field } else { pair.chain_field };
        wrong(path, format!("{field} {error}"))
    })
}

/// Kubernetes says why in a Status; a 404 of another server says nothing about nodes.
fn is_status(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Status {
        kind: String,
    }
    serde_json::from_slice(body).is_ok_and(|status: Status| status.kind == "Status")
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
const OF_KUBECONFIG: &str = " of the kubeconfig";
const USER_AGENT: &str = concat!("kube-node/", env!("CARGO_PKG_VERSION"));
const LIMIT: Duration = Duration::from_secs(10);
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
