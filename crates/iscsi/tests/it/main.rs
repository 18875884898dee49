//! Whole verbs on a small world: a sysfs tree in a directory, and an iscsid that changes it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod broken;
mod chap;
mod codes;
mod disk;
mod in_use;
mod killed;
mod login;
mod logout;
mod multipath;
mod portals;
mod story;
mod sysfs;
mod torn_record;
mod tree;
mod world;
