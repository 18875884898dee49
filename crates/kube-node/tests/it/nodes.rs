//! Asking a real TLS server for a node.

use std::{fs, time::Duration};

use kube_node::{KubeClient, KubeNode};
use oci_rest::Network;

use crate::{
    server::{Authority, Server, answer},
    support::{Dir, kubeconfig},
};

const LIMIT: Duration = Duration::from_secs(2);
const NODE: &str = include_str!("../../testdata/node.json");
const NOT_FOUND: &str = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"nodes \"worker-1\" not found","reason":"NotFound","code":404}"#;

/// What the node `worker-1` is said to be, with the port as `PORT`.
fn ask(
    dir: &Dir,
    server: &Server,
    authority: &Authority,
    user: &[&str],
) -> Result<Option<KubeNode>, String> {
    dir.write("ca.pem", &authority.pem);
    let server_line = format!("server: https://127.0.0.1:{}", server.port);
    let cluster = [&server_line, "certificate-authority: ca.pem"];
    let client = dir.client(&kubeconfig(&cluster, user)).unwrap().with_limit(LIMIT);
    client.node("worker-1").map_err(|error| {
        let port = server.port.to_string();
        dir.text(&error).replace(&port, "PORT")
    })
}

/// The outcome when the server answers with `reply`.
#[track_caller]
fn check(reply: Option<String>, outcome: Result<bool, &str>) {
    let (dir, authority) = (Dir::new(), Authority::new());
    let server = authority.serve(None, move |_| reply.clone());
    let found = ask(&dir, &server, &authority, &["token: t"]);
    assert_eq!(found.map(|node| node.is_some()), outcome.map_err(str::to_owned));
}

#[test]
fn a_node_is_found_with_the_token() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let server = authority.serve(None, |_| answer(200, NODE));
    dir.write("token", "from-file\n");
    for (user, header) in [
        (&["token: inline"][..], "authorization: Bearer inline\r\n"),
        (&["token: inline", "tokenFile: token"], "authorization: Bearer from-file\r\n"),
        (&["username: u", "password: '1'"], "authorization: Basic dTox\r\n"),
    ] {
        let node = ask(&dir, &server, &authority, user).unwrap().unwrap();
        assert_eq!(node.provider_id.as_deref(), Some("oci://ocid1.instance.oc1.phx.abc"));
        let request = server.requests.lock().unwrap().pop().unwrap();
        assert!(request.starts_with("GET /api/v1/nodes/worker-1 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(header), "{request}");
    }
}

#[test]
fn a_server_may_have_a_path_and_a_name_may_be_strange() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let server = authority.serve(None, |_| answer(404, NOT_FOUND));
    dir.write("ca.pem", &authority.pem);
    let line = format!("server: https://127.0.0.1:{}/k8s/clusters/c-1/", server.port);
    let text = kubeconfig(&[&line, "certificate-authority: ca.pem"], &["token: t"]);
    assert_eq!(dir.client(&text).unwrap().node("../a b?c").unwrap(), None);
    let request = server.requests.lock().unwrap().pop().unwrap();
    let target = "GET /k8s/clusters/c-1/api/v1/nodes/..%2Fa%20b%3Fc HTTP/1.1\r\n";
    assert!(request.starts_with(target), "{request}");
}

