//! Calls without network, against the least that any program costs: `/bin/true`.

use anyhow::Result;

use super::{
    figure::{Bound, Figure},
    node::Node,
    sample::Sample,
    stopwatch::{Cost, cost, peak_memory},
};

/// Wall time, CPU time and memory of `init` and `waitforattach`.
pub(super) fn figures(node: &Node) -> Result<Vec<Figure>> {
    // One after the other: what disturbs the machine disturbs them all.
    let round = |_| {
        let round = Round {
            nothing: cost(node.nothing())?,
            init: cost(node.init())?,
            wait_for_attach: cost(node.wait_for_attach())?,
        };
        Ok(round)
    };
    let rounds = (0..ROUNDS).map(round).collect::<Result<Vec<_>>>()?;
    let init = |round: &Round| round.init;
    let wait_for_attach = |round: &Round| round.wait_for_attach;
    let wall = |cost: Cost| cost.wall;
    let cpu = |cost: Cost| cost.cpu;
    Ok(vec![
        Figure {
            what: "`init`, wall time of `/bin/true`",
            go: "9 ms",
            ..ratio(&rounds, init, wall)
        },
        Figure { what: "`init`, CPU time of `/bin/true`", go: "8 ms", ..ratio(&rounds, init, cpu) },
        memory("`init`, peak memory", || peak_memory(&node.init()))?,
        Figure {
            what: "`waitforattach`, wall time of `/bin/true`",
            ..ratio(&rounds, wait_for_attach, wall)
        },
        Figure {
            what: "`waitforattach`, CPU time of `/bin/true`",
            ..ratio(&rounds, wait_for_attach, cpu)
        },
        memory("`waitforattach`, peak memory", || peak_memory(&node.wait_for_attach()))?,
    ])
}

/// Neighbours in time.
struct Round {
    nothing: Cost,
    init: Cost,
    wait_for_attach: Cost,
}

/// How many times `/bin/true` it is: the median of the rounds' ratios, and the ratio of the best ones.
fn ratio(rounds: &[Round], call: fn(&Round) -> Cost, of: fn(Cost) -> f64) -> Figure {
    let ours: Sample = rounds.iter().map(|it| of(call(it))).collect();
    let nothing: Sample = rounds.iter().map(|it| of(it.nothing)).collect();
    let ratios: Sample = rounds.iter().map(|it| of(call(it)) / of(it.nothing)).collect();
    Figure {
        what: "",
        unit: "×",
        median: ratios.median(),
        best: Some(ours.least() / nothing.least()),
        also: Some(format!("{:.1} ms", ours.median())),
        bound: Bound::AtMost(3.0),
        go: "–",
        because: "the kernel has a larger program to map and to fault in".to_owned(),
    }
}

fn memory(what: &'static str, peak: impl Fn() -> Result<f64>) -> Result<Figure> {
    let peaks = (0..MEMORY_ROUNDS).map(|_| peak()).collect::<Result<Sample>>()?;
    Ok(Figure {
        what,
        unit: "MiB",
        median: peaks.median(),
        best: None,
        also: None,
        bound: Bound::AtMost(6.0),
        go: "13 MiB",
        because: "that many pages of the program are touched".to_owned(),
    })
}

const ROUNDS: usize = 200;
const MEMORY_ROUNDS: usize = 11;
