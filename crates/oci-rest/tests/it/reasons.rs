//! What is said of every way in which the network fails, and what to do.

use std::{net::TcpListener, time::Duration};

use http::Request;
use oci_rest::{Network, Proxied, Transport, UreqTransport};
use rcgen::{CertificateParams, DnType, KeyPair};

use crate::server::{
    Server, answer, answer_all, open_tls, read_request, serve, serve_as, serve_as_thief,
};

/// A network whose settings are called as the driver calls them.
fn network() -> Network {
    let mut network = Network::default();
    network.names.endpoint = "ENDPOINT".to_owned();
    network.names.proxy = "OCI_PROXY".to_owned();
    network.names.no_proxy = "NO_PROXY".to_owned();
    network.names.root_certs = "TRUSTED_CA_CERT_PATH".to_owned();
    network
}

/// What is said of a GET of `uri`, with every port in `ports` as `PORT`.
fn said(network: &Network, uri: &str, limit: Duration, ports: &[u16]) -> String {
    let transport = UreqTransport::new(network).unwrap();
    let mut request = Request::get(uri).body(Vec::new()).unwrap();
    if network.proxy.is_some() {
        request.extensions_mut().insert(Proxied);
    }
    let mut text = transport.send(request, limit).unwrap_err().to_string();
    assert!(!text.contains("MARKER") && !text.contains('\n'), "{text}");
    for port in ports {
        text = text.replace(&port.to_string(), "PORT");
    }
    text
}

#[track_caller]
fn check(network: &Network, uri: &str, ports: &[u16], expected: &str) {
    assert_eq!(said(network, uri, LIMIT, ports), expected);
}

const LIMIT: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(300);

fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A network with a proxy at `port` of this machine.
fn proxied(scheme: &str, user: &str, port: u16) -> Network {
    Network { proxy: Some(format!("{scheme}://{user}127.0.0.1:{port}")), ..network() }
}

#[test]
fn an_endpoint_that_is_not_reached_names_its_setting_and_the_proxys() {
    let port = unused_port();
    check(
        &network(),
        &format!("https://127.0.0.1:{port}/"),
        &[port],
        "127.0.0.1:PORT: unreachable while connecting (Connection refused (os error 111)); nothing listens there: \
         correct ENDPOINT, or set OCI_PROXY where only a proxy leads there",
    );
    let text = said(&network(), "https://iaas.us-nowhere-1.invalid/", LIMIT, &[]);
    let head = "iaas.us-nowhere-1.invalid: unreachable while looking up the name (failed to lookup address information: ";
    assert!(text.starts_with(head), "{text}");
    let tail = "); correct ENDPOINT if there is no such host, else this machine's name servers; set OCI_PROXY where \
                only a proxy leads there";
    assert!(text.ends_with(tail), "{text}");
    // a network without a route to anywhere: 240.0.0.0/4 is reserved
    let text = said(&network(), "https://[100::1]/", SHORT, &[]);
    let tail = "; routes, security lists and firewalls have to let this machine reach it; set OCI_PROXY where only a \
                proxy leads there";
    assert!(text.starts_with("[100::1]: ") && text.ends_with(tail), "{text}");
}

#[test]
fn a_proxy_that_is_not_reached_is_blamed_and_not_the_endpoint() {
    let port = unused_port();
    check(
        &proxied("http", "user:MARKER@", port),
        "https://iaas.invalid/",
        &[port],
        "iaas.invalid: unreachable while connecting to the proxy 127.0.0.1:PORT (OCI_PROXY) (Connection refused (os \
         error 111)); correct OCI_PROXY, or see that the proxy runs and that routes and firewalls let this machine \
         reach it; hosts that are reached without a proxy belong into NO_PROXY",
    );
    let nowhere = Network { proxy: Some("http://proxy.invalid:3128".into()), ..network() };
    let text = said(&nowhere, "https://iaas.invalid/", LIMIT, &[]);
    let head = "iaas.invalid: unreachable while looking up the name of the proxy proxy.invalid:3128 (OCI_PROXY) (";
    assert!(text.starts_with(head), "{text}");
    let tail = "); correct OCI_PROXY if there is no such host; hosts that are reached without a proxy belong into NO_PROXY";
    assert!(text.ends_with(tail), "{text}");
}

/// A proxy that answers `CONNECT` with `head`.
fn answering(head: &'static str) -> Server {
    serve(move |stream| {
        read_request(stream);
        let _ = stream.write_all(head.as_bytes());
    })
}

