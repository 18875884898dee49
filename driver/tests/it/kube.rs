//! What Kubernetes knows of a node: its instance, and whether the volume is in use there.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    thread,
};

use testbed::{Answer, Cluster};

use crate::support::{Kubelet, cluster, failure_with, success};

/// An API server that answers every request with one status and body, and a kubeconfig for it.
pub(crate) fn serve(cluster: &Cluster, status: &'static str, body: String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: k, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n\
         users: [{{name: u, user: {{token: t}}}}]\n\
         contexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n"
    );
    write_kubeconfig(cluster, &kubeconfig);
}

fn write_kubeconfig(cluster: &Cluster, text: &str) {
    let path = cluster.config_dir().join("kubeconfig");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn node(name: &str, provider_id: &str, ready: &str, in_use: &str) -> String {
    format!(
        r#"{{"kind":"Node","metadata":{{"name":"{name}"}},"spec":{{"providerID":"{provider_id}"}},
            "status":{{"conditions":[{{"type":"Ready","status":"{ready}"}}],"volumesInUse":[{in_use}]}}}}"#
    )
}

fn attach(cluster: &Cluster, node: &str) -> Answer {
    cluster.controller().call(&["attach", &cluster.options(&[]), node]).unwrap()
}

#[test]
fn the_provider_id_is_the_instance_with_or_without_its_prefix() {
    for prefix in ["", "oci://"] {
        let cluster = cluster();
        let provider_id = format!("{prefix}{}", cluster.instances[1]);
        serve(&cluster, "200 OK", node("worker", &provider_id, "True", ""));
        success(&attach(&cluster, "worker"));
        assert_eq!(cluster.sim.attachments()[0].instance_id, cluster.instances[1]);
    }
}

#[test]
fn a_provider_id_of_another_cloud_is_refused() {
    let cluster = cluster();
    serve(&cluster, "200 OK", node("node-1", "aws:///eu-west-1a/i-0", "True", ""));
    failure_with(&attach(&cluster, "node-1"), &["has the provider id `aws:///eu-west-1a/i-0`"]);
}

#[test]
fn a_node_without_provider_id_or_without_object_is_found_by_name() {
    let status = r#"{"kind":"Status","status":"Failure","code":404,"reason":"NotFound"}"#;
    for (code, body) in
        [("200 OK", node("node-1", "", "True", "")), ("404 Not Found", status.to_owned())]
    {
        let cluster = cluster();
        serve(&cluster, code, body);
        success(&attach(&cluster, "node-1"));
    }
}

#[test]
fn an_api_server_that_refuses_is_not_guessed_around() {
    let cluster = cluster();
    serve(&cluster, "403 Forbidden", "{}".into());
    failure_with(&attach(&cluster, "node-1"), &["403", "nodes"]);
    assert!(cluster.sim.attachments().is_empty());
}

#[test]
fn a_volume_in_use_on_a_node_that_is_well_is_not_detached() {
    for (ready, prefix, refused) in [
        ("True", "", true),
        ("True", "flexvolume-", true),
        ("False", "", false),
        ("Unknown", "", false),
    ] {
        let cluster = cluster();
        let in_use = format!(r#""{prefix}oracle/oci/{}""#, cluster.volume_name());
        serve(&cluster, "200 OK", node("node-1", &cluster.instances[0], ready, &in_use));
        success(&attach(&cluster, "node-1"));
        let answer = Kubelet { cluster: &cluster, number: 1 }.detach();
        if refused {
            failure_with(
                &answer,
                &["kubelet still reports volume", "in use on that node, which is ready"],
            );
            assert_eq!(cluster.sim.attachments()[0].lifecycle_state, "ATTACHED");
        } else {
            success(&answer);
        }
    }
}

/// What only fails inside the HTTP library is found before it gets there.
#[test]
fn a_kubeconfig_that_the_http_library_cannot_take_is_an_error() {
    let certificate = include_str!("../../../crates/kube-node/testdata/client-v1.pem");
    let key = include_str!("../../../crates/kube-node/testdata/client-rsa.key");
    for (cluster_line, user_line, expected) in [
        (
            "proxy-url: socks5://127.0.0.1:1080",
            "token: t",
            "proxy-url names a SOCKS proxy, and SOCKS is not spoken: give an HTTP proxy that allows CONNECT, such as \
             http://proxy.example.com:3128",
        ),
        (
            "tls-server-name: a",
            "client-certificate: cert, client-key: key",
            "client-key is not the key of the certificate",
        ),
    ] {
        let cluster = cluster();
        fs::write(cluster.config_dir().join("cert"), certificate).unwrap();
        fs::write(cluster.config_dir().join("key"), key).unwrap();
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(cluster.config_dir().join("key"), private).unwrap();
        write_kubeconfig(
            &cluster,
            &format!(
                "current-context: c\n\
                 clusters: [{{name: k, cluster: {{server: 'https://127.0.0.1:1', {cluster_line}}}}}]\n\
                 users: [{{name: u, user: {{{user_line}}}}}]\n\
                 contexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n"
            ),
        );
        let path = cluster.config_dir().join("kubeconfig");
        failure_with(
            &attach(&cluster, "worker"),
            &[&format!("kubeconfig {}: {expected}", path.display())],
        );
    }
}

/// The same of the environment, for both ways.
#[test]
fn a_proxy_that_is_none_names_its_variable() {
    for (variable, expected) in [
        ("OCI_PROXY", "OCI_PROXY names a SOCKS proxy"),
        ("HTTPS_PROXY", "HTTPS_PROXY names a SOCKS proxy"),
        ("all_proxy", "all_proxy names a SOCKS proxy"),
    ] {
        let cluster = cluster();
        let mut command =
            cluster.controller().command(&["attach", &cluster.options(&[]), "worker"]);
        command.env(variable, "socks5h://127.0.0.1:1080");
        failure_with(&testbed::run(command).unwrap(), &[expected]);
    }
}
