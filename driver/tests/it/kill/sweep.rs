//! Kills a case's call at every point, on several nodes at once.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use testbed::{
    FaultRow,
    kill::{Points, Stage as _},
};

use super::case::{Case, Stage, Start};

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
                let points = Points::of(&stage).unwrap();
                let end = stage.end();
                stage.check_data();
                *count.lock().unwrap() = points.all.len();
                while let Some(point) = points.all.get(next.fetch_add(1, Ordering::SeqCst)) {
                    points.check(point, &stage, &end).unwrap();
                }
                stage.check_bystander();
            });
        }
    });
    let count = count.into_inner().unwrap();
    let loss = if case.start == Start::Losing { "the loss is said" } else { "no loss" };
    row.saw("Success", &format!("{count} points, {loss}"));
}

/// Most of a call's time is waiting.
const NODES: usize = 6;
