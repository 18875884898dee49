//! A node that this process itself plays, because entering another's mounts costs more than a call.

use std::{fs, path::Path, process::Command};

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
        become_node(sh, &devices)?;
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

    /// `/bin/true`, called in the same way.
    pub(super) fn nothing(&self) -> Command {
        let mut command = self.cluster.controller().tool("/bin/true");
        command.env_clear().current_dir("/");
        command
    }

    fn as_kubelet(&self, args: &[&str]) -> Command {
        let mut command = self.cluster.controller().command(args);
        command.env_remove("OCI_FLEXD_CONFIG_DIRECTORY");
        command
    }
}

/// Makes `devices` the folder in which OCI's udev rules put the disks.
fn become_node(sh: &Shell, devices: &Path) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("cannot have mounts of our own")?;
    cmd!(sh, "mount --make-rprivate /").quiet().run()?;
    sh.create_dir(DEVICES)?;
    cmd!(sh, "mount --bind {devices} {DEVICES}").quiet().run()?;
    Ok(())
}

const NAME: &str = "node-1";
const DEVICES: &str = "/dev/oracleoci";
