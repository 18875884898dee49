//! Sending one request and getting one answer: the seam to the network.

mod advice;
mod connector;
mod explain;
mod identity;
mod names;
mod proxy;
mod setting_names;
mod tls;
mod tls_words;
mod verifier;

use std::{
    fmt::{self, Debug, Display},
    time::Duration,
};

use http::StatusCode;

pub(crate) use connector::{Failed, Step, Steps};
pub(crate) use explain::{Route, explain};
pub use identity::{ClientCert, ClientCertError};
pub(crate) use names::Names;
pub use proxy::has_host;
pub(crate) use proxy::parse as parse_proxy;
pub use setting_names::SettingNames;
pub(crate) use tls::Tls;

/// Sends requests, one at a time, as they are: it adds no retries and follows no redirects.
pub trait Transport: Debug + Send + Sync {
    /// Sends `request` and reads the whole answer, both within `limit`.
    ///
    /// Every status is an answer, not an error. The bytes of URI, headers and body are sent as they
    /// are given, because they may be signed. A request with the extension [`Direct`] is never sent
    /// through a proxy.
    ///
    /// # Errors
    /// No complete answer arrived; [`TransportError::was_sent`] tells whether the server may have
    /// seen the request.
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        limit: Duration,
    ) -> Result<http::Response<Vec<u8>>, TransportError>;
}

/// Request extension: straight to the host, whatever proxy is configured.
#[derive(Clone, Copy, Debug)]
pub struct Direct;

/// Request extension: through the configured proxy, even if the host is local or among
/// [`Network::no_proxy`](crate::Network::no_proxy).
#[derive(Clone, Copy, Debug)]
pub struct Proxied;

/// Whether the server has done what was asked and the body is all of its answer.
///
/// OCI answers 200 or 204. What has 203, 205 or 206 comes from something in between, and of a list a part may be missing.
pub(crate) fn is_whole(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 201 | 202 | 204)
}

/// Why no complete answer arrived: who failed to do what, through which proxy, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{endpoint}: {}", self.problem())]
pub struct TransportError {
    endpoint: String,
    phase: Phase,
    fault: Fault,
    detail: String,
    advice: Option<Box<Advice>>,
}

/// Where a request was to go through, and what to do.
#[derive(Debug)]
struct Advice {
    via: Option<Via>,
    cure: String,
}

/// The proxy that the request was to go through.
#[derive(Debug)]
pub(crate) struct Via {
    /// Host and port, and what set it: `10.0.0.9:3128 (HTTPS_PROXY)`.
    pub(crate) proxy: String,
    /// Whether it is the proxy that failed, and not what lies behind it.
    pub(crate) is_peer: bool,
}

/// How far the exchange had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Looking up the address of the endpoint (or of the proxy).
    Resolve,
    /// Opening the connection, through the proxy if there is one, up to a working TLS session.
    Connect,
    /// Sending the request and waiting for the head of the answer.
    Exchange,
    /// Reading the body of the answer.
    Body,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The name has no address, or nothing listens there.
    Unreachable,
    /// The proxy refused to open a tunnel.
    Proxy,
    /// No TLS session that can be trusted, or it broke.
    Tls,
    /// The time limit passed.
    Timeout,
    /// The connection was reset or closed, or the body ended before its announced length.
    Lost,
    /// The answer is larger than this program reads.
    TooLarge,
    /// The answer is not HTTP, or the request cannot be one.
    Malformed,
}

impl TransportError {
    /// `endpoint` is a host (and port), never a whole URI; `detail` must be free of headers.
    pub fn new(endpoint: &str, phase: Phase, fault: Fault, detail: impl Into<String>) -> Self {
        let (endpoint, detail) = (endpoint.to_owned(), detail.into());
        Self { endpoint, phase, fault, detail, advice: None }
    }

    /// The same, of a request through a proxy, with what to do about it.
    pub(crate) fn with(self, via: Option<Via>, cure: String) -> Self {
        Self { advice: Some(Box::new(Advice { via, cure })), ..self }
    }

    /// What happened and what to do, without the endpoint's name.
    pub fn problem(&self) -> String {
        let Self { phase, fault, .. } = self;
        let advice = self.advice.as_deref();
        let what = match advice.and_then(|it| it.via.as_ref()) {
            Some(via) if *fault == Fault::Proxy => {
                format!("the proxy {} does not connect to it", via.proxy)
            }
            Some(via) => {
                format!("{fault} while {phase}{}the proxy {}", via.link(*phase), via.proxy)
            }
            None => format!("{fault} while {phase}"),
        };
        let detail = Some(&self.detail).filter(|it| !it.is_empty());
        let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
        let cure = advice.map(|it| &it.cure).filter(|it| !it.is_empty());
        let cure = cure.map(|cure| format!("; {cure}")).unwrap_or_default();
        format!("{what}{detail}{cure}")
    }

    /// Whether the server may have seen the request, so that its outcome is unknown.
    pub fn was_sent(&self) -> bool {
        matches!(self.phase, Phase::Exchange | Phase::Body)
    }

    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self.fault, Fault::Unreachable | Fault::Timeout | Fault::Lost)
    }

    /// How far the exchange had come.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What went wrong.
    pub fn fault(&self) -> Fault {
        self.fault
    }
}

impl Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "looking up the name",
            Self::Connect => "connecting",
            Self::Exchange => "waiting for the answer",
            Self::Body => "reading the answer",
        })
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "unreachable",
            Self::Proxy => "the proxy refused",
            Self::Tls => "TLS failed",
            Self::Timeout => "time limit passed",
            Self::Lost => "connection lost",
            Self::TooLarge => "answer too large",
            Self::Malformed => "not HTTP",
        })
    }
}

impl Via {
    fn link(&self, phase: Phase) -> &'static str {
        match phase {
            _ if !self.is_peer => " through ",
            Phase::Resolve => " of ",
            _ => " to ",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(phase: Phase, fault: Fault, detail: &str, sent: bool, transient: bool, text: &str) {
        let error = TransportError::new("iaas.example", phase, fault, detail);
        assert_eq!((error.was_sent(), error.is_transient()), (sent, transient));
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn an_error_names_endpoint_fault_and_phase() {
        check(
            Phase::Resolve,
            Fault::Unreachable,
            "",
            false,
            true,
            "iaas.example: unreachable while looking up the name",
        );
        check(
            Phase::Connect,
            Fault::Tls,
            "invalid peer certificate: UnknownIssuer",
            false,
            false,
            "iaas.example: TLS failed while connecting (invalid peer certificate: UnknownIssuer)",
        );
        check(
            Phase::Exchange,
            Fault::Timeout,
            "10s",
            true,
            true,
            "iaas.example: time limit passed while waiting for the answer (10s)",
        );
        check(
            Phase::Body,
            Fault::TooLarge,
            "",
            true,
            false,
            "iaas.example: answer too large while reading the answer",
        );
    }
}
