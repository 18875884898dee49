//! detach: from this node, from no other, and not while the disk is in use.

use std::{io::Read, process::Stdio, time::Duration};

use oci_sim::{Effect, Fault, NewVolume};
use testbed::{FaultRow, Setup};

use crate::support::{Kubelet, cluster, cluster_with, failure_with, success};

#[test]
fn another_nodes_attachment_is_never_touched() {
    let cluster = cluster();
    let first = Kubelet { cluster: &cluster, number: 1 };
    let second = Kubelet { cluster: &cluster, number: 2 };
    first.attach(&cluster.options(&[]));
    success(&second.detach());
    assert_eq!(cluster.sim.attachments()[0].lifecycle_state, "ATTACHED");
    assert!(cluster.sim.requests().iter().all(|it| it.method != "DELETE"));
}

/// A list of another instance's attachments is no proof that this one has none.
#[test]
fn an_attachment_that_was_not_asked_for_is_never_touched() {
    let cluster = cluster();
    let first = Kubelet { cluster: &cluster, number: 1 };
    let second = Kubelet { cluster: &cluster, number: 2 };
    first.attach(&cluster.options(&[]));
    let it = &cluster.sim.attachments()[0];
    let list = serde_json::json!([{
        "attachmentType": "iscsi",
        "availabilityDomain": "AD-1",
        "compartmentId": "ocid1.compartment.oc1..c",
        "id": it.id,
        "instanceId": it.instance_id,
        "lifecycleState": "ATTACHED",
        "volumeId": it.volume_id,
    }]);
    cluster.sim.fail(Fault::new("ListVolumeAttachments", 1.., Effect::Body(list.to_string())));
    failure_with(&second.detach(), &["the answer is about something else (instanceId is "]);
    assert!(cluster.sim.requests().iter().all(|it| it.method != "DELETE"));
}

#[test]
fn a_node_that_is_gone_is_no_reason_to_guess() {
    let cluster = cluster();
    let args = ["detach", cluster.volume_name(), "node-9"];
    success(&cluster.controller().call(&args).unwrap());
    Kubelet { cluster: &cluster, number: 1 }.attach(&cluster.options(&[]));
    failure_with(
        &cluster.controller().call(&args).unwrap(),
        &[&cluster.instances[0], "cannot be told whether that was this node", "detach it by hand"],
    );
    assert_eq!(
        cluster.sim.attachments().iter().filter(|it| it.lifecycle_state == "ATTACHED").count(),
        1
    );
}

#[test]
fn a_disk_that_is_mounted_anywhere_on_this_host_is_not_detached() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let device = kubelet.attach(&cluster.options(&[]));
    let place = cluster.dir().join("elsewhere");
    let place = place.display();
    kubelet.sh(&format!("mkfs.ext4 -q {device}; mkdir {place}; mount {device} {place}"));
    let node = cluster.node(1);
    let mut command = node.command(&["detach", cluster.volume_name(), "node-1"]);
    let controller = cluster.controller();
    for variable in ["OCI_FLEXD_CONFIG_DIRECTORY", "TRUSTED_CA_CERT_PATH"] {
        command.env(variable, controller.folder(variable).unwrap());
    }
    failure_with(&testbed::run(command).unwrap(), &["is in use on this host", "elsewhere"]);
    assert_eq!(cluster.sim.violations(), Vec::<String>::new());
    kubelet.sh(&format!("umount {place}"));
    success(&kubelet.detach());
}

/// Oracle's agent on the instance may log in and out by itself.
#[test]
fn a_volume_that_the_agent_is_busy_with_is_not_detached() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    kubelet.attach(&cluster.options(&[("attachmentType", "iscsi")]));
    let attachment = &cluster.sim.attachments()[0];
    let list = |state: &str| {
        format!(
            r#"[{{"attachmentType":"iscsi","id":"{}","instanceId":"{}","volumeId":"{}",
                 "availabilityDomain":"AD-1","compartmentId":"{}","lifecycleState":"ATTACHED",
                 "iscsiLoginState":"{state}"}}]"#,
            attachment.id,
            attachment.instance_id,
            cluster.volume,
            cluster.sim.compartment()
        )
    };
    for state in ["LOGGING_IN", "LOGGING_OUT"] {
        cluster.sim.fail(Fault::new("ListVolumeAttachments", 1_u64, Effect::Body(list(state))));
        let mut row = FaultRow::new("D9", format!("iscsiLoginState is {state}"));
        let answer = kubelet.detach();
        row.shows(&answer);
        failure_with(&answer, &[&attachment.id, state]);
        assert_eq!(cluster.sim.attachments()[0].lifecycle_state, "ATTACHED");
    }
    let done = Effect::Body(list("LOGIN_SUCCEEDED"));
    cluster.sim.fail(Fault::new("ListVolumeAttachments", 1_u64, done));
    success(&kubelet.detach());
    assert_eq!(cluster.sim.attachments()[0].lifecycle_state, "DETACHED");
}

