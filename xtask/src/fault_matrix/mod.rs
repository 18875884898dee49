//! `cargo xtask fault-matrix`: `docs/fault-matrix.md` from what the tests have seen.

use std::{collections::BTreeSet, fs, io, path::PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::checkout::Checkout;

mod observation;
mod page;
mod rows;

use observation::{Observation, read};

/// Write docs/fault-matrix.md from what the last runs of `test` and `vm-test` have seen
#[derive(clap::Args)]
pub(crate) struct Args;

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        write(checkout)
    }
}

/// The runs that observe: each has a folder of its own below `target/fault-matrix`.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// `cargo xtask test`: loop devices, the simulated cloud
    Host,
    /// `cargo xtask vm-test`: real iSCSI
    Vm,
}

/// The folder for the observations of `run`, empty: give it to the tests as `FAULT_MATRIX`.
pub(crate) fn afresh(checkout: &Checkout, run: Run) -> Result<PathBuf> {
    let folder = folder(checkout, run);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir_all(&folder)?,
    }
    Ok(folder)
}

/// Writes the page, and fails if a row was not seen, or seen to fail.
pub(crate) fn write(checkout: &Checkout) -> Result<()> {
    let mut seen = Vec::new();
    for (run, machine) in [(Run::Host, "host"), (Run::Vm, "VM")] {
        seen.extend(read(&folder(checkout, run), machine)?);
    }
    let path = checkout.dir.join(PAGE);
    fs::write(&path, page::page(&seen)).with_context(|| format!("cannot write {PAGE}"))?;
    complaints(&seen)
}

/// The rows that a test must see.
pub(crate) fn needed() -> impl Iterator<Item = &'static str> {
    rows::rows().filter(|row| row.elsewhere.is_none()).map(|row| row.id)
}

fn complaints(seen: &[Observation]) -> Result<()> {
    let known: BTreeSet<_> = rows::rows().map(|row| row.id).collect();
    let observed: BTreeSet<_> = seen.iter().map(|it| it.row.as_str()).collect();
    let unknown: Vec<_> = observed.iter().filter(|id| !known.contains(*id)).collect();
    ensure!(unknown.is_empty(), "rows that are not in {}: {unknown:?}", rows::FILE);
    let failed: Vec<_> = seen.iter().filter(|it| !it.passed).map(|it| &it.done).collect();
    ensure!(failed.is_empty(), "rows of the fault matrix failed: {failed:?}");
    let missing: Vec<_> = needed().filter(|id| !observed.contains(id)).collect();
    ensure!(missing.is_empty(), "no test has seen these rows of the fault matrix: {missing:?}");
    Ok(())
}

fn folder(checkout: &Checkout, run: Run) -> PathBuf {
    let name = match run {
        Run::Host => "host",
        Run::Vm => "vm",
    };
    checkout.target().join("fault-matrix").join(name)
}

const PAGE: &str = "docs/fault-matrix.md";
