//! `cargo xtask vm-test`: the driver on real iSCSI, in a small virtual machine.
//!
//! `packages` has Debian's packages unpacked, not installed; `image` makes the guest of them; `overlay`
//! adds the driver and the suite; `machine` boots it all, several times side by side, and `second` another one
//! beside each; `hypervisor` has the suite plug disks; `cases` deals the cases to the guests; `lines` and `console` read
//! what a guest says; `run_lock` keeps two runs of a checkout apart.

use std::{
    num::NonZero,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use xshell::cmd;

use crate::{
    checkout::Checkout,
    fault_matrix::{self, Run},
    prerequisites,
    progress::{loudly, quietly},
};
use cases::Cases;
use machine::{Boot, GUESTS, Machine};
use run_lock::RunLock;

mod cases;
mod console;
mod hypervisor;
mod image;
mod kernel;
mod lines;
mod machine;
mod overlay;
mod packages;
mod run_lock;
mod second;

/// Run the driver on open-iscsi, a target, udev and real file systems, in a virtual machine
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// What runs the guests
    #[arg(long, value_enum, default_value_t = Machine::Qemu)]
    machine: Machine,
    /// Show the names of the cases
    #[arg(long)]
    list: bool,
}

/// What of the suite is run, and how.
#[derive(Default, clap::Args)]
struct Choice {
    /// Only the cases whose name holds this
    #[arg(long, default_value = "")]
    case: String,
    /// Kill the calls at every point, not at a part of them: takes an hour or two
    #[arg(long)]
    all_points: bool,
    /// Kill the calls at these of their points only, as `--all-points` numbers them: `40-46`
    #[arg(long, conflicts_with = "all_points", value_parser = range)]
    points: Option<String>,
    /// So many guests share the cases, side by side; by default two where there are two processors
    #[arg(long)]
    guests: Option<NonZero<usize>>,
}

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        let suite = quietly("build the suite", || suite(checkout))?;
        if self.list {
            return Ok(cmd!(checkout.sh, "{suite} --list").quiet().run()?);
        }
        run(checkout, &suite, self.machine, &self.choice).map(drop)
    }
}

/// Runs every case, as CI does.
pub(crate) fn all(checkout: &Checkout) -> Result<()> {
    let suite = quietly("build the suite", || suite(checkout))?;
    run(checkout, &suite, Machine::Qemu, &Choice::default()).map(drop)
}

/// What one case has measured, a line each.
pub(crate) fn figures(checkout: &Checkout, case: &str) -> Result<Vec<String>> {
    let suite = quietly("build the suite", || suite(checkout))?;
    let choice = Choice { case: case.into(), ..Choice::default() };
    run(checkout, &suite, Machine::Qemu, &choice)
}

impl Choice {
    /// How so many cases are run.
    fn boot(&self, cases: usize, initrd: PathBuf) -> Boot {
        let points = if self.all_points { Some("all") } else { self.points.as_deref() };
        let processors = || thread::available_parallelism().map_or(1, NonZero::get);
        let guests = self.guests.map_or_else(|| processors().min(2), NonZero::get);
        Boot {
            initrd,
            guests: guests.min(cases),
            // What the kernel does not know is in the environment of its first process.
            words: points.map(|points| format!("KILL_POINTS={points}")).unwrap_or_default(),
            limit: WHOLE,
            // A bit more than a case may take (guest/cases.sh), so that a guest with a case that hangs says so itself.
            silence: Duration::from_secs(if points.is_some() { 14_600 } else { 1000 }),
        }
    }
}

/// Runs what is chosen; what it has measured.
fn run(
    checkout: &Checkout,
    suite: &Path,
    machine: Machine,
    choice: &Choice,
) -> Result<Vec<String>> {
    let (vm, sh) = (checkout.target().join("vm"), &checkout.sh);
    sh.create_dir(&vm)?;
    let _lock = RunLock::wait(&vm)?;
    prerequisites::provide(sh, HOST)?;
    let cases = Cases::of(sh, suite, &choice.case)?;
    let driver = match sh.var_os("OCI_DRIVER") {
        Some(given) => given.into(),
        None => quietly("build the driver", || driver(checkout))?,
    };
    let guest = machine.prepare(checkout)?;
    let all = cases.len();
    let boot = choice.boot(all, guest.initrd(sh, &overlay::write(checkout, suite, &driver)?)?);
    sh.remove_path(vm.join(GUESTS))?;
    loudly(&format!("the suite, under {machine}"), || {
        let verdict = guest.run_all(&boot, &cases)?;
        if choice.case.is_empty() {
            // A part of the cases sees a part of the matrix.
            verdict.write_rows(&fault_matrix::afresh(checkout, Run::Vm)?)?;
        }
        verdict.write_failures(&vm.join("failed"))?;
        println!("{} passed, {} failed", verdict.passed, verdict.failed);
        match verdict.exit {
            Some(0) => {}
            Some(_) => bail!("cases failed; what they said is in target/vm/failed"),
            None => bail!(
                "a guest gave no verdict while it ran {:?}; its console is below target/vm/guests",
                cases.running()
            ),
        }
        ensure!(verdict.passed == all, "only {} of {all} cases were run", verdict.passed);
        Ok(verdict.figures)
    })
}

/// The driver as it is released, but for link-time optimisation.
fn driver(checkout: &Checkout) -> Result<PathBuf> {
    let build = cmd!(
        checkout.sh,
        "cargo build --locked --profile guest --quiet --package driver --bin oci"
    );
    checkout.afresh(build).quiet().run()?;
    Ok(checkout.target().join("guest/oci"))
}

/// The suite, built like all tests, so that `cargo xtask test` and this share everything.
fn suite(checkout: &Checkout) -> Result<PathBuf> {
    let sh = &checkout.sh;
    let scope = ["--locked", "--workspace", "--all-features", "--test", "vm"];
    let build = cmd!(sh, "cargo test {scope...} --no-run --quiet --message-format json");
    let messages = checkout.afresh(build).quiet().read()?;
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    let mut suites = artifacts.filter(|it| it.target.name == "vm").filter_map(|it| it.executable);
    suites.next().context("cargo built no test named vm")
}

/// The part of cargo's messages that is read here.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// It becomes a word of the kernel's command line.
fn range(text: &str) -> Result<String, String> {
    let ends = text.split_once('-').map(|(first, last)| [first, last].map(str::parse::<usize>));
    match ends {
        Some([Ok(first), Ok(last)]) if first <= last => Ok(text.to_owned()),
        _ => Err("a range like 40-46".to_owned()),
    }
}

/// Guests of a run that was broken off do not stay for longer.
const WHOLE: Duration = Duration::from_secs(4 * 3600);

/// What the host needs; everything else is unpacked in the target folder.
const HOST: &[prerequisites::Program] = &[
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
    ("tar", "tar"),
    ("strip", "binutils"),
    ("timeout", "coreutils"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_a_range() {
        for text in ["0-0", "40-46"] {
            assert_eq!(range(text).as_deref(), Ok(text));
        }
        for text in ["", "7", "-", "46-40", "a-b", "1-2-3", "1-2 init=/bin/sh"] {
            range(text).unwrap_err();
        }
    }
}
