//! A pod that writes, after one that reads: the volume's mount, which they share, becomes writable.

use std::path::Path;

use disk::Disk;
use mount::{Mounter, Outcome, Request};

use crate::{dead_mount::is_global_mount, error::Error, plan::Wanted, volume::VolumeName};

/// Makes kubelet's global mount of the volume writable if it is there, read-only, and the pod wants to write. For
/// the second pod on a node kubelet calls waitforattach only, and binds what is mounted into the pod. What
/// only reads stays as it is: kubelet gives a reader's containers a read-only mount of their own.
///
/// # Errors
/// Why it stays read-only, and which mounts are in the way.
pub(crate) fn ensure_writable(
    mounter: &Mounter,
    name: VolumeName<'_>,
    disk: &Disk,
    wanted: &Wanted,
) -> Result<(), Error> {
    if wanted.read_only {
        return Ok(());
    }
    for found in &*mounter.mounts()? {
        if found.number == disk.number() && is_global_mount(found, name) {
            make_writable(mounter, disk, &found.dir, &found.fs_type, wanted)?;
        }
    }
    Ok(())
}

/// As [`ensure_writable`], of a mount at `dir`.
pub(crate) fn make_writable(
    mounter: &Mounter,
    disk: &Disk,
    dir: &Path,
    fs_type: &str,
    wanted: &Wanted,
) -> Result<(), Error> {
    if wanted.read_only {
        return Ok(());
    }
    let request = Request { disk, dir, fs_type, options: &wanted.options, read_only: false };
    if mounter.make_writable(&request, &is_kubelets)? == Outcome::Done {
        log::info!("{} was mounted read-only and is writable now", dir.display());
    }
    Ok(())
}

/// Whether kubelet has bound the volume there, into a pod, or mounted it for all of them.
fn is_kubelets(dir: &Path) -> bool {
    let names: Vec<_> = dir.iter().filter_map(|name| name.to_str()).collect();
    names.windows(3).any(|it| matches!(it, ["pods", _, "volumes" | "volume-subpaths"]))
        || names.windows(2).any(|it| it == ["kubernetes.io", "flexvolume"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubelets_mounts_are_known_by_their_folders() {
        for (dir, is) in [
            ("/var/lib/kubelet/pods/5c1e/volumes/oracle~oci/pv", true),
            ("/data/kubelet/pods/5c1e/volume-subpaths/pv/app/0", true),
            ("/var/lib/kubelet/plugins/kubernetes.io/flexvolume/oracle/oci/mounts/pv", true),
            ("/mnt/pods/volumes", false),
            ("/mnt", false),
        ] {
            assert_eq!(is_kubelets(Path::new(dir)), is, "{dir}");
        }
    }
}
