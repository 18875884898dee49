//! The crate through its public face: Oracle's vectors, keys of every kind, hidden secrets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod keys;
mod refused_keys;
mod requests;
mod secrets;
mod vectors;
