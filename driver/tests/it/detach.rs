//! detach: from this node, from no other, and not while the disk is in use.

use crate::support::{Kubelet, cluster, failure_with, success};

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
fn a_disk_that_is_mounted_on_this_host_is_not_detached() {
    let cluster = cluster();
    let kubelet = Kubelet { cluster: &cluster, number: 1 };
    let options = cluster.options(&[]);
    let device = kubelet.attach(&options);
    success(&kubelet.mount(&device, &options));
    // kubelet itself detaches where the controller manager does not.
    let node = cluster.node(1);
    let mut command = node.command(&["detach", cluster.volume_name(), "node-1"]);
    let controller = cluster.controller();
    for variable in ["OCI_FLEXD_CONFIG_DIRECTORY", "TRUSTED_CA_CERT_PATH"] {
        command.env(variable, controller.folder(variable).unwrap());
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("is still mounted at"), "{text}");
    assert_eq!(cluster.sim.violations(), Vec::<String>::new());
    assert_eq!(cluster.sim.attachments()[0].lifecycle_state, "ATTACHED");
}
