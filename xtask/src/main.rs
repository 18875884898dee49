//! The tasks of this checkout, by hand and in CI: `cargo xtask --help`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its users read the terminal; only the driver may not print"
)]

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use checkout::Checkout;

mod bench;
mod checkout;
mod ci;
mod demo;
mod dist;
mod fault_matrix;
mod full;
mod fuzz;
mod mutants;
mod performance;
mod prerequisites;
mod progress;
mod sdk_test;
mod storm;
mod test;
mod tidy;
mod vm;

// A new task is a module with `struct Args` and `Args::run`, and one line in each list below.
/// Checks, demo, benchmarks and packages of this checkout.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
enum Task {
    Bench(bench::Args),
    Ci(ci::Args),
    Demo(demo::Args),
    Dist(dist::Args),
    FaultMatrix(fault_matrix::Args),
    Full(full::Args),
    Fuzz(fuzz::Args),
    Mutants(mutants::Args),
    SdkTest(sdk_test::Args),
    Storm(storm::Args),
    Test(test::Args),
    Tidy(tidy::Args),
    VmTest(vm::Args),
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let checkout = Checkout::open()?;
    match task {
        Task::Bench(it) => it.run(&checkout),
        Task::Ci(it) => it.run(&checkout),
        Task::Demo(it) => it.run(&checkout),
        Task::Dist(it) => it.run(&checkout),
        Task::FaultMatrix(it) => it.run(&checkout),
        Task::Full(it) => it.run(&checkout),
        Task::Fuzz(it) => it.run(&checkout),
        Task::Mutants(it) => it.run(&checkout),
        Task::SdkTest(it) => it.run(&checkout),
        Task::Storm(it) => it.run(&checkout),
        Task::Test(it) => it.run(&checkout),
        Task::Tidy(it) => it.run(&checkout),
        Task::VmTest(it) => it.run(&checkout),
    }
}
