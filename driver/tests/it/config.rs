//! A wrong configuration: a Failure that names the thing, the reason and the cure.

use std::{fs, os::unix::fs::PermissionsExt};

use testbed::{Cluster, FaultRow, Setup};

use crate::support::{cluster_with, failure_with, seen_to_fail, success};

fn controller_only() -> Cluster {
    cluster_with(&Setup { nodes: 1, ..Setup::default() })
}

#[track_caller]
fn check(cluster: &Cluster, config: &str, parts: &[&str]) {
    cluster.write_config(config).unwrap();
    let answer = cluster.controller().call(&["attach", &cluster.options(&[]), "node-1"]).unwrap();
    seen_to_fail("X2", "attach with a config.yaml that has something wrong", &answer, parts);
    assert!(cluster.sim.attachments().is_empty());
}

#[test]
fn what_is_wrong_is_said() {
    let cluster = controller_only();
    let right = cluster.config();
    let key_begins = right.find("-----BEGIN").unwrap();
    let broken_key = format!("{}AAAA{}", &right[..key_begins + 60], &right[key_begins + 64..]);
    for (config, parts) in [
        (String::new(), &["config.yaml: auth is missing"][..]),
        (
            right.replace("  user:", "  usr:"),
            &["config.yaml: line 4 column 3: a key that is not known here, perhaps `user`"],
        ),
        (right.replace("us-phoenix-1", "'not a region'"), &["auth.region is no region"]),
        (right.replace("-----BEGIN", "-----BEGUN"), &["auth.key in config.yaml cannot be used"]),
        (broken_key, &["auth.key in config.yaml cannot be used"]),
        (
            right.replace("fingerprint: ", "fingerprint: 00:"),
            &["fingerprint", "one of the two is not the user's current API key"],
        ),
        (right.replace("https://127.0.0.1", "https://127.0.0.2"), &["127.0.0.2"]),
    ] {
        check(&cluster, &config, parts);
    }
    check(
        &cluster,
        &right.replace("ocid1.user.oc1..", "ocid1.user.oc1..x"),
        &["401", "NotAuthenticated"],
    );
    cluster.write_config(&right).unwrap();
    success(&cluster.controller().call(&["attach", &cluster.options(&[]), "node-1"]).unwrap());
}

#[test]
fn credentials_that_do_not_fit_are_told_without_the_key() {
    let cluster = controller_only();
    let right = cluster.config();
    let unencrypted = right.replace("  key: |", "  passphrase: MARKER\n  key: |");
    cluster.write_config(&unencrypted).unwrap();
    success(&cluster.controller().call(&["attach", &cluster.options(&[]), "node-1"]).unwrap());
    let fingerprint = "  fingerprint: ";
    let (before, _) = right.split_once(fingerprint).unwrap();
    for (what, config, parts) in [
        (
            "another user's OCID",
            right.replace("ocid1.user.oc1..", "ocid1.user.oc1..x"),
            ["401", "NotAuthenticated"],
        ),
        (
            "another tenancy's OCID",
            right.replace("ocid1.tenancy.oc1..", "ocid1.tenancy.oc1..x"),
            ["401", "NotAuthenticated"],
        ),
        (
            "another key's fingerprint",
            format!(
                "{before}{fingerprint}00:11\n{}",
                &right[before.len()..].replacen(fingerprint, "  #", 1)
            ),
            ["fingerprint", "one of the two is not the user's current API key"],
        ),
    ] {
        cluster.write_config(&config).unwrap();
        let mut row = FaultRow::new("A5", what);
        let isattached = ["isattached", &cluster.options(&[]), "node-1"];
        let answer = cluster.controller().call(&isattached).unwrap();
        row.shows(&answer);
        failure_with(&answer, &parts);
        assert!(!answer.text.contains("PRIVATE") && !answer.text.contains("MARKER"), "{answer:?}");
    }
}

