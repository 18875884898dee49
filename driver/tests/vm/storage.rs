//! The block storage: tgtd in a network of its own, with a file for each volume; and what plugs the volumes that are
//! paravirtualized.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use oci_sim::{IscsiTarget, Storage, VirtualDisk};

use crate::{
    hypervisor::Hypervisor,
    shell::{sh, try_sh, wait_for},
};

/// What the cloud has behind it. A volume has its data in one of the two.
#[derive(Debug)]
pub(crate) struct Behind {
    pub(crate) tgtd: Arc<Tgtd>,
    pub(crate) hypervisor: Arc<Hypervisor>,
}

impl Storage for Behind {
    fn export(&self, target: &IscsiTarget) -> Result<(), String> {
        self.tgtd.export(target)
    }

    fn withdraw(&self, target: &IscsiTarget) -> Result<(), String> {
        self.tgtd.withdraw(target)
    }

    fn plug(&self, disk: &VirtualDisk) -> Result<(), String> {
        self.hypervisor.plug(disk)
    }

    fn unplug(&self, disk: &VirtualDisk) -> Result<(), String> {
        self.hypervisor.unplug(disk)
    }

    fn grow(&self, volume: &str, bytes: u64) -> Result<(), String> {
        self.tgtd.grow(volume, bytes)?;
        self.hypervisor.grow(volume, bytes)
    }
}

/// A target daemon and what it exports.
#[derive(Debug)]
pub(crate) struct Tgtd(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    process: Option<Child>,
    /// All volumes that were ever exported; the place is the volume's number.
    volumes: Vec<String>,
    exports: Vec<Export>,
    last: u32,
    /// Instances, and the addresses that they come from.
    instances: Vec<(String, &'static [&'static str])>,
}

#[derive(Debug)]
struct Export {
    /// tgtd's number for the target.
    tid: u32,
    target: IscsiTarget,
    /// The volume's number.
    number: usize,
}

impl Tgtd {
    /// A running daemon that exports nothing.
    pub(crate) fn start() -> Self {
        // Files of earlier cases are other volumes'.
        sh(&format!("rm -rf {FILES}; mkdir -p {FILES} /run/tgtd"));
        let tgtd = Self(Mutex::default());
        tgtd.restart();
        tgtd
    }

