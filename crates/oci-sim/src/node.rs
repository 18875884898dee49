//! A node played on this machine: a mount namespace, a device folder and a kubelet's folders of its own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{fs, io};

use tempfile::TempDir;

use crate::error::Error;
use crate::process::{Program, demand_root};

/// A node. Mounts made inside are not seen outside, nor by other nodes; dropping it unmounts and removes everything.
///
/// Inside, `/dev/oracleoci` is [`Node::device_folder`]: give that to
/// [`NewInstance::device_folder`](crate::NewInstance::device_folder), and disks appear where a driver looks for them.
#[derive(Debug)]
pub struct Node {
    name: String,
    holder: Child,
    folder: TempDir,
}

impl Node {
    /// A fresh node.
    ///
    /// # Errors
    /// Not root, or the system does not let us make a mount namespace.
    pub fn new(name: &str) -> Result<Self, Error> {
        demand_root("playing a node")?;
        let folder = tempfile::Builder::new().prefix(&format!("oci-sim-{name}-")).tempdir();
        let folder = folder
            .map_err(|source| file_error("create a folder in", &std::env::temp_dir(), source))?;
        for name in FOLDERS {
            let path = folder.path().join(name);
            fs::create_dir(&path).map_err(|source| file_error("create", &path, source))?;
        }
        // left behind on purpose: removing it would tear the mounts out of other nodes
        fs::create_dir_all(DEVICES)
            .map_err(|source| file_error("create", Path::new(DEVICES), source))?;
        let holder = hold(&folder.path().join("devices"))?;
        Ok(Self { name: name.to_owned(), holder, folder })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is `/dev/oracleoci` inside.
    pub fn device_folder(&self) -> PathBuf {
        self.folder.path().join("devices")
    }

    /// For kubelet's mounts, in place of `/var/lib/kubelet`.
    pub fn kubelet_root(&self) -> PathBuf {
        self.folder.path().join("kubelet")
    }

    /// For what outlives a reboot, in place of `/var/lib/…`.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// For logs, in place of `/var/log/…`.
    pub fn log_dir(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// For what a reboot clears, in place of `/run/…`.
    pub fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Everything above is in here.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command that runs inside.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = NSENTER.command();
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id())).arg("--").arg(program);
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // with its last process the namespace goes, and with it every mount in it
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A process in a mount namespace of its own, with its devices bound to their place. It ends when we do, however we do: its
/// stdin is a pipe from us.
fn hold(devices: &Path) -> Result<Child, Error> {
    let mut command = UNSHARE.command();
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    // udev of this machine knows nothing of the links that are made there.
    command.arg(
        "{ [ ! -d /run/udev ] || mount -t tmpfs none /run/udev; } && \
         mount --bind \"$1\" \"$2\" && echo ready && exec cat >/dev/null",
    );
    command.arg("sh").arg(devices).arg(DEVICES);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut holder = command.spawn().map_err(|error| UNSHARE.failed(&command, &error))?;
    let mut line = String::new();
    if let Some(stdout) = holder.stdout.take() {
        // no line is an answer too
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    if line == "ready\n" {
        return Ok(holder);
    }
    let _ = holder.kill();
    let _ = holder.wait();
    let reason = format!("no mount namespace with {} at {DEVICES}", devices.display());
    Err(Error::Failed { command: "unshare --mount".into(), reason })
}

fn file_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { action, path: path.to_owned(), source }
}

/// Where OCI's udev rules put the consistent device paths.
const DEVICES: &str = "/dev/oracleoci";
const FOLDERS: [&str; 5] = ["devices", "kubelet", "state", "log", "run"];
const UNSHARE: Program = Program { name: "unshare", package: "util-linux" };
const NSENTER: Program = Program { name: "nsenter", package: "util-linux" };
