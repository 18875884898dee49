//! A call as a value, made from an argument list.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use crate::{CallError, Options, options::looks_like_json};

/// One call of the protocol with its arguments.
///
/// Its `Debug` form is fit for a log: of the options it shows the names only.
#[derive(Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the arguments that the crate's first page lists")]
pub enum Call {
    /// What can the driver do?
    Init,
    /// What is the volume called? Every caller ignores the answer, so the arguments are not kept.
    GetVolumeName,
    /// Attach the volume to the node.
    Attach { options: Options, node: String },
    /// Take the volume off the node.
    Detach { volume: String, node: String },
    /// Is the volume attached to the node?
    IsAttached { options: Options, node: String },
    /// Find the volume's device on this node. `device` is what `attach` said, or empty.
    WaitForAttach { device: PathBuf, options: Options },
    /// Mount the device at the volume's global directory.
    MountDevice { dir: PathBuf, device: PathBuf, options: Options },
    /// Undo `MountDevice`.
    UnmountDevice { dir: PathBuf },
    /// Make the volume appear in a pod's directory.
    Mount { dir: PathBuf, options: Options },
    /// Undo `Mount`.
    Unmount { dir: PathBuf },
    /// Grow the volume.
    ExpandVolume { options: Options, dir: PathBuf, new_bytes: u64, old_bytes: u64 },
    /// Grow the filesystem on it. `old_bytes` may be 0 or stale.
    ExpandFs { options: Options, device: PathBuf, dir: PathBuf, new_bytes: u64, old_bytes: u64 },
}

impl Call {
    /// Reads the arguments of the process, without its own name.
    ///
    /// `init` and `getvolumename` are accepted with any arguments: a driver that fails them is not
    /// loaded or cannot unmount. `isattached` is accepted with its arguments in either order.
    ///
    /// # Errors
    /// [`CallError::Unknown`] for a call of another version, which is to be answered "Not supported"; the
    /// others for arguments that the call does not have.
    pub fn parse(args: &[OsString]) -> Result<Self, CallError> {
        let (name, args) = args.split_first().ok_or(CallError::Missing)?;
        let it = Usage::of(name).ok_or(CallError::Unknown)?;
        Ok(match (it.call, args) {
            ("init", _) => Self::Init,
            ("getvolumename", _) => Self::GetVolumeName,
            ("attach", [options, node]) => {
                Self::Attach { options: it.options(options)?, node: it.name("node name", node)? }
            }
            ("detach", [volume, node]) => Self::Detach {
                volume: it.name("volume name", volume)?,
                node: it.name("node name", node)?,
            },
            ("isattached", [node, options]) if looks_like_json(options.as_encoded_bytes()) => {
                Self::IsAttached {
                    options: it.options(options)?,
                    node: it.name("node name", node)?,
                }
            }
            ("isattached", [options, node]) => Self::IsAttached {
                options: it.options(options)?,
                node: it.name("node name", node)?,
            },
            ("waitforattach", [device, options]) => Self::WaitForAttach {
                device: it.path("device", device)?,
                options: it.options(options)?,
            },
            ("mountdevice", [dir, device, options]) => Self::MountDevice {
                dir: it.path("global mount dir", dir)?,
                device: it.path("device", device)?,
                options: it.options(options)?,
            },
            ("unmountdevice", [dir]) => {
                Self::UnmountDevice { dir: it.path("global mount dir", dir)? }
            }
            ("mount", [dir, options]) => {
                Self::Mount { dir: it.path("pod volume dir", dir)?, options: it.options(options)? }
            }
            ("unmount", [dir]) => Self::Unmount { dir: it.path("pod volume dir", dir)? },
            ("expandvolume", [options, dir, new, old]) => Self::ExpandVolume {
                options: it.options(options)?,
                dir: it.path("global mount dir", dir)?,
                new_bytes: it.bytes("new size", new)?,
                old_bytes: it.bytes("old size", old)?,
            },
            ("expandfs", [options, device, dir, new, old]) => Self::ExpandFs {
                options: it.options(options)?,
                device: it.path("device", device)?,
                dir: it.path("mount dir", dir)?,
                new_bytes: it.bytes("new size", new)?,
                old_bytes: it.bytes("old size", old)?,
            },
            (call, args) => {
                return Err(CallError::ArgumentCount {
                    call,
                    usage: it.arguments,
                    given: args.len(),
                });
            }
        })
    }
}

