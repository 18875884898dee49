//! `cargo xtask ci`: what a change must pass.

use anyhow::Result;
use xshell::cmd;

use crate::{checkout::Checkout, progress::loudly, test};

/// Check format, lints and documentation, then run every test
#[derive(clap::Args)]
pub(crate) struct Args;

impl Args {
    /// The quick checks come first. Tidiness and the tests in the documentation are among the tests.
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        let sh = &checkout.sh;
        let all = ["--workspace", "--all-features", "--locked"];
        loudly("format", || Ok(cmd!(sh, "cargo fmt --all --check").run()?))?;
        loudly("lints", || {
            Ok(cmd!(sh, "cargo clippy --all-targets {all...} -- -D warnings").run()?)
        })?;
        loudly("documentation", || {
            let _env = sh.push_env("RUSTDOCFLAGS", "-D warnings");
            Ok(cmd!(sh, "cargo doc --no-deps {all...}").run()?)
        })?;
        loudly("tests", || test::all(checkout, &[]))
    }
}
