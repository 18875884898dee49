//! A point in time after which one stops trying.

use std::time::Duration;

use crate::Clock;

/// The end of a budget, on the monotonic clock: one for a whole job, handed down to its steps.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Duration,
}

impl Deadline {
    /// The moment `budget` from now.
    pub fn after(clock: &dyn Clock, budget: Duration) -> Self {
        Self { at: clock.monotonic().saturating_add(budget) }
    }

    /// The rest of the budget; zero when it has passed.
    pub fn remaining(&self, clock: &dyn Clock) -> Duration {
        self.at.saturating_sub(clock.monotonic())
    }

    /// Whether the budget is used up.
    pub fn passed(&self, clock: &dyn Clock) -> bool {
        self.remaining(clock).is_zero()
    }
}
