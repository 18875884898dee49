//! The binary under test, and one line for each expectation.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::Duration,
};

use oci_sim::{Effect, Fault};
use rustix::fs::{SeekFrom, seek};
use testbed::{Answer, Cluster, Setup};
pub(crate) use testbed::{failure, failure_with, seen_to_fail, seen_to_succeed, success};

/// The driver: this build's, or the one that `OCI_DRIVER` names.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("OCI_DRIVER").map_or_else(|| env!("CARGO_BIN_EXE_oci").into(), PathBuf::from)
}

/// A program of `driver/examples`, which cargo builds unless only some tests are asked for.
pub(crate) fn example(name: &str) -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_oci"));
    let path = binary.parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "{name} is missing: cargo build --package driver --examples");
    path
}

/// What the log says when all calls that it tells the beginning of have ended in it. The process that writes it
/// may come a little later than the reply.
pub(crate) fn read_log(path: &Path) -> String {
    let mut text = String::new();
    for _ in 0..2000 {
        text = fs::read_to_string(path).unwrap_or_default();
        let count = |what: &str| text.matches(what).count();
        if count("call begins") > 0 && count("call begins") <= count("call ends") {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    text
}

/// Two nodes, a small blank volume, a cloud without delays.
pub(crate) fn cluster() -> Cluster {
    cluster_with(&Setup::default())
}

/// A cluster as `setup` says.
pub(crate) fn cluster_with(setup: &Setup) -> Cluster {
    Cluster::start(&binary(), setup).unwrap_or_else(|error| panic!("{error:#}"))
}

/// A node's calls in one line each.
pub(crate) struct Kubelet<'a> {
    /// The cluster.
    pub(crate) cluster: &'a Cluster,
    /// Which node, counted from 1.
    pub(crate) number: usize,
}

/// A call of the controller manager that is killed when `operation` is performed and before it is answered: what it has
/// begun stays as it is until a call looks, whatever the time.
pub(crate) fn broken_off(cluster: &Cluster, operation: &str, args: &[&str], state: &str) {
    cluster.sim.fail(Fault::new(operation, 1_u64.., Effect::Delay(60_000)));
    let mut call = cluster.controller().command(args).stdout(Stdio::null()).spawn().unwrap();
    while cluster.sim.attachments().last().is_none_or(|it| it.lifecycle_state != state) {
        thread::sleep(Duration::from_millis(10));
    }
    call.kill().unwrap();
    call.wait().unwrap();
    cluster.sim.clear_faults();
}

impl Kubelet<'_> {
    /// attach by the controller manager; the device.
    #[track_caller]
    pub(crate) fn attach(&self, options: &str) -> String {
        let args = ["attach", options, &self.name()];
        let answer = self.cluster.controller().call(&args).unwrap();
        success(&answer);
        answer.field("device").unwrap()
    }

    /// detach by the controller manager.
    pub(crate) fn detach(&self) -> Answer {
        let args = ["detach", self.cluster.volume_name(), &self.name()];
        self.cluster.controller().call(&args).unwrap()
    }

    /// A hash of what the disk holds that is not zero. It is read from the file behind the disk, where holes cost
    /// nothing, so what is still in memory is written first.
    #[track_caller]
    pub(crate) fn contents(&self, disk: &str) -> u64 {
        let behind = "losetup --noheadings --output BACK-FILE";
        let file = self.sh(&format!("sync {disk} && {behind} $(readlink -f {disk})"));
        let file = fs::File::open(file.trim()).unwrap();
        let (mut hasher, mut block) = (DefaultHasher::new(), [0; BLOCK]);
        let mut hole = 0;
        while let Ok(data) = seek(&file, SeekFrom::Data(hole)) {
            hole = seek(&file, SeekFrom::Hole(data)).unwrap();
            for at in (data - data % BLOCK as u64..hole).step_by(BLOCK) {
                let count = file.read_at(&mut block, at).unwrap();
                if block[..count] != [0; BLOCK][..count] {
                    (at, &block[..count]).hash(&mut hasher);
                }
            }
        }
        hasher.finish()
    }

    /// mountdevice at the volume's global directory.
    pub(crate) fn mount(&self, device: &str, options: &str) -> Answer {
        let args = ["mountdevice", &self.dir(), device, options];
        self.cluster.node(self.number).call(&args).unwrap()
    }

    /// unmountdevice of the volume's global directory.
    pub(crate) fn unmount(&self) -> Answer {
        self.cluster.node(self.number).call(&["unmountdevice", &self.dir()]).unwrap()
    }

    /// A shell script on the node, with the global directory as `$0`; what it prints.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        let output = self
            .cluster
            .node(self.number)
            .tool("sh")
            .args(["-c", script, &self.dir()])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {stderr}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The node's name.
    pub(crate) fn name(&self) -> String {
        format!("node-{}", self.number)
    }

    /// The global directory.
    pub(crate) fn dir(&self) -> String {
        self.cluster.global_mount(self.number).to_str().unwrap().to_owned()
    }
}

const BLOCK: usize = 4096;
