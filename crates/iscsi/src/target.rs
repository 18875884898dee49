//! Which disk behind which portal, and the device path that says so.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use crate::Iqn;

/// A logical unit of an iSCSI target, reached through one portal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The portal's address.
    pub address: IpAddr,
    /// The portal's TCP port.
    pub port: u16,
    /// The target's name.
    pub iqn: Iqn,
    /// The number of the logical unit.
    pub lun: u16,
}

impl Target {
    /// Where the session is made to; shown as iscsiadm takes it, IPv6 addresses in brackets.
    pub fn portal(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// The path that udev gives to the disk: `/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.…-lun-1`.
    ///
    /// It names the target and is never opened, because the link may be late, missing or wrong. An IPv6 address is put in brackets, which udev does not do.
    pub fn device_path(&self) -> PathBuf {
        let Self { iqn, lun, .. } = self;
        PathBuf::from(format!("{BY_PATH}/ip-{}-iscsi-{iqn}-lun-{lun}", self.portal()))
    }

    /// Reads a path made by [`Target::device_path`] or by udev.
    ///
    /// # Errors
    /// If it is anything else, or has anything before or after it.
    pub fn from_device_path(path: &Path) -> Result<Self, ParseError> {
        parse(path).ok_or_else(|| ParseError::DevicePath(path.to_owned()))
    }

    /// Whether this is the portal from which the instance has its boot volume. It is never touched.
    ///
    /// The target's name does not tell: a boot volume that is attached as data has the same, at another portal.
    pub fn is_boot(&self) -> bool {
        is_boot(self.address)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (LUN {}) at {}", self.iqn, self.lun, self.portal())
    }
}

/// Text that names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Not the path of an iSCSI disk.
    #[error(
        "{} is not the device path of an iSCSI disk, \
         {BY_PATH}/ip-ADDRESS:PORT-iscsi-IQN-lun-NUMBER",
        .0.display()
    )]
    DevicePath(PathBuf),
    /// Not the name of a target.
    #[error("{0:?} is not the name of an iSCSI target, iqn.YEAR-MONTH.DOMAIN:NAME")]
    Iqn(String),
}

fn parse(path: &Path) -> Option<Target> {
    let name = path.to_str()?.strip_prefix(BY_PATH)?.strip_prefix("/ip-")?;
    let (portal, rest) = name.split_once("-iscsi-")?;
    let (iqn, lun) = rest.rsplit_once("-lun-")?;
    let (address, port) = portal.rsplit_once(':')?;
    Some(Target {
        address: parse_address(address)?,
        port: number(port).filter(|port| *port != 0)?,
        iqn: iqn.parse().ok()?,
        lun: number(lun)?,
    })
}

/// An address, with or without the brackets of IPv6.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// Whether this is the address of the boot volume's portal.
pub(crate) fn is_boot(address: IpAddr) -> bool {
    address.to_canonical() == BOOT_ADDRESS
}

/// A decimal number written in the one usual way: no sign, no leading zeros.
fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number: &u16| number.to_string() == text)
}

