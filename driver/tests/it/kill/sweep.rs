//! Kills a case's call at every point, on several nodes at once.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use testbed::{Answer, FaultRow};

use super::{
    case::{Case, Stage},
    points::{Point, Points},
};

/// After a kill at any point the same call reaches the end of an unbroken one.
pub(super) fn check(case: &Case) {
    let mut row =
        FaultRow::new("X7", format!("{} of a disk: {:?}, {}", case.verb, case.start, case.fs_type));
    let next = AtomicUsize::new(0);
    let count = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..NODES {
            scope.spawn(|| {
                let stage = Stage::new(case);
                stage.reset();
                let points = Points::of(&stage);
                let end = stage.end();
                stage.check_data();
                *count.lock().unwrap() = points.all.len();
                while let Some(point) = points.all.get(next.fetch_add(1, Ordering::SeqCst)) {
                    check_point(&stage, &points, point, &end);
                }
                stage.check_bystander();
            });
        }
    });
    let count = count.into_inner().unwrap();
    row.saw("Success", &format!("{count} points, no loss"));
}

fn check_point(stage: &Stage<'_>, points: &Points, point: &Point, end: &str) {
    stage.reset();
    points.reach(point, stage);
    let again = again(stage);
    assert!(again.is_success(), "killed at {point:?}: {again:?}");
    assert_eq!(stage.end(), end, "killed at {point:?}");
    stage.check_data();
}

/// As kubelet does: again, if a program that the killed call has left still has the disk for a moment.
fn again(stage: &Stage<'_>) -> Answer {
    let mut answer = stage.again();
    for _ in 0..REPETITIONS {
        if answer.is_success() || !answer.message().contains(" is in use") {
            break;
        }
        thread::sleep(Duration::from_millis(500));
        answer = stage.again();
    }
    answer
}

const REPETITIONS: usize = 10;
/// Most of a call's time is waiting.
const NODES: usize = 6;
