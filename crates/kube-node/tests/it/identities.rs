//! Who asks: client certificates of every kind, and in whose name.

use kube_node::Error;
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

use crate::{
    server::{Authority, Server, answer},
    support::{Dir, kubeconfig},
};

const NODE: &str = include_str!("../../testdata/node.json");
const V1: (&str, &str) =
    (include_str!("../../testdata/client-v1.pem"), include_str!("../../testdata/client-v1.key"));
const RSA: (&str, &str) =
    (include_str!("../../testdata/client-rsa.pem"), include_str!("../../testdata/client-rsa.key"));

/// The outcome for a user with these two PEM texts, at a server that takes any client certificate, but wants one.
fn ask(certificate: &str, key: &str) -> Result<bool, String> {
    let (dir, authority) = (Dir::new(), Authority::new());
    let server = authority.serve_any_client(|_| answer(200, NODE));
    dir.write("cert", certificate);
    dir.write("key", key);
    let user = ["client-certificate: cert", "client-key: key"];
    found(&dir, &authority, &server, &[], &user).map_err(|error| dir.text(&error))
}

fn found(
    dir: &Dir,
    authority: &Authority,
    server: &Server,
    cluster: &[&str],
    user: &[&str],
) -> Result<bool, Error> {
    dir.write("ca.pem", &authority.pem);
    let line = format!("server: https://127.0.0.1:{}", server.port);
    let mut lines = vec![line.as_str(), "certificate-authority: ca.pem"];
    lines.extend(cluster);
    Ok(dir.client(&kubeconfig(&lines, user))?.node("worker-1")?.is_some())
}

#[test]
fn every_kind_of_client_certificate_is_shown() {
    let clients = Authority::new();
    let of = |key: KeyPair| (clients.certificate(&key), key.serialize_pem());
    let (p384, ed25519) = (
        of(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()),
        of(KeyPair::generate_for(&PKCS_ED25519).unwrap()),
    );
    for (kind, (certificate, key)) in [
        // `openssl x509 -req` without -extfile, key in SEC1
        ("X.509 version 1", V1),
        // key in PKCS#1
        ("RSA", RSA),
        ("P-384", (&*p384.0, &*p384.1)),
        ("Ed25519", (&*ed25519.0, &*ed25519.1)),
    ] {
        assert_eq!(ask(certificate, key), Ok(true), "{kind}");
    }
    // openssl writes the curve before the key, and people keep both in one file
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    assert_eq!(ask(V1.0, &format!("{parameters}{}", V1.1)), Ok(true));
    let both = format!("{}{}", V1.1, V1.0);
    assert_eq!(ask(&both, &both), Ok(true));
}

#[test]
fn what_is_no_client_certificate_names_its_field() {
    let garbage =
        |label: &str| format!("-----BEGIN {label}-----\nTUFSS0VS\n-----END {label}-----\n");
    for (certificate, key, expected) in [
        (V1.0, RSA.1, "client-key is not the key of the certificate"),
        ("", V1.1, "client-certificate holds no PEM certificate"),
        (V1.1, V1.1, "client-certificate holds no PEM certificate"),
        (&garbage("CERTIFICATE"), V1.1, "client-certificate holds a certificate that is not X.509"),
        (
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            V1.1,
            "client-certificate holds no PEM certificate",
        ),
        (V1.0, "", "client-key holds no unencrypted PEM key"),
        (V1.0, V1.0, "client-key holds no unencrypted PEM key"),
        (V1.0, &garbage("ENCRYPTED PRIVATE KEY"), "client-key holds no unencrypted PEM key"),
        (
            V1.0,
            &garbage("PRIVATE KEY"),
            "client-key holds a key that is not RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519, or is damaged",
        ),
    ] {
        assert_eq!(ask(certificate, key), Err(format!("kubeconfig DIR/config: {expected}")));
    }
}

#[test]
fn a_user_may_ask_in_the_name_of_another() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let server = authority.serve(None, |_| answer(200, NODE));
    let user = [
        "token: t",
        "as: system:node:w",
        "as-uid: '42'",
        "as-groups: [system:nodes, others]",
        "as-user-extra: {Scopes: [view]}",
    ];
    assert!(found(&dir, &authority, &server, &[], &user).unwrap());
    let request = server.requests.lock().unwrap().pop().unwrap();
    for header in [
        "impersonate-user: system:node:w",
        "impersonate-uid: 42",
        "impersonate-group: system:nodes",
        "impersonate-group: others",
        "impersonate-extra-scopes: view",
    ] {
        assert!(request.contains(&format!("{header}\r\n")), "{request}");
    }
}

#[test]
fn a_token_stands_in_for_a_token_file_that_gives_none() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let server = authority.serve(None, |_| answer(200, NODE));
    dir.write("empty", "\n");
    for file in ["none", "empty"] {
        let user = ["token: inline", &format!("tokenFile: {file}")];
        assert!(found(&dir, &authority, &server, &[], &user).unwrap());
        let request = server.requests.lock().unwrap().pop().unwrap();
        assert!(request.contains("authorization: Bearer inline\r\n"), "{request}");
    }
}

