//! How many requests a user may make: what is too much is answered by 429.

use std::time::SystemTime;

use crate::faults::Effect;

/// A limit on all requests together. Oracle publishes no figures; a bucket is how such limits are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Requests that are answered in a second, for as long as it takes.
    pub per_second: u32,
    /// Requests that are answered at once after a pause.
    pub burst: u32,
    /// Seconds in the Retry-After header of a 429; Oracle promises none.
    pub retry_after: Option<u64>,
}

/// A bucket that is filled by time and emptied by requests.
#[derive(Debug)]
pub(crate) struct Bucket {
    throttle: Throttle,
    tokens: f64,
    filled: SystemTime,
}

impl Bucket {
    pub(crate) fn new(throttle: Throttle, now: SystemTime) -> Self {
        Self { throttle, tokens: f64::from(throttle.burst), filled: now }
    }

    /// Takes a request in, or tells how it is refused.
    pub(crate) fn take(&mut self, now: SystemTime) -> Option<Effect> {
        let passed = now.duration_since(self.filled).unwrap_or_default().as_secs_f64();
        let filled = self.tokens + passed * f64::from(self.throttle.per_second);
        self.tokens = filled.min(f64::from(self.throttle.burst));
        self.filled = now;
        if self.tokens < 1.0 {
            return Some(Effect::Throttle { retry_after: self.throttle.retry_after });
        }
        self.tokens -= 1.0;
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_so_many_a_second() {
        let throttle = Throttle { per_second: 10, burst: 3, retry_after: Some(2) };
        let start = SystemTime::UNIX_EPOCH;
        let mut bucket = Bucket::new(throttle, start);
        let mut passed = |millis: u64| {
            let now = start + Duration::from_millis(millis);
            (0..20).filter(|_| bucket.take(now).is_none()).count()
        };
        assert_eq!([0, 50, 100, 150, 1150].map(&mut passed), [3, 0, 1, 0, 3]);
        let refused = bucket.take(start + Duration::from_millis(1150));
        assert_eq!(refused, Some(Effect::Throttle { retry_after: Some(2) }));
    }
}
