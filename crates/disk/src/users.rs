//! Who uses a disk.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fmt, fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use crate::{DeviceNumber, Error, Host, mountinfo, sysfs::Sysfs};

/// A user of a disk or of a partition of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum User {
    /// A device that stands on it: device mapper (LVM, multipath, LUKS) or md.
    Holder(String),
    /// A partition, by the kernel's name.
    Partition(String),
    /// Swap space.
    Swap,
    /// A mount in our mount namespace.
    Mount(PathBuf),
    /// A mount in the mount namespace of another process.
    ForeignMount {
        /// where, as that process sees it
        dir: PathBuf,
        /// one process that sees it
        pid: u32,
        /// its name
        name: String,
    },
    /// A process that has the device itself open. By itself that excludes no other user, so it is looked for only
    /// when no other is found. udev, which reads a disk and closes it, does not count.
    Process {
        /// the process
        pid: u32,
        /// its name
        name: String,
    },
    /// A process that has a file open of a file system that is mounted nowhere any more. Of which disk
    /// does not show, so this is only told of a disk that is known to be in use.
    Unmounted {
        /// the file, as seen from the root of its file system
        file: PathBuf,
        /// the process
        pid: u32,
        /// its name
        name: String,
    },
}

impl User {
    /// The number of the process, if it is one.
    pub(crate) fn process(&self) -> Option<u32> {
        match self {
            Self::ForeignMount { pid, .. }
            | Self::Process { pid, .. }
            | Self::Unmounted { pid, .. } => Some(*pid),
            Self::Holder(_) | Self::Partition(_) | Self::Swap | Self::Mount(_) => None,
        }
    }
}

/// Without the number of a process: Kubernetes counts an event again only if its text is the same.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holder(name) => write!(f, "{name} is built on it"),
            Self::Partition(name) => write!(f, "it has the partition {name}"),
            Self::Swap => f.write_str("it is swap space"),
            Self::Mount(dir) => write!(f, "it is mounted at {}", dir.display()),
            Self::ForeignMount { dir, name, .. } => {
                write!(f, "it is mounted at {} in the mount namespace of {name}", dir.display())
            }
            Self::Process { name, .. } => write!(f, "{name} has it open"),
            Self::Unmounted { file, name, .. } => write!(
                f,
                "{name} has {} open of a file system that was unmounted lazily",
                file.display()
            ),
        }
    }
}

/// Everybody who is found.
pub(crate) fn find(
    path: &Path,
    number: DeviceNumber,
    sysfs: &Sysfs,
    host: &Host,
) -> Result<Vec<User>, Error> {
    let mut users = Vec::new();
    let mut holders = sysfs.holders()?;
    let mut numbers = vec![number];
    for (name, partition) in sysfs.partitions(host)? {
        holders.extend(partition.holders()?);
        numbers.push(partition.number()?);
        users.push(User::Partition(name));
    }
    users.extend(holders.into_iter().map(User::Holder));
    users.extend(swaps(host, &numbers)?);
    users.extend(mounts(host, &numbers)?);
    if users.is_empty() {
        users.extend(processes(host, path));
    }
    Ok(users)
}

fn swaps(host: &Host, numbers: &[DeviceNumber]) -> Result<Option<User>, Error> {
    let file = host.proc.join("swaps");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        // a kernel without swap
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Host { file, source }),
    };
    let mut swaps = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let is_ours = |swap: &str| {
        fs::metadata(swap)
            .is_ok_and(|found| numbers.contains(&DeviceNumber::from_raw(found.rdev())))
    };
    Ok(swaps.any(is_ours).then_some(User::Swap))
}

