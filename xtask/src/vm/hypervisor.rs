//! What the first guest has for disks that come and go while it runs, as paravirtualized volumes do.
//!
//! A SCSI controller without a disk, and a port that leads to the monitor of the guest's own qemu (QMP). The suite plugs
//! and pulls by itself; the disks' files are below qemu's working folder.

use std::path::Path;

/// The controller, and the way to the monitor, whose socket is in the folder `link`.
pub(super) fn hardware(link: &Path) -> Vec<String> {
    let socket = format!("path={}", link.join("monitor").display());
    let (monitor, guest) = (
        format!("socket,id=monitor,{socket},server=on,wait=off"),
        format!("socket,id=guest,{socket}"),
    );
    [
        ["-chardev", &monitor],
        ["-mon", "chardev=monitor,mode=control"],
        ["-chardev", &guest],
        ["-device", "virtio-serial-pci"],
        ["-device", "virtserialport,chardev=guest,name=hypervisor"],
        // Oracle's documentation has the kernel asked for a volume's new size (rescan): it is not told.
        ["-device", "virtio-scsi-pci,id=volumes,param_change=off"],
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect()
}
