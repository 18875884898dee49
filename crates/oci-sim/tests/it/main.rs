//! The simulated cloud, driven as clients drive it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod client;
mod disk;
mod faults;
mod life;
mod metadata;
mod node;
mod pages;
mod principals;
mod program;
mod retry_tokens;
mod rules;
mod server;
