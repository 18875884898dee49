//! What a kubeconfig may say, and what it is told when it says something else.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use kube_node::KubeClient;
use oci_rest::Network;

use crate::{
    server::Authority,
    support::{Dir, kubeconfig},
};

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

/// kubectl reads what is there of other contexts, and so do we.
#[test]
fn what_the_current_context_does_not_use_does_no_harm() {
    let unused = [
        ("users", "- name: other"),
        ("users", "- name: other\n  user: null"),
        ("users", "- name: other\n  user: {exec: {command: aws}, unknown: [1, {a: b}]}"),
        ("users", "- name: other\n  user: {auth-provider: {name: gcp}, tokenFile: /none}"),
        ("users", "- name: other\n  user: {client-certificate: /none, client-key: /none}"),
        ("users", "- name: other\n  user: {client-certificate-data: '***'}"),
        ("clusters", "- name: other\n  cluster: {}"),
        ("clusters", "- name: other\n  cluster: {server: '', certificate-authority-data: '***'}"),
        (
            "clusters",
            "- name: other\n  cluster: {server: x, proxy-url: 'socks5://x', extensions: []}",
        ),
        ("clusters", "- name: other\n  cluster: {insecure-skip-tls-verify: yes}"),
        ("clusters", "- cluster: {server: x}"),
        ("contexts", "- name: other"),
        ("contexts", "- name: other\n  context: {namespace: n}"),
        ("contexts", "- name: other\n  context: {cluster: none, user: none}"),
    ];
    for (list, entry) in unused {
        let text = kubeconfig(&[SERVER], &["token: t"]);
        check_text(&text.replace(&format!("{list}:\n"), &format!("{list}:\n{entry}\n")), "ok");
    }
}

#[test]
fn a_secret_is_for_one_user_only() {
    let secret = |mode: u32| {
        Err(format!(
            "DIR/config holds a secret and everybody may read it (mode {mode:04o}); run: chmod 600 DIR/config"
        ))
    };
    let open = |mode: u32| {
        Err(format!("everybody may change DIR/config (mode {mode:04o}); run: chmod 644 DIR/config"))
    };
    let key = |mode: u32| {
        Err(format!(
            "DIR/key holds a secret and everybody may read it (mode {mode:04o}); run: chmod 600 DIR/key"
        ))
    };
    let (certificate, pem) = Authority::new().pair("driver");
    let files = ["client-certificate: cert", "client-key: key"];
    for (user, file, mode, expected) in [
        (&["token: t"][..], "config", 0o600, Ok(())),
        (&["token: t"], "config", 0o640, Ok(())),
        (&["token: t"], "config", 0o644, secret(0o644)),
        (&["token: t"], "config", 0o666, secret(0o666)),
        (&["username: u", "password: p"], "config", 0o604, secret(0o604)),
        (&files, "config", 0o644, Ok(())),
        (&files, "config", 0o666, open(0o666)),
        (&files, "key", 0o640, Ok(())),
        (&files, "key", 0o644, key(0o644)),
    ] {
        let dir = Dir::new();
        dir.write("cert", &certificate);
        dir.write("key", &pem);
        let path = dir.write("config", &kubeconfig(&[SERVER], user));
        let changed = path.with_file_name(file);
        fs::set_permissions(changed, fs::Permissions::from_mode(mode)).unwrap();
        let client = KubeClient::from_kubeconfig(&path, &Network::default());
        assert_eq!(client.map(drop).map_err(|error| dir.text(&error)), expected, "{mode:o}");
    }
}

