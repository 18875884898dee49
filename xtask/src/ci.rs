//! `cargo xtask ci`: what a change must pass.

use anyhow::Result;
use xshell::cmd;

use crate::{checkout::Checkout, progress::loudly, test};

/// Check format, lints, documentation and packages, then run every test
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scope: test::Scope,
}

impl Args {
    /// The quick checks come first. Tidiness and the tests in the documentation are among the tests.
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        let sh = &checkout.sh;
        let all = ["--workspace", "--all-features", "--locked"];
        loudly("format", || Ok(cmd!(sh, "cargo fmt --all --check").run()?))?;
        loudly("lints", || {
            // All targets are not those that `cargo test` does not run.
            for what in [&["--all-targets"][..], &["--test", "vm"]] {
                let clippy = cmd!(sh, "cargo clippy {what...} {all...} -- -D warnings");
                checkout.afresh(clippy).run()?;
            }
            Ok(())
        })?;
        loudly("documentation", || {
            let doc = cmd!(sh, "cargo doc --no-deps {all...}").env("RUSTDOCFLAGS", "-D warnings");
            Ok(checkout.afresh(doc).run()?)
        })?;
        loudly("packages of the published crates", || package(checkout))?;
        test::all(checkout, &self.scope)
    }
}

/// Packs what is published as the registry wants it. `docs/releasing.md` has the rehearsal that also
/// builds the packages.
fn package(checkout: &Checkout) -> Result<()> {
    let names = PUBLISHED.iter().flat_map(|name| ["-p", name]);
    let options = ["--locked", "--offline", "--allow-dirty", "--no-verify", "--quiet"];
    let package = cmd!(checkout.sh, "cargo package {options...} {names...}");
    Ok(checkout.afresh(package).run()?)
}

/// In the order in which they must be published.
const PUBLISHED: [&str; 5] = ["oci-clock", "oci-config-file", "oci-signer", "oci-iaas", "oci-rest"];
