//! Which instance a node is, where Kubernetes cannot be asked.

use oci_sim::NewInstance;
use testbed::{Answer, Cluster, Setup};

use crate::support::{cluster_with, failure_with, success};

fn empty() -> Cluster {
    cluster_with(&Setup { nodes: 0, ..Setup::default() })
}

fn instance(name: &str, host: &str, private: &str, public: &str, ipv6: &str) -> NewInstance {
    NewInstance {
        display_name: name.into(),
        hostname_label: Some(host.into()),
        private_ip: Some(private.into()),
        public_ip: Some(public.into()),
        ipv6: Some(ipv6.into()),
        ..NewInstance::default()
    }
}

fn attach(cluster: &Cluster, node: &str) -> Answer {
    // No disk appears anywhere: only the API's side is looked at.
    let options = cluster.options(&[("attachmentType", "iscsi")]);
    cluster.controller().call(&["attach", &options, node]).unwrap()
}

#[test]
fn a_node_is_found_by_host_name_or_address_and_not_by_half_of_it() {
    let cluster = empty();
    let ten = cluster.sim.add_instance(instance(
        "x",
        "k8s-worker-10",
        "10.0.0.10",
        "192.0.2.10",
        "fd00::10",
    ));
    let one =
        cluster.sim.add_instance(instance("y", "k8s-worker-1", "10.0.0.1", "192.0.2.1", "fd00::1"));
    for (node, expected) in [
        ("k8s-worker-1", &one),
        ("k8s-worker-10", &ten),
        ("K8S-worker-1.cluster.internal", &one),
        ("10.0.0.10", &ten),
        ("192.0.2.1", &one),
        ("fd00::10", &ten),
    ] {
        success(&attach(&cluster, node));
        let attachments = cluster.sim.attachments();
        assert_eq!(&attachments.last().unwrap().instance_id, expected, "{node}");
        let args = ["detach", cluster.volume_name(), node];
        success(&cluster.controller().call(&args).unwrap());
    }
    for node in ["k8s-worker", "k8s-worker-100", "10.0.0.100", "x.cluster.internal"] {
        failure_with(&attach(&cluster, node), &["no instance is node"]);
    }
}

#[test]
fn a_terminated_namesake_does_not_count() {
    let cluster = empty();
    let old = cluster.sim.add_instance(instance("node", "node", "10.0.0.1", "", ""));
    cluster.sim.set_instance_state(&old, "TERMINATED");
    let new = cluster.sim.add_instance(instance("node", "node", "10.0.0.2", "", ""));
    success(&attach(&cluster, "node"));
    assert_eq!(cluster.sim.attachments()[0].instance_id, new);
}

#[test]
fn two_cards_of_one_name_are_an_error_that_names_both() {
    let cluster = empty();
    let one = cluster.sim.add_instance(instance("x", "worker", "10.0.0.1", "", ""));
    let two = cluster.sim.add_instance(instance("y", "worker", "10.0.0.2", "", ""));
    failure_with(&attach(&cluster, "worker"), &["may be any of these instances", &one, &two]);
}

#[test]
fn the_search_is_remembered_and_verified() {
    let cluster = empty();
    let names: Vec<_> = (0..20).map(|number| format!("worker-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        cluster.sim.add_instance(instance("x", name, &format!("10.0.0.{number}"), "", ""));
    }
    let cards = |from: usize| {
        cluster.sim.requests()[from..].iter().filter(|it| it.operation == "GetVnic").count()
    };
    success(&attach(&cluster, "worker-7"));
    assert_eq!(cards(0), 20);
    let before = cluster.sim.requests().len();
    success(&attach(&cluster, "worker-7"));
    assert_eq!(cards(before), 1);

    // The node has moved to another instance meanwhile.
    let gone = cluster.sim.attachments()[0].instance_id.clone();
    cluster.sim.set_instance_state(&gone, "TERMINATED");
    let new = cluster.sim.add_instance(instance("x", "worker-7", "10.0.1.7", "", ""));
    failure_with(&attach(&cluster, "worker-7"), &["is attached to instance", &gone]);
    let args = ["detach", cluster.volume_name(), &gone];
    success(&cluster.controller().call(&args).unwrap());
    success(&attach(&cluster, "worker-7"));
    assert_eq!(cluster.sim.attachments().last().unwrap().instance_id, new);
}

/// `cargo xtask bench` counts the same among a thousand.
#[test]
fn a_node_that_was_found_before_costs_the_same_in_compartments_of_all_sizes() {
    for instances in [10, 150] {
        let cluster = empty();
        for number in 0..instances {
            let name = format!("worker-{number}");
            let address = format!("10.0.{}.{}", number / 100, number % 100);
            cluster.sim.add_instance(instance("x", &name, &address, "", ""));
        }
        success(&attach(&cluster, "worker-7"));
        let before = cluster.sim.requests().len();
        success(&attach(&cluster, "worker-7"));
        let requests = cluster.sim.requests();
        let operations: Vec<_> = requests[before..].iter().map(|it| it.operation).collect();
        assert_eq!(
            operations,
            [
                "ListInstances",
                "ListVnicAttachments",
                "GetVnic",
                "GetInstance",
                // It is attached there already.
                "GetVolume",
                "AttachVolume",
                "ListVolumeAttachments"
            ]
        );
    }
}
