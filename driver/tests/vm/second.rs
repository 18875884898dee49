//! The second node: another machine, with a kernel, an initiator and mounts of its own.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use testbed::Place;

use crate::{
    guest::{DRIVER, LEFT_BEHIND, LOGOUT_ALL, UNMOUNT_ALL},
    shell::{run, sh, try_sh, wait_for},
};

/// The machine, running.
pub(crate) struct Second(());

impl Second {
    /// Boots it, unless it runs, and takes away what an earlier case has left.
    pub(crate) fn fresh() -> Self {
        assert!(
            Path::new("/sys/class/net/eth0").exists(),
            "this case needs a second machine, which there is under qemu only: vm-test --machine qemu"
        );
        let second = Self(());
        second.clean();
        second
    }

    /// Where its kubelet calls the driver.
    pub(crate) fn place(&self) -> Place<'static> {
        Place::beyond(Path::new(SHELL), Path::new(DRIVER), Vec::new())
    }

    /// Runs a script there, which must succeed; what it prints.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        run(Command::new(SHELL).args(["sh", "-c", script]), script)
    }

    /// What a script prints there, or why it could not run.
    pub(crate) fn try_sh(&self, script: &str) -> Result<String, String> {
        let mut shell = Command::new("timeout");
        shell.args(["20", SHELL, "sh", "-c", script]).stdin(Stdio::null());
        let output = shell.output().map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The boot that it is in.
    #[track_caller]
    pub(crate) fn boot(&self) -> Boot {
        Boot(self.sh(BOOT_ID))
    }

    /// The power fails: what is not on a disk is gone, without notice.
    #[track_caller]
    pub(crate) fn lose_power(&self) -> Boot {
        let boot = self.boot();
        self.sh("(sleep 0.1; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 </dev/null &");
        boot.wait_for_its_end();
        boot
    }

    /// From now on nothing of it reaches the storage; it is as if a cable were cut.
    pub(crate) fn cut_off(&self) {
        sh("ip rule add priority 100 iif eth0 to 169.254.0.0/17 blackhole");
    }

    /// The cable is mended.
    pub(crate) fn reconnect(&self) {
        sh("while ip rule del priority 100 2>/dev/null; do :; done");
    }

    /// Takes everything away that a case can leave.
    pub(crate) fn clean(&self) {
        self.reconnect();
        if !try_sh(&format!("timeout 20 {IS_UP}")) {
            power_on();
            wait_for(MEET);
        }
        let files = LEFT_BEHIND.map(|it| format!("{it}/*")).join(" ");
        self.sh(&format!(
            "{UNMOUNT_ALL}; until {{ {LOGOUT_ALL}; }}; do sleep 0.1; done; rm -rf {files}"
        ));
    }
}

/// The time from one start to the loss of power.
pub(crate) struct Boot(String);

impl Boot {
    /// Waits until the power is lost.
    #[track_caller]
    pub(crate) fn wait_for_its_end(&self) {
        // A machine that is known to be there is believed to be there for a while.
        wait_for(&format!("ip neigh flush dev eth0; ! timeout 10 {IS_UP}"));
    }

    /// Gives the power back, and waits until the machine runs again.
    #[track_caller]
    pub(crate) fn power_on(self) {
        power_on();
        wait_for(&format!("now=$(timeout 30 {SHELL} {BOOT_ID}) && [ $now != {} ]", self.0));
    }
}

fn power_on() {
    // vm-test reads it on the console.
    fs::write("/dev/console", "BOOT node-2\n").unwrap();
}

/// Runs on the second node what its arguments say.
const SHELL: &str = "/suite/on-node-2";
const IS_UP: &str = "/suite/on-node-2 true";
const BOOT_ID: &str = "cat /proc/sys/kernel/random/boot_id";
/// Learns its key, which stays the same.
const MEET: &str = "\
    key=$(dbclient -y root@169.254.201.2 dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key) || exit
    mkdir -p /root/.ssh
    echo \"$key\" | sed -n 's/^\\(ssh-[^ ]* [^ ]*\\).*/169.254.201.2 \\1/p' >/root/.ssh/known_hosts";
