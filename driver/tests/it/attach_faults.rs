//! attach, while the cloud misbehaves: each row of the fault matrix.

use std::{thread, time::Duration};

use oci_sim::{Effect, Fault, NewInstance, NewVolume};
use testbed::{Answer, Cluster, FaultRow, Setup};

use crate::support::{broken_off, cluster, cluster_with, failure, failure_with, success};

const ISCSI: (&str, &str) = ("attachmentType", "iscsi");

fn attach(cluster: &Cluster, node: &str) -> Answer {
    attach_as(cluster, &[ISCSI], node)
}

fn attach_as(cluster: &Cluster, options: &[(&str, &str)], node: &str) -> Answer {
    cluster.controller().call(&["attach", &cluster.options(options), node]).unwrap()
}

/// States of all attachments there have been.
fn states(cluster: &Cluster) -> Vec<&'static str> {
    cluster.sim.attachments().iter().map(|it| it.lifecycle_state).collect()
}

/// The retry tokens of the attach requests, those that follow on an equal one left out.
fn tokens(cluster: &Cluster) -> Vec<String> {
    let requests = cluster.sim.requests().into_iter();
    let mut tokens: Vec<_> = requests
        .filter(|it| it.operation == "AttachVolume")
        .map(|it| it.retry_token.unwrap())
        .collect();
    tokens.dedup();
    tokens
}

#[test]
fn an_unknown_node_and_one_that_may_be_two_are_told() {
    let cluster = cluster();
    let mut row = FaultRow::new("A2", "no instance has the node's name");
    let answer = attach(&cluster, "node-9");
    row.shows(&answer);
    failure(
        &answer,
        &format!(
            "no instance is node node-9: Kubernetes knows no provider id for it, and in compartment {} \
             no instance has that display name and no VNIC that host name or address; name the \
             instance like the node, or give the node a provider id",
            cluster.sim.compartment()
        ),
    );
    drop(row);
    let mut row = FaultRow::new("A2", "two instances have the node's name");
    let display_name = "node-1".to_owned();
    let twin = cluster.sim.add_instance(NewInstance { display_name, ..NewInstance::default() });
    let answer = attach(&cluster, "node-1");
    row.shows(&answer);
    failure(
        &answer,
        &format!(
            "node node-1 may be any of these instances: {}, {twin}; give the node a provider id, or \
             make the display names unique",
            cluster.instances[0]
        ),
    );
    assert_eq!(states(&cluster), [""; 0]);
}

#[test]
fn without_a_metadata_service_the_configuration_must_tell_more() {
    let mut row = FaultRow::new("A3", "no metadata service, no region in config.yaml");
    let cluster = cluster();
    let config = cluster.config().replace("  region: us-phoenix-1\n", "");
    cluster.write_config(&config).unwrap();
    let call = |metadata: &str| {
        let options = cluster.options(&[ISCSI]);
        let mut command = cluster.controller().command(&["attach", &options, "node-1"]);
        command.env("OCI_METADATA_BASE_URL", metadata);
        testbed::run(command).unwrap()
    };
    let answer = call("http://127.0.0.1:1/opc/v2");
    row.shows(&answer);
    failure_with(
        &answer,
        &["the region is not known: give auth.region in config.yaml, or run where the metadata \
             service answers: instance metadata at http://127.0.0.1:1/opc/v2/instance"],
    );
    success(&call(&cluster.sim.metadata_url()));
}

#[test]
fn a_wrong_clock_is_told_with_its_direction() {
    for (ahead, direction) in [(true, "behind"), (false, "ahead")] {
        let mut row = FaultRow::new("A4", format!("the host's clock is 400 s {direction}"));
        let cluster = cluster();
        let skew = Duration::from_secs(400);
        if ahead {
            cluster.sim.advance(skew)
        } else {
            cluster.sim.turn_back(skew)
        }
        let answer = attach(&cluster, "node-1");
        row.shows(&answer);
        let clock = format!("this machine's clock is more than 5 minutes {direction}");
        failure_with(&answer, &["401 NotAuthenticated", &clock]);
        assert_eq!(states(&cluster), [""; 0]);
    }
}

#[test]
fn what_is_attached_here_is_no_work() {
    let mut row = FaultRow::new("A6", "attach thrice");
    let cluster = cluster();
    let first = attach(&cluster, "node-1");
    for _ in 0..2 {
        let again = attach(&cluster, "node-1");
        row.shows(&again);
        assert_eq!(again.text, first.text);
    }
    assert_eq!(states(&cluster), ["ATTACHED"]);
}

