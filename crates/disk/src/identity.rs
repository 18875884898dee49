//! The names a disk has by itself, whatever path leads to it.

use std::{ffi::OsStr, fs, os::unix::fs::MetadataExt as _};

use crate::{Host, multipath, sysfs::Sysfs};

/// What sets one disk apart from another, as the kernel read it when the disk appeared.
///
/// The kernel does not notice by itself when another volume takes the place behind a live SCSI
/// device; writing `1` to the device's `rescan` in sysfs makes it ask again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// World-wide name: VPD page 0x83 of SCSI disks, `wwid` of NVMe.
    pub wwid: Option<String>,
    /// Serial number: VPD page 0x80 of SCSI disks, `serial` of virtio and NVMe.
    pub serial: Option<String>,
    /// This appearance of the disk on this machine: the boot and the kernel's count of disks
    /// (`diskseq`, since Linux 5.15). Every disk that appears has another one, whatever its number.
    /// Before, the count of iSCSI sessions and the device's folder in sysfs tell as much.
    pub appearance: Option<String>,
}

/// What is missing, unreadable or empty is not known. A multipath map has the names of its paths,
/// as far as these agree.
pub(crate) fn read(sysfs: &Sysfs, host: &Host) -> Identity {
    let own = read_own(sysfs, host);
    let Ok(Some(map)) = multipath::read(sysfs) else { return own };
    let paths: Vec<_> =
        map.paths.iter().map(|path| read_own(&Sysfs::of(*path, host), host)).collect();
    let common = |name: fn(&Identity) -> &Option<String>| {
        let first = name(paths.first()?);
        first.clone().filter(|_| paths.iter().all(|path| name(path) == first))
    };
    Identity { wwid: common(|it| &it.wwid), serial: common(|it| &it.serial), ..own }
}

fn read_own(sysfs: &Sysfs, host: &Host) -> Identity {
    let boot = fs::read_to_string(host.proc.join("sys/kernel/random/boot_id")).ok();
    let text = |name| sysfs.attribute(name).ok().flatten().filter(|text| !text.is_empty());
    let page = sysfs.bytes("device/vpd_pg80").ok().flatten();
    Identity {
        wwid: text("device/wwid").or_else(|| text("wwid")),
        serial: page
            .and_then(|page| serial_in_page(&page))
            .or_else(|| text("serial"))
            .or_else(|| text("device/serial")),
        appearance: boot
            .zip(text("diskseq").or_else(|| in_session(sysfs)))
            .map(|(boot, count)| format!("{} {count}", boot.trim())),
    }
}

