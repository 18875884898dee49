//! What one process costs: its time, its CPU time, its memory.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};

/// The time of one process, from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// In milliseconds.
    pub(super) wall: f64,
    /// Of user and kernel, in milliseconds.
    pub(super) cpu: f64,
}

/// Runs the command, which must succeed. No other child process may end meanwhile.
pub(super) fn cost(mut command: Command) -> Result<Cost> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let cpu = children_cpu()?;
    let start = now();
    let status = command.status()?;
    let wall = start.elapsed();
    ensure!(status.success(), "{} failed while it was measured: {status}", name(&command));
    Ok(Cost { wall: millis(wall), cpu: children_cpu()? - cpu })
}

/// Runs the command, which must succeed; its peak memory in MiB.
///
/// A process counts what its parent had in memory when it began, so the parent is a small one.
pub(super) fn peak_memory(command: &Command) -> Result<f64> {
    let mut time = new_command("time");
    time.args(["-f", "%M"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => time.env(name, value),
            None => time.env_remove(name),
        };
    }
    let output = time.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {}", name(command), said.trim());
    let kib: f64 = said.trim().parse().with_context(|| format!("time says {:?}", said.trim()))?;
    Ok(kib / 1024.0)
}

/// How long the work takes, in milliseconds.
pub(super) fn time<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = now();
    let done = work();
    (millis(start.elapsed()), done)
}

/// The CPU time of all child processes that have ended, in milliseconds.
fn children_cpu() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e3)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn name(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch is about real time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the process is measured, not used")]
fn new_command(program: &str) -> Command {
    Command::new(program)
}
