//! A secret goes in through every input and comes out of no output.

use testbed::{Cluster, Setup};

use crate::support::{cluster_with, read_log};

/// `MARKER` in base64, as Kubernetes passes secrets.
const ENCODED: &str = "TUFSS0VS";

#[track_caller]
fn check(cluster: &Cluster, args: &[&str]) -> testbed::Answer {
    check_logged_as("json", cluster, args);
    check_logged_as("text", cluster, args)
}

#[track_caller]
fn check_logged_as(format: &str, cluster: &Cluster, args: &[&str]) -> testbed::Answer {
    let controller = cluster.controller();
    let mut command = controller.command(args);
    command.env("OCI_FLEXD_LOG_LEVEL", "trace").env("OCI_PROXY", "http://u:MARKER@127.0.0.1:1");
    command.env("OCI_FLEXD_LOG_FORMAT", format);
    let answer = testbed::run(command).unwrap();
    let log = controller.folder("OCI_FLEXD_DRIVER_LOG_DIR").unwrap();
    let log = read_log(&log.join("oci_flexvolume_driver.log"));
    for shown in [&answer.text, &log] {
        let key = &cluster.sim.credentials().private_key_pem;
        let key_line = key.lines().nth(5).unwrap();
        for secret in ["MARKER", ENCODED, key_line, "Signature version"] {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    }
    answer
}

#[test]
fn no_output_has_a_secret() {
    let cluster = cluster_with(&Setup { nodes: 1, ..Setup::default() });
    let secret = [("kubernetes.io/secret/password", ENCODED)];
    let broken = [("kubernetes.io/secret/password", "MARKER!")];
    let nested = format!(r#"{{"kubernetes.io/secret/password":["{ENCODED}"]}}"#);
    let cut = format!(r#"{{"kubernetes.io/secret/password":"{ENCODED}"#);
    for options in [&cluster.options(&secret), &cluster.options(&broken), &nested, &cut] {
        for args in [
            &["attach", options, "node-1"][..],
            &["isattached", options, "node-1"],
            &["waitforattach", "/dev/x", options],
            &["mountdevice", "/nowhere", "/dev/x", options],
            &["mount", "/nowhere", options],
            &["expandfs", options, "/dev/x", "/nowhere", "2", "1"],
        ] {
            let answer = check(&cluster, args);
            // kubelet logs the whole argument list of a call that exits otherwise.
            assert_eq!(answer.code, Some(0), "{args:?}: {answer:?}");
        }
    }
    let right = cluster.config();
    for config in [
        right.clone(),
        format!("{right}    MARKER\n"),
        right.replace("  user:", "  passphrase: MARKER\n  user:"),
        right.replace("-----END", "MARKER\n    -----END"),
        right.replace("key: |", "key:"),
        format!("{right}MARKER: x\n"),
    ] {
        cluster.write_config(&config).unwrap();
        check(&cluster, &["attach", &cluster.options(&[]), "node-1"]);
    }
}
