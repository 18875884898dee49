//! Errors of the HTTP library in words: at which step, with whom, and why.

use std::io::{self, ErrorKind};

use ::ureq::{Error, Proxy, Timeout};
use rustls::Error as TlsError;

use super::{
    SettingNames, Via,
    advice::{self, Place},
    connector::{Failed, Peer, Step},
    proxy,
    tls_words::{self, Refusal},
};
use crate::{Fault, Phase, TransportError};

/// The way of a request, for messages.
pub(crate) struct Route {
    /// Host and port.
    pub(crate) endpoint: String,
    /// Whether the endpoint is the same everywhere, so that no setting of it can be wrong.
    pub(crate) is_fixed: bool,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) names: SettingNames,
}

/// What happened. `begun` is the earliest step in which an unmarked error can have happened: in doubt the
/// request counts as sent.
pub(crate) fn explain(route: &Route, begun: Step, error: &Error) -> TransportError {
    let (step, peer, error) = match Failed::of(error) {
        Some(failed) => (failed.step, failed.peer, &failed.source),
        None => (begun, Some(Peer::Endpoint), error),
    };
    // behind a proxy only the proxy's own name is looked up here
    let unmarked = if route.proxy.is_some() { Peer::Proxy } else { Peer::Endpoint };
    let peer = peer.unwrap_or(unmarked);
    let fault = fault(step, error);
    let refusal = refusal(error);
    let detail = match &refusal {
        Some(refusal) => refusal.words.clone(),
        None => detail(error),
    };
    let place = Place { step, peer, error, fault, refusal: refusal.map(|it| it.kind) };
    let via = route.proxy.as_ref().map(|it| Via {
        proxy: format!("{} ({})", proxy::place(it), route.names.proxy),
        is_peer: peer == Peer::Proxy,
    });
    let cure = advice::cure(route, &place);
    TransportError::new(&route.endpoint, phase(step, error), fault, detail).with(via, cure)
}

fn phase(step: Step, error: &Error) -> Phase {
    match (step, error) {
        (Step::Lookup, _) | (_, Error::Timeout(Timeout::Resolve)) => Phase::Resolve,
        (Step::Tcp | Step::Tunnel | Step::Tls, _) | (_, Error::Timeout(Timeout::Connect)) => {
            Phase::Connect
        }
        (_, Error::TlsRequired) => Phase::Connect,
        (Step::Exchange, _) => Phase::Exchange,
        (Step::Body, _) => Phase::Body,
    }
}

fn fault(step: Step, error: &Error) -> Fault {
    use Error as E;
    match error {
        E::HostNotFound | E::ConnectionFailed => Fault::Unreachable,
        E::ConnectProxyFailed(_) | E::InvalidProxyUrl => Fault::Proxy,
        E::Timeout(_) => Fault::Timeout,
        E::Tls(_) | E::Rustls(_) | E::Pem(_) | E::TlsRequired => Fault::Tls,
        E::BodyExceedsLimit(_) | E::LargeResponseHeader(..) => Fault::TooLarge,
        E::Io(_) if step == Step::Lookup => Fault::Unreachable,
        E::Io(error) => io_fault(error),
        E::Protocol(_) if step == Step::Tunnel => Fault::Proxy,
        // ureq-proto reports a body that is shorter than announced this way
        E::Protocol(_) if step == Step::Body => Fault::Lost,
        _ => Fault::Malformed,
    }
}

fn io_fault(error: &io::Error) -> Fault {
    use ErrorKind as K;
    match error.kind() {
        K::ConnectionRefused | K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => {
            Fault::Unreachable
        }
        K::InvalidData => Fault::Tls,
        K::TimedOut | K::WouldBlock => Fault::Timeout,
        _ => Fault::Lost,
    }
}

/// What TLS refuses, if it is TLS that does.
fn refusal(error: &Error) -> Option<Refusal> {
    match error {
        Error::Rustls(error) => Some(tls_words::refusal(error)),
        Error::Io(error) => error.get_ref()?.downcast_ref::<TlsError>().map(tls_words::refusal),
        _ => None,
    }
}

fn detail(error: &Error) -> String {
    match error {
        // rustls adds a link to its manual
        Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => CLOSED.to_owned(),
        Error::Io(error) => error.to_string(),
        Error::ConnectProxyFailed(reason) => match proxy_status(reason) {
            Some(status) => format!("its answer is {status}"),
            None => CLOSED.to_owned(),
        },
        // the phase says it already
        Error::Timeout(_) | Error::HostNotFound => String::new(),
        error => error.to_string(),
    }
}

/// The status by which a proxy refuses to connect: the HTTP library has it in a text only.
pub(super) fn proxy_status(reason: &str) -> Option<u16> {
    reason.strip_prefix("proxy server responded ")?.split('/').next()?.parse().ok()
}

const CLOSED: &str = "closed by the other side";
