//! Answers about something else than was asked, and names that lead to something else than is meant.

use std::time::Duration;

use oci_sim::{Effect, Fault, NewInstance};
use testbed::{Answer, Cluster, FaultRow, Setup};

use crate::{
    kube::{node, serve},
    support::{cluster, cluster_with, failure, failure_with, read_log, success},
};

const NAME: &str = "kubernetes.io/pvOrVolumeName";

fn attach(cluster: &Cluster, options: &[(&str, &str)], node: &str) -> Answer {
    cluster.controller().call(&["attach", &cluster.options(options), node]).unwrap()
}

fn detach(cluster: &Cluster, name: &str, node: &str) -> Answer {
    cluster.controller().call(&["detach", name, node]).unwrap()
}

fn count(cluster: &Cluster, operation: &str) -> usize {
    cluster.sim.requests().iter().filter(|it| it.operation == operation).count()
}

fn attached(cluster: &Cluster) -> usize {
    cluster.sim.attachments().iter().filter(|it| it.lifecycle_state == "ATTACHED").count()
}

fn field(name: &str, value: &str) -> Effect {
    Effect::Field { name: name.into(), value: value.into() }
}

#[test]
fn a_list_that_was_not_filtered_leads_to_no_other_instance() {
    let cluster = cluster_with(&Setup { nodes: 1, ..Setup::default() });
    cluster.sim.fail(Fault::new("ListInstances", 1.., Effect::Unfiltered));
    let mut row =
        FaultRow::new("A2", "ListInstances ignores its filter, and there is one instance");
    let answer = attach(&cluster, &[], "node-9");
    row.shows(&answer);
    failure_with(
        &answer,
        &[
            "ListInstances of displayName node-9, compartment ",
            "(displayName is node-1, and node-9 was asked for)",
        ],
    );
    assert_eq!(cluster.sim.attachments().len(), 0);
    cluster
        .sim
        .add_instance(NewInstance { display_name: "other".into(), ..NewInstance::default() });
    success(&attach(&cluster, &[], "node-1"));
    assert_eq!(cluster.sim.attachments()[0].instance_id, cluster.instances[0]);
}

/// Of the answers to one operation of attach a field is another one.
#[track_caller]
fn check_attach(operation: &str, name: &str, value: &str, node: &str, parts: &[&str]) {
    let cluster =
        cluster_with(&Setup { attach_delay: Duration::from_millis(50), ..Setup::default() });
    let node = if node.is_empty() { cluster.instances[0].clone() } else { node.to_owned() };
    cluster.sim.fail(Fault::new(operation, 1.., field(name, value)));
    let mut row = FaultRow::new("A2", format!("{operation}: {name} is another one"));
    let answer = attach(&cluster, &[], &node);
    row.shows(&answer);
    failure_with(&answer, parts);
    if !["AttachVolume", "GetVolumeAttachment"].contains(&operation) {
        assert_eq!(count(&cluster, "AttachVolume"), 0);
    }
}

#[test]
fn attach_believes_no_answer_about_something_else() {
    let (volume, instance) = ("ocid1.volume.oc1.phx.other", "ocid1.instance.oc1.phx.other");
    let said = |what: &str| format!("({what}");
    check_attach(
        "GetVolume",
        "id",
        volume,
        "node-1",
        &["GetVolume of volume ", &said("id is ocid1.volume.oc1.phx.other, and ")],
    );
    check_attach(
        "GetInstance",
        "id",
        instance,
        "",
        &["GetInstance of instance ", &said("id is ocid1.instance.oc1.phx.other, and ")],
    );
    let asked = "AttachVolume of volume ocid1.volume.";
    check_attach(
        "AttachVolume",
        "volumeId",
        volume,
        "node-1",
        &[asked, &said("volumeId is ocid1.volume.oc1.phx.other, and ")],
    );
    check_attach(
        "AttachVolume",
        "instanceId",
        instance,
        "node-1",
        &[asked, &said("instanceId is ")],
    );
    check_attach(
        "AttachVolume",
        "attachmentType",
        "emulated",
        "node-1",
        &[asked, &said("attachmentType is emulated, and paravirtualized was asked for)")],
    );
    check_attach(
        "AttachVolume",
        "device",
        "/dev/oracleoci/oraclevdx",
        "node-1",
        &[
            asked,
            &said(
                "device is /dev/oracleoci/oraclevdx, and /dev/oracleoci/oraclevdb was asked for)",
            ),
        ],
    );
    let id = "ocid1.volumeattachment.oc1.phx.other";
    check_attach(
        "GetVolumeAttachment",
        "id",
        id,
        "node-1",
        &["GetVolumeAttachment of volume attachment ", &said("id is ")],
    );
    check_attach(
        "GetVolumeAttachment",
        "volumeId",
        volume,
        "node-1",
        &["is that of volume ocid1.volume.oc1.phx.other on instance ", "nothing is done with it"],
    );
    check_attach(
        "GetVolumeAttachment",
        "instanceId",
        instance,
        "node-1",
        &[" on instance ocid1.instance.oc1.phx.other, and that of volume "],
    );
}

