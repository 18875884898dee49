//! detach, while the cloud misbehaves: each row of the fault matrix.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use oci_sim::{Effect, Fault, NewVolume, Phase};
use testbed::{Answer, Cluster, FaultRow, Setup};

use crate::support::{Kubelet, broken_off, cluster, cluster_with, failure_with, success};

const ISCSI: (&str, &str) = ("attachmentType", "iscsi");

fn attach(cluster: &Cluster, node: &str) -> Answer {
    cluster.controller().call(&["attach", &cluster.options(&[ISCSI]), node]).unwrap()
}

fn detach(cluster: &Cluster, node: &str) -> Answer {
    cluster.controller().call(&["detach", cluster.volume_name(), node]).unwrap()
}

fn states(cluster: &Cluster) -> Vec<&'static str> {
    cluster.sim.attachments().iter().map(|it| it.lifecycle_state).collect()
}

/// How often an attachment was to be removed.
fn removals(cluster: &Cluster) -> usize {
    cluster.sim.requests().iter().filter(|it| it.operation == "DetachVolume").count()
}

#[test]
fn a_name_is_understood_as_the_go_driver_does() {
    let mut row = FaultRow::new("D1", "the last part of the OCID, and the whole of it");
    for whole in [false, true] {
        let cluster = cluster();
        success(&attach(&cluster, "node-1"));
        let name = if whole { &*cluster.volume } else { cluster.volume_name() };
        let answer = cluster.controller().call(&["detach", name, "node-1"]).unwrap();
        row.shows(&answer);
        success(&answer);
        assert_eq!(states(&cluster), ["DETACHED"]);
    }
}

#[test]
fn what_is_not_attached_here_is_no_work() {
    let cluster = cluster();
    let mut row = FaultRow::new("D2", "never attached");
    let answer = detach(&cluster, "node-1");
    row.shows(&answer);
    success(&answer);
    drop(row);
    let mut row = FaultRow::new("D3", "attached to another instance");
    success(&attach(&cluster, "node-1"));
    let answer = detach(&cluster, "node-2");
    row.shows(&answer);
    success(&answer);
    assert_eq!((states(&cluster), removals(&cluster)), (vec!["ATTACHED"], 0));
    drop(row);
    let mut row = FaultRow::new("D2", "detached before");
    success(&detach(&cluster, "node-1"));
    let answer = detach(&cluster, "node-1");
    row.shows(&answer);
    success(&answer);
    assert_eq!((states(&cluster), removals(&cluster)), (vec!["DETACHED"], 1));
}

#[test]
fn what_is_on_its_way_is_waited_for() {
    let cluster = cluster_with(&Setup { looks: Some(3), ..Setup::default() });
    let options = cluster.options(&[ISCSI]);
    let args = ["detach", cluster.volume_name(), "node-1"];
    {
        let mut row = FaultRow::new("D5", "ATTACHING for three looks");
        broken_off(&cluster, "AttachVolume", &["attach", &options, "node-1"], "ATTACHING");
        let answer = detach(&cluster, "node-1");
        row.shows(&answer);
        success(&answer);
        assert_eq!(states(&cluster), ["DETACHED"]);
    }
    success(&attach(&cluster, "node-1"));
    thread::scope(|scope| {
        let mut row = FaultRow::new("D4", "DETACHING for three looks, by another call");
        let mut both = FaultRow::new("D13", "detach from one node, attach to the next at once");
        broken_off(&cluster, "DetachVolume", &args, "DETACHING");
        let next = scope.spawn(|| {
            let mut command = cluster.controller().command(&["attach", &options, "node-2"]);
            // Another master, with locks of its own.
            command.env("OCI_FLEXD_RUN_DIRECTORY", cluster.dir().join("other-master"));
            testbed::run(command).unwrap()
        });
        let answer = detach(&cluster, "node-1");
        row.shows(&answer);
        success(&answer);
        let answer = next.join().unwrap();
        both.shows(&answer);
        success(&answer);
    });
    assert_eq!(states(&cluster), ["DETACHED", "DETACHED", "ATTACHED"]);
    assert_eq!(removals(&cluster), 2);
}

#[test]
fn an_error_is_never_a_success() {
    for (on, effect, parts) in [
        ("ListVolumeAttachments", Effect::status(404, "NotAuthorizedOrNotFound", "x"), "404"),
        ("ListVolumeAttachments", Effect::status(403, "NotAuthorized", "x"), "403"),
        ("ListVolumeAttachments", Effect::HalfBody, "connection lost"),
        (
            "ListVolumeAttachments",
            Effect::Answer {
                status: 206,
                content_type: "application/json".into(),
                body: "[]".into(),
            },
            "its status is 206",
        ),
        ("GetVolumeAttachment", Effect::status(404, "NotAuthorizedOrNotFound", "x"), "404"),
        ("GetVolumeAttachment", Effect::status(401, "NotAuthenticated", "x"), "401"),
        ("DetachVolume", Effect::status(404, "NotAuthorizedOrNotFound", "x"), "404"),
        ("DetachVolume", Effect::status(403, "NotAllowed", "x"), "manage volume-attachments"),
        ("DetachVolume", Effect::status(400, "InvalidParameter", "x"), "400"),
        ("DetachVolume", Effect::status(409, "Conflict", "x"), "409 Conflict"),
        ("DetachVolume", Effect::DropBefore, "connection lost"),
        ("ListInstances", Effect::status(403, "NotAuthorized", "x"), "read instances"),
    ] {
        let mut row = FaultRow::new("D6", format!("{on}: {effect:?}"));
        let cluster = cluster();
        success(&attach(&cluster, "node-1"));
        cluster.sim.fail(Fault::new(on, 1_u64.., effect));
        let answer = detach(&cluster, "node-1");
        row.shows(&answer);
        failure_with(&answer, &[on, parts]);
        assert_eq!(states(&cluster), ["ATTACHED"]);
    }
}

