//! Which VNIC a node was found by, for a short time: on a large network the search costs a request
//! for each VNIC.

use std::{io, path::Path, time::Duration};

use clock::Clock;
use oci_iaas::Ocid;
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::private_dir::{Lasting, PrivateDir};

/// A node and the VNIC it was found by; to be verified before it is used.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The instance.
    pub(crate) instance: Ocid,
    /// Its VNIC with the node's name or address.
    pub(crate) vnic: Ocid,
}

/// What is remembered of the node called `name`; nothing, if that was too long ago or is unreadable.
pub(crate) fn recall(run_dir: &Path, name: &str, clock: &dyn Clock) -> Option<Found> {
    let dir = PrivateDir::existing(run_dir, NODES).ok()??;
    let name = file(name);
    let written = dir.open_existing(&name).ok()?.metadata().ok()?.modified().ok()?;
    let age = clock.now().duration_since(written).ok()?;
    (age < KEPT).then(|| serde_json::from_slice(&dir.read(&name).ok()?).ok())?
}

/// Remembers. That it cannot is no reason to fail.
pub(crate) fn remember(run_dir: &Path, name: &str, found: &Found) {
    let write = || {
        let dir = PrivateDir::make(run_dir, NODES)?;
        dir.write(&file(name), &serde_json::to_vec(found)?, Lasting::UntilReboot)
    };
    let written: io::Result<()> = write();
    if let Err(error) = written {
        log::debug!("node {name} is not remembered: {error}");
    }
}

/// Node names may be anything, so a digest names the file.
fn file(name: &str) -> String {
    let digest = digest::digest(&digest::SHA256, name.as_bytes());
    let hex: String = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}.json")
}

const NODES: &str = "nodes";
const KEPT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use clock::SystemClock;

    use super::*;

    #[derive(Debug)]
    struct Later(Duration);

    impl Clock for Later {
        fn now(&self) -> std::time::SystemTime {
            SystemClock.now() + self.0
        }

        fn monotonic(&self) -> Duration {
            SystemClock.monotonic()
        }

        fn sleep(&self, _duration: Duration) {}
    }

    #[test]
    fn a_node_is_remembered_for_ten_minutes() {
        let dir = tempfile::tempdir().unwrap();
        let found = Found {
            instance: "ocid1.instance.oc1.phx.a".parse().unwrap(),
            vnic: "ocid1.vnic.oc1.phx.b".parse().unwrap(),
        };
        let name = "../a node/\n";
        assert_eq!(recall(dir.path(), name, &SystemClock), None);
        remember(dir.path(), name, &found);
        assert_eq!(recall(dir.path(), name, &SystemClock), Some(found));
        assert_eq!(recall(dir.path(), name, &Later(KEPT)), None);
        assert_eq!(recall(dir.path(), "another", &SystemClock), None);
    }
}
