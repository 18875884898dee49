//! `cargo xtask bench`: what the driver costs, against the bounds that this project has set itself.
//!
//! `binary` builds what is measured and `machine` says where; `node` makes a place for the calls and
//! `stopwatch` takes the cost of one. `calls`, `mounting`, `volume`, `identity`, `lookup`, `signing`
//! and `size` measure, each one group of `Figure`s; `report` puts them into a table.
//! `login` writes a part of its own.

use anyhow::Result;

use crate::{
    checkout::Checkout,
    performance::{self, Part},
    prerequisites::{self, Program},
    progress::quietly,
};
use binary::Binary;
use figure::Figure;
use machine::Machine;
use mounting::{Child, Mounting};
use node::Node;
use report::Report;
use signing::Signing;

pub(crate) mod binary;
mod calls;
mod figure;
mod identity;
mod login;
mod lookup;
pub(crate) mod machine;
mod mounting;
mod node;
mod report;
mod sample;
mod signing;
mod size;
mod stopwatch;
mod volume;

/// Measure speed and size, and write them to docs/performance.md
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only how soon a login's disk is found, in the virtual machine
    #[arg(long)]
    login: bool,
}

impl Args {
    /// A missed bound is no error: the table says so, and the machine may be busy.
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        if self.login {
            return login::write(checkout);
        }
        let sh = &checkout.sh;
        prerequisites::require_root(sh, "the bench shows a real disk to the driver")?;
        prerequisites::provide(sh, PROGRAMS)?;
        let machine = Machine::look(sh)?;
        let binary = quietly("build the driver", || Binary::build(checkout))?;
        let Measured { figures, children } = measure(checkout, &binary)?;
        let report =
            Report { machine: &machine, binary: &binary, figures: &figures, children: &children };
        println!("\n{}\n{}\n\n{}", report.table(), report.conclusion(), report.processes());
        performance::write(checkout, Part::Bench, &report.document())
    }
}

/// What one run has found out.
struct Measured {
    figures: Vec<Figure>,
    children: Vec<Child>,
}

fn measure(checkout: &Checkout, binary: &Binary) -> Result<Measured> {
    let node = Node::start(&checkout.sh, &binary.path)?;
    let mut figures = quietly("calls without network", || calls::figures(&node))?;
    let mounting = quietly("mounting and unmounting", || Mounting::measure(&node))?;
    drop(node);
    figures.extend(mounting.figures);
    let signing = quietly("signatures", Signing::measure)?;
    let cpu = || volume::cpu(&binary.path, signing.millis);
    figures.push(quietly("attach and detach, CPU time", cpu)?);
    figures.extend(quietly("attach and detach, waiting", || volume::waiting(&binary.path))?);
    figures.extend(quietly("attach as an instance", || identity::figures(&binary.path))?);
    figures.extend(quietly("nodes by host name", || lookup::figures(&binary.path))?);
    figures.push(signing.figure());
    figures.push(size::figure(&binary.path)?);
    Ok(Measured { figures, children: mounting.children })
}

const PROGRAMS: &[Program] = &[
    ("gcc", "gcc"),
    ("losetup", "mount"),
    ("mount", "mount"),
    ("mkfs.ext4", "e2fsprogs"),
    ("time", "time"),
];
