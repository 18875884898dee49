//! The transport of real life: HTTPS by ureq and rustls, connections kept open between requests.

use std::time::Duration;

use ::ureq::{
    Agent, AsSendBody, Body, Proxy,
    http::{Method, Request, Response, Uri},
};

use crate::{
    Direct, Error, Fault, Network, Phase, Proxied, Transport, TransportError,
    addresses::Addresses,
    transport::{Names, Route, Step, Steps, Tls, explain, has_host, parse_proxy},
};

/// Sends by ureq: no redirects, no compression, nothing from the environment.
///
/// Connections are kept open for as long as the value lives, and a host is looked up once, until a request
/// fails. Local hosts, hosts that [`Network::no_proxy`] covers and requests marked [`Direct`] do not go through
/// the proxy, unless they are marked [`Proxied`].
#[derive(Debug)]
pub struct UreqTransport {
    network: Network,
    addresses: Addresses,
    direct: Agent,
    proxied: Option<(Agent, Proxy)>,
}

impl UreqTransport {
    /// A transport for `network`; nothing is opened yet.
    ///
    /// # Errors
    /// The proxy is no URL of an HTTP proxy, the root certificates are no PEM certificates, or the server's
    /// name is none.
    pub fn new(network: &Network) -> Result<Self, Error> {
        let tls = Tls::new(network)?;
        let proxy = network.proxy.as_deref().map(|url| parse_proxy(url, &network.names.proxy));
        let addresses = Addresses::new(Names);
        let proxied =
            proxy.transpose()?.map(|proxy| (agent(&tls, Some(proxy.clone()), &addresses), proxy));
        Ok(Self {
            direct: agent(&tls, None, &addresses),
            proxied,
            addresses,
            network: network.clone(),
        })
    }

    /// The agent for a request, and the proxy if it is through one.
    fn agent(&self, request: &Request<Vec<u8>>) -> (&Agent, Option<&Proxy>) {
        let marks = request.extensions();
        let proxied = marks.get::<Proxied>().is_some()
            || (marks.get::<Direct>().is_none() && self.network.proxy_for(request.uri()).is_some());
        match &self.proxied {
            Some((agent, proxy)) if proxied => (agent, Some(proxy)),
            _ => (&self.direct, None),
        }
    }
}

impl Transport for UreqTransport {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        limit: Duration,
    ) -> Result<Response<Vec<u8>>, TransportError> {
        if !has_host(request.uri()) {
            let (phase, fault) = (Phase::Connect, Fault::Malformed);
            return Err(TransportError::new(&endpoint(request.uri()), phase, fault, NO_HOST));
        }
        let (agent, proxy) = self.agent(&request);
        let route = Route {
            endpoint: endpoint(request.uri()),
            is_fixed: request.extensions().get::<Direct>().is_some(),
            proxy: proxy.cloned(),
            names: self.network.names.clone(),
        };
        let answer = match *request.method() {
            // a body, even an empty one, would give the request a content-length
            Method::GET | Method::HEAD | Method::DELETE => run(agent, request.map(drop), limit),
            _ => run(agent, request, limit),
        };
        let failed = |step, error: &_| {
            self.addresses.forget();
            explain(&route, step, error)
        };
        let answer = answer.map_err(|error| failed(Step::Exchange, &error))?;
        let (parts, mut body) = answer.into_parts();
        let body = body.with_config().limit(BODY_LIMIT).read_to_vec();
        let body = body.map_err(|error| failed(Step::Body, &error))?;
        Ok(Response::from_parts(parts, body))
    }
}

/// Host and port, as shown in messages.
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

fn agent(tls: &Tls, proxy: Option<Proxy>, addresses: &Addresses) -> Agent {
    let steps = Steps::new(tls.clone(), proxy.is_some());
    let config = Agent::config_builder()
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("oci-rest/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .accept_encoding("")
        .build();
    Agent::with_parts(config, steps, addresses.clone())
}

const NO_HOST: &str = "the URL has no host, or a port that is not 1 to 65535";
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
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let addresses = Addresses::new(Moves::from(vec![here, closed]));
        let transport = UreqTransport {
            network: Network::default(),
            direct: agent(&Tls::new(&Network::default()).unwrap(), None, &addresses),
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
