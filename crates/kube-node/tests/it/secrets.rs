//! Secrets go in through every input and come out of no output.

use std::path::Path;

use kube_node::KubeClient;
use oci_rest::Network;

use crate::support::{Dir, kubeconfig};

/// Neither the error nor the client shows `MARKER`.
#[track_caller]
fn check(dir: &Dir, text: &str) {
    let shown = match dir.client(text) {
        Ok(client) => {
            let error = client.node("worker-1").unwrap_err();
            format!("{client:?} {error:?} {}", dir.text(&error))
        }
        Err(error) => format!("{error:?} {}", dir.text(&error)),
    };
    assert!(!shown.contains("MARKER"), "{shown}");
}

/// Nothing listens there.
const SERVER: &str = "server: https://127.0.0.1:1";

#[test]
fn no_credential_is_shown_whether_it_is_good_or_bad() {
    let dir = Dir::new();
    dir.write("token", "MARKER\u{1}");
    dir.write("pem", "-----BEGIN PRIVATE KEY-----\nMARKER\n-----END PRIVATE KEY-----\n");
    for user in [
        &["token: MARKER"][..],
        &["token: \"MARKER\\n1\""],
        &["token: [MARKER]"],
        &["token: {MARKER: 1}"],
        &["tokenFile: token"],
        &["username: u", "password: MARKER"],
        &["username: u", "password: [MARKER]"],
        &["username: u", "password: !!binary MARKER"],
        &["client-key-data: MARKER", "client-certificate-data: eA=="],
        &["client-key-data: 'MARKER!'", "client-certificate-data: eA=="],
        &["client-certificate: pem", "client-key: pem"],
        &["token: 'MARKER"],
        &["exec: {env: [{name: x, value: MARKER}]}"],
        &["auth-provider: MARKER"],
        &["token: MARKER", "token: MARKER"],
    ] {
        check(&dir, &kubeconfig(&[SERVER], user));
    }
    for cluster in [
        &["server: https://user:MARKER@127.0.0.1:1"][..],
        &["server: https://user:MARKER@"],
        &[SERVER, "proxy-url: http://user:MARKER@127.0.0.1:1"],
        &[SERVER, "proxy-url: ftp://user:MARKER@127.0.0.1:1"],
    ] {
        check(&dir, &kubeconfig(cluster, &["token: MARKER"]));
    }
}

#[test]
fn the_proxy_of_the_network_is_not_shown() {
    let dir = Dir::new();
    let path = dir.write("config", &kubeconfig(&["server: https://api.invalid"], &["token: t"]));
    for proxy in ["ftp://u:MARKER@x", "socks5://u:MARKER@x", "http://u:MARKER@127.0.0.1:1"] {
        let network = Network { proxy: Some(proxy.to_owned()), ..Network::default() };
        let error = match KubeClient::from_kubeconfig(Path::new(&path), &network) {
            Ok(client) => client.node("worker-1").unwrap_err(),
            Err(error) => error,
        };
        let shown = format!("{error:?} {}", dir.text(&error));
        assert!(!shown.contains("MARKER"), "{shown}");
    }
}