#[test]
fn a_call_that_was_killed_is_finished_by_the_next() {
    let mut row = FaultRow::new("A22", "killed between AttachVolume and its answer");
    let mut waited = FaultRow::new("A7", "ATTACHING here, by a call that was killed");
    let cluster = cluster_with(&Setup { looks: Some(3), ..Setup::default() });
    let options = cluster.options(&[ISCSI]);
    broken_off(&cluster, "AttachVolume", &["attach", &options, "node-1"], "ATTACHING");
    assert_eq!(states(&cluster), ["ATTACHING"]);
    let answer = attach(&cluster, "node-1");
    row.shows(&answer);
    waited.shows(&answer);
    success(&answer);
    assert_eq!(states(&cluster), ["ATTACHED"]);
}

#[test]
fn what_is_leaving_is_waited_for_whether_here_or_elsewhere() {
    for (id, node, done) in [
        ("A8", "node-1", "DETACHING here, for three looks"),
        ("A10", "node-2", "DETACHING from another instance, for three looks"),
    ] {
        let mut row = FaultRow::new(id, done);
        let cluster = cluster_with(&Setup { looks: Some(3), ..Setup::default() });
        success(&attach(&cluster, "node-1"));
        let args = ["detach", cluster.volume_name(), "node-1"];
        broken_off(&cluster, "DetachVolume", &args, "DETACHING");
        let answer = attach(&cluster, node);
        row.shows(&answer);
        success(&answer);
        assert_eq!(states(&cluster), ["DETACHED", "ATTACHED"]);
    }
}

#[test]
fn a_volume_that_is_elsewhere_stays_there() {
    let mut row = FaultRow::new("A9", "attached to another instance");
    let cluster = cluster();
    success(&attach(&cluster, "node-1"));
    let answer = attach(&cluster, "node-2");
    row.shows(&answer);
    failure_with(&answer, &["is attached to instance node-1", "never taken away"]);
    assert_eq!(states(&cluster), ["ATTACHED"]);
}

#[test]
fn a_volume_in_the_making_is_waited_for_and_a_lost_one_is_told() {
    for state in ["PROVISIONING", "RESTORING"] {
        let mut row = FaultRow::new("A12", format!("{state}, AVAILABLE a second later"));
        let cluster = cluster();
        cluster.sim.set_volume_state(&cluster.volume, state);
        thread::scope(|scope| {
            let call = scope.spawn(|| attach(&cluster, "node-1"));
            while cluster.sim.requests().iter().all(|it| it.status != Some(409)) {
                thread::sleep(Duration::from_millis(10));
            }
            cluster.sim.set_volume_state(&cluster.volume, "AVAILABLE");
            let answer = call.join().unwrap();
            row.shows(&answer);
            success(&answer);
        });
    }
    for state in ["TERMINATING", "TERMINATED", "FAULTY"] {
        let mut row = FaultRow::new("A12", state);
        let cluster = cluster();
        cluster.sim.set_volume_state(&cluster.volume, state);
        let answer = attach(&cluster, "node-1");
        row.shows(&answer);
        failure(
            &answer,
            &format!(
                "volume {} is {state} and cannot be attached: restore it from a backup",
                cluster.volume
            ),
        );
    }
}

#[test]
fn an_instance_that_does_not_run_is_told_with_its_state() {
    for state in ["STOPPING", "STOPPED", "TERMINATING", "TERMINATED"] {
        let mut row = FaultRow::new("A14", format!("the instance is {state}"));
        let cluster = cluster();
        cluster.sim.set_instance_state(&cluster.instances[0], state);
        // By its OCID: a terminated instance is not found by its name.
        let answer = attach(&cluster, &cluster.instances[0]);
        row.shows(&answer);
        failure(
            &answer,
            &format!(
                "instance {0} of node {0} is {state}; a volume is attached to it when it is RUNNING",
                cluster.instances[0]
            ),
        );
        assert_eq!(states(&cluster), [""; 0]);
    }
}

