//! Runs the built binary on real iSCSI, as kubelet does: the guest's part of `cargo xtask vm-test`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod growth;
mod guest;
mod life;
mod shell;
mod storage;
mod volume;
