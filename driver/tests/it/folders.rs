//! The state and run directories where they cannot be used, or hold what the driver has not put there.

use std::{fs, path::PathBuf};

use testbed::{Answer, Cluster};

use crate::support::{Kubelet, cluster, failure, failure_with, success};

/// A node with a blank volume.
struct Scene<'a> {
    kubelet: Kubelet<'a>,
    device: String,
    options: String,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        let kubelet = Kubelet { cluster, number: 1 };
        let options = cluster.options(&[]);
        Self { device: kubelet.attach(&options), options, kubelet }
    }

    fn mount(&self) -> Answer {
        self.kubelet.mount(&self.device, &self.options)
    }

    fn folder(&self, variable: &str) -> PathBuf {
        self.kubelet.cluster.node(1).folder(variable).unwrap().clone()
    }

    fn state(&self) -> PathBuf {
        self.folder("OCI_FLEXD_STATE_DIRECTORY")
    }

    fn record(&self) -> PathBuf {
        self.state().join(format!("volumes/{}.json", self.kubelet.cluster.volume_name()))
    }

    /// mountdevice fails with this message, and the disk stays blank.
    #[track_caller]
    fn check(&self, message: &str) {
        failure(&self.mount(), message);
        let compared = self.kubelet.sh(&format!("cmp {} /dev/zero 2>&1 || true", self.device));
        assert!(compared.contains("EOF"), "{compared}");
    }
}

#[test]
fn a_state_directory_that_cannot_be_written_says_why() {
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    let (state, record) = (scene.state(), scene.record());
    let (state, record) = (state.display(), record.display());
    let unwritten = format!(
        "cannot write the record {record} of the volume, without which it is not formatted"
    );
    for (options, why) in [
        ("ro", "; make its file system writable: Read-only file system (os error 30)"),
        ("nr_inodes=2", "; make room on its file system: No space left on device (os error 28)"),
    ] {
        scene
            .kubelet
            .sh(&format!("mkdir -p {state}; mount -t tmpfs -o mode=0700,{options} none {state}"));
        scene.check(&format!("{unwritten}{why}"));
        scene.kubelet.sh(&format!("umount {state}"));
    }
    success(&scene.mount());
}

#[test]
fn a_record_that_cannot_be_read_is_not_to_be_deleted() {
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    success(&scene.mount());
    success(&scene.kubelet.unmount());
    let (state, record) = (scene.state(), scene.record());
    let whole = fs::read(&record).unwrap();
    scene.kubelet.sh(&format!("blkdiscard -f {}", scene.device));
    let (shown, volume) = (record.display(), cluster.volume_name());
    let unread = format!(
        "the record {shown} of volume {volume} cannot be read, so it cannot be told whether the volume was ever \
         formatted; it is not formatted"
    );
    let moved = "so it is not used: move it away, and the driver makes its own";
    for (script, why) in [
        (format!("rm {shown}; mkfifo {shown}"), format!("{shown} is a FIFO, {moved}")),
        (
            format!("rm {shown}; ln -s /etc/passwd {shown}"),
            format!("{shown} is a symbolic link, {moved}"),
        ),
        (format!("rm {shown}; mkdir {shown}"), format!("{shown} is a directory, {moved}")),
    ] {
        scene.kubelet.sh(&script);
        scene.check(&format!("{unread}: {why}"));
        scene.kubelet.sh(&format!("rm -d {shown}"));
        fs::write(&record, &whole).unwrap();
    }

    // As where the node's own disk fails, or SELinux does not let the driver.
    let dir = state.join("volumes").display().to_string();
    for (error, why) in [
        ("EIO", "Input/output error (os error 5); the node's own disk has errors, see dmesg"),
        (
            "EACCES",
            "Permission denied (os error 13); the driver has to run as root there, and SELinux or AppArmor to let it",
        ),
    ] {
        let inject = format!("inject=openat:error={error}");
        let tracer = ["strace", "-qq", "-f", "-o", "/dev/null", "-P", &dir, "-e", &inject];
        let args = ["mountdevice", &*scene.kubelet.dir(), &scene.device, &scene.options];
        let answer = testbed::run(cluster.node(1).command_under(&tracer, &args)).unwrap();
        failure(&answer, &format!("{unread}: {why}"));
    }
    assert_eq!(fs::read(&record).unwrap(), whole);
    failure_with(&scene.mount(), &["now reads blank"]);
}

#[test]
fn a_directory_that_others_can_change_is_not_used() {
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    success(&scene.mount());
    success(&scene.kubelet.unmount());
    let run = scene.folder("OCI_FLEXD_RUN_DIRECTORY");
    let (run, volume) = (run.display(), cluster.volume_name());
    for (script, path, why, undo) in [
        (
            "chmod 0777 $run",
            "",
            "can be written by other users (mode 0777), so it is not used: chmod go-w",
            "chmod 0700 $run",
        ),
        (
            "chown 65534 $run/lock",
            "/lock",
            "belongs to user 65534, so it is not used: give it to root",
            "chown 0 $run/lock",
        ),
        (
            "mv $run/lock $run/real; ln -s real $run/lock",
            "/lock",
            "is a symbolic link, so it is not used: move it away, and the driver makes its own",
            "rm $run/lock; mv $run/real $run/lock",
        ),
    ] {
        scene.kubelet.sh(&format!("run={run}; {script}"));
        let message = format!("cannot lock {run}/lock/{volume}: {run}{path} {why}");
        failure(&scene.mount(), &message);
        failure(&scene.kubelet.unmount(), &message);
        scene.kubelet.sh(&format!("run={run}; {undo}"));
    }
    success(&scene.mount());
}

#[test]
fn a_lock_that_is_a_link_overwrites_nothing() {
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    let precious = cluster.dir().join("precious");
    fs::write(&precious, "precious").unwrap();
    let lock = scene.folder("OCI_FLEXD_RUN_DIRECTORY").join("lock").join(cluster.volume_name());
    let (lock, target) = (lock.display(), precious.display());
    scene.kubelet.sh(&format!("mkdir -p -m 0700 $(dirname {lock}); ln -s {target} {lock}"));
    scene.check(&format!(
        "cannot lock {lock}: {lock} is a symbolic link, so it is not used: move it away, and the driver makes its own"
    ));
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    scene.kubelet.sh(&format!("rm {lock}; mkfifo {lock}"));
    scene.check(&format!(
        "cannot lock {lock}: {lock} is a FIFO, so it is not used: move it away, and the driver makes its own"
    ));
}

#[test]
fn a_run_directory_without_room_still_locks() {
    let cluster = cluster();
    let scene = Scene::new(&cluster);
    let run = scene.folder("OCI_FLEXD_RUN_DIRECTORY");
    let run = run.display();
    scene.kubelet.sh(&format!(
        "mkdir -p {run}; mount -t tmpfs -o mode=0700,size=4k none {run}; head -c 4096 /dev/zero >{run}/full"
    ));
    success(&scene.mount());
    success(&scene.kubelet.unmount());
}