#[test]
fn a_proxy_that_refuses_says_what_it_wants() {
    for (user, head, expected) in [
        (
            "",
            "HTTP/1.1 407 X\r\ncontent-length: 0\r\n\r\n",
            "(its answer is 407); it wants user and password: OCI_PROXY is then http://user:password@host:port",
        ),
        (
            "user:MARKER@",
            "HTTP/1.1 407 X\r\ncontent-length: 0\r\n\r\n",
            "(its answer is 407); correct user and password in OCI_PROXY",
        ),
        (
            "",
            "HTTP/1.1 403 X\r\ncontent-length: 0\r\n\r\n",
            "(its answer is 403); have iaas.invalid allowed in the proxy's rules, or name it in NO_PROXY if it is \
             reached without a proxy",
        ),
        (
            "",
            "HTTP/1.1 502 X\r\ncontent-length: 0\r\n\r\n",
            "(its answer is 502); the proxy itself cannot reach iaas.invalid: see its log; correct ENDPOINT if there \
             is no such host",
        ),
        (
            "",
            "HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n",
            "(its answer is 404); does OCI_PROXY name an HTTP proxy?",
        ),
        ("", "", "(closed by the other side); does OCI_PROXY name an HTTP proxy?"),
    ] {
        let server = answering(head);
        check(
            &proxied("http", user, server.port),
            "https://iaas.invalid/",
            &[server.port],
            &format!(
                "iaas.invalid: the proxy 127.0.0.1:PORT (OCI_PROXY) does not connect to it {expected}"
            ),
        );
    }
    let other = answering("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    let text =
        said(&proxied("http", "", other.port), "https://iaas.invalid/", LIMIT, &[other.port]);
    assert!(
        text.starts_with(
            "iaas.invalid: the proxy 127.0.0.1:PORT (OCI_PROXY) does not connect to it ("
        ),
        "{text}"
    );
    assert!(text.ends_with("; does OCI_PROXY name an HTTP proxy?"), "{text}");
}

#[test]
fn what_is_silent_runs_into_the_limit_and_is_named() {
    let silent = serve(|stream| drop((read_request(stream), read_request(stream))));
    let port = silent.port;
    for (network, scheme, expected) in [
        (
            network(),
            "http",
            "127.0.0.1:PORT: time limit passed while waiting for the answer; it was reached and is too slow, or \
             something between drops what is sent; the next call tries again",
        ),
        (
            network(),
            "https",
            "127.0.0.1:PORT: time limit passed while connecting; it was reached and is too slow, or something between \
             drops what is sent; the next call tries again",
        ),
        (
            proxied("http", "", port),
            "https",
            "127.0.0.1:PORT: time limit passed while connecting to the proxy 127.0.0.1:PORT (OCI_PROXY); see the \
             proxy's own log",
        ),
    ] {
        let uri = format!("{scheme}://127.0.0.1:{port}/");
        assert_eq!(said(&network, &uri, SHORT, &[port]), expected);
    }
}

/// A certificate for `localhost`, changed by `change`, and a server that shows it.
fn presents(change: impl Fn(&mut CertificateParams)) -> (Server, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, key.public_key_pem());
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    let server = serve_as(vec![certificate.der().clone()], &key.serialize_pem(), |stream| {
        answer_all(stream, |_| answer("200 OK", "{}"));
    });
    (server, certificate.pem())
}

