//! How to reach the API server: proxy, and exceptions from it.

use std::{
    fmt::{self, Debug},
    net::IpAddr,
};

use http::Uri;

/// What the environment says about the network; the driver reads it, nobody else.
#[derive(Clone, Default)]
pub struct Network {
    /// URL of an HTTP or HTTPS proxy, user and password included; connections are tunnelled.
    /// `proxy-url` of the kubeconfig goes first.
    pub proxy: Option<String>,
    /// Hosts that are reached without the proxy: a comma list of `*`, `host`, `.suffix`, `*.suffix`
    /// or `address`, each with an optional port. A `host` covers its subdomains. Ranges in CIDR form
    /// are not understood. Loopback is never reached through a proxy.
    pub no_proxy: Option<String>,
}

impl Network {
    /// Whether `server` is to be reached without the proxy.
    pub(crate) fn bypasses_proxy(&self, server: &Uri) -> bool {
        let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let entries = self.no_proxy.as_deref().unwrap_or_default().split(',');
        is_loopback(&host) || entries.map(str::trim).any(|entry| covers(entry, &host, port(server)))
    }
}

/// The URL of a proxy may hold a password.
impl Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("proxy", &self.proxy.as_ref().map(|_| "***"))
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 })
}

fn covers(entry: &str, host: &str, port: u16) -> bool {
    let entry = entry.to_ascii_lowercase();
    let (name, wanted_port) = split_port(&entry);
    if wanted_port.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.trim_matches(['[', ']']);
    match name.trim_start_matches('*') {
        "" => name == "*",
        suffix if suffix.starts_with('.') => host.ends_with(suffix),
        name => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
    }
}

/// A bare IPv6 address has colons but no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
            (name, port.parse().ok())
        }
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(no_proxy: &str, server: &str, direct: bool) {
        let network = Network { no_proxy: Some(no_proxy.to_owned()), ..Network::default() };
        assert_eq!(network.bypasses_proxy(&server.parse().unwrap()), direct, "{server}");
    }

    #[test]
    fn names_cover_their_subdomains_and_loopback_is_always_direct() {
        check("", "https://127.0.0.1:6443", true);
        check("", "https://[::1]:6443", true);
        check("", "https://localhost", true);
        check("", "https://api.example.org", false);
        check("example.org", "https://API.example.org:6443", true);
        check("example.org", "https://notexample.org", false);
        check(".svc, 10.96.0.1", "https://kubernetes.default.svc", true);
        check(".svc, 10.96.0.1", "https://10.96.0.1", true);
        check(".svc, 10.96.0.1", "https://10.96.0.10", false);
        check("*", "https://anything", true);
        check("10.96.0.1:6443", "https://10.96.0.1:6443", true);
        check("10.96.0.1:6443", "https://10.96.0.1", false);
        check("10.96.0.1:443", "https://10.96.0.1", true);
        check("[fd00::1]:443,fd00::2", "https://[fd00::1]", true);
        check("[fd00::1]:443,fd00::2", "https://[fd00::2]:6443", true);
    }
}
