//! What TLS refuses, in words.

use rustls::{AlertDescription as Alert, CertificateError as C, Error};

/// Why there is no TLS session.
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) words: String,
}

/// What has to be changed for there to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The trusted certificates, or the server that presents this one.
    Authority,
    /// The name that the server is asked by.
    Name,
    /// The time of this machine, or of the certificate.
    Time,
    /// The certificate itself.
    Certificate,
    /// The client's certificate.
    Client,
    /// The port or the scheme.
    NoTls,
    /// The other side's TLS.
    Session,
}

pub(super) fn refusal(error: &Error) -> Refusal {
    log::debug!("TLS: {error:?}");
    let (kind, words) = match error {
        Error::InvalidCertificate(error) => return of_certificate(error),
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::InvalidMessage(_) => (Kind::NoTls, "it does not answer in TLS"),
        Error::PeerIncompatible(_) => {
            (Kind::Session, "it speaks no TLS that is spoken here: 1.2 or 1.3")
        }
        _ => (Kind::Session, "it breaks the rules of TLS"),
    };
    Refusal { kind, words: words.to_owned() }
}

fn of_certificate(error: &C) -> Refusal {
    let (kind, words) = match error {
        C::UnknownIssuer => {
            (Kind::Authority, "its certificate is of an authority that is not trusted")
        }
        C::Expired | C::ExpiredContext { .. } => {
            (Kind::Time, "by this machine's clock its certificate has expired")
        }
        C::NotValidYet | C::NotValidYetContext { .. } => {
            (Kind::Time, "by this machine's clock its certificate is not valid yet")
        }
        C::NotValidForName => (Kind::Name, "its certificate is for another name"),
        C::NotValidForNameContext { presented, .. } => {
            let words = for_other_names(presented);
            return Refusal { kind: Kind::Name, words };
        }
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            (Kind::Certificate, "its certificate is not one for servers")
        }
        C::Revoked => (Kind::Certificate, "its certificate is revoked"),
        C::BadSignature => (
            Kind::Authority,
            "its certificate is not signed by the trusted authority of that name, or is not its own",
        ),
        C::BadEncoding => (Kind::Certificate, "its certificate is damaged"),
        C::Other(error) => of_other(&error.to_string()),
        _ => (Kind::Certificate, "its certificate is signed in a way that is not supported"),
    };
    Refusal { kind, words: words.to_owned() }
}

/// What only the library below rustls has a name for.
fn of_other(name: &str) -> (Kind, &'static str) {
    match name {
        _ if name.contains("CaUsedAsEndEntity") => {
            (Kind::Authority, "its certificate is an authority's, and is not itself trusted")
        }
        _ if name.contains("UnsupportedCertVersion") => (
            Kind::Certificate,
            "its certificate is of an old version of X.509, without names of hosts",
        ),
        _ => (Kind::Certificate, "its certificate breaks the rules for servers"),
    }
}

/// rustls has the names as `DnsName("a.example")` or `IpAddress(10.0.0.1)`.
fn for_other_names(presented: &[String]) -> String {
    let names = presented.iter().filter_map(|it| it.split_once('('));
    let mut names: Vec<_> =
        names.map(|(_, name)| name.trim_end_matches(')').trim_matches('"')).collect();
    if names.is_empty() {
        return "its certificate is for no name at all".to_owned();
    }
    let more = if names.len() > MOST_NAMES { ", …" } else { "" };
    names.truncate(MOST_NAMES);
    format!("its certificate is for {}{more}", names.join(", "))
}

fn of_alert(alert: Alert) -> (Kind, &'static str) {
    match alert {
        Alert::CertificateRequired | Alert::NoCertificate => {
            (Kind::Client, "it wants a client certificate")
        }
        Alert::CertificateExpired => (Kind::Client, "for it the client certificate has expired"),
        Alert::CertificateRevoked => (Kind::Client, "for it the client certificate is revoked"),
        Alert::UnknownCA => {
            (Kind::Client, "it does not know the authority of the client certificate")
        }
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateUnknown
        | Alert::DecryptError
        | Alert::AccessDenied => (Kind::Client, "it does not accept the client certificate"),
        Alert::UnrecognisedName => (Kind::Name, "it does not know itself by this name"),
        Alert::ProtocolVersion | Alert::InsufficientSecurity | Alert::HandshakeFailure => {
            (Kind::Session, "it speaks no TLS that is spoken here: 1.2 or 1.3")
        }
        _ => (Kind::Session, "it breaks the handshake off"),
    }
}

const MOST_NAMES: usize = 5;
