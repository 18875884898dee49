//! `cargo xtask storm`: two hundred attaches at once in a large compartment, of a cloud that answers 429.
//!
//! `testbed::Storm` lets it happen with the release binary, `summary` counts what came of it, `chart`
//! draws it.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use oci_sim::Throttle;
use testbed::Storm;

use crate::{
    bench::{binary::Binary, machine::Machine},
    checkout::Checkout,
    performance::{self, Part, STORM},
    prerequisites::{self, Program},
    progress::quietly,
};
use summary::{Summary, table};

mod chart;
mod summary;

/// Attach two hundred volumes at once while the cloud throttles, and write it to docs/performance.md
#[derive(clap::Args)]
pub(crate) struct Args {}

impl Args {
    /// An attach that does not arrive, or asks for too much, is an error.
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        prerequisites::provide(&checkout.sh, PROGRAMS)?;
        let machine = Machine::look(&checkout.sh)?;
        let binary = quietly("build the driver", || Binary::build(checkout))?;
        let mut storms = Vec::new();
        for (name, retry_after) in STORMS {
            let storm = storm(retry_after);
            let aftermath = quietly(&format!("storm {name}"), || storm.run(&binary.path))?;
            storms.push((name, aftermath));
        }
        let summaries: Vec<_> =
            storms.iter().map(|(name, aftermath)| Summary::of(name, aftermath)).collect();
        let table = table(&summaries);
        println!("\n{table}");
        fs::write(checkout.dir.join(CHART), chart::svg(&storms, PER_SECOND))
            .with_context(|| format!("cannot write {CHART}"))?;
        performance::write(checkout, Part::Storm, &document(&table, &binary, &machine))?;
        for it in &summaries {
            let (name, arrived) = (it.name, it.arrived);
            ensure!(arrived == ATTACHES, "storm {name}: {arrived} of {ATTACHES} arrived");
            ensure!(it.most_requests <= MOST_REQUESTS, "storm {name}: too many requests");
        }
        Ok(())
    }
}

fn storm(retry_after: Option<u64>) -> Storm {
    Storm {
        attaches: ATTACHES,
        instances: INSTANCES,
        volumes: VOLUMES,
        attach_delay: ATTACH_DELAY,
        throttle: Throttle { per_second: PER_SECOND, burst: PER_SECOND, retry_after },
    }
}

fn document(table: &str, binary: &Binary, machine: &Machine) -> String {
    format!(
        "{STORM}\n\n\
         {ATTACHES} attaches at the same moment, each a process of its own ({}), in a compartment with \
         {INSTANCES} instances\nand {VOLUMES} volumes. An attachment is ATTACHING for {} s. The cloud \
         answers {PER_SECOND} requests a second and all\nothers with 429, once without and once with \
         `Retry-After: {RETRY_AFTER}`; Oracle publishes no figures, these are low.\n\n\
         {table}\n\
         ![Requests and arrivals over time](storm.svg)\n\n\
         “Requests” are those that were answered, beside the looks at an attachment on its way: the \
         instance, the\nvolume and AttachVolume, whatever else the compartment holds. Waits after 429 \
         double and are random within\ntheir upper half, and `Retry-After` is spread by up to as much \
         again: what all are told must not bring all back\nat once. An attach whose looks are late looks \
         less often.\n\n\
         `cargo xtask storm` repeats it; last on {}, on this machine: {machine}.\n",
        binary.kind,
        ATTACH_DELAY.as_secs(),
        machine.date,
    )
}

/// By name and Retry-After in seconds.
const STORMS: [(&str, Option<u64>); 2] =
    [("without Retry-After", None), ("with Retry-After", Some(RETRY_AFTER))];
const ATTACHES: usize = 200;
const INSTANCES: usize = 1000;
const VOLUMES: usize = 10_000;
const ATTACH_DELAY: Duration = Duration::from_secs(3);
const PER_SECOND: u32 = 100;
const RETRY_AFTER: u64 = 2;
const MOST_REQUESTS: usize = 3;
const CHART: &str = "docs/storm.svg";
const PROGRAMS: &[Program] = &[("gcc", "gcc")];
