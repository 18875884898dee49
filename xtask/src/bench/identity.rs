//! `attach` as the instance that it runs on: the first call, which gets a token, and those after it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use oci_sim::{NewInstance, NewVolume};
use tempfile::TempDir;
use testbed::{Cluster, Setup};

use super::{
    figure::{Bound, Figure},
    sample::Sample,
    stopwatch::{Cost, cost},
};

/// What a warm call asks of metadata and auth service, and how much of a cold call's CPU time it takes; the waits
/// for the cloud are the same.
pub(super) fn figures(binary: &Path) -> Result<Vec<Figure>> {
    let master = Master::start(binary)?;
    let rounds = (0..ROUNDS).map(|_| master.round()).collect::<Result<Vec<_>>>()?;
    let sample = |of: fn(&Round) -> f64| -> Sample { rounds.iter().map(of).collect() };
    let warm = sample(|it| it.warm.cost.cpu);
    let cold = sample(|it| it.cold.cost.cpu);
    Ok(vec![
        Figure {
            what: "`attach` as an instance, questions to metadata and auth service",
            unit: "",
            median: sample(|it| it.warm.questions as f64).most(),
            best: None,
            also: Some(format!(
                "{} for the first time",
                sample(|it| it.cold.questions as f64).median()
            )),
            bound: Bound::AtMost(0.0),
            go: "–",
            because: "the token is not kept".to_owned(),
        },
        Figure {
            what: "`attach` as an instance, of the first one’s CPU time",
            unit: "%",
            median: sample(|it| it.warm.cost.cpu / it.cold.cost.cpu * 100.0).median(),
            best: Some(warm.least() / cold.least() * 100.0),
            also: Some(format!("{:.1} of {:.1} ms", warm.median(), cold.median())),
            bound: Bound::AtMost(50.0),
            go: "–",
            because: "the first ones were lucky with the primes of their keys".to_owned(),
        },
    ])
}

/// A controller manager on an instance, with its run directory in memory, as on real ones.
struct Master {
    cluster: Cluster,
    memory: TempDir,
}

/// The first call after a reboot, and the one after it.
struct Round {
    cold: Call,
    warm: Call,
}

struct Call {
    cost: Cost,
    /// Requests to metadata and auth service. A key is made for each token that is asked for.
    questions: usize,
}

impl Master {
    fn start(binary: &Path) -> Result<Self> {
        let memory = tempfile::tempdir_in("/dev/shm").context("a tmpfs at /dev/shm is needed")?;
        let cluster = Cluster::start(binary, &Setup { nodes: 0, ..Setup::default() })?;
        let name = NODE.to_owned();
        cluster.sim.add_instance(NewInstance { display_name: name, ..NewInstance::default() });
        let cloud = cluster.sim.endpoint();
        cluster.write_config(&format!(
            "useInstancePrincipals: true\nendpoints:\n  iaas: {cloud}\n  auth: {cloud}\n"
        ))?;
        Ok(Self { cluster, memory })
    }

    fn round(&self) -> Result<Round> {
        if self.run_dir().exists() {
            fs::remove_dir_all(self.run_dir())?;
        }
        Ok(Round { cold: self.attach()?, warm: self.attach()? })
    }

    fn attach(&self) -> Result<Call> {
        let sim = &self.cluster.sim;
        let volume = sim.add_volume(NewVolume::default());
        let kind = [("kubernetes.io/pvOrVolumeName", &*volume), ("attachmentType", "iscsi")];
        let before = sim.requests().len();
        let cost = cost(self.command(&["attach", &self.cluster.options(&kind), NODE]))?;
        let requests = sim.requests();
        let asked = requests.iter().skip(before).filter(|it| IDENTITY.contains(&it.operation));
        let questions = asked.count();
        // an instance has room for 32 volumes
        let detached = testbed::run(self.command(&["detach", &volume, NODE]))?;
        ensure!(detached.is_success(), "{}", detached.text);
        Ok(Call { cost, questions })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.cluster.controller().command(args);
        command.env("OCI_FLEXD_RUN_DIRECTORY", self.run_dir());
        command
    }

    fn run_dir(&self) -> PathBuf {
        self.memory.path().join("run")
    }
}

const NODE: &str = "node-1";
/// The time of a cold call is mostly luck: that of finding two primes.
const ROUNDS: usize = 25;
const IDENTITY: [&str; 2] = ["Metadata", "Federation"];