/// Of the answers to one operation of detach and isattached a field is another one.
#[track_caller]
fn check_detach(operation: &str, name: &str, value: &str, parts: &[&str]) {
    let cluster = cluster();
    success(&attach(&cluster, &[], "node-1"));
    cluster.sim.fail(Fault::new(operation, 1.., field(name, value)));
    let mut row = FaultRow::new("D1", format!("{operation}: {name} is another one"));
    let answer = detach(&cluster, cluster.volume_name(), "node-1");
    row.shows(&answer);
    failure_with(&answer, parts);
    assert_eq!((count(&cluster, "DetachVolume"), attached(&cluster)), (0, 1));
    if operation == "ListVolumeAttachments" {
        let options = cluster.options(&[]);
        failure_with(
            &cluster.controller().call(&["isattached", &options, "node-1"]).unwrap(),
            parts,
        );
    }
}

#[test]
fn detach_believes_no_answer_about_something_else() {
    let instance = "ocid1.instance.oc1.phx.other";
    check_detach(
        "ListVolumeAttachments",
        "instanceId",
        instance,
        &["(instanceId is ocid1.instance.oc1.phx.other, and "],
    );
    check_detach(
        "GetVolumeAttachment",
        "instanceId",
        instance,
        &[" on instance ocid1.instance.oc1.phx.other, and that of volume "],
    );
    check_detach(
        "GetVolumeAttachment",
        "id",
        "ocid1.volumeattachment.oc1.phx.other",
        &["(id is ocid1.volumeattachment.oc1.phx.other, and "],
    );
    check_detach(
        "GetVolumeAttachment",
        "volumeId",
        "ocid1.volume.oc1.phx.other",
        &["is that of volume ocid1.volume.oc1.phx.other"],
    );
    check_detach(
        "ListInstances",
        "displayName",
        "other",
        &["(displayName is other, and node-1 was asked for)"],
    );
}

#[test]
fn a_card_and_a_volume_that_grows_are_the_ones_that_were_asked_for() {
    let cluster = cluster();
    cluster.sim.fail(Fault::new("GetVnic", 1.., field("id", "ocid1.vnic.oc1.phx.other")));
    failure_with(
        &attach(&cluster, &[], "10.0.0.250"),
        &["GetVnic of VNIC ", "(id is ocid1.vnic.oc1.phx.other, and "],
    );
    cluster.sim.fail(Fault::new("UpdateVolume", 1.., field("id", "ocid1.volume.oc1.phx.other")));
    let size = (60_u64 << 30).to_string();
    let args = ["expandvolume", &cluster.options(&[]), "dir", &size, "0"];
    failure_with(
        &cluster.controller().call(&args).unwrap(),
        &["UpdateVolume of volume ", "(id is ocid1.volume.oc1.phx.other, and "],
    );
}

/// An element of the second page moves to the first one, which has been read.
#[test]
fn a_list_that_changes_between_its_pages_detaches_nothing_unseen() {
    let cluster = cluster();
    success(&attach(&cluster, &[], "node-1"));
    cluster.sim.fail(Fault::new("ListVolumeAttachments", 1, Effect::EmptyPage));
    cluster.sim.fail(Fault::new("ListVolumeAttachments", 2, Effect::PageSkips));
    success(&detach(&cluster, cluster.volume_name(), "node-1"));
    assert_eq!(attached(&cluster), 0);
    assert_eq!(count(&cluster, "DetachVolume"), 1);
}

#[test]
fn a_host_name_is_no_part_of_an_address() {
    let cluster = cluster();
    cluster.sim.add_instance(NewInstance {
        display_name: "10.0.0.205".into(),
        hostname_label: Some("10".into()),
        private_ip: Some("10.0.0.99".into()),
        ..NewInstance::default()
    });
    let ipv6 = Some("2001:db8::7".into());
    let six = cluster.sim.add_instance(NewInstance { ipv6, ..NewInstance::default() });
    failure_with(&attach(&cluster, &[], "10.0.0.205"), &["no instance is node 10.0.0.205"]);
    success(&attach(&cluster, &[], "2001:DB8:0:0::7"));
    assert_eq!(cluster.sim.attachments()[0].instance_id, six);
}