#[test]
fn the_certificate_may_be_for_the_name_that_is_given() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let server = authority.serve_as("kubernetes.default", |_| answer(200, NODE));
    let user = ["token: t"];
    let name = ["tls-server-name: kubernetes.default"];
    assert!(found(&dir, &authority, &server, &name, &user).unwrap());
    let error = found(&dir, &authority, &server, &[], &user).unwrap_err();
    assert_eq!(
        dir.text(&error).replace(&server.port.to_string(), "PORT"),
        "the API server 127.0.0.1:PORT cannot be asked for node worker-1: TLS failed while connecting (its certificate \
         is for kubernetes.default); use a name of the certificate in server of the kubeconfig, or give it in \
         tls-server-name of the kubeconfig"
    );
}

/// kubectl lets nothing around the proxy of a kubeconfig.
#[test]
fn the_proxy_of_a_kubeconfig_is_for_local_servers_too() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let server = authority.serve(None, |_| answer(200, NODE));
    let line = ["proxy-url: http://127.0.0.1:1"];
    let error = found(&dir, &authority, &server, &line, &["token: t"]).unwrap_err();
    assert_eq!(
        dir.text(&error).replace(&server.port.to_string(), "PORT"),
        "the API server 127.0.0.1:PORT cannot be asked for node worker-1: unreachable while connecting to the proxy \
         127.0.0.1:1 (proxy-url of the kubeconfig) (Connection refused (os error 111)); correct proxy-url of the \
         kubeconfig, or see that the proxy runs and that routes and firewalls let this machine reach it; hosts that \
         are reached without a proxy belong into the list of hosts without a proxy"
    );
}

mod properties {
    use std::{path::Path, time::Duration};

    use kube_node::KubeClient;
    use oci_rest::Network;
    use proptest::prelude::*;

    use super::*;

    fn pem() -> impl Strategy<Value = String> {
        let block = |label: &'static str| {
            prop::collection::vec(any::<u8>(), 0..40).prop_map(move |bytes| {
                use base64::{Engine as _, prelude::BASE64_STANDARD};
                let body = BASE64_STANDARD.encode(bytes);
                format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
            })
        };
        let whole = prop::sample::select(vec![V1.0, V1.1, RSA.0, RSA.1]).prop_map(str::to_owned);
        prop_oneof![
            whole.clone(),
            (whole, any::<prop::sample::Index>(), any::<char>()).prop_map(|(text, at, new)| {
                let at = at.index(text.len());
                format!("{}{new}{}", &text[..at], &text[at + 1..])
            }),
            block("CERTIFICATE"),
            block("PRIVATE KEY"),
            block("RSA PRIVATE KEY"),
            block("EC PRIVATE KEY"),
            "\\PC{0,20}",
        ]
    }

    /// Proxies of every scheme and form; none leads off this machine.
    fn proxy() -> impl Strategy<Value = Option<String>> {
        let url = (
            "(https?|socks[45]?[ah]?|SOCKS5|ftp|HTTP|)(://)?",
            "([a-z%:/#?ä@ \\u{1}-\\u{7f}]{0,6}@)?",
            "(127\\.0\\.0\\.1|localhost|\\[::1\\]|\\[|ä|)",
            "(:[0-9]{0,6})?[/?#]?",
        );
        prop_oneof![
            Just(None),
            url.prop_map(|(a, b, c, d)| Some(format!("{a}{b}{c}{d}"))),
            "\\PC{0,12}".prop_map(Some)
        ]
        .prop_filter("stays here", |url| {
            url.as_ref().is_none_or(|it| !it.contains(".") || it.contains("127.0.0.1"))
        })
    }

    proptest! {
        /// Neither making a client nor asking with it panics, whatever kubeconfig and environment hold.
        #[test]
        fn no_kubeconfig_and_no_environment_panics(
            certificate in pem(),
            key in pem(),
            authority in prop::option::of(pem()),
            own in proxy(),
            general in proxy(),
            scheme in "https?",
            host in "127\\.0\\.0\\.1|\\[::1\\]|localhost|[a-z]?\\PC?\\.invalid",
            port in ":1|:[0-9]{0,6}|",
            name in prop::option::of("[a-zA-Z0-9.*_:\\[\\]-]{0,12}|\\PC{0,4}"),
            token in "\\PC{0,6}|[a-z\\u{0}-\\u{1f}]{0,6}",
            limit in 0..30_u64,
            has_pair: bool,
        ) {
            let dir = Dir::new();
            dir.write("cert", &certificate);
            dir.write("key", &key);
            dir.write("ca", authority.as_deref().unwrap_or_default());
            let quoted = |text: &str| serde_json::to_string(text).unwrap();
            let mut cluster = vec![format!("server: {}", quoted(&format!("{scheme}://{host}{port}")))];
            cluster.extend(authority.is_some().then(|| "certificate-authority: ca".to_owned()));
            cluster.extend(own.map(|url| format!("proxy-url: {}", quoted(&url))));
            cluster.extend(name.map(|name| format!("tls-server-name: {}", quoted(&name))));
            let cluster: Vec<_> = cluster.iter().map(String::as_str).collect();
            let token = format!("token: {}", quoted(&token));
            let user = ["client-certificate: cert", "client-key: key", &token];
            let user = if has_pair { &user[..] } else { &user[2..] };
            let path = dir.write("config", &kubeconfig(&cluster, user));
            let network = Network { proxy: general, ..Network::default() };
            if let Ok(client) = KubeClient::from_kubeconfig(Path::new(&path), &network) {
                let client = client.with_limit(Duration::from_millis(limit));
                prop_assert!(client.node("worker-1").is_err());
            }
        }
    }
}