#[test]
fn a_file_that_everybody_may_read_is_refused() {
    let cluster = controller_only();
    let path = cluster.config_dir().join("config.yaml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let answer = cluster.controller().call(&["attach", &cluster.options(&[]), "node-1"]).unwrap();
    seen_to_fail(
        "X2",
        "attach with mode 0644",
        &answer,
        &["everybody may read it (mode 0644); run: chmod 600"],
    );
}

#[test]
fn what_would_hang_the_call_is_refused() {
    let cluster = controller_only();
    let path = cluster.config_dir().join("config.yaml");
    let brackets = format!("{}loadBalancer: {}", cluster.config(), "[".repeat(200_000));
    check(&cluster, &brackets, &["config.yaml: more than 5000 opening brackets"]);
    fs::remove_file(&path).unwrap();
    assert!(cluster.node(1).tool("mkfifo").arg(&path).status().unwrap().success());
    let answer = cluster.controller().call(&["attach", &cluster.options(&[]), "node-1"]).unwrap();
    let parts = ["cannot read ", "config.yaml: it is not a regular file"];
    seen_to_fail("X2", "attach with a config.yaml that is a pipe", &answer, &parts);
}

/// What is pasted into one line, and what editors of other systems write.
#[test]
fn a_key_is_read_in_every_form_that_people_give_it() {
    let cluster = controller_only();
    let right = cluster.config();
    let begin = right.find("  key: |").unwrap();
    let end = begin + right[begin..].find("-----END").unwrap();
    let end = end + right[end..].find('\n').unwrap();
    let pem = cluster.sim.credentials().private_key_pem.trim().to_owned();
    let in_one = pem.replace('\n', "\\n");
    let with_key = |key: &str| format!("{}{key}{}", &right[..begin], &right[end..]);
    for config in [
        with_key(&format!("  key: {in_one}")),
        with_key(&format!("  key: '{in_one}'")),
        with_key(&format!("  key: \"{in_one}\"")),
        right.replace("  key: |", "  key: >"),
        right.replace('\n', "\r\n"),
        format!("\u{feff}{right}"),
        format!("{right}---\nkind: other\n"),
    ] {
        cluster.write_config(&config).unwrap();
        success(&cluster.controller().call(&["attach", &cluster.options(&[]), "node-1"]).unwrap());
    }
}

#[test]
fn a_worker_says_that_it_is_none() {
    let cluster = controller_only();
    fs::remove_file(cluster.config_dir().join("config.yaml")).unwrap();
    for args in [
        ["attach", &*cluster.options(&[]), "node-1"],
        ["isattached", &*cluster.options(&[]), "node-1"],
        ["detach", cluster.volume_name(), "node-1"],
    ] {
        failure_with(
            &cluster.controller().call(&args).unwrap(),
            &["config.yaml: this host has no credentials, and this call needs them"],
        );
    }
}

#[test]
fn region_and_compartment_come_from_the_metadata_service() {
    let cluster = controller_only();
    let config = cluster.config();
    let short: String = config
        .lines()
        .filter(|line| !line.contains("region:") && !line.contains("compartment:"))
        .flat_map(|line| [line, "\n"])
        .collect();
    cluster.write_config(&short).unwrap();
    let place = cluster.controller();
    success(&place.call(&["attach", &cluster.options(&[]), "node-1"]).unwrap());
    let mut lost = place.command(&["detach", cluster.volume_name(), "node-1"]);
    lost.env("OCI_METADATA_BASE_URL", "http://127.0.0.1:1/opc/v2");
    failure_with(&testbed::run(lost).unwrap(), &["give auth.region in config.yaml"]);
}

#[test]
fn a_clock_that_is_wrong_is_named_with_its_error() {
    let cluster = controller_only();
    cluster.sim.advance(std::time::Duration::from_secs(600));
    let answer = cluster.controller().call(&["attach", &cluster.options(&[]), "node-1"]).unwrap();
    failure_with(&answer, &["401", "behind", "clock"]);
}
