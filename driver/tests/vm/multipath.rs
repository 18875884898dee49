//! Volumes with several portals, under a real multipathd.

use std::process::{Child, Command, Stdio};

use testbed::{Answer, seen_to_fail, seen_to_succeed, success};

use crate::{
    guest::Guest,
    shell::{sh, wait_for},
    volume::Volume,
};

const OPTIONS: [(&str, &str); 1] = [("multipath", "true")];

/// multipathd, which ends with the case.
struct Multipathd(Child);

impl Multipathd {
    fn start() -> Self {
        Self::start_with("")
    }

    /// With one more default.
    fn start_with(more: &str) -> Self {
        sh(&format!("mkdir -p /etc/multipath
            printf 'defaults {{\\n find_multipaths yes\\n user_friendly_names yes\\n {more}\\n}}\\n' >/etc/multipath.conf"));
        let log = std::fs::File::create("/tmp/multipathd.log").unwrap();
        let mut daemon = Command::new("multipathd");
        daemon.arg("-d").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let daemon = daemon.spawn().unwrap();
        wait_for("multipathd show daemon | grep -q -e running -e idle");
        Self(daemon)
    }
}

impl Drop for Multipathd {
    fn drop(&mut self) {
        sh("ip route replace 169.254.3.0/24 via 169.254.200.1; multipath -F || true");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Volume<'_> {
    fn call_multipath(&self, call: &[&str]) -> Answer {
        let options = self.options(&OPTIONS);
        let args: Vec<&str> = call.iter().copied().chain([&*options]).collect();
        self.guest.node_with_credentials().call(&args).unwrap()
    }
}

/// A volume with three portals that is attached; its device.
fn attached(volume: &Volume<'_>) -> String {
    let args = ["attach", &volume.options(&OPTIONS), "node-1"];
    let answer = volume.guest.controller().call(&args).unwrap();
    success(&answer);
    answer.field("device").unwrap()
}

fn fast(guest: &Guest) -> Volume<'_> {
    guest.volume_like(oci_sim::NewVolume { vpus_per_gb: Some(30), ..oci_sim::NewVolume::default() })
}

#[test]
fn a_path_may_fail_during_writes() {
    let guest = Guest::fresh();
    let _daemon = Multipathd::start();
    let volume = fast(&guest);
    let device = attached(&volume);
    let waited = volume.call_multipath(&["waitforattach", &device]);
    seen_to_succeed("W14", "three portals, and the option multipath", &waited);
    assert_eq!(waited.field("device").unwrap(), device);
    assert_eq!(guest.sessions(), 3);
    success(&volume.call_multipath(&["mountdevice", &volume.dir(), &device]));
    let number = sh(&format!("stat -c %d {}", volume.dir()));
    assert_eq!(
        sh(&format!("echo $(({number} / 256))")),
        sh("sed -n 's/ device-mapper$//p' /proc/devices | tr -d ' '")
    );

    sh(&format!("echo before >{0}/before; sync -f {0}", volume.dir()));
    sh("ip route replace blackhole 169.254.3.0/24");
    sh(&format!(
        "dd if=/dev/zero of={0}/while bs=1M count=32 conv=fsync 2>/dev/null; echo after >{0}/after; sync -f {0}",
        volume.dir()
    ));
    let again = volume.call_multipath(&["waitforattach", &device]);
    seen_to_succeed("W4", "one of three paths down, waitforattach again", &again);
    success(&volume.call_multipath(&["mountdevice", &volume.dir(), &device]));
    sh("ip route replace 169.254.3.0/24 via 169.254.200.1");
    wait_for("! grep -L LOGGED_IN /sys/class/iscsi_session/*/state | grep -q .");

    let unmounted = volume.unmount();
    seen_to_succeed("U6", "three sessions and their map", &unmounted);
    assert_eq!(guest.sessions(), 0);
    assert_eq!(sh("dmsetup ls"), "No devices found");
    // It has not noticed that the path's first connection is gone.
    guest.storage.restart();
    success(&volume.detach(1));
    assert_eq!(guest.sim.violations(), [""; 0]);

    let device = attached(&volume);
    success(&volume.call_multipath(&["waitforattach", &device]));
    success(&volume.call_multipath(&["mountdevice", &volume.dir(), &device]));
    assert_eq!(sh(&format!("cat {0}/before {0}/after", volume.dir())), "before\nafter");
    success(&volume.unmount());
}

#[test]
fn a_map_that_queues_is_not_unmounted_while_no_path_works() {
    let guest = Guest::fresh();
    let _daemon = Multipathd::start_with("no_path_retry queue");
    let volume = fast(&guest);
    let device = attached(&volume);
    success(&volume.call_multipath(&["waitforattach", &device]));
    success(&volume.call_multipath(&["mountdevice", &volume.dir(), &device]));
    guest.give_up_after(1, 1);
    sh(&format!("echo written >{}/file", volume.dir()));
    guest.storage.kill();
    wait_for("[ $(grep -l transport-offline /sys/block/sd?/device/state | wc -l) = 3 ]");
    let refused = volume.unmount();
    seen_to_fail(
        "B7",
        "no path of the multipath map works, and no_path_retry is queue; unmountdevice",
        &refused,
        &["no path of its multipath map", "multipathd disablequeueing map"],
    );
    assert_eq!(guest.sessions(), 3);

    guest.storage.restart();
    wait_for("[ $(grep -l running /sys/block/sd?/device/state | wc -l) = 3 ]");
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn without_multipathd_no_path_is_taken_for_the_disk() {
    let guest = Guest::fresh();
    let volume = fast(&guest);
    let device = attached(&volume);
    let refused = volume.call_multipath(&["waitforattach", &device]);
    seen_to_fail(
        "W14",
        "three portals, and multipathd does not run",
        &refused,
        &["no multipath map", "multipathd must run: install multipath-tools"],
    );
    // The sessions are recorded, so they are ended.
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn a_map_that_was_told_of_no_paths_is_refused() {
    let guest = Guest::fresh();
    let volume = fast(&guest);
    let refused = volume.attach(1);
    seen_to_fail(
        "A19",
        "an attachment with several paths, without the option multipath",
        &refused,
        &["has several paths (isMultipath)", "option multipath"],
    );

    let device = attached(&volume);
    let _daemon = Multipathd::start();
    success(&volume.call_multipath(&["waitforattach", &device]));
    let refused = volume.wait(&device);
    seen_to_fail(
        "W14",
        "three sessions, without the option multipath",
        &refused,
        &["is already reached through another portal"],
    );
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}
