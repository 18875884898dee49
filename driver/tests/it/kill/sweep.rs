//! Kills a case's call at every point, on several nodes at once.

use std::{
    env,
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
    let count = Mutex::new((0, 0));
    let all = env::var("KILL_POINTS").is_ok_and(|it| it == "all");
    thread::scope(|scope| {
        for _ in 0..NODES {
            scope.spawn(|| {
                let stage = Stage::new(case);
                stage.reset();
                let points = Points::of(&stage).unwrap();
                let end = stage.end();
                stage.check_data();
                let chosen = points.chosen(if all { 1 } else { STEP });
                *count.lock().unwrap() = (chosen.len(), points.all.len());
                while let Some(point) = chosen.get(next.fetch_add(1, Ordering::SeqCst)) {
                    points.check(point, &stage, &end).unwrap();
                }
                stage.check_bystander();
            });
        }
    });
    let (taken, count) = count.into_inner().unwrap();
    let loss = if case.start == Start::Losing { "the loss is said" } else { "no loss" };
    row.saw("Success", &format!("{taken} of {count} points, {loss}"));
}

/// Of the points within a program one in so many is taken, unless `KILL_POINTS` is `all`: most are single writes of
/// mkfs. Of the driver's own points none is left out.
const STEP: usize = 5;
/// Most of a call's time is waiting.
const NODES: usize = 6;