#[test]
fn a_name_that_people_give_needs_the_option_with_the_ocid() {
    let mut row = FaultRow::new("A1", "names that cannot be the last part of an OCID");
    let cluster = cluster();
    for name in ["data", "my-volume", "pvc-6a1e0c5e-8f0b-4c47-9a53-0c4a1b5f8d11"] {
        let options = cluster.options(&[(NAME, name)]);
        for verb in ["attach", "isattached"] {
            let answer = cluster.controller().call(&[verb, &options, "node-1"]).unwrap();
            row.shows(&answer);
            failure(
                &answer,
                &format!(
                    "`{name}` names no volume: the last part of a volume's OCID has 60 lower-case \
                     letters and digits (abyhqljr… of ocid1.volume.oc1.phx.abyhqljr…); name the volume by \
                     it, or give the whole OCID in the option volumeId"
                ),
            );
        }
    }
    assert_eq!(cluster.sim.requests().len(), 0);
    success(&attach(&cluster, &[(NAME, "data"), ("volumeId", &cluster.volume)], "node-1"));
    success(&detach(&cluster, "data", "node-1"));
    assert_eq!(attached(&cluster), 0);
}

#[test]
fn a_volume_that_is_not_there_is_named_with_its_ocid() {
    let cluster = cluster();
    let name = "abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q";
    let texts = [0, 1].map(|_| attach(&cluster, &[(NAME, name)], "node-1").message());
    assert!(
        texts[0].starts_with(&format!("GetVolume of volume ocid1.volume.oc1.phx.{name} at ")),
        "{}",
        texts[0]
    );
    assert_eq!(texts[0], texts[1], "one cause, one event");
    assert_eq!(texts[0].to_lowercase().matches("not found").count(), 1, "{}", texts[0]);
}

/// Attached by hand, and used by a persistent volume of any name.
#[test]
fn an_attachment_that_attach_has_found_is_found_again_by_detach() {
    let cluster = cluster();
    let options = [(NAME, "pv-data"), ("volumeId", &*cluster.volume)];
    let by_hand = || success(&attach(&cluster, &[], "node-1"));
    by_hand();
    success(&attach(&cluster, &options, "node-1"));
    assert_ne!(cluster.sim.attachments()[0].display_name, "oracle/oci/pv-data");
    success(&detach(&cluster, "pv-other", "node-1"));
    success(&detach(&cluster, "pv-data", "node-2"));
    assert_eq!(attached(&cluster), 1);
    success(&detach(&cluster, "pv-data", "node-1"));
    assert_eq!(attached(&cluster), 0);

    // The next attachment was not found by attach: it is not surely the one that is meant, so it stays, and the log says so.
    by_hand();
    success(&detach(&cluster, "pv-data", "node-1"));
    assert_eq!(attached(&cluster), 1);
    let controller = cluster.controller();
    let log = controller.folder("OCI_FLEXD_DRIVER_LOG_DIR").unwrap();
    let log = read_log(&log.join("oci_flexvolume_driver.log"));
    let all = cluster.sim.attachments();
    let left =
        format!("left there is attachment {} of volume {}", all.last().unwrap().id, cluster.volume);
    assert!(log.contains(&left), "{log}");
}

/// Two persistent volumes may stand for one volume, so that two namespaces can read it.
#[test]
fn a_volume_stays_while_it_is_in_use_under_another_of_its_names() {
    for (first, second) in [("pv-1", "pv-2"), ("pv-2", "pv-1")] {
        let cluster = cluster();
        for name in [first, second] {
            success(&attach(&cluster, &[(NAME, name), ("volumeId", &cluster.volume)], "node-1"));
        }
        serve(
            &cluster,
            "200 OK",
            node("node-1", &cluster.instances[0], "True", r#""flexvolume-oracle/oci/pv-2""#),
        );
        failure_with(&detach(&cluster, "pv-1", "node-1"), &["still reports volume pv-2 in use"]);
        assert_eq!(attached(&cluster), 1);
        serve(&cluster, "200 OK", node("node-1", &cluster.instances[0], "True", ""));
        success(&detach(&cluster, "pv-2", "node-1"));
        success(&detach(&cluster, "pv-1", "node-1"));
        assert_eq!(attached(&cluster), 0);
    }
}
