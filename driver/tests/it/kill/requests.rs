//! The driver is killed before and after every request to the API.

use std::{
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use testbed::{Cluster, FaultRow, Setup};

use crate::support::{cluster_with, success};

/// Runs `call` in a fresh cluster and kills it at the `point`-th moment around a request; false, if
/// the call has fewer.
fn killed_at_request(cluster: &Cluster, call: &[&str], point: usize) -> bool {
    let process: Arc<Mutex<Option<u32>>> = Arc::default();
    let moments = Arc::new(AtomicUsize::new(0));
    let (victim, count) = (Arc::clone(&process), Arc::clone(&moments));
    cluster.sim.on_request(move |_event| {
        if count.fetch_add(1, Ordering::SeqCst) + 1 == point {
            kill(&victim);
        }
    });
    let mut child = cluster.controller().command(call).spawn().unwrap();
    *process.lock().unwrap() = Some(child.id());
    child.wait().unwrap();
    cluster.sim.on_request(|_event| ());
    moments.load(Ordering::SeqCst) >= point
}

fn kill(victim: &Mutex<Option<u32>>) {
    loop {
        if let Some(id) = *victim.lock().unwrap() {
            Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
            return;
        }
        thread::yield_now();
    }
}

#[track_caller]
fn check_requests(
    row: &'static str,
    prepare: impl Fn(&Cluster),
    call: impl Fn(&Cluster) -> Vec<String>,
    ends: &[&str],
) {
    let mut row = FaultRow::new(row, "killed before and after each request of the call");
    let delay = Duration::from_millis(300);
    let setup = Setup { nodes: 1, attach_delay: delay, detach_delay: delay, ..Setup::default() };
    let mut point = 1;
    loop {
        let cluster = cluster_with(&setup);
        prepare(&cluster);
        let args = call(&cluster);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        if !killed_at_request(&cluster, &args, point) {
            break;
        }
        success(&cluster.controller().call(&args).unwrap());
        let states: Vec<_> =
            cluster.sim.attachments().iter().map(|it| it.lifecycle_state).collect();
        assert_eq!(states, ends, "killed at {point}");
        point += 1;
    }
    assert!(point > 8, "only {point} points");
    row.saw("Success", &format!("{} points, one attachment, {ends:?}", point - 1));
}

fn attach_call(cluster: &Cluster) -> Vec<String> {
    ["attach", &cluster.options(&[]), "node-1"].map(str::to_owned).to_vec()
}

#[test]
fn attach_goes_on_after_any_request() {
    check_requests("A22", |_| (), attach_call, &["ATTACHED"]);
}

#[test]
fn detach_goes_on_after_any_request() {
    let attached = |cluster: &Cluster| {
        let args = attach_call(cluster);
        success(&cluster.controller().call(&args).unwrap());
    };
    let call =
        |cluster: &Cluster| ["detach", cluster.volume_name(), "node-1"].map(str::to_owned).to_vec();
    check_requests("X7", attached, call, &["DETACHED"]);
}
