//! The protocol from argument list to reply line, as a caller sees it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on is to stop"
)]

mod backend;
mod calls;
mod properties;
mod records;
mod secrets;
mod transcript;
