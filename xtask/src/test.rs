//! `cargo xtask test`: every test there is.

use anyhow::Result;
use xshell::cmd;

use crate::{
    checkout::Checkout,
    fault_matrix::{self, Run},
    prerequisites::{self, DESTROYERS, DISKS},
};

/// Run every test: unit, crate and contract tests, and those in the documentation
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to `cargo test`, as in `cargo xtask test -p flexvolume transcript`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cargo: Vec<String>,
}

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        all(checkout, &self.cargo)
    }
}

/// Runs the tests in a mount namespace of their own: what a killed test leaves mounted ends with it.
pub(crate) fn all(checkout: &Checkout, cargo: &[String]) -> Result<()> {
    let sh = &checkout.sh;
    prerequisites::require_root(sh, "the tests mount real filesystems on loop devices")?;
    prerequisites::provide(sh, &[DISKS, DESTROYERS].concat())?;
    let whole = cargo.is_empty();
    let scope = if whole { &["--workspace", "--no-fail-fast"][..] } else { &[] };
    let alone = ["--mount", "--propagation", "private"];
    let cargo =
        cmd!(sh, "unshare {alone...} cargo test --locked --all-features {scope...} {cargo...}");
    let mut tests = checkout.afresh(cargo);
    // A part of the tests sees a part of the matrix.
    if whole {
        tests = tests.env("FAULT_MATRIX", fault_matrix::afresh(checkout, Run::Host)?);
    }
    Ok(tests.run()?)
}
