//! The cloud's own clock: the system's, or one that stands still, and always adjustable.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// What time it is in the cloud.
#[derive(Debug)]
pub(crate) struct Clock(Mutex<Setting>);

#[derive(Debug)]
struct Setting {
    stopped_at: Option<SystemTime>,
    ahead: Duration,
    behind: Duration,
}

impl Clock {
    pub(crate) fn new(stopped_at: Option<SystemTime>) -> Self {
        Self(Mutex::new(Setting { stopped_at, ahead: Duration::ZERO, behind: Duration::ZERO }))
    }

    pub(crate) fn now(&self) -> SystemTime {
        let setting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        setting.stopped_at.unwrap_or_else(system_time) + setting.ahead - setting.behind
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ahead += by;
    }

    pub(crate) fn turn_back(&self, by: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).behind += by;
    }
}

/// Waits in real time, for requests that are answered late.
#[expect(clippy::disallowed_methods, reason = "the one place of the simulator that reads the time")]
pub(crate) fn wait(duration: Duration) {
    std::thread::sleep(duration);
}

#[expect(clippy::disallowed_methods, reason = "the one place of the simulator that reads the time")]
fn system_time() -> SystemTime {
    SystemTime::now()
}
