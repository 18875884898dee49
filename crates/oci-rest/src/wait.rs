//! Waiting until an attachment is attached or gone.

use std::time::Duration;

use oci_iaas::{AttachmentState, GetVolumeAttachment, Ocid, VolumeAttachment};

use crate::{Client, Error, jitter::Jitter};

impl Client {
    /// Waits until the attachment is ATTACHED. May be called again, by another process too.
    ///
    /// It looks for the first time after 200 ms, later after a twelfth of the time already waited, at
    /// most 2 s, until the deadline of the client. A look that fails for the moment does not end
    /// the waiting.
    ///
    /// # Errors
    /// The attachment went DETACHING or DETACHED, the deadline is near, or it cannot be read.
    pub fn wait_for_attached(&self, id: &Ocid) -> Result<VolumeAttachment, Error> {
        self.watch(id, |look| {
            let attachment = look?;
            match attachment.lifecycle_state {
                AttachmentState::Attached => Ok(Step::Done(attachment)),
                AttachmentState::Detaching | AttachmentState::Detached => {
                    Err(Error::NotAttached { id: id.clone(), state: attachment.lifecycle_state })
                }
                state => Ok(Step::Wait(state)),
            }
        })
    }

    /// Waits until the attachment is DETACHED, or cannot be seen. May be called again, as above.
    ///
    /// A 404 may also mean that the right to see it was lost: only a complete list proves that it is
    /// gone.
    ///
    /// # Errors
    /// The deadline is near, or the attachment cannot be read.
    pub fn wait_for_detached(&self, id: &Ocid) -> Result<Departure, Error> {
        self.watch(id, |look| match look {
            Err(error) if error.is_not_found() => Ok(Step::Done(Departure::Unseen)),
            Err(error) => Err(error),
            Ok(attachment) => Ok(match attachment.lifecycle_state {
                AttachmentState::Detached => Step::Done(Departure::Detached),
                state => Step::Wait(state),
            }),
        })
    }

    fn watch<T>(
        &self,
        id: &Ocid,
        judge: impl Fn(Result<VolumeAttachment, Error>) -> Result<Step<T>, Error>,
    ) -> Result<T, Error> {
        let started = self.clock.monotonic();
        let waited = || self.clock.monotonic().saturating_sub(started);
        let (mut state, mut source) = (None, None);
        let mut jitter = self.jitter();
        loop {
            let wait = wait(waited(), &mut jitter);
            if wait >= self.deadline.remaining(&*self.clock) {
                break;
            }
            self.clock.sleep(wait);
            match judge(self.send(&GetVolumeAttachment { id })) {
                Ok(Step::Done(value)) => return Ok(value),
                Ok(Step::Wait(seen)) => (state, source) = (Some(seen), None),
                Err(error) if error.is_transient() => source = Some(Box::new(error)),
                Err(error) => return Err(error),
            }
        }
        log::info!("volume attachment {id} was watched for {} s", waited().as_secs());
        Err(Error::StillWaiting { id: id.clone(), state, waited: waited(), source })
    }
}

/// How the wait for the end of an attachment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It is DETACHED.
    Detached,
    /// It answers 404.
    Unseen,
}

enum Step<T> {
    Done(T),
    Wait(AttachmentState),
}

/// A twelfth of what has passed, within bounds, plus up to a tenth at random. Looks that are late
/// because the service is busy make the next ones rarer.
fn wait(passed: Duration, jitter: &mut Jitter) -> Duration {
    let wait = (passed / 12).clamp(SHORTEST, LONGEST);
    jitter.between(wait, wait + wait / 10).min(LONGEST)
}

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::{iter, time::UNIX_EPOCH};

    use super::*;

    /// The waits of looks that take no time.
    fn waits(nanos: u64) -> impl Iterator<Item = Duration> {
        let mut jitter = Jitter::seeded(UNIX_EPOCH + Duration::from_nanos(nanos));
        let mut passed = Duration::ZERO;
        iter::from_fn(move || {
            let wait = wait(passed, &mut jitter);
            passed += wait;
            Some(wait)
        })
    }

    #[test]
    fn waits_grow_from_200_ms_to_2_s() {
        let mut passed = Duration::ZERO;
        for wait in waits(0).take(100) {
            let bound = (passed / 12).clamp(SHORTEST, LONGEST);
            assert!(wait >= bound && wait <= (bound + bound / 10).min(LONGEST), "{wait:?}");
            passed += wait;
        }
    }

    /// The floor of the bench: 3.2 s to attach, 2.2 s to detach.
    #[test]
    fn sixteen_looks_cover_three_seconds() {
        for seed in 0..1000 {
            let covered: Duration = waits(seed).take(16).sum();
            assert!(covered >= Duration::from_millis(3200), "{covered:?}");
        }
    }

    #[test]
    fn a_late_look_makes_the_next_ones_rarer() {
        let mut jitter = Jitter::seeded(UNIX_EPOCH);
        assert!(wait(Duration::from_secs(12), &mut jitter) >= Duration::from_secs(1));
    }
}
