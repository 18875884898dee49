//! The clock of the machine.

use std::{
    os::fd::BorrowedFd,
    sync::LazyLock,
    thread,
    time::{Duration, Instant, SystemTime},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use crate::Clock;

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        START.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that waits")]
    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }

    fn wait(&self, events: BorrowedFd<'_>, at_most: Duration) -> bool {
        let limit = Timespec::try_from(at_most).ok();
        match poll(&mut [PollFd::new(&events, PollFlags::IN)], limit.as_ref()) {
            Ok(ready) => ready > 0,
            // A signal: the caller looks once more than it would have.
            Err(Errno::INTR) => true,
            Err(_) => {
                self.sleep(at_most);
                false
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
