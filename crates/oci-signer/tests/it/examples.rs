//! The examples, run against the simulated cloud: it accepts what every HTTP client sends.

use std::{fs, path::PathBuf, process::Command};

use oci_sim::{Config, NewInstance, NewVolume, Sim};

/// Runs an example: the volume is attached by one signed request.
#[track_caller]
fn check(example: &str) {
    let cloud = Sim::start(Config::default()).unwrap();
    let node = cloud.add_instance(NewInstance::default());
    let volume = cloud.add_volume(NewVolume { size_gb: 50, ..NewVolume::default() });
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key.pem");
    let user = cloud.credentials();
    fs::write(&key_file, &user.private_key_pem).unwrap();
    let output = Command::new(program(example))
        .args([&node, &volume])
        .env_clear()
        .env("OCI_CLI_TENANCY", &user.tenancy)
        .env("OCI_CLI_USER", &user.user)
        .env("OCI_CLI_KEY_FILE", &key_file)
        .env("OCI_CLI_ENDPOINT", cloud.http_endpoint())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with("200 OK\n{"), "{text}");
    let [request] = &cloud.requests()[..] else { panic!("{:?}", cloud.requests()) };
    assert_eq!((request.operation, request.is_signed), ("AttachVolume", true));
    assert_eq!(cloud.attachments()[0].volume_id, volume);
}

/// `cargo test` builds the examples before it runs this.
fn program(example: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(example);
    assert!(path.exists(), "{} is built by `cargo test -p oci-signer`", path.display());
    path
}

#[test]
fn ureq_sends_what_is_signed() {
    check("ureq");
}

#[test]
fn reqwest_sends_what_is_signed() {
    check("reqwest");
}

#[test]
fn hyper_sends_what_is_signed() {
    check("hyper");
}
