//! What to do about an error of the network.

use std::io::ErrorKind;

use ::ureq::Error;

use super::{
    Route,
    connector::{Peer, Step},
    explain::proxy_status,
    tls_words::Kind,
};
use crate::Fault;

/// What failed.
pub(super) struct Place<'a> {
    pub(super) step: Step,
    pub(super) peer: Peer,
    pub(super) error: &'a Error,
    pub(super) fault: Fault,
    pub(super) refusal: Option<Kind>,
}

/// What to change, by the names of the settings; empty where nothing that is known here would help.
pub(super) fn cure(route: &Route, place: &Place<'_>) -> String {
    match place.peer {
        _ if route.is_fixed => String::new(),
        Peer::Proxy => of_proxy(route, place),
        Peer::Endpoint => of_endpoint(route, place),
    }
}

fn of_proxy(route: &Route, place: &Place<'_>) -> String {
    let names = &route.names;
    let (proxy, no_proxy) = (&names.proxy, &names.no_proxy);
    if let Error::ConnectProxyFailed(reason) = place.error {
        return of_status(route, proxy_status(reason));
    }
    match (place.step, place.fault) {
        (Step::Lookup, Fault::Unreachable) => format!(
            "correct {proxy} if there is no such host; hosts that are reached without a proxy belong into {no_proxy}"
        ),
        (Step::Tcp, Fault::Unreachable | Fault::Timeout) => format!(
            "correct {proxy}, or see that the proxy runs and that routes and firewalls let this machine reach it; \
             hosts that are reached without a proxy belong into {no_proxy}"
        ),
        (Step::Tunnel, Fault::Proxy) => format!("does {proxy} name an HTTP proxy?"),
        (_, Fault::Tls) => match place.refusal {
            Some(Kind::NoTls) => format!("begin {proxy} with http:// instead of https://"),
            kind => of_tls(route, kind, proxy),
        },
        _ => "see the proxy's own log".to_owned(),
    }
}

fn of_status(route: &Route, status: Option<u16>) -> String {
    let (proxy, no_proxy) = (&route.names.proxy, &route.names.no_proxy);
    let host = route.endpoint.as_str();
    match status {
        Some(407) if is_named(route) => {
            format!("correct user and password in {proxy}")
        }
        Some(407) => {
            format!("it wants user and password: {proxy} is then http://user:password@host:port")
        }
        Some(401 | 403 | 405) => format!(
            "have {host} allowed in the proxy's rules, or name it in {no_proxy} if it is reached without a proxy"
        ),
        Some(500..) => format!(
            "the proxy itself cannot reach {host}: see its log; correct {} if there is no such host",
            route.names.endpoint
        ),
        _ => format!("does {proxy} name an HTTP proxy?"),
    }
}

fn is_named(route: &Route) -> bool {
    route.proxy.as_ref().is_some_and(|it| it.username().is_some() || it.password().is_some())
}

fn of_endpoint(route: &Route, place: &Place<'_>) -> String {
    let (endpoint, proxy) = (&route.names.endpoint, &route.names.proxy);
    let is_proxied = route.proxy.is_some();
    match (place.step, place.fault) {
        (Step::Lookup, Fault::Unreachable) => format!(
            "correct {endpoint} if there is no such host, else this machine's name servers; \
             set {proxy} where only a proxy leads there"
        ),
        (Step::Tcp, Fault::Unreachable) if is_refused(place.error) => format!(
            "nothing listens there: correct {endpoint}, or set {proxy} where only a proxy leads there"
        ),
        (Step::Tcp, Fault::Unreachable | Fault::Timeout) | (Step::Lookup, Fault::Timeout) => format!(
            "routes, security lists and firewalls have to let this machine reach it; set {proxy} where only a proxy \
             leads there"
        ),
        (_, Fault::Tls) => of_tls(route, place.refusal, endpoint),
        (Step::Tls, Fault::Lost) if is_proxied => {
            format!("see the log of the proxy; does {endpoint} name a port with TLS?")
        }
        (Step::Tls, Fault::Lost) => {
            format!("does {endpoint} name a port with TLS? a firewall may also end such connections")
        }
        (Step::Tls | Step::Exchange | Step::Body, Fault::Timeout) => {
            "it was reached and is too slow, or something between drops what is sent; the next call tries again"
                .to_owned()
        }
        _ => String::new(),
    }
}

fn is_refused(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused)
}

/// `place` is the setting that leads to the server.
fn of_tls(route: &Route, kind: Option<Kind>, place: &str) -> String {
    let names = &route.names;
    match kind {
        Some(Kind::Authority) => format!(
            "give the certificate of its authority in {}; where a firewall or proxy opens TLS in between, that is the \
             firewall's authority",
            names.root_certs
        ),
        Some(Kind::Name) => {
            let or = names.server_name.as_ref().map(|it| format!(", or give it in {it}"));
            format!("use a name of the certificate in {place}{}", or.unwrap_or_default())
        }
        Some(Kind::Time) => {
            "set this machine's clock if it is wrong, else the certificate has to be renewed"
                .to_owned()
        }
        Some(Kind::Certificate) => "its server needs another certificate".to_owned(),
        Some(Kind::Client) => format!("correct {}", names.client_cert),
        Some(Kind::NoTls) => format!("correct scheme and port in {place}"),
        Some(Kind::Session) | None => String::new(),
    }
}
