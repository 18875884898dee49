//! Several things at once.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use oci_sim::{Effect, Fault};
use testbed::{FaultRow, seen_to_succeed, success};

use crate::{guest::Guest, shell::sh, volume::Volume};

#[test]
fn eight_volumes_come_and_go_at_once() {
    let guest = Guest::fresh();
    let volumes: Vec<_> = (0..8).map(|_| guest.volume()).collect();
    let devices: Vec<_> = volumes.iter().map(|it| it.attached(1)).collect();
    let mut row = FaultRow::new("X9", "eight volumes logged in, mounted and let go at once");
    let all = |call: &(dyn Fn(&Volume<'_>, &str) + Sync)| at_once(&volumes, &devices, call);
    all(&|volume, device| success(&volume.wait(device)));
    assert_eq!(guest.sessions(), 8);
    all(&|volume, device| success(&volume.mount(device)));
    all(&|volume, _| success(&volume.unmount()));
    assert_eq!(guest.sessions(), 0);
    row.saw("Success", "24 calls, all successful");
}

#[test]
fn sixteen_volumes_log_in_and_out_at_once() {
    let guest = Guest::fresh();
    let volumes: Vec<_> = (0..VOLUMES).map(|_| guest.volume()).collect();
    let devices: Vec<_> = thread::scope(|scope| {
        let calls: Vec<_> = volumes.iter().map(|it| scope.spawn(|| it.attached(1))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let mut row = FaultRow::new("X9", format!("{VOLUMES} volumes logged in and out at once"));
    let calls = AtomicUsize::new(0);
    at_once(&volumes, &devices, &|volume, device| {
        // On a slow machine a login may still be pending when its call ends; kubelet calls again.
        let is_there = |_| {
            calls.fetch_add(1, Ordering::Relaxed);
            volume.wait(device).is_success()
        };
        assert!((0..5).any(is_there), "{device}");
    });
    assert_eq!(guest.sessions(), VOLUMES);
    at_once(&volumes, &devices, &|volume, _| success(&volume.unmount()));
    assert_eq!(guest.sessions(), 0);
    assert_eq!(sh("ls /etc/iscsi/nodes"), "");
    row.saw(
        "Success",
        &format!(
            "{VOLUMES} sessions after {} calls, none after {VOLUMES} more",
            calls.into_inner()
        ),
    );
}

/// Makes the call for all volumes at the same time.
fn at_once(volumes: &[Volume<'_>], devices: &[String], call: &(dyn Fn(&Volume<'_>, &str) + Sync)) {
    thread::scope(|scope| {
        for (volume, device) in volumes.iter().zip(devices) {
            scope.spawn(move || call(volume, device));
        }
    });
}

#[test]
fn a_clock_that_jumps_moves_no_deadline() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    guest.sim.fail(Fault::new("ListInstances", 1..=1, Effect::Late(3000)));
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| volume.attach(1));
        thread::sleep(Duration::from_secs(1));
        sh("date --set '1 hour' >/dev/null");
        call.join().unwrap()
    });
    seen_to_succeed(
        "X11",
        "the clock jumps an hour ahead while attach waits for the cloud",
        &answer,
    );
    assert!(guest.sim.requests().iter().any(|it| it.operation == "ListInstances"));
}

/// Half of what an instance takes: emulation is slow.
const VOLUMES: usize = 16;
