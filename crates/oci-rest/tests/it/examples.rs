//! The examples, run against the simulated cloud.

use std::{fs, path::PathBuf, process::Command};

use expect_test::{Expect, expect};
use oci_sim::{Config, Delay, NewInstance, NewVolume, Sim};

/// Runs an example on a cloud with a node and a volume, and compares what it prints. OCIDs and the
/// target's name differ from run to run: their last parts are cut.
fn check(example: &str, expected: &Expect) {
    let config = Config { attach_delay: Delay::Polls(1), ..Config::default() };
    let cloud = Sim::start(config).unwrap();
    let node =
        cloud.add_instance(NewInstance { display_name: "node".into(), ..NewInstance::default() });
    let data = NewVolume { display_name: "data".into(), size_gb: 50, ..NewVolume::default() };
    let volume = cloud.add_volume(data);
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
        .env("OCI_CLI_ENDPOINT", cloud.endpoint())
        .env("OCI_CLI_CERT_BUNDLE", cloud.ca_path())
        .env("OCI_COMPARTMENT", cloud.compartment())
        .output()
        .unwrap();
    let text =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    expected.assert_eq(&text.split_inclusive(' ').map(cut).collect::<String>());
    assert!(output.status.success());
    assert_eq!(cloud.violations(), [""; 0]);
}

/// `cargo test` builds the examples before it runs this.
fn program(example: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(example);
    assert!(path.exists(), "{} is built by `cargo test -p oci-rest`", path.display());
    path
}

fn cut(word: &str) -> String {
    let end = word.trim_end().len();
    let (word, space) = word.split_at(end);
    match word.rsplit_once(if word.starts_with("iqn.") { ':' } else { '.' }) {
        Some((start, _)) if word.starts_with("ocid1.") || word.starts_with("iqn.") => {
            format!("{start}…{space}")
        }
        _ => format!("{word}{space}"),
    }
}

#[test]
fn volumes_are_listed() {
    check(
        "list_volumes",
        &expect![[r#"
        data: 50 GiB, AVAILABLE, ocid1.volume.oc1.phx…
    "#]],
    );
}

#[test]
fn a_volume_is_attached_waited_for_and_detached() {
    check(
        "attach_and_wait",
        &expect![[r#"
        ATTACHING
        ATTACHED: log in to iqn.2015-12.com.oracleiaas… at 169.254.2.2:3260
        Detached
    "#]],
    );
}

#[test]
fn another_service_is_called() {
    check(
        "another_service",
        &expect![[r#"
        Uocm:PHX-AD-1
        Uocm:PHX-AD-2
        Uocm:PHX-AD-3
    "#]],
    );
}

#[test]
fn credentials_may_be_of_ones_own() {
    check(
        "custom_credentials",
        &expect![[r#"
        1 volumes with the first key
        1 volumes with the second
    "#]],
    );
}