    /// An instance comes from these addresses: what is exported to it answers them, and no others.
    pub(crate) fn know(&self, instance: String, addresses: &'static [&'static str]) {
        self.state().instances.push((instance, addresses));
    }

    /// Starts the daemon anew, with all that it exported. The initiators notice, and come back.
    pub(crate) fn restart(&self) {
        self.kill();
        let mut state = self.state();
        // A network namespace alone: its own view of mounts would keep them alive.
        let daemon = Command::new("nsenter")
            .args(["--net=/run/netns/storage", "tgtd", "--foreground", "--iscsi", CLOSED])
            .stdin(Stdio::null())
            .stdout(fs::File::create("/tmp/tgtd.log").unwrap())
            .stderr(Stdio::null())
            .spawn();
        state.process = Some(daemon.unwrap());
        wait_for("tgtadm --lld iscsi --op show --mode sys");
        state.exports.iter().for_each(|it| export(it, state.addresses(it)));
        // An initiator that comes back too early would be told that there is no such target.
        // User-mode Linux has no IPv6.
        let ipv6 = Path::new("/proc/net/if_inet6").exists().then_some("[::]:3260");
        for portal in ["0.0.0.0:3260"].into_iter().chain(ipv6) {
            sh(&format!("{TGTADM} --op new --mode portal --param portal={portal}"));
        }
    }

    /// Ends the daemon, as when the storage fails: portals refuse.
    pub(crate) fn kill(&self) {
        if let Some(mut process) = self.state().process.take() {
            // a suspended one dies too
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Holds the daemon up: portals take connections, and answer nothing.
    pub(crate) fn suspend(&self) {
        let pid = self.state().process.as_ref().unwrap().id();
        sh(&format!("kill -STOP {pid}"));
    }

    /// Puts other data behind the volume's LUN, under those who are logged in. With a `serial` it is another
    /// disk, otherwise it claims to be the same.
    pub(crate) fn exchange(&self, volume: &str, backing: &str, serial: Option<usize>) {
        let state = self.state();
        let export = state.exports.iter().find(|it| it.target.volume == volume).unwrap();
        let Export { tid, target, number } = export;
        sh(&format!("{TGTADM} --op delete --mode logicalunit --tid {tid} --lun 1"));
        sh(&unit(*tid, 1, backing, serial.unwrap_or(*number), target.is_read_only));
    }

    /// A further LUN on the volume's target.
    pub(crate) fn add_unit(&self, volume: &str, lun: u32, backing: &str) {
        let state = self.state();
        let export = state.exports.iter().find(|it| it.target.volume == volume).unwrap();
        sh(&unit(export.tid, lun, backing, 0xfff0 + lun as usize, false));
    }

    /// Whether the volume's disk is ready to read.
    pub(crate) fn set_ready(&self, volume: &str, ready: bool) {
        let state = self.state();
        let export = state.exports.iter().find(|it| it.target.volume == volume).unwrap();
        let (tid, online) = (export.tid, u8::from(ready));
        sh(&format!(
            "{TGTADM} --op update --mode logicalunit --tid {tid} --lun 1 --params online={online}"
        ));
    }

    /// Who is logged in to the volume, as tgtd sees it.
    pub(crate) fn has_initiator(&self, volume: &str) -> bool {
        let state = self.state();
        state.exports.iter().any(|it| it.target.volume == volume && has_initiator(it.tid))
    }

    /// The user and the secret that the volume's target wants to hear.
    pub(crate) fn chap(&self, volume: &str) -> Option<(String, String)> {
        let state = self.state();
        state.exports.iter().find(|it| it.target.volume == volume)?.target.chap.clone()
    }

    /// From now on the volume's target wants another secret; sessions live on.
    pub(crate) fn rotate_chap(&self, volume: &str, secret: &str) {
        let mut state = self.state();
        let mut exports = state.exports.iter_mut();
        let export = exports.find(|it| it.target.volume == volume).unwrap();
        let (user, old) = export.target.chap.as_mut().unwrap();
        secret.clone_into(old);
        let script = account(export.tid, user, secret);
        sh(&script);
    }

    /// The file with the volume's data.
    pub(crate) fn file(&self, volume: &str) -> PathBuf {
        let number = self.state().volumes.iter().position(|it| it == volume);
        file(number.unwrap_or_else(|| panic!("{volume} was never exported")))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn addresses(&self, export: &Export) -> &'static [&'static str] {
        let instance = self.instances.iter().find(|(ocid, _)| *ocid == export.target.instance);
        instance.expect("the storage knows all instances").1
    }
}

impl Tgtd {
    /// The target answers the instance from now on.
    fn export(&self, target: &IscsiTarget) -> Result<(), String> {
        let mut state = self.state();
        let number = state.volumes.iter().position(|it| *it == target.volume);
        let number = number.unwrap_or_else(|| {
            state.volumes.push(target.volume.clone());
            state.volumes.len() - 1
        });
        let file = OpenOptions::new().create(true).append(true).open(file(number)).unwrap();
        if file.metadata().unwrap().len() < target.bytes {
            file.set_len(target.bytes).unwrap();
        }
        state.last += 1;
        let new = Export { tid: state.last, target: target.clone(), number };
        export(&new, state.addresses(&new));
        state.exports.push(new);
        Ok(())
    }

    /// The target is gone; an error if an initiator was logged in.
    fn withdraw(&self, target: &IscsiTarget) -> Result<(), String> {
        let mut state = self.state();
        let Some(at) = state.exports.iter().position(|it| it.target.iqn == target.iqn) else {
            return Err(format!("{} was not exported", target.iqn));
        };
        let gone = state.exports.remove(at);
        let in_use = has_initiator(gone.tid);
        // It refuses while it still answers what was asked before.
        wait_for(&format!("{TGTADM} --op delete --mode target --tid {} --force", gone.tid));
        if in_use { Err(format!("{} was taken from its initiator", target.volume)) } else { Ok(()) }
    }

    /// The volume has this size. tgtd looks at a file's size once, so it is started anew; initiators wait meanwhile.
    pub(crate) fn grow(&self, volume: &str, bytes: u64) -> Result<(), String> {
        let number = self.state().volumes.iter().position(|it| it == volume);
        let Some(number) = number else { return Ok(()) };
        let file = OpenOptions::new().append(true).open(file(number)).unwrap();
        if file.metadata().unwrap().len() < bytes {
            file.set_len(bytes).unwrap();
            self.restart();
        }
        Ok(())
    }
}

impl Drop for Tgtd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn export(export: &Export, addresses: &[&str]) {
    let Export { tid, target, number } = export;
    let IscsiTarget { iqn, chap, is_read_only, .. } = target;
    let mut script = format!(
        "set -e
         t() {{ {TGTADM} --tid {tid} \"$@\"; }}
         t --op new --mode target --targetname {iqn}
         {unit}
         for it in {addresses}; do t --op bind --mode target --initiator-address $it; done\n",
        addresses = addresses.join(" "),
        unit = unit(*tid, 1, &file(*number).display().to_string(), *number, *is_read_only),
    );
    if let Some((user, secret)) = chap {
        script += &account(*tid, user, secret);
    }
    sh(&script);
}

/// The commands that make a unit which names itself by `serial`.
fn unit(tid: u32, lun: u32, backing: &str, serial: usize, is_read_only: bool) -> String {
    let read_only = u8::from(is_read_only);
    format!(
        "u() {{ {TGTADM} --mode logicalunit --tid {tid} --lun {lun} \"$@\"; }}
         u --op new --backing-store {backing} --device-type disk
         u --op update --params vendor_id=ORACLE,product_id=BlockVolume,scsi_sn={serial:08x},scsi_id=6000000000000000{serial:016x},readonly={read_only}"
    )
}

/// Lets only this user in; tgtd may know it already.
fn account(tid: u32, user: &str, secret: &str) -> String {
    format!(
        "{TGTADM} --op delete --mode account --user {user} 2>/dev/null || :
         {TGTADM} --op new --mode account --user {user} --password {secret}
         {TGTADM} --op bind --mode account --tid {tid} --user {user}\n"
    )
}

fn has_initiator(tid: u32) -> bool {
    try_sh(&format!("{TGTADM} --op show --mode conn --tid {tid} | grep -q Initiator"))
}

/// Where the volume with this number has its data.
fn file(number: usize) -> PathBuf {
    PathBuf::from(format!("{FILES}/{number}"))
}

/// A portal without sessions.
const CLOSED: &str = "portal=127.0.0.1:860";
const TGTADM: &str = "tgtadm --lld iscsi";
const FILES: &str = "/tmp/volumes";
