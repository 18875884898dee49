//! What is played again and again: a call, from one beginning to one end.

use std::{path::PathBuf, process::Command};

use oci_sim::NewVolume;
use testbed::{
    Answer, Cluster, Place, Setup,
    kill::{self, Tools},
};

use crate::support::{Kubelet, cluster_with, success};

/// A call and what it starts from.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) verb: &'static str,
    pub(super) start: Start,
    pub(super) fs_type: &'static str,
}

/// The volume's disk before the call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Start {
    Blank,
    /// With a file system and a file, unmounted in order.
    Formatted,
    /// As after the power failed: with a dirty journal.
    Torn,
    /// Mounted, with a file that is still in memory only.
    Mounted,
    /// As mounted, and then the volume has grown.
    Grown,
    /// As mounted, on a disk that does not take all of what is still in memory.
    Losing,
}

/// A node on which a case is played.
pub(super) struct Stage<'a> {
    case: &'a Case,
    cluster: Cluster,
    device: String,
    /// Of the disk, in bytes.
    size: u64,
    /// Another volume's disk, and what it holds; no call has a reason to touch it.
    bystander: (String, u64),
    tools: Tools,
}

impl<'a> Stage<'a> {
    pub(super) fn new(case: &'a Case) -> Self {
        // Every write of mkfs is a point: the least that has a group with a backup, or that xfs takes.
        let size = if case.fs_type == "xfs" { 320 << 20 } else { 16 << 20 };
        let disk_bytes = Some(size);
        let cluster = cluster_with(&Setup { nodes: 1, disk_bytes, ..Setup::default() });
        let kubelet = Kubelet { cluster: &cluster, number: 1 };
        let device = kubelet.attach(&cluster.options(&[]));
        let other = cluster.sim.add_volume(NewVolume { disk_bytes, ..NewVolume::default() });
        let other = other.rsplit('.').next().unwrap();
        let other = kubelet.attach(&cluster.options(&[("kubernetes.io/pvOrVolumeName", other)]));
        kubelet.sh(&format!("head -c 1M /dev/urandom > {other}; sync {other}"));
        let hash = kubelet.contents(&other);
        let tools = Tools::new(&cluster.dir().join("tools"), &device).unwrap();
        let stage = Self { case, device, size, bystander: (other, hash), tools, cluster };
        stage.prepare();
        stage
    }

    /// Keeps what every play starts from.
    fn prepare(&self) {
        if self.case.start == Start::Blank {
            return;
        }
        let (device, dir) = (&self.device, self.cluster.dir().display());
        let state = self.folder("OCI_FLEXD_STATE_DIRECTORY");
        let keep = format!(
            "cp --sparse=always {device} {dir}/start; cp -a {} {dir}/state",
            state.display()
        );
        success(&self.run(&self.mount()));
        self.sh(r#"echo kept > "$0/file"; sync "$0/file""#);
        if self.case.start == Start::Torn {
            self.sh(&keep);
        }
        success(&self.run(&self.unmount()));
        if self.case.start != Start::Torn {
            self.sh(&keep);
        }
    }

    fn args(&self) -> Vec<String> {
        match self.case.verb {
            "mountdevice" => self.mount(),
            "unmountdevice" => self.unmount(),
            "expandfs" => {
                let (device, dir) = (self.device.clone(), self.kubelet().dir());
                let new_size = (self.size * 2).to_string();
                vec![
                    "expandfs".into(),
                    self.options(),
                    device,
                    dir,
                    new_size,
                    self.size.to_string(),
                ]
            }
            verb => vec![verb.into(), self.device.clone(), self.options()],
        }
    }

    /// Nothing was written to the other volume's disk.
    pub(super) fn check_bystander(&self) {
        let (device, hash) = &self.bystander;
        assert_eq!(&self.kubelet().contents(device), hash);
    }

    fn run(&self, args: &[String]) -> Answer {
        testbed::run(self.command(&[], args)).unwrap()
    }

    fn command(&self, tracer: &[String], args: &[String]) -> Command {
        let mut command = self.place().command_under(tracer, args);
        command.env("OCI_FLEXD_TOOL_PATH", self.tools.search_path());
        command
    }

    fn mount(&self) -> Vec<String> {
        vec!["mountdevice".into(), self.kubelet().dir(), self.device.clone(), self.options()]
    }

    fn unmount(&self) -> Vec<String> {
        vec!["unmountdevice".into(), self.kubelet().dir()]
    }

    fn options(&self) -> String {
        // What is read of a blank disk beyond the least is no point, and takes most of the time.
        let least = ("blankCheckSeconds", "0");
        self.cluster.options(&[("kubernetes.io/fsType", self.case.fs_type), least])
    }

    fn place(&self) -> Place<'_> {
        self.cluster.node(1)
    }

    fn folder(&self, variable: &str) -> PathBuf {
        self.place().folder(variable).unwrap().clone()
    }