#[test]
fn a_certificate_that_is_not_believed_says_why() {
    let (other, _) = presents(|_| ());
    let (_, pem) = presents(|_| ());
    let (reborn, _) = presents(|it| it.distinguished_name = rcgen::DistinguishedName::new());
    let (_, before) = presents(|it| it.distinguished_name = rcgen::DistinguishedName::new());
    let (past, past_pem) = presents(|it| it.not_after = rcgen::date_time_ymd(2001, 1, 1));
    let (future, future_pem) = presents(|it| it.not_before = rcgen::date_time_ymd(2999, 1, 1));
    let (named, named_pem) = presents(|_| ());
    let (authority, _) = presents(|it| {
        it.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let give = "give the certificate of its authority in TRUSTED_CA_CERT_PATH; where a firewall or proxy opens TLS in \
                between, that is the firewall's authority";
    let clock = "set this machine's clock if it is wrong, else the certificate has to be renewed";
    for (server, host, root_certs, expected) in [
        (
            &other,
            "localhost",
            Some(&pem),
            format!("its certificate is of an authority that is not trusted); {give}"),
        ),
        (
            &other,
            "localhost",
            None,
            format!("its certificate is of an authority that is not trusted); {give}"),
        ),
        (
            &authority,
            "localhost",
            Some(&pem),
            format!("its certificate is an authority's, and is not itself trusted); {give}"),
        ),
        (
            &reborn,
            "localhost",
            Some(&before),
            format!(
                "its certificate is not signed by the trusted authority of that name, or is not its own); {give}"
            ),
        ),
        (
            &past,
            "localhost",
            Some(&past_pem),
            format!("by this machine's clock its certificate has expired); {clock}"),
        ),
        (
            &future,
            "localhost",
            Some(&future_pem),
            format!("by this machine's clock its certificate is not valid yet); {clock}"),
        ),
        (
            &named,
            "127.0.0.1",
            Some(&named_pem),
            "its certificate is for localhost); use a name of the certificate in ENDPOINT"
                .to_owned(),
        ),
    ] {
        let root_certs = root_certs.map(|pem| pem.clone().into_bytes());
        check(
            &Network { root_certs, ..network() },
            &format!("https://{host}:{}/", server.port),
            &[server.port],
            &format!("{host}:PORT: TLS failed while connecting ({expected}"),
        );
    }
}

#[test]
fn a_certificate_that_is_itself_trusted_is_believed() {
    for is_ca in [false, true] {
        let (server, pem) = presents(|it| {
            if is_ca {
                it.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            }
        });
        let trusting = Network { root_certs: Some(pem.into_bytes()), ..network() };
        let transport = UreqTransport::new(&trusting).unwrap();
        let uri = format!("https://localhost:{}/", server.port);
        let request = Request::get(uri).body(Vec::new()).unwrap();
        assert_eq!(transport.send(request, LIMIT).unwrap().status(), 200);
    }
    // signed by an authority that is not given: the leaf alone is pinned
    let (key, authority) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut above = CertificateParams::default();
    above.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::Issuer::new(above, authority);
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let server = serve_as(vec![leaf.der().clone()], &key.serialize_pem(), |stream| {
        answer_all(stream, |_| answer("200 OK", "{}"));
    });
    let trusting = Network { root_certs: Some(leaf.pem().into_bytes()), ..network() };
    let transport = UreqTransport::new(&trusting).unwrap();
    let request = Request::get(format!("https://localhost:{}/", server.port));
    assert_eq!(transport.send(request.body(Vec::new()).unwrap(), LIMIT).unwrap().status(), 200);
    // the certificate is public: without its key it cannot be shown
    let thief = KeyPair::generate().unwrap();
    let thief = serve_as_thief(vec![leaf.der().clone()], &thief.serialize_pem());
    let text = said(&trusting, &format!("https://localhost:{}/", thief.port), LIMIT, &[thief.port]);
    assert_eq!(
        text,
        "localhost:PORT: TLS failed while connecting (its certificate is not signed by the trusted authority of that \
         name, or is not its own); give the \
         certificate of its authority in TRUSTED_CA_CERT_PATH; where a firewall or proxy opens TLS in between, that \
         is the firewall's authority"
    );
}

#[test]
fn tls_with_what_speaks_none_names_scheme_and_port() {
    let plain = serve(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        drop(read_request(stream));
    });
    check(
        &network(),
        &format!("https://127.0.0.1:{}/", plain.port),
        &[plain.port],
        "127.0.0.1:PORT: TLS failed while connecting (it does not answer in TLS); correct scheme and port in ENDPOINT",
    );
    check(
        &proxied("https", "", plain.port),
        "https://iaas.invalid/",
        &[plain.port],
        "iaas.invalid: TLS failed while connecting to the proxy 127.0.0.1:PORT (OCI_PROXY) (it does not answer in \
         TLS); begin OCI_PROXY with http:// instead of https://",
    );
    let closes = serve(|_| ());
    let text =
        said(&network(), &format!("https://127.0.0.1:{}/", closes.port), LIMIT, &[closes.port]);
    assert!(text.starts_with("127.0.0.1:PORT: connection lost while connecting ("), "{text}");
    let tail = "; does ENDPOINT name a port with TLS? a firewall may also end such connections";
    assert!(text.ends_with(tail), "{text}");
}

#[test]
fn a_proxy_that_opens_tls_is_recognised() {
    let proxy = serve(|stream| {
        read_request(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        open_tls(stream);
    });
    check(
        &proxied("http", "", proxy.port),
        "https://localhost/",
        &[proxy.port],
        "localhost: TLS failed while connecting through the proxy 127.0.0.1:PORT (OCI_PROXY) (its certificate is of \
         an authority that is not trusted); give the certificate of its authority in TRUSTED_CA_CERT_PATH; where a \
         firewall or proxy opens TLS in between, that is the firewall's authority",
    );
}
