//! A node that this process itself plays, because entering another's mounts costs more than a call.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, unshare};
use oci_sim::NewInstance;
use testbed::{Cluster, Setup};
use xshell::{Shell, cmd};

/// A node with a volume attached.
pub(super) struct Node {
    cluster: Cluster,
    device: String,
    options: String,
}

impl Node {
    /// Takes this thread, and what it starts, into mounts of its own, and attaches a volume there.
    pub(super) fn start(sh: &Shell, binary: &Path) -> Result<Self> {
        let cluster = Cluster::start(binary, &Setup { nodes: 0, ..Setup::default() })?;
        let devices = cluster.dir().join("devices");
        fs::create_dir_all(&devices)?;
        become_node(sh, &devices, &cluster.dir().join("controller/run"))?;
        let instance = NewInstance {
            display_name: NAME.into(),
            device_folder: Some(devices),
            ..NewInstance::default()
        };
        cluster.sim.add_instance(instance);
        let options = cluster.options(&[("attachmentType", "paravirtualized")]);
        let attached = cluster.controller().call(&["attach", &options, NAME])?;
        let device = attached.field("device").context(attached.text)?;
        ensure!(Path::new(&device).exists(), "{device} did not appear");
        Ok(Self { cluster, device, options })
    }

    /// `oci init`
    pub(super) fn init(&self) -> Command {
        self.as_kubelet(&["init"])
    }

    /// `oci waitforattach`, of a disk that is there.
    pub(super) fn wait_for_attach(&self) -> Command {
        self.as_kubelet(&["waitforattach", &self.device, &self.options])
    }

    /// `oci mountdevice` at the global directory.
    pub(super) fn mount_device(&self) -> Command {
        self.as_kubelet(&["mountdevice", &self.dir(), &self.device, &self.options])
    }

    /// `oci unmountdevice` of the global directory.
    pub(super) fn unmount_device(&self) -> Command {
        self.as_kubelet(&["unmountdevice", &self.dir()])
    }

    /// `/bin/true`, called in the same way.
    pub(super) fn nothing(&self) -> Command {
        self.bare("/bin/true")
    }

    /// A line of words that the driver has run, run again.
    pub(super) fn alone(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let mut command = self.bare(words.next().unwrap_or_default());
        command.env("PATH", PATH).args(words);
        command
    }

    /// Such lines, one after the other, as long as they succeed.
    pub(super) fn shell(&self, lines: &[String]) -> Command {
        let mut command = self.bare("/bin/sh");
        command.env("PATH", PATH).arg("-c").arg(lines.join(" && "));
        command
    }

    /// A line that waits until everything written to the mounted file system is on its disk.
    pub(super) fn flush(&self) -> String {
        format!("sync --file-system {}", self.dir())
    }

    /// Runs `call`; the command lines of the host programs that it has run, in their order.
    pub(super) fn programs_of(&self, mut call: Command) -> Result<Vec<String>> {
        let dir = self.cluster.dir().join("recorders");
        let record = self.cluster.dir().join("record");
        fs::create_dir_all(&dir)?;
        fs::write(&record, "")?;
        for folder in PATH.split(':') {
            for entry in fs::read_dir(folder)? {
                record_calls_of(&entry?.path(), &dir, &record)?;
            }
        }
        let output = call.env("OCI_FLEXD_TOOL_PATH", &dir).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        Ok(fs::read_to_string(record)?.lines().map(str::to_owned).collect())
    }

    fn dir(&self) -> String {
        self.cluster.global_mount(1).display().to_string()
    }

    fn bare(&self, program: &str) -> Command {
        let mut command = self.cluster.controller().tool(program);
        command.env_clear().current_dir("/");
        command
    }

    fn as_kubelet(&self, args: &[&str]) -> Command {
        let mut command = self.cluster.controller().command(args);
        command.env_remove("OCI_FLEXD_CONFIG_DIRECTORY");
        command
    }
}

/// Puts a program of the same name into `dir` that notes down how it is called before it becomes it.
fn record_calls_of(program: &Path, dir: &Path, record: &Path) -> Result<()> {
    let Some(name) = program.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
    let script = dir.join(name);
    if !program.is_file() || script.exists() {
        return Ok(());
    }
    let (program, record) = (program.display(), record.display());
    fs::write(
        &script,
        format!("#!/bin/sh\necho \"{name} $*\" >> '{record}'\nexec '{program}' \"$@\"\n"),
    )?;
    Ok(fs::set_permissions(script, Permissions::from_mode(0o755))?)
}

/// Makes `devices` the folder in which OCI's udev rules put the disks, and `run` memory, as `/run` is.
fn become_node(sh: &Shell, devices: &Path, run: &Path) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("cannot have mounts of our own")?;
    cmd!(sh, "mount --make-rprivate /").quiet().run()?;
    sh.create_dir(DEVICES)?;
    cmd!(sh, "mount --bind {devices} {DEVICES}").quiet().run()?;
    sh.create_dir(run)?;
    cmd!(sh, "mount -t tmpfs tmpfs {run}").quiet().run()?;
    Ok(())
}

const NAME: &str = "node-1";
/// Where the driver looks for host programs.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
const DEVICES: &str = "/dev/oracleoci";
