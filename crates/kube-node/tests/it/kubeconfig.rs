//! What a kubeconfig may say, and what it is told when it says something else.

use crate::support::{Dir, kubeconfig};

#[track_caller]
fn check_text(text: &str, outcome: &str) {
    let dir = Dir::new();
    dir.write("token", " \n");
    dir.write("binary", "\u{0}");
    let result = dir.client(text);
    assert_eq!(result.map_or_else(|error| dir.text(&error), |_| "ok".to_owned()), outcome);
}

/// `user` on a server that is fine.
#[track_caller]
fn check_user(user: &[&str], outcome: &str) {
    check_text(&kubeconfig(&[SERVER], user), outcome);
}

/// `cluster` with a user that is fine.
#[track_caller]
fn check_cluster(cluster: &[&str], outcome: &str) {
    check_text(&kubeconfig(cluster, &["token: t"]), outcome);
}

const SERVER: &str = "server: https://10.0.0.1:6443";

#[test]
fn all_usual_forms_are_read() {
    check_user(&["token: t"], "ok");
    check_user(&["username: u", "password: '1234'"], "ok");
    check_user(&["client-certificate-data: ''", "client-key-data: ''", "token: t"], "ok");
    check_cluster(&[SERVER, "insecure-skip-tls-verify: true"], "ok");
    check_cluster(&["server: https://rancher.example/k8s/clusters/c-1/"], "ok");
    check_cluster(&[SERVER, "proxy-url: http://proxy:3128"], "ok");
    // JSON is YAML, and unknown fields are for others
    check_text(
        r#"{"current-context":"x","contexts":[{"name":"x","context":{"cluster":"c","namespace":"n"}}],
            "clusters":[{"name":"c","cluster":{"server":"http://127.0.0.1:8080"}}],"users":null}"#,
        "ok",
    );
}

#[test]
fn what_is_missing_is_named() {
    check_text("current-context: ''", "kubeconfig DIR/config: current-context is not set");
    check_text("contexts: null", "kubeconfig DIR/config: current-context is not set");
    check_text("current-context: a", r#"kubeconfig DIR/config: there is no context named "a""#);
    check_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: b}}]",
        r#"kubeconfig DIR/config: there is no cluster named "b""#,
    );
    check_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: b, user: c}}]\n\
         clusters: [{name: b, cluster: {server: https://x}}]",
        r#"kubeconfig DIR/config: there is no user named "c""#,
    );
    check_user(
        &["client-certificate-data: eA=="],
        "kubeconfig DIR/config: client-certificate and client-key need each other",
    );
}

#[test]
fn a_broken_document_is_told_its_line() {
    check_text(": :", "kubeconfig DIR/config: line 1 column 1 is not as it must be");
    check_text("a: 'b", "kubeconfig DIR/config: line 1 column 6 is not as it must be");
    check_text("clusters: 5", "kubeconfig DIR/config: line 1 column 11 is not as it must be");
    check_text("\u{7f}\u{0}", "kubeconfig DIR/config: line 1 column 1 is not as it must be");
    check_text("", "kubeconfig DIR/config: current-context is not set");
}

#[test]
fn plug_ins_are_refused_with_the_alternative() {
    for name in ["exec", "auth-provider"] {
        check_user(
            &[&format!("{name}: {{command: oci, name: x}}")],
            &format!(
                "kubeconfig DIR/config: the user's {name} plug-in is not run by this driver: use \
                 the token of a ServiceAccount (tokenFile) or a client certificate"
            ),
        );
    }
    check_cluster(
        &[SERVER, "tls-server-name: x"],
        "kubeconfig DIR/config: tls-server-name is not supported: put a name into server that the \
         certificate has",
    );
}

#[test]
fn values_of_a_wrong_kind_are_named() {
    let no_server = "kubeconfig DIR/config: server is not a URL such as https://10.0.0.1:6443";
    for server in ["10.0.0.1:6443", "ftp://10.0.0.1", "https://", "''", "https://a b"] {
        check_cluster(&[&format!("server: {server}")], no_server);
    }
    check_cluster(
        &[SERVER, "proxy-url: 'ftp://x'"],
        "kubeconfig DIR/config: the proxy for the API server is not a URL such as \
         http://proxy.example.com:3128",
    );
    check_cluster(
        &[SERVER, "certificate-authority-data: '***'"],
        "kubeconfig DIR/config: certificate-authority-data is not Base64",
    );
    for base64 in ["eA==", "\"e\\nA=\\r\\n=\\n\""] {
        check_cluster(
            &[SERVER, &format!("certificate-authority-data: {base64}")],
            "kubeconfig DIR/config: certificate-authority holds no PEM certificate",
        );
    }
    check_user(
        &["client-certificate-data: eA==", "client-key-data: eA=="],
        "kubeconfig DIR/config: client-certificate holds no PEM certificate",
    );
    check_user(
        &["token: \"a\\nb\""],
        "kubeconfig DIR/config: the token holds characters that no token has",
    );
    check_user(
        &["tokenFile: token"],
        "kubeconfig DIR/config: the file that tokenFile names holds no token",
    );
    check_user(
        &["tokenFile: binary"],
        "kubeconfig DIR/config: the token holds characters that no token has",
    );
}

#[test]
fn files_are_relative_to_the_kubeconfig() {
    let gone = "No such file or directory (os error 2)";
    check_user(
        &["tokenFile: sub/none"],
        &format!("cannot read DIR/sub/none (tokenFile of the kubeconfig): {gone}"),
    );
    check_cluster(
        &[SERVER, "certificate-authority: /none"],
        &format!("cannot read /none (certificate-authority of the kubeconfig): {gone}"),
    );
    check_user(
        &["client-certificate: c", "client-key: k"],
        &format!("cannot read DIR/c (client-certificate of the kubeconfig): {gone}"),
    );
    let path = std::path::Path::new("/none/kubeconfig");
    let error = kube_node::KubeClient::from_kubeconfig(path, &|_| None);
    assert_eq!(
        Dir::new().text(&error.unwrap_err()),
        format!("cannot read /none/kubeconfig: {gone}")
    );
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is wrong, nothing of the file is quoted.
        #[test]
        fn no_damage_panics_or_shows_the_token(
            at: prop::sample::Index,
            cut in 0..9_usize,
            text in "[\\[\\]{}\"',:|>&*!#%@`~ \n-]{0,5}|null|\\PC{0,5}",
        ) {
            let whole = kubeconfig(&[SERVER], &["token: MARKER"]);
            let at = at.index(whole.len());
            let end = (at + cut).min(whole.len());
            if let (Some(head), Some(tail)) = (whole.get(..at), whole.get(end..)) {
                let dir = Dir::new();
                if let Err(error) = dir.client(&format!("{head}{text}{tail}")) {
                    let said = dir.text(&error);
                    prop_assert!(!said.contains("MARKER"), "{said}");
                }
            }
        }
    }
}
