//! Which package brings a host program.

/// The Debian and the Oracle Linux package that bring `program`.
pub(crate) fn package(program: &str) -> Option<(&'static str, &'static str)> {
    Some(match program {
        "iscsiadm" => ("open-iscsi", "iscsi-initiator-utils"),
        "mount" | "umount" | "losetup" => ("mount", "util-linux"),
        "blkid" | "blockdev" | "fsck" | "lsblk" | "wipefs" => ("util-linux", "util-linux"),
        "e2fsck" | "fsck.ext3" | "fsck.ext4" | "mkfs.ext3" | "mkfs.ext4" | "resize2fs" => {
            ("e2fsprogs", "e2fsprogs")
        }
        "mkfs.xfs" | "xfs_growfs" | "xfs_repair" => ("xfsprogs", "xfsprogs"),
        "dmsetup" => ("dmsetup", "device-mapper"),
        "modprobe" => ("kmod", "kmod"),
        "sg_get_lba_status" | "sg_readcap" => ("sg3-utils", "sg3_utils"),
        "udevadm" => ("udev", "systemd-udev"),
        _ => return None,
    })
}
