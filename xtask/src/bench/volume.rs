//! A volume that comes and goes: `attach` and `detach` of the controller manager, over TLS.

use std::{path::Path, time::Duration};

use anyhow::Result;
use oci_sim::{Entry, NewInstance, NewVolume};
use testbed::{Cluster, Setup};

use super::{
    figure::{Bound, Figure},
    sample::Sample,
    stopwatch::{Cost, cost},
};

/// The CPU time of both calls together, in a cloud that is done at once; how much of it goes into
/// signatures follows from the time of one, in milliseconds.
pub(super) fn cpu(binary: &Path, signature: f64) -> Result<Figure> {
    let rounds = rounds(binary, CPU_ROUNDS, &Setup { nodes: 0, ..Setup::default() })?;
    let cpu: Sample = rounds.iter().map(|it| it.attach.cpu + it.detach.cpu).collect();
    let requests: Sample = rounds.iter().map(|it| it.requests as f64).collect();
    let requests = requests.median();
    Ok(Figure {
        what: "`attach` and `detach`, CPU time",
        unit: "ms",
        median: cpu.median(),
        best: Some(cpu.least()),
        also: None,
        bound: Bound::AtMost(15.0),
        go: "36 ms",
        because: format!("the {requests} signatures alone take {:.1} ms", requests * signature),
    })
}

/// How much longer than the cloud both calls together take, and how often they ask.
pub(super) fn waiting(binary: &Path) -> Result<Vec<Figure>> {
    let setup = Setup {
        nodes: 0,
        attach_delay: ATTACH_DELAY,
        detach_delay: DETACH_DELAY,
        ..Setup::default()
    };
    let rounds = rounds(binary, WAITING_ROUNDS, &setup)?;
    let floor = (ATTACH_DELAY + DETACH_DELAY).as_secs_f64() * 1e3;
    let over = |it: &Round| ((it.attach.wall + it.detach.wall) / floor - 1.0) * 100.0;
    let over: Sample = rounds.iter().map(over).collect();
    let time = Figure {
        what: "`attach` and `detach`, over the cloud’s own 5.4 s",
        unit: "%",
        median: over.median(),
        best: Some(over.least()),
        also: None,
        bound: Bound::AtMost(8.0),
        go: "31 %",
        because: "the next look comes after a tenth of the time waited".to_owned(),
    };
    let polls = |what, polls: fn(&Round) -> usize| {
        let polls: Sample = rounds.iter().map(|it| polls(it) as f64).collect();
        Figure {
            what,
            unit: "",
            median: polls.median(),
            best: None,
            also: Some(format!("at most {}", polls.most())),
            bound: Bound::AtMost(16.0),
            go: "–",
            because: "looks are too close together".to_owned(),
        }
    };
    Ok(vec![
        time,
        polls("`attach`, polls in 3.2 s", |it| it.attach_polls),
        polls("`detach`, polls in 2.2 s", |it| it.detach_polls),
    ])
}

/// One volume that came and went.
struct Round {
    attach: Cost,
    detach: Cost,
    attach_polls: usize,
    detach_polls: usize,
    /// All requests, those polls among them.
    requests: usize,
}

/// Attaches and detaches as often as asked.
fn rounds(binary: &Path, count: usize, setup: &Setup) -> Result<Vec<Round>> {
    let cluster = Cluster::start(binary, setup)?;
    let name = NODE.to_owned();
    cluster.sim.add_instance(NewInstance { display_name: name, ..NewInstance::default() });
    (0..count).map(|_| round(&cluster)).collect()
}

/// A volume of its own each time: the cloud remembers what was detached, and tells it.
fn round(cluster: &Cluster) -> Result<Round> {
    let volume = cluster.sim.add_volume(NewVolume::default());
    let options =
        cluster.options(&[("kubernetes.io/pvOrVolumeName", &volume), ("attachmentType", "iscsi")]);
    let controller = cluster.controller();
    let before = cluster.sim.requests().len();
    let attach = cost(controller.command(&["attach", &options, NODE]))?;
    let attach_polls = polls(&cluster.sim.requests(), "AttachVolume");
    let detach = cost(controller.command(&["detach", &volume, NODE]))?;
    let all = cluster.sim.requests();
    let detach_polls = polls(&all, "DetachVolume");
    Ok(Round { attach, detach, attach_polls, detach_polls, requests: all.len() - before })
}

/// The requests after the last one that changed something.
fn polls(requests: &[Entry], change: &str) -> usize {
    requests.iter().rev().take_while(|it| it.operation != change).count()
}

const NODE: &str = "node-1";
const CPU_ROUNDS: usize = 50;
const WAITING_ROUNDS: usize = 7;
const ATTACH_DELAY: Duration = Duration::from_millis(3200);
const DETACH_DELAY: Duration = Duration::from_millis(2200);
