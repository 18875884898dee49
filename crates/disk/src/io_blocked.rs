//! Devices to which I/O would hang.

use std::time::Duration;

use command::{Command, Runner};

use crate::{DeviceNumber, Error, Host, Map};

/// Why I/O to a device would wait, perhaps without end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IoBlocked {
    /// For as long as the SCSI layer says so of the device, or of the paths of its map.
    #[error("its device is {state:?} in the kernel, I/O to it would hang")]
    Blocked {
        /// `blocked`
        state: String,
    },
    /// Until a path comes back.
    #[error(
        "no path of its multipath map {map} works, and I/O to the map would hang, because it queues: bring a path back, \
         or call `multipathd disablequeueing map {map}`, which gives up what has not been written"
    )]
    Queues {
        /// The map's name.
        map: String,
    },
}

impl Host {
    /// Whether I/O to the device with this number would hang now. The device is not touched.
    ///
    /// A map without a path that works hangs if it queues: the device-mapper table says so, whatever
    /// `no_path_retry` is in the configuration.
    ///
    /// # Errors
    /// If sysfs does not read, or dmsetup does not run.
    pub fn io_blocked(
        &self,
        number: DeviceNumber,
        runner: &dyn Runner,
    ) -> Result<Option<IoBlocked>, Error> {
        let Some(map) = self.map(number)? else {
            let state = self.device_state(number)?.filter(|state| hangs(state));
            return Ok(state.map(|state| IoBlocked::Blocked { state }));
        };
        let mut blocked = None;
        for path in &map.paths {
            match self.device_state(*path)? {
                Some(state) if hangs(&state) => blocked = Some(state),
                Some(state) if state != "running" => {}
                // Disks of other kinds tell no state.
                _ => return Ok(None),
            }
        }
        if let Some(state) = blocked {
            return Ok(Some(IoBlocked::Blocked { state }));
        }
        Ok(queues(&map, runner)?.then_some(IoBlocked::Queues { map: map.name }))
    }
}

/// Whether I/O to the map waits when no path works (dm-multipath's feature, as it is now). One whose table does not
/// read is taken for such a one.
fn queues(map: &Map, runner: &dyn Runner) -> Result<bool, Error> {
    let command = Command::new(DMSETUP, LIMIT).args(["table", &map.name]);
    let output = runner.run(&command).map_err(|source| Error::Program {
        path: format!("/dev/{}", map.device).into(),
        program: DMSETUP,
        source,
    })?;
    let queues = output.stdout.split_whitespace().any(|word| word == "queue_if_no_path");
    Ok(queues || !output.success())
}

/// States of the SCSI layer in which I/O waits for as long as the state lasts.
fn hangs(state: &str) -> bool {
    matches!(state, "blocked" | "created-blocked" | "quiesce")
}

const DMSETUP: &str = "dmsetup";
const LIMIT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use command::testing::Script;

    use super::*;

    const QUEUES: &str = "0 32768 multipath 1 queue_if_no_path 0 1 1 service-time 0 1 2 8:0 1 1";
    const FAILS: &str = "0 32768 multipath 0 0 1 1 service-time 0 1 2 8:0 1 1";

    /// A map whose paths have these states; what it is asked for its table, and what it answers.
    #[track_caller]
    fn check(states: &[&str], table: Option<(i32, &str)>, stall: Option<IoBlocked>) {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = dir.path().join("dev/block").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        };
        write("253:0/dm/uuid", "mpath-360a1");
        write("253:0/dm/name", "mpatha");
        write("253:0/size", "32768");
        write("253:0/dev", "253:0");
        write("253:0/uevent", "DEVNAME=dm-0");
        for (minor, state) in states.iter().enumerate() {
            write(&format!("253:0/slaves/path{minor}/dev"), &format!("8:{minor}"));
            write(&format!("8:{minor}/device/state"), state);
        }
        let mut script = Script::default();
        if let Some((code, table)) = table {
            script = script.expect("dmsetup table mpatha", code, table);
        }
        let found = host(dir.path()).io_blocked(DeviceNumber { major: 253, minor: 0 }, &script);
        assert_eq!(found.unwrap(), stall, "{states:?}");
    }

    fn host(sysfs: &Path) -> Host {
        Host { sysfs: sysfs.to_owned(), ..Host::default() }
    }

    #[test]
    fn a_map_hangs_if_no_path_works_and_it_queues() {
        let queues = || Some(IoBlocked::Queues { map: "mpatha".into() });
        check(&["running", "transport-offline"], None, None);
        check(&["blocked", "running"], None, None);
        check(&["transport-offline", "offline"], Some((0, QUEUES)), queues());
        check(&["transport-offline", "offline"], Some((0, FAILS)), None);
        check(&[], Some((0, QUEUES)), queues());
        check(&["transport-offline"], Some((1, "")), queues());
        let blocked = IoBlocked::Blocked { state: "blocked".into() };
        check(&["transport-offline", "blocked"], None, Some(blocked));
    }
}
