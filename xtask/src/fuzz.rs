//! `cargo xtask fuzz`: what parses texts of others is given many more of them.

use std::time::{Duration, Instant};

use anyhow::Result;
use xshell::cmd;

use crate::checkout::Checkout;

/// Run every property test (modules named `properties`) again and again, with fresh cases
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Begin no further round after this time
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Cases of each property in one round; CI has 256
    #[arg(long, default_value_t = 20_000)]
    cases: u32,
}

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        let sh = &checkout.sh;
        let start = now();
        let mut round = 0;
        while round == 0 || start.elapsed() < Duration::from_secs(60 * self.minutes) {
            round += 1;
            println!("▸ round {round}, {} cases each", self.cases);
            let all = ["--workspace", "--lib", "--tests", "--locked", "--all-features"];
            let test = cmd!(sh, "cargo test --quiet {all...} properties");
            test.env("PROPTEST_CASES", self.cases.to_string()).run()?;
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "ends after the time that was asked for")]
fn now() -> Instant {
    Instant::now()
}
