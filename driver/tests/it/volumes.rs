//! Which volume is meant, where it is, and who else may have it.

use oci_sim::{NewInstance, NewVolume};
use testbed::{Answer, Cluster, FaultRow};

use crate::support::{Kubelet, cluster, failure, failure_with, success};

const NAME: &str = "kubernetes.io/pvOrVolumeName";
const READER: (&str, &str) = ("kubernetes.io/readwrite", "ro");
const ISCSI: (&str, &str) = ("attachmentType", "iscsi");

fn call(cluster: &Cluster, verb: &str, options: &[(&str, &str)], node: &str) -> Answer {
    cluster.controller().call(&[verb, &cluster.options(options), node]).unwrap()
}

fn detach(cluster: &Cluster, name: &str, node: &str) -> Answer {
    cluster.controller().call(&["detach", name, node]).unwrap()
}

/// `STATE volume@instance`, by the last letters of their OCIDs.
fn live(cluster: &Cluster) -> Vec<(String, String)> {
    let attachments = cluster.sim.attachments().into_iter();
    let live = attachments.filter(|it| it.lifecycle_state == "ATTACHED");
    live.map(|it| (it.volume_id, it.instance_id)).collect()
}

/// How often an operation was asked for.
fn count(cluster: &Cluster, operation: &str) -> usize {
    cluster.sim.requests().iter().filter(|it| it.operation == operation).count()
}

#[test]
fn a_volume_may_have_any_name_if_an_option_tells_its_ocid() {
    let cluster = cluster();
    let options = [(NAME, "pv-data"), ("volumeId", &*cluster.volume)];
    let attached = call(&cluster, "attach", &options, "node-1");
    success(&attached);
    let device = attached.field("device").unwrap();
    assert_eq!(cluster.sim.attachments()[0].display_name, "oracle/oci/pv-data");
    assert_eq!(call(&cluster, "isattached", &options, "node-1").json().unwrap()["attached"], true);

    // The node knows the volume by its OCID and the directory by its name.
    let dir = cluster.global_mount(1).with_file_name("pv-data");
    let dir = dir.to_str().unwrap();
    let node = cluster.node(1);
    let options = cluster.options(&options);
    success(&node.call(&["mountdevice", dir, &device, &options]).unwrap());
    success(&node.call(&["unmountdevice", dir]).unwrap());
    success(&node.call(&["unmountdevice", dir]).unwrap());

    // detach gets the name and nothing else.
    success(&detach(&cluster, "pv-data", "node-2"));
    assert_eq!(live(&cluster).len(), 1);
    success(&detach(&cluster, "pv-other", "node-1"));
    assert_eq!(live(&cluster).len(), 1);
    success(&detach(&cluster, "pv-data", "node-1"));
    assert_eq!(live(&cluster), []);
    success(&detach(&cluster, "pv-data", "node-1"));
    assert_eq!(cluster.sim.violations(), Vec::<String>::new());
}

#[test]
fn a_volume_of_any_name_is_found_again_if_its_node_is_gone() {
    let cluster = cluster();
    let options = [(NAME, "pv-data"), ("volumeId", &*cluster.volume)];
    success(&call(&cluster, "attach", &options, "node-1"));
    failure_with(
        &detach(&cluster, "pv-data", "node-9"),
        &[&cluster.instances[0], "cannot be told whether that was this node"],
    );
    success(&detach(&cluster, "pv-other", "node-9"));
}

#[test]
fn a_name_that_stands_for_two_volumes_is_an_error_that_names_both() {
    let mut row = FaultRow::new("D1", "two volumes attached under one name, then detach");
    let cluster = cluster();
    let other = cluster.sim.add_volume(NewVolume::default());
    for volume in [&cluster.volume, &other] {
        let options = [(NAME, "pv-data"), ("volumeId", volume)];
        success(&call(&cluster, "attach", &options, "node-1"));
    }
    let answer = detach(&cluster, "pv-data", "node-1");
    row.shows(&answer);
    let mut volumes = [&*cluster.volume, &*other];
    volumes.sort_unstable();
    failure(
        &answer,
        &format!(
            "`pv-data` may be any of these volumes that are attached to the node: {}; detach the one \
             that is not needed by hand",
            volumes.join(", ")
        ),
    );
    assert_eq!(live(&cluster).len(), 2);
}

#[test]
fn a_name_that_is_no_ocid_is_refused_before_any_request() {
    let mut row = FaultRow::new("A1", "names that are no volume's, an OCID of another kind");
    for (name, id, message) in [
        (
            "ocid1.instance.oc1.phx.a",
            "",
            "`ocid1.instance.oc1.phx.a` names no volume: it is the OCID of something else; a volume's \
             begins ocid1.volume.",
        ),
        (
            "pv.data",
            "",
            "`pv.data` names no volume: it is neither a volume's OCID nor the last part of one \
             (letters and digits only)",
        ),
        (
            "pv-data",
            "abyhqljr",
            "`abyhqljr` names no volume: the option volumeId is the whole OCID of a volume, \
             ocid1.volume.…",
        ),
        (
            "pv-data",
            "ocid1.instance.oc1.phx.a",
            "`ocid1.instance.oc1.phx.a` names no volume: it is the OCID of something else; a volume's \
             begins ocid1.volume.",
        ),
    ] {
        let cluster = cluster();
        for verb in ["attach", "isattached"] {
            let answer = call(&cluster, verb, &[(NAME, name), ("volumeId", id)], "node-1");
            row.shows(&answer);
            failure(&answer, message);
        }
        assert_eq!(cluster.sim.requests().len(), 0);
    }
}

