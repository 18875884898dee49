//! `cargo xtask vm-test`: the driver on real iSCSI, in a small virtual machine.
//!
//! `packages` has Debian's packages unpacked, not installed; `image` makes the guest of them; `overlay`
//! adds the driver and the suite; `machine` boots it all, `second` another one beside it; `hypervisor` has
//! the suite plug disks; `console` reads what the guest says; `turn` keeps two runs of a checkout apart.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use xshell::cmd;

use crate::{
    checkout::Checkout,
    demo, fault_matrix,
    fault_matrix::Run,
    prerequisites,
    progress::{loudly, quietly},
};
use machine::Machine;
use turn::Turn;

mod console;
mod hypervisor;
mod image;
mod kernel;
mod machine;
mod overlay;
mod packages;
mod second;
mod turn;

/// Run the driver on open-iscsi, a target, udev and real file systems, in a virtual machine
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the cases whose name holds this
    #[arg(long, value_parser = name)]
    case: Option<String>,
    /// Kill the calls at every point, not at a part of them: takes an hour or two
    #[arg(long)]
    all_points: bool,
    /// What runs the guest
    #[arg(long, value_enum, default_value_t = Machine::Qemu)]
    machine: Machine,
    /// Show the names of the cases
    #[arg(long)]
    list: bool,
}

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        let suite = quietly("build the suite", || suite(checkout))?;
        if self.list {
            return Ok(cmd!(checkout.sh, "{suite} --list").quiet().run()?);
        }
        let choice = Choice { case: self.case.as_deref(), all_points: self.all_points };
        run(checkout, &suite, self.machine, choice).map(drop)
    }
}

/// Runs every case, as CI does.
pub(crate) fn all(checkout: &Checkout) -> Result<()> {
    let suite = quietly("build the suite", || suite(checkout))?;
    run(checkout, &suite, Machine::Qemu, Choice::default()).map(drop)
}

/// What one case has measured, a line each.
pub(crate) fn figures(checkout: &Checkout, case: &str) -> Result<Vec<String>> {
    let suite = quietly("build the suite", || suite(checkout))?;
    run(checkout, &suite, Machine::Qemu, Choice { case: Some(case), all_points: false })
}

/// What of the suite is run.
#[derive(Clone, Copy, Default)]
struct Choice<'a> {
    /// The cases whose name holds this.
    case: Option<&'a str>,
    all_points: bool,
}

impl Choice<'_> {
    /// For the kernel's command line: what the kernel does not know is in the environment of its first
    /// process.
    fn words(self) -> String {
        let points = if self.all_points { " KILL_POINTS=all" } else { "" };
        format!("case={}{points}", self.case.unwrap_or_default())
    }

    /// How long it may take.
    fn seconds(self) -> u32 {
        if self.all_points { 4 * 3600 } else { 1800 }
    }
}

/// Runs what is chosen; what it has measured.
fn run(
    checkout: &Checkout,
    suite: &Path,
    machine: Machine,
    choice: Choice<'_>,
) -> Result<Vec<String>> {
    let vm = checkout.target().join("vm");
    checkout.sh.create_dir(&vm)?;
    let _turn = Turn::wait(&vm)?;
    prerequisites::provide(&checkout.sh, HOST)?;
    let driver = match checkout.sh.var_os("OCI_DRIVER") {
        Some(given) => given.into(),
        None => quietly("build the driver", || demo::build(checkout))?,
    };
    let guest = machine.prepare(checkout)?;
    let overlay = overlay::write(checkout, suite, &driver)?;
    loudly(&format!("the suite, under {machine}"), || {
        let verdict = guest.run(&overlay, &choice.words(), choice.seconds())?;
        if choice.case.is_none() {
            // A part of the cases sees a part of the matrix.
            verdict.write_rows(&fault_matrix::afresh(checkout, Run::Vm)?)?;
        }
        verdict.write_failures(&vm.join("failed"))?;
        println!("{} passed, {} failed", verdict.passed, verdict.failed);
        match verdict.exit {
            Some(0) => ensure!(verdict.passed > 0, "no case has this in its name"),
            Some(_) => bail!("cases failed; what they said is in target/vm/failed"),
            None => bail!("the guest gave no verdict; its console is in target/vm/console.log"),
        }
        Ok(verdict.figures)
    })
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
fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    if text.chars().all(plain) { Ok(text.into()) } else { Err("a name like life::whole".into()) }
}

/// What the host needs; everything else is unpacked in the target folder.
const HOST: &[prerequisites::Program] = &[
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
    ("tar", "tar"),
    ("strip", "binutils"),
    ("timeout", "coreutils"),
];
