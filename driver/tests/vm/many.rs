//! Several calls at once.

use std::thread;

use testbed::FaultRow;

use crate::{
    guest::Guest,
    volume::{Volume, success},
};

#[test]
fn eight_volumes_come_and_go_at_once() {
    let guest = Guest::fresh();
    let volumes: Vec<_> = (0..8).map(|_| guest.volume()).collect();
    let devices: Vec<_> = volumes.iter().map(|it| it.attached(1)).collect();
    let mut row = FaultRow::new("X9", "eight volumes logged in, mounted and let go at once");
    let all = |call: &(dyn Fn(&Volume<'_>, &str) + Sync)| {
        thread::scope(|scope| {
            for (volume, device) in volumes.iter().zip(&devices) {
                scope.spawn(move || call(volume, device));
            }
        });
    };
    all(&|volume, device| success(&volume.wait(device)));
    assert_eq!(guest.sessions(), 8);
    all(&|volume, device| success(&volume.mount(device)));
    all(&|volume, _| success(&volume.unmount()));
    assert_eq!(guest.sessions(), 0);
    row.saw("Success", "24 calls, all successful");
}
