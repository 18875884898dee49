//! The transport of real life: HTTPS by ureq and rustls, connections kept open between requests.

use std::{io, time::Duration};

use ::ureq::{
    Agent, AsSendBody, Body, Proxy, Timeout,
    http::{Method, Request, Response, Uri},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
    unversioned::{resolver::DefaultResolver, transport::DefaultConnector},
};

use crate::{
    Direct, Error, Fault, Network, Phase, Transport, TransportError, addresses::Addresses,
};

/// Sends by ureq: no redirects, no compression, nothing from the environment.
///
/// Connections are kept open for as long as the value lives, and a host is looked up once, until a request
/// fails. Local hosts, hosts that [`Network::no_proxy`] covers and requests marked [`Direct`] do not go through
/// the proxy.
#[derive(Debug)]
pub struct UreqTransport {
    network: Network,
    addresses: Addresses,
    direct: Agent,
    proxied: Option<Agent>,
}

impl UreqTransport {
    /// A transport for `network`; nothing is opened yet.
    ///
    /// # Errors
    /// The proxy is no URL, or the root certificates are no PEM certificates.
    pub fn new(network: &Network) -> Result<Self, Error> {
        let tls = tls(network.root_certs.as_deref())?;
        let proxy = network.proxy.as_deref().map(proxy).transpose()?;
        let addresses = Addresses::new(DefaultResolver::default());
        Ok(Self {
            direct: agent(&tls, None, &addresses),
            proxied: proxy.map(|proxy| agent(&tls, Some(proxy), &addresses)),
            addresses,
            network: network.clone(),
        })
    }

    fn agent(&self, request: &Request<Vec<u8>>) -> &Agent {
        let direct = request.extensions().get::<Direct>().is_some()
            || self.network.proxy_for(request.uri()).is_none();
        self.proxied.as_ref().filter(|_| !direct).unwrap_or(&self.direct)
    }
}

impl Transport for UreqTransport {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        limit: Duration,
    ) -> Result<Response<Vec<u8>>, TransportError> {
        let endpoint = endpoint(request.uri());
        let agent = self.agent(&request);
        let answer = match *request.method() {
            // a body, even an empty one, would give the request a content-length
            Method::GET | Method::HEAD | Method::DELETE => run(agent, request.map(drop), limit),
            _ => run(agent, request, limit),
        };
        let failed = |phase, error: &_| {
            self.addresses.forget();
            explain(&endpoint, phase, error)
        };
        let answer = answer.map_err(|error| failed(Phase::Exchange, &error))?;
        let (parts, mut body) = answer.into_parts();
        let body = body.with_config().limit(BODY_LIMIT).read_to_vec();
        let body = body.map_err(|error| failed(Phase::Body, &error))?;
        Ok(Response::from_parts(parts, body))
    }
}

/// Host and port, as shown to people.
pub(crate) fn endpoint(uri: &Uri) -> String {
    let host = uri.host().unwrap_or("(no host)");
    uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn run<B: AsSendBody>(
    agent: &Agent,
    request: Request<B>,
    limit: Duration,
) -> Result<Response<Body>, ::ureq::Error> {
    let connect = Some(limit.min(CONNECT_LIMIT));
    let request = agent
        .configure_request(request)
        .timeout_global(Some(limit))
        .timeout_resolve(connect)
        .timeout_connect(connect)
        .build();
    agent.run(request)
}

fn agent(tls: &TlsConfig, proxy: Option<Proxy>, addresses: &Addresses) -> Agent {
    let config = Agent::config_builder()
        .tls_config(tls.clone())
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("oci-rest/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .accept_encoding("")
        .build();
    Agent::with_parts(config, DefaultConnector::default(), addresses.clone())
}

fn proxy(url: &str) -> Result<Proxy, Error> {
    // the text may hold a password: it is not repeated
    Proxy::new(url).map_err(|_| Error::Proxy)
}

fn tls(root_certs: Option<&[u8]>) -> Result<TlsConfig, Error> {
    let Some(pem) = root_certs else { return Ok(TlsConfig::default()) };
    let certs: Vec<Certificate<'static>> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(cert)) => Some(Ok(cert)),
            Ok(_) => None,
            Err(_) => Some(Err(Error::RootCerts)),
        })
        .collect::<Result<_, _>>()?;
    if certs.is_empty() {
        return Err(Error::RootCerts);
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certs)).build())
}

