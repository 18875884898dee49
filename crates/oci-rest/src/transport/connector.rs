//! Opening connections, and telling at which step and at whom it failed.

use std::{
    fmt::{self, Debug, Display},
    io::{Read as _, Write as _},
    sync::Arc,
};

use ::ureq::{
    Error,
    http::Uri,
    unversioned::transport::{
        Buffers, ConnectProxyConnector, ConnectionDetails, Connector, LazyBuffers, NextTimeout,
        TcpConnector, Transport, TransportAdapter,
        time::{Duration, Instant},
    },
};
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};

use super::tls::Tls;

/// Opens TCP, the tunnel of a proxy, and TLS, one on the other.
#[derive(Debug)]
pub(crate) struct Steps {
    /// Whether endpoints are reached through a proxy.
    proxied: bool,
    tls: Tls,
    tunnel: ConnectProxyConnector,
    tcp: TcpConnector,
}

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Looking up a name.
    Lookup,
    /// Opening a connection.
    Tcp,
    /// Asking the proxy to connect.
    Tunnel,
    /// Agreeing on TLS.
    Tls,
    /// Sending the request and waiting for the head of the answer.
    Exchange,
    /// Reading the body of the answer.
    Body,
}

/// Whom it was done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Endpoint,
    Proxy,
}

/// An error of the HTTP library with the step and the peer that it belongs to.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) peer: Option<Peer>,
    pub(crate) step: Step,
    pub(crate) source: Error,
}

impl Failed {
    /// Marks an error, unless it is marked already; `peer` is `None` where the caller sees that.
    pub(crate) fn mark(peer: Option<Peer>, step: Step, source: Error) -> Error {
        match source {
            Error::Other(it) if it.is::<Self>() => Error::Other(it),
            source => Error::Other(Box::new(Self { peer, step, source })),
        }
    }

    /// The mark of an error, if it has one.
    pub(crate) fn of(error: &Error) -> Option<&Self> {
        match error {
            Error::Other(it) => it.downcast_ref(),
            _ => None,
        }
    }
}

impl Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.source, f)
    }
}

impl std::error::Error for Failed {}

impl Steps {
    pub(crate) fn new(tls: Tls, proxied: bool) -> Self {
        let (tunnel, tcp) = (ConnectProxyConnector::default(), TcpConnector::default());
        Self { proxied, tls, tunnel, tcp }
    }

    /// The tunnel opens the connection to the proxy itself by coming here again, without a proxy.
    fn peer(&self, details: &ConnectionDetails<'_>) -> Peer {
        let inner = self.proxied && details.config.proxy().is_none();
        if inner { Peer::Proxy } else { Peer::Endpoint }
    }

    fn base(
        &self,
        details: &ConnectionDetails<'_>,
        peer: Peer,
    ) -> Result<Option<Box<dyn Transport>>, Error> {
        let tunnel: Option<_> = Connector::<()>::connect(&self.tunnel, details, None)
            .map_err(|error| Failed::mark(Some(Peer::Proxy), Step::Tunnel, error))?;
        if let Some(tunnel) = tunnel {
            return Ok(Some(Box::new(tunnel)));
        }
        let tcp: Option<_> = Connector::<()>::connect(&self.tcp, details, None)
            .map_err(|error| Failed::mark(Some(peer), Step::Tcp, error))?;
        Ok(tcp.map(|tcp| Box::new(tcp) as Box<dyn Transport>))
    }

    fn tls(
        &self,
        details: &ConnectionDetails<'_>,
        peer: Peer,
        below: Box<dyn Transport>,
    ) -> Result<TlsTransport, Error> {
        let name = match &self.tls.server_name {
            Some(name) if peer == Peer::Endpoint => name.clone(),
            _ => server_name(details.uri).ok_or(Error::Tls(NO_NAME))?,
        };
        let session = ClientConnection::new(Arc::clone(&self.tls.config), name)?;
        let mut socket = TransportAdapter::new(below, Arc::clone(&details.current_time));
        socket.set_timeout(left(details));
        let mut stream = StreamOwned::new(session, socket);
        stream.conn.complete_io(&mut stream.sock)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(TlsTransport { buffers, stream })
    }
}

impl Connector<()> for Steps {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let peer = self.peer(details);
        let Some(mut way) = self.base(details, peer)? else { return Ok(None) };
        if details.needs_tls() {
            let tls = self.tls(details, peer, way);
            way = Box::new(tls.map_err(|error| Failed::mark(Some(peer), Step::Tls, error))?);
        }
        Ok(Some(if peer == Peer::Proxy {
            Box::new(ProxyTransport::new(way, details))
        } else {
            way
        }))
    }
}

/// The host of a URI as certificates have it: addresses in IPv6 without brackets.
fn server_name(uri: &Uri) -> Option<ServerName<'static>> {
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned()).ok()
}

/// What the steps before have left of the time for connecting.
fn left(details: &ConnectionDetails<'_>) -> NextTimeout {
    remaining(details.timeout, details.now, (details.current_time)())
}

/// What is left at `now` of a limit that began to run at `begun`.
fn remaining(mut timeout: NextTimeout, begun: Instant, now: Instant) -> NextTimeout {
    if let (Duration::Exact(limit), Instant::Exact(begun), Instant::Exact(now)) =
        (timeout.after, begun, now)
    {
        timeout.after = limit.saturating_sub(now.saturating_duration_since(begun)).into();
    }
    timeout
}

/// A connection to the proxy. The time for connecting covers the proxy's whole answer to CONNECT.
///
/// ureq gives the limit for connecting to each read of that answer anew, so that a proxy which sends a byte now and
/// then would hold the call. After CONNECT every read gets what is left of the request's time.
struct ProxyTransport {
    below: Box<dyn Transport>,
    connecting: NextTimeout,
    begun: Instant,
    now: Arc<dyn Fn() -> Instant + Send + Sync>,
}

impl ProxyTransport {
    fn new(below: Box<dyn Transport>, details: &ConnectionDetails<'_>) -> Self {
        let now = Arc::clone(&details.current_time);
        Self { below, connecting: details.timeout, begun: details.now, now }
    }
}

impl Debug for ProxyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyTransport")
    }
}

impl Transport for ProxyTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.below.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.below.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let connecting = timeout == self.connecting;
        let timeout =
            if connecting { remaining(timeout, self.begun, (self.now)()) } else { timeout };
        self.below.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.below.is_open()
    }

    fn is_tls(&self) -> bool {
        self.below.is_tls()
    }
}

/// A TLS session over whatever lies below.
struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let count = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

const NO_NAME: &str = "no certificate can be for such a host";
