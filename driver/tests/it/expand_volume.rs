//! A volume is made larger through the API, never smaller, and not twice.

use oci_sim::{Delay, Effect, Fault, NewVolume};
use testbed::{Answer, Cluster, FaultRow, Setup};

use crate::support::{cluster, cluster_with, failure, failure_with, success};

/// expandvolume as the controller manager would call it, which gives a relative folder.
fn expand(cluster: &Cluster, bytes: u64) -> Answer {
    expand_named(cluster, cluster.volume_name(), bytes)
}

fn expand_named(cluster: &Cluster, volume: &str, bytes: u64) -> Answer {
    let dir = format!("oracle/oci/mounts/{volume}");
    let options = cluster.options(&[("kubernetes.io/pvOrVolumeName", volume)]);
    let bytes = bytes.to_string();
    cluster.controller().call(&["expandvolume", &options, &dir, &bytes, "0"]).unwrap()
}

#[track_caller]
fn grown(answer: &Answer, gib: u64) {
    success(answer);
    assert_eq!(answer.json().unwrap()["volumeNewSize"], gib * GIB);
}

/// How often the volume was changed, in requests that came through.
fn updates(cluster: &Cluster) -> usize {
    cluster.sim.requests().iter().filter(|it| it.operation == "UpdateVolume").count()
}

#[test]
fn a_volume_that_is_large_enough_keeps_its_size() {
    let cluster = cluster();
    for (row, bytes) in [("E1", 50 * GIB), ("E2", 20 * GIB), ("E2", 0)] {
        let mut row = FaultRow::new(row, format!("{bytes} bytes asked of a volume of 50 GiB"));
        let answer = expand(&cluster, bytes);
        row.shows(&answer);
        grown(&answer, 50);
    }
    assert_eq!(updates(&cluster), 0);
}

#[test]
fn a_size_between_two_gib_becomes_the_larger_one() {
    let cluster = cluster();
    let mut row =
        FaultRow::new("E3", "60 GiB and one byte asked; arguments as the caller sends them");
    let answer = expand(&cluster, 60 * GIB + 1);
    row.shows(&answer);
    grown(&answer, 61);
    // Again, as after a lost answer.
    grown(&expand(&cluster, 60 * GIB + 1), 61);
    let all = cluster.sim.requests();
    let updates: Vec<_> = all.iter().filter(|it| it.operation == "UpdateVolume").collect();
    assert_eq!(updates.iter().map(|it| &*it.body).collect::<Vec<_>>(), [r#"{"sizeInGBs":61}"#]);
    assert!(updates[0].if_match.is_some());
}

#[test]
fn the_end_of_the_change_is_waited_for() {
    let cluster = cluster_with(&Setup { volume_delay: Delay::Polls(3), ..Setup::default() });
    grown(&expand(&cluster, 70 * GIB), 70);
    let looks = cluster.sim.requests().iter().filter(|it| it.operation == "GetVolume").count();
    assert_eq!(looks, 5, "once before the change, then until it is available");
}

#[test]
fn a_change_whose_answer_is_lost_is_made_once() {
    for effect in [Effect::DropBefore, Effect::DropAfter, Effect::HalfBody] {
        let cluster = cluster_with(&Setup { volume_delay: Delay::Polls(1), ..Setup::default() });
        cluster.sim.fail(Fault::new("UpdateVolume", 1, effect.clone()));
        grown(&expand(&cluster, 70 * GIB), 70);
        let performed = cluster.sim.requests();
        let performed = performed
            .iter()
            .filter(|it| it.operation == "UpdateVolume" && it.status == Some(200))
            .count();
        assert!(performed <= 1, "{effect:?}: {performed}");
    }
}

#[test]
fn a_volume_that_cannot_be_changed_now_is_waited_for() {
    let mut row = FaultRow::new("E4", "409 IncorrectState, then 412 NoEtagMatch, then nothing");
    let cluster = cluster();
    let conflict = Effect::status(409, "IncorrectState", "The volume is being updated.");
    cluster.sim.fail(Fault::new("UpdateVolume", 1, conflict));
    let other = Effect::status(412, "NoEtagMatch", "The etag of the resource is another by now.");
    cluster.sim.fail(Fault::new("UpdateVolume", 2, other));
    let answer = expand(&cluster, 51 * GIB);
    row.shows(&answer);
    grown(&answer, 51);
    assert_eq!(updates(&cluster), 3);
}

#[test]
fn a_limit_is_named_at_once() {
    let mut row = FaultRow::new("E4", "400 LimitExceeded");
    let cluster = cluster();
    let limit = "The following service limits were exceeded: total-storage-gb";
    cluster.sim.fail(Fault::new("UpdateVolume", 1.., Effect::status(400, "LimitExceeded", limit)));
    let answer = expand(&cluster, 51 * GIB);
    row.shows(&answer);
    let what = format!("volume {} has 50 GiB and cannot be given 51 GiB", cluster.volume);
    failure_with(&answer, &[&what, "LimitExceeded", limit]);
    assert_eq!(updates(&cluster), 1);
}

#[test]
fn a_volume_that_is_broken_or_gone_is_not_changed() {
    for state in ["FAULTY", "TERMINATING", "TERMINATED"] {
        let mut row = FaultRow::new("E4", format!("the volume is {state}"));
        let cluster = cluster();
        let lifecycle_state = Some(state.to_owned());
        let volume = cluster.sim.add_volume(NewVolume { lifecycle_state, ..NewVolume::default() });
        let answer = expand_named(&cluster, &volume, 51 * GIB);
        row.shows(&answer);
        failure(&answer, &format!("volume {volume} is {state} and cannot be made larger"));
        assert_eq!(updates(&cluster), 0);
    }
}

#[test]
fn a_size_that_no_volume_has_is_an_error() {
    let cluster = cluster();
    failure_with(&expand(&cluster, u64::MAX), &["cannot be given 17179869184 GiB", "sizeInGBs"]);
    assert_eq!(cluster.sim.violations(), Vec::<String>::new());
}

const GIB: u64 = 1 << 30;
