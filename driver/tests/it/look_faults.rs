//! isattached, while the cloud misbehaves: only a complete list without the volume is a "no".

use std::{process::Stdio, thread, time::Duration};

use oci_sim::{Effect, Fault};
use testbed::{Answer, Cluster, FaultRow, Setup};

use crate::support::{Kubelet, cluster, cluster_with, failure_with, success};

const LIST: &str = "ListVolumeAttachments";

fn is_attached(cluster: &Cluster, node: &str) -> Answer {
    cluster.controller().call(&["isattached", &cluster.options(&[]), node]).unwrap()
}

#[track_caller]
fn says(answer: &Answer, attached: bool) {
    success(answer);
    assert_eq!(answer.json().unwrap()["attached"], attached);
}

/// A cluster whose volume is attached to node-1.
fn attached() -> Cluster {
    let cluster = cluster();
    Kubelet { cluster: &cluster, number: 1 }.attach(&cluster.options(&[]));
    cluster
}

#[test]
fn the_arguments_come_in_either_order() {
    let mut row = FaultRow::new("T1", "isattached with the node first");
    let cluster = attached();
    let options = cluster.options(&[]);
    let answer = cluster.controller().call(&["isattached", "node-1", &options]).unwrap();
    row.shows(&answer);
    says(&answer, true);
    says(&is_attached(&cluster, "node-1"), true);
}

#[test]
fn no_error_is_ever_a_no() {
    let faults = [
        (Effect::status(500, "InternalServerError", "x"), &["500 InternalServerError"][..]),
        (Effect::status(409, "IncorrectState", "x"), &["409 IncorrectState"]),
        (Effect::Throttle { retry_after: None }, &["429 TooManyRequests", "rate limited"]),
        (Effect::Throttle { retry_after: Some(1) }, &["429 TooManyRequests", "rate limited"]),
        (Effect::status(401, "NotAuthenticated", "x"), &["401 NotAuthenticated", "signed as "]),
        (
            Effect::status(403, "NotAuthorized", "x"),
            &[
                "403 NotAuthorized",
                "`Allow group <group> to read volume-attachments in compartment",
            ],
        ),
        (Effect::status(400, "InvalidParameter", "x"), &["400 InvalidParameter"]),
        (
            Effect::Answer {
                status: 502,
                content_type: "text/html".into(),
                body: "<html>Bad Gateway</html>".into(),
            },
            &["502: <html>Bad Gateway</html>"],
        ),
        (Effect::DropBefore, &["connection lost"]),
        (Effect::HalfBody, &["connection lost while reading the answer"]),
        (Effect::Body("[]x".into()), &["incomplete answer, its JSON breaks at line 1 column 3"]),
        (Effect::Body("null".into()), &["incomplete answer"]),
        (Effect::Body(r#"[{"id":"x"}]"#.into()), &["incomplete answer, fields are missing"]),
        (Effect::ContentType("text/html".into()), &["incomplete answer, it is not JSON"]),
        (
            Effect::Answer {
                status: 206,
                content_type: "application/json".into(),
                body: "[]".into(),
            },
            &["incomplete answer, its status is 206"],
        ),
        (Effect::EndlessList, &["the list never ends, a page names an earlier one as next"]),
        (Effect::Late(60_000), &["time limit passed"]),
    ];
    // At once, because most of them wait until their time is up.
    thread::scope(|scope| {
        for (effect, parts) in faults {
            scope.spawn(move || {
                let mut row = FaultRow::new("T2", format!("{LIST}: {effect:?}"));
                let cluster = attached();
                // For good: each try of each request.
                cluster.sim.fail(Fault::new(LIST, 1_u64.., effect));
                let answer = is_attached(&cluster, "node-2");
                row.shows(&answer);
                failure_with(&answer, &["ListVolumeAttachments"]);
                failure_with(&answer, parts);
            });
        }
    });
}

#[test]
fn an_empty_page_is_not_the_end_of_a_list() {
    let mut row = FaultRow::new("T2", "the first page is empty and has a next one");
    let cluster = attached();
    cluster.sim.fail(Fault::new(LIST, 1_u64.., Effect::EmptyPage));
    let answer = is_attached(&cluster, "node-1");
    row.shows(&answer);
    says(&answer, true);
}

#[test]
fn a_complete_list_without_the_volume_is_a_no() {
    let mut row = FaultRow::new("T3", "attached to another node");
    // The cloud's clock is turned forward when it is to end; OCI refuses signatures that are 300 s off.
    let detach_delay = Duration::from_secs(200);
    let cluster = cluster_with(&Setup { detach_delay, ..Setup::default() });
    let first = Kubelet { cluster: &cluster, number: 1 };
    first.attach(&cluster.options(&[]));
    let answer = is_attached(&cluster, "node-2");
    row.shows(&answer);
    says(&answer, false);
    drop(row);
    let state = || cluster.sim.attachments()[0].lifecycle_state;
    let mut row = FaultRow::new("T3", "DETACHING");
    let mut leaving = cluster.controller().command(&["detach", cluster.volume_name(), "node-1"]);
    let mut leaving = leaving.stdout(Stdio::null()).spawn().unwrap();
    while state() != "DETACHING" {
        thread::sleep(Duration::from_millis(10));
    }
    let answer = is_attached(&cluster, "node-1");
    assert_eq!(state(), "DETACHING");
    row.shows(&answer);
    says(&answer, false);
    drop(row);
    let mut row = FaultRow::new("T3", "DETACHED, and still listed");
    cluster.sim.advance(detach_delay);
    assert!(leaving.wait().unwrap().success());
    assert_eq!(state(), "DETACHED");
    let answer = is_attached(&cluster, "node-1");
    row.shows(&answer);
    says(&answer, false);
}

#[test]
fn a_404_may_be_a_lost_right() {
    let mut row = FaultRow::new("T4", "404 NotAuthorizedOrNotFound from the list");
    let cluster = attached();
    let hidden = Effect::status(404, "NotAuthorizedOrNotFound", "x");
    cluster.sim.fail(Fault::new(LIST, 1_u64.., hidden));
    let answer = is_attached(&cluster, "node-1");
    row.shows(&answer);
    failure_with(
        &answer,
        &[
            "404 NotAuthorizedOrNotFound",
            "not found, or not permitted: needs the policy statement `Allow group <group> to read \
             volume-attachments in compartment <compartment>`",
        ],
    );
}
