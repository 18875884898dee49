//! `cargo xtask ci`: what a change must pass.

use anyhow::Result;
use xshell::cmd;

use crate::{checkout::Checkout, progress::loudly, sdk_test, test, vm};

/// Check format, lints and documentation, then run every test, those in the virtual machine too
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out the test of the simulated cloud with Oracle's clients, which come from PyPI
    #[arg(long)]
    without_sdk: bool,
}

impl Args {
    /// The quick checks come first. Tidiness and the tests in the documentation are among the tests.
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        let sh = &checkout.sh;
        let all = ["--workspace", "--all-features", "--locked"];
        loudly("format", || Ok(cmd!(sh, "cargo fmt --all --check").run()?))?;
        loudly("lints", || {
            let clippy = cmd!(sh, "cargo clippy --all-targets {all...} -- -D warnings");
            Ok(checkout.afresh(clippy).run()?)
        })?;
        loudly("documentation", || {
            let doc = cmd!(sh, "cargo doc --no-deps {all...}").env("RUSTDOCFLAGS", "-D warnings");
            Ok(checkout.afresh(doc).run()?)
        })?;
        loudly("tests", || test::all(checkout, &[]))?;
        if self.without_sdk {
            println!("▸ Oracle's clients are left out");
        } else {
            loudly("Oracle's clients", || sdk_test::all(checkout))?;
        }
        loudly("tests on real iSCSI", || vm::all(checkout))
    }
}
