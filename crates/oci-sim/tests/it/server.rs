//! Over real sockets: TLS, keep-alive, resets.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use oci_sim::{Config, Running, Sim};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::client::{add_instance, signed};

/// An agent that trusts the cloud's authority.
fn agent(cloud: &Running) -> ureq::Agent {
    let root = Certificate::from_pem(cloud.ca_pem().as_bytes()).unwrap();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[root])).build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into()
}

fn get(cloud: &Running, endpoint: &str, path: &str) -> http::Request<Vec<u8>> {
    let host = endpoint.split_once("//").unwrap().1;
    let mut request = signed(cloud.credentials(), "GET", path, host, None, &[], cloud.now());
    *request.uri_mut() = format!("{endpoint}{path}").parse().unwrap();
    request
}

#[test]
fn the_api_is_there_with_and_without_tls() {
    let cloud = Sim::start(Config::default()).unwrap();
    let id = add_instance(&cloud, "node-1");
    let agent = agent(&cloud);
    for endpoint in [
        cloud.endpoint(),
        cloud.http_endpoint(),
        cloud.endpoint().replace("127.0.0.1", "localhost"),
    ] {
        let path = format!("/20160918/instances/{id}");
        let mut response = agent.run(get(&cloud, &endpoint, &path)).unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        let body: serde_json::Value =
            serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap();
        assert_eq!(body["id"], id);
    }
    assert_eq!(std::fs::read_to_string(cloud.ca_path()).unwrap(), cloud.ca_pem());
}

#[test]
fn strangers_do_not_trust_the_certificate() {
    let cloud = Sim::start(Config::default()).unwrap();
    let error = ureq::get(format!("{}/20160918/x", cloud.endpoint())).call().unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    let config = Config { certificate_names: vec!["other.example".into()], ..Config::default() };
    let cloud = Sim::start(config).unwrap();
    let error = agent(&cloud).run(get(&cloud, &cloud.endpoint(), "/x")).unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
}

#[test]
fn one_connection_serves_many_requests() {
    let cloud = Sim::start(Config::default()).unwrap();
    let id = add_instance(&cloud, "node-1");
    let mut socket =
        TcpStream::connect(cloud.http_endpoint().trim_start_matches("http://")).unwrap();
    for field in ["id", "displayName"] {
        write!(socket, "GET /opc/v2/instance/{field} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer Oracle\r\n\r\n").unwrap();
        let mut buffer = [0; 1024];
        let length = socket.read(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("\r\ndate: "), "{text}");
        assert!(text.ends_with(if field == "id" { &id } else { "node-1" }), "{text}");
    }
}

#[test]
fn it_is_gone_when_dropped() {
    let cloud = Sim::start(Config::default()).unwrap();
    let (address, ca) = (cloud.http_endpoint().replace("http://", ""), cloud.ca_path().to_owned());
    let idle = TcpStream::connect(&address).unwrap();
    drop(cloud);
    assert!(TcpStream::connect(&address).is_err());
    assert!(!ca.exists());
    drop(idle);
}

#[test]
fn a_taken_port_is_named() {
    let cloud = Sim::start(Config::default()).unwrap();
    let port: u16 = cloud.endpoint().rsplit_once(':').unwrap().1.parse().unwrap();
    let error = Sim::start(Config { https_port: port, ..Config::default() }).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on 127.0.0.1:{port}"));
}