    fn kubelet(&self) -> Kubelet<'_> {
        Kubelet { cluster: &self.cluster, number: 1 }
    }

    /// The disk gets another size, whatever is mounted.
    fn resize(&self, size: u64) {
        self.sh(&format!(
            "disk=$(readlink -f {}); file=$(losetup --noheadings --output BACK-FILE $disk)
            truncate -s {size} $file; losetup --set-capacity $disk",
            self.device
        ));
    }

    #[track_caller]
    fn sh(&self, script: &str) -> String {
        self.kubelet().sh(&format!("set -e; {script}"))
    }
}

impl kill::Stage for Stage<'_> {
    fn tools(&self) -> &Tools {
        &self.tools
    }

    fn call(&self, tracer: &[String]) -> Command {
        self.command(tracer, &self.args())
    }

    fn reset(&self) {
        self.tools.leave_alone().unwrap();
        let (device, dir) = (&self.device, self.cluster.dir().display());
        let size = self.size;
        let state = self.folder("OCI_FLEXD_STATE_DIRECTORY");
        let run = self.folder("OCI_FLEXD_RUN_DIRECTORY");
        let log = self.folder("OCI_FLEXD_DRIVER_LOG_DIR");
        let (state, run, log) = (state.display(), run.display(), log.display());
        self.sh(r#"while umount "$0" 2>/dev/null; do :; done"#);
        self.resize(size);
        self.sh(&format!(
            r#"
            if [ -e "$0" ]; then rmdir "$0"; fi
            rm -rf {state} {run} {log}; mkdir -p "$(dirname "$0")" "$(dirname {state})"
            blkdiscard -f {device}
            if [ -e {dir}/start ]; then
                dd if={dir}/start of={device} bs=64k conv=sparse,notrunc,fsync status=none
                cp -a {dir}/state {state}
            fi"#
        ));
        if matches!(self.case.start, Start::Mounted | Start::Grown | Start::Losing) {
            success(&self.run(&self.mount()));
            self.sh(r#"echo later > "$0/later""#);
        }
        match self.case.start {
            Start::Grown => self.resize(size * 2),
            Start::Losing => {
                let kept = size / 4 * 3;
                self.sh(&format!(r#"sync -f "$0"; tail -c +{} {device} > {dir}/end"#, kept + 1));
                // What is written to its end has no place.
                self.resize(kept);
                let much = size / 16 * 9;
                self.sh(&format!(r#"head -c {much} /dev/zero | tr '\0' x > "$0/lost""#));
            }
            _ => {}
        }
    }

    fn end(&self) -> String {
        let state = self.folder("OCI_FLEXD_STATE_DIRECTORY");
        let run = self.folder("OCI_FLEXD_RUN_DIRECTORY");
        let (state, run) = (state.display(), run.display());
        let (device, volume) = (&self.device, self.cluster.volume_name());
        self.sh(&format!(
            r#"
            uuid=$(blkid -p -o value -s UUID {device} || true)
            {{
                grep -F " $0 " /proc/self/mountinfo | cut -d' ' -f3-
                ls -A "$0" 2>&1
                stat --file-system --format "%b blocks" "$0"
                blkid -p {device}
                find {state} {run} -type f | sort | while read -r file; do
                    echo "$file"
                    case $file in *.json) sed 1d "$file";; esac
                done
                flock --nonblock {run}/lock/{volume} echo unlocked
            }} 2>&1 | sed "s/${{uuid:-none}}/UUID/g""#
        ))
    }

    fn must_say(&self) -> Option<&'static str> {
        (self.case.start == Start::Losing).then_some("may be lost")
    }

    fn check_data(&self) {
        assert_eq!(self.tools.violations(), "");
        if self.case.start == Start::Losing {
            self.resize(self.size);
            let (device, end) = (&self.device, self.cluster.dir().join("end"));
            let from = (self.size / 4 * 3) >> 20;
            self.sh(&format!(
                "dd if={} of={device} bs=1M seek={from} conv=fsync status=none",
                end.display()
            ));
        }
        if self.case.verb == "waitforattach" {
            return;
        }
        if self.case.verb != "unmountdevice" {
            if self.case.start == Start::Blank {
                self.sh(r#"echo kept > "$0/file""#);
            }
            success(&self.run(&self.unmount()));
        }
        let checker = if self.case.fs_type == "xfs" { "xfs_repair -n" } else { "e2fsck -fn" };
        self.sh(&format!("{checker} {} >&2", self.device));
        success(&self.run(&self.mount()));
        let (files, kept) = match self.case.start {
            Start::Mounted | Start::Grown | Start::Losing => ("file later", "kept\nlater"),
            _ => ("file", "kept"),
        };
        assert_eq!(self.sh(&format!(r#"cd "$0" && cat {files}"#)), kept);
    }
}
