//! The crate against real block devices: needs root, loop devices and the tools named in `tool`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod blank;
mod contents;
mod destroyers;
mod growth;
mod loop_disk;
mod namespace;
mod open;
mod probes;
mod provisioning;
mod sampling;
mod tool;
mod unfinished;
mod users;
