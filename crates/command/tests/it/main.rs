//! Runs real programs: whatever a program does, the call returns, and says what happened.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod endings;
mod environment;
mod outputs;
mod support;
