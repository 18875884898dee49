//! Whether a volume is still in use on its node, as far as it can be told from here.

use std::path::Path;

use disk::{Disk, Host};
use kube_node::KubeNode;
use oci_iaas::{InstanceState, IscsiLoginState, VolumeAttachment};

use crate::{OciBlock, cloud::Cloud, device::Device, error::Error, node::Node, volume::DRIVER};

/// Refuses to take away a disk that is in use, under whichever of its names in Kubernetes.
///
/// Four sources: the mounts of this host (kubelet may call detach itself), the disk itself where it
/// is this host's, Oracle's agent on the instance, and what Kubernetes says of a node that is well. A
/// node that is not cannot unmount any more; there the controller has waited its own time before it
/// calls.
pub(crate) fn refuse_in_use(
    driver: &OciBlock,
    cloud: &Cloud,
    names: &[String],
    node: &Node,
    attachment: &VolumeAttachment,
) -> Result<(), Error> {
    let mounts = driver.staging.host.mount_table().entries()?;
    for name in names {
        let place = Path::new(GLOBAL_MOUNTS).join(name);
        if let Some(entry) = mounts.iter().find(|entry| entry.dir.ends_with(&place)) {
            return Err(Error::StillMounted { volume: name.clone(), dir: entry.dir.clone() });
        }
    }
    if let Some(source) = local_use(driver, cloud, attachment)? {
        let volume = names.first().cloned().unwrap_or_default();
        return Err(Error::DiskInUse { volume, source });
    }
    if let Some(state) = attachment.iscsi_login_state.as_ref().filter(|it| is_passing(it)) {
        let (attachment, state) = (attachment.id.to_string(), state.to_string());
        return Err(Error::AgentAtWork { attachment, state });
    }
    match &node.kube {
        Some(kube) if is_well(node, kube) => match names.iter().find(|name| is_used(kube, name)) {
            Some(name) => Err(Error::StillInUse { volume: name.clone() }),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Who uses the attachment's disk on this host, or why that cannot be told, if it is this host's.
fn local_use(
    driver: &OciBlock,
    cloud: &Cloud,
    attachment: &VolumeAttachment,
) -> Result<Option<disk::Error>, Error> {
    let (path, is_ours) = match Device::of(attachment) {
        // On another instance the same path is that of another volume.
        Ok(Device::Paravirtualized(path)) => {
            let exists = !Disk::is_absent(&path);
            (path, exists && cloud.own_instance() == Some(&attachment.instance_id))
        }
        Ok(device) => {
            let present = driver.initiator().present(device.targets())?;
            let is_ours = present.is_some();
            (present.unwrap_or_default(), is_ours)
        }
        Err(_) => return Ok(None),
    };
    if !is_ours {
        return Ok(None);
    }
    Ok(use_of(&path, &driver.staging.host))
}

/// What uses the disk, or why that cannot be told. One that is gone is used by nothing.
fn use_of(path: &Path, host: &Host) -> Option<disk::Error> {
    Disk::prove_unused(path, host).err().filter(|error| !error.is_gone())
}

/// The agent logs in and out by itself, after an attach and after a detach; only what it has begun
/// is waited for.
fn is_passing(state: &IscsiLoginState) -> bool {
    [IscsiLoginState::LoggingIn, IscsiLoginState::LoggingOut].contains(state)
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

const GLOBAL_MOUNTS: &str = "kubernetes.io/flexvolume/oracle/oci/mounts";

#[cfg(test)]
mod tests {
    use std::fs;

    use disk::Access;

    use super::*;
    use crate::loop_disk::LoopDisk;

    /// What keeps the disk from being taken away, while the SCSI layer says `state` of it.
    fn use_while(disk: &LoopDisk, state: &str) -> Option<String> {
        use_as_seen(disk, state, &["dev", "size", "ro"])
    }

    /// The same where sysfs shows only these files of the disk.
    fn use_as_seen(disk: &LoopDisk, state: &str, files: &[&str]) -> Option<String> {
        let sysfs = disk.dir.path().join("sys");
        let device = sysfs.join(format!("dev/block/{}", disk.disk.number()));
        fs::create_dir_all(device.join("device")).unwrap();
        fs::write(device.join("device/state"), state).unwrap();
        for file in files {
            let real = Path::new("/sys/dev/block").join(disk.disk.number().to_string());
            fs::copy(real.join(file), device.join(file)).unwrap();
        }
        let host = Host { sysfs, ..Host::default() };
        Some(use_of(disk.disk.path(), &host)?.to_string().replace(disk.device(), "DISK"))
    }

    #[test]
    fn a_disk_that_nothing_uses_may_be_taken_away() {
        assert_eq!(use_while(&LoopDisk::new(), "running"), None);
    }

    #[test]
    fn a_disk_in_use_is_not_taken_away() {
        let disk = LoopDisk::new();
        let _user = disk.disk.claim(Access::Write).unwrap();
        let found = use_while(&disk, "running").unwrap();
        assert!(found.starts_with("DISK is in use"), "{found}");
    }

    /// I/O to it waits, perhaps for an answer to what a pod has written.
    #[test]
    fn a_disk_that_is_blocked_is_not_taken_away() {
        let found = use_while(&LoopDisk::new(), "blocked").unwrap();
        assert!(found.contains("blocked"), "{found}");
    }

    /// The disk is there, and whether something uses it is not known.
    #[test]
    fn a_disk_that_cannot_be_looked_at_is_not_taken_away() {
        for (missing, shown) in
            [("dev", ["size", "ro"]), ("size", ["dev", "ro"]), ("ro", ["dev", "size"])]
        {
            let found = use_as_seen(&LoopDisk::new(), "running", &shown);
            let found = found.unwrap_or_else(|| panic!("taken away without {missing}"));
            assert!(found.starts_with("cannot read ") && found.ends_with(missing), "{found}");
        }
    }

    #[test]
    fn a_disk_that_is_gone_may_be_taken_away() {
        assert!(use_of(Path::new("/dev/gone"), &Host::default()).is_none());
    }
}
