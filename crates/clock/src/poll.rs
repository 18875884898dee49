//! Asking again and again; a policy is an iterator of waits.

use std::time::Duration;

use crate::Clock;

/// Calls `attempt` until it yields a value, sleeping one of `waits` between calls.
///
/// `Ok(None)` means that the waits ran out first. `attempt` runs once more than there are waits.
///
/// # Errors
/// The first error of `attempt` ends the polling.
pub fn poll<T, E>(
    clock: &dyn Clock,
    waits: impl IntoIterator<Item = Duration>,
    mut attempt: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let mut waits = waits.into_iter();
    loop {
        if let Some(value) = attempt()? {
            return Ok(Some(value));
        }
        match waits.next() {
            Some(wait) => clock.sleep(wait),
            None => return Ok(None),
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::{convert::Infallible, iter};

    use super::*;
    use crate::ManualClock;

    #[track_caller]
    fn check(ready_at_attempt: u32, waits: u32, found: bool, slept: &[u64]) {
        let clock = ManualClock::default();
        let mut attempts = 0;
        let waits = iter::successors(Some(1), |s| Some(s * 2)).take(waits as usize);
        let result = poll(&clock, waits.map(Duration::from_secs), || {
            attempts += 1;
            Ok::<_, Infallible>((attempts >= ready_at_attempt).then_some(()))
        });
        assert_eq!(result.unwrap().is_some(), found);
        let expected: Vec<_> = slept.iter().copied().map(Duration::from_secs).collect();
        assert_eq!(clock.slept(), expected);
    }

    #[test]
    fn it_sleeps_only_between_attempts() {
        check(1, 3, true, &[]);
        check(3, 3, true, &[1, 2]);
    }

    #[test]
    fn it_gives_up_when_the_waits_run_out() {
        check(9, 3, false, &[1, 2, 4]);
        check(9, 0, false, &[]);
    }
}
