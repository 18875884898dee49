//! Checks, demo, benchmarks and packages: `cargo xtask --help`.

fn main() {}
