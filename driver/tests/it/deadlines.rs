//! Calls that are not done when their time is up: they end, and the next call goes on.

use std::{thread, time::Duration};

use oci_sim::{Effect, Fault};
use testbed::{Answer, Cluster, FaultRow, Setup};

use crate::support::{cluster, cluster_with, failure_with, success};

fn attach(cluster: &Cluster) -> Answer {
    let options = cluster.options(&[("attachmentType", "iscsi")]);
    cluster.controller().call(&["attach", &options, "node-1"]).unwrap()
}

fn detach(cluster: &Cluster) -> Answer {
    cluster.controller().call(&["detach", cluster.volume_name(), "node-1"]).unwrap()
}

fn states(cluster: &Cluster) -> Vec<&'static str> {
    cluster.sim.attachments().iter().map(|it| it.lifecycle_state).collect()
}

fn slow_attach() {
    let mut row = FaultRow::new("A18", "ATTACHING for 200 s");
    let cluster =
        cluster_with(&Setup { attach_delay: Duration::from_secs(200), ..Setup::default() });
    let answer = attach(&cluster);
    row.shows(&answer);
    failure_with(&answer, &["is still ATTACHING; ", "the next call continues"]);
    // The first call must not see the end on a machine that stands still for a while.
    cluster.sim.advance(Duration::from_secs(100));
    success(&attach(&cluster));
    assert_eq!(states(&cluster), ["ATTACHED"]);
}

fn undone_detach() {
    let mut row = FaultRow::new("D11", "DETACHING becomes ATTACHED again");
    let cluster = cluster();
    success(&attach(&cluster));
    cluster.sim.fail(Fault::new("DetachVolume", 1_u64.., Effect::Fails));
    let answer = detach(&cluster);
    row.shows(&answer);
    failure_with(&answer, &["is still ATTACHED; ", "the next call continues"]);
    cluster.sim.clear_faults();
    success(&detach(&cluster));
    assert_eq!(states(&cluster), ["DETACHED"]);
}

/// One test, because each of them does nothing but wait.
#[test]
fn what_takes_longer_than_a_call_is_continued_by_the_next() {
    thread::scope(|scope| {
        scope.spawn(slow_attach);
        scope.spawn(undone_detach);
    });
}
