//! attach and isattached: what is so, what is on its way, what goes wrong.

use std::{thread, time::Duration};

use oci_sim::{Effect, Fault, NewVolume};
use testbed::{Cluster, Setup};

use crate::support::{Kubelet, cluster, cluster_with, failure, failure_with, success};

fn attach(cluster: &Cluster, node: &str) -> testbed::Answer {
    cluster.controller().call(&["attach", &cluster.options(&[]), node]).unwrap()
}

fn is_attached(cluster: &Cluster, node: &str) -> testbed::Answer {
    cluster.controller().call(&["isattached", &cluster.options(&[]), node]).unwrap()
}

#[track_caller]
fn check_is_attached(cluster: &Cluster, node: &str, attached: bool) {
    let answer = is_attached(cluster, node);
    success(&answer);
    assert_eq!(answer.json().unwrap()["attached"], attached);
}

#[test]
fn only_the_node_that_has_it_has_it() {
    let cluster = cluster();
    check_is_attached(&cluster, "node-1", false);
    success(&attach(&cluster, "node-1"));
    check_is_attached(&cluster, "node-1", true);
    check_is_attached(&cluster, "node-2", false);
}

#[test]
fn a_volume_that_is_elsewhere_is_not_taken_away() {
    let cluster = cluster();
    success(&attach(&cluster, "node-1"));
    failure(
        &attach(&cluster, "node-2"),
        &format!(
            "volume {} is attached to instance node-1 ({}); it is never taken away from there: \
             delete the pod that uses it, or detach it by hand if that instance is dead",
            cluster.volume, cluster.instances[0]
        ),
    );
    check_is_attached(&cluster, "node-1", true);
}

#[test]
fn an_iscsi_attachment_tells_the_path_that_every_node_understands() {
    let cluster = cluster();
    let options = cluster.options(&[("attachmentType", "iscsi")]);
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let device = kubelet.attach(&options);
    let start = "/dev/disk/by-path/ip-169.254.2.";
    assert!(device.starts_with(start) && device.ends_with("-lun-1"), "{device}");
    assert_eq!(kubelet.attach(&options), device);
}

#[test]
fn the_volume_may_be_named_by_its_whole_ocid() {
    let cluster = cluster();
    let options = cluster.options(&[("kubernetes.io/pvOrVolumeName", &cluster.volume)]);
    let controller = cluster.controller();
    success(&controller.call(&["attach", &options, "node-1"]).unwrap());
    check_is_attached(&cluster, "node-1", true);
    success(&controller.call(&["detach", &cluster.volume, "node-1"]).unwrap());
    check_is_attached(&cluster, "node-1", false);
}

#[test]
fn what_does_not_exist_is_named() {
    let cluster = cluster();
    failure_with(&attach(&cluster, "node-9"), &["no instance is node node-9", "display name"]);
    let ghost = [("kubernetes.io/pvOrVolumeName", &*"ghost".repeat(12))];
    let options = cluster.options(&ghost);
    let answer = cluster.controller().call(&["attach", &options, "node-1"]).unwrap();
    failure_with(&answer, &["ghostghost", "404", "NotAuthorizedOrNotFound"]);
}

#[test]
fn an_instance_is_found_by_its_own_name() {
    let cluster = cluster();
    success(&attach(&cluster, &cluster.instances[0]));
    check_is_attached(&cluster, "node-1", true);
}

#[test]
fn a_fault_that_passes_is_not_noticed() {
    for effect in [
        Effect::status(500, "InternalServerError", "x"),
        Effect::status(503, "ServiceUnavailable", "x"),
        Effect::Throttle { retry_after: None },
        Effect::DropBefore,
        Effect::DropAfter,
        Effect::HalfBody,
        Effect::Twice,
    ] {
        let cluster = cluster();
        cluster.sim.fail(Fault::new("AttachVolume", 1_u64, effect.clone()));
        cluster.sim.fail(Fault::new("GetVolumeAttachment", 1_u64, effect.clone()));
        let answer = attach(&cluster, "node-1");
        assert!(answer.is_success(), "{effect:?}: {answer:?}");
        let live =
            cluster.sim.attachments().iter().filter(|it| it.lifecycle_state == "ATTACHED").count();
        assert_eq!(live, 1, "{effect:?}");
    }
}

#[test]
fn what_is_on_its_way_is_waited_for() {
    let delay = Duration::from_millis(700);
    let setup = Setup { attach_delay: delay, detach_delay: delay, ..Setup::default() };
    let cluster = cluster_with(&setup);
    let first = Kubelet { cluster: &cluster, number: 1 };
    let second = Kubelet { cluster: &cluster, number: 2 };
    // Two controllers at once: one attachment.
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let answer = attach(&cluster, "node-1");
                assert!(
                    answer.is_success() || answer.message().contains("still running"),
                    "{answer:?}"
                );
            });
        }
    });
    assert_eq!(cluster.sim.attachments().len(), 1);
    // The pod moves: attach comes while the old node is still being left.
    thread::scope(|scope| {
        let leaving = scope.spawn(|| first.detach());
        while cluster.sim.attachments()[0].lifecycle_state != "DETACHING" {
            thread::sleep(Duration::from_millis(10));
        }
        let args = ["attach", &*cluster.options(&[]), "node-2"];
        let mut command = cluster.controller().command(&args);
        // Another master, with locks of its own.
        command.env("OCI_FLEXD_RUN_DIRECTORY", cluster.dir().join("other-master"));
        success(&testbed::run(command).unwrap());
        success(&leaving.join().unwrap());
    });
    check_is_attached(&cluster, &second.name(), true);
}

#[test]
fn two_writers_are_refused_even_if_the_volume_is_shareable() {
    let cluster = cluster();
    success(&attach(&cluster, "node-1"));
    let (one, two) = (&cluster.instances[0], &cluster.instances[1]);
    let list = [one, two].map(|instance| {
        format!(
            r#"{{"attachmentType":"iscsi","id":"ocid1.volumeattachment.oc1.phx.x","instanceId":"{instance}",
                "volumeId":"{}","availabilityDomain":"AD-1","compartmentId":"{}","isShareable":true,
                "lifecycleState":"ATTACHED"}}"#,
            cluster.volume,
            cluster.sim.compartment()
        )
    });
    let effect = Effect::Body(format!("[{}]", list.join(",")));
    cluster.sim.fail(Fault::new("ListVolumeAttachments", 1_u64.., effect));
    failure_with(&attach(&cluster, "node-2"), &["is attached to instance node-1"]);
}

#[test]
fn a_volume_that_cannot_be_attached_is_told_with_its_state() {
    let cluster = cluster();
    let faulty = cluster
        .sim
        .add_volume(NewVolume { lifecycle_state: Some("FAULTY".into()), ..NewVolume::default() });
    let options = cluster.options(&[("kubernetes.io/pvOrVolumeName", &faulty)]);
    let answer = cluster.controller().call(&["attach", &options, "node-1"]).unwrap();
    failure_with(&answer, &["is FAULTY and cannot be attached", &faulty]);
}
