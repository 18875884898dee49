//! A master without any key of its own: one line of configuration, and the instance signs.

use std::{fs, path::Path};

use testbed::{Answer, Cluster, Setup, run};

use crate::support::{cluster_with, failure_with, success};

/// A cluster whose master has the one line, and where to find the cloud.
fn keyless() -> Cluster {
    let cluster = cluster_with(&Setup { nodes: 1, ..Setup::default() });
    let endpoint = cluster.sim.endpoint();
    let config = format!(
        "useInstancePrincipals: true\nendpoints:\n  iaas: {endpoint}\n  auth: {endpoint}\n"
    );
    cluster.write_config(&config).unwrap();
    cluster.sim.rotate_certificates();
    cluster
}

/// A call of the controller manager on a host whose `/run` is in memory, as it is everywhere.
fn call(cluster: &Cluster, run_dir: &Path, args: &[&str]) -> Answer {
    let mut command = cluster.controller().command(args);
    command.env("OCI_FLEXD_RUN_DIRECTORY", run_dir);
    run(command).unwrap()
}

fn asked(cluster: &Cluster, from: usize, operations: &[&str]) -> usize {
    let requests = cluster.sim.requests();
    requests.iter().skip(from).filter(|it| operations.contains(&it.operation)).count()
}

#[test]
fn a_second_attach_asks_for_no_metadata_and_no_token() {
    let cluster = keyless();
    let run_dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let from = cluster.sim.requests().len();
    let attach = ["attach", &cluster.options(&[]), "node-1"];
    success(&call(&cluster, run_dir.path(), &attach));
    assert_eq!(asked(&cluster, from, &["GetToken"]), 1);
    assert!(asked(&cluster, from, &["Metadata"]) >= 4);

    let from = cluster.sim.requests().len();
    success(&call(&cluster, run_dir.path(), &attach));
    success(&call(&cluster, run_dir.path(), &["detach", cluster.volume_name(), "node-1"]));
    assert_eq!(asked(&cluster, from, &["GetToken", "Metadata"]), 0);
    assert!(cluster.sim.requests().iter().skip(from).all(|it| it.is_signed));
}

#[test]
fn a_token_that_was_taken_back_is_replaced() {
    let cluster = keyless();
    let run_dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let attach = ["attach", &cluster.options(&[]), "node-1"];
    success(&call(&cluster, run_dir.path(), &attach));
    cluster.sim.revoke_tokens();
    let from = cluster.sim.requests().len();
    success(&call(&cluster, run_dir.path(), &attach));
    assert_eq!(asked(&cluster, from, &["GetToken"]), 1);
}

#[test]
fn a_token_and_its_key_are_nowhere_but_in_the_cache() {
    let cluster = keyless();
    let run_dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let attach = ["attach", &cluster.options(&[]), "node-1"];
    let mut command = cluster.controller().command(&attach);
    command.env("OCI_FLEXD_RUN_DIRECTORY", run_dir.path()).env("OCI_FLEXD_LOG_LEVEL", "trace");
    let answer = run(command).unwrap();
    success(&answer);
    let cache = run_dir.path().join("cache");
    let mut files = fs::read_dir(&cache).unwrap().map(|it| it.unwrap().path());
    let session = files.find(|it| it.display().to_string().contains("session-")).unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(session).unwrap()).unwrap();
    let secrets = ["token", "key"].map(|name| kept["value"][name].as_str().unwrap().to_owned());
    let controller = cluster.controller();
    let log = controller.folder("OCI_FLEXD_DRIVER_LOG_DIR").unwrap();
    let log = fs::read_to_string(log.join("oci_flexvolume_driver.log")).unwrap();
    for secret in secrets {
        assert!(secret.len() > 100 && !log.contains(&secret[..60]), "{log}");
        assert!(!answer.text.contains(&secret[..60]));
    }
}

#[test]
fn an_instance_without_rights_is_told_what_to_do() {
    let cluster = keyless();
    let refused = oci_sim::Effect::status(404, "NotAuthorizedOrNotFound", "no such group");
    cluster.sim.fail(oci_sim::Fault::new("GetToken", 1.., refused));
    let run_dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let answer = call(&cluster, run_dir.path(), &["attach", &cluster.options(&[]), "node-1"]);
    let parts = ["this instance got no token from", "404", "no such group", "dynamic group"];
    failure_with(&answer, &parts);
}