#[test]
fn a_wrong_availability_domain_is_said_before_anything_is_attempted() {
    let mut row = FaultRow::new("A13", "the volume is in AD-2, the node in AD-1");
    let cluster = cluster();
    let domain = Some("Uocm:PHX-AD-2".to_owned());
    let volume =
        cluster.sim.add_volume(NewVolume { availability_domain: domain, ..NewVolume::default() });
    let answer = call(&cluster, "attach", &[(NAME, &volume)], "node-1");
    row.shows(&answer);
    failure(
        &answer,
        "the volume is in Uocm:PHX-AD-2 and the node in Uocm:PHX-AD-1; a volume can be attached only \
         in its own availability domain: fix the pod to a node there",
    );
    assert_eq!(count(&cluster, "AttachVolume"), 0);
}

#[test]
fn a_boot_volume_is_attached_as_data() {
    let cluster = cluster();
    let id = "ocid1.bootvolume.oc1.phx.abyhqljr";
    cluster.sim.add_volume(NewVolume { id: Some(id.into()), ..NewVolume::default() });
    for options in [[(NAME, id), ISCSI], [(NAME, "boot"), ("volumeId", id)]] {
        success(&call(&cluster, "attach", &options, "node-1"));
        assert_eq!(live(&cluster), [(id.to_owned(), cluster.instances[0].clone())]);
        assert_eq!(
            call(&cluster, "isattached", &options, "node-1").json().unwrap()["attached"],
            true
        );
        success(&detach(&cluster, options[0].1, "node-1"));
        assert_eq!(live(&cluster), []);
    }
    assert_eq!(count(&cluster, "GetVolume"), 0);
}

#[test]
fn readers_share_a_volume_and_no_writer_joins_them() {
    let mut row = FaultRow::new("A11", "attached read-only to another node, then a writer");
    let cluster = cluster();
    let reader = [READER, ("attachReadOnly", "true")];
    for node in ["node-1", "node-2", "node-2"] {
        success(&call(&cluster, "attach", &reader, node));
    }
    assert_eq!(live(&cluster).len(), 2);
    assert!(cluster.sim.attachments().iter().all(|it| it.is_read_only));
    let third = cluster
        .sim
        .add_instance(NewInstance { display_name: "node-3".into(), ..NewInstance::default() });
    let answer = call(&cluster, "attach", &[], "node-3");
    row.shows(&answer);
    failure_with(&answer, &["is attached to instance node-1", "never taken away"]);
    success(&call(&cluster, "attach", &reader, &third));
    // Each node gives up its own.
    success(&detach(&cluster, cluster.volume_name(), "node-1"));
    assert_eq!(live(&cluster).len(), 2);
}

#[test]
fn a_writer_is_not_given_what_can_only_be_read() {
    let mut row = FaultRow::new("A6", "attached here read-only, then a writer");
    let cluster = cluster();
    success(&call(&cluster, "attach", &[READER, ("attachReadOnly", "true")], "node-1"));
    let answer = call(&cluster, "attach", &[], "node-1");
    row.shows(&answer);
    failure(
        &answer,
        &format!(
            "attachment {} is read-only and the pod wants to write; detach the volume and let the \
             driver attach it",
            cluster.sim.attachments()[0].id
        ),
    );
}

#[test]
fn a_shareable_volume_has_one_writer_unless_told_otherwise() {
    let mut row = FaultRow::new("A11", "option shareable for a pod that writes");
    let cluster = cluster();
    let answer = call(&cluster, "attach", &[("shareable", "true")], "node-1");
    row.shows(&answer);
    failure_with(&answer, &["two nodes that write to one ext4 or xfs destroy it"]);
    assert_eq!(cluster.sim.requests().len(), 0);
    let told = [("shareable", "true"), ("allowSharedReadWrite", "true")];
    for node in ["node-1", "node-2"] {
        success(&call(&cluster, "attach", &told, node));
    }
    assert_eq!(live(&cluster).len(), 2);
    // Without the option two writers are two too many.
    failure_with(
        &call(&cluster, "attach", &[], "node-1"),
        &["is attached to instance node-2", "never taken away"],
    );
}

