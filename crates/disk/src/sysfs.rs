//! What sysfs says of one block device; reading it never touches the device.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{DeviceNumber, Error, Host};

/// The device's folder below `/sys/dev/block`.
#[derive(Clone, Debug)]
pub(crate) struct Sysfs {
    dir: PathBuf,
}

impl Sysfs {
    pub(crate) fn of(number: DeviceNumber, host: &Host) -> Self {
        Self { dir: host.sysfs.join("dev/block").join(number.to_string()) }
    }

    /// Where an attribute is.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// An attribute's text without the line end; `None` if this kind of device has no such file.
    pub(crate) fn attribute(&self, name: &str) -> Result<Option<String>, Error> {
        let bytes = self.bytes(name)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    /// An attribute as it is.
    pub(crate) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let file = self.dir.join(name);
        match File::open(&file).and_then(whole) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(Error::Host { file, source }),
        }
    }

    /// The device's number, as proof that the folder is the right one.
    pub(crate) fn number(&self) -> Result<DeviceNumber, Error> {
        self.parsed("dev")
    }

    /// The size in bytes.
    pub(crate) fn size(&self) -> Result<u64, Error> {
        let sectors: u64 = self.parsed("size")?;
        sectors.checked_mul(SECTOR).ok_or_else(|| self.odd("size", &sectors.to_string()))
    }

    pub(crate) fn is_read_only(&self) -> Result<bool, Error> {
        Ok(self.parsed::<u8>("ro")? != 0)
    }

    pub(crate) fn is_partition(&self) -> Result<bool, Error> {
        Ok(self.attribute("partition")?.is_some())
    }

    /// The SCSI layer's state, `running` when all is well; other kinds of disk have none.
    pub(crate) fn state(&self) -> Result<Option<String>, Error> {
        self.attribute("device/state")
    }

    /// Devices that stand on this one: device mapper, md, LVM.
    pub(crate) fn holders(&self) -> Result<Vec<String>, Error> {
        names(&self.dir.join("holders"))
    }

    /// The kernel's name for the device, below `/dev`.
    pub(crate) fn kernel_name(&self) -> Result<Option<String>, Error> {
        let event = self.attribute("uevent")?.unwrap_or_default();
        Ok(event.lines().find_map(|line| line.strip_prefix("DEVNAME=")).map(str::to_owned))
    }

    /// The numbers of the devices that are linked in a folder: `holders` or `slaves`. One that goes
    /// meanwhile is left out.
    pub(crate) fn numbers(&self, folder: &str) -> Result<Vec<DeviceNumber>, Error> {
        let mut numbers = Vec::new();
        for name in names(&self.dir.join(folder))? {
            let dev = format!("{folder}/{name}/dev");
            if self.attribute(&dev)?.is_some() {
                numbers.push(self.parsed(&dev)?);
            }
        }
        Ok(numbers)
    }

    /// The partitions the kernel knows, with their numbers.
    pub(crate) fn partitions(&self, host: &Host) -> Result<Vec<(String, Sysfs)>, Error> {
        let mut partitions = Vec::new();
        for name in names(&self.dir)? {
            let dir = Self { dir: self.dir.join(&name) };
            if dir.dir.is_dir() && dir.is_partition()? {
                partitions.push((name, Self::of(dir.number()?, host)));
            }
        }
        Ok(partitions)
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<T, Error> {
        let Some(text) = self.attribute(name)? else {
            let source = io::ErrorKind::NotFound.into();
            return Err(Error::Host { file: self.dir.join(name), source });
        };
        text.parse().map_err(|_| self.odd(name, &text))
    }

    fn odd(&self, name: &str, text: &str) -> Error {
        let source = io::Error::new(io::ErrorKind::InvalidData, format!("it says {text:?}"));
        Error::Host { file: self.dir.join(name), source }
    }
}

/// The kernel hands over an attribute in one read, of a page at most (its documentation, "sysfs").
fn whole(mut attribute: File) -> io::Result<Vec<u8>> {
    let mut page = [0; PAGE];
    let length = attribute.read(&mut page)?;
    let mut bytes = page.get(..length).unwrap_or_default().to_owned();
    if length == PAGE {
        attribute.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The names in a folder, sorted; none if the folder does not exist.
fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::Host { file: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

const PAGE: usize = 4096;
/// Sysfs counts in these, whatever the device's own blocks are.
const SECTOR: u64 = 512;
