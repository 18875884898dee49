//! Runs the built binary on real iSCSI, as kubelet does: the guest's part of `cargo xtask vm-test`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod chap;
mod event;
mod failing_disk;
mod growth;
mod guest;
mod hypervisor;
mod kill;
mod life;
mod lio;
mod many;
mod mount_device;
mod moving;
mod multipath;
mod node_record;
mod paravirtualized;
mod second;
mod sessions;
mod shell;
mod storage;
mod unmount_device;
mod volume;
mod wait_for_attach;
mod xfs;
