//! The device path that attach composes and the node's calls are given.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use iscsi::Target;
use oci_iaas::{AttachmentKind, Portal, VolumeAttachment};

/// Where a volume's disk will be found on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// Behind an iSCSI portal.
    Iscsi(Target),
    /// Behind several iSCSI portals, the main one first.
    Multipath(Vec<Target>),
    /// The attachment's consistent device path: a link that the image's udev rules make.
    Paravirtualized(PathBuf),
}

impl Device {
    /// Reads a path that [`Device::path`] composed; the caller's word is a hint, so anything else is
    /// refused rather than opened.
    ///
    /// # Errors
    /// The path has neither form.
    pub(crate) fn parse(path: &Path) -> Result<Self, DeviceError> {
        if let Some(name) = path.strip_prefix(CONSISTENT).ok().and_then(Path::to_str) {
            let plain = |letters: &str| {
                (1..=2).contains(&letters.len()) && letters.bytes().all(|b| b.is_ascii_lowercase())
            };
            // oraclevda is the boot volume.
            if name.strip_prefix("oraclevd").is_some_and(|it| plain(it) && it != "a") {
                return Ok(Self::Paravirtualized(path.to_owned()));
            }
        }
        Target::from_device_path(path)
            .map(Self::Iscsi)
            .map_err(|_| DeviceError::NotOurs { path: path.to_owned() })
    }

    /// Reads an attachment that is ATTACHED.
    ///
    /// # Errors
    /// The attachment is of a kind that cannot be used, or lacks what its kind needs.
    pub(crate) fn of(attachment: &VolumeAttachment) -> Result<Self, DeviceError> {
        let incomplete =
            |what| DeviceError::Incomplete { attachment: attachment.id.to_string(), what };
        match &attachment.kind {
            AttachmentKind::Iscsi(iscsi) => {
                let address = iscsi.ipv4.map(IpAddr::from).or(iscsi.ipv6.map(IpAddr::from));
                let address = address.ok_or_else(|| incomplete("the portal's address"))?;
                let port = iscsi.port.ok_or_else(|| incomplete("the portal's port"))?;
                let iqn = iscsi.iqn.as_deref().and_then(|iqn| iqn.parse().ok());
                let iqn = iqn.ok_or_else(|| incomplete("a usable IQN"))?;
                let main = Target { address, port, iqn, lun: LUN };
                if attachment.is_multipath != Some(true) {
                    return Ok(Self::Iscsi(main));
                }
                let others = iscsi.multipath_devices.iter().map(|portal| other(&main, portal));
                let others: Option<Vec<_>> = others.collect();
                let others = others.ok_or_else(|| incomplete("usable multipath devices"))?;
                Ok(Self::Multipath([main].into_iter().chain(others).collect()))
            }
            AttachmentKind::Paravirtualized => {
                let path = attachment.device.as_deref();
                let path = path.ok_or_else(|| incomplete("a consistent device path"))?;
                Self::parse(Path::new(path))
            }
            _ => {
                let attachment = attachment.id.to_string();
                Err(DeviceError::Kind { attachment, kind: "emulated or unknown" })
            }
        }
    }

    /// The path for kubelet: that of the main portal.
    pub(crate) fn path(&self) -> PathBuf {
        match (self, self.targets()) {
            (Self::Paravirtualized(path), _) => path.clone(),
            (_, [main, ..]) => main.device_path(),
            (_, []) => PathBuf::new(),
        }
    }

    /// The iSCSI targets, the main one first; none for other kinds of disk.
    pub(crate) fn targets(&self) -> &[Target] {
        match self {
            Self::Iscsi(target) => std::slice::from_ref(target),
            Self::Multipath(targets) => targets,
            Self::Paravirtualized(_) => &[],
        }
    }
}

/// One more portal of the disk behind `main`.
fn other(main: &Target, portal: &Portal) -> Option<Target> {
    let iqn = match &portal.iqn {
        Some(iqn) => iqn.parse().ok()?,
        None => main.iqn.clone(),
    };
    let port = portal.port.unwrap_or(main.port);
    Some(Target { address: portal.ipv4?.into(), port, iqn, lun: main.lun })
}