#[test]
fn a_removal_whose_answer_is_lost_is_found_done() {
    for effect in [
        Effect::DropAfter,
        Effect::status(503, "ServiceUnavailable", "x"),
        Effect::Throttle { retry_after: Some(1) },
        Effect::Twice,
    ] {
        let mut row = FaultRow::new("D10", format!("DetachVolume: {effect:?}"));
        let cluster =
            cluster_with(&Setup { detach_delay: Duration::from_secs(1), ..Setup::default() });
        success(&attach(&cluster, "node-1"));
        cluster.sim.fail(Fault::new("DetachVolume", 1, effect));
        let answer = detach(&cluster, "node-1");
        row.shows(&answer);
        success(&answer);
        assert_eq!(states(&cluster), ["DETACHED"]);
    }
}

#[test]
fn a_node_that_is_gone_is_said_to_be_unknown() {
    let mut row = FaultRow::new("D7", "the node's name is no instance's any more");
    let cluster = cluster();
    success(&attach(&cluster, "node-1"));
    let answer = detach(&cluster, "node-9");
    row.shows(&answer);
    failure_with(
        &answer,
        &[&cluster.instances[0], "cannot be told whether that was this node", "detach it by hand"],
    );
    assert_eq!((states(&cluster), removals(&cluster)), (vec!["ATTACHED"], 0));
}

#[test]
fn an_instance_that_is_terminated_holds_nothing_in_the_end() {
    let mut row = FaultRow::new("D8", "the instance is TERMINATED and still listed");
    let cluster = cluster();
    success(&attach(&cluster, "node-1"));
    cluster.sim.set_instance_state(&cluster.instances[0], "TERMINATED");
    let answer = detach(&cluster, &cluster.instances[0]);
    row.shows(&answer);
    success(&answer);
    assert_eq!(states(&cluster), ["DETACHED"]);
    success(&detach(&cluster, &cluster.instances[0]));
    // By its name it is not found any more, and the volume is nowhere.
    success(&detach(&cluster, "node-1"));
}

#[test]
fn what_was_attached_anew_meanwhile_is_looked_at_again() {
    let mut row = FaultRow::new("D10", "the volume moves to another node before the DELETE");
    let cluster = Arc::new(cluster());
    success(&attach(&cluster, "node-1"));
    let (moved, inside) = (Arc::new(AtomicBool::new(false)), Arc::clone(&cluster));
    cluster.sim.on_request(move |event| {
        let is_removal = event.entry.operation == "DetachVolume" && event.phase == Phase::Received;
        if is_removal && !moved.swap(true, Ordering::SeqCst) {
            let options = inside.options(&[ISCSI]);
            let name = inside.volume_name().to_owned();
            for args in [["detach", &name, "node-1"], ["attach", &options, "node-2"]] {
                let mut command = inside.controller().command(&args);
                command.env("OCI_FLEXD_RUN_DIRECTORY", inside.dir().join("other-master"));
                success(&testbed::run(command).unwrap());
            }
        }
    });
    let answer = detach(&cluster, "node-1");
    // The hook holds the cluster, and the cluster the hook.
    cluster.sim.on_request(|_event| ());
    row.shows(&answer);
    success(&answer);
    let attachments = cluster.sim.attachments();
    assert_eq!(states(&cluster), ["DETACHED", "ATTACHED"]);
    assert_eq!(attachments[1].instance_id, cluster.instances[1]);
    let tags = cluster.sim.requests().into_iter().filter(|it| it.operation == "DetachVolume");
    assert!(tags.into_iter().all(|it| it.if_match.is_some()));
}

#[test]
fn a_boot_volume_that_is_attached_as_data_is_detached_and_no_other() {
    let mut row = FaultRow::new("D12", "a boot volume by its name, its OCID and attached as data");
    let cluster = cluster();
    let id = "ocid1.bootvolume.oc1.phx.abyhqljr";
    cluster.sim.add_volume(NewVolume { id: Some(id.into()), ..NewVolume::default() });
    // What an instance was booted from is in another list of OCI, which is never touched.
    success(&cluster.controller().call(&["detach", id, "node-1"]).unwrap());
    assert_eq!(removals(&cluster), 0);
    let options = cluster.options(&[("kubernetes.io/pvOrVolumeName", id), ISCSI]);
    success(&cluster.controller().call(&["attach", &options, "node-1"]).unwrap());
    let answer = cluster.controller().call(&["detach", id, "node-1"]).unwrap();
    row.shows(&answer);
    success(&answer);
    assert_eq!(states(&cluster), ["DETACHED"]);
}

#[test]
fn a_disk_in_use_on_this_host_is_left_alone() {
    let mut row = FaultRow::new("D9", "mounted on the node that calls detach itself");
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    let node = cluster.node(1);
    let mut command = node.command(&["detach", cluster.volume_name(), "node-1"]);
    let controller = cluster.controller();
    for variable in ["OCI_FLEXD_CONFIG_DIRECTORY", "TRUSTED_CA_CERT_PATH"] {
        command.env(variable, controller.folder(variable).unwrap());
    }
    let answer = testbed::run(command).unwrap();
    row.shows(&answer);
    failure_with(&answer, &["is still mounted at"]);
    assert_eq!(cluster.sim.violations(), Vec::<String>::new());
    assert_eq!(removals(&cluster), 0);
    success(&kubelet.unmount());
}
