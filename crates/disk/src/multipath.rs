//! Multipath maps: one device-mapper device over all paths to one disk (dm-multipath).

use crate::{DeviceNumber, Error, Host, sysfs::Sysfs};

/// A map that multipathd has made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Map {
    /// The kernel's name, below `/dev`: `dm-0`.
    pub device: String,
    /// The name by which `multipath` knows it: `mpatha`, or the disk's world-wide identifier.
    pub name: String,
    /// Its number.
    pub number: DeviceNumber,
    /// Its size in bytes; it does not follow its paths by itself.
    pub size: u64,
    /// The paths it stands on.
    pub paths: Vec<DeviceNumber>,
}

impl Host {
    /// The map with this number; none if it is any other device, or gone.
    ///
    /// # Errors
    /// If sysfs does not read.
    pub fn map(&self, number: DeviceNumber) -> Result<Option<Map>, Error> {
        read(&Sysfs::of(number, self))
    }

    /// The maps that stand on a device.
    ///
    /// # Errors
    /// If sysfs does not read.
    pub fn maps_above(&self, path: DeviceNumber) -> Result<Vec<Map>, Error> {
        let mut maps = Vec::new();
        for number in Sysfs::of(path, self).numbers("holders")? {
            maps.extend(self.map(number)?);
        }
        Ok(maps)
    }
}

/// The device as a map, if it is one.
pub(crate) fn read(sysfs: &Sysfs) -> Result<Option<Map>, Error> {
    if !sysfs.attribute("dm/uuid")?.is_some_and(|uuid| uuid.starts_with(PREFIX)) {
        return Ok(None);
    }
    let (Some(name), Some(device)) = (sysfs.attribute("dm/name")?, sysfs.kernel_name()?) else {
        return Ok(None);
    };
    let (number, size, paths) = (sysfs.number()?, sysfs.size()?, sysfs.numbers("slaves")?);
    Ok(Some(Map { device, name, number, size, paths }))
}

/// How multipath-tools begins the UUIDs of its maps; the disk's identifier follows.
const PREFIX: &str = "mpath-";

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn tree(dir: &Path, uuid: &str) -> Host {
        for (file, text) in [
            ("253:0/dm/uuid", uuid),
            ("253:0/dm/name", "mpatha"),
            ("253:0/size", "32768"),
            ("253:0/dev", "253:0"),
            ("253:0/uevent", "MAJOR=253\nMINOR=0\nDEVNAME=dm-0\nDEVTYPE=disk"),
            ("253:0/slaves/sda/dev", "8:0"),
            ("253:0/slaves/sdb/dev", "8:16"),
            ("8:0/dev", "8:0"),
            ("8:0/holders/dm-0/dev", "253:0"),
            ("8:32/dev", "8:32"),
        ] {
            let path = dir.join("dev/block").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }
        Host { sysfs: dir.to_owned(), ..Host::default() }
    }

    fn number(major: u32, minor: u32) -> DeviceNumber {
        DeviceNumber { major, minor }
    }

    #[test]
    fn a_map_is_found_by_its_number_and_from_its_paths() {
        let dir = tempfile::tempdir().unwrap();
        let host = tree(dir.path(), "mpath-360000000000000000e00000000010001");
        let map = Map {
            device: "dm-0".into(),
            name: "mpatha".into(),
            number: number(253, 0),
            size: 16 << 20,
            paths: vec![number(8, 0), number(8, 16)],
        };
        assert_eq!(host.map(number(253, 0)).unwrap(), Some(map.clone()));
        assert_eq!(host.maps_above(number(8, 0)).unwrap(), [map]);
        assert_eq!(host.maps_above(number(8, 32)).unwrap(), []);
        assert_eq!(host.map(number(8, 0)).unwrap(), None);
        assert_eq!(host.map(number(9, 9)).unwrap(), None);
    }

    #[test]
    fn other_kinds_of_device_mapper_are_no_maps() {
        let dir = tempfile::tempdir().unwrap();
        let host = tree(dir.path(), "LVM-abc");
        assert_eq!(host.map(number(253, 0)).unwrap(), None);
        assert_eq!(host.maps_above(number(8, 0)).unwrap(), []);
    }
}
