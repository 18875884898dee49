//! The crate through its public face: Oracle's vectors, keys of every kind, hidden secrets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod examples;
mod keys;
mod refused_keys;
mod requests;
mod secrets;
mod vectors;