/// What the log shows of it.
impl Call {
    /// The name of the call that `args` are meant for, whatever follows it.
    pub(crate) fn known_verb(args: &[OsString]) -> Option<&'static str> {
        args.first().and_then(|name| Usage::of(name)).map(|it| it.call)
    }

    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::GetVolumeName => "getvolumename",
            Self::Attach { .. } => "attach",
            Self::Detach { .. } => "detach",
            Self::IsAttached { .. } => "isattached",
            Self::WaitForAttach { .. } => "waitforattach",
            Self::MountDevice { .. } => "mountdevice",
            Self::UnmountDevice { .. } => "unmountdevice",
            Self::Mount { .. } => "mount",
            Self::Unmount { .. } => "unmount",
            Self::ExpandVolume { .. } => "expandvolume",
            Self::ExpandFs { .. } => "expandfs",
        }
    }

    pub(crate) fn options(&self) -> Option<&Options> {
        match self {
            Self::Attach { options, .. }
            | Self::IsAttached { options, .. }
            | Self::WaitForAttach { options, .. }
            | Self::MountDevice { options, .. }
            | Self::Mount { options, .. }
            | Self::ExpandVolume { options, .. }
            | Self::ExpandFs { options, .. } => Some(options),
            _ => None,
        }
    }

    /// Its name, for the calls that are told it.
    pub(crate) fn volume(&self) -> Option<&str> {
        match self {
            Self::Detach { volume, .. } => Some(volume),
            call => call.options()?.volume_name().ok(),
        }
    }

    pub(crate) fn node(&self) -> Option<&str> {
        match self {
            Self::Attach { node, .. }
            | Self::Detach { node, .. }
            | Self::IsAttached { node, .. } => Some(node),
            _ => None,
        }
    }

    pub(crate) fn device(&self) -> Option<&Path> {
        match self {
            Self::WaitForAttach { device, .. }
            | Self::MountDevice { device, .. }
            | Self::ExpandFs { device, .. } => Some(device),
            _ => None,
        }
    }

    pub(crate) fn dir(&self) -> Option<&Path> {
        match self {
            Self::MountDevice { dir, .. }
            | Self::UnmountDevice { dir }
            | Self::Mount { dir, .. }
            | Self::Unmount { dir }
            | Self::ExpandVolume { dir, .. }
            | Self::ExpandFs { dir, .. } => Some(dir),
            _ => None,
        }
    }

    /// The new one and the old one, in bytes.
    pub(crate) fn sizes(&self) -> Option<(u64, u64)> {
        match self {
            Self::ExpandVolume { new_bytes, old_bytes, .. }
            | Self::ExpandFs { new_bytes, old_bytes, .. } => Some((*new_bytes, *old_bytes)),
            _ => None,
        }
    }
}

/// A call's name and what it takes; reads single arguments and blames the call for them.
struct Usage {
    call: &'static str,
    arguments: &'static str,
}

impl Usage {
    fn of(name: &OsStr) -> Option<Self> {
        let (call, arguments) = *USAGES.iter().find(|(call, _)| name == *call)?;
        Some(Self { call, arguments })
    }

    fn options(&self, argument: &OsStr) -> Result<Options, CallError> {
        Options::from_json(argument.as_encoded_bytes())
            .map_err(|source| CallError::Options { call: self.call, source })
    }

    fn path(&self, what: &'static str, argument: &OsStr) -> Result<PathBuf, CallError> {
        if looks_like_json(argument.as_encoded_bytes()) {
            let Self { call, arguments: usage } = *self;
            return Err(CallError::Misplaced { call, what, usage });
        }
        Ok(PathBuf::from(argument))
    }

    fn text(&self, what: &'static str, argument: &OsStr) -> Result<String, CallError> {
        let not_utf8 = |_| CallError::NotUtf8 { call: self.call, what };
        self.path(what, argument)?.into_os_string().into_string().map_err(not_utf8)
    }

    /// A text that the object has in Kubernetes.
    fn name(&self, what: &'static str, argument: &OsStr) -> Result<String, CallError> {
        let name = self.text(what, argument)?;
        let fits = (1..=LONGEST_NAME).contains(&name.len());
        fits.then_some(name).ok_or(CallError::NoName { call: self.call, what })
    }

    fn bytes(&self, what: &'static str, argument: &OsStr) -> Result<u64, CallError> {
        let not_bytes = |_| CallError::NotBytes { call: self.call, what };
        self.text(what, argument)?.parse().map_err(not_bytes)
    }
}

/// In bytes; Kubernetes' own limit for names is 253.
const LONGEST_NAME: usize = 1024;
const USAGES: [(&str, &str); 12] = [
    ("init", ""),
    ("getvolumename", "<options>"),
    ("attach", "<options> <node name>"),
    ("detach", "<volume name> <node name>"),
    ("isattached", "<options> <node name>"),
    ("waitforattach", "<device> <options>"),
    ("mountdevice", "<global mount dir> <device> <options>"),
    ("unmountdevice", "<global mount dir>"),
    ("mount", "<pod volume dir> <options>"),
    ("unmount", "<pod volume dir>"),
    ("expandvolume", "<options> <global mount dir> <new bytes> <old bytes>"),
    ("expandfs", "<options> <device> <mount dir> <new bytes> <old bytes>"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_documented() {
        let page = include_str!("../../../docs/protocol.md");
        let code: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .flat_map(|line| line.split('`').skip(1).step_by(2))
            .filter_map(|code| code.split(' ').next())
            .collect();
        let missing: Vec<_> = USAGES.iter().filter(|(call, _)| !code.contains(call)).collect();
        assert!(missing.is_empty(), "docs/protocol.md has no row for {missing:?}");
    }
}
