//! How to reach the world: proxy, exceptions from it, root certificates.

use std::{
    fmt::{self, Debug},
    net::IpAddr,
};

use http::Uri;
use ipnet::IpNet;

use crate::{ClientCert, SettingNames};

/// How the network is reached. Nothing of it is read from the environment here: a program that follows
/// `HTTPS_PROXY` and `NO_PROXY` passes their values on.
#[derive(Clone, Default)]
pub struct Network {
    /// URL of an HTTP or HTTPS proxy, user and password included; connections are tunnelled.
    pub proxy: Option<String>,
    /// Hosts that are reached without the proxy: a comma list of `*`, `host`, `.suffix`, `*.suffix`
    /// or `address`, each with an optional port, or a range of addresses as `10.0.0.0/8`. A `host` covers
    /// its subdomains. Loopback and link-local hosts are never reached through a proxy.
    pub no_proxy: Option<String>,
    /// PEM certificates that replace the compiled-in roots: of authorities, or of servers themselves.
    pub root_certs: Option<Vec<u8>>,
    /// The certificate that is shown to servers that ask for one.
    pub client_cert: Option<ClientCert>,
    /// The name that an endpoint's certificate has to be for, if it is not the host of the URL.
    pub server_name: Option<String>,
    /// Whether any server is believed, whatever its certificate.
    pub insecure: bool,
    /// What these settings are called, for messages.
    pub names: SettingNames,
}

impl Network {
    /// The proxy through which `uri` is reached, if it is through one.
    pub fn proxy_for(&self, uri: &Uri) -> Option<&str> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let mut entries = self.no_proxy.as_deref().unwrap_or_default().split(',').map(str::trim);
        let direct = is_local(&host) || entries.any(|entry| covers(entry, &host, port(uri)));
        self.proxy.as_deref().filter(|_| !direct)
    }
}

/// The URL of a proxy may hold a password.
impl Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("proxy", &self.proxy.as_ref().map(|_| "***"))
            .field("no_proxy", &self.no_proxy)
            .field("root_certs", &self.root_certs.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

fn is_local(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unicast_link_local(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 })
}

fn covers(entry: &str, host: &str, port: u16) -> bool {
    if let Ok(range) = entry.parse::<IpNet>() {
        return host.parse::<IpAddr>().is_ok_and(|address| range.contains(&address));
    }
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
    fn check(no_proxy: &str, direct: &[&str], proxied: &[&str]) {
        let proxy = Some("http://proxy.example:3128".to_owned());
        let no_proxy = Some(no_proxy.to_owned());
        let network = Network { proxy, no_proxy, ..Network::default() };
        let bypasses = |uri: &&str| network.proxy_for(&uri.parse().unwrap()).is_none();
        assert_eq!(direct.iter().filter(|uri| !bypasses(uri)).count(), 0, "all go direct");
        assert_eq!(proxied.iter().filter(|uri| bypasses(uri)).count(), 0, "all go by proxy");
    }

    #[test]
    fn local_hosts_are_never_proxied() {
        let local = [
            "http://localhost:80",
            "https://127.0.0.1:8443",
            "https://127.9.9.9",
            "http://[::1]:80",
            "http://169.254.169.254/opc/v2",
            "http://[fe80::1]/",
            "http://a.localhost/",
        ];
        check("", &local, &["https://example.org", "https://10.0.0.1", "https://notlocalhost"]);
    }

    #[test]
    fn names_cover_their_subdomains_and_nothing_else() {
        check(
            "example.org, .internal,*.dev,10.0.0.1,[fd00::1]:8443,fd00::2,host:8080",
            &[
                "https://example.org",
                "https://A.Example.ORG",
                "https://a.internal",
                "https://x.dev",
                "https://10.0.0.1:6443",
                "https://[fd00::1]:8443",
                "https://[fd00::2]:1",
                "http://host:8080",
            ],
            &[
                "https://notexample.org",
                "https://example.org.evil",
                "https://internal",
                "https://dev",
                "https://10.0.0.11",
                "https://[fd00::1]",
                "http://host",
            ],
        );
        check("*", &["https://anything"], &[]);
        check("*:8443", &["https://anything:8443"], &["https://anything"]);
        check(",,", &[], &["https://anything"]);
    }

    #[test]
    fn ranges_cover_addresses_and_no_names() {
        check(
            "10.96.0.0/12, fd00::/8",
            &["https://10.96.0.1", "https://10.111.255.255:6443", "https://[fd12::1]"],
            &["https://10.112.0.1", "https://[fe00::1]", "https://10.96.0.1.example.org"],
        );
        check("10.96.0.1", &["https://10.96.0.1"], &["https://10.96.0.2"]);
    }

    #[test]
    fn without_a_proxy_everything_goes_direct() {
        let uri = "https://example.org".parse().unwrap();
        assert_eq!(Network::default().proxy_for(&uri), None);
    }

    #[test]
    fn debug_hides_the_proxy() {
        let network = Network { proxy: Some("http://u:MARKER@p".into()), ..Network::default() };
        assert_eq!(
            format!("{network:?}"),
            r#"Network { proxy: Some("***"), no_proxy: None, root_certs: None, .. }"#
        );
    }
}