#[test]
fn a_request_whose_answer_is_lost_attaches_once() {
    for (id, calls, effect, done) in [
        ("A16", 1, Effect::DropAfter, "the connection is reset after AttachVolume"),
        ("A16", 9, Effect::DropAfter, "every answer to AttachVolume is lost"),
        ("A16", 9, Effect::HalfBody, "every answer to AttachVolume breaks off"),
        ("A16", 9, Effect::Body(r#"{"id":"#.into()), "every answer to AttachVolume is no JSON"),
        ("A16", 9, Effect::ContentType("text/html".into()), "a proxy says it is HTML"),
        ("A16", 1, Effect::status(503, "ServiceUnavailable", "x"), "503, not performed"),
        ("A17", 1, Effect::Twice, "a proxy sends AttachVolume twice"),
    ] {
        let mut row = FaultRow::new(id, done);
        let cluster = cluster();
        cluster.sim.fail(Fault::new("AttachVolume", 1..=calls, effect));
        let answer = attach(&cluster, "node-1");
        row.shows(&answer);
        success(&answer);
        assert_eq!(states(&cluster), ["ATTACHED"], "{done}");
        assert_eq!(tokens(&cluster).len(), 1, "{done}");
    }
}

#[test]
fn what_was_lost_and_is_not_listed_yet_is_found_by_the_next_call() {
    let mut row = FaultRow::new("A16", "every answer is lost, and lists lag behind");
    let cluster = cluster();
    cluster.sim.fail(Fault::new("AttachVolume", 1..=4, Effect::DropAfter));
    cluster.sim.fail(Fault::new("AttachVolume", 1, Effect::ListsLag(3)));
    let answer = attach(&cluster, "node-1");
    failure_with(
        &answer,
        &["AttachVolume of volume ", "connection lost while waiting for the answer"],
    );
    let answer = attach(&cluster, "node-1");
    row.shows(&answer);
    success(&answer);
    assert_eq!(states(&cluster), ["ATTACHED"]);
}

#[test]
fn a_used_up_retry_token_is_replaced() {
    let mut row = FaultRow::new("A16", "409 InvalidatedRetryToken");
    let cluster = cluster();
    let used_up = Effect::status(409, "InvalidatedRetryToken", "x");
    cluster.sim.fail(Fault::new("AttachVolume", 1, used_up));
    let answer = attach(&cluster, "node-1");
    row.shows(&answer);
    success(&answer);
    assert_eq!((states(&cluster).len(), tokens(&cluster).len()), (1, 2));
}

#[test]
fn an_attachment_that_fails_in_oci_is_told() {
    let mut row = FaultRow::new("A18", "ATTACHING becomes DETACHED");
    let cluster = cluster();
    cluster.sim.fail(Fault::new("AttachVolume", 1, Effect::Fails));
    let answer = attach(&cluster, "node-1");
    row.shows(&answer);
    failure(
        &answer,
        &format!(
            "volume attachment {} became DETACHED instead of ATTACHED; its work request in OCI tells why",
            cluster.sim.attachments()[0].id
        ),
    );
    success(&attach(&cluster, "node-1"));
    assert_eq!(states(&cluster), ["DETACHED", "ATTACHED"]);
}

#[test]
fn an_attachment_of_another_kind_is_taken_as_it_is() {
    let mut row = FaultRow::new("A19", "attached over iSCSI, paravirtualized asked for");
    let cluster = cluster();
    let iscsi = attach(&cluster, "node-1");
    let answer = attach_as(&cluster, &[("attachmentType", "paravirtualized")], "node-1");
    row.shows(&answer);
    assert_eq!(answer.text, iscsi.text);
}

#[test]
fn a_device_path_that_another_volume_took_is_left_to_it() {
    let mut row = FaultRow::new("A20", "the list of free device paths shows one that is taken");
    let cluster = cluster();
    let paravirtualized = ("attachmentType", "paravirtualized");
    let other =
        cluster.sim.add_volume(NewVolume { disk_bytes: Some(1 << 20), ..NewVolume::default() });
    let name = ("kubernetes.io/pvOrVolumeName", &*other);
    success(&attach_as(&cluster, &[paravirtualized, name], "node-1"));
    let stale = r#"[{"name":"/dev/oracleoci/oraclevdb","isAvailable":true}]"#;
    cluster.sim.fail(Fault::new("ListInstanceDevices", 1, Effect::Body(stale.into())));
    let answer = attach_as(&cluster, &[paravirtualized], "node-1");
    row.shows(&answer);
    success(&answer);
    assert_eq!(answer.field("device").unwrap(), "/dev/oracleoci/oraclevdc");
}

/// What cannot be repaired by trying again is told at once, with OCI's words and what would help.
#[test]
fn refusals_are_told_with_code_cause_and_cure() {
    let statement =
        "`Allow group <group> to manage volume-attachments in compartment <compartment>`";
    for (status, code, parts) in [
        (400, "InvalidParameter", &[][..]),
        (400, "CannotParseRequest", &[]),
        (400, "QuotaExceeded", &[]),
        (
            400,
            "RelatedResourceNotAuthorizedOrNotFound",
            &["not found, or not permitted", statement],
        ),
        (401, "NotAuthenticated", &["signed as ", "does OCI know that caller and key?"]),
        (403, "NotAllowed", &[statement]),
        (404, "NotAuthorizedOrNotFound", &["not found, or not permitted", statement]),
        (413, "PayloadTooLarge", &[]),
    ] {
        let cluster = cluster();
        cluster.sim.fail(Fault::new("AttachVolume", 1.., Effect::status(status, code, "no.")));
        let answer = attach(&cluster, "node-1");
        let subject = format!(
            "volume {} (state AVAILABLE) cannot be attached to instance {}",
            cluster.volume, cluster.instances[0]
        );
        let refusal = format!(": {status} {code}: no");
        failure_with(&answer, &[&subject, &refusal]);
        failure_with(&answer, parts);
        let asked =
            cluster.sim.requests().iter().filter(|it| it.operation == "AttachVolume").count();
        assert_eq!((asked, states(&cluster).len()), (1, 0), "{code}");
    }
}
