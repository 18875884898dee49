//! The client against kubeconfigs on disk and a TLS server on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod identities;
mod kubeconfig;
mod nodes;
mod secrets;
mod server;
mod support;
