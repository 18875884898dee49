//! The crate against real file systems on loop devices: needs root and the tools named in `tool`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod check;
mod format;
mod grow;
mod interrupted;
mod loop_disk;
mod mounting;
mod mounting_damaged;
mod mounting_wrong;
mod namespace;
mod table;
mod tool;
mod unmounting;
