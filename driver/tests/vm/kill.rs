//! The node's calls are killed at their steps over real iSCSI; the same call again reaches the same end.

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::Command,
};

use testbed::{
    FaultRow,
    kill::{Points, Stage, Tools},
    success,
};

use crate::{
    guest::{Guest, show},
    shell::{is_zero, sh, try_sh},
    volume::Volume,
    wait_for_attach::iqn,
};

#[test]
fn a_login_goes_on_after_any_kill() {
    check("waitforattach");
}

#[test]
fn a_login_and_a_mount_go_on_after_any_kill() {
    check("mountdevice");
}

#[test]
fn a_logout_goes_on_after_any_kill() {
    check("unmountdevice");
}

/// After a kill at any point the same call reaches the end of an unbroken one. What does not is told at the end.
fn check(verb: &'static str) {
    let mut row = FaultRow::new("X7", format!("{verb} over iSCSI"));
    let guest = Guest::fresh();
    let bystander = guest.volume();
    bystander.up();
    sh(&format!("echo still here >{0}/file; sync -f {0}", bystander.dir()));
    let volume = guest.volume();
    let line = Line::new(verb, &volume);
    line.reset();
    let points = Points::of(&line).unwrap();
    let end = line.end();
    line.check_data();
    let all = points.all.len();
    let chosen = chosen(all);
    let mut failed = Vec::new();
    for &number in &chosen {
        let point = &points.all[number];
        show(&format!("{number} of {all}: {point:?}"));
        let check = AssertUnwindSafe(|| points.check(point, &line, &end).unwrap());
        if panic::catch_unwind(check).is_err() {
            failed.push(number);
        }
    }
    assert_eq!(failed, [0; 0], "each is told above");
    assert_eq!(sh(&format!("cat {}/file", bystander.dir())), "still here");
    success(&bystander.unmount());
    let taken = chosen.len();
    row.saw("Success", &format!("{taken} of {all} points, no loss, nothing left over"));
}

/// The numbers of the points that are taken: one in so many, or those that `KILL_POINTS` names, as `all` or
/// `40-46`.
fn chosen(all: usize) -> Vec<usize> {
    let Ok(named) = env::var("KILL_POINTS") else { return (0..all).step_by(STEP).collect() };
    match named.split_once('-') {
        Some((first, last)) => {
            (first.parse().unwrap()..all.min(last.parse::<usize>().unwrap() + 1)).collect()
        }
        None => (0..all).collect(),
    }
}

/// A volume on a node, and one call for it.
struct Line<'a> {
    verb: &'static str,
    volume: &'a Volume<'a>,
    device: String,
    tools: Tools,
}

impl<'a> Line<'a> {
    fn new(verb: &'static str, volume: &'a Volume<'a>) -> Self {
        let device = volume.attached(1);
        let tools = Tools::new(Path::new("/tmp/tools"), &device).unwrap();
        let line = Self { verb, volume, device, tools };
        if verb != "waitforattach" {
            success(&volume.mount(&line.device));
            sh(&format!("echo kept >{}/kept", volume.dir()));
            success(&volume.unmount());
        }
        line
    }

    fn args(&self) -> Vec<String> {
        let (dir, device) = (self.volume.dir(), self.device.clone());
        let options = self.volume.options(&[]);
        let words = match self.verb {
            "waitforattach" => vec![device, options],
            "mountdevice" => vec![dir, device, options],
            _ => vec![dir],
        };
        [self.verb.to_owned()].into_iter().chain(words).collect()
    }
}

impl Stage for Line<'_> {
    fn tools(&self) -> &Tools {
        &self.tools
    }

    /// What another session or volume has is left alone.
    fn reset(&self) {
        self.tools.leave_alone().unwrap();
        let (dir, name, iqn) = (self.volume.dir(), self.volume.name(), iqn(&self.device));
        sh(&format!(
            "pkill -KILL -x iscsiadm; rm -f /run/lock/iscsi/lock.write
            while umount {dir} 2>/dev/null; do :; done
            [ ! -e {dir} ] || rmdir {dir} || exit 1
            for it in /sys/class/iscsi_session/*; do
                if grep -qx {iqn} $it/targetname; then
                    iscsiadm -m session -r ${{it##*/session}} --logout >/dev/null || exit 1
                fi
            done
            rm -rf /etc/iscsi/nodes/{iqn}
            find {STATE} {RUN} -name '*{name}*' -exec rm -r {{}} +"
        ));
        if self.verb == "unmountdevice" {
            success(&self.volume.wait(&self.device));
            success(&self.volume.mount(&self.device));
            sh(&format!("echo later >{}/later", self.volume.dir()));
        }
    }

    fn call(&self, tracer: &[String]) -> Command {
        let mut command = self.volume.guest.node(1).command_under(tracer, &self.args());
        command.env("OCI_FLEXD_TOOL_PATH", self.tools.search_path());
        command
    }

    fn end(&self) -> String {
        let (dir, name) = (self.volume.dir(), self.volume.name());
        sh(&format!(
            "for it in /sys/class/iscsi_session/*; do
                [ ! -e $it ] || echo $(
                    cat $it/targetname $it/state $it/recovery_tmo
                    cat $it/device/connection*/iscsi_connection/*/persistent_address
                    ls $it/device/target*/ | sed -n 's/.*:\\([0-9]*\\)$/LUN \\1/p'
                    cat $it/device/target*/*/state
                )
            done | sort
            find /etc/iscsi/nodes -type f | sort | while read -r file; do echo $file; cat $file; done
            grep -F ' {dir} ' /proc/self/mountinfo | cut -d' ' -f4- | sed 's,/dev/sd.,DISK,;s,shared:[0-9]*,,'
            ls -A {dir} 2>&1
            find {STATE} {RUN} -type f | sort | while read -r file; do
                echo $file
                case $file in
                    *.json) sed '1d;s/\"appearance\":\"[^\"]*\"/APPEARANCE/' $file;;
                    */sessions/*) cat $file;;
                esac
            done
            flock --nonblock {RUN}/lock/{name} echo unlocked
            ls /run/lock/iscsi
            pgrep -x 'iscsiadm|oci' || echo nothing at work"
        ))
    }

    fn check_data(&self) {
        assert_eq!(self.tools.violations(), "");
        let (dir, file) = (self.volume.dir(), self.volume.guest.storage.file(&self.volume.ocid));
        if self.verb == "mountdevice" {
            assert_eq!(sh(&format!("cat {dir}/kept")), "kept");
        }
        if self.verb != "unmountdevice" {
            success(&self.volume.unmount());
        }
        if self.verb == "waitforattach" {
            assert!(is_zero(&file), "it was written to");
            return;
        }
        let file = file.display();
        sh(&format!("e2fsck -fn {file}"));
        assert_eq!(sh(&format!("debugfs -R 'cat kept' {file} 2>/dev/null")), "kept");
        if self.verb == "unmountdevice" {
            assert_eq!(sh(&format!("debugfs -R 'cat later' {file} 2>/dev/null")), "later");
        }
        assert!(!try_sh(&format!("grep -qF ' {dir} ' /proc/self/mountinfo")));
    }
}

/// Of so many points CI takes one.
const STEP: usize = 26;
const STATE: &str = "/var/lib/oci-flexvolume-driver";
const RUN: &str = "/run/oci-flexvolume-driver";
