//! A clock that moves only when a caller sleeps on it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::Clock;

/// Sleeping returns at once, moves the time, and is remembered.
///
/// ```
/// use clock::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::default();
/// clock.sleep(Duration::from_secs(3600));
/// assert_eq!(clock.monotonic(), Duration::from_secs(3600));
/// assert_eq!(clock.slept(), [Duration::from_secs(3600)]);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    start: SystemTime,
    slept: Mutex<Vec<Duration>>,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: SystemTime) -> Self {
        Self { start, slept: Mutex::default() }
    }

    /// Every wait so far, in order.
    pub fn slept(&self) -> Vec<Duration> {
        self.waits().clone()
    }

    fn waits(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.slept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(SystemTime::UNIX_EPOCH)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.start + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.waits().iter().sum()
    }

    fn sleep(&self, duration: Duration) {
        self.waits().push(duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Deadline;

    #[test]
    fn a_deadline_passes_by_sleeping() {
        let clock = ManualClock::default();
        let deadline = Deadline::after(&clock, Duration::from_secs(5));
        clock.sleep(Duration::from_secs(3));
        assert_eq!(deadline.remaining(&clock), Duration::from_secs(2));
        clock.sleep(Duration::from_secs(9));
        assert!(deadline.passed(&clock));
    }
}
