//! A volume, and the calls that kubelet and the controller manager make for it.

use testbed::{Answer, success};

use crate::{
    guest::{Guest, KUBELET},
    shell::sh,
};

/// A volume of the cloud. The calls are those of the first node unless another is named.
pub(crate) struct Volume<'a> {
    pub(crate) guest: &'a Guest,
    pub(crate) ocid: String,
    /// The options that its author sets.
    pub(crate) set: &'static [(&'static str, &'static str)],
}

impl Volume<'_> {
    /// attach, waitforattach and mountdevice, which must succeed; the device path.
    #[track_caller]
    pub(crate) fn up(&self) -> String {
        self.up_on(1, &[])
    }

    /// The same on a node, with options that win over the usual ones.
    #[track_caller]
    pub(crate) fn up_on(&self, node: usize, more: &[(&str, &str)]) -> String {
        let device = self.attached(node);
        success(&self.wait_on(node, &device));
        success(&self.mount_with(node, &device, more));
        device
    }

    /// attach that must succeed; the device path.
    #[track_caller]
    pub(crate) fn attached(&self, node: usize) -> String {
        let answer = self.attach(node);
        success(&answer);
        answer.field("device").unwrap()
    }

    pub(crate) fn attach(&self, node: usize) -> Answer {
        let args = ["attach", &self.options(&[]), &format!("node-{node}")];
        self.guest.controller().call(&args).unwrap()
    }

    /// attach as another master calls it, which has locks of its own.
    pub(crate) fn attach_by_another_master(&self, node: usize) -> Answer {
        let args = ["attach", &self.options(&[]), &format!("node-{node}")];
        let mut command = self.guest.controller().command(&args);
        command.env("OCI_FLEXD_RUN_DIRECTORY", "/tmp/hosts/other-master/run");
        testbed::run(command).unwrap()
    }

    pub(crate) fn detach(&self, node: usize) -> Answer {
        let args = ["detach", self.name(), &format!("node-{node}")];
        self.guest.controller().call(&args).unwrap()
    }

    pub(crate) fn wait(&self, device: &str) -> Answer {
        self.wait_on(1, device)
    }

    pub(crate) fn wait_on(&self, node: usize, device: &str) -> Answer {
        self.guest.node(node).call(&["waitforattach", device, &self.options(&[])]).unwrap()
    }

    pub(crate) fn mount(&self, device: &str) -> Answer {
        self.mount_with(1, device, &[])
    }

    /// mountdevice on a node, with options that win over the usual ones.
    pub(crate) fn mount_with(&self, node: usize, device: &str, more: &[(&str, &str)]) -> Answer {
        let args = ["mountdevice", &self.dir(), device, &self.options(more)];
        self.guest.node(node).call(&args).unwrap()
    }

    /// expandfs on the first node, at the global directory.
    pub(crate) fn expand(&self, device: &str, bytes: u64) -> Answer {
        let (options, dir, bytes) = (self.options(&[]), self.dir(), bytes.to_string());
        let args = ["expandfs", &options, device, &dir, &bytes, "0"];
        self.guest.node(1).call(&args).unwrap()
    }

    /// The bytes of the mounted file system.
    #[track_caller]
    pub(crate) fn room(&self) -> u64 {
        let fields = sh(&format!("stat -f -c '%b %S' {}", self.dir()));
        fields.split(' ').map(|it| it.parse::<u64>().unwrap()).product()
    }

    pub(crate) fn unmount(&self) -> Answer {
        self.unmount_on(1)
    }

    pub(crate) fn unmount_on(&self, node: usize) -> Answer {
        self.guest.node(node).call(&["unmountdevice", &self.dir()]).unwrap()
    }

    /// A node writes a new file, all of which reaches the disk; the file's digest.
    #[track_caller]
    pub(crate) fn write(&self, node: usize, name: &str) -> String {
        let file = format!("{}/{name}", self.dir());
        let script = format!("head -c 1M /dev/urandom >{file} && sync {file} && sha256sum <{file}");
        self.guest.sh(node, &script)
    }

    /// The digest of a file as a node reads it.
    #[track_caller]
    pub(crate) fn read(&self, node: usize, name: &str) -> String {
        self.guest.sh(node, &format!("sha256sum <{}/{name}", self.dir()))
    }

    /// Takes it out of its place on a node, detaches it, and looks at the disk itself: the file system is whole.
    #[track_caller]
    pub(crate) fn down_from(&self, node: usize) {
        success(&self.unmount_on(node));
        success(&self.detach(node));
        sh(&format!("e2fsck -fn {}", self.guest.storage.file(&self.ocid).display()));
    }

    /// The options that kubelet sends, those of the volume, and `more`, which win.
    pub(crate) fn options(&self, more: &[(&str, &str)]) -> String {
        testbed::options(self.name(), self.set.iter().chain(more))
    }

    /// The volume's name, as a pod gives it.
    pub(crate) fn name(&self) -> &str {
        self.ocid.rsplit('.').next().unwrap()
    }

    /// Where its global mount is.
    pub(crate) fn dir(&self) -> String {
        format!("{KUBELET}/plugins/kubernetes.io/flexvolume/oracle/oci/mounts/{}", self.name())
    }

    /// The kernel's name of the disk behind a device path: `sda`.
    #[track_caller]
    pub(crate) fn disk(device: &str) -> String {
        if device.starts_with("/dev/oracleoci/") {
            return sh(&format!("basename $(readlink -f {device})"));
        }
        let iqn = device.split("-iscsi-").nth(1).unwrap().split("-lun-").next().unwrap();
        sh(&format!(
            "for s in /sys/class/iscsi_session/*; do
                 if grep -qx {iqn} $s/targetname; then ls $s/device/target*/*:1/block; fi
             done"
        ))
    }
}
