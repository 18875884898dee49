//! What time it is, and waiting: the only crate that reads a clock or sleeps.
//!
#![doc = include_str!("../README.md")]

use std::{
    fmt::Debug,
    os::fd::BorrowedFd,
    time::{Duration, SystemTime},
};

mod deadline;
#[cfg(feature = "testing")]
mod manual;
mod poll;
mod system;

pub use deadline::Deadline;
#[cfg(feature = "testing")]
pub use manual::ManualClock;
pub use poll::poll;
pub use system::SystemClock;

/// Time, as a value that is handed down.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock. It may jump: use it for signatures and time stamps, never for deadlines.
    fn now(&self) -> SystemTime;

    /// Time since an arbitrary point, which never goes back.
    fn monotonic(&self) -> Duration;

    /// Returns after `duration`, not earlier.
    fn sleep(&self, duration: Duration);

    /// Returns as soon as `events` can be read, or after `at_most`; whether it was the events. A clock
    /// that is not the machine's sees none.
    fn wait(&self, events: BorrowedFd<'_>, at_most: Duration) -> bool {
        let _ = events;
        self.sleep(at_most);
        false
    }
}