/// A pipe would keep the call waiting, and a document can be deeper than any stack.
#[test]
fn what_is_no_document_ends_at_once() {
    let dir = Dir::new();
    let path = dir.write("config", "");
    fs::remove_file(&path).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
    let read = |path: &Path| {
        dir.text(&KubeClient::from_kubeconfig(path, &Network::default()).unwrap_err())
    };
    assert_eq!(read(&path), "cannot read DIR/config: it is not a regular file");
    fs::remove_file(&path).unwrap();
    let large = dir.write("large", &"#".repeat(1024 * 1024 + 1));
    assert_eq!(read(&large), "cannot read DIR/large: it is larger than 1 MiB, and no such file is");
    for deep in
        ["[".repeat(500_000), "a: ".repeat(1000), "{a: ".repeat(100_000), "- ".repeat(500_000)]
    {
        let deep = dir.write("deep", &deep);
        assert!(read(&deep).starts_with("kubeconfig DIR/deep: "), "{}", read(&deep));
    }
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
    for (text, problem) in [
        (
            "a: b: c",
            "line 1 column 5: a colon where none can be: check the indentation of the line, and \
                     put a value with a colon in quotes",
        ),
        (
            "a: 'b",
            "line 1 column 4: the quotation that begins here does not end; if the value has \
                   quotes of its own, put it in the other kind",
        ),
        ("clusters: 5", "line 1 column 11: text where a list belongs; check the indentation"),
        (
            "a:\n\tb: c",
            "line 2 column 1: a tab indents the line, which YAML does not allow; use spaces",
        ),
        (
            "\u{7f}\u{0}",
            "it holds NUL bytes, as UTF-16 without a byte order mark does; save it as UTF-8",
        ),
    ] {
        check_text(text, &format!("kubeconfig DIR/config: {problem}"));
    }
    check_text("\u{feff}---\n---\nx", "kubeconfig DIR/config: current-context is not set");
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
}

#[test]
fn values_of_a_wrong_kind_are_named() {
    let no_server = "kubeconfig DIR/config: server is not a URL such as https://10.0.0.1:6443";
    for server in [
        "10.0.0.1:6443",
        "ftp://10.0.0.1",
        "https://",
        "''",
        "https://a b",
        "https://bücher.example",
        "https://10.0.0.1:99999",
        "https://10.0.0.1:0",
        "'https://10.0.0.1:'",
        "https://[::1",
        "/no-host",
    ] {
        check_cluster(&[&format!("server: {server}")], no_server);
    }
    check_cluster(
        &[SERVER, "proxy-url: 'ftp://x'"],
        "kubeconfig DIR/config: proxy-url is not a URL such as http://proxy.example.com:3128",
    );
    for scheme in ["socks5", "socks5h", "socks4", "SOCKS5"] {
        check_cluster(
            &[SERVER, &format!("proxy-url: {scheme}://127.0.0.1:1080")],
            "kubeconfig DIR/config: proxy-url names a SOCKS proxy, and SOCKS is not spoken: give an HTTP proxy that \
             allows CONNECT, such as http://proxy.example.com:3128",
        );
    }
    check_cluster(
        &[SERVER, "tls-server-name: 'a b'"],
        "kubeconfig DIR/config: tls-server-name is neither the name of a host nor an address",
    );
    check_cluster(
        &[SERVER, "certificate-authority-data: '***'"],
        "kubeconfig DIR/config: certificate-authority-data is not Base64",
    );
    for base64 in ["eA==", "\"e\\nA=\\r\\n=\\n\""] {
        check_cluster(
            &[SERVER, &format!("certificate-authority-data: {base64}")],
            "kubeconfig DIR/config: certificate-authority-data must be a bundle of PEM certificates (-----BEGIN \
             CERTIFICATE-----)",
        );
    }
    check_user(
        &["client-certificate-data: eA==", "client-key-data: eA=="],
        "kubeconfig DIR/config: client-certificate-data holds no PEM certificate",
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
    check_user(
        &["as: \"a\\nb\"", "token: t"],
        "kubeconfig DIR/config: as, as-uid, as-groups and as-user-extra must be plain text",
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
    let path = Path::new("/none/kubeconfig");
    let error = KubeClient::from_kubeconfig(path, &Network::default());
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
