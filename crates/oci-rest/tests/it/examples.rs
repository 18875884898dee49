//! The examples, run against the simulated cloud.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::{Arc, Once},
};

use expect_test::{Expect, expect};
use oci_sim::{ApiKeyUser, Config, Delay, NewInstance, NewVolume, Phase, Running, Sim};
use tempfile::TempDir;

/// A cloud with a node and a volume, and the key of its user in a file.
struct Scene {
    cloud: Running,
    node: String,
    volume: String,
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let config = Config { attach_delay: Delay::Polls(1), ..Config::default() };
        let cloud = Sim::start(config).unwrap();
        let node = NewInstance { display_name: "node".into(), ..NewInstance::default() };
        let data = NewVolume { display_name: "data".into(), size_gb: 50, ..NewVolume::default() };
        let (node, volume) = (cloud.add_instance(node), cloud.add_volume(data));
        let scene = Self { cloud, node, volume, folder: tempfile::tempdir().unwrap() };
        fs::write(scene.key_file(), &scene.cloud.credentials().private_key_pem).unwrap();
        scene
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Runs an example and compares what it prints. OCIDs and the target's name differ from run to
    /// run: their last parts are cut.
    fn check(&self, example: &str, expected: &Expect) {
        let user = self.cloud.credentials();
        let output = Command::new(program(example))
            .args([&self.node, &self.volume])
            .env_clear()
            .env("OCI_CLI_TENANCY", &user.tenancy)
            .env("OCI_CLI_USER", &user.user)
            .env("OCI_CLI_KEY_FILE", self.key_file())
            .env("OCI_CLI_ENDPOINT", self.cloud.endpoint())
            .env("OCI_CLI_CERT_BUNDLE", self.cloud.ca_path())
            .env("OCI_COMPARTMENT", self.cloud.compartment())
            .output()
            .unwrap();
        let text =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        expected.assert_eq(&text.split_inclusive(' ').map(cut).collect::<String>());
        assert!(output.status.success());
        assert_eq!(self.cloud.violations(), [""; 0]);
    }
}

fn check(example: &str, expected: &Expect) {
    Scene::new().check(example, expected);
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

/// The key is replaced between two requests, and the old one is deleted in the console.
#[test]
fn credentials_may_be_of_ones_own() {
    let scene = Scene::new();
    let old = scene.cloud.credentials().clone();
    let pem = include_str!("../../testdata/api-key.pem");
    let new = ApiKeyUser::from_pem(&old.tenancy, &old.user, pem).unwrap();
    let (sim, key_file, once) = (Arc::downgrade(scene.cloud.sim()), scene.key_file(), Once::new());
    scene.cloud.on_request(move |event| {
        if event.phase == Phase::Performed {
            once.call_once(|| {
                let sim = sim.upgrade().unwrap();
                fs::write(&key_file, pem).unwrap();
                sim.add_user(&new);
                sim.remove_user(&old);
            });
        }
    });
    scene.check(
        "custom_credentials",
        &expect![[r#"
            now: 1 volumes
            later: 1 volumes
        "#]],
    );
    let statuses: Vec<_> = scene.cloud.requests().iter().map(|it| it.status).collect();
    assert_eq!(statuses, [Some(200), Some(401), Some(200)]);
}
