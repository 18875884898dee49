//! Sessions and their units as sysfs shows them.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use disk::DeviceNumber;

use crate::{
    Error, Target,
    sysfs::{attribute, names},
    target::{is_boot, parse_address},
};

/// A session of this machine's initiator, as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The kernel's name for it: `session1`.
    pub name: String,
    /// The target's name.
    pub iqn: String,
    /// Where it was made to; none while it is being made.
    pub portal: Option<SocketAddr>,
    /// `LOGGED_IN`, `FAILED` or `FREE`.
    pub state: String,
    /// The kernel's name for the SCSI host of the session: `host3`.
    pub host: String,
    /// The logical units that the kernel has found so far.
    pub units: Vec<Unit>,
}

/// A logical unit of a session's target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unit {
    /// Its number.
    pub lun: u64,
    /// `running`, `blocked`, `offline`, `transport-offline`, …
    pub state: String,
    /// Its disk; units that are no disks have none.
    pub block: Option<Block>,
    /// Whether it has a disk, even one of which nothing can be read: it is coming or going.
    pub(crate) is_disk: bool,
    pub(crate) device: PathBuf,
}

/// The block device of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Block {
    /// `sda`
    pub name: String,
    /// Its number.
    pub number: DeviceNumber,
    /// In bytes, as the kernel saw it last; 0 while the target is not ready.
    pub size: u64,
}

impl Session {
    /// Whether it works.
    pub fn is_logged_in(&self) -> bool {
        self.state == "LOGGED_IN"
    }

    /// The unit that `target` names.
    pub fn unit(&self, target: &Target) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.lun == u64::from(target.lun))
    }

    /// Whether the instance has its boot volume from it.
    pub(crate) fn is_boot(&self) -> bool {
        self.portal.is_some_and(|portal| is_boot(portal.ip()))
    }

    /// Whether it was made to exactly this name through exactly this portal.
    pub(crate) fn reaches(&self, target: &Target) -> bool {
        self.iqn == target.iqn.as_ref() && self.portal == Some(target.portal())
    }
}

/// All sessions; one that vanishes while it is looked at is left out.
pub(crate) fn sessions(sysfs: &Path) -> Result<Vec<Session>, Error> {
    let class = sysfs.join("class");
    // Without this, a missing sysfs would read as "no session".
    fs::metadata(&class).map_err(|source| Error::Sysfs {
        verb: "read",
        path: class.clone(),
        source,
    })?;
    let class = class.join("iscsi_session");
    let mut found = Vec::new();
    for name in names(&class, "session")? {
        found.extend(session(&class, name)?);
    }
    Ok(found)
}

fn session(class: &Path, name: String) -> Result<Option<Session>, Error> {
    let entry = class.join(&name);
    let (Some(iqn), Some(state)) =
        (attribute(&entry.join("targetname"))?, attribute(&entry.join("state"))?)
    else {
        return Ok(None);
    };
    let Ok(device) = fs::canonicalize(entry.join("device")) else { return Ok(None) };
    let Some(host) = host_of(&device) else { return Ok(None) };
    let portal = portal(&device)?;
    let units = units(&device)?;
    Ok(Some(Session { name, iqn, portal, state, host, units }))
}

/// The SCSI host among the parents of a device: `host3` of `…/host3/session1`.
fn host_of(device: &Path) -> Option<String> {
    let names = device.ancestors().filter_map(|parent| parent.file_name()?.to_str());
    let is_host = |name: &&str| {
        name.strip_prefix("host")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    names.into_iter().find(is_host).map(str::to_owned)
}

/// Where the session's connection was made to (Linux has one per session).
fn portal(device: &Path) -> Result<Option<SocketAddr>, Error> {
    for connection in names(device, "connection")? {
        let entry = device.join(&connection).join("iscsi_connection").join(&connection);
        let address = attribute(&entry.join("persistent_address"))?;
        let port = attribute(&entry.join("persistent_port"))?;
        let portal = address.zip(port).and_then(|(address, port)| {
            Some(SocketAddr::new(parse_address(&address)?, port.parse().ok()?))
        });
        if portal.is_some() {
            return Ok(portal);
        }
    }
    Ok(None)
}

fn units(device: &Path) -> Result<Vec<Unit>, Error> {
    let mut units = Vec::new();
    for target in names(device, "target")? {
        for address in names(&device.join(&target), "")? {
            units.extend(unit(&device.join(&target).join(&address), &address)?);
        }
    }
    Ok(units)
}

/// The unit at `address`, `HOST:CHANNEL:TARGET:LUN`; other entries beside the units are none.
fn unit(device: &Path, address: &str) -> Result<Option<Unit>, Error> {
    let numbers: Option<Vec<u64>> = address.split(':').map(|part| part.parse().ok()).collect();
    let Some(&[_, _, _, lun]) = numbers.as_deref() else { return Ok(None) };
    let Some(state) = attribute(&device.join("state"))? else { return Ok(None) };
    let disks = device.join("block");
    let name = names(&disks, "")?.into_iter().next();
    let is_disk = name.is_some();
    let block = name.map(|name| block(&disks, name)).transpose()?.flatten();
    Ok(Some(Unit { lun, state, block, is_disk, device: device.to_owned() }))
}

fn block(dir: &Path, name: String) -> Result<Option<Block>, Error> {
    let number = attribute(&dir.join(&name).join("dev"))?.and_then(|text| text.parse().ok());
    let sectors =
        attribute(&dir.join(&name).join("size"))?.and_then(|text| text.parse::<u64>().ok());
    Ok(number.zip(sectors).map(|(number, sectors)| Block {
        name,
        number,
        size: sectors.saturating_mul(SECTOR),
    }))
}

/// The unit of `size` in sysfs, whatever the disk's own sectors are.
const SECTOR: u64 = 512;
