//! Whether a volume is still in use on its node, as far as it can be told from here.

use std::path::Path;

use disk::{Access, Disk, mountinfo};
use kube_node::KubeNode;
use oci_iaas::{InstanceState, IscsiLoginState, VolumeAttachment};

use crate::{OciBlock, cloud::Cloud, device::Device, error::Error, node::Node};

/// Refuses to take away a disk that is in use.
///
/// Four witnesses: the mounts of this host (kubelet may call detach itself), the disk itself where it
/// is this host's, Oracle's agent on the instance, and what Kubernetes says of a node that is well. A
/// node that is not cannot unmount any more; there the controller has waited its own time before it
/// calls.
pub(crate) fn refuse_in_use(
    driver: &OciBlock,
    cloud: &Cloud,
    name: &str,
    node: &Node,
    attachment: &VolumeAttachment,
) -> Result<(), Error> {
    let volume = || name.to_owned();
    let place = Path::new(GLOBAL_MOUNTS).join(name);
    let mounts = mountinfo::read(&driver.host.proc.join("self/mountinfo"))?;
    if let Some(entry) = mounts.into_iter().find(|entry| entry.dir.ends_with(&place)) {
        return Err(Error::StillMounted { volume: volume(), dir: entry.dir });
    }
    if let Some(source) = local_use(driver, attachment)
        && cloud.own_instance().is_none_or(|own| own == attachment.instance_id)
    {
        return Err(Error::DiskInUse { volume: volume(), source });
    }
    if let Some(state) = attachment.iscsi_login_state.as_ref().filter(|it| is_logged_in(it)) {
        let (attachment, state) = (attachment.id.to_string(), state.to_string());
        return Err(Error::AgentLoggedIn { attachment, state });
    }
    match &node.kube {
        Some(kube) if is_well(node, kube) && is_used(kube, name) => {
            Err(Error::StillInUse { volume: volume() })
        }
        _ => Ok(()),
    }
}

/// Who uses the disk that is found on this host where the attachment's would be. On another instance
/// that is the disk of another volume.
fn local_use(driver: &OciBlock, attachment: &VolumeAttachment) -> Option<disk::Error> {
    let path = match Device::of(attachment).ok()? {
        Device::Paravirtualized(path) => path,
        Device::Iscsi(target) => {
            let session = driver.initiator().session(&target).ok()??;
            Path::new("/dev").join(&session.unit(&target)?.block.as_ref()?.name)
        }
    };
    let disk = Disk::open(&path, &driver.host).ok()?;
    disk.claim(Access::Read).err().filter(disk::Error::is_in_use)
}

fn is_logged_in(state: &IscsiLoginState) -> bool {
    use IscsiLoginState::{LoggingIn, LoggingOut, LoginSucceeded, LogoutFailed};
    [LoggingIn, LoginSucceeded, LoggingOut, LogoutFailed].contains(state)
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
