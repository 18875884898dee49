//! Whether a volume is still in use on its node, as far as it can be told from here.

use std::path::Path;

use disk::mountinfo;

use crate::{OciBlock, error::Error, node::Node};

/// Refuses to take away a disk that is mounted.
///
/// Two witnesses: this host's own mounts (kubelet may call detach itself), and what Kubernetes says
/// of a node that is well. A node that is not ready cannot unmount any more; there the controller
/// has waited its own time before it calls.
pub(crate) fn refuse_in_use(driver: &OciBlock, volume: &str, node: &Node) -> Result<(), Error> {
    let place = Path::new(GLOBAL_MOUNTS).join(volume);
    let mounts = mountinfo::read(&driver.host.proc.join("self/mountinfo"))?;
    if let Some(entry) = mounts.into_iter().find(|entry| entry.dir.ends_with(&place)) {
        return Err(Error::StillMounted { volume: volume.to_owned(), dir: entry.dir });
    }
    let Some(kube) = &node.kube else { return Ok(()) };
    let unique = Path::new(DRIVER).join(volume);
    let in_use = kube.volumes_in_use.iter().any(|name| {
        // Kubernetes 1.7 to 1.16 put a prefix before the driver's name.
        Path::new(name.strip_prefix("flexvolume-").unwrap_or(name)) == unique
    });
    if in_use && kube.ready == Some(true) {
        return Err(Error::StillInUse { volume: volume.to_owned() });
    }
    Ok(())
}

const DRIVER: &str = "oracle/oci";
const GLOBAL_MOUNTS: &str = "kubernetes.io/flexvolume/oracle/oci/mounts";