#[test]
fn the_most_volumes_an_instance_can_have_are_named() {
    let mut row = FaultRow::new("A15", "a 33rd volume for an instance that has 32");
    let cluster = cluster();
    for number in 1..=33 {
        let volume = cluster.sim.add_volume(NewVolume::default());
        let answer = call(&cluster, "attach", &[(NAME, &volume), ISCSI], "node-1");
        if number < 33 {
            success(&answer);
            continue;
        }
        row.shows(&answer);
        failure_with(
            &answer,
            &[
                &format!("instance {} has 32 volumes attached", cluster.instances[0]),
                "OCI lets an instance have 32",
                "400 LimitExceeded",
            ],
        );
    }
}

#[test]
fn an_attach_costs_three_requests_in_a_compartment_of_any_size() {
    let cluster = cluster();
    for number in 0..300 {
        let display_name = format!("other-{number}");
        cluster.sim.add_instance(NewInstance { display_name, ..NewInstance::default() });
        cluster.sim.add_volume(NewVolume::default());
    }
    success(&call(&cluster, "attach", &[ISCSI], "node-1"));
    let requests = cluster.sim.requests();
    let operations: Vec<_> = requests.iter().map(|it| it.operation).collect();
    // The last one is the look at an attachment on its way.
    assert_eq!(operations, ["ListInstances", "GetVolume", "AttachVolume", "GetVolumeAttachment"]);
    let before = requests.len();
    success(&Kubelet { cluster: &cluster, number: 1 }.detach());
    let requests = cluster.sim.requests();
    let operations: Vec<_> = requests[before..].iter().map(|it| it.operation).collect();
    assert_eq!(
        operations,
        [
            "ListInstances",
            "ListVolumeAttachments",
            "GetVolumeAttachment",
            "DetachVolume",
            "GetVolumeAttachment"
        ]
    );
}

#[test]
fn instance_and_volume_may_be_in_compartments_of_their_own() {
    let cluster = cluster();
    let compartment = |name: &str| Some(format!("ocid1.compartment.oc1..{name}"));
    let node = cluster
        .sim
        .add_instance(NewInstance { compartment: compartment("nodes"), ..NewInstance::default() });
    let volume = cluster
        .sim
        .add_volume(NewVolume { compartment: compartment("volumes"), ..NewVolume::default() });
    for options in [[(NAME, &*volume), ISCSI], [(NAME, "pv-data"), ("volumeId", &*volume)]] {
        success(&call(&cluster, "attach", &options, &node));
        let there = call(&cluster, "isattached", &options, &node);
        assert_eq!(there.json().unwrap()["attached"], true);
        assert_eq!(live(&cluster), [(volume.clone(), node.clone())]);
        success(&detach(&cluster, options[0].1, &node));
        assert_eq!(live(&cluster), []);
    }
}

/// As when a persistent volume was made anew over a restored volume: unmountdevice is given only the name.
#[test]
fn a_name_is_that_of_the_volume_that_has_it_now() {
    let cluster = cluster();
    let other = NewVolume { disk_bytes: Some(64 << 20), ..NewVolume::default() };
    let other = cluster.sim.add_volume(other);
    let dir = cluster.global_mount(1).with_file_name("pv-data");
    let (dir, node) = (dir.to_str().unwrap(), cluster.node(1));
    let records = node.folder("OCI_FLEXD_STATE_DIRECTORY").unwrap().join("volumes");
    for volume in [&cluster.volume, &other, &cluster.volume] {
        let options = [(NAME, "pv-data"), ("volumeId", &**volume)];
        let device = call(&cluster, "attach", &options, "node-1").field("device").unwrap();
        let options = cluster.options(&options);
        success(&node.call(&["mountdevice", dir, &device, &options]).unwrap());
        let files = std::fs::read_dir(&records).unwrap().map(|file| file.unwrap().path());
        let named = files.filter(|file| std::fs::read_to_string(file).unwrap().contains("pv-data"));
        let named: Vec<_> = named.map(|file| file.file_stem().unwrap().to_owned()).collect();
        assert_eq!(named, [volume.rsplit('.').next().unwrap()]);
        success(&node.call(&["unmountdevice", dir]).unwrap());
        success(&detach(&cluster, "pv-data", "node-1"));
    }
}

/// The node is not known any more: what holds the volume is looked for in the volume's compartment, too.
#[test]
fn a_node_that_is_gone_may_have_been_in_the_compartment_of_the_volume() {
    let cluster = cluster();
    let compartment = Some("ocid1.compartment.oc1..other".to_owned());
    let instance = cluster
        .sim
        .add_instance(NewInstance { compartment: compartment.clone(), ..NewInstance::default() });
    let volume = cluster.sim.add_volume(NewVolume { compartment, ..NewVolume::default() });
    let options = cluster.options(&[("kubernetes.io/pvOrVolumeName", &volume), ISCSI]);
    success(&cluster.controller().call(&["attach", &options, &instance]).unwrap());
    let answer = cluster.controller().call(&["detach", &volume, "node-9"]).unwrap();
    failure_with(&answer, &[&instance, "cannot be told whether that was this node"]);
    success(&cluster.controller().call(&["detach", &volume, &instance]).unwrap());
    success(&cluster.controller().call(&["detach", &volume, "node-9"]).unwrap());
}