/// The iSCSI session of a disk (`iscsi_session_nr` of the kernel's scsi_transport_iscsi.c: no number is used
/// twice in a boot), and the inode of the disk's folder, which is another one when the disk comes anew.
fn in_session(sysfs: &Sysfs) -> Option<String> {
    let dir = fs::canonicalize(sysfs.file("")).ok()?;
    let is_session = |name: &&str| {
        let number = name.strip_prefix("session").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let session = dir.iter().filter_map(OsStr::to_str).find(is_session)?;
    Some(format!("{session} {}", fs::metadata(&dir).ok()?.ino()))
}

/// VPD page 0x80: four bytes of header, the last two the length, then the serial number in ASCII
/// (SPC-4, 7.8.18).
fn serial_in_page(page: &[u8]) -> Option<String> {
    let (&[_, 0x80, high, low], rest) = page.split_first_chunk::<4>()? else { return None };
    let serial = rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
    let serial = std::str::from_utf8(serial).ok()?.trim_matches([' ', '\0']);
    (!serial.is_empty()).then(|| serial.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceNumber;
    use std::os::unix::fs::symlink;

    #[track_caller]
    fn check(files: &[(&str, &[u8])], wwid: Option<&str>, serial: Option<&str>) {
        let tree = tempfile::tempdir().unwrap();
        let host = Host { sysfs: tree.path().to_owned(), ..Host::default() };
        let dir = tree.path().join("dev/block/8:16");
        fs::create_dir_all(dir.join("device")).unwrap();
        for (name, bytes) in files {
            fs::write(dir.join(name), bytes).unwrap();
        }
        let sysfs = Sysfs::of(DeviceNumber { major: 8, minor: 16 }, &host);
        let (wwid, serial) = (wwid.map(str::to_owned), serial.map(str::to_owned));
        assert_eq!(read(&sysfs, &host), Identity { wwid, serial, appearance: None });
    }

    #[test]
    fn a_scsi_disk_shows_its_pages() {
        check(
            &[
                ("device/wwid", b"naa.60f3a1\n"),
                ("device/vpd_pg80", b"\0\x80\0\x0660f3a1"),
                ("serial", b"other"),
            ],
            Some("naa.60f3a1"),
            Some("60f3a1"),
        );
    }

    #[test]
    fn a_virtio_disk_shows_a_serial() {
        check(&[("serial", b"vol-1")], None, Some("vol-1"));
    }

    #[test]
    fn an_nvme_disk_shows_both_elsewhere() {
        check(&[("wwid", b"eui.1\n"), ("device/serial", b"S1  \n")], Some("eui.1"), Some("S1"));
    }

    #[test]
    fn a_multipath_map_has_the_names_that_its_paths_agree_on() {
        let tree = tempfile::tempdir().unwrap();
        let host = Host { sysfs: tree.path().to_owned(), ..Host::default() };
        let write = |file: &str, text: &str| {
            let path = tree.path().join("dev/block").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (file, text) in [
            ("253:0/dm/uuid", "mpath-3600"),
            ("253:0/dm/name", "mpatha"),
            ("253:0/size", "32768"),
            ("253:0/dev", "253:0"),
            ("253:0/uevent", "DEVNAME=dm-0"),
            ("253:0/slaves/sda/dev", "8:0"),
            ("253:0/slaves/sdb/dev", "8:16"),
            ("8:0/device/wwid", "naa.600"),
            ("8:16/device/wwid", "naa.600"),
            ("8:0/serial", "one"),
            ("8:16/serial", "two"),
        ] {
            write(file, text);
        }
        let map = Sysfs::of(DeviceNumber { major: 253, minor: 0 }, &host);
        let names = |it: Identity| (it.wwid, it.serial);
        assert_eq!(names(read(&map, &host)), (Some("naa.600".into()), None));
        write("8:16/device/wwid", "naa.601");
        assert_eq!(names(read(&map, &host)), (None, None));
    }

    #[test]
    fn a_loop_device_has_neither() {
        check(&[], None, None);
        check(&[("device/wwid", b"\n"), ("serial", b"")], None, None);
    }

    #[test]
    fn an_appearance_is_a_boot_and_a_count() {
        let tree = tempfile::tempdir().unwrap();
        let host =
            Host { sysfs: tree.path().to_owned(), proc: tree.path().to_owned(), ..Host::default() };
        let sysfs = Sysfs::of(DeviceNumber { major: 7, minor: 0 }, &host);
        let (device, random) =
            (tree.path().join("dev/block/7:0"), tree.path().join("sys/kernel/random"));
        fs::create_dir_all(&device).unwrap();
        fs::create_dir_all(&random).unwrap();
        fs::write(device.join("diskseq"), "17\n").unwrap();
        assert_eq!(read(&sysfs, &host).appearance, None);
        fs::write(random.join("boot_id"), "b007\n").unwrap();
        assert_eq!(read(&sysfs, &host).appearance.as_deref(), Some("b007 17"));
    }

    #[test]
    fn before_the_kernel_counts_disks_a_session_tells_an_appearance() {
        let tree = tempfile::tempdir().unwrap();
        let host =
            Host { sysfs: tree.path().to_owned(), proc: tree.path().to_owned(), ..Host::default() };
        let write = |file: &str, text: &str| {
            let path = tree.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("sys/kernel/random/boot_id", "b007\n");
        fs::create_dir_all(tree.path().join("dev/block")).unwrap();
        let appearance = |number, dir: &str| {
            write(&format!("devices/{dir}/size"), "1");
            let dir = tree.path().join("devices").join(dir);
            symlink(&dir, tree.path().join(format!("dev/block/{number}"))).unwrap();
            let sysfs = Sysfs::of(number, &host);
            (read(&sysfs, &host).appearance, fs::metadata(dir).unwrap().ino())
        };
        let number = |minor| DeviceNumber { major: 8, minor };
        let (shown, inode) = appearance(number(0), "host3/session2/target3:0:0/3:0:0:1/block/sda");
        assert_eq!(shown, Some(format!("b007 session2 {inode}")));
        assert_eq!(appearance(number(16), "virtio0/host0/session/sessionx1/block/sdb").0, None);
    }

    #[test]
    fn a_broken_page_is_no_serial() {
        for page in [&b""[..], b"\0\x80\0", b"\0\x83\0\x01a", b"\0\x80\0\x09abc", b"\0\x80\0\x02  "]
        {
            check(&[("device/vpd_pg80", page)], None, None);
        }
    }
}
