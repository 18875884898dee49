//! The client against scripted answers, real sockets and the simulated cloud.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod answers;
mod backoff;
mod cloud;
mod credentials;
mod errors;
mod examples;
mod lists;
mod metadata;
mod principals;
mod reasons;
mod resources;
mod retries;
mod script;
mod server;
mod sockets;
mod waits;
mod world;
