//! Sending one request and getting one answer: the seam to the network.

use std::{
    fmt::{self, Debug, Display},
    time::Duration,
};

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

/// Why no complete answer arrived.
#[derive(Debug, thiserror::Error)]
#[error("{endpoint}: {fault} while {phase}{}", Detail(.detail))]
pub struct TransportError {
    endpoint: String,
    phase: Phase,
    fault: Fault,
    detail: String,
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
        Self { endpoint: endpoint.to_owned(), phase, fault, detail: detail.into() }
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

/// ` (detail)`, or nothing.
struct Detail<'a>(&'a str);

impl Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " ({})", self.0) }
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
