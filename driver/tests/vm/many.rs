//! Several things at once.

use std::{thread, time::Duration};

use oci_sim::{Effect, Fault, NewVolume};
use testbed::FaultRow;

use crate::{
    guest::Guest,
    shell::sh,
    volume::{Volume, success},
};

#[test]
fn as_many_volumes_as_an_instance_takes_come_and_go_at_once() {
    let guest = Guest::fresh();
    let small = || NewVolume { disk_bytes: Some(4 << 20), ..NewVolume::default() };
    let volumes: Vec<_> = (0..VOLUMES).map(|_| guest.volume_like(small())).collect();
    let devices: Vec<_> = volumes.iter().map(|it| it.attached(1)).collect();
    let mut row = FaultRow::new("X9", "32 volumes logged in, mounted and let go at once");
    let all = |call: &(dyn Fn(&Volume<'_>, &str) + Sync)| {
        thread::scope(|scope| {
            for (volume, device) in volumes.iter().zip(&devices) {
                scope.spawn(move || call(volume, device));
            }
        });
    };
    all(&|volume, device| success(&volume.wait(device)));
    assert_eq!(guest.sessions(), VOLUMES);
    all(&|volume, device| success(&volume.mount(device)));
    all(&|volume, _| success(&volume.unmount()));
    assert_eq!(guest.sessions(), 0);
    row.saw("Success", "96 calls, all successful");
}

#[test]
fn a_clock_that_jumps_moves_no_deadline() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    guest.sim.fail(Fault::new("ListInstances", 1..=1, Effect::Late(3000)));
    let mut row =
        FaultRow::new("X11", "the clock jumps an hour ahead while attach waits for the cloud");
    let answer = thread::scope(|scope| {
        let call = scope.spawn(|| volume.attach(1));
        thread::sleep(Duration::from_secs(1));
        sh("date --set '1 hour' >/dev/null");
        call.join().unwrap()
    });
    row.shows(&answer);
    success(&answer);
    assert!(guest.sim.requests().iter().any(|it| it.operation == "ListInstances"));
}

/// OCI's limit for an instance.
const VOLUMES: usize = 32;
