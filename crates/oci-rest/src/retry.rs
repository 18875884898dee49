//! Which failures are repeated, and after what waits.

use std::{iter, time::Duration};

use http::Method;
use oci_iaas::Call;

use crate::{Error, jitter::Jitter};

/// The waits that are left, per kind of failure. One value serves one operation.
///
/// | failure | repetitions |
/// |---|---|
/// | 429, 500, 502, 503, 504 | until the deadline |
/// | 409 `LockConflict`, `ResourceLocked`, `ExternalServerIncorrectState` | until the deadline |
/// | 409 `IncorrectState` | of a GET, until the deadline; of others none: the caller reads the state again |
/// | no connection, connection lost, time limit, body cut off | 3 |
/// | success whose JSON is broken or lacks fields | 3 |
/// | everything else, TLS errors included | none |
///
/// A POST without retry token is not repeated when the service may have carried it out.
pub(crate) struct Retries {
    busy: Box<dyn Iterator<Item = Duration>>,
    lost: Box<dyn Iterator<Item = Duration>>,
    incomplete: Box<dyn Iterator<Item = Duration>>,
    jitter: Jitter,
}

impl Retries {
    pub(crate) fn new(jitter: &Jitter) -> Self {
        Self {
            busy: Box::new(backoff(jitter.clone())),
            lost: Box::new(backoff(jitter.clone()).take(FEW)),
            incomplete: Box::new(backoff(jitter.clone()).take(FEW)),
            jitter: jitter.clone(),
        }
    }

    /// How long to wait before `call` is sent again after `error`; `None` means not at all.
    pub(crate) fn next_wait(&mut self, call: &Call, error: &Error) -> Option<Duration> {
        let may_repeat = call.method != Method::POST || call.retry_token.is_some();
        if error.is_outcome_unknown() && !may_repeat {
            return None;
        }
        match error {
            Error::Transport { source, .. } if source.is_transient() => self.lost.next(),
            Error::Incomplete { .. } => self.incomplete.next(),
            Error::Service(service) if service.is_busy() || is_read_conflict(call, error) => {
                let told = service.retry_after().unwrap_or_default();
                // Everybody is told the same time, so it must not be everybody's.
                let apart = self.jitter.between(Duration::ZERO, told.min(LONGEST));
                self.busy.next().map(|wait| told + apart + wait)
            }
            _ => None,
        }
    }
}

fn is_read_conflict(call: &Call, error: &Error) -> bool {
    call.method == Method::GET && error.status() == Some(409) && error.is_transient()
}

/// Doubling, between half of the wait and all of it.
fn backoff(mut jitter: Jitter) -> impl Iterator<Item = Duration> {
    iter::successors(Some(FIRST), |wait| Some((*wait * 2).min(LONGEST)))
        .map(move |wait| jitter.between(wait / 2, wait))
}

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);
const FEW: usize = 3;

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let waits: Vec<Duration> = backoff(Jitter::seeded(UNIX_EPOCH)).take(8).collect();
        let bounds = [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000].map(Duration::from_millis);
        for (wait, bound) in waits.into_iter().zip(bounds) {
            assert!((bound / 2..=bound).contains(&wait), "{wait:?} is not near {bound:?}");
        }
    }
}
