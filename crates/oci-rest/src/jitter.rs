//! Small random shifts of waits, so that many processes do not ask in step.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A sequence of fractions that looks random and is the same for the same start.
///
/// Not for secrets. Source of the step: `SplitMix64` (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    /// Processes that start in different nanoseconds get different sequences.
    pub(crate) fn seeded(now: SystemTime) -> Self {
        let nanos = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self(u64::try_from(nanos % u128::from(u64::MAX)).unwrap_or_default())
    }

    /// Between `from` and `to`.
    pub(crate) fn between(&mut self, from: Duration, to: Duration) -> Duration {
        from + to.saturating_sub(from) * self.permille() / 1000
    }

    fn permille(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((z ^ (z >> 31)) % 1001).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_between_its_bounds_and_spreads() {
        let (from, to) = (Duration::from_millis(100), Duration::from_millis(200));
        let mut jitter = Jitter::seeded(UNIX_EPOCH);
        let shifts: Vec<Duration> = (0..1000).map(|_| jitter.between(from, to)).collect();
        assert!(shifts.iter().all(|it| (from..=to).contains(it)));
        let mean = shifts.iter().sum::<Duration>() / 1000;
        assert!((145..155).contains(&mean.as_millis()), "{mean:?}");
    }

    #[test]
    fn the_seed_decides_the_sequence() {
        let second = Duration::from_secs(1);
        let first = |nanos| {
            Jitter::seeded(UNIX_EPOCH + Duration::from_nanos(nanos)).between(Duration::ZERO, second)
        };
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }
}