/// A device that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// A path that this driver did not compose.
    #[error(
        "`{}` is no device path of this driver; it looks like \
         /dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.2015-12.com.oracleiaas:…-lun-1 or \
         /dev/oracleoci/oraclevdb", .path.display()
    )]
    NotOurs {
        /// The path.
        path: PathBuf,
    },
    /// The path is empty and nothing is remembered of the volume.
    #[error(
        "kubelet gave no device path for volume {volume} and this host has no record of one; \
         delete the pod, so that the volume is attached anew"
    )]
    Unknown {
        /// The volume.
        volume: String,
    },
    /// The API's answer lacks something.
    #[error(
        "attachment {attachment} is attached but lacks {what}; detach the volume and let it be attached anew"
    )]
    Incomplete {
        /// The attachment's OCID.
        attachment: String,
        /// What is missing.
        what: &'static str,
    },
    /// An attachment of a kind that is not supported.
    #[error(
        "attachment {attachment} is {kind}; this driver uses iscsi and paravirtualized \
         ones: detach the volume and let the driver attach it"
    )]
    Kind {
        /// The attachment's OCID.
        attachment: String,
        /// Its kind.
        kind: &'static str,
    },
    /// An attachment with several paths, of which the volume's author says nothing.
    #[error(
        "attachment {attachment} has several paths (isMultipath), which its nodes are not told: set the \
         volume's option multipath to \"true\", and have multipathd running on the nodes"
    )]
    SeveralPaths {
        /// The attachment's OCID.
        attachment: String,
    },
    /// The API shows no attachment, or several, for a target.
    #[error(
        "the API shows no single attachment of the volume to this instance with {target}; check that it \
         is attached here"
    )]
    Unseen {
        /// The target.
        target: Target,
    },
    /// The disk did not appear.
    #[error(
        "no disk appeared at {} within {seconds} s; check that the volume is attached to this \
         instance and, for a paravirtualized one, that the image has Oracle's udev rules for \
         consistent device paths", .path.display()
    )]
    Absent {
        /// Where it was expected.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The name of the disk is another disk's now.
    #[error("{} has become the name of another disk while it was opened; the next call looks again", .path.display())]
    Exchanged {
        /// The name.
        path: PathBuf,
    },
    /// A link leads to a disk of which udev does not say so.
    #[error(
        "{} leads to {}, but udev does not say so of that disk, and did not within {seconds} s: the link may be that of \
         a disk that is gone; see that systemd-udevd runs, and call `udevadm trigger --settle \
         --subsystem-match=block`", .path.display(), .disk.display()
    )]
    Unlinked {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        disk: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
}

const CONSISTENT: &str = "/dev/oracleoci";
// The API does not tell the LUN; block volumes have 1, and older nodes understand no other.
const LUN: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_paths_are_read_back() {
        for path in [
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.2015-12.com.oracleiaas:a-b-lun-1",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.2015-12.com.oracleiaas:a-b-lun-12",
            "/dev/oracleoci/oraclevdb",
            "/dev/oracleoci/oraclevdag",
        ] {
            assert_eq!(Device::parse(Path::new(path)).unwrap().path(), Path::new(path));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for path in [
            "",
            "/dev/sdb",
            "/dev/oracleoci/oraclevda",
            "/dev/oracleoci/oraclevd",
            "/dev/oracleoci/oraclevdb1",
            "/dev/oracleoci/oraclevdb/../../sda",
            "/dev/oracleoci/../sda",
            "/tmp/dev/oracleoci/oraclevdb",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x-lun-",
            "/dev/mapper/mpathd",
        ] {
            assert!(Device::parse(Path::new(path)).is_err(), "{path}");
        }
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn what_is_read_is_what_attach_composes(
                path in "/dev/(oracleoci/(oraclevd)?|disk/by-path/ip-)?[a-z0-9.:/-]{0,12}(-iscsi-iqn\\.[a-z:]{0,5}-lun-[0-9]{0,3})?|\\PC{0,20}",
            ) {
                if let Ok(device) = Device::parse(Path::new(&path)) {
                    prop_assert_eq!(Device::parse(&device.path()).unwrap(), device);
                    prop_assert!(!path.contains("/../") && !path.ends_with("/.."));
                }
            }
        }
    }
}