const BY_PATH: &str = "/dev/disk/by-path";
/// Where every instance of OCI finds its boot volume.
const BOOT_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 0, 2));

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*, string::string_regex};

    const IQN: &str = "iqn.2015-12.com.oracleiaas:1f2e-33";

    #[track_caller]
    fn check(path: &str, target: Option<(&str, u16, &str, u16)>) {
        let expected = match target {
            Some((address, port, iqn, lun)) => Ok(Target {
                address: address.parse().unwrap(),
                port,
                iqn: iqn.parse().unwrap(),
                lun,
            }),
            None => Err(ParseError::DevicePath(path.into())),
        };
        assert_eq!(Target::from_device_path(Path::new(path)), expected);
    }

    #[test]
    fn device_paths_name_portal_target_and_unit() {
        let path = |portal, lun| format!("/dev/disk/by-path/ip-{portal}-iscsi-{IQN}-lun-{lun}");
        check(&path("169.254.2.2:3260", "1"), Some(("169.254.2.2", 3260, IQN, 1)));
        check(&path("169.254.2.2:3260", "10"), Some(("169.254.2.2", 3260, IQN, 10)));
        check(&path("169.254.2.2:1", "0"), Some(("169.254.2.2", 1, IQN, 0)));
        check(&path("[fd00:c1::a9fe:202]:3260", "2"), Some(("fd00:c1::a9fe:202", 3260, IQN, 2)));
        check(&path("fd00:c1::2:3260", "2"), Some(("fd00:c1::2", 3260, IQN, 2)));
        let odd = "iqn.2015-12.x:a-iscsi-b-lun-7-c";
        check(
            &format!("/dev/disk/by-path/ip-10.0.0.1:3260-iscsi-{odd}-lun-3"),
            Some(("10.0.0.1", 3260, odd, 3)),
        );
    }

    #[test]
    fn anything_before_between_or_after_is_refused() {
        for path in [
            "",
            "/dev/sdb",
            "/dev/oracleoci/oraclevdb",
            "/dev/disk/by-path/",
            "ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-1",
            "disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-1",
            "/chroot/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-1",
            "/dev/disk/by-path/../ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-1",
            "/dev/disk/by-path/x/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-1",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-1-part1",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-1/",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-1\n",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-+1",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-01",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-65536",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y-lun-*",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x/y-lun-1",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x y-lun-1",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi--x-lun-1",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iscsi-iqn.x:y",
            "/dev/disk/by-path/ip-169.254.2.2:3260-iqn.x:y-lun-1",
            "/dev/disk/by-path/ip-169.254.2.2:0-iscsi-iqn.x:y-lun-1",
            "/dev/disk/by-path/ip-169.254.2.2:+3260-iscsi-iqn.x:y-lun-1",
            "/dev/disk/by-path/ip-169.254.2.2-iscsi-iqn.x:y-lun-1",
            "/dev/disk/by-path/ip-169.254.2.256:3260-iscsi-iqn.x:y-lun-1",
            "/dev/disk/by-path/ip-[169.254.2.2]:3260-iscsi-iqn.x:y-lun-1",
            "/dev/disk/by-path/ip-[fd00::1:3260-iscsi-iqn.x:y-lun-1",
            "/dev/disk/by-path/ip-portal.example:3260-iscsi-iqn.x:y-lun-1",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn the_boot_volume_is_known_by_its_portal() {
        let boot = |address: &str| {
            Target {
                address: address.parse().unwrap(),
                port: 3260,
                iqn: "iqn.2015-02.oracle.boot:uefi".parse().unwrap(),
                lun: 1,
            }
            .is_boot()
        };
        assert!(boot("169.254.0.2"));
        assert!(boot("::ffff:169.254.0.2"));
        assert!(!boot("169.254.2.2"));
    }

    #[test]
    fn messages_say_what_was_expected() {
        let error = Target::from_device_path(Path::new("/dev/sdb")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/dev/sdb is not the device path of an iSCSI disk, \
             /dev/disk/by-path/ip-ADDRESS:PORT-iscsi-IQN-lun-NUMBER"
        );
        let error = "two words".parse::<Iqn>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"two words\" is not the name of an iSCSI target, iqn.YEAR-MONTH.DOMAIN:NAME"
        );
    }

    fn any_target() -> impl Strategy<Value = Target> {
        let iqn = string_regex("(iqn|eui|naa)\\.[^\\s\\p{Cc}/\\\\]{1,50}").unwrap();
        (any::<IpAddr>(), 1..=u16::MAX, iqn, any::<u16>()).prop_map(|(address, port, iqn, lun)| {
            Target { address, port, iqn: iqn.parse().unwrap(), lun }
        })
    }

    mod properties {
        use super::*;

        proptest! {
            #[test]
            fn every_target_has_a_path_of_its_own(target in any_target()) {
                prop_assert_eq!(Target::from_device_path(&target.device_path()), Ok(target));
            }

            #[test]
            fn no_path_breaks_the_parser(parts in vec("[^a-z]|/dev/disk/by-path/|ip-|\\[|-iscsi-|iqn\\.|-lun-|[0-9:.]{1,9}", 0..12)) {
                let path = PathBuf::from(parts.concat());
                if let Ok(target) = Target::from_device_path(&path) {
                    prop_assert_eq!(Target::from_device_path(&target.device_path()), Ok(target));
                }
            }
        }
    }
}
