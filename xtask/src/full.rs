//! `cargo xtask full`: what shows more than CI has time for.

use anyhow::{Result, ensure};
use xshell::cmd;

use crate::{checkout::Checkout, progress::loudly};

/// Run what CI has no time for: calls killed at every point, mutants, long fuzzing, storm and bench
///
/// It takes several hours. All parts run, whichever fails.
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        let mut failed = Vec::new();
        for part in PARTS {
            let (sh, words) = (&checkout.sh, part.split(' '));
            let run = cmd!(sh, "cargo xtask {words...}").env("KILL_POINTS", "all");
            if loudly(part, || Ok(checkout.afresh(run).run()?)).is_err() {
                failed.push(part);
            }
        }
        ensure!(failed.is_empty(), "these failed: {}", failed.join("; "));
        Ok(())
    }
}

const PARTS: [&str; 6] = [
    "test -p driver --test it kill::",
    "vm-test --case kill:: --all-points",
    "mutants",
    "fuzz --minutes 60",
    "storm",
    "bench",
];