#[test]
fn the_status_decides() {
    check(answer(200, NODE), Ok(true));
    check(answer(404, NOT_FOUND), Ok(false));
    check(
        answer(401, ""),
        Err("the API server 127.0.0.1:PORT refuses to show node worker-1 (401): the token or \
             client certificate is not valid (any more)"),
    );
    check(
        answer(403, ""),
        Err("the API server 127.0.0.1:PORT refuses to show node worker-1 (403): its user needs a \
             ClusterRole with apiGroups: [\"\"], resources: [nodes], verbs: [get]"),
    );
    check(
        answer(404, "404 page\r\nnot found"),
        Err("the API server 127.0.0.1:PORT answers 404 for node worker-1: 404 page  not found"),
    );
    check(
        answer(500, &"x".repeat(5000)),
        Err(&format!(
            "the API server 127.0.0.1:PORT answers 500 for node worker-1: {}",
            "x".repeat(200)
        )),
    );
    let no_node = "the API server 127.0.0.1:PORT answers 200 for node worker-1: this is not a \
                   Node of Kubernetes";
    check(answer(200, "<html>"), Err(no_node));
    check(answer(200, r#"{"kind":"NodeList","items":[]}"#), Err(no_node));
    check(
        Some("HTTP/1.1 302 X\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n".to_owned()),
        Err("the API server 127.0.0.1:PORT answers 302 for node worker-1: "),
    );
}

#[test]
fn half_an_answer_is_none() {
    let half = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{NODE}", NODE.len() + 1);
    let text = "the API server 127.0.0.1:PORT cannot be asked for node worker-1: ";
    let half_body =
        format!("{text}connection lost while reading the answer (closed by the other side)");
    check(Some(half), Err(&half_body));
    let closed =
        format!("{text}connection lost while waiting for the answer (closed by the other side)");
    check(Some(String::new()), Err(&closed));
}

#[test]
fn a_silent_server_runs_into_the_limit() {
    check(
        None,
        Err(
            "the API server 127.0.0.1:PORT cannot be asked for node worker-1: time limit passed while waiting \
             for the answer; it was reached and is too slow, or something between drops what is sent; the next call \
             tries again",
        ),
    );
}

#[test]
fn another_authority_is_not_believed() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let server = authority.serve(None, |_| answer(200, NODE));
    let error = ask(&dir, &server, &Authority::new(), &["token: t"]).unwrap_err();
    assert_eq!(
        error,
        "the API server 127.0.0.1:PORT cannot be asked for node worker-1: TLS failed while connecting (its certificate \
         is not signed by the trusted authority of that name, or is not its own); give the certificate of its \
         authority in certificate-authority of the kubeconfig; where a firewall or proxy opens TLS in between, that is \
         the firewall's authority"
    );
    assert!(server.requests.lock().unwrap().is_empty(), "the token stays at home");

    let line = format!("server: https://127.0.0.1:{}", server.port);
    let text = kubeconfig(&[&line, "insecure-skip-tls-verify: true"], &["token: t"]);
    assert!(dir.client(&text).unwrap().node("worker-1").unwrap().is_some());
}

#[test]
fn a_client_certificate_is_accepted() {
    let (dir, authority, clients) = (Dir::new(), Authority::new(), Authority::new());
    let server = authority.serve(Some(&clients), |_| answer(200, NODE));
    let (certificate, key) = clients.pair("driver");
    dir.write("client.pem", &certificate);
    dir.write("client.key", &key);
    let user = ["client-certificate: client.pem", "client-key: client.key"];
    assert!(ask(&dir, &server, &authority, &user).unwrap().is_some());

    let (strange, strange_key) = Authority::new().pair("stranger");
    dir.write("client.pem", &strange);
    dir.write("client.key", &strange_key);
    for user in [&user[..], &["token: t"]] {
        let error = ask(&dir, &server, &authority, user).unwrap_err();
        assert!(error.contains("cannot be asked for node worker-1: "), "{error}");
    }
}

#[test]
fn a_pod_asks_with_its_service_account() {
    let (dir, authority) = (Dir::new(), Authority::new());
    let server = authority.serve(None, |_| answer(200, NODE));
    dir.write("ca.crt", &authority.pem);
    let token = dir.write("token", "of-the-pod\n");
    let account = token.parent().unwrap();
    let url = format!("https://127.0.0.1:{}", server.port);
    let ask = || KubeClient::in_cluster(&url, account, &Network::default());
    let node = ask().unwrap().node("worker-1").unwrap().unwrap();
    assert_eq!(node.provider_id.as_deref(), Some("oci://ocid1.instance.oc1.phx.abc"));
    let request = server.requests.lock().unwrap().pop().unwrap();
    assert!(request.contains("authorization: Bearer of-the-pod\r\n"), "{request}");
    dir.write("token", " \n");
    assert_eq!(
        dir.text(&ask().unwrap_err()),
        "kubeconfig DIR: the token of the service account is empty"
    );
    fs::remove_file(&token).unwrap();
    assert_eq!(
        dir.text(&ask().unwrap_err()),
        "cannot read DIR/token: No such file or directory (os error 2)"
    );
}