fn mounts(host: &Host, numbers: &[DeviceNumber]) -> Result<Vec<User>, Error> {
    let is_ours = |entry: &mountinfo::Entry| numbers.contains(&entry.number);
    let here = host.mount_table().entries()?;
    let mut users: Vec<_> =
        here.iter().filter(|it| is_ours(it)).map(|it| User::Mount(it.dir.clone())).collect();

    for (pid, process, table) in tables(host, namespace(&host.proc.join("self"))) {
        users.extend(table.into_iter().filter(is_ours).map(|entry| User::ForeignMount {
            dir: entry.dir,
            pid,
            name: name(&process),
        }));
    }
    Ok(users)
}

/// The mount table of every namespace but `known`, with a process that lives in it.
fn tables(
    host: &Host,
    known: Option<PathBuf>,
) -> impl Iterator<Item = (u32, PathBuf, Vec<mountinfo::Entry>)> {
    let mut seen: HashSet<_> = known.into_iter().collect();
    pids(host).filter_map(move |pid| {
        let process = host.proc.join(pid.to_string());
        if !seen.insert(namespace(&process)?) {
            return None;
        }
        // the process may be gone by now, which is as good as not having seen it
        let table = fs::read(process.join("mountinfo")).ok()?;
        Some((pid, process, mountinfo::parse(&table).unwrap_or_default()))
    })
}

fn namespace(process: &Path) -> Option<PathBuf> {
    fs::read_link(process.join("ns/mnt")).ok()
}

/// Processes other than this one with an open file that is the device.
fn processes(host: &Host, path: &Path) -> Vec<User> {
    let has_it_open =
        |process: &Path| open_files(process).any(|(_, target)| target.as_path() == path);
    pids(host)
        .filter(|pid| *pid != std::process::id())
        .map(|pid| (pid, host.proc.join(pid.to_string())))
        .filter(|(_, process)| has_it_open(process))
        .map(|(pid, process)| User::Process { pid, name: name(&process) })
        .filter(|user| !matches!(user, User::Process { name, .. } if UDEV.contains(&&**name)))
        .collect()
}

/// Processes with an open file of a mount that is in no mount namespace. The files themselves are not
/// touched: they may be of a server that answers nothing.
pub(crate) fn of_unmounted(host: &Host) -> Vec<User> {
    let mounted = tables(host, None).flat_map(|(_, _, table)| table).map(|entry| entry.id);
    let mounted: HashSet<_> = mounted.collect();
    let unmounted = |pid: u32| {
        let process = host.proc.join(pid.to_string());
        // What the kernel has of its own, such as memory and pipes, is mounted nowhere either.
        let (_, file) = open_files(&process).find(|(number, target)| {
            target.is_absolute()
                && !KERNELS_OWN.iter().any(|own| target.as_os_str().as_bytes().starts_with(own))
                && mount_of(&process, number).is_some_and(|mount| !mounted.contains(&mount))
        })?;
        Some(User::Unmounted { file, pid, name: name(&process) })
    };
    pids(host).filter_map(unmounted).take(SHOWN).collect()
}

/// The open files of a process, by descriptor and path.
fn open_files(process: &Path) -> impl Iterator<Item = (OsString, PathBuf)> + use<> {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    files.filter_map(|file| Some((file.file_name(), fs::read_link(file.path()).ok()?)))
}

/// The mount of an open file: `mnt_id` in fdinfo (proc(5)).
fn mount_of(process: &Path, descriptor: &OsStr) -> Option<u32> {
    let info = fs::read_to_string(process.join("fdinfo").join(descriptor)).ok()?;
    info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

fn pids(host: &Host) -> impl Iterator<Item = u32> + use<> {
    let entries = fs::read_dir(&host.proc).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn name(process: &Path) -> String {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    name.trim().replace(char::is_control, "?")
}

/// What udev's processes are called, in old versions and new ones.
const UDEV: [&str; 3] = ["(udev-worker)", "systemd-udevd", "udevd"];
const KERNELS_OWN: [&[u8]; 5] = [b"/memfd:", b"/SYSV", b"/dev/zero", b"/dmabuf:", b"/["];
const SHOWN: usize = 5;