/// `phase` is the earliest in which an error without a phase of its own can have happened, unless
/// it is one of those that only connecting knows. In doubt the request counts as sent.
fn explain(endpoint: &str, phase: Phase, error: &::ureq::Error) -> TransportError {
    use ::ureq::Error as E;
    let (phase, fault) = match error {
        E::HostNotFound => (Phase::Resolve, Fault::Unreachable),
        E::ConnectionFailed => (Phase::Connect, Fault::Unreachable),
        E::ConnectProxyFailed(_) | E::InvalidProxyUrl => (Phase::Connect, Fault::Proxy),
        E::Timeout(Timeout::Resolve) => (Phase::Resolve, Fault::Timeout),
        E::Timeout(Timeout::Connect) => (Phase::Connect, Fault::Timeout),
        E::Timeout(_) => (phase, Fault::Timeout),
        E::Tls(_) | E::Rustls(_) | E::Pem(_) | E::TlsRequired => (Phase::Connect, Fault::Tls),
        E::BodyExceedsLimit(_) | E::LargeResponseHeader(..) => (phase, Fault::TooLarge),
        E::Io(error) => explain_io(phase, error),
        // ureq-proto reports a body that is shorter than announced this way
        E::Protocol(_) if phase == Phase::Body => (phase, Fault::Lost),
        _ => (phase, Fault::Malformed),
    };
    TransportError::new(endpoint, phase, fault, detail(error))
}

fn explain_io(phase: Phase, error: &io::Error) -> (Phase, Fault) {
    use io::ErrorKind as K;
    match error.kind() {
        K::ConnectionRefused | K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => {
            (Phase::Connect, Fault::Unreachable)
        }
        // rustls wraps its errors so; only the certificate is looked at before the request is sent
        K::InvalidData => {
            let certificate = error.to_string().starts_with("invalid peer certificate");
            (if certificate { Phase::Connect } else { phase }, Fault::Tls)
        }
        K::TimedOut | K::WouldBlock => (phase, Fault::Timeout),
        // std reports a failed look-up without code or kind
        _ if phase == Phase::Exchange && is_lookup(error) => (Phase::Resolve, Fault::Unreachable),
        _ => (phase, Fault::Lost),
    }
}

fn is_lookup(error: &io::Error) -> bool {
    error.raw_os_error().is_none() && error.to_string().starts_with("failed to lookup address")
}

fn detail(error: &::ureq::Error) -> String {
    match error {
        // rustls adds a link to its manual
        ::ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "closed by the other side".to_owned()
        }
        ::ureq::Error::Io(error) => error.to_string(),
        ::ureq::Error::ConnectProxyFailed(reason) => reason.clone(),
        // the phase says it already
        ::ureq::Error::Timeout(_) | ::ureq::Error::HostNotFound => String::new(),
        error => error.to_string(),
    }
}

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const BODY_LIMIT: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addresses::tests::Moves;
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    #[test]
    fn a_host_that_has_moved_is_found_by_the_next_request() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = server.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let addresses = Addresses::new(Moves::from(vec![here, nobody]));
        let transport = UreqTransport {
            network: Network::default(),
            direct: agent(&TlsConfig::default(), None, &addresses),
            proxied: None,
            addresses,
        };
        let send = || {
            let request = Request::get("http://moves.example/").body(Vec::new()).unwrap();
            transport.send(request, Duration::from_secs(20))
        };
        assert_eq!(send().unwrap_err().phase(), Phase::Connect);
        assert_eq!(send().unwrap().status(), 200);
    }
}
