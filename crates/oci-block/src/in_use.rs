//! Whether a volume is still in use on its node, as far as it can be told from here.

use std::path::Path;

use disk::mountinfo;
use kube_node::KubeNode;
use oci_iaas::InstanceState;

use crate::{OciBlock, error::Error, node::Node};

/// Refuses to take away a disk that is mounted.
///
/// Two witnesses: this host's own mounts (kubelet may call detach itself), and what Kubernetes says
/// of a node that is well. A node that is not cannot unmount any more; there the controller has
/// waited its own time before it calls.
pub(crate) fn refuse_in_use(driver: &OciBlock, volume: &str, node: &Node) -> Result<(), Error> {
    let place = Path::new(GLOBAL_MOUNTS).join(volume);
    let mounts = mountinfo::read(&driver.host.proc.join("self/mountinfo"))?;
    if let Some(entry) = mounts.into_iter().find(|entry| entry.dir.ends_with(&place)) {
        return Err(Error::StillMounted { volume: volume.to_owned(), dir: entry.dir });
    }
    match &node.kube {
        Some(kube) if is_well(node, kube) && is_used(kube, volume) => {
            Err(Error::StillInUse { volume: volume.to_owned() })
        }
        _ => Ok(()),
    }
}

fn is_well(node: &Node, kube: &KubeNode) -> bool {
    let running = node.instance.lifecycle_state == InstanceState::Running;
    running && kube.ready == Some(true) && !kube.out_of_service
}

fn is_used(kube: &KubeNode, volume: &str) -> bool {
    let unique = Path::new(DRIVER).join(volume);
    // Kubernetes 1.7 to 1.16 put a prefix before the driver's name.
    let plain =
        |name: &String| Path::new(name.strip_prefix("flexvolume-").unwrap_or(name)) == unique;
    kube.volumes_in_use.iter().any(plain)
}

const DRIVER: &str = "oracle/oci";
const GLOBAL_MOUNTS: &str = "kubernetes.io/flexvolume/oracle/oci/mounts";
