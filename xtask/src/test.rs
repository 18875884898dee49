//! `cargo xtask test`: every test there is.

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::{
    checkout::Checkout,
    fault_matrix::{self, Run},
    prerequisites::{self, DESTROYERS, DISKS, SCRIPTS},
    progress::loudly,
    sdk_test, vm,
};

/// Run every test: on this machine, with Oracle's clients, and on real iSCSI in a virtual machine
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scope: Scope,
    /// Only these, passed on to `cargo test`, as in `cargo xtask test -p flexvolume transcript`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cargo: Vec<String>,
}

/// How much of all.
#[derive(clap::Args)]
pub(crate) struct Scope {
    /// Leave out the test of the simulated cloud with Oracle's clients, which come from PyPI
    #[arg(long)]
    without_sdk: bool,
}

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        if self.cargo.is_empty() {
            all(checkout, &self.scope)
        } else {
            // A part of the tests sees a part of the matrix, so nothing is recorded.
            Ok(cargo_test(checkout, &self.cargo)?.run()?)
        }
    }
}

/// Every test, and the fault matrix as they have seen it. All parts run, whichever fails.
///
/// They do not run side by side: the tests on this machine and the guests both compute, and have limits of time.
pub(crate) fn all(checkout: &Checkout, scope: &Scope) -> Result<()> {
    let tests = loudly("tests", || {
        let tests = cargo_test(checkout, &["--workspace", "--no-fail-fast"])?;
        Ok(tests.env("FAULT_MATRIX", fault_matrix::afresh(checkout, Run::Host)?).run()?)
    });
    let clients = if scope.without_sdk {
        println!("▸ Oracle's clients are left out");
        Ok(())
    } else {
        loudly("Oracle's clients", || sdk_test::all(checkout))
    };
    let guests = loudly("tests on real iSCSI", || vm::all(checkout));
    tests.context("tests on this machine")?;
    clients.context("Oracle's clients")?;
    guests.context("tests on real iSCSI")?;
    loudly("the fault matrix", || fault_matrix::write(checkout))
}

/// The tests on this machine, in a mount namespace of their own: what a killed test leaves mounted ends
/// with it.
fn cargo_test<'a, A: AsRef<std::ffi::OsStr>>(
    checkout: &'a Checkout,
    args: &[A],
) -> Result<xshell::Cmd<'a>> {
    let sh = &checkout.sh;
    prerequisites::require_root(sh, "the tests mount real filesystems on loop devices")?;
    prerequisites::provide(sh, &[DISKS, DESTROYERS, SCRIPTS].concat())?;
    let alone = ["--mount", "--propagation", "private"];
    let cargo = cmd!(sh, "unshare {alone...} cargo test --locked --all-features {args...}");
    Ok(checkout.afresh(cargo))
}
