//! Runs the built binary as kubelet and kube-controller-manager do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod attach;
mod config;
mod contract;
mod destroyers;
mod detach;
mod expand_volume;
mod faults;
mod growth;
mod kill;
mod kube;
mod life;
mod log;
mod node;
mod secrets;
mod storm;
mod support;
mod volumes;
mod wrong_disk;