#[test]
fn an_attachment_that_was_changed_meanwhile_is_looked_at_again() {
    for (status, code) in
        [(412, "NoEtagMatch"), (409, "IncorrectState"), (404, "NotAuthorizedOrNotFound")]
    {
        let cluster = cluster();
        let kubelet = Kubelet { cluster: &cluster, number: 1 };
        kubelet.attach(&cluster.options(&[]));
        cluster.sim.fail(Fault::new("DetachVolume", 1_u64, Effect::status(status, code, "x")));
        success(&kubelet.detach());
        assert_eq!(cluster.sim.attachments()[0].lifecycle_state, "DETACHED");
    }
}

#[test]
fn a_refusal_that_stays_is_told_with_its_reason() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    kubelet.attach(&cluster.options(&[]));
    let refusal = Effect::status(404, "NotAuthorizedOrNotFound", "no right");
    cluster.sim.fail(Fault::new("DetachVolume", 1_u64.., refusal));
    failure_with(&kubelet.detach(), &["DetachVolume", "404", "no right"]);
    assert!(cluster.sim.requests().len() < 30);
}

#[test]
fn an_attachment_that_cannot_be_seen_is_not_gone() {
    let delay = Duration::from_millis(600);
    let cluster = cluster_with(&Setup { detach_delay: delay, ..Setup::default() });
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    kubelet.attach(&cluster.options(&[]));
    let hidden = Effect::status(404, "NotAuthorizedOrNotFound", "x");
    // The first look is before the DELETE, the second is the first of the waiting.
    cluster.sim.fail(Fault::new("GetVolumeAttachment", 2_u64, hidden));
    success(&kubelet.detach());
    assert_eq!(cluster.sim.attachments()[0].lifecycle_state, "DETACHED");
}

#[test]
fn a_disk_that_another_namespace_uses_is_not_released_by_asking_twice() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    // A container with a copy of the mounts, which does not see that they end.
    let mut holder = cluster.node(1).tool("unshare");
    let holder =
        holder.args(["--mount", "--propagation", "private", "sh", "-c", "echo in; exec cat"]);
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    holder.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
    for _ in 0..2 {
        failure_with(&kubelet.unmount(), &["is in use"]);
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    success(&kubelet.unmount());
}

#[test]
fn a_master_with_a_disk_of_its_own_at_the_same_path_detaches_other_nodes_disks() {
    let cluster = cluster();
    let second = Kubelet { cluster: &cluster, number: 2 };
    second.attach(&cluster.options(&[]));
    // On the first node another disk is in use at the path that the volume has on the second.
    let first = Kubelet { cluster: &cluster, number: 1 };
    let own =
        cluster.sim.add_volume(NewVolume { disk_bytes: Some(320 << 20), ..NewVolume::default() });
    let own = own.rsplit('.').next().unwrap();
    let device = first.attach(&cluster.options(&[("kubernetes.io/pvOrVolumeName", own)]));
    let place = cluster.dir().join("own");
    let place = place.display();
    first.sh(&format!("mkfs.ext4 -q {device}; mkdir {place}; mount {device} {place}"));
    let controller = cluster.controller();
    for metadata in [&*cluster.sim.metadata_url(), "http://127.0.0.1:1/opc/v2"] {
        let mut command = cluster.node(1).command(&["detach", cluster.volume_name(), "node-2"]);
        command.env("OCI_METADATA_BASE_URL", metadata);
        for variable in ["OCI_FLEXD_CONFIG_DIRECTORY", "TRUSTED_CA_CERT_PATH"] {
            command.env(variable, controller.folder(variable).unwrap());
        }
        success(&testbed::run(command).unwrap());
        second.attach(&cluster.options(&[]));
    }
    first.sh(&format!("umount {place}"));
}

#[test]
fn a_list_that_contradicts_itself_is_not_asked_without_end() {
    let delay = Duration::from_secs(3600);
    let cluster = cluster_with(&Setup { detach_delay: delay, ..Setup::default() });
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    kubelet.attach(&cluster.options(&[]));
    let hidden = Effect::status(404, "NotAuthorizedOrNotFound", "x");
    cluster.sim.fail(Fault::new("GetVolumeAttachment", 2_u64.., hidden));
    failure_with(&kubelet.detach(), &["the list of attachments still shows"]);
    assert!(cluster.sim.requests().len() < 40, "{}", cluster.sim.requests().len());
}
