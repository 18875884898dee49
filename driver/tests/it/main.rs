//! Runs the built binary as kubelet and kube-controller-manager do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod another;
mod attach;
mod attach_faults;
mod auth;
mod config;
mod contract;
mod dead_file_system;
mod deadlines;
mod destroyers;
mod detach;
mod detach_faults;
mod expand_volume;
mod faults;
mod folders;
mod growth;
mod growth_unasked;
mod kill;
mod kube;
mod life;
mod log;
mod look_faults;
mod node;
mod options;
mod origins;
mod principals;
mod read_only;
mod secrets;
mod signals;
mod storm;
mod support;
mod unmount;
mod volumes;
mod wrong_disk;
