//! The clock of the machine.

use std::{
    sync::LazyLock,
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::Clock;

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one door to the wall clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        START.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the one door to waiting")]
    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }
}

#[expect(clippy::disallowed_methods, reason = "the one door to the monotonic clock")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
