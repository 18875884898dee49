//! `cargo xtask mutants`: each check that keeps data safe is taken out in turn; a test must notice.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;

use crate::{
    checkout::Checkout,
    prerequisites::{self, DESTROYERS, DISKS},
};

mod growth;
mod table;

use table::Mutant;

/// Take out each check of the invariants in turn, in a copy of the checkout, and run the tests that
/// must fail then. Takes some minutes for each; not a part of `ci`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only checks with this in their name, as in `format`
    #[arg(default_value = "")]
    name: String,
}

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        let sh = &checkout.sh;
        prerequisites::require_root(sh, "the tests mount real filesystems on loop devices")?;
        prerequisites::provide(sh, &[DISKS, DESTROYERS].concat())?;
        let chosen = || mutants().filter(|it| it.check.contains(&self.name));
        ensure!(chosen().next().is_some(), "no check has {:?} in its name", self.name);
        let copy = checkout.target().join("mutants");
        sh.remove_path(&copy)?;
        cmd!(sh, "git checkout-index --all --prefix={copy}/").run()?;
        let (mut alive, mut sound) = (Vec::new(), BTreeSet::new());
        for mutant in chosen() {
            // What fails anyway notices nothing.
            if sound.insert((mutant.package, mutant.tests)) {
                let fails = is_noticed(checkout, &copy, mutant)?;
                ensure!(!fails, "tests of {} fail without any mutant", mutant.package);
            }
            let source = copy.join(mutant.file);
            let text = sh.read_file(&source)?;
            sh.write_file(&source, mutant.applied_to(&text)?)?;
            let noticed = is_noticed(checkout, &copy, mutant);
            sh.write_file(&source, text)?;
            let noticed = noticed.with_context(|| format!("mutant {}", mutant.check))?;
            println!("{} {}", if noticed { "noticed" } else { "ALIVE  " }, mutant.check);
            if !noticed {
                alive.push(mutant.check);
            }
        }
        ensure!(alive.is_empty(), "no test notices that these checks are gone: {alive:?}");
        Ok(())
    }
}

fn mutants() -> impl Iterator<Item = &'static Mutant> {
    table::MUTANTS.iter().chain(growth::MUTANTS)
}

/// Whether a test of the mutant fails. A mutant that does not compile is an error of the table.
fn is_noticed(checkout: &Checkout, copy: &Path, mutant: &Mutant) -> Result<bool> {
    let sh = &checkout.sh;
    let _there = sh.push_dir(copy);
    let target = checkout.target();
    let package = mutant.package;
    let build = cmd!(sh, "cargo test --quiet --locked --all-features -p {package} --no-run");
    let build = checkout.afresh(build).env("CARGO_TARGET_DIR", &target);
    build.quiet().run()?;
    let alone = ["--mount", "--propagation", "private", "timeout", "900"];
    let tests = mutant.tests;
    let test = cmd!(
        sh,
        "unshare {alone...} cargo test --quiet --locked --all-features -p {package} -- {tests}"
    );
    let test = checkout.afresh(test).env("CARGO_TARGET_DIR", &target);
    let output = test.quiet().ignore_status().ignore_stderr().output()?;
    Ok(!output.status.success())
}

impl Mutant {
    /// The source without the check.
    fn applied_to(&self, source: &str) -> Result<String> {
        let found = source.matches(self.with).count();
        ensure!(found == 1, "{}: {:?} is {found} times in {}", self.check, self.with, self.file);
        Ok(source.replacen(self.with, self.without, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_of_the_table_is_in_the_sources() {
        let checkout = Checkout::open().unwrap();
        for mutant in mutants() {
            let source = checkout.sh.read_file(checkout.dir.join(mutant.file)).unwrap();
            mutant.applied_to(&source).unwrap();
        }
    }
}
