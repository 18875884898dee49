//! A step that takes time: a spinner while it runs, a line with its time when it is done.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use anyhow::Result;
use indicatif::ProgressBar;

/// Runs a step that prints nothing itself: with a spinner where there is a terminal, with a line before it elsewhere.
pub(crate) fn quietly<T>(what: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    if !io::stdout().is_terminal() {
        return loudly(what, step);
    }
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    let result = step();
    spinner.finish_and_clear();
    println!("{} {what} ({})", mark(&result), seconds(spinner.elapsed()));
    result
}

/// Runs a step that prints for itself, between two lines.
pub(crate) fn loudly<T>(what: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("▸ {what}");
    let clock = ProgressBar::hidden();
    let result = step();
    println!("{} {what} ({})", mark(&result), seconds(clock.elapsed()));
    result
}

fn mark<T>(result: &Result<T>) -> char {
    if result.is_ok() { '✓' } else { '✗' }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
