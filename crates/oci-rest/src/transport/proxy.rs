//! The URL of a proxy, as it stands in a configuration.

use ::ureq::{Proxy, http::Uri};

use crate::Error;

/// Reads `url`, which the setting `setting` has. The URL may hold a password: no error repeats it.
pub(crate) fn parse(url: &str, setting: &str) -> Result<Proxy, Error> {
    let wrong = |problem| Error::Proxy { setting: setting.to_owned(), problem };
    let url = url.trim();
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let scheme = scheme.to_ascii_lowercase();
    match &*scheme {
        "http" | "https" => {}
        _ if scheme.starts_with("socks") => return Err(wrong(SOCKS)),
        _ => return Err(wrong(NO_URL)),
    }
    // an unescaped / ? or # of a password would end the address, and the rest would be another host
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if rest.rfind('@') > authority.rfind('@') {
        return Err(wrong(UNESCAPED));
    }
    let uri: Uri = format!("{scheme}://{authority}").parse().map_err(|_| wrong(NO_URL))?;
    if !has_host(&uri) {
        return Err(wrong(NO_URL));
    }
    Proxy::new(&uri.to_string()).map_err(|_| wrong(UNESCAPED))
}

/// Whether a URI has a host, and a port from 1 to 65535 or none at all.
///
/// The HTTP library takes the default for a port that is empty or too large.
pub fn has_host(uri: &Uri) -> bool {
    let Some(authority) = uri.authority() else { return false };
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = place.strip_prefix(authority.host()).unwrap_or_default();
    let port_is_right = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
    };
    !authority.host().is_empty() && port_is_right
}

/// Host and port, without user and password.
pub(crate) fn place(proxy: &Proxy) -> String {
    format!("{}:{}", proxy.host(), proxy.port())
}

const NO_URL: &str = "is not a URL such as http://proxy.example.com:3128";
const SOCKS: &str = "names a SOCKS proxy, and SOCKS is not spoken: give an HTTP proxy that allows CONNECT, such as \
                     http://proxy.example.com:3128";
const UNESCAPED: &str = "is not a URL such as http://user:password@proxy.example.com:3128; write special characters of \
                         user and password with %, such as %40 for @ and %2F for /";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(uris: &[&str], has: bool) {
        for uri in uris {
            assert_eq!(has_host(&uri.parse().unwrap()), has, "{uri}");
        }
    }

    #[test]
    fn a_port_is_one_or_is_not_there() {
        check(
            &[
                "https://a",
                "https://a:1",
                "https://u:p@a:65535/x",
                "https://[::1]",
                "https://[::1]:8443",
            ],
            true,
        );
        check(
            &["https://a:0", "https://a:65536", "https://a:99999", "https://u:1@a:", "/path"],
            false,
        );
    }

    mod properties {
        use super::*;

        proptest! {
            /// What is taken has a host of its own, and whatever is not taken is not shown.
            #[test]
            fn no_proxy_panics_or_is_quoted(
                scheme in "((https?|HTTP|socks5h?|ftp)://)?",
                user in "(MARKER:[ -~]{0,6}@)?",
                place in "[a-z0-9.:\\[\\]%/?#@-]{0,16}|\\PC{0,6}",
            ) {
                let shown = match parse(&format!("{scheme}{user}{place}"), "OCI_PROXY") {
                    Ok(proxy) => super::super::place(&proxy),
                    Err(error) => format!("{error:?} {error}"),
                };
                prop_assert!(!shown.contains("MARKER"), "{}", shown);
            }
        }
    }
}
